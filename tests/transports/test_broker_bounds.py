"""Whatever a client sends or fails to read, the embedded broker stays small and others are undisturbed."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accessory_emu.protocol.ports import Parcel
from accessory_emu.transports import packets
from accessory_emu.transports.broker_config import BrokerConfig, BrokerHooks
from accessory_emu.transports.broker_connection import BrokerConnection
from accessory_emu.transports.broker_core import BrokerCore
from accessory_emu.transports.packet_values import (
    ConnAck,
    Connect,
    Disconnect,
    MqttReason,
    Packet,
    PingReq,
    Publish,
    PubRec,
    PubRel,
    Subscribe,
    Subscription,
    Unsubscribe,
    Version,
    Will,
)
from tests.transports.running import on_a_loop, port_of, running, until
from tests.transports.wire import V5, V311, WireClient, connected, opened

BOTH = pytest.mark.parametrize("version", [V311, V5])


async def undisturbed(bystander: WireClient) -> None:
    """See that the bystander still gets its messages."""
    await bystander.publish("calm", b"x")
    assert [message.payload for message in await bystander.messages()] == [b"x"]


MALFORMED = {
    "a packet type that does not exist": ("0000", MqttReason.MALFORMED_PACKET),
    "a text that is not UTF-8": ("30050001ff0000", MqttReason.MALFORMED_PACKET),
    "a length without end": ("30ffffffffff", MqttReason.MALFORMED_PACKET),
    "a packet of 2 MiB": ("30808080010001", MqttReason.PACKET_TOO_LARGE),
    "a topic with a wildcard": ("3004 0001 23 00", MqttReason.TOPIC_NAME_INVALID),
    "a topic of 200 levels": (f"30cb01 00c8 {'2f' * 200} 00", MqttReason.TOPIC_NAME_INVALID),
    "a packet id of 0": ("3206 0001 61 0000 00", MqttReason.MALFORMED_PACKET),
}


@BOTH
@pytest.mark.parametrize(("wire", "reason"), MALFORMED.values(), ids=MALFORMED)
@on_a_loop
async def test_a_malformed_packet_ends_its_own_connection_only(
    version: Version, wire: str, reason: MqttReason
) -> None:
    frame = bytes.fromhex(wire)
    if version is V311 and reason is MqttReason.TOPIC_NAME_INVALID:
        frame = frame[:1] + bytes((frame[1] - 1,)) + frame[2:-1]  # without the length of properties
    async with running() as broker, connected(port_of(broker), "calm") as bystander:
        await bystander.subscribe("calm")
        async with connected(port_of(broker), Connect("wild", version)) as client:
            client.writer.write(frame)
            if version is V5:
                assert await client.expect(Disconnect) == Disconnect(reason)
            assert await client.read() is None
        await undisturbed(bystander)


FIRST = {
    "not MQTT": (b"GET / HTTP/1.1\r\n\r\n", False),
    "no CONNECT": (packets.write(PingReq(), V5), False),
    "MQTT 3.1": (bytes.fromhex("1011 00064d5149736470 03 02 000a 0003616263"), True),
    "MQTT 6": (bytes.fromhex("100f 00044d515454 06 02 000a 0003616263"), True),
    "a will to a wildcard": (bytes.fromhex("1013 00044d515454 04 06 000a 0001 61 0001 23 0001 78"), True),
}


@pytest.mark.parametrize(("wire", "answered"), FIRST.values(), ids=FIRST)
@on_a_loop
async def test_who_begins_wrongly_is_not_let_in(wire: bytes, answered: bool) -> None:  # noqa: FBT001 - a case
    async with running() as broker, opened(port_of(broker), V311) as client:
        client.writer.write(wire)
        if answered:
            answer = await client.expect(ConnAck)
            assert isinstance(answer, ConnAck)
            assert answer.reason >= MqttReason.UNSPECIFIED_ERROR
        assert await client.read() is None
        assert broker.counters["connected"] == 0


@on_a_loop
async def test_who_says_nothing_is_let_go() -> None:
    async with running(BrokerConfig(connect_within_s=0.05)) as broker, opened(port_of(broker)) as client:
        assert await client.read() is None
        assert broker.counters["silent"] == 1


@on_a_loop
async def test_a_packet_in_slices_of_one_byte_is_read() -> None:
    async with running() as broker, opened(port_of(broker)) as client:
        for value in (Connect("a", V5), PingReq()):
            for byte in packets.write(value, V5):
                client.writer.write(bytes((byte,)))
                await client.writer.drain()
        assert isinstance(await client.expect(ConnAck), ConnAck)
        assert await client.messages() == []


@on_a_loop
async def test_one_connection_too_many_is_cut() -> None:
    async with running(BrokerConfig(connections=2)) as broker:
        async with connected(port_of(broker), "a") as first, connected(port_of(broker), "b") as second:
            async with opened(port_of(broker)) as third:
                with suppress(ConnectionResetError):
                    assert await third.read() is None
            for client in (first, second):
                assert await client.messages() == []
        await until(lambda: not broker.is_connected("a"))
        async with connected(port_of(broker), "c") as client:
            assert await client.messages() == []


@on_a_loop
async def test_a_client_has_so_many_subscriptions_and_no_more() -> None:
    async with running(BrokerConfig(subscriptions=2)) as broker, connected(port_of(broker), "a") as client:
        assert await client.subscribe("a", "b", "c", "a") == (1, 1, MqttReason.QUOTA_EXCEEDED, 1)


@on_a_loop
async def test_retained_messages_are_bounded_by_number_and_size() -> None:
    config = BrokerConfig(retained=3, retained_bytes=100)
    async with running(config) as broker, connected(port_of(broker), "a") as client:
        for topic, size in (("a", 10), ("b", 80), ("c", 10), ("d", 1), ("b", 5), ("e", 1), ("d", 1)):
            await client.publish(topic, bytes(size), retain=True)
        assert [(parcel.topic, len(parcel.payload)) for parcel in broker.retained()] == [
            ("a", 10),
            ("b", 5),
            ("d", 1),
        ]
        assert broker.counters["retained_refused"] == 2


@on_a_loop
async def test_a_replacement_that_does_not_fit_takes_the_old_value_away() -> None:
    async with running(BrokerConfig(retained_bytes=100)) as broker, connected(port_of(broker), "a") as client:
        await client.publish("a", bytes(10), retain=True)
        await client.publish("a", bytes(100), retain=True)
        assert broker.retained() == []
        assert broker.counters["retained_lost"] == 1


@BOTH
@on_a_loop
async def test_messages_of_qos_2_that_are_never_released_are_bounded(version: Version) -> None:
    config, asked = BrokerConfig(in_flight=2), Connect("a", version)
    async with running(config) as broker, connected(port_of(broker), asked) as client:
        for packet_id in (1, 2):
            client.send(Publish("a", b"", 2, packet_id=packet_id))
            assert await client.expect(PubRec) == PubRec(packet_id)
        client.send(Publish("a", b"", 2, packet_id=3))
        if version is V5:
            assert await client.expect(Disconnect) == Disconnect(MqttReason.RECEIVE_MAX_EXCEEDED)
        assert await client.read() is None


@on_a_loop
async def test_a_slow_reader_loses_the_oldest_and_disturbs_nobody() -> None:
    config = BrokerConfig(queue_messages=50)
    async with (
        running(config) as broker,
        connected(port_of(broker), "slow") as slow,
        connected(port_of(broker), "calm") as bystander,
    ):
        await slow.subscribe(Subscription("flood", 0))
        await bystander.subscribe("calm")
        number = 0
        while not broker.counters["dropped"]:
            for _ in range(100):
                bystander.send(Publish("flood", number.to_bytes(4) + bytes(50_000)))
                number += 1
            await undisturbed(bystander)
        got = [-1]
        while got[-1] < number - 1:
            message = await slow.expect(Publish)
            assert isinstance(message, Publish)
            assert got[-1] < int.from_bytes(message.payload[:4])
            got.append(int.from_bytes(message.payload[:4]))
        assert len(got) - 1 == number - broker.counters["dropped"]


@on_a_loop
async def test_a_queue_is_bounded_in_bytes_too() -> None:
    keep = Connect("keep", V5, clean_start=False, session_expiry=100)
    async with running(BrokerConfig(queue_bytes=1_000)) as broker:
        async with connected(port_of(broker), keep) as client:
            await client.subscribe("a")
            client.send(Disconnect())
            assert await client.read() is None
        for size in (400, 401, 402, 5_000, 403, 404):
            broker.publish(Parcel("a", bytes(size)))
        async with connected(port_of(broker), keep) as client:
            assert [len(message.payload) for message in await client.messages()] == [403, 404]
        assert broker.counters["dropped"] == 4


@on_a_loop
async def test_who_never_acknowledges_is_not_given_more() -> None:
    config = BrokerConfig(in_flight=3, queue_messages=5)
    async with running(config) as broker, connected(port_of(broker), "a") as client:
        await client.subscribe("a")
        for number in range(8):
            broker.publish(Parcel("a", bytes((number,))))
        for numbers in (b"\3\4\5", b"\6\7"):  # `messages` acknowledges once the broker has said all it will
            got = await client.messages()
            assert b"".join(message.payload for message in got) == numbers


class StuckTransport(asyncio.Transport):
    """A socket whose other side reads nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep the bytes waiting."""
        self.waiting += len(data)

    def get_write_buffer_size(self) -> int:
        """Tell how many wait."""
        return self.waiting

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Take any limit."""

    def is_closing(self) -> bool:
        """Tell whether the broker gave up."""
        return self.aborted

    def close(self) -> None:
        """Wait for bytes that nobody takes."""

    def abort(self) -> None:
        """Give up."""
        self.aborted = True


@on_a_loop
async def test_who_sends_without_reading_is_cut_off() -> None:
    config, counters = BrokerConfig(backlog_bytes=10_000), Counter[str]()
    connection = BrokerConnection(BrokerCore(config, BrokerHooks(), counters), set())
    stuck = StuckTransport()
    connection.connection_made(stuck)
    connection.data_received(packets.write(Connect("a", V5), V5))
    for _ in range(2 * config.backlog_bytes):
        connection.data_received(packets.write(PingReq(), V5))
        connection.pump()
        if stuck.aborted:
            break
    assert stuck.aborted
    assert counters["too_slow"] == 1
    assert stuck.waiting < config.backlog_bytes + 100
    connection.connection_lost(None)


STEPS: list[Packet] = [
    Subscribe(3, (Subscription("#"),)),
    Unsubscribe(4, ("#",)),
    Publish("a", b"x", 1, packet_id=5),
    Publish("a", b"x", 2, packet_id=6),
    PubRel(6),
    PingReq(),
    Disconnect(),
]


async def play(port: int, version: Version, *, greet: bool, steps: list[bytes | Packet]) -> None:
    """Send this and hang up; the broker closes too, having answered in MQTT or not at all."""
    async with opened(port, version) as client:
        if greet:
            client.send(Connect("wild", version, will=Will("will", b"x")))
        for step in steps:
            client.writer.write(step if isinstance(step, bytes) else packets.write(step, version))
        client.writer.write_eof()
        with suppress(ConnectionResetError):
            while await client.read() is not None:
                continue


def test_arbitrary_bytes_at_a_socket_end_in_a_close_and_disturb_nobody() -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        broker = runner.run(stack.enter_async_context(running()))
        bystander = runner.run(stack.enter_async_context(connected(port_of(broker), "calm")))
        runner.run(bystander.subscribe("calm"))

        @settings(max_examples=150, deadline=None)
        @given(
            st.sampled_from([V311, V5]),
            st.booleans(),
            st.lists(st.binary(max_size=40) | st.sampled_from(STEPS), max_size=6),
        )
        def attempt(version: Version, greet: bool, steps: list[bytes | Packet]) -> None:  # noqa: FBT001 - drawn
            runner.run(play(port_of(broker), version, greet=greet, steps=steps))
            runner.run(undisturbed(bystander))

        attempt()
        assert broker.counters["malformed"]
        runner.run(stack.aclose())
