"""Packets: round trips in both protocols, exact bytes, and every malformed input a PacketError."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accessory_emu.transports import packet_grammar, packets
from accessory_emu.transports.packet_reader import PacketReader
from accessory_emu.transports.packet_values import (
    NEVER_EXPIRES,
    NO_HINTS,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Hints,
    MqttReason,
    Packet,
    PacketError,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Version,
    Will,
)

V5, V311 = Version.MQTT_5, Version.MQTT_311
BOTH = pytest.mark.parametrize("version", [V311, V5])

IDS = st.integers(1, 65_535)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
TOPIC = st.text(st.characters(exclude_characters="\0+#", exclude_categories=["Cs"]), min_size=1, max_size=20)
U16, U32, BYTES = st.integers(1, 0xFFFF), st.integers(0, 0xFFFF_FFFF), st.binary(max_size=300)
MAYBE = st.none
HINTS = st.builds(
    Hints,
    text=st.booleans(),
    expiry_s=MAYBE() | U32,
    content_type=MAYBE() | TEXT,
    response_topic=MAYBE() | TOPIC,
    correlation=MAYBE() | BYTES,
    user=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
)


def wills(hints: st.SearchStrategy[Hints], delays: st.SearchStrategy[int]) -> st.SearchStrategy[Will]:
    return st.builds(
        Will,
        topic=TOPIC,
        payload=BYTES,
        qos=st.integers(0, 2),
        retain=st.booleans(),
        delay_s=delays,
        hints=hints,
    )


def publishes(hints: st.SearchStrategy[Hints]) -> st.SearchStrategy[Publish]:
    quiet = st.builds(Publish, topic=TOPIC, payload=BYTES, retain=st.booleans(), hints=hints)
    acknowledged = st.builds(
        Publish,
        topic=TOPIC,
        payload=BYTES,
        qos=st.integers(1, 2),
        retain=st.booleans(),
        packet_id=IDS,
        duplicate=st.booleans(),
        hints=hints,
    )
    return quiet | acknowledged


SAME_IN_BOTH = (
    publishes(st.just(NO_HINTS))
    | st.builds(PubAck, IDS)
    | st.builds(PubRec, IDS)
    | st.builds(PubRel, IDS)
    | st.builds(PubComp, IDS)
    | st.builds(
        Subscribe,
        IDS,
        st.lists(st.builds(Subscription, TOPIC, st.integers(0, 2)), min_size=1, max_size=4).map(tuple),
    )
    | st.builds(SubAck, IDS, st.lists(st.sampled_from([0, 1, 2, 128]), max_size=4).map(tuple))
    | st.builds(Unsubscribe, IDS, st.lists(TOPIC, min_size=1, max_size=4).map(tuple))
    | st.builds(PingReq)
    | st.builds(PingResp)
    | st.builds(Disconnect)
)
ONLY_311 = st.builds(
    Connect,
    client_id=TEXT,
    version=st.just(V311),
    clean_start=st.just(value=False),
    keep_alive=st.integers(0, 0xFFFF),
    username=TEXT,
    password=MAYBE() | BYTES,
    will=MAYBE() | wills(st.just(NO_HINTS), st.just(0)),
    session_expiry=st.just(NEVER_EXPIRES),
) | st.builds(ConnAck, session_present=st.booleans(), reason=st.sampled_from([0, 132, 133, 134, 135, 136]))
ONLY_5 = (
    publishes(HINTS)
    | st.builds(Publish, st.just(""), BYTES, topic_alias=U16)
    | st.builds(
        Connect,
        client_id=TEXT,
        version=st.just(V5),
        clean_start=st.booleans(),
        keep_alive=st.integers(0, 0xFFFF),
        username=MAYBE() | TEXT,
        password=MAYBE() | BYTES,
        will=MAYBE() | wills(HINTS, U32),
        session_expiry=U32,
        receive_max=U16,
        max_packet=MAYBE() | st.integers(1, 0xFFFF_FFFF),
        auth_method=MAYBE() | TEXT,
    )
    | st.builds(
        ConnAck,
        session_present=st.booleans(),
        reason=st.sampled_from([0, 132, 140, 151]),
        session_expiry=MAYBE() | U32,
        assigned_client_id=MAYBE() | TEXT,
        keep_alive=MAYBE() | st.integers(0, 0xFFFF),
        receive_max=U16,
        max_packet=MAYBE() | st.integers(1, 0xFFFF_FFFF),
        subscription_ids=st.booleans(),
        shared_subscriptions=st.booleans(),
    )
    | st.builds(PubAck, IDS, st.sampled_from([0, 16, 135, 151]))
    | st.builds(PubRel, IDS, st.sampled_from([0, 146]))
    | st.builds(
        Subscribe,
        IDS,
        st.lists(
            st.builds(
                Subscription, TOPIC, st.integers(0, 2), st.booleans(), st.booleans(), st.integers(0, 2)
            ),
            min_size=1,
            max_size=4,
        ).map(tuple),
        MAYBE() | st.integers(1, 268_435_455),
    )
    | st.builds(SubAck, IDS, st.lists(st.sampled_from([0, 1, 2, 135, 158]), max_size=4).map(tuple))
    | st.builds(UnsubAck, IDS, st.lists(st.sampled_from([0, 17, 135]), max_size=4).map(tuple))
    | st.builds(Disconnect, st.sampled_from([0, 4, 130, 142]), MAYBE() | U32)
    | st.builds(Auth, st.sampled_from([0, 24, 25]))
)
OF = {V311: SAME_IN_BOTH | ONLY_311, V5: SAME_IN_BOTH | ONLY_5}


def fed(
    data: bytes, version: Version | None, step: int = 1 << 30, max_size: int = 1 << 20
) -> Iterator[Packet]:
    reader = PacketReader(version, max_size)
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
        while (packet := reader.next()) is not None:
            yield packet


@BOTH
@given(data=st.data())
def test_a_packet_comes_back_as_it_was_written(version: Version, data: st.DataObject) -> None:
    packet = data.draw(OF[version])
    assert packets.read(packets.write(packet, version), version) == packet


@BOTH
@given(data=st.data())
def test_packets_in_a_row_are_read_whatever_the_slices(version: Version, data: st.DataObject) -> None:
    row = data.draw(st.lists(OF[version], max_size=5))
    wire = b"".join(packets.write(packet, version) for packet in row)
    assert list(fed(wire, version)) == row
    assert list(fed(wire, version, step=1)) == row
    assert list(fed(wire, version, step=data.draw(st.integers(2, 40)))) == row


def read_or_refuse(wire: bytes, version: Version | None) -> None:
    try:
        for packet in fed(wire, version):
            again = packets.write(
                packet, version or V5 if not isinstance(packet, Connect) else packet.version
            )
            assert again
    except PacketError:
        pass


@settings(max_examples=400)
@given(st.binary(max_size=60), st.sampled_from([None, V311, V5]))
def test_arbitrary_bytes_are_packets_or_a_packet_error(wire: bytes, version: Version | None) -> None:
    read_or_refuse(wire, version)


@settings(max_examples=400)
@given(st.integers(0, 255), st.binary(max_size=60), st.sampled_from([V311, V5]))
def test_an_arbitrary_body_is_a_packet_or_a_packet_error(head: int, body: bytes, version: Version) -> None:
    read_or_refuse(bytes((head, len(body))) + body, version)


@BOTH
@settings(max_examples=400)
@given(data=st.data())
def test_a_mutated_packet_is_a_packet_or_a_packet_error(version: Version, data: st.DataObject) -> None:
    wire = bytearray(packets.write(data.draw(OF[version]), version))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(wire) - 1))
        wire[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        if not wire:
            return
    read_or_refuse(bytes(wire), version)


def test_the_codec_never_panics_aloud(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PacketError, match="UTF-8"):
        packets.read(bytes.fromhex("30050001ff0000"), V5)
    assert capfd.readouterr().err == ""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the panic prints one
def test_a_panic_of_the_codec_is_a_packet_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PacketError, match="panics"):
        packets._decode(bytes.fromhex("30050001ff0000"))  # noqa: SLF001 - past the check that keeps it from panic
    assert "panicked" in capfd.readouterr().err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_what_ends_the_process_is_no_packet_error(error: BaseException) -> None:
    with pytest.raises(type(error)):
        packets._only_panic(error)  # noqa: SLF001 - nothing else lets them arise inside the codec


CONNECT_311 = Connect("abc", V311, keep_alive=10, username="u", password=b"p", will=Will("w", b"x", 1))
EXACT = {
    "a 3.1.1 CONNECT": (
        V311,
        CONNECT_311,
        "101b 00044d515454 04 ce 000a 0003616263 000177 000178 000175 000170",
    ),
    "a 3.1.1 refusal": (V311, ConnAck(reason=MqttReason.NOT_AUTHORIZED), "20020005"),
    "a 3.1.1 refusal without a code of its own": (
        V311,
        ConnAck(reason=MqttReason.QUOTA_EXCEEDED),
        "20020003",
    ),
    "a 3.1.1 PUBLISH": (V311, Publish("a", b"x", 1, packet_id=3), "3206 000161 0003 78"),
    "an MQTT 5 PUBLISH": (V5, Publish("a", b"x", 1, packet_id=3), "3207 000161 0003 00 78"),
    "a 3.1.1 PUBLISH leaves hints behind": (
        V311,
        Publish("a", b"x", hints=Hints(expiry_s=9)),
        "3004 000161 78",
    ),
    "a 3.1.1 PUBACK gives no reason": (V311, PubAck(7, MqttReason.NOT_AUTHORIZED), "40020007"),
    "an MQTT 5 PUBACK gives one": (V5, PubAck(7, MqttReason.NOT_AUTHORIZED), "4003000787"),
    "a 3.1.1 SUBSCRIBE": (
        V311,
        Subscribe(7, (Subscription("a/+", 1, no_local=True),)),
        "8208 0007 0003612f2b 01",
    ),
    "a 3.1.1 SUBACK": (V311, SubAck(7, (1, MqttReason.NOT_AUTHORIZED)), "9004 0007 01 80"),
    "a 3.1.1 UNSUBSCRIBE": (V311, Unsubscribe(7, ("a",)), "a205 0007 000161"),
    "a 3.1.1 UNSUBACK": (V311, UnsubAck(7, (0,)), "b0020007"),
    "a 3.1.1 DISCONNECT": (V311, Disconnect(MqttReason.SESSION_TAKEN_OVER), "e000"),
}


@pytest.mark.parametrize(("version", "packet", "wire"), EXACT.values(), ids=EXACT)
def test_exact_bytes(version: Version, packet: Packet, wire: str) -> None:
    assert packets.write(packet, version).hex() == wire.replace(" ", "")


REFUSED = {
    "a packet type that does not exist": (V5, "0000"),
    "a length of five bytes": (V5, "30ffffffff01"),
    "flags that must be 0": (V5, "8007 0001 00 0001 61 00"),
    "bytes after the end": (V5, "c00100"),
    "a field past the end": (V5, "3003 0009 61"),
    "a reason that does not exist": (V5, "4003 0001 07"),
    "an unknown property": (V5, "3006 0001 61 02 7f 00"),
    "properties past the end": (V5, "3004 0001 61 09"),
    "a property past the end of its list": (V5, "3009 0001 61 01 02 00000001"),
    "NUL in a topic": (V5, "3004 0001 00 00"),
    "a surrogate in a topic": (V5, "3006 0003 eda080 00"),
    "a packet id of 0": (V5, "3206 0001 61 0000 00"),
    "QoS 3": (V5, "3606 0001 61 0001 00"),
    "DUP with QoS 0": (V5, "3804 0001 61 00"),
    "no topic and no alias": (V5, "3003 0000 00"),
    "SUBSCRIBE without a filter": (V5, "8203 0001 00"),
    "SUBSCRIBE with reserved bits": (V5, "8207 0001 00 0001 61 40"),
    "UNSUBSCRIBE without a filter": (V5, "a203 0001 00"),
    "the reserved flag of CONNECT": (V5, "1010 00044d515454 05 03 000a 00 0003616263"),
    "a will's QoS without a will": (V5, "1010 00044d515454 05 0a 000a 00 0003616263"),
    "CONNACK with reserved flags": (V5, "2003 02 00 00"),
    "AUTH in 3.1.1": (V311, "f000"),
    "an alias in 3.1.1": (V311, "3002 0000"),
    "a reason in 3.1.1": (V311, "4003 0001 10"),
    "DISCONNECT with a body in 3.1.1": (V311, "e00100"),
    "SUBSCRIBE with options of MQTT 5 in 3.1.1": (V311, "8206 0001 0001 61 04"),
    "a return code that SUBACK lacks in 3.1.1": (V311, "9003 0001 87"),
    "a return code that CONNACK lacks in 3.1.1": (V311, "20020006"),
    "UNSUBACK with codes in 3.1.1": (V311, "b003 0001 00"),
    "a password without a user in 3.1.1": (V311, "1011 00044d515454 04 42 000a 000161 0002 7070"),
}


@pytest.mark.parametrize(("version", "wire"), REFUSED.values(), ids=REFUSED)
def test_malformed_bytes_are_a_packet_error(version: Version, wire: str) -> None:
    with pytest.raises(PacketError):
        list(fed(bytes.fromhex(wire), version))


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        ("c000", MqttReason.PROTOCOL_ERROR),
        ("1011 00064d5149736470 03 02 000a 0003616263", MqttReason.UNSUPPORTED_PROTOCOL_VERSION),
        ("100f 00044d515454 06 02 000a 0003616263", MqttReason.UNSUPPORTED_PROTOCOL_VERSION),
        ("100f 00044d515455 05 02 000a 0003616263", MqttReason.MALFORMED_PACKET),
    ],
)
def test_a_first_packet_that_opens_nothing_is_named(wire: str, reason: MqttReason) -> None:
    with pytest.raises(PacketError) as caught:
        list(fed(bytes.fromhex(wire), None))
    assert caught.value.reason is reason


@BOTH
def test_the_first_packet_tells_the_version(version: Version) -> None:
    reader = PacketReader()
    reader.feed(packets.write(Connect("abc", version), version) + packets.write(PingReq(), version))
    assert reader.next() == Connect("abc", version)
    assert reader.version is version
    assert reader.next() == PingReq()
    assert reader.next() is None


def test_a_packet_at_the_limit_passes_and_one_byte_more_does_not() -> None:
    wire = packets.write(Publish("a", bytes(1_000)), V5)
    assert len(list(fed(wire, V5, max_size=len(wire)))) == 1
    with pytest.raises(PacketError) as caught:
        list(fed(wire[:5], V5, max_size=len(wire) - 1))
    assert caught.value.reason is MqttReason.PACKET_TOO_LARGE


@pytest.mark.parametrize("wire", [b"", b"\x30"])
def test_less_than_a_header_is_a_packet_error(wire: bytes) -> None:
    with pytest.raises(PacketError):
        packets.read(wire, V5)


def test_two_packets_are_not_one() -> None:
    with pytest.raises(PacketError, match="disagree"):
        packets._decode(bytes.fromhex("c000c000"))  # noqa: SLF001 - past the check that would see it first


def test_read_takes_a_connect_of_its_version_only() -> None:
    with pytest.raises(PacketError):
        packet_grammar.version_of(packets.write(PingReq(), V5))


def test_a_broken_reader_stays_broken_and_keeps_nothing() -> None:
    reader = PacketReader(V5)
    reader.feed(packets.write(PingReq(), V5) + b"\0\0" + packets.write(PingReq(), V5))
    assert reader.next() == PingReq()
    for _ in range(2):
        with pytest.raises(PacketError):
            reader.next()
        reader.feed(packets.write(PingReq(), V5))


UNWRITABLE = {
    "an empty topic": Publish("", b""),
    "a topic with a wildcard": Publish("a/#", b""),
    "a topic with NUL": Publish("a\0", b""),
    "a topic that is no UTF-8": Publish("\ud800", b""),
    "a topic that is too long": Publish("a" * 65_536, b""),
    "QoS 1 without a packet id": Publish("a", b"", 1),
    "QoS 0 with a packet id": Publish("a", b"", packet_id=1),
    "QoS 3": Publish("a", b"", 3, packet_id=1),
    "a packet id of 0": PubAck(0),
    "a packet id of three bytes": PubAck(65_536),
    "a reason that does not exist": PubAck(1, 3),
    "no filter": Subscribe(1, ()),
    "a keep alive below 0": Connect("abc", V5, keep_alive=-1),
}


@pytest.mark.parametrize("packet", UNWRITABLE.values(), ids=UNWRITABLE)
def test_what_has_no_form_on_the_wire_is_a_packet_error(packet: Packet) -> None:
    with pytest.raises(PacketError):
        packets.write(packet, V5)


def test_a_packet_of_256_mib_is_a_packet_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PacketError):
        packets.write(Publish("a", bytes(1 << 28)), V5)
    assert "panicked" in capfd.readouterr().err


@BOTH
def test_3_1_1_has_no_auth(version: Version) -> None:
    if version is V5:
        assert packets.write(Auth(), version) == b"\xf0\x02\x00\x00"
        return
    with pytest.raises(PacketError):
        packets.write(Auth(), version)


@BOTH
@given(data=st.data(), packet_id=IDS)
def test_a_split_publish_takes_any_packet_id(version: Version, data: st.DataObject, packet_id: int) -> None:
    packet = Publish(data.draw(TOPIC), data.draw(BYTES), 1, packet_id=1)
    head, tail = packets.split_publish(packet, version)
    again = packets.read(head + packet_id.to_bytes(2) + tail, version)
    assert again == Publish(packet.topic, packet.payload, 1, packet_id=packet_id)


def test_a_password_shows_in_no_text() -> None:
    packet = Connect("abc", V5, username="u", password=b"hunter2")
    assert "hunter2" not in repr(packet)
    with pytest.raises(PacketError) as caught:
        packets.write(Connect("abc", V5, keep_alive=-1, password=b"hunter2"), V5)
    assert "hunter2" not in str(caught.value)
