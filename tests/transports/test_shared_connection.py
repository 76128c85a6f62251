"""Many accessories on one connection: each hears its own, and none disturbs another."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from accessory_emu.protocol.ports import Delivery, Link, Parcel
from accessory_emu.transports import bounds
from accessory_emu.transports.broker import EmbeddedBroker
from accessory_emu.transports.broker_address import BrokerAddress
from accessory_emu.transports.broker_config import BrokerHooks
from accessory_emu.transports.mqtt import shared_connection
from accessory_emu.transports.outbox import Outbox
from accessory_emu.transports.shared_connection import Backoff, SharedConnection
from tests.transports.dice import SeededDice
from tests.transports.rigs import QUICK, Ear
from tests.transports.running import on_a_loop, port_of, running, until

UP, DOWN = Link(up=True), Link(up=False)


@asynccontextmanager
async def sharing(hooks: BrokerHooks | None = None) -> AsyncIterator[tuple[EmbeddedBroker, SharedConnection]]:
    """Give a broker and a connection to it."""
    async with running(hooks=hooks) as broker:
        address = BrokerAddress("127.0.0.1", port_of(broker))
        connection = shared_connection(address, "fleet", SeededDice(), patience=QUICK)
        await connection.ready(10)
        try:
            yield broker, connection
        finally:
            await connection.close()


async def ear(connection: SharedConnection, *filters: str, inbox: int = 100) -> Ear:
    """Give a share that listens."""
    listener = Ear(connection.share(inbox))
    await listener.transport.listen(filters)
    assert await listener.next() == UP
    return listener


@on_a_loop
async def test_each_share_hears_what_it_listens_to_and_no_more() -> None:
    async with sharing() as (broker, connection):
        one = await ear(connection, "a/1/in", "home/#")
        two = await ear(connection, "a/2/in", "home/#", "+/2/in")
        for topic in ("a/1/in", "a/2/in", "home/log"):
            await one.transport.send(Parcel(topic, topic.encode()))
        assert [item.topic for item in await one.messages(2)] == ["a/1/in", "home/log"]
        assert [item.topic for item in await two.messages(2)] == ["a/2/in", "home/log"]
        assert broker.counters["connected"] == 1


@on_a_loop
async def test_retained_messages_go_to_the_share_that_asks_and_not_to_the_others() -> None:
    async with sharing() as (broker, connection):
        broker.publish(Parcel("home", b"old", retain=True))
        one = await ear(connection, "home")
        assert await one.messages(1) == [Delivery("home", b"old", retained=True)]
        two, three = await ear(connection, "home"), await ear(connection, "home")
        for late in (two, three):
            assert Delivery("home", b"old", retained=True) in await late.messages(1)
        broker.publish(Parcel("home", b"live"))
        for listener in (one, two, three):
            assert len(await listener.until(b"live")) <= 1  # once more for who asked last but one
        await one.transport.listen(["home"], again=["home"])
        assert await one.messages(1) == [Delivery("home", b"old", retained=True)]


@on_a_loop
async def test_a_share_that_leaves_ends_only_what_nobody_else_wants() -> None:
    async with sharing() as (broker, connection):
        one, two = await ear(connection, "both", "mine"), await ear(connection, "both", "other")
        await one.transport.close()
        await two.transport.listen(["both", "other", "fence"])
        for topic in ("mine", "both", "fence"):
            broker.publish(Parcel(topic, topic.encode()))
        assert [item.topic for item in await two.messages(2)] == ["both", "fence"]
        assert broker.counters["forwarded"] == 2
        with pytest.raises(StopAsyncIteration):
            await one.next()


@on_a_loop
async def test_a_share_that_does_not_read_loses_its_own_only() -> None:
    async with sharing() as (broker, connection):
        lazy, keen = await ear(connection, "a", inbox=3), await ear(connection, "a")
        for number in range(20):
            broker.publish(Parcel("a", bytes((number,))))
        assert len(await keen.messages(20)) == 20
        assert [item.payload[0] for item in await lazy.messages(3)] == [17, 18, 19]


@on_a_loop
async def test_a_refused_filter_takes_down_only_its_own_share() -> None:
    hooks = BrokerHooks(may_subscribe=lambda _id, topic_filter: topic_filter != "shut")
    async with sharing(hooks) as (broker, connection):
        good, bad = await ear(connection, "open"), Ear(connection.share())
        await bad.transport.listen(["open", "shut"])
        broker.publish(Parcel("open", b"x"))
        for listener in (good, bad):
            assert await listener.next() == Delivery("open", b"x")
        assert connection.refused == {"shut"}
        for wish in (["open", "more"], ["open"], ["open", "more"]):
            await good.transport.listen(wish)
        hooks.may_subscribe = None
        assert await bad.next() == UP
        assert connection.refused == frozenset()


@on_a_loop
async def test_a_fleet_comes_up_and_comes_back() -> None:
    async with sharing() as (broker, connection):
        shares = [Ear(connection.share()) for _ in range(300)]
        wishes = [[f"a/{number}/in", f"a/{number}/pair/+", "home"] for number in range(300)]
        pairs = zip(shares, wishes, strict=True)
        await asyncio.gather(*(one.transport.listen(wish) for one, wish in pairs))
        for cut in (True, False):
            for one in shares:
                assert await one.next() == UP
            broker.publish(Parcel("home", b"x"))
            for one in shares:
                assert await one.next() == Delivery("home", b"x")
            if cut:
                assert broker.cut("fleet")
                for one in shares:
                    assert await one.next() == DOWN


@on_a_loop
async def test_a_filter_that_changes_its_mind_while_the_broker_thinks_is_settled_right() -> None:
    async with sharing() as (broker, connection):
        one = await ear(connection, "a")
        wishes = (["a", "b"], ["a"], ["b"], ["a", "b"], ["b"])
        await asyncio.gather(*(one.transport.listen(wish) for wish in wishes))
        await until(lambda: connection.connected)
        await one.transport.listen(["b", "fence"])
        for topic in ("a", "b", "fence"):
            broker.publish(Parcel(topic, topic.encode()))
        assert [item.topic for item in await one.messages(2)] == ["b", "fence"]


@on_a_loop
async def test_a_closed_connection_gives_nothing_more() -> None:
    async with sharing() as (_, connection):
        one = await ear(connection, "a")
        await connection.close()
        await connection.close()
        with pytest.raises(StopAsyncIteration):
            await one.next()
        share = connection.share()
        await share.listen(["a"])
        await share.send(Parcel("a", b"x"))
        assert share.unsent == 1
        await share.close()


class MuteWire:
    """A wire that takes parcels, and is never heard of again."""

    window = 2

    def __init__(self) -> None:
        self.taken: list[Parcel] = []
        self.full = False

    def publish(self, parcel: Parcel) -> int | None:
        """Take a parcel."""
        if self.full:
            return None
        self.taken.append(parcel)
        return len(self.taken)


class CountingShare:
    """What an outbox knows of a share."""

    def __init__(self) -> None:
        self.ends: list[bool] = []

    def done(self, *, sent: bool) -> None:
        """Note the end of a parcel."""
        self.ends.append(sent)


@on_a_loop
async def test_the_outbox_is_bounded_and_loses_no_count() -> None:
    outbox, wire, share = Outbox(Counter(), 60), MuteWire(), CountingShare()
    outbox.post(share, Parcel("a", b"before the wire"))  # waits
    outbox.open(wire)  # type: ignore[arg-type] # the half of a wire that an outbox uses
    for number in range(bounds.WINDOW + 5):
        outbox.post(share, Parcel("a", number.to_bytes(4)))
    assert [parcel.payload for parcel in wire.taken] == [b"before the wire", bytes(4)]
    refused = share.ends.count(False)
    assert refused == bounds.WINDOW + 6 - len(wire.taken) - bounds.WINDOW
    outbox.acknowledged(1, refused=False)
    outbox.acknowledged(1, refused=False)
    outbox.acknowledged(77, refused=False)
    assert len(wire.taken) == 3
    wire.full = True
    outbox.acknowledged(2, refused=True)
    outbox.close()
    assert len(share.ends) == bounds.WINDOW + 6
    assert share.ends.count(True) == 1


def test_pauses_grow_to_a_limit_and_are_drawn() -> None:
    backoff = Backoff(SeededDice(), 1, 8)
    for _ in range(2):
        pauses = [backoff.pause_s() for _ in range(6)]
        for pause, base in zip(pauses, (1, 2, 4, 8, 8, 8), strict=True):
            assert base / 2 <= pause < base * 1.5
        assert len(set(pauses)) == 6
        backoff.reset()
