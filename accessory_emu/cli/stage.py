"""A whole home in one process: MQTT broker, accessories, people, and the trace that tells what happened."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from accessory_emu.cli.compose import Watched, unit_of
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.identifiers import AccessoryId
from accessory_emu.protocol.ports import Clock, Parcel
from accessory_emu.protocol.topics import Topics
from accessory_emu.runtime.clock import SeededRandom, SystemClock
from accessory_emu.runtime.config import HomeFile
from accessory_emu.runtime.fleet import Fleet
from accessory_emu.runtime.labels import Sticker, stickers
from accessory_emu.runtime.observe import Observer, TraceBuffer
from accessory_emu.runtime.trace_file import Trace
from accessory_emu.storage.memory import MemoryStore
from accessory_emu.transports.base import Transport
from accessory_emu.transports.broker import EmbeddedBroker
from accessory_emu.transports.broker_address import BrokerAddress
from accessory_emu.transports.broker_config import BrokerConfig, BrokerHooks
from accessory_emu.transports.mqtt import MqttTransport
from controllers.client import Client
from controllers.identity import Identity
from controllers.invitation import Trust, trust_in
from controllers.member import Member
from controllers.owner import Owner
from controllers.sequencer import Sequencer

_KEY_SIZE = 32


class Watch:
    """A sink of the trace that lets somebody wait for what it tells."""

    def __init__(self) -> None:
        self.buffer = TraceBuffer()
        self._news = asyncio.Event()

    def add(self, trace: Trace) -> None:
        """Take one record in."""
        self.buffer.add(trace)
        self._news.set()

    async def verdict_on(self, digest: str, accessory: str, since: int, within_s: float) -> Trace | None:
        """Wait for an accessory's verdict on certain bytes, among the records from `since` on."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    for trace in list(self.buffer)[since:]:
                        if trace.digest == digest and trace.accessory == accessory:
                            return trace
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None


@dataclass(slots=True)
class Person:
    """Somebody with a key, a connection of their own and a member's actor."""

    name: str
    member: Member
    client: Client


@dataclass(slots=True)
class Stage:
    """What is on the stage; made by `set_up`."""

    home: HomeFile
    seed: int
    clock: Clock
    random: SeededRandom
    topics: Topics
    broker: EmbeddedBroker
    hooks: BrokerHooks
    port: int
    fleet: Fleet
    labels: Mapping[str, Sticker]
    watch: Watch
    exits: AsyncExitStack
    people: dict[str, Person] = field(default_factory=dict)
    trust: Trust | None = None

    def id_of(self, accessory: str) -> AccessoryId:
        """Give the id of an accessory."""
        return self.fleet.engine(accessory).id

    def name_of(self, accessory: AccessoryId) -> str:
        """Give the name of an accessory."""
        return next(name for name, text in self.fleet.ids().items() if text == accessory.hex())

    def connect(self, client_id: str, will: Parcel | None = None) -> Transport:
        """Make a connection to the stage's MQTT broker."""
        return connection(self.port, client_id, self.random, will)

    async def _client(self, name: str) -> Client:
        client = Client(transport=self.connect(f"person-{name}"), store=MemoryStore(), clock=self.clock)
        return await self.exits.enter_async_context(client)

    def identity(self, name: str) -> Identity:
        """Give the test key of a person."""
        return Identity(name, SigningKey(self.random.child(f"person {name}").bytes(_KEY_SIZE)))

    async def owner(self, name: str) -> Owner:
        """Let the owner found the home, with a sequencer on the same device."""
        owner = Owner(self.identity(name), self.topics, self.random.child("owner"), {})
        key = SigningKey(self.random.child("sequencer").bytes(_KEY_SIZE))
        now = self.clock.now()
        genesis = owner.create_home(key.public, now)
        self.trust = trust_in(genesis)
        sequencer = Sequencer.found(key, self.topics, self.random.child("sequencing"), genesis, now)
        client = await self._client(name)
        await client.add("sequencer/", sequencer)
        await client.add("owner/", owner)
        self.people[name] = Person(name, owner, client)
        return owner

    async def person(self, name: str) -> Member:
        """Let somebody in who knows which home this is; whether anybody obeys them is another matter."""
        member = Member(self.identity(name), self.topics, self.random.child(f"member {name}"), {}, self.trust)
        client = await self._client(name)
        await client.add("member/", member)
        self.people[name] = Person(name, member, client)
        return member

    async def until_online(self, accessory: str, *, up: bool, within_s: float) -> bool:
        """Wait until the broker's retained hint says that an accessory is there, or away."""
        topic, wanted = self.topics.available(self.id_of(accessory)), b"online" if up else b"offline"
        probe = self.connect(f"probe-{accessory}-{up}")
        await probe.listen({topic})
        try:
            async with asyncio.timeout(within_s):
                async for item in probe.deliveries():
                    if getattr(item, "payload", None) == wanted:
                        return True
        except TimeoutError:
            pass
        finally:
            await probe.close()
        return False

    @classmethod
    @asynccontextmanager
    async def set_up(cls, home: HomeFile, seed: int, hooks: BrokerHooks | None = None) -> AsyncIterator[Self]:
        """Start broker and accessories on a free port; everything ends with the context."""
        hooks, random, clock, watch = hooks or BrokerHooks(), SeededRandom(seed), SystemClock(), Watch()
        broker = EmbeddedBroker(BrokerConfig(port=0), hooks)
        port, topics = await broker.start(), Topics()
        labels = stickers(home.accessories, {}, random.child("labels"))
        units = [unit_of(item, labels[item.id], topics) for item in home.accessories]

        def connect(client_id: str, will: Parcel) -> Transport:
            return connection(port, client_id, random, will)

        fleet = Fleet(
            units,
            store=MemoryStore(),
            connect=connect,
            clock=clock,
            random=random.child("fleet"),
            observer=Observer([watch]),
        )
        async with AsyncExitStack() as exits:
            exits.push_async_callback(broker.stop)
            exits.push_async_callback(fleet.stop)
            await fleet.start()
            yield cls(home, seed, clock, random, topics, broker, hooks, port, fleet, labels, watch, exits)


def connection(port: int, client_id: str, random: SeededRandom, will: Parcel | None) -> Transport:
    """Make a connection to an MQTT broker on this machine, whose end is never waited for without limit."""
    inner = MqttTransport(BrokerAddress("127.0.0.1", port), client_id, random.child(client_id), will=will)
    return Watched(inner, lambda _up: None)
