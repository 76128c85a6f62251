"""The embedded broker keeps MQTT's rules, in 3.1.1 and in 5."""

import pytest

from accessory_emu.protocol.ports import Parcel
from accessory_emu.transports.broker_config import BrokerConfig
from accessory_emu.transports.packet_values import (
    Connect,
    Hints,
    MqttReason,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Version,
    Will,
)
from tests.transports.running import on_a_loop, port_of, running
from tests.transports.wire import V5, V311, connected

BOTH = pytest.mark.parametrize("version", [V311, V5])


def named(client_id: str, version: Version, will: Will | None = None) -> Connect:
    return Connect(client_id, version, will=will)


def contents(messages: list[Publish]) -> list[tuple[str, bytes, bool]]:
    return [(message.topic, message.payload, message.retain) for message in messages]


# Retained messages (AE-MQ-020)


@BOTH
@on_a_loop
async def test_retained_messages_go_to_matching_filters_only_and_carry_the_flag(version: Version) -> None:
    async with running() as broker, connected(port_of(broker), named("a", version)) as client:
        for topic in ("a/1", "a/2", "b/1"):
            await client.publish(topic, topic.encode(), retain=True)
        await client.publish("a/1", b"newer", retain=True)
        await client.subscribe("a/+")
        got = sorted(contents(await client.messages()))
        assert got == [("a/1", b"newer", True), ("a/2", b"a/2", True)]


@BOTH
@on_a_loop
async def test_a_live_forward_of_a_retained_message_carries_no_flag(version: Version) -> None:
    async with running() as broker, connected(port_of(broker), named("a", version)) as client:
        await client.subscribe("#")
        await client.publish("a", b"x", retain=True)
        assert contents(await client.messages()) == [("a", b"x", False)]


@BOTH
@on_a_loop
async def test_an_empty_retained_message_clears_the_topic(version: Version) -> None:
    async with running() as broker, connected(port_of(broker), named("a", version)) as client:
        await client.publish("a", b"x", retain=True)
        await client.publish("a", b"", retain=True)
        await client.subscribe("#")
        assert await client.messages() == []
        assert broker.retained() == []


@BOTH
@on_a_loop
async def test_a_filter_that_is_subscribed_again_brings_the_retained_again(version: Version) -> None:
    async with running() as broker, connected(port_of(broker), named("a", version)) as client:
        await client.publish("a", b"x", retain=True)
        for _ in range(2):
            await client.subscribe("a")
            assert contents(await client.messages()) == [("a", b"x", True)]


@pytest.mark.parametrize(("handling", "first", "second"), [(0, 1, 1), (1, 1, 0), (2, 0, 0)])
@on_a_loop
async def test_retain_handling_says_when_retained_messages_come(
    handling: int, first: int, second: int
) -> None:
    async with running() as broker, connected(port_of(broker), "a") as client:
        await client.publish("a", b"x", retain=True)
        for count in (first, second):
            await client.subscribe(Subscription("a", retain_handling=handling))
            assert len(await client.messages()) == count


@on_a_loop
async def test_the_flag_stays_for_who_asks_for_it_as_published() -> None:
    async with running() as broker, connected(port_of(broker), "a") as client:
        await client.subscribe(Subscription("a", retain_as_published=True), Subscription("+"))
        await client.publish("a", b"x", retain=True)
        await client.publish("a", b"y")
        assert contents(await client.messages()) == [("a", b"x", True), ("a", b"y", False)]


@on_a_loop
async def test_ten_thousand_retained_messages_all_arrive() -> None:
    async with running() as broker, connected(port_of(broker), "a") as client:
        broker.retain(Parcel(f"a/{number}", b"x", retain=True) for number in range(10_000))
        await client.subscribe("a/#")
        got: set[str] = set()
        while len(got) < 10_000:
            message = await client.expect(Publish)
            assert isinstance(message, Publish)
            got.add(message.topic)
            client.send(PubAck(message.packet_id or 0))
        assert broker.counters["dropped"] == 0


# Delivery


@on_a_loop
async def test_many_messages_in_one_turn_of_the_loop_all_arrive() -> None:
    config = BrokerConfig(queue_messages=300)
    async with running(config) as broker, connected(port_of(broker), "a") as client:
        await client.subscribe(Subscription("a", 0))
        for number in range(1_000):
            broker.publish(Parcel("a", number.to_bytes(2)))
        got = [int.from_bytes(message.payload) for message in await client.messages()]
        assert got == list(range(1_000))


@BOTH
@on_a_loop
async def test_each_qos_is_delivered_at_most_as_granted_and_in_order(version: Version) -> None:
    async with running() as broker, connected(port_of(broker), named("a", version)) as client:
        asked = (Subscription("q/0", 0), Subscription("q/1", 1), Subscription("q/2", 2))
        assert await client.subscribe(*asked) == (0, 1, 1)
        for topic in ("q/0", "q/1", "q/2"):
            client.send(Publish(topic, b"0"), Publish(topic, b"1", 1, packet_id=7))
        for _ in range(3):
            assert isinstance(await client.expect(PubAck), PubAck)
        got = [(message.topic, message.payload, message.qos) for message in await client.messages()]
        assert got == [
            ("q/0", b"0", 0),
            ("q/0", b"1", 0),
            ("q/1", b"0", 0),
            ("q/1", b"1", 1),
            ("q/2", b"0", 0),
            ("q/2", b"1", 1),
        ]


@BOTH
@on_a_loop
async def test_a_qos_2_message_is_forwarded_once_until_it_is_released(version: Version) -> None:
    async with running() as broker, connected(port_of(broker), named("a", version)) as client:
        await client.subscribe("a")
        for duplicate in (False, True):
            client.send(Publish("a", b"x", 2, packet_id=9, duplicate=duplicate))
            assert await client.expect(PubRec) == PubRec(9)
            if not duplicate:
                assert len(await client.messages()) == 1
        client.send(PubRel(9))
        assert await client.expect(PubComp) == PubComp(9)
        assert await client.messages() == []
        client.send(Publish("a", b"x", 2, packet_id=9))
        assert await client.expect(PubRec) == PubRec(9)
        assert len(await client.messages()) == 1


@BOTH
@on_a_loop
async def test_a_release_of_nothing_is_answered(version: Version) -> None:
    async with running() as broker, connected(port_of(broker), named("a", version)) as client:
        client.send(PubRel(9))
        assert await client.expect(PubComp) == PubComp(
            9, MqttReason.PACKET_ID_NOT_FOUND if version is V5 else 0
        )


@BOTH
@on_a_loop
async def test_overlapping_filters_bring_one_copy_with_the_highest_qos(version: Version) -> None:
    async with running() as broker, connected(port_of(broker), named("a", version)) as client:
        await client.subscribe(Subscription("a/#", 0), Subscription("a/+", 1), Subscription("a/b", 0))
        await client.publish("a/b", b"x")
        assert [message.qos for message in await client.messages()] == [1]


@BOTH
@on_a_loop
async def test_what_is_unsubscribed_comes_no_more(version: Version) -> None:
    async with running() as broker, connected(port_of(broker), named("a", version)) as client:
        await client.subscribe("a", "a/#")
        client.send(Unsubscribe(5, ("a", "a/#", "never")))
        reasons = (0, 0, MqttReason.NO_SUBSCRIPTION_EXISTED) if version is V5 else ()
        assert await client.expect(UnsubAck) == UnsubAck(5, reasons)
        await client.publish("a", b"x")
        assert await client.messages() == []


@on_a_loop
async def test_no_local_spares_the_sender() -> None:
    async with (
        running() as broker,
        connected(port_of(broker), "a") as one,
        connected(port_of(broker), "b") as two,
    ):
        for client in (one, two):
            await client.subscribe(Subscription("a", no_local=True))
        await one.publish("a", b"x")
        assert await one.messages() == []
        assert len(await two.messages()) == 1


@on_a_loop
async def test_hints_travel_to_mqtt_5_and_stay_behind_on_3_1_1() -> None:
    hints = Hints(
        text=True,
        content_type="text/plain",
        response_topic="answer/here",
        correlation=b"42",
        user=(("a", "b"), ("a", "c")),
    )
    async with (
        running() as broker,
        connected(port_of(broker), "a") as new,
        connected(port_of(broker), named("b", V311)) as old,
    ):
        for client in (new, old):
            await client.subscribe("a")
        new.send(Publish("a", b"x", hints=hints))
        assert [message.hints for message in await new.messages()] == [hints]
        assert contents(await old.messages()) == [("a", b"x", False)]


@on_a_loop
async def test_a_message_that_expired_is_not_delivered_and_others_tell_the_time_left() -> None:
    async with running() as broker, connected(port_of(broker), "a") as client:
        client.send(Publish("a", b"gone", retain=True, hints=Hints(expiry_s=0)))
        client.send(Publish("b", b"here", retain=True, hints=Hints(expiry_s=100)))
        await client.subscribe("#")
        (message,) = await client.messages()
        assert message.payload == b"here"
        assert message.hints.expiry_s in range(90, 101)
        assert [parcel.topic for parcel in broker.retained()] == ["b"]


@on_a_loop
async def test_an_expired_message_leaves_the_queue_silently() -> None:
    async with running() as broker, connected(port_of(broker), "a") as client:
        await client.subscribe("a")
        client.send(Publish("a", b"gone", hints=Hints(expiry_s=0)), Publish("a", b"here"))
        assert [message.payload for message in await client.messages()] == [b"here"]
        assert broker.counters["expired"] == 1


@on_a_loop
async def test_a_client_gets_no_larger_packet_than_it_takes() -> None:
    async with running() as broker, connected(port_of(broker), Connect("a", V5, max_packet=100)) as client:
        await client.subscribe("a")
        for size in (94, 91, 92):
            client.send(Publish("a", bytes(size)), Publish("a", bytes(size - 1), 1, packet_id=1))
            await client.expect(PubAck)
        assert [len(message.payload) for message in await client.messages()] == [94, 91, 90, 92, 91]
        assert broker.counters["oversize"] == 1


@on_a_loop
async def test_a_client_with_receive_maximum_1_has_one_open_message() -> None:
    async with running() as broker, connected(port_of(broker), Connect("a", V5, receive_max=1)) as client:
        await client.subscribe("a")
        for number in range(3):
            client.send(Publish("a", bytes((number,)), 1, packet_id=1))
        for _ in range(3):
            await client.expect(PubAck)
        for number in range(3):
            (message,) = await client.messages()
            assert message.payload == bytes((number,))


@BOTH
@on_a_loop
async def test_large_payloads_pass_whole(version: Version) -> None:
    async with running() as broker, connected(port_of(broker), named("a", version)) as client:
        await client.subscribe("a")
        payload = bytes(range(256)) * 2_048
        await client.publish("a", payload)
        assert [message.payload for message in await client.messages()] == [payload]
