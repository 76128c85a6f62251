"""The hooks of the embedded broker: who may what, faults on request, and a tap."""

import pytest

from accessory_emu.protocol.ports import Parcel
from accessory_emu.transports.broker_config import BrokerHooks, Fault, MessageInfo
from accessory_emu.transports.packet_values import (
    ConnAck,
    Connect,
    MqttReason,
    Publish,
    PubRec,
    Subscription,
    Version,
    Will,
)
from tests.transports.running import on_a_loop, port_of, running, until
from tests.transports.wire import V5, V311, connected, opened

BOTH = pytest.mark.parametrize("version", [V311, V5])


def knows(client_id: str, username: str | None, password: bytes | None) -> bool:
    return (client_id, username, password) == ("a", "anna", b"secret")


@BOTH
@pytest.mark.parametrize(
    ("username", "password", "reason"),
    [
        ("anna", b"secret", MqttReason.SUCCESS),
        ("anna", b"wrong", MqttReason.BAD_USER_NAME_OR_PASSWORD),
        ("anna", None, MqttReason.BAD_USER_NAME_OR_PASSWORD),
        (None, None, MqttReason.BAD_USER_NAME_OR_PASSWORD),
    ],
)
@on_a_loop
async def test_only_who_is_known_is_let_in(
    version: Version, username: str | None, password: bytes | None, reason: MqttReason
) -> None:
    async with (
        running(hooks=BrokerHooks(authenticate=knows)) as broker,
        opened(port_of(broker), version) as client,
    ):
        client.send(Connect("a", version, username=username, password=password))
        answer = await client.expect(ConnAck)
        assert isinstance(answer, ConnAck)
        assert answer.reason == reason
        assert broker.is_connected("a") is (reason is MqttReason.SUCCESS)


@BOTH
@on_a_loop
async def test_a_publish_that_is_not_allowed_is_acknowledged_and_goes_nowhere(version: Version) -> None:
    hooks = BrokerHooks(may_publish=lambda client_id, topic: topic == f"of/{client_id}")
    async with running(hooks=hooks) as broker, connected(port_of(broker), Connect("a", version)) as client:
        await client.subscribe("#")
        refused = MqttReason.NOT_AUTHORIZED if version is V5 else 0
        assert await client.publish("of/b", b"x", retain=True) == refused
        client.send(Publish("of/b", b"x", 2, packet_id=77))
        assert await client.expect(PubRec) == PubRec(77, refused)
        assert await client.publish("of/a", b"y") == 0
        assert [message.payload for message in await client.messages()] == [b"y"]
        assert broker.retained() == []
        assert broker.counters["denied"] == 2


@on_a_loop
async def test_a_will_needs_the_same_right_as_a_publish() -> None:
    hooks = BrokerHooks(may_publish=lambda _client_id, topic: topic != "will")
    async with running(hooks=hooks) as broker, connected(port_of(broker), "witness") as witness:
        await witness.subscribe("will")
        async with connected(port_of(broker), Connect("a", V5, will=Will("will", b"x"))):
            assert broker.cut("a")
        assert await witness.messages() == []


@BOTH
@on_a_loop
async def test_a_subscription_that_is_not_allowed_is_refused(version: Version) -> None:
    hooks = BrokerHooks(may_subscribe=lambda client_id, topic_filter: topic_filter.startswith(client_id))
    async with running(hooks=hooks) as broker, connected(port_of(broker), Connect("a", version)) as client:
        assert await client.subscribe("a/#", "b/#") == (
            1,
            MqttReason.NOT_AUTHORIZED if version is V5 else 128,
        )


FAULTS = {
    "none": (None, [(b"x", False)]),
    "dropped": (Fault(drop=True), []),
    "duplicated": (Fault(copies=3), [(b"x", False)] * 3),
    "flagged as retained": (Fault(retained_flag=True), [(b"x", True)]),
    "tampered with": (Fault(payload=b"evil"), [(b"evil", False)]),
}


@pytest.mark.parametrize(("fault", "got"), FAULTS.values(), ids=FAULTS)
@on_a_loop
async def test_a_fault_happens_to_a_message(fault: Fault | None, got: list[tuple[bytes, bool]]) -> None:
    seen: list[MessageInfo] = []
    hooks = BrokerHooks(on_message=lambda info: seen.append(info) or fault)  # type: ignore[func-returns-value]
    async with running(hooks=hooks) as broker, connected(port_of(broker), "a") as client:
        await client.subscribe("a")
        await client.publish("a", b"x")
        assert [(message.payload, message.retain) for message in await client.messages()] == got
    assert seen == [MessageInfo("a", "a", b"x", 1, retain=False)]


@on_a_loop
async def test_a_delayed_message_is_overtaken() -> None:
    hooks = BrokerHooks(on_message=lambda info: Fault(delay_s=0.05) if info.payload == b"slow" else None)
    async with running(hooks=hooks) as broker, connected(port_of(broker), "a") as client:
        await client.subscribe("a")
        for payload in (b"slow", b"fast"):
            await client.publish("a", payload)
        await until(lambda: broker.counters["forwarded"] == 2)
        assert [message.payload for message in await client.messages()] == [b"fast", b"slow"]


@on_a_loop
async def test_a_delayed_message_dies_with_the_broker() -> None:
    hooks = BrokerHooks(on_message=lambda _info: Fault(delay_s=1_000))
    async with running(hooks=hooks) as broker, connected(port_of(broker), "a") as client:
        assert await client.publish("a", b"x", retain=True) == 0
        assert broker.retained() == []


@on_a_loop
async def test_an_acknowledgement_can_be_withheld() -> None:
    hooks = BrokerHooks(on_message=lambda info: Fault(withhold_ack=info.topic == "mute"))
    async with running(hooks=hooks) as broker, connected(port_of(broker), "a") as client:
        await client.subscribe("#")
        client.send(Publish("mute", b"x", 1, packet_id=5), Publish("mute", b"x", 2, packet_id=6))
        assert await client.publish("a", b"x") == 0
        assert len(await client.messages()) == 3


@on_a_loop
async def test_the_tap_sees_everything_that_is_taken() -> None:
    seen: list[tuple[str, bytes, bool]] = []
    hooks = BrokerHooks(
        tap=lambda topic, payload, retain: seen.append((topic, payload, retain)),
        may_publish=lambda _client_id, topic: topic != "secret",
    )
    async with running(hooks=hooks) as broker:
        async with connected(port_of(broker), Connect("a", V5, will=Will("will", b"3"))) as client:
            await client.publish("a", b"1", retain=True)
            await client.publish("secret", b"2")
            broker.cut("a")
        broker.publish(Parcel("b", b"4"))
    assert seen == [("a", b"1", True), ("will", b"3", False), ("b", b"4", False)]


def broken(*_args: object) -> bool:
    raise LookupError("a bug in the hook")


@pytest.mark.parametrize("name", ["authenticate", "may_publish", "may_subscribe", "on_message", "tap"])
@on_a_loop
async def test_a_hook_that_raises_is_a_no_and_harms_nobody(name: str) -> None:
    hooks = BrokerHooks()
    async with running(hooks=hooks) as broker, connected(port_of(broker), "calm") as client:
        await client.subscribe("calm")
        setattr(hooks, name, broken)
        async with opened(port_of(broker)) as other:
            other.send(Connect("a", V5))
            answer = await other.expect(ConnAck)
            assert isinstance(answer, ConnAck)
            assert (answer.reason == 0) is (name != "authenticate")
        assert (await client.subscribe(Subscription("b")) == (1,)) is (name != "may_subscribe")
        assert (await client.publish("calm", b"x") == 0) is (name != "may_publish")
        assert len(await client.messages()) == (name != "may_publish")
        assert broker.counters["hook_errors"] >= 1
        assert isinstance(hooks.error, LookupError)
