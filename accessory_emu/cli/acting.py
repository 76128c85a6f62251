"""One person at work: key, store and connection, and on the owner's device the sequencer beside them."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from accessory_emu.cli.compose import Watched, connect
from accessory_emu.cli.options import Common
from accessory_emu.cli.output import Exit, Problem
from accessory_emu.cli.places import RunFile, check_name, find_state, key_of, read_private, write_private
from accessory_emu.protocol.crypto import SEED_SIZE, SigningKey
from accessory_emu.protocol.envelope import Context, parse
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import AccessoryId
from accessory_emu.protocol.ports import Parcel, Random, Write
from accessory_emu.protocol.topics import Channel, Topics
from accessory_emu.runtime.clock import SeededRandom, SystemClock, SystemRandom
from accessory_emu.runtime.config_broker import ExternalBroker, broker_of
from accessory_emu.storage.base import Store, StoreError, StoreLocked
from accessory_emu.storage.sqlite import SqliteStore
from controllers.client import Client
from controllers.home_rows import TRUST
from controllers.identity import Identity
from controllers.invitation import Trust
from controllers.member import Member
from controllers.owner import Owner
from controllers.sequencer import Sequencer

_CONNECT_MS: Final = 5_000
_READY_MS: Final = 2_000
_PERSON: Final = "person/"
_SEQUENCER: Final = "sequencer/"
_KEY: Final = "key"


@dataclass(frozen=True, slots=True)
class Founded:
    """What the state directory knows of its home: who owns it, and where it begins."""

    owner: str
    trust: Trust

    @classmethod
    def read(cls, state: Path) -> "Founded | None":
        """Read it; None before the first pairing. Raises StoreError."""
        text = read_private(state / "home.json")
        if text is None:
            return None
        try:
            found = json.loads(text)
            return cls(str(found["owner"]), Trust.decode(bytes.fromhex(found["trust"])))
        except (ValueError, TypeError, KeyError, Malformed):
            raise StoreError(f"{state / 'home.json'}: is damaged; cure: restore it from a backup") from None

    def write(self, state: Path) -> None:
        """Write it."""
        text = json.dumps({"owner": self.owner, "trust": self.trust.encode().hex()})
        write_private(state / "home.json", text + "\n")


class JoinedStore:
    """The stores of a person and of the sequencer as one, told apart by prefix: no turn spans both."""

    def __init__(self, person: Store, sequencer: Store | None) -> None:
        self._person, self._sequencer = person, sequencer

    def load(self, prefix: str) -> dict[str, bytes]:
        """Read rows."""
        return self._of(prefix).load(prefix)

    async def commit(self, rows: Sequence[Write]) -> None:
        """Keep the rows of one actor."""
        if rows:
            await self._of(rows[0].key).commit(rows)

    def behind(self, rows: Sequence[Write]) -> None:
        """Keep the rows of one actor within a second."""
        if rows:
            self._of(rows[0].key).behind(rows)

    async def close(self) -> None:
        """Do nothing: each store is closed by who opened it."""

    def _of(self, key: str) -> Store:
        if self._sequencer is not None and key.startswith(_SEQUENCER):
            return self._sequencer
        return self._person


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a command of `ctl` takes place."""

    state: Path
    running: RunFile | None
    broker: ExternalBroker
    founded: Founded | None
    seed: int | None

    def accessory(self, name: str) -> AccessoryId:
        """Give the accessory that a name or 16 hex digits mean. Raises Problem."""
        known = self.running.ids.get(name) if self.running else None
        text = known or name
        try:
            if len(text) == 16:  # noqa: PLR2004 - eight bytes in hex
                return AccessoryId(bytes.fromhex(text))
        except ValueError:
            pass
        names = ", ".join(self.running.ids) if self.running else ""
        cure = f"there are {names}" if names else "start `accessory-emu run`, or give the 16 hex digits"
        raise Problem("nothing_found", f"no accessory is called {name!r}", cure, Exit.NOTHING)

    def name(self, accessory: AccessoryId) -> str:
        """Give the name of an accessory, else its id."""
        ids = self.running.ids if self.running else {}
        return next((name for name, each in ids.items() if each == accessory.hex()), accessory.hex())

    def identity(self, name: str) -> Identity:
        """Give a person's identity; a new name gets a key."""
        random = SystemRandom() if self.seed is None else SeededRandom(self.seed).child(f"key {name}")
        return Identity(name, key_of(self.state, check_name(name, "NAME"), random))

    def random(self, name: str) -> Random:
        """Give dice for one command; seeded ones never fall the same way twice, for nonces must not."""
        if self.seed is None:
            return SystemRandom()
        return SeededRandom(self.seed).child(f"{name} {SystemClock().now()}")


def look_around(common: Common) -> Scene:
    """Find state directory, run file and MQTT broker. Raises Problem."""
    state = find_state(common)
    running = RunFile.read(state)
    word = common.broker or (running.broker if running else None)
    if word is None:
        cure = "start `accessory-emu run`, or name an MQTT broker with --broker"
        raise Problem("broker_unreachable", "no emulator is running here", cure, Exit.NOBODY)
    try:
        broker = broker_of(word, Path())
    except ValueError as error:
        raise Problem("usage", f"--broker: {error}", "write mqtt://127.0.0.1:1883", Exit.USAGE) from None
    if not isinstance(broker, ExternalBroker):
        raise Problem("usage", "ctl needs a running MQTT broker", "write mqtt://host:port", Exit.USAGE)
    return Scene(state, running, broker, Founded.read(state), common.seed)


class Answers:
    """Whose sync questions were answered over a connection."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._accessories: set[AccessoryId] = set()

    def left(self, parcel: Parcel) -> None:
        """See a parcel leave."""
        address = self._topics.parse(parcel.topic)
        if address is None or address.channel is not Channel.INBOX or address.accessory is None:
            return
        if parse(parcel.payload).context is Context.SYNC_ANSWER:
            self._accessories.add(address.accessory)

    def __contains__(self, accessory: object) -> bool:
        return accessory in self._accessories


@dataclass(frozen=True, slots=True)
class Session:
    """A person who is connected."""

    scene: Scene
    client: Client
    member: Member
    sequencer: Sequencer | None
    answers: "Answers"

    @property
    def owner(self) -> Owner:
        """The owner. Raises Problem where somebody else acts."""
        if isinstance(self.member, Owner):
            return self.member
        raise Problem("ownership_failure", "only the owner can do this", "add --as OWNER", Exit.JUDGED)


@asynccontextmanager
async def acting(scene: Scene, name: str | None, *, found: bool = False) -> AsyncIterator[Session]:
    """Connect as a person; with `found`, a home is founded if there is none.

    On the device with the sequencer key the owner stays until reachable accessories are in sync, 2 s at most.

    Raises:
        Problem, StoreError, ControllerError: it cannot be done.
    """
    who = name or (scene.founded.owner if scene.founded else None)
    if who is None:
        raise Problem("usage", "who acts?", "add --as NAME", Exit.USAGE)
    identity, topics = scene.identity(who), Topics(scene.broker.topic_prefix)
    random = scene.random(who)
    async with AsyncExitStack() as stack:
        own = SqliteStore(scene.state / "controllers" / f"{who}.sqlite")
        stack.push_async_callback(own.close)
        is_owner = scene.founded.owner == who if scene.founded else found
        sequencing = _open_sequencer(scene.state) if is_owner else None
        if sequencing is not None:
            stack.push_async_callback(sequencing.close)
        parts = identity, topics, random, _rows(own, _PERSON)
        trust = scene.founded.trust if scene.founded else None
        member = Owner(*parts) if is_owner else Member(*parts, trust)
        answers = Answers(topics)
        client = _client(scene, identity, answers, JoinedStore(own, sequencing))
        await stack.enter_async_context(client)
        await client.add(_PERSON, member)
        session = Session(scene, client, member, None, answers)
        if isinstance(member, Owner) and sequencing is not None:
            sequencer, founded = await _sequence(session, sequencing, topics, random)
            session = replace(session, sequencer=sequencer, scene=replace(scene, founded=founded))
        if not await client.until(lambda: member.up, _CONNECT_MS):
            raise _unreachable(scene.broker.url)
        await client.ready(member, _READY_MS)
        yield session
        if session.sequencer is not None:
            await client.settle(member)


def _client(scene: Scene, identity: Identity, answers: Answers, store: Store) -> Client:
    """Begin to connect; the name is new each time, so that one person may be there twice."""
    name = f"ae-{identity.kid.hex()}-{SystemRandom().bytes(2).hex()}"
    transport = Watched(connect(scene.broker, name, None), left=answers.left)
    return Client(transport=transport, store=store, clock=SystemClock())


def _unreachable(url: str) -> Problem:
    cure = "start the emulator or the MQTT broker, or name another with --broker"
    return Problem("broker_unreachable", f"no MQTT broker answers at {url}", cure, Exit.NOBODY)


def _open_sequencer(state: Path) -> SqliteStore | None:
    """Take the sequencer's place; None where another process has it, to which requests go then."""
    try:
        return SqliteStore(state / "sequencer.sqlite")
    except StoreLocked:
        return None


async def _sequence(
    session: Session, store: SqliteStore, topics: Topics, random: Random
) -> tuple[Sequencer, Founded]:
    """Start the sequencer; the first time, found the home. What is cut off goes on at the next start."""
    client, owner, scene = session.client, session.owner, session.scene
    seed = store.load(_KEY).get(_KEY)
    if seed is None:
        if owner.view is not None:
            cure = "restore it; taking the sequencer over is not supported yet"
            raise Problem("state_damaged", "the sequencer's key is missing here", cure, Exit.INTERNAL)
        seed = random.bytes(SEED_SIZE)
        await store.commit([Write(_KEY, seed)])
    key = SigningKey(seed)
    if owner.view is None:
        await client.act(owner, lambda now: owner.create_home(key.public, now))
    view = owner.view
    if view is None or view.checkpoint is None:
        raise Problem("state_damaged", "the home's first checkpoint is missing", "restore it", Exit.INTERNAL)
    rows = _rows(store, _SEQUENCER)
    sequencer = (
        Sequencer(key, topics, random, rows)
        if rows
        else Sequencer.found(key, topics, random, view.checkpoint.raw, SystemClock().now())
    )
    await client.add(_SEQUENCER, sequencer)
    founded = scene.founded or Founded(owner.identity.name, await _trust(store))
    founded.write(scene.state)
    return sequencer, founded


async def _trust(store: SqliteStore) -> Trust:
    return Trust.decode(_rows(store, _SEQUENCER)[TRUST])


def _rows(store: Store, prefix: str) -> dict[str, bytes]:
    return {key.removeprefix(prefix): row for key, row in store.load(prefix).items()}
