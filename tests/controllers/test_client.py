"""The client: several actors on one connection, answers awaited, and a clean end whatever happens."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

import pytest

from accessory_emu.accessory.catalogue import TYPES
from accessory_emu.accessory.device import DeviceConfig, Supplies
from accessory_emu.accessory.engine import AccessoryEngine
from accessory_emu.protocol.identifiers import AccessoryId
from accessory_emu.protocol.membership.freshness import Policy
from accessory_emu.protocol.membership.grant import RESIDENT_TERMS
from accessory_emu.protocol.messages import Op
from accessory_emu.protocol.ports import Event, Parcel
from accessory_emu.protocol.topics import Topics
from accessory_emu.runtime.clock import SeededRandom, SystemClock
from accessory_emu.runtime.driver import Driver
from accessory_emu.storage.base import StoreError
from accessory_emu.storage.memory import MemoryStore
from accessory_emu.transports.memory import MemoryNetwork, MemoryTransport
from controllers import (
    Accepted,
    ChangeState,
    Client,
    Manner,
    Member,
    Owner,
    RowState,
    Sequencer,
    Silent,
    Step,
)
from controllers.errors import Code, ControllerError
from tests.controllers.village import key, person
from tests.world import CODE, Sticker

QUICK = Manner(wait=50)


@dataclass
class Flat:
    """A network with accessories that run by themselves."""

    network: MemoryNetwork = field(default_factory=lambda: MemoryNetwork(SeededRandom(7)))
    clock: SystemClock = field(default_factory=SystemClock)
    random: SeededRandom = field(default_factory=lambda: SeededRandom(8))
    topics: Topics = field(default_factory=Topics)
    running: list[asyncio.Task[None]] = field(default_factory=list)
    transports: list[MemoryTransport] = field(default_factory=list)

    async def accessory(self, name: str, kind: str = "light") -> AccessoryId:
        """Start an accessory."""
        config = DeviceConfig(TYPES[kind], "7K2P", Policy(strict=TYPES[kind].strict))
        supplies = Supplies(self.random.child(name), Sticker())
        engine = AccessoryEngine(config, supplies, {}, self.clock.now())
        transport = MemoryTransport(self.network.attach(name))
        driver = Driver(
            engine,
            transport=transport,
            store=MemoryStore(),
            prefix=name,
            clock=self.clock,
            report=lambda _event, _now: None,
        )
        await driver.start()
        self.transports.append(transport)
        self.running.append(asyncio.create_task(driver.run()))
        return engine.id

    def client(self, name: str, store: MemoryStore | None = None, **more: object) -> Client:
        """Connect somebody."""
        transport = MemoryTransport(self.network.attach(name))
        return Client(transport=transport, store=store or MemoryStore(), clock=self.clock, **more)  # type: ignore[arg-type]

    def owner(self, store: MemoryStore) -> Owner:
        """Make the owner from what a store holds."""
        rows = {name.removeprefix("olga/"): row for name, row in store.load("olga/").items()}
        return Owner(person("olga"), self.topics, self.random.child("olga"), rows)

    def sequencer(self, store: MemoryStore) -> Sequencer:
        """Make the sequencer from what a store holds."""
        rows = {name.removeprefix("seq/"): row for name, row in store.load("seq/").items()}
        return Sequencer(key("sequencer"), self.topics, self.random.child("seq"), rows)

    async def found(self, client: Client, store: MemoryStore) -> tuple[Owner, Sequencer]:
        """Found a home: owner and sequencer on one client."""
        owner = self.owner(store)
        await client.add("olga/", owner)
        genesis = await client.act(owner, lambda now: owner.create_home(key("sequencer").public, now))
        random = self.random.child("seq")
        sequencer = Sequencer.found(key("sequencer"), self.topics, random, genesis, self.clock.now())
        await client.add("seq/", sequencer)
        return owner, sequencer

    async def stop(self) -> None:
        """Stop the accessories."""
        for transport in self.transports:
            await transport.close()
        await asyncio.gather(*self.running)


def play(scene: Callable[[Flat], Awaitable[None]]) -> None:
    """Run a scene to its end."""

    async def run() -> None:
        flat = Flat()
        try:
            await asyncio.wait_for(scene(flat), 20)
        finally:
            await flat.stop()

    asyncio.run(run())


async def _a_whole_life(flat: Flat) -> None:
    lamp, lock = await flat.accessory("lamp"), await flat.accessory("lock", "lock")
    store = MemoryStore()
    async with flat.client("olga", store) as client, flat.client("rosa") as other:
        owner, sequencer = await flat.found(client, store)
        for each in (lamp, lock):
            pairing = await client.pair(owner, each, CODE)
            assert pairing.step is Step.DONE, pairing.failure
        invitation = owner.invite(RESIDENT_TERMS, flat.clock.now())
        rosa = Member(person("rosa"), flat.topics, flat.random.child("rosa"), {}, invitation.trust)
        await other.add("rosa/", rosa)
        assert isinstance(await other.send(rosa, lamp, [(1, 10, True)], QUICK), Silent), "not yet a member"
        change = await client.change(
            owner, lambda now: owner.add_local(person("rosa"), RESIDENT_TERMS, now), wait=5_000
        )
        assert change.state is ChangeState.COMMITTED
        assert owner.view is not None
        assert {row.state for row in change.table.rows(owner.view, flat.clock.now())} == {RowState.COMMITTED}
        assert await other.ready(rosa, 5_000)
        assert isinstance(await other.send(rosa, lamp, [(1, 10, True)]), Accepted)
        read = await other.read(rosa, lamp, [(1, 10)])
        assert isinstance(read, Accepted)
        assert read.results == [[1, 10, 0, True]]
        assert await client.settle(owner, 5_000, sequencer)
        grant = owner.view.grant(key("rosa").kid)
        assert grant is not None
        await client.change(owner, lambda now: owner.remove_user(grant.root, now), wait=5_000)
        assert isinstance(await other.send(rosa, lamp, [(1, 10, False)], QUICK), Silent)
        act = await client.command(owner, lamp, Op.STATUS)
        assert isinstance(act.outcome, Accepted)
        outcome, ended = await client.release(owner, lamp)
        assert isinstance(outcome, Accepted)
        assert ended.state is ChangeState.COMMITTED
        assert set(owner.view.roster.keys) == {lock}


def test_from_founding_to_removal_with_owner_and_sequencer_on_one_connection() -> None:
    play(_a_whole_life)


async def _again(flat: Flat) -> None:
    lamp = await flat.accessory("lamp")
    store = MemoryStore()
    async with flat.client("olga", store) as client:
        owner, _ = await flat.found(client, store)
        await client.pair(owner, lamp, CODE)
    async with flat.client("olga", store) as client:
        owner, sequencer = flat.owner(store), flat.sequencer(store)
        await client.add("olga/", owner)
        await client.add("seq/", sequencer)
        assert await client.ready(owner, 5_000)
        assert await client.until(lambda: sequencer.may_sign, 5_000)
        assert isinstance(await client.send(owner, lamp, [(1, 10, True)]), Accepted)
        change = await client.change(owner, lambda now: owner.add_local(person("rosa"), RESIDENT_TERMS, now))
        assert change.state is ChangeState.COMMITTED


def test_both_go_on_from_their_rows() -> None:
    play(_again)


async def _late(flat: Flat) -> None:
    store = MemoryStore()
    async with flat.client("olga", store) as client:
        owner, _ = await flat.found(client, store)
        await client.until(lambda: owner.up)
        trust = owner.invite(RESIDENT_TERMS, flat.clock.now()).trust
        rosa = Member(person("rosa"), flat.topics, flat.random.child("rosa"), {}, trust)
        await client.until(lambda: flat.topics.head(trust.home) in flat.network.retained())
        await client.add("rosa/", rosa)
        assert await client.until(lambda: rosa.view is not None and rosa.view.ready, 5_000)
        assert rosa.up


def test_an_actor_that_joins_later_gets_the_retained_messages_that_others_have_had() -> None:
    play(_late)


async def _store_fails(flat: Flat) -> None:
    store = MemoryStore()
    async with flat.client("olga", store) as client:
        owner, sequencer = await flat.found(client, store)
        assert await client.until(lambda: owner.up and sequencer.may_sign, 5_000)
        await client.until(lambda: flat.topics.head(sequencer.view.home) in flat.network.retained(), 5_000)
        store._left = 0  # noqa: SLF001 - the power goes at the next row
        before = len(flat.network.traffic)
        with pytest.raises(StoreError):
            await client.change(owner, lambda now: owner.add_local(person("rosa"), RESIDENT_TERMS, now))
        sent = [each.topic for each in flat.network.traffic[before:]]
        assert sent == [flat.topics.hub_inbox(sequencer.view.home)], "nothing that speaks of the entry left"
        with pytest.raises(StoreError):
            await client.act(owner, lambda now: owner.write(AccessoryId(bytes(8)), [], now))
        with pytest.raises(StoreError):
            await client.until(lambda: False)


def test_a_commit_that_fails_ends_the_client() -> None:
    play(_store_fails)


async def _unhappy(flat: Flat) -> None:
    told: list[tuple[str, str]] = []

    def report(prefix: str, event: Event, _now: int) -> None:
        told.append((prefix, event.name))

    client = flat.client("olga", report=report)
    async with client:
        owner = flat.owner(MemoryStore())
        await client.add("olga/", owner)
        with pytest.raises(ControllerError) as failed:
            await client.change(owner, owner.leave)
        assert failed.value.code is Code.HOME_NOT_KNOWN
        assert not await client.until(lambda: False, 1)
        assert not await client.ready(owner, 1)
        assert not await client.settle(owner, 1)
        await client.act(owner, lambda now: owner.create_home(key("sequencer").public, now))
        assert await client.settle(owner, 1_000), "no accessory, nothing to wait for"
        waits = asyncio.create_task(client.until(lambda: False))
        await client.until(lambda: False, 1)
    with pytest.raises(StoreError):
        await waits
    assert ("olga/", "moved") in told
    await client.close()


def test_what_cannot_be_done_says_so_and_closing_ends_who_waits() -> None:
    play(_unhappy)


class SlowStore(MemoryStore):
    """A store whose next commit waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.go.set()

    async def commit(self, rows: object) -> None:
        """Keep the rows, once it may."""
        await self.go.wait()
        await super().commit(rows)  # type: ignore[arg-type]  # as it came


async def _cancelled(flat: Flat) -> None:
    store = SlowStore()
    async with flat.client("olga", store) as client:
        owner = flat.owner(store)
        await client.add("olga/", owner)
        store.go.clear()
        verb = asyncio.create_task(
            client.act(owner, lambda now: owner.create_home(key("sequencer").public, now))
        )
        await client.until(lambda: False, 5)
        verb.cancel()
        with pytest.raises(asyncio.CancelledError):
            await verb
        store.go.set()
        assert await client.until(lambda: bool(store.load("olga/trust")), 1_000)


def test_a_caller_that_is_cancelled_leaves_its_turn_whole() -> None:
    play(_cancelled)


class Deaf:
    """A transport that ends at once."""

    def deliveries(self) -> "Deaf":
        """Iterate over nothing."""
        return self

    def __aiter__(self) -> "Deaf":
        return self

    async def __anext__(self) -> object:
        raise StopAsyncIteration

    async def listen(self, filters: Collection[str], again: Collection[str] = ()) -> None:
        """Hear nothing."""

    async def send(self, parcel: Parcel) -> None:
        """Send nothing."""

    async def close(self) -> None:
        """Do nothing."""


async def _ends(flat: Flat) -> None:
    async with Client(transport=Deaf(), store=MemoryStore(), clock=flat.clock) as client:  # type: ignore[arg-type]
        with pytest.raises(StoreError, match="the transport has ended"):
            await client.until(lambda: False)


def test_a_transport_that_ends_ends_the_client() -> None:
    play(_ends)
