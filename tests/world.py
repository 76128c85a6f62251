"""The one seeded fixture: a memory network, a clock that is turned by hand, and real engines on it.

Everything is synchronous and deterministic: `settle` pumps until nothing moves, `advance` turns the clock and
ticks what is due. A store can be cut at any write, and a node started again from what survived.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from accessory_emu.accessory.catalogue import TYPES
from accessory_emu.accessory.device import DeviceConfig, Supplies
from accessory_emu.accessory.engine import AccessoryEngine
from accessory_emu.pairing.srp import make_verifier
from accessory_emu.protocol.envelope import GoodSignatures
from accessory_emu.protocol.identifiers import AccessoryId
from accessory_emu.protocol.membership.freshness import Policy
from accessory_emu.protocol.ports import Delivery, Engine, Event, Link, Parcel, Write
from accessory_emu.protocol.topics import Topics
from accessory_emu.runtime.clock import ManualClock, SeededRandom
from accessory_emu.storage.base import StoreError
from accessory_emu.storage.memory import MemoryStore
from accessory_emu.transports.memory import MemoryLink, MemoryNetwork

CODE = "203-45-171"
START = 1_780_000_000_000  # ms; any moment will do
ROUNDS = 2000  # a world that moves longer than this does not come to rest


@cache
def verifier_of(code: str, salt: bytes) -> bytes:
    return make_verifier(code, salt)


@dataclass(frozen=True, slots=True)
class Sticker:
    """A label that computes each verifier once a run."""

    code: str = CODE

    def verifier(self, salt: bytes) -> bytes:
        """Give the verifier."""
        return verifier_of(self.code, salt)


@dataclass
class Node:
    """One engine on the network, with its store; `verdicts` are its verdict events, oldest first."""

    name: str
    world: "World"
    build: Callable[[Mapping[str, bytes]], Engine]
    store: MemoryStore = field(default_factory=MemoryStore)
    engine: Engine = field(init=False)
    link: MemoryLink = field(init=False)
    events: list[Event] = field(default_factory=list)
    dead: bool = False

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start, or start again, from what the store holds."""
        self.dead = False
        self.engine = self.build(self.store.load(""))
        self._heard: frozenset[str] = frozenset()
        self.link = self.world.network.attach(self.name)
        self._turn(None)

    def restart(self, *, cut: bool = False) -> None:
        """Stop and start; with `cut` the power goes, and what was not durable is lost."""
        if cut:
            self.link.drop()
            self.store = self.store.survivors()
        else:
            self.link.close()
            self.store.apply(())
        self.start()

    def pump(self) -> bool:
        """Take one delivery in; False when there is none."""
        if self.dead:
            return False
        item = self.link.take()
        if item is None:
            return False
        now = self.world.now

        def take() -> None:
            if isinstance(item, Link):
                self.engine.linked(item, now)
            else:
                self.engine.receive(item, now)

        self._turn(take)
        return True

    def act(self, verb: Callable[[], None]) -> None:
        """Do a turn that no message caused."""
        self._turn(verb)

    def give(self, payload: bytes, topic: str, *, retained: bool = False) -> Event:
        """Hand one message straight to the engine; gives its verdict."""
        before = len(self.verdicts)
        self._turn(lambda: self.engine.receive(Delivery(topic, payload, retained), self.world.now))
        assert len(self.verdicts) == before + 1, "exactly one verdict a message"
        return self.verdicts[-1]

    @property
    def verdicts(self) -> list[Event]:
        """The verdict events so far."""
        return [event for event in self.events if event.name == "verdict"]

    def _turn(self, verb: Callable[[], None] | None) -> None:
        if self.dead:
            return
        if verb is not None:
            verb()
        try:
            self._keep(self.engine.writes())
        except StoreError:
            self.dead = True  # nothing leaves after a commit that failed
            return
        self.engine.committed()
        for parcel in self.engine.outbox():
            self.link.publish(parcel)
        while (event := self.engine.next_event()) is not None:
            self.events.append(event)
        filters, again = self.engine.filters(), self.engine.again()
        if filters != self._heard or again:
            self._heard = filters
            self.link.listen(filters, again)

    def _keep(self, rows: tuple[Write, ...]) -> None:
        if any(row.durable for row in rows):
            self.store.apply(rows)
        elif rows:
            self.store.behind(rows)


@dataclass
class AccessoryNode(Node):
    """An accessory in the world."""

    @property
    def accessory(self) -> AccessoryEngine:
        """The engine, as what it is."""
        assert isinstance(self.engine, AccessoryEngine)
        return self.engine

    @property
    def id(self) -> AccessoryId:
        """The accessory's id."""
        return self.accessory.id

    def inbox(self, payload: bytes, *, retained: bool = False) -> Event:
        """Hand a message to the inbox; gives its verdict."""
        return self.give(payload, self.world.topics.inbox(self.id), retained=retained)

    def state(self) -> bytes:
        """Everything that unauthenticated input must not change."""
        device = self.accessory.device
        member = device.member
        return repr(
            (
                device.standing,
                device.tries,
                device.paired,
                member and (member.log.version, member.log.head, member.log.digest(), member.log.only_owner),
                device.model.dump(),
                sorted(self.store.load("").items()),
            )
        ).encode()


class World:
    """A network, a clock and dice; nodes are added by name."""

    def __init__(self, seed: int = 1) -> None:
        self.random = SeededRandom(seed)
        self.clock = ManualClock(START)
        self.network = MemoryNetwork(self.random.child("network"))
        self.topics = Topics()
        self.memo = GoodSignatures()
        self.nodes: dict[str, Node] = {}

    @property
    def now(self) -> int:
        """The time, in ms."""
        return self.clock.now()

    def accessory(self, name: str, kind: str = "light", **config: object) -> AccessoryNode:
        """Add an accessory of a type."""
        policy = config.pop("policy", None) or Policy(
            hub_ms=TYPES[kind].sync_hub_ms, device_ms=TYPES[kind].sync_device_ms, strict=TYPES[kind].strict
        )
        settings = DeviceConfig(
            kind=TYPES[kind], setup_id="7K2P", policy=policy, durable_values=TYPES[kind].durable, **config
        )
        supplies = Supplies(self.random.child(name), Sticker(), self.memo)

        def build(rows: Mapping[str, bytes]) -> Engine:
            return AccessoryEngine(settings, supplies, rows, self.now)

        node = AccessoryNode(name, self, build)
        self.nodes[name] = node
        return node

    def add(self, name: str, build: Callable[[Mapping[str, bytes]], Engine]) -> Node:
        """Add any other engine."""
        node = Node(name, self, build)
        self.nodes[name] = node
        return node

    def settle(self) -> None:
        """Pump, one delivery a node and round, until nothing moves."""
        for _ in range(ROUNDS):
            moved = [node.pump() for node in self.nodes.values()]
            if True not in moved:
                return
        raise AssertionError("the world does not come to rest")

    def advance(self, ms: int) -> None:
        """Turn the clock, stopping at each deadline on the way, and settle."""
        end = self.now + ms
        for _ in range(ROUNDS):
            self.settle()
            due = [
                (deadline, name)
                for name, node in self.nodes.items()
                if not node.dead and (deadline := node.engine.deadline()) is not None and deadline <= end
            ]
            if not due:
                break
            deadline, name = min(due)
            self.clock.advance(max(0, deadline - self.now))
            node = self.nodes[name]
            node.act(lambda node=node: node.engine.tick(self.now))
        else:
            raise AssertionError("deadlines without end")
        self.clock.advance(end - self.now)
        self.settle()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish as somebody on the network."""
        self.network.inject(Parcel(topic, payload, retain))
