"""The papers of one home, signed with real keys: what the tests of the membership log fold.

The owner is olga, the sequencer is hub. `add`, `replace`, `remove` sign requests, `play` puts them into the
next entry and folds it, `checkpoint` makes the next epoch. Each takes changes that make its paper wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey, sha256
from accessory_emu.protocol.encoding import Value
from accessory_emu.protocol.envelope import Sealed
from accessory_emu.protocol.identifiers import (
    AccessoryId,
    GrantId,
    HomeId,
    KeyId,
    ObjectId,
    PublicKey,
    Version,
    epoch_of,
)
from accessory_emu.protocol.membership.acceptance import Acceptance
from accessory_emu.protocol.membership.checkpoint import Checkpoint, Previous, SequencerKind, genesis
from accessory_emu.protocol.membership.entry import Entry
from accessory_emu.protocol.membership.grant import EDITOR_TERMS, RESIDENT_TERMS, Grant, Terms
from accessory_emu.protocol.membership.log import Log
from accessory_emu.protocol.membership.privileges import EVERYTHING, Privilege, Role, Scope
from accessory_emu.protocol.membership.request import Request, RequestOp
from accessory_emu.protocol.membership.verdict import Verdict
from accessory_emu.protocol.reasons import Reason

NOW = 1_780_000_000  # unix s
GUEST_TERMS = Terms(Role.GUEST, Privilege.OPERATE, EVERYTHING)


@cache
def key(name: str) -> SigningKey:
    """Give the key of a person."""
    return SigningKey(sha256(name.encode()))


OLGA, HUB, EDDA, ROSA, GINA, NINA, ZOE = map(key, ["olga", "hub", "edda", "rosa", "gina", "nina", "zoe"])
LAMP, DOOR = AccessoryId(key("lamp").kid), AccessoryId(key("door").kid)
LAMP_SCOPE = Scope.of([LAMP])


@dataclass
class Papers:
    """A home that begins with its genesis; `log` is the fold of what was played."""

    kind: SequencerKind = SequencerKind.HUB
    room: int = limits.GRANTS_HELD
    tombstones: int = limits.TOMBSTONES_HELD
    log: Log = field(init=False)
    home: HomeId = field(init=False)
    origin: Checkpoint = field(init=False)
    first: Sealed = field(init=False)
    time: int = NOW
    drawn: int = 0

    def __post_init__(self) -> None:
        self.origin, self.first, self.home = genesis(OLGA, HUB.public, self.kind, NOW)
        self.log, _ = Log.start(self.origin, self.first.id, self.home, self.room, self.tombstones)

    def draw(self) -> bytes:
        """Give a nonce that was not given before."""
        self.drawn += 1
        return self.drawn.to_bytes(limits.NONCE_SIZE)

    def grant(self, person: SigningKey) -> Grant:
        """Give the active grant of a person."""
        grant = self.log.allowlist.find(person.kid)
        assert grant is not None
        return grant

    def active(self, person: SigningKey) -> bool:
        """Tell whether a person has an active grant."""
        return self.log.allowlist.find(person.kid) is not None

    # requests

    def request(self, author: SigningKey, op: int, **changes: object) -> Sealed:
        """Sign a request; what is not given has its honest value."""
        honest: dict[str, object] = {
            "nonce": self.draw(),
            "base": self.log.version,
            "expires": self.time + limits.REQUEST_LIFE_S,
            "op": op,
        }
        home = changes.pop("home", self.home)
        return Request(**{**honest, **changes}).sign(author, home)  # type: ignore[arg-type]  # fields by name

    def acceptance(
        self, person: SigningKey, terms: Terms = RESIDENT_TERMS, inviter: SigningKey = OLGA, **changes: object
    ) -> Sealed:
        """Sign an acceptance; `signer` signs in the person's place."""
        signer = changes.pop("signer", person)
        honest = Acceptance(
            home=self.home,
            key=person.public,
            nonce=self.draw(),
            inviter=inviter.kid,
            terms=terms.digest(),
            expires=self.time + limits.ACCEPTANCE_LIFE_S,
        )
        return replace(honest, **changes).sign(signer)  # type: ignore[arg-type]  # fields by name

    def add(
        self, person: SigningKey, terms: Terms = RESIDENT_TERMS, author: SigningKey = OLGA, **changes: object
    ) -> bytes:
        """Sign a request that adds a person; `acceptance` and `terms_value` stand in for the honest ones."""
        acceptance = changes.pop("acceptance", None) or self.acceptance(person, terms, author).raw
        value = changes.pop("terms_value", terms.value())
        honest = {"key": person.public, "acceptance": acceptance, "terms": value}
        return self.request(author, RequestOp.ADD, **{**honest, **changes}).raw

    def replace(
        self, person: SigningKey, terms: Terms, author: SigningKey = OLGA, **changes: object
    ) -> bytes:
        """Sign a request that replaces a person's grant; `terms_value` stands in for the honest ones."""
        target = changes.pop("target", None) or self.grant(person).id
        honest: dict[str, object] = {"terms": changes.pop("terms_value", terms.value()), "target": target}
        return self.request(author, RequestOp.REPLACE, **{**honest, **changes}).raw

    def remove(self, person: SigningKey, author: SigningKey = OLGA, **changes: object) -> bytes:
        """Sign a request that removes a person; `target` stands in for the root."""
        target = changes.pop("target", None) or self.grant(person).root
        return self.request(author, RequestOp.REMOVE, target=target, **changes).raw

    def enrol(self, accessory: SigningKey, author: SigningKey = OLGA, **changes: object) -> bytes:
        """Sign a request that enrols an accessory."""
        return self.request(author, RequestOp.ENROL, **{"key": accessory.public, **changes}).raw

    def release(self, accessory: AccessoryId, author: SigningKey = OLGA, **changes: object) -> bytes:
        """Sign a request that releases an accessory."""
        return self.request(author, RequestOp.RELEASE, **{"target": accessory, **changes}).raw

    # entries

    def entry(self, *requests: bytes, **changes: object) -> Entry:
        """Make the next entry."""
        honest = Entry(
            Version(self.log.version.epoch, self.log.version.seq + 1), self.log.head, requests, self.time
        )
        return replace(honest, **changes)  # type: ignore[arg-type]  # fields by name

    def verdicts(self, *requests: bytes, **changes: object) -> tuple[Verdict, ...]:
        """Fold requests into the next entry; gives a verdict each."""
        entry = self.entry(*requests, **changes)
        self.log.check_entry(entry, HUB.kid)
        self.log, verdicts = self.log.apply(entry, entry.sign(HUB, self.home).id)
        return verdicts

    def play(self, *requests: bytes, **changes: object) -> list[Reason | None]:
        """Fold requests into the next entry; gives the reasons, None for an effect."""
        return [verdict.reason for verdict in self.verdicts(*requests, **changes)]

    # checkpoints

    def checkpoint(self, *, turn: int = 1, draw: int = 7, **changes: object) -> Checkpoint:
        """Make the checkpoint of a later turn; what is not given is carried over."""
        honest = Checkpoint(
            home=self.home,
            version=Version(epoch_of(0, self.log.version.turn + turn, draw), 0),
            prev=Previous(self.log.version, self.log.head),
            time=self.time,
            grants=tuple(self.log.allowlist.ordered()),
            tombstones=self.log.tombstones,
            roster=sha256(b""),
            sequencer=self.log.sequencer,
            kind=self.log.kind,
            owner=self.log.owner,
        )
        return replace(honest, **changes)  # type: ignore[arg-type]  # fields by name

    def take(self, checkpoint: Checkpoint) -> Sequence[tuple[GrantId, Reason]]:
        """Take a checkpoint; gives the grants that were left out."""
        self.log.check_checkpoint(checkpoint)
        self.log, left_out = self.log.take_checkpoint(checkpoint, checkpoint.sign(OLGA).id)
        return left_out


def stranger_grant(person: SigningKey, terms: Terms = RESIDENT_TERMS, base: Version | None = None) -> Grant:
    """Make a grant that only a checkpoint can bring in."""
    name = GrantId(sha256(b"grant" + person.public)[:16])
    root = GrantId(sha256(b"root" + person.public)[:16])
    at = base or Version(0, 1)
    return Grant(name, root, PublicKey(person.public), terms, at, at, KeyId(OLGA.kid))


def peopled(**fields: object) -> Papers:
    """Make a home with edda the editor, rosa the resident and gina the guest, at version e0.3."""
    papers = Papers(**fields)  # type: ignore[arg-type]  # fields by name
    for person, terms in ((EDDA, EDITOR_TERMS), (ROSA, RESIDENT_TERMS), (GINA, GUEST_TERMS)):
        assert papers.play(papers.add(person, terms)) == [None]
    return papers


def terms_map(terms: Terms, **changes: Value | None) -> dict[int, Value]:
    """Give the map of terms with other fields: f1 to f9; None leaves one out."""
    found = dict(terms.value())  # type: ignore[call-overload]  # terms are a map
    for name, value in changes.items():
        number = int(name.removeprefix("f"))
        found.pop(number, None)
        if value is not None:
            found[number] = value
    return found


def name_of(raw: Sealed) -> GrantId:
    """Name what a message makes: the first half of its object id."""
    return GrantId(ObjectId(raw.id)[: limits.GRANT_ID_SIZE])
