"""MqttTransport against brokers that are away, old, strict, mute or hostile."""

import asyncio
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from accessory_emu.protocol.ports import Delivery, Link, Parcel
from accessory_emu.transports import bounds, broker_address
from accessory_emu.transports.broker_address import BadAddress, BrokerAddress, BrokerUnreachable, Trouble
from accessory_emu.transports.broker_config import BrokerConfig, BrokerHooks, Fault
from accessory_emu.transports.mqtt import MqttTransport
from accessory_emu.transports.packet_values import ConnAck, Publish, SubAck, Subscribe, Version
from accessory_emu.transports.patience import Patience
from tests.transports.dice import SeededDice
from tests.transports.fake_broker import Part, acting, greet, polite, serve_politely, swallow
from tests.transports.rigs import QUICK, Ear, free_port
from tests.transports.running import on_a_loop, port_of, running, until
from tests.transports.wire import V5, V311, WireClient, connected

HASTY = Patience(
    connect_within_s=0.05,
    ack_within_s=0.05,
    backoff_first_s=0.01,
    backoff_most_s=0.05,
    refused_first_s=0.02,
    close_within_s=0.05,
    steady_s=0,
)


def client(
    port: int,
    *,
    protocol: broker_address.Protocol = "auto",
    patience: Patience = QUICK,
    inbox: int = 1_024,
    name: str = "me",
) -> MqttTransport:
    address = BrokerAddress("127.0.0.1", port, protocol=protocol)
    return MqttTransport(address, name, SeededDice(), patience=patience, inbox=inbox)


# Reaching a broker


@on_a_loop
async def test_an_empty_port_is_named_with_its_cure() -> None:
    transport = client(free_port())
    with pytest.raises(BrokerUnreachable, match="start an MQTT broker") as caught:
        await transport.ready(0.2)
    assert caught.value.trouble is Trouble.NOBODY
    await transport.close()


@on_a_loop
async def test_a_host_name_that_cannot_be_one_is_named() -> None:
    transport = MqttTransport(BrokerAddress("a" * 64 + ".example", 1883), "me", SeededDice())
    with pytest.raises(BrokerUnreachable, match="host name"):
        await transport.ready(0.2)
    await transport.close()


async def hang_up(_peer: WireClient) -> None:
    return


async def talk_nonsense(peer: WireClient) -> None:
    peer.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await swallow(peer)


@pytest.mark.parametrize("part", [hang_up, swallow, talk_nonsense])
@on_a_loop
async def test_a_port_that_speaks_no_mqtt_is_named(part: Part) -> None:
    async with acting(part) as port:
        transport = client(port, patience=HASTY)
        with pytest.raises(BrokerUnreachable, match="check that the port") as caught:
            await transport.ready(0.3)
        assert caught.value.trouble is Trouble.NO_ANSWER
        await transport.close()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@on_a_loop
async def test_wrong_credentials_are_told_at_once_and_right_ones_let_in(
    protocol: broker_address.Protocol,
) -> None:
    hooks = BrokerHooks(authenticate=lambda _id, name, password: (name, password) == ("anna", b"secret"))
    async with running(hooks=hooks) as broker:
        for password, right in (("guess", False), ("secret", True)):
            address = BrokerAddress(
                "127.0.0.1", port_of(broker), username="anna", password=password, protocol=protocol
            )
            transport = MqttTransport(address, "me", SeededDice(), patience=QUICK)
            if right:
                await transport.ready(30)
            else:
                with pytest.raises(BrokerUnreachable, match="user name and password"):
                    await transport.ready(30)
            await transport.close()


@pytest.mark.parametrize("version", [V311, V5])
@on_a_loop
async def test_auto_finds_the_protocol_that_the_broker_speaks(version: Version) -> None:
    async with running(BrokerConfig(protocols=frozenset((version,)))) as broker:
        transport = client(port_of(broker))
        await transport.ready(10)
        await transport.close()


@on_a_loop
async def test_auto_finds_an_old_broker_that_hangs_up_on_mqtt_5() -> None:
    async def old(peer: WireClient) -> None:
        asked = await peer.read()
        if asked is not None and getattr(asked, "version", None) is V311:
            peer.version = peer.packets.version = V311
            peer.send(ConnAck())
            await serve_politely(peer)

    async def part(peer: WireClient) -> None:
        peer.packets.version = None
        await old(peer)

    async with acting(part) as port:
        transport = client(port)
        await transport.ready(10)
        await transport.close()


@on_a_loop
async def test_a_protocol_that_the_broker_lacks_is_named() -> None:
    async with running(BrokerConfig(protocols=frozenset((V311,)))) as broker:
        transport = client(port_of(broker), protocol="5")
        with pytest.raises(BrokerUnreachable, match="protocol"):
            await transport.ready(0.2)
        await transport.close()


@pytest.mark.parametrize("part", [swallow, hang_up])
@on_a_loop
async def test_a_transport_can_be_closed_while_it_connects(part: Part) -> None:
    async with acting(part) as port:
        transport = client(port, patience=HASTY)
        await transport.listen(["a"])
        await transport.close()
        assert [item async for item in transport.deliveries()] == []


@on_a_loop
async def test_a_transport_that_was_never_used_is_closed() -> None:
    await client(free_port()).close()


@on_a_loop
async def test_parcels_are_dropped_and_counted_while_there_is_no_connection() -> None:
    transport = client(free_port())
    await transport.listen(["a"])
    for _ in range(3):
        await transport.send(Parcel("a", b"x"))
    assert transport.unsent == 3
    await transport.close()


# TLS


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=36_500))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return cert_file, key_file


@on_a_loop
async def test_tls_lets_in_whom_the_ca_file_vouches_for(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path, "right")
    other, _ = make_certificate(tmp_path, "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    async with acting(polite, context) as port:
        for ca, trusted in ((cert, True), (other, False)):
            address = BrokerAddress.parse(f"mqtts://127.0.0.1:{port}", ca=str(ca))
            transport = MqttTransport(address, "me", SeededDice(), patience=QUICK)
            if trusted:
                await transport.ready(10)
            else:
                with pytest.raises(BrokerUnreachable, match="CA file"):
                    await transport.ready(0.3)
            await transport.close()


@on_a_loop
async def test_a_ca_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name in ("missing.pem", "empty.pem"):
        address = BrokerAddress.parse("mqtts://127.0.0.1", ca=str(tmp_path / name))
        with pytest.raises(BadAddress, match=name):
            MqttTransport(address, "me", SeededDice())


# Refusals and silence


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@on_a_loop
async def test_the_link_is_up_only_when_every_filter_is_granted(protocol: broker_address.Protocol) -> None:
    hooks = BrokerHooks(may_subscribe=lambda _id, topic_filter: topic_filter == "open")
    async with running(hooks=hooks) as broker:
        transport = client(port_of(broker), protocol=protocol)
        ear = Ear(transport)
        await transport.ready(10)
        await transport.listen(["shut", "open"])
        await transport.send(Parcel("open", b"heard all the same"))
        assert await ear.next() == Delivery("open", b"heard all the same")
        assert transport.connection.refused == {"shut"}
        hooks.may_subscribe = None
        assert await ear.next() == Link(up=True)
        assert transport.connection.refused == frozenset()
        hooks.may_subscribe = lambda _id, topic_filter: topic_filter != "later"
        await transport.listen(["shut", "open", "later"])
        assert await ear.next() == Link(up=False)
        await transport.listen(["shut", "open"])
        assert await ear.next() == Link(up=True)
        assert transport.connection.counters["refused_filters"] >= 2
        await transport.close()


@on_a_loop
async def test_a_parcel_that_the_broker_refuses_is_counted() -> None:
    hooks = BrokerHooks(may_publish=lambda _id, topic: topic == "mine")
    async with running(hooks=hooks) as broker:
        transport = client(port_of(broker), protocol="5")
        ear = Ear(transport)
        await transport.listen(["#"])
        assert await ear.next() == Link(up=True)
        await transport.send(Parcel("yours", b"x"))
        await transport.send(Parcel("mine", b"x"))
        assert await ear.next() == Delivery("mine", b"x")
        await until(lambda: transport.connection.counters["refused_parcels"] == 1)
        assert transport.unsent == 1
        await transport.close()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@on_a_loop
async def test_a_broker_that_never_acknowledges_gets_each_parcel_twice(
    protocol: broker_address.Protocol,
) -> None:
    hooks = BrokerHooks(on_message=lambda _info: Fault(withhold_ack=True))
    async with running(hooks=hooks) as broker:
        transport = client(port_of(broker), protocol=protocol, patience=HASTY)
        ear = Ear(transport)
        await transport.listen(["a"])
        assert await ear.next() == Link(up=True)
        for number in range(3):
            await transport.send(Parcel("a", bytes((number,))))
        heard = [item.payload for item in await ear.messages(6)]
        assert heard == [b"\0", b"\1", b"\2"] * 2
        await until(lambda: transport.connection.counters["unacknowledged"] == 3)
        assert transport.unsent == 3
        hooks.on_message = None
        await transport.send(Parcel("a", b"still alive"))
        assert await ear.messages(1) == [Delivery("a", b"still alive")]
        await transport.close()


@on_a_loop
async def test_a_send_beyond_the_window_waits_and_nothing_is_lost() -> None:
    hooks = BrokerHooks(on_message=lambda info: Fault(withhold_ack=info.payload == b"mute"))
    config = BrokerConfig(in_flight=2_000)
    async with running(config, hooks) as broker:
        transport = client(port_of(broker), patience=Patience(ack_within_s=0.2, close_within_s=0.05))
        await transport.listen([])
        assert await Ear(transport).next() == Link(up=True)
        for _ in range(bounds.SHARE_WINDOW):
            await transport.send(Parcel("a", b"mute"))
        late = asyncio.create_task(transport.send(Parcel("b", b"last")))
        await until(lambda: broker.counters["published"] == bounds.SHARE_WINDOW)
        assert not late.done()
        await late
        await until(lambda: transport.connection.counters["unacknowledged"] >= 1)
        await transport.close()


@on_a_loop
async def test_the_brokers_receive_maximum_is_kept_and_a_stuck_connection_made_anew() -> None:
    hooks = BrokerHooks(on_message=lambda _info: Fault(withhold_ack=True))
    async with running(BrokerConfig(in_flight=2), hooks) as broker:
        transport = client(port_of(broker), protocol="5", patience=HASTY)
        ear = Ear(transport)
        await transport.listen([])
        assert await ear.next() == Link(up=True)
        for _ in range(5):
            await transport.send(Parcel("a", b"x"))
        assert await ear.next() == Link(up=False)
        assert broker.counters["published"] == 2
        assert "acknowledges nothing" in transport.connection.detail
        assert await ear.next() == Link(up=True)
        assert transport.unsent == 5
        await transport.close()


@on_a_loop
async def test_a_broker_that_does_not_answer_a_subscription_is_left() -> None:
    joined = 0

    async def part(peer: WireClient) -> None:
        nonlocal joined
        joined += 1
        await greet(peer)
        await (swallow(peer) if joined == 1 else serve_politely(peer))

    async with acting(part) as port:
        transport = client(port, protocol="5", patience=HASTY)
        await transport.listen(["a"])
        assert await Ear(transport).next() == Link(up=True)
        assert joined == 2
        assert transport.connection.counters["lost"] == 1
        await transport.close()


@on_a_loop
async def test_a_suback_that_is_too_short_refuses_the_rest() -> None:
    async def part(peer: WireClient) -> None:
        await greet(peer)
        asked = await peer.expect(Subscribe)
        assert isinstance(asked, Subscribe)
        peer.send(SubAck(asked.packet_id, (1,)))
        await serve_politely(peer)

    async with acting(part) as port:
        transport = client(port, protocol="5")
        await transport.listen(["a", "b"])
        await until(lambda: transport.connection.refused == {"b"})
        assert await Ear(transport).next() == Link(up=True)  # granted at the second attempt
        await transport.close()


# Hostile bytes


@on_a_loop
async def test_a_topic_that_is_not_utf_8_is_counted_and_skipped() -> None:
    async def part(peer: WireClient) -> None:
        await greet(peer)
        asked = await peer.expect(Subscribe)
        assert isinstance(asked, Subscribe)
        peer.send(SubAck(asked.packet_id, (1,)))
        peer.writer.write(bytes.fromhex("3006 0002 ffff 00 78"))
        peer.writer.write(bytes.fromhex("3006 0002 612b 00 78"))  # a wildcard where a topic should be
        peer.send(Publish("a", b"good"))
        await serve_politely(peer)

    async with acting(part) as port:
        transport = client(port, protocol="5")
        ear = Ear(transport)
        await transport.listen(["a"])
        assert [await ear.next(), await ear.next()] == [Link(up=True), Delivery("a", b"good")]
        assert transport.connection.counters["unreadable"] == 1
        await transport.close()


GARBAGE = {
    "a topic past its packet": ("300200ff", False),
    "a message without an end": ("3205000161", True),
    "QoS 3": ("3605000161", False),
    "properties past their packet": ("3005000161ff00", False),
    "a packet type that does not exist": ("00" * 64, False),
    "an answer to nothing": ("9003000100", True),
    "a length without an end": ("ffffffffff", True),
    "half a header": ("20", True),
}


@pytest.mark.parametrize(("garbage", "hangs_up"), GARBAGE.values(), ids=GARBAGE)
@on_a_loop
async def test_a_connection_that_carries_garbage_is_made_anew(
    garbage: str,
    hangs_up: bool,  # noqa: FBT001 - a case
) -> None:
    joined = 0

    async def part(peer: WireClient) -> None:
        nonlocal joined
        joined += 1
        await greet(peer)
        asked = await peer.expect(Subscribe)
        assert isinstance(asked, Subscribe)
        peer.send(SubAck(asked.packet_id, (1,)))
        if joined == 1:
            peer.writer.write(bytes.fromhex(garbage))
            await peer.writer.drain()
            if hangs_up:
                peer.writer.write_eof()
        await serve_politely(peer)

    async with acting(part) as port:
        transport = client(port, protocol="5")
        ear = Ear(transport)
        await transport.listen(["a"])
        got = [await ear.next() for _ in range(3)]
        assert got == [Link(up=True), Link(up=False), Link(up=True)]
        await transport.close()


@on_a_loop
async def test_a_full_inbox_loses_the_oldest_and_counts() -> None:
    async with running() as broker, connected(port_of(broker), "flood") as other:
        transport = client(port_of(broker), inbox=5)
        await transport.ready(10)
        await transport.listen(["a"])
        for number in range(50):
            await other.publish("a", bytes((number,)))
        await until(lambda: transport.dropped == 45)
        ear = Ear(transport)
        assert await ear.next() == Link(up=True)
        assert [item.payload[0] for item in await ear.messages(5)] == [45, 46, 47, 48, 49]
        await transport.close()


@pytest.mark.full
@on_a_loop
async def test_a_dead_link_is_noticed() -> None:
    joined = 0

    async def part(peer: WireClient) -> None:
        nonlocal joined
        joined += 1
        await greet(peer)
        await (swallow(peer) if joined == 1 else serve_politely(peer))

    async with acting(part) as port:
        transport = client(port, protocol="5", patience=Patience(keep_alive_s=1, backoff_first_s=0.01))
        ear = Ear(transport)
        await transport.listen([])
        assert [await ear.next() for _ in range(3)] == [Link(up=True), Link(up=False), Link(up=True)]
        await transport.close()
