"""A second reader of messages, written from the specification alone: it shares no line with the package.

It walks the bytes, reads CBOR by itself and checks signatures with another library. Where that library is
laxer than AE-KEY-010 (weak keys and points), the check stands here.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: TID251 - a second opinion is the point
    Ed25519PublicKey,
)

BOTH, HOME, ACCESSORY = "home, accessory", "home, 0", "0, accessory"
TYPES = {
    "ae-cmd": ("command", BOTH, 4096),
    "ae-rsp": ("response", BOTH, 4096),
    "ae-evt": ("event", BOTH, 4096),
    "ae-ack": ("ack", BOTH, 4096),
    "ae-adopt": ("adopt", BOTH, 4096),
    "ae-sync": ("sync", BOTH, 4096),
    "ae-answer": ("sync-answer", BOTH, 4096),
    "ae-announce": ("announce", ACCESSORY, 4096),
    "ae-request": ("request", HOME, 4096),
    "ae-entry": ("log", HOME, 16384),
    "ae-checkpoint": ("checkpoint", HOME, 65536),
    "ae-head": ("head", HOME, 4096),
    "ae-acceptance": ("acceptance", HOME, 4096),
    "ae-reign": ("reign", HOME, 4096),
    "ae-hub-rsp": ("hub-response", HOME, 4096),
}
FIELD = 2**255 - 19
ORDER_8 = (
    0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
)
WEAK_Y = {0, 1, FIELD - 1, *ORDER_8}


class Refusal(Exception):
    """The message is refused; the text is the reason's word."""


@dataclass(frozen=True)
class Read:
    """A message that holds."""

    context: str
    typ: str
    kid: bytes
    payload: dict[int, object]
    object_id: bytes


def need(fact: object, word: str = "malformed") -> None:
    """Refuse where something is not so."""
    if not fact:
        raise Refusal(word)


class Bytes:
    """Bytes that are walked once, from front to back."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        """Take the next bytes."""
        need(self.at + size <= len(self.data))
        self.at += size
        return self.data[self.at - size : self.at]

    def expect(self, hexes: str) -> None:
        """Take bytes that can only be these."""
        need(self.take(len(hexes) // 2).hex() == hexes)

    def head(self) -> tuple[int, int, int]:
        """Take a head in its shortest form: major type, additional information, argument."""
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if info < 24:
            return major, info, info
        need(info < 28)
        width = 1 << info - 24
        argument = int.from_bytes(self.take(width))
        need(major == 7 or argument >= {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}[width])
        return major, info, argument

    def octets(self) -> bytes:
        """Take a byte string."""
        major, _, size = self.head()
        need(major == 2)
        return self.take(size)

    def value(self, *, floats: bool, depth: int = 0) -> object:
        """Take any value of the encoding."""
        major, info, argument = self.head()
        if major in (4, 5):
            need(depth < 6)
            items = self.items(argument, floats=floats, depth=depth + 1)
            return list(items) if major == 4 else self.pairs(argument, floats=floats, depth=depth + 1)
        return self.scalar(major, info, argument, floats=floats)

    def scalar(self, major: int, info: int, argument: int, *, floats: bool) -> object:
        """Take what is left of a value that holds no other."""
        if major in (0, 1):
            return argument if major == 0 else -1 - argument
        if major == 2:
            return self.take(argument)
        if major == 3:
            try:
                return self.take(argument).decode()
            except UnicodeDecodeError:
                raise Refusal("malformed") from None
        need(major == 7)
        if info in (20, 21):
            return info == 21
        need(floats and info in FORMATS)
        return shortest_float(info, argument)

    def items(self, count: int, *, floats: bool, depth: int) -> Iterator[object]:
        """Take the items of an array; a promise alone reserves nothing."""
        for _ in range(count):
            yield self.value(floats=floats, depth=depth)

    def pairs(self, count: int, *, floats: bool, depth: int) -> dict[int, object]:
        """Take the pairs of a map, whose keys ascend."""
        found: dict[int, object] = {}
        last = -1
        for _ in range(count):
            major, _, key = self.head()
            need(major == 0 and key > last)
            found[key], last = self.value(floats=floats, depth=depth), key
        return found

    def end(self) -> None:
        """Require that nothing is left."""
        need(self.at == len(self.data))


FORMATS = {25: ">e", 26: ">f", 27: ">d"}
WIDTHS = {25: 2, 26: 4, 27: 8}


def shortest_float(info: int, argument: int) -> float:
    """Read a float that no narrower format can hold."""
    number: float = struct.unpack(FORMATS[info], argument.to_bytes(WIDTHS[info]))[0]
    need(number - number == 0)  # neither infinite nor not a number
    for narrower in range(25, info):
        try:
            packed = struct.pack(FORMATS[narrower], number)
        except OverflowError:
            continue
        need(struct.unpack(FORMATS[narrower], packed)[0] != number)
    return number


def read_payload(data: bytes, *, floats: bool = False) -> dict[int, object]:
    """Read a payload: one map, and nothing after it."""
    walk = Bytes(data)
    need(data[:1] and data[0] >> 5 == 5)
    value = walk.value(floats=floats)
    walk.end()
    need(isinstance(value, dict))
    return value  # type: ignore[return-value]  # it is a map: the line above


def bstr(data: bytes) -> bytes:
    """Write a byte string."""
    size = len(data)
    if size < 24:
        return bytes([0x40 + size]) + data
    return (bytes([0x58, size]) if size < 256 else b"\x59" + size.to_bytes(2)) + data


def weak(point: bytes) -> bool:
    """Tell whether a point is of small order or not canonically encoded."""
    y = int.from_bytes(point, "little") & (1 << 255) - 1
    return y >= FIELD or y in WEAK_Y


def holds(key: bytes, signed: bytes, signature: bytes) -> bool:
    """Check a signature by AE-KEY-010."""
    if weak(key) or weak(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def read(message: bytes, key: bytes, home: bytes, accessory: bytes) -> Read:
    """Read one message under a key that is known for its `kid`, for a home and an accessory.

    Raises:
        Refusal: with the word of the first reason that applies.
    """
    need(len(message) <= 65536, "too_large")
    walk = Bytes(message)
    walk.expect("d284")
    protected = walk.octets()
    walk.expect("a0")
    payload = walk.octets()
    walk.expect("5840")
    signature = walk.take(64)
    kid, typ = read_protected(protected)
    context, ids, limit = TYPES[typ]
    end = walk.at
    need(end <= limit, "too_large")
    walk.end()
    need(len(key) == 32 and sha256(key).digest()[:8] == kid, "unknown_key")
    external = b"accessory-emu/1/" + context.encode() + b"\0"
    external += home if ids in (BOTH, HOME) else bytes(8)
    external += accessory if ids in (BOTH, ACCESSORY) else bytes(8)
    signed = bytes.fromhex("846a") + b"Signature1" + bstr(protected) + bstr(external) + bstr(payload)
    need(holds(key, signed, signature), "bad_signature")
    fields = read_payload(payload, floats=context in ("command", "response", "event"))
    return Read(context, typ, kid, fields, sha256(signed).digest())


def read_protected(protected: bytes) -> tuple[bytes, str]:
    """Read the header: algorithm, kid and typ."""
    walk = Bytes(protected)
    walk.expect("a301")
    need(walk.take(1) in (b"\x32", b"\x27"))
    walk.expect("0448")
    kid = walk.take(8)
    walk.expect("10")
    major, _, size = walk.head()
    need(major == 3)
    try:
        typ = walk.take(size).decode()
    except UnicodeDecodeError:
        raise Refusal("malformed") from None
    walk.end()
    need(typ in TYPES)
    return kid, typ
