"""A small home for the controllers' tests: real actors on the seeded network, and puppets that sign."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.envelope import Context, Sealed, object_id, parse, seal
from accessory_emu.protocol.exchanges import sync
from accessory_emu.protocol.exchanges.command import respond
from accessory_emu.protocol.identifiers import (
    NO_HEAD,
    AccessoryId,
    BootId,
    HomeId,
    KeyId,
    ObjectId,
    PublicKey,
    Version,
)
from accessory_emu.protocol.membership.acceptance import Acceptance
from accessory_emu.protocol.membership.checkpoint import SequencerKind, genesis
from accessory_emu.protocol.membership.entry import Entry
from accessory_emu.protocol.membership.grant import RESIDENT_TERMS, Terms
from accessory_emu.protocol.membership.request import Request, RequestOp
from accessory_emu.protocol.messages import (
    Ack,
    Announce,
    Capabilities,
    Command,
    HubResponse,
    Life,
    Response,
    Statement,
)
from accessory_emu.protocol.ports import Engine, Parcel
from accessory_emu.protocol.reasons import Reason
from controllers.identity import Identity
from controllers.invitation import Trust
from controllers.member import Member
from controllers.owner import Owner
from controllers.sequencer import Sequencer
from tests.world import Node, World


def key(name: str) -> SigningKey:
    """Give the test key of a name."""
    return SigningKey(name.encode().ljust(32, b"\x00")[:32])


def person(name: str) -> Identity:
    """Give somebody with the test key of that name."""
    return Identity(name, key(name))


@dataclass
class Village:
    """A home with its sequencer on the network; requests are signed by bare keys."""

    world: World = field(default_factory=World)
    kind: SequencerKind = SequencerKind.DEVICE

    def __post_init__(self) -> None:
        self.owner, self.key = key("olga"), key("sequencer")
        self.checkpoint, sealed, self.home = genesis(
            self.owner, self.key.public, self.kind, self.world.now // 1000
        )
        self.genesis = sealed.raw
        self.trust = Trust(self.home, self.owner.public, Version(0, 0), sealed.id)
        self._nonces = 0
        self.node = self.world.add("sequencer", self.build)
        self.world.advance(1000)

    def build(self, rows: Mapping[str, bytes]) -> Engine:
        """Make the sequencer, or make it again."""
        topics, random = self.world.topics, self.world.random.child("sequencer")
        if rows:
            return Sequencer(self.key, topics, random, rows)
        return Sequencer.found(self.key, topics, random, self.genesis, self.world.now)

    @property
    def sequencer(self) -> Sequencer:
        """The sequencer as it is now."""
        assert isinstance(self.node.engine, Sequencer)
        return self.node.engine

    @property
    def head(self) -> ObjectId:
        """The head of its log."""
        assert self.sequencer.view.log is not None
        return self.sequencer.view.log.head

    # people

    def member(self, name: str, trust: Trust | None = None) -> Node:
        """Put a member's device on the network."""
        who = person(name)

        def build(rows: Mapping[str, bytes]) -> Engine:
            return Member(who, self.world.topics, self.world.random.child(name), rows, trust or self.trust)

        return self.world.add(name, build)

    def owners_device(self, name: str = "olga") -> Node:
        """Put a device of the owner on the network; it follows the home that exists already."""
        who = Identity(name, self.owner)

        def build(rows: Mapping[str, bytes]) -> Engine:
            return Owner(who, self.world.topics, self.world.random.child(name), rows, self.trust)

        return self.world.add(name, build)

    # requests

    def request(self, author: SigningKey, op: int, **fields: object) -> Sealed:
        """Sign a request; `fields` replace those of an ordinary one."""
        self._nonces += 1
        ordinary: dict[str, object] = {
            "nonce": self._nonces.to_bytes(limits.NONCE_SIZE),
            "base": self.sequencer.view.version,
            "expires": self.world.now // 1000 + limits.REQUEST_LIFE_S,
            "op": op,
        }
        home = fields.pop("home", self.home)
        return Request(**{**ordinary, **fields}).sign(author, home)  # type: ignore[arg-type]  # by name

    def adding(self, who: str, author: SigningKey | None = None, terms: Terms = RESIDENT_TERMS) -> Sealed:
        """Sign a request that adds a person."""
        by, newcomer = author or self.owner, key(who)
        raw = acceptance(self.home, newcomer, by.kid, terms, self.world.now // 1000 + 3600)
        return self.request(by, RequestOp.ADD, key=newcomer.public, acceptance=raw, terms=terms.value())

    def hand_in(self, raw: bytes) -> None:
        """Put bytes into the sequencer's inbox and let the world come to rest."""
        self.world.publish(self.world.topics.hub_inbox(self.home), raw)
        self.world.settle()

    def ask(self, request: Sealed) -> HubResponse | None:
        """Hand a request in; gives the sequencer's newest word on it."""
        before = len(self.words())
        self.hand_in(request.raw)
        words = [word for word in self.words()[before:] if word.request == request.id[:16]]
        return words[-1] if words else None

    def words(self) -> list[HubResponse]:
        """Give every hub-response that was published."""
        prefix = f"ae1/h/{self.home.hex()}/to/"
        raws = [each.payload for each in self.world.network.traffic if each.topic.startswith(prefix)]
        return [HubResponse.decode(parse(raw).payload) for raw in raws]

    def published_entries(self) -> list[tuple[Version, bytes]]:
        """Give version and bytes of every entry that left on a log topic, oldest first."""
        prefix = f"ae1/h/{self.home.hex()}/log/"
        raws = [each for each in self.world.network.traffic if each.topic.startswith(prefix) and each.payload]
        return [(Entry.decode(parse(each.payload).payload).version, each.payload) for each in raws]

    def sign_entry(
        self, version: Version, prev: ObjectId, raw: bytes, signer: SigningKey | None = None
    ) -> bytes:
        """Sign an entry, honest or not."""
        entry = Entry(version, prev, (raw,), self.world.now // 1000)
        return entry.sign(signer or self.key, self.home).raw

    def puppet(self, name: str, **announce: object) -> "Puppet":
        """Put an accessory that only signs on the network: announced, then enrolled."""
        puppet = Puppet(self, key(name))
        puppet.announce(**announce)
        self.world.settle()
        word = self.ask(self.request(self.owner, RequestOp.ENROL, key=puppet.key.public))
        assert word is not None
        assert word.version is not None
        return puppet


def acceptance(home: HomeId, newcomer: SigningKey, inviter: KeyId, terms: Terms, expires: int) -> bytes:
    """Sign an acceptance."""
    made = Acceptance(home, PublicKey(newcomer.public), bytes(16), inviter, terms.digest(), expires)
    return made.sign(newcomer).raw


BOOT = BootId(b"puppet-1")
ROOM = Capabilities(16, 256, trusted_time=True, strict=False, sync_hub_s=0, sync_device_s=0, fresh_s=3600)


@dataclass
class Puppet:
    """An accessory in words only: it signs what a test wants it to say."""

    village: Village
    key: SigningKey
    boot: BootId = BOOT

    @property
    def id(self) -> AccessoryId:
        """The accessory's id."""
        return AccessoryId(self.key.kid)

    def announce(self, **fields: object) -> None:
        """Announce itself, retained."""
        ordinary: dict[str, object] = {
            "key": self.key.public,
            "boot": self.boot,
            "life": Life.UNPAIRED,
            "home": None,
            "version": Version(0, 0),
            "head": NO_HEAD,
            "category": 5,
            "setup_hash": bytes(4),
            "capabilities": ROOM,
            "availability": "ae1/x",
        }
        message = Announce(**{**ordinary, **fields})  # type: ignore[arg-type]  # by name
        sealed = seal(self.key, Context.ANNOUNCE, message.encode(), accessory=self.id)
        self.village.world.publish(self.village.world.topics.announce(self.id), sealed.raw, retain=True)

    def ack(self, version: Version, refused: tuple[tuple[bytes, Reason], ...] = ()) -> None:
        """Acknowledge a version, retained."""
        message = Ack(version, ObjectId(bytes(32)), bytes(32), refused)  # type: ignore[arg-type]  # ids
        sealed = seal(self.key, Context.ACK, message.encode(), self.village.home, self.id)
        topics = self.village.world.topics
        self.village.world.publish(topics.ack(self.village.home, self.id), sealed.raw, retain=True)
        self.village.world.settle()

    def question(self, version: Version, head: ObjectId = NO_HEAD, nonce: bytes = bytes(16)) -> bytes:
        """Sign a question."""
        statement = Statement(version, head, nonce=nonce)
        return seal(self.key, Context.SYNC, statement.encode_sync(), self.village.home, self.id).raw

    def ask(self, version: Version, head: ObjectId = NO_HEAD, nonce: bytes = bytes(16)) -> list[Parcel]:
        """Ask, and give what comes to the inbox."""
        topics, before = self.village.world.topics, len(self.village.world.network.traffic)
        self.village.world.publish(
            topics.sync(self.village.home, self.id), self.question(version, head, nonce)
        )
        self.village.world.settle()
        return self.inbox(before)

    def inbox(self, since: int = 0) -> list[Parcel]:
        """Give what was published to the inbox."""
        topic = self.village.world.topics.inbox(self.id)
        return [each for each in self.village.world.network.traffic[since:] if each.topic == topic]

    def commands(self, since: int = 0) -> list[tuple[bytes, Command]]:
        """Give the commands that came, each with its id."""
        found = []
        for each in self.inbox(since):
            envelope = parse(each.payload)
            if envelope.context is Context.COMMAND:
                found.append(
                    (object_id(envelope, self.village.home, self.id)[:16], Command.decode(envelope.payload))
                )
        return found

    def respond(self, kid: KeyId, to: bytes, status: Reason | None = None, **fields: object) -> None:
        """Answer something, signed."""
        ordinary: dict[str, object] = {"version": self.village.sequencer.view.version, "boot": self.boot}
        response = Response(to=to, status=status, **{**ordinary, **fields})  # type: ignore[arg-type]  # by name
        sealed = respond(self.key, self.village.home, response)
        self.village.world.publish(self.village.world.topics.out(self.id, kid), sealed.raw)
        self.village.world.settle()

    def answer_of(self, parcels: list[Parcel]) -> Statement:
        """Read the one sync answer among parcels."""
        view = self.village.sequencer.view
        assert view.log is not None
        found = [parse(each.payload) for each in parcels]
        (one,) = [each for each in found if each.context is Context.SYNC_ANSWER]
        return sync.read_answer(one, view.log, self.id)
