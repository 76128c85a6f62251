"""A hand that can sign anything of a home, right or wrong: owner, sequencer and people as bare keys.

The honest path is here too, in the fewest lines: `found`, `adopt`, `add`, `remove`, `entry`, `checkpoint`,
`answer`. The hand follows the log with the project's own fold, and keeps the bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from accessory_emu.pairing.pair_setup import PairSetupController
from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.encoding import Value
from accessory_emu.protocol.envelope import Context, Sealed, parse, seal
from accessory_emu.protocol.exchanges import sync
from accessory_emu.protocol.exchanges.command import make_command, read_response, write_items
from accessory_emu.protocol.exchanges.joining import offer
from accessory_emu.protocol.identifiers import GrantId, HomeId, PublicKey, Version, epoch_of
from accessory_emu.protocol.membership.acceptance import Acceptance
from accessory_emu.protocol.membership.checkpoint import Checkpoint, Previous, SequencerKind, genesis
from accessory_emu.protocol.membership.entry import Entry
from accessory_emu.protocol.membership.grant import RESIDENT_TERMS, Terms
from accessory_emu.protocol.membership.log import Log
from accessory_emu.protocol.membership.request import Request, RequestOp
from accessory_emu.protocol.messages import Adopt, Command, Op, Response, Statement
from accessory_emu.protocol.ports import Event
from tests.world import CODE, AccessoryNode, World

ON = (1, 10, True)
OFF = (1, 10, False)


def key(name: str) -> SigningKey:
    """Give the test key of a name."""
    return SigningKey(name.encode().ljust(32, b"\x00")[:32])


@dataclass
class Hand:
    """The keys of one home, and the log as its sequencer holds it."""

    world: World
    kind: SequencerKind = SequencerKind.DEVICE

    def __post_init__(self) -> None:
        self.owner, self.sequencer = key("owner"), key("sequencer")
        checkpoint, sealed, home = genesis(self.owner, self.sequencer.public, self.kind, self.seconds)
        self.home: HomeId = home
        self.checkpoint, self.checkpoint_raw, self.checkpoint_id = checkpoint, sealed.raw, sealed.id
        self.log, _ = Log.start(checkpoint, sealed.id, home, 255)
        self.entries: list[bytes] = []
        self.counters: dict[bytes, int] = {}
        self.nonce = 0

    @property
    def seconds(self) -> int:
        """The time, in unix seconds."""
        return self.world.now // 1000

    def draw(self) -> bytes:
        """Give 16 bytes that were not given before."""
        self.nonce += 1
        return self.nonce.to_bytes(limits.NONCE_SIZE)

    # requests

    def request(self, author: SigningKey, op: int, **fields: object) -> bytes:
        """Sign a request; what is not given has its honest value."""
        given: dict[str, object] = {
            "nonce": self.draw(),
            "base": self.log.version,
            "expires": self.seconds + limits.REQUEST_LIFE_S,
            "op": op,
            **fields,
        }
        return Request(**given).sign(author, self.home).raw  # type: ignore[arg-type]  # fields by name

    def acceptance(
        self, person: SigningKey, inviter: SigningKey, terms: Terms = RESIDENT_TERMS, **fields: object
    ) -> Sealed:
        """Sign an acceptance."""
        honest = Acceptance(
            self.home,
            person.public,
            self.draw(),
            inviter.kid,
            terms.digest(),
            self.seconds + limits.ACCEPTANCE_LIFE_S,
        )
        return replace(honest, **fields).sign(person)  # type: ignore[arg-type]  # fields by name

    def add(
        self,
        person: SigningKey,
        terms: Terms = RESIDENT_TERMS,
        author: SigningKey | None = None,
        **fields: object,
    ) -> bytes:
        """Sign a request that adds a person."""
        author = author or self.owner
        acceptance = fields.pop("acceptance", None) or self.acceptance(person, author, terms).raw
        honest = {"key": person.public, "acceptance": acceptance}
        honest["terms"] = fields.pop("terms_raw", None) or terms.value()
        return self.request(author, RequestOp.ADD, **{**honest, **fields})

    def remove(self, person: SigningKey, author: SigningKey | None = None, **fields: object) -> bytes:
        """Sign a request that removes a person."""
        root = fields.pop("root", None) or self.root(person)
        return self.request(author or self.owner, RequestOp.REMOVE, target=root, **fields)

    def root(self, person: SigningKey) -> GrantId:
        """Give the root of a person's grant."""
        grant = self.log.allowlist.find(person.kid)
        assert grant is not None
        return grant.root

    # entries, checkpoints, statements

    def entry(self, *requests: bytes, signer: SigningKey | None = None, **fields: object) -> bytes:
        """Sign an entry in the next place; one that is honest moves the hand's own log."""
        honest = Entry(
            Version(self.log.version.epoch, self.log.version.seq + 1),
            self.log.head,
            requests,
            max(self.seconds, self.log.time),
        )
        entry = replace(honest, **fields) if fields else honest  # type: ignore[arg-type]  # fields by name
        sealed = entry.sign(signer or self.sequencer, self.home)
        if entry == honest and signer is None:
            self.log, _ = self.log.apply(entry, sealed.id)
            self.entries.append(sealed.raw)
        return sealed.raw

    def next_checkpoint(self, *, signer: SigningKey | None = None, draw: int = 7, **fields: object) -> bytes:
        """Sign a checkpoint of the next turn; one that is honest moves the hand's own log."""
        version = Version(epoch_of(0, self.log.version.turn + 1, draw), 0)
        honest = Checkpoint(
            home=self.home,
            version=version,
            prev=Previous(self.log.version, self.log.head),
            time=max(self.seconds, self.log.time),
            grants=tuple(self.log.allowlist.ordered()),
            tombstones=self.log.tombstones,
            roster=self.checkpoint.roster,
            sequencer=self.sequencer.public,
            kind=self.kind,
            owner=self.owner.public,
        )
        checkpoint = replace(honest, **fields) if fields else honest  # type: ignore[arg-type]  # by name
        sealed = checkpoint.sign(signer or self.owner)
        if signer is None and checkpoint.version > self.log.version:
            self.log, _ = self.log.take_checkpoint(checkpoint, sealed.id)
            self.checkpoint, self.checkpoint_raw, self.checkpoint_id = checkpoint, sealed.raw, sealed.id
            self.entries = []
        return sealed.raw

    def head(self, **fields: object) -> bytes:
        """Sign a head of the present version."""
        statement = replace(Statement(self.log.version, self.log.head, self.seconds), **fields)  # type: ignore[arg-type]  # by name
        return sync.head(self.sequencer, self.home, statement).raw

    def question(self, node: AccessoryNode) -> Statement:
        """Read the newest sync question that an accessory asked."""
        topic = self.world.topics.sync(self.home, node.id)
        raw = [parcel.payload for parcel in self.world.network.traffic if parcel.topic == topic][-1]
        return sync.read_question(parse(raw), node.accessory.device.founding.key.public, self.home)

    def answer(self, node: AccessoryNode, **fields: object) -> bytes:
        """Sign the answer to an accessory's newest question."""
        honest = Statement(self.log.version, self.log.head, self.seconds, self.question(node).nonce)
        statement = replace(honest, **fields) if fields else honest  # type: ignore[arg-type]  # by name
        return sync.answer(self.sequencer, self.home, node.id, statement).raw

    # an accessory joins

    def pair(self, node: AccessoryNode, controller: SigningKey | None = None) -> None:
        """Do Pair-Setup with an accessory."""
        half = PairSetupController(
            CODE, b"owner", controller or self.owner, self.world.random.child("pair"), node.id
        )
        exchange, out = self.draw()[:8], half.start()
        topics = self.world.topics
        while isinstance(out, bytes):
            verdict = node.give(out, topics.pair_request(node.id, exchange))
            assert verdict.fields["answered"], verdict
            answers = [
                parcel.payload
                for parcel in self.world.network.traffic
                if parcel.topic == topics.pair_response(node.id, exchange)
            ]
            step = half.receive(answers[-1])
            if not isinstance(step, bytes):
                return
            out = step

    def offer(self, node: AccessoryNode, signer: SigningKey | None = None, **fields: object) -> list[bytes]:
        """Make the messages of an adoption."""
        adopt = Adopt(
            home=self.home,
            boot=node.accessory.device.boot,
            checkpoint=self.checkpoint_id,
            version=self.log.version,
            head=self.log.head,
        )
        adopt = replace(adopt, **fields) if fields else adopt  # type: ignore[arg-type]  # fields by name
        return offer(signer or self.owner, node.id, adopt, self.checkpoint_raw, self.entries)

    def adopt(self, node: AccessoryNode) -> None:
        """Pair an accessory and bring it into the home, in sync."""
        self.pair(node)
        for message in self.offer(node):
            node.inbox(message)
        self.sync(node)

    def sync(self, node: AccessoryNode) -> Event:
        """Answer an accessory's open question."""
        return node.inbox(self.answer(node))

    def bring(self, node: AccessoryNode) -> None:
        """Bring an accessory to the present version: checkpoint, entries, answer."""
        node.inbox(self.checkpoint_raw)
        for raw in self.entries:
            node.inbox(raw)
        self.world.advance(limits.ASK_GAP_MS)
        self.sync(node)

    # commands

    def command(
        self,
        node: AccessoryNode,
        person: SigningKey,
        *items: tuple[int, int, Value],
        op: int = Op.WRITE,
        args: Sequence[Value] | None = None,
        **fields: object,
    ) -> bytes:
        """Sign a command; what is not given has its honest value."""
        self.counters[person.kid] = self.counters.get(person.kid, 0) + 1
        honest = Command(
            boot=node.accessory.device.boot,
            ctr=self.counters[person.kid],
            version=self.log.version,
            op=op,
            args=args if args is not None else write_items(items or ((ON,) if op == Op.WRITE else ())),
            expires=self.seconds + 10,
        )
        command = replace(honest, **fields) if fields else honest  # type: ignore[arg-type]  # fields by name
        return make_command(person, self.home, node.id, command).raw

    def last_answer(self, node: AccessoryNode, person: SigningKey) -> Response:
        """Read the newest answer of an accessory to a person."""
        topic = self.world.topics.out(node.id, person.kid)
        raw = [parcel.payload for parcel in self.world.network.traffic if parcel.topic == topic][-1]
        public = PublicKey(node.accessory.device.founding.key.public)
        return read_response(parse(raw), public, self.home, node.id)

    def sign(self, signer: SigningKey, context: Context, payload: bytes, node: AccessoryNode) -> bytes:
        """Sign any payload in any context for an accessory of the home."""
        return seal(signer, context, payload, self.home, node.id).raw
