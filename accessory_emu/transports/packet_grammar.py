"""Where the fields of an MQTT packet lie: frames, texts, and the step between 3.1.1 and 5. Pure.

MQTT 5 differs from 3.1.1 by the level in CONNECT and by lists of properties at fixed places, the *spots*: an
empty list is one zero byte. So a 3.1.1 packet becomes one of MQTT 5 when a zero is put into each spot, and
the other way round. Return codes differ in CONNACK only.
"""

from collections.abc import Callable, Mapping
from typing import Final

from accessory_emu.transports import bounds
from accessory_emu.transports.packet_values import MqttReason, PacketError, Version

CONNECT: Final = 1
CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
PUBREC: Final = 5
PUBREL: Final = 6
PUBCOMP: Final = 7
SUBSCRIBE: Final = 8
SUBACK: Final = 9
UNSUBSCRIBE: Final = 10
UNSUBACK: Final = 11
PINGREQ: Final = 12
PINGRESP: Final = 13
DISCONNECT: Final = 14
AUTH: Final = 15

_ACKS: Final = (PUBACK, PUBREC, PUBREL, PUBCOMP)
_LEVEL_AT: Final = 6  # of CONNECT's body: behind the name "MQTT" and its length
_QOS: Final = 0x06
_DUP: Final = 0x08
_USER: Final = 0x80  # flags of CONNECT
_PASSWORD: Final = 0x40
_WILL_REST: Final = 0x38  # the will's QoS and retain
_WILL: Final = 0x04
_RESERVED: Final = 0x01
_NO_PROPERTIES: Final = b"\0"
_NAMES: Final = (b"\x00\x04MQTT", b"\x00\x06MQIsdp")

# CONNACK: 3.1.1's six return codes and the reasons that they stand for
RETURN_CODES: Final[Mapping[int, int]] = {
    0: MqttReason.SUCCESS,
    1: MqttReason.UNSUPPORTED_PROTOCOL_VERSION,
    2: MqttReason.CLIENT_ID_NOT_VALID,
    3: MqttReason.SERVER_UNAVAILABLE,
    4: MqttReason.BAD_USER_NAME_OR_PASSWORD,
    5: MqttReason.NOT_AUTHORIZED,
}


def frame_size(data: bytearray, start: int, max_size: int) -> int | None:
    """Give the size of the packet that begins at `start`, header included; None while that is not known.

    Raises:
        PacketError: the length has more than four bytes, or the packet is larger than `max_size`.
    """
    size, shift = 0, 0
    for at in range(start + 1, min(start + bounds.HEADER_BYTES, len(data))):
        size |= (data[at] & 0x7F) << shift
        shift += 7
        if data[at] < 0x80:  # noqa: PLR2004 - the last byte of a length has no top bit
            size += at + 1 - start
            if size > max_size:
                detail = f"a packet of {size} bytes; at most {max_size} are taken"
                raise PacketError(detail, MqttReason.PACKET_TOO_LARGE)
            return size
    if len(data) - start >= bounds.HEADER_BYTES:
        raise PacketError("the length of a packet has at most four bytes")
    return None


class _Walk:
    """A finger that moves through one whole packet and never past its end."""

    __slots__ = ("at", "flags", "frame", "kind", "spots")

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.kind = frame[0] >> 4
        self.flags = frame[0] & 0x0F
        self.at = _body_at(frame)
        self.spots: list[int] = []

    def skip(self, size: int) -> int:
        """Move over `size` bytes; the place before them is the answer."""
        start = self.at
        self.at += size
        if self.at > len(self.frame):
            raise PacketError("a field reaches past the end of its packet")
        return start

    def byte(self) -> int:
        return self.frame[self.skip(1)]

    def number(self) -> int:
        start = self.skip(2)
        return int.from_bytes(self.frame[start : self.at])

    def packet_id(self) -> None:
        if self.number() == 0:
            raise PacketError("a packet id is never 0")

    def varint(self) -> int:
        value, shift = 0, 0
        while shift < 28:  # noqa: PLR2004 - four bytes of seven bits
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the last byte has no top bit
                return value
            shift += 7
        raise PacketError("a variable length has at most four bytes")

    def binary(self) -> None:
        self.skip(self.number())

    def text(self) -> None:
        start = self.skip(self.number())
        try:
            text = self.frame[start : self.at].decode()
        except UnicodeDecodeError:
            raise PacketError("a text is not UTF-8") from None
        if "\0" in text:
            raise PacketError("a text holds NUL")

    def pair(self) -> None:
        self.text()
        self.text()

    def more(self) -> bool:
        return self.at < len(self.frame)

    def properties(self) -> None:
        """MQTT 5: a length, and that many bytes of properties."""
        end = self.varint() + self.at
        if end > len(self.frame):
            raise PacketError("the properties reach past the end of their packet")
        while self.at < end:
            read = _PROPERTIES.get(self.byte())
            if read is None:
                raise PacketError("a property that MQTT 5 does not know")
            read(self)
        if self.at != end:
            raise PacketError("a property reaches past the end of the properties")

    def spot(self) -> None:
        """3.1.1: here MQTT 5 would have its properties."""
        self.spots.append(self.at)

    def empty(self) -> None:
        """MQTT 5 on its way to 3.1.1: here lies an empty list of properties."""
        self.spots.append(self.skip(1))


_PROPERTIES: Final[Mapping[int, Callable[[_Walk], object]]] = {
    **dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), _Walk.byte),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), _Walk.number),
    **dict.fromkeys((0x02, 0x11, 0x18, 0x27), lambda walk: walk.skip(4)),
    **dict.fromkeys((0x03, 0x08, 0x12, 0x15, 0x1A, 0x1C, 0x1F), _Walk.text),
    **dict.fromkeys((0x09, 0x16), _Walk.binary),
    0x0B: _Walk.varint,
    0x26: _Walk.pair,
}
_Spot = Callable[[_Walk], None]


def _connect(walk: _Walk, spot: _Spot) -> None:
    walk.text()
    walk.byte()
    flags = walk.byte()
    if flags & _RESERVED or (not flags & _WILL and flags & _WILL_REST):
        raise PacketError("a flag of CONNECT that must be 0 is set")
    if spot is not _Walk.properties and flags & _PASSWORD and not flags & _USER:
        raise PacketError("3.1.1 has no password without a user name")
    walk.skip(2)
    spot(walk)
    walk.text()
    if flags & _WILL:
        spot(walk)
        walk.text()
        walk.binary()
    if flags & _USER:
        walk.text()
    if flags & _PASSWORD:
        walk.binary()


def _connack(walk: _Walk, spot: _Spot) -> None:
    if walk.byte() > 1:
        raise PacketError("a flag of CONNACK that must be 0 is set")
    walk.byte()
    spot(walk)


def _publish(walk: _Walk, spot: _Spot) -> None:
    walk.text()
    if walk.flags & _QOS:
        walk.packet_id()
    elif walk.flags & _DUP:
        raise PacketError("DUP is set on a message of QoS 0")
    spot(walk)
    walk.at = len(walk.frame)  # the payload is the rest


def _ack(walk: _Walk, spot: _Spot) -> None:
    walk.packet_id()
    _reason(walk, spot)


def _reason(walk: _Walk, spot: _Spot) -> None:
    if spot is not _Walk.properties:
        return  # 3.1.1 gives no reasons
    if walk.more():
        walk.byte()
    if walk.more():
        walk.properties()


def _subscribe(walk: _Walk, spot: _Spot) -> None:
    walk.packet_id()
    spot(walk)
    reserved = 0xC0 if spot is _Walk.properties else 0xFC
    if not walk.more():
        raise PacketError("SUBSCRIBE without a filter")
    while walk.more():
        walk.text()
        if walk.byte() & reserved:
            raise PacketError("an option of SUBSCRIBE that must be 0 is set")


def _unsubscribe(walk: _Walk, spot: _Spot) -> None:
    walk.packet_id()
    spot(walk)
    if not walk.more():
        raise PacketError("UNSUBSCRIBE without a filter")
    while walk.more():
        walk.text()


def _suback(walk: _Walk, spot: _Spot) -> None:
    walk.packet_id()
    spot(walk)
    reasons = walk.frame[walk.at :]
    if spot is not _Walk.properties and any(reason not in (0, 1, 2, 0x80) for reason in reasons):
        raise PacketError("a return code that SUBACK does not have in 3.1.1")
    walk.at = len(walk.frame)


def _unsuback(walk: _Walk, spot: _Spot) -> None:
    walk.packet_id()
    spot(walk)
    if spot is _Walk.properties:
        walk.at = len(walk.frame)


def _nothing(_walk: _Walk, _spot: _Spot) -> None:
    return


_BODIES: Final[Mapping[int, Callable[[_Walk, _Spot], None]]] = {
    CONNECT: _connect,
    CONNACK: _connack,
    PUBLISH: _publish,
    **dict.fromkeys(_ACKS, _ack),
    SUBSCRIBE: _subscribe,
    SUBACK: _suback,
    UNSUBSCRIBE: _unsubscribe,
    UNSUBACK: _unsuback,
    PINGREQ: _nothing,
    PINGRESP: _nothing,
    DISCONNECT: _reason,
    AUTH: _reason,
}


def check(frame: bytes) -> None:
    """Walk through a whole MQTT 5 packet and let it pass if every field ends inside and every text is UTF-8.

    Raises:
        PacketError: they do not; the codec would panic on such a text.
    """
    spot = _plain_spot(frame)
    if spot == 0 or frame[spot : spot + 1] != _NO_PROPERTIES:
        _walk(frame, _Walk.properties)


def raised(frame: bytes) -> bytes:
    """Write a 3.1.1 packet as the MQTT 5 packet of the same meaning.

    Raises:
        PacketError: the bytes are no 3.1.1 packet.
    """
    if frame[0] >> 4 == AUTH:
        raise PacketError("3.1.1 has no AUTH")
    spot = _plain_spot(frame)
    spots = [spot] if spot else _walk(frame, _Walk.spot).spots
    out = bytearray(frame)
    for spot in reversed(spots):
        out.insert(spot, 0)
    return _restamp(out, len(frame), Version.MQTT_5)


def lowered(frame: bytes) -> bytes:
    """Write an MQTT 5 packet without properties as the 3.1.1 packet of the same meaning."""
    walk = _walk(frame, _Walk.empty)
    out = bytearray(frame)
    for spot in reversed(walk.spots):
        del out[spot]
    return _restamp(out, len(frame), Version.MQTT_311)


def _plain_spot(frame: bytes) -> int:
    """Find the spot of a PUBLISH that is plainly right: a short way for the most frequent packet, else 0."""
    if frame[0] >> 4 != PUBLISH or frame[0] & (_QOS | _DUP) == _DUP:
        return 0
    at = _body_at(frame)
    end = at + 2 + int.from_bytes(frame[at : at + 2])
    topic = frame[at + 2 : end]
    if not topic.isascii() or b"\0" in topic:
        return 0
    if frame[0] & _QOS:
        packet_id = frame[end : end + 2]
        end += 2
        if packet_id == b"\0\0":
            return 0
    return end if end <= len(frame) else 0


def version_of(frame: bytes) -> Version:
    """Read from a whole CONNECT which protocol it speaks.

    Raises:
        PacketError: it is no CONNECT, or one of a protocol that is not spoken here.
    """
    if frame[0] != CONNECT << 4:
        raise PacketError("the first packet is CONNECT", MqttReason.PROTOCOL_ERROR)
    body = frame[_body_at(frame) :]
    if not body.startswith(_NAMES):
        raise PacketError("CONNECT names no protocol of MQTT")
    if not body.startswith(_NAMES[0]) or body[_LEVEL_AT : _LEVEL_AT + 1] not in (b"\x04", b"\x05"):
        raise PacketError("MQTT 3.1.1 and 5 are spoken here", MqttReason.UNSUPPORTED_PROTOCOL_VERSION)
    return Version(body[_LEVEL_AT])


def packet_id_at(frame: bytes) -> int:
    """Find the place of the packet id in a written PUBLISH of QoS 1."""
    at = _body_at(frame)
    return at + 2 + int.from_bytes(frame[at : at + 2])


def _walk(frame: bytes, spot: _Spot) -> _Walk:
    walk = _Walk(frame)
    body = _BODIES.get(walk.kind)
    if body is None:
        raise PacketError("a packet type that MQTT does not have")
    body(walk, spot)
    if walk.more():
        raise PacketError("bytes after the last field of a packet")
    return walk


def _body_at(frame: bytes) -> int:
    if frame[1] < 0x80:  # noqa: PLR2004 - the last byte of a length has no top bit
        return 2
    at = 2
    while at < len(frame) and frame[at] >= 0x80:  # noqa: PLR2004 - the last byte of a length has no top bit
        at += 1
    return at + 1


def _restamp(out: bytearray, old_size: int, version: Version) -> bytes:
    """Give a packet whose spots moved its new length, CONNECT its level, and CONNACK its code."""
    body_at = _body_at(bytes(out[: bounds.HEADER_BYTES]))
    kind = out[0] >> 4
    if kind == CONNECT:
        out[body_at + _LEVEL_AT] = version.value
    if kind == CONNACK:
        out[body_at + 1] = _code(out[body_at + 1], version)
    if len(out) == old_size:
        return bytes(out)
    return bytes((out[0],)) + _length(len(out) - body_at) + out[body_at:]


def _code(code: int, version: Version) -> int:
    if version is Version.MQTT_5:
        if code not in RETURN_CODES:
            raise PacketError("a return code that CONNACK does not have in 3.1.1")
        return RETURN_CODES[code]
    return next((old for old, reason in RETURN_CODES.items() if reason == code), 3)


def _length(size: int) -> bytes:
    out = bytearray()
    while size >= 0x80:  # noqa: PLR2004 - seven bits a byte
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out)
