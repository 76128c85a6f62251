"""Clients of the embedded broker come and go: wills, take-over, sessions, refusals; and the broker itself."""

from collections.abc import Awaitable, Callable

import pytest

from accessory_emu.protocol.ports import Parcel
from accessory_emu.transports import packets
from accessory_emu.transports.broker import EmbeddedBroker
from accessory_emu.transports.broker_config import BrokerConfig, CannotListen, PortInUse
from accessory_emu.transports.packet_values import (
    NEVER_EXPIRES,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    MqttReason,
    Packet,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    Subscription,
    Version,
    Will,
)
from accessory_emu.transports.topic_filters import TopicError
from tests.transports.running import on_a_loop, port_of, running, until
from tests.transports.wire import V5, V311, WireClient, connected, opened

BOTH = pytest.mark.parametrize("version", [V311, V5])


def named(client_id: str, version: Version, will: Will | None = None) -> Connect:
    return Connect(client_id, version, will=will)


def contents(messages: list[Publish]) -> list[tuple[str, bytes, bool]]:
    return [(message.topic, message.payload, message.retain) for message in messages]


# Wills (AE-MQ-021) and take-over (AE-MQ-022)


async def break_a_rule(client: WireClient, _broker: EmbeddedBroker) -> None:
    client.send(named("dying", client.version))


async def hang_up(client: WireClient, _broker: EmbeddedBroker) -> None:
    client.writer.close()


async def get_cut(client: WireClient, broker: EmbeddedBroker) -> None:
    assert broker.cut("dying")
    assert await client.read() is None


async def be_replaced(_client: WireClient, broker: EmbeddedBroker) -> None:
    async with connected(port_of(broker), named("dying", V5)) as heir:
        heir.send(Disconnect())
        assert await heir.read() is None


async def leave(client: WireClient, _broker: EmbeddedBroker) -> None:
    client.send(Disconnect())
    assert await client.read() is None


async def send_garbage(client: WireClient, _broker: EmbeddedBroker) -> None:
    client.writer.write(bytes(64))


End = Callable[[WireClient, EmbeddedBroker], Awaitable[None]]
ENDS: dict[str, tuple[End, int]] = {
    "a rule broken": (break_a_rule, 1),
    "a socket closed": (hang_up, 1),
    "a connection cut": (get_cut, 1),
    "a take-over": (be_replaced, 1),
    "garbage": (send_garbage, 1),
    "a clean disconnect": (leave, 0),
}


@BOTH
@pytest.mark.parametrize(("end", "wills"), ENDS.values(), ids=ENDS)
@on_a_loop
async def test_a_will_is_published_when_a_client_goes_without_a_word(
    version: Version, end: End, wills: int
) -> None:
    will = Will("will", b"gone", 1, retain=True)
    async with running() as broker, connected(port_of(broker), "witness") as witness:
        await witness.subscribe("will")
        async with connected(port_of(broker), named("dying", version, will)) as client:
            await end(client, broker)
            await until(lambda: not broker.is_connected("dying"))
        assert contents(await witness.messages()) == [("will", b"gone", False)] * wills
        assert len(broker.retained()) == broker.counters["wills"] == wills


@on_a_loop
async def test_mqtt_5_may_ask_for_the_will_when_it_disconnects() -> None:
    async with running() as broker, connected(port_of(broker), named("a", V5, Will("will", b"x"))) as client:
        client.send(Disconnect(MqttReason.DISCONNECT_WITH_WILL))
        assert await client.read() is None
        assert broker.counters["wills"] == 1


@BOTH
@on_a_loop
async def test_a_client_that_falls_silent_is_given_up(version: Version) -> None:
    asked = Connect("a", version, keep_alive=1, will=Will("will", b"x"))
    async with running() as broker, connected(port_of(broker), asked) as client:
        for _ in range(100):  # pings, so that the first look finds a sign of life
            assert await client.messages() == []
        if version is V5:
            assert await client.expect(Disconnect) == Disconnect(MqttReason.KEEP_ALIVE_TIMEOUT)
        assert await client.read() is None
        assert broker.counters["silent"] == broker.counters["wills"] == 1


@on_a_loop
async def test_a_late_will_waits_for_the_client_to_come_back() -> None:
    asked = Connect("a", V5, will=Will("will", b"x", delay_s=100), session_expiry=1_000)
    async with running() as broker:
        for resumed in (False, True):
            async with connected(port_of(broker), asked) as client:
                assert client.answer.session_present is False or resumed
            await until(lambda: not broker.is_connected("a"))
            assert broker.counters["wills"] == 0
            async with connected(port_of(broker), Connect("a", V5, clean_start=not resumed)) as client:
                client.send(Disconnect())
                assert await client.read() is None
            assert broker.counters["wills"] == (0 if resumed else 1)
            broker.counters.clear()


@on_a_loop
async def test_a_late_will_is_published_in_the_end() -> None:
    asked = Connect("a", V5, will=Will("will", b"x", delay_s=100), session_expiry=1)
    async with running() as broker:
        async with connected(port_of(broker), asked):
            pass
        await until(lambda: broker.counters["wills"] == 1)
        async with connected(port_of(broker), Connect("a", V5, clean_start=False)) as client:
            assert not client.answer.session_present


@BOTH
@on_a_loop
async def test_a_client_id_belongs_to_the_newest_connection(version: Version) -> None:
    async with running() as broker, connected(port_of(broker), named("same", version)) as old:
        async with connected(port_of(broker), named("same", V5)) as new:
            if version is V5:
                assert await old.expect(Disconnect) == Disconnect(MqttReason.SESSION_TAKEN_OVER)
            assert await old.read() is None
            assert await new.messages() == []
        assert broker.counters["takeovers"] == 1


# Sessions

KEEP = {
    V311: Connect("keep", V311, clean_start=False, session_expiry=NEVER_EXPIRES),
    V5: Connect("keep", V5, clean_start=False, session_expiry=100),
}


@BOTH
@on_a_loop
async def test_a_kept_session_holds_qos_1_for_its_client(version: Version) -> None:
    async with running() as broker, connected(port_of(broker), "b") as other:
        async with connected(port_of(broker), KEEP[version]) as client:
            assert not client.answer.session_present
            await client.subscribe("a")
            client.send(Disconnect())
            assert await client.read() is None
        other.send(Publish("a", b"lost"))
        for payload in (b"1", b"2"):
            await other.publish("a", payload)
        async with connected(port_of(broker), KEEP[version]) as client:
            assert client.answer.session_present
            assert [message.payload for message in await client.messages()] == [b"1", b"2"]
        async with connected(port_of(broker), named("keep", version)) as client:
            assert not client.answer.session_present
            await client.publish("a", b"x")
            assert await client.messages() == []


@BOTH
@on_a_loop
async def test_what_was_not_acknowledged_comes_again_with_dup(version: Version) -> None:
    async with running() as broker:
        async with connected(port_of(broker), KEEP[version]) as client:
            await client.subscribe("a")
            for number in range(3):
                await client.publish("a", bytes((number,)))
                message = await client.expect(Publish)
                assert isinstance(message, Publish)
                if number == 1:
                    client.send(PubAck(message.packet_id or 0))
        async with connected(port_of(broker), KEEP[version]) as client:
            again = [(message.payload, message.duplicate) for message in await client.messages()]
            assert again == [(b"\0", True), (b"\2", True)]


@on_a_loop
async def test_the_longest_life_of_a_session_is_told_and_may_be_changed_at_the_end() -> None:
    async with running(BrokerConfig(session_expiry_s=50)) as broker:
        async with connected(port_of(broker), KEEP[V5]) as client:
            assert client.answer.session_expiry == 50
            client.send(Disconnect(session_expiry=0))
            assert await client.read() is None
        async with connected(port_of(broker), KEEP[V5]) as client:
            assert not client.answer.session_present


@on_a_loop
async def test_a_session_that_was_to_end_cannot_be_kept_at_the_end() -> None:
    async with running() as broker, connected(port_of(broker), "a") as client:
        client.send(Disconnect(session_expiry=5))
        assert await client.expect(Disconnect) == Disconnect(MqttReason.PROTOCOL_ERROR)


@on_a_loop
async def test_of_too_many_kept_sessions_the_longest_away_goes() -> None:
    async with running(BrokerConfig(sessions=2)) as broker:
        for present in (False, True):
            for name in ("a", "b", "c")[present:]:
                asked = Connect(name, V5, clean_start=False, session_expiry=100)
                async with connected(port_of(broker), asked) as client:
                    assert client.answer.session_present is present
                    client.send(Disconnect())
                    assert await client.read() is None
        async with connected(port_of(broker), Connect("a", V5, clean_start=False)) as client:
            assert not client.answer.session_present


# Connecting


@on_a_loop
async def test_a_client_without_a_name_gets_one() -> None:
    async with running() as broker:
        async with connected(port_of(broker), "unnamed-1") as rival, connected(port_of(broker), "") as client:
            assert client.answer.assigned_client_id == "unnamed-2"
            assert await rival.messages() == []
        async with connected(port_of(broker), named("", V311)) as client:
            assert await client.messages() == []


REFUSED = {
    "3.1.1 keeps no session without a name": (
        Connect("", V311, clean_start=False, session_expiry=NEVER_EXPIRES),
        MqttReason.CLIENT_ID_NOT_VALID,
    ),
    "extended authentication is not offered": (
        Connect("a", V5, auth_method="SCRAM-SHA-1"),
        MqttReason.BAD_AUTHENTICATION_METHOD,
    ),
}


@pytest.mark.parametrize(("asked", "reason"), REFUSED.values(), ids=REFUSED)
@on_a_loop
async def test_a_refused_client_learns_why(asked: Connect, reason: MqttReason) -> None:
    async with running() as broker, opened(port_of(broker), asked.version) as client:
        client.send(asked)
        assert await client.expect(ConnAck) == ConnAck(reason=reason)
        assert await client.read() is None
        assert broker.counters["refused"] == 1


@BOTH
@on_a_loop
async def test_a_broker_of_one_protocol_refuses_the_other(version: Version) -> None:
    async with running(BrokerConfig(protocols=frozenset((version,)))) as broker:
        async with connected(port_of(broker), named("a", version)) as client:
            assert await client.messages() == []
        async with opened(port_of(broker), V311) as client:
            client.version = V5 if version is V311 else V311
            client.send(named("a", client.version))
            answer = ConnAck(reason=MqttReason.UNSUPPORTED_PROTOCOL_VERSION)
            assert await client.expect(ConnAck) == answer  # written as 3.1.1: every client reads that


@on_a_loop
async def test_the_limits_are_told_to_mqtt_5() -> None:
    config = BrokerConfig(max_packet=5_000, in_flight=7)
    async with running(config) as broker, connected(port_of(broker), "a") as client:
        answer = client.answer
        assert (answer.max_packet, answer.receive_max) == (5_000, 7)
        assert not answer.subscription_ids
        assert not answer.shared_subscriptions


UNOFFERED: dict[str, tuple[Packet, MqttReason]] = {
    "a subscription id": (
        Subscribe(1, (Subscription("a"),), identifier=1),
        MqttReason.SUBSCRIPTION_IDS_NOT_SUPPORTED,
    ),
    "a topic alias": (Publish("a", b"", topic_alias=1), MqttReason.TOPIC_ALIAS_INVALID),
    "only a topic alias": (Publish("", b"", topic_alias=1), MqttReason.TOPIC_ALIAS_INVALID),
    "an AUTH": (Auth(), MqttReason.PROTOCOL_ERROR),
    "a second CONNECT": (Connect("a", V5), MqttReason.PROTOCOL_ERROR),
    "a packet of the broker's": (ConnAck(), MqttReason.PROTOCOL_ERROR),
}


@pytest.mark.parametrize(("packet", "reason"), UNOFFERED.values(), ids=UNOFFERED)
@on_a_loop
async def test_what_is_not_offered_ends_the_connection(packet: Packet, reason: MqttReason) -> None:
    async with running() as broker, connected(port_of(broker), "a") as client:
        client.send(packet)
        assert await client.expect(Disconnect) == Disconnect(reason)
        assert await client.read() is None


@BOTH
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("a/#/b", MqttReason.TOPIC_FILTER_INVALID),
        ("/" * 200, MqttReason.TOPIC_FILTER_INVALID),
        ("$share/group/a", MqttReason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED),
    ],
)
@on_a_loop
async def test_a_filter_that_is_refused_leaves_the_others_alone(
    version: Version, bad: str, reason: MqttReason
) -> None:
    async with running() as broker, connected(port_of(broker), named("a", version)) as client:
        asked = tuple(Subscription(want) for want in ("a", "x" * len(bad), "b"))
        frame = packets.write(Subscribe(1, asked), version)  # the codec writes no bad filter
        client.writer.write(frame.replace(b"x" * len(bad), bad.encode()))
        answer = SubAck(1, (1, reason if version is V5 else 128, 1))
        assert await client.expect(SubAck) == answer
        await client.publish("b", b"x")
        assert len(await client.messages()) == 1


# The broker as an object


@on_a_loop
async def test_a_port_that_is_taken_is_named() -> None:
    async with running() as broker:
        rival = EmbeddedBroker(BrokerConfig(port=port_of(broker)))
        with pytest.raises(PortInUse, match="choose another port") as caught:
            await rival.start()
        assert caught.value.port == broker.port
        await rival.stop()


@on_a_loop
async def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1"):
        await EmbeddedBroker(BrokerConfig(listen="192.0.2.1")).start()


@pytest.mark.parametrize("abrupt", [False, True])
@on_a_loop
async def test_a_stopped_broker_says_goodbye_and_keeps_what_was_retained(abrupt: bool) -> None:  # noqa: FBT001 - a case
    broker = EmbeddedBroker(BrokerConfig())
    port = await broker.start()
    with pytest.raises(RuntimeError, match="running"):
        await broker.start()
    async with connected(port, named("a", V5, Will("will", b"x"))) as client:
        await client.subscribe("a")
        broker.publish(Parcel("a", b"x", retain=True))
        assert len(await client.messages()) == 1
        await broker.stop(abrupt=abrupt)
        await broker.stop()
        if not abrupt:
            assert await client.expect(Disconnect) == Disconnect(MqttReason.SERVER_SHUTTING_DOWN)
    assert broker.retained() == [Parcel("a", b"x", retain=True)]
    with pytest.raises(RuntimeError, match="not running"):
        broker.publish(Parcel("a", b"x"))
    broker.retain([Parcel("b", b"y", retain=True)])
    async with connected(await broker.start(), "b") as client:
        await client.subscribe("#")
        assert contents(await client.messages()) == [("b", b"y", True)]
    await broker.stop()


@on_a_loop
async def test_a_topic_that_is_none_is_refused_by_the_object_too() -> None:
    async with running() as broker:
        with pytest.raises(TopicError):
            broker.publish(Parcel("a/#", b""))
        with pytest.raises(TopicError):
            broker.retain([Parcel("", b"", retain=True)])
        assert not broker.cut("nobody")
