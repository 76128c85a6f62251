"""COSE_Sign1: a message into signed bytes; bytes parsed and verified into a message; object ids.

message   = D2 84 bstr(protected) A0 bstr(payload) 58 40 signature(64)
protected = A3 01 alg 04 48 kid(8) 10 tstr(typ)                    alg = 32 (-19, Ed25519) or 27 (-8, EdDSA)
signed    = 84 6A "Signature1" bstr(protected) bstr(external_aad) bstr(payload)
external  = "accessory-emu/1/" context 00 home(8) accessory(8)     never sent

The signature covers exact bytes: nothing is encoded again to verify (AE-ENV-001 to AE-ENV-012).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.errors import BadSignature, Malformed, TooLarge
from accessory_emu.protocol.identifiers import NO_ACCESSORY, NO_HOME, AccessoryId, HomeId, KeyId, ObjectId

_HEAD: Final = b"\xd2\x84"
_ALGORITHMS: Final = (0x32, 0x27)
_BSTR, _TSTR = 0x40, 0x60
_ONE_BYTE, _TWO_BYTES = 24, 25  # CBOR's additional information for lengths of one and of two bytes


class Context(Enum):
    """What a signature is for: the name in external_aad, the typ string, and the size limit (AE-ENV-040)."""

    COMMAND = ("command", "ae-cmd", limits.MESSAGE_SIZE)
    RESPONSE = ("response", "ae-rsp", limits.MESSAGE_SIZE)
    EVENT = ("event", "ae-evt", limits.MESSAGE_SIZE)
    ACK = ("ack", "ae-ack", limits.MESSAGE_SIZE)
    ADOPT = ("adopt", "ae-adopt", limits.MESSAGE_SIZE)
    SYNC = ("sync", "ae-sync", limits.MESSAGE_SIZE)
    SYNC_ANSWER = ("sync-answer", "ae-answer", limits.MESSAGE_SIZE)
    ANNOUNCE = ("announce", "ae-announce", limits.MESSAGE_SIZE)
    REQUEST = ("request", "ae-request", limits.MESSAGE_SIZE)
    ENTRY = ("log", "ae-entry", limits.ENTRY_SIZE)
    CHECKPOINT = ("checkpoint", "ae-checkpoint", limits.CHECKPOINT_SIZE)
    HEAD = ("head", "ae-head", limits.MESSAGE_SIZE)
    ACCEPTANCE = ("acceptance", "ae-acceptance", limits.MESSAGE_SIZE)
    REIGN = ("reign", "ae-reign", limits.MESSAGE_SIZE)
    HUB_RESPONSE = ("hub-response", "ae-hub-rsp", limits.MESSAGE_SIZE)

    def __init__(self, label: str, typ: str, size: int) -> None:
        self.label = label
        self.typ = typ
        self.size = size


_BY_TYP: Final = {context.typ.encode(): context for context in Context}


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message whose grammar holds; nothing in it is believed before `verify`."""

    context: Context
    kid: KeyId
    protected: bytes
    payload: bytes
    signature: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message signed by us: the bytes to send, and its object id."""

    raw: bytes
    id: ObjectId


class GoodSignatures:
    """Remembers *that a signature is good*, for many accessories in one process (AE-ENV-013).

    The key is SHA-256 over signature, verifying key and all signed bytes; a failure is never remembered, nor
    a judgement of rights. Holds the newest `room` facts.
    """

    def __init__(self, room: int = 4096) -> None:
        self._room = room
        self._good: dict[bytes, None] = {}

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature holds; computes it at most once while it is remembered."""
        if len(signature) != limits.SIGNATURE_SIZE or len(public) != limits.KEY_SIZE:
            return False
        fact = crypto.sha256(signature + public + message)
        if fact in self._good:
            return True
        if not crypto.verify(public, message, signature):
            return False
        if len(self._good) >= self._room:
            del self._good[next(iter(self._good))]
        self._good[fact] = None
        return True


def seal(
    key: crypto.SigningKey,
    context: Context,
    payload: bytes,
    home: HomeId = NO_HOME,
    accessory: AccessoryId = NO_ACCESSORY,
) -> Sealed:
    """Sign a payload in one context, for one home and accessory (zero where none applies).

    Raises:
        ValueError: the message is longer than its type may be.
    """
    typ = context.typ.encode()
    protected = b"\xa3\x01\x32\x04\x48" + key.kid + bytes([0x10, _TSTR + len(typ)]) + typ
    signed = _signed(context, protected, payload, home, accessory)
    signature = key.sign(signed)
    raw = _HEAD + _bstr(protected) + b"\xa0" + _bstr(payload) + b"\x58\x40" + signature
    if len(raw) > context.size:
        raise ValueError(f"{context.label}: {len(raw)} bytes, at most {context.size} are allowed")
    return Sealed(raw, ObjectId(crypto.sha256(signed)))


def parse(data: bytes) -> Envelope:
    """Read one message; no key is needed and no signature is checked.

    Raises:
        TooLarge: longer than any message, or than its type may be (AE-ENV-020).
        Malformed: not the fixed grammar, an unknown type, or bytes after the end (AE-ENV-001).
    """
    if len(data) > limits.CHECKPOINT_SIZE:
        raise TooLarge(f"{len(data)} bytes")
    envelope, end = _read(data, 0)
    if end != len(data):
        raise Malformed("bytes after the end")
    return envelope


def parse_pair(data: bytes) -> tuple[Envelope, Envelope]:
    """Read an array of two messages, the form of a proof of equivocation (AE-LOG-050).

    Raises:
        TooLarge, Malformed: as `parse`.
    """
    if len(data) > limits.PROOF_SIZE:
        raise TooLarge(f"{len(data)} bytes")
    if data[:1] != b"\x82":
        raise Malformed("no array of two")
    first, middle = _read(data, 1)
    second, end = _read(data, middle)
    if end != len(data):
        raise Malformed("bytes after the end")
    return first, second


def object_id(envelope: Envelope, home: HomeId = NO_HOME, accessory: AccessoryId = NO_ACCESSORY) -> ObjectId:
    """Name an object: SHA-256 of its signed bytes, so no re-encoding makes a second name (AE-ENV-012)."""
    signed = _signed(envelope.context, envelope.protected, envelope.payload, home, accessory)
    return ObjectId(crypto.sha256(signed))


def verify(
    envelope: Envelope,
    public: bytes,
    home: HomeId = NO_HOME,
    accessory: AccessoryId = NO_ACCESSORY,
    memo: GoodSignatures | None = None,
) -> ObjectId:
    """Check the signature under a registered key, for one home and accessory; gives the object id.

    Raises:
        BadSignature: it does not hold for exactly these bytes, this context, home and accessory (AE-ENV-010).
    """
    signed = _signed(envelope.context, envelope.protected, envelope.payload, home, accessory)
    check = memo.verify if memo is not None else crypto.verify
    if not check(public, signed, envelope.signature):
        raise BadSignature
    return ObjectId(crypto.sha256(signed))


def _signed(
    context: Context, protected: bytes, payload: bytes, home: HomeId, accessory: AccessoryId
) -> bytes:
    external = b"accessory-emu/1/" + context.label.encode() + b"\x00" + home + accessory
    return b"\x84\x6aSignature1" + _bstr(protected) + _bstr(external) + _bstr(payload)


def _bstr(data: bytes) -> bytes:
    size = len(data)
    if size < _ONE_BYTE:
        return bytes([_BSTR + size]) + data
    if size < 1 << 8:
        return bytes([_BSTR + _ONE_BYTE, size]) + data
    if size < 1 << 16:
        return bytes([_BSTR + _TWO_BYTES]) + size.to_bytes(2) + data
    raise ValueError("a byte string of more than 65535 bytes")


def _read_bstr(data: bytes, at: int) -> tuple[bytes, int]:
    """Read a byte string in its shortest form; gives it and where it ends."""
    if at >= len(data):
        raise Malformed("ends early")
    info, start = data[at] - _BSTR, at + 1
    if 0 <= info < _ONE_BYTE:
        size = info
    elif info == _ONE_BYTE:
        size, start = int.from_bytes(data[start : start + 1]), start + 1
        if size < _ONE_BYTE:
            raise Malformed("not the shortest length")
    elif info == _TWO_BYTES:
        size, start = int.from_bytes(data[start : start + 2]), start + 2
        if size < 1 << 8:
            raise Malformed("not the shortest length")
    else:
        raise Malformed("no byte string")
    if start + size > len(data):
        raise Malformed("ends early")
    return data[start : start + size], start + size


def _read(data: bytes, at: int) -> tuple[Envelope, int]:
    begin = at
    if data[at : at + 2] != _HEAD:
        raise Malformed("no tagged COSE_Sign1")
    protected, at = _read_bstr(data, at + 2)
    if data[at : at + 1] != b"\xa0":
        raise Malformed("the unprotected map is not empty")
    payload, at = _read_bstr(data, at + 1)
    if data[at : at + 2] != b"\x58\x40" or at + 2 + limits.SIGNATURE_SIZE > len(data):
        raise Malformed("no signature of 64 bytes")
    at += 2
    end = at + limits.SIGNATURE_SIZE
    context, kid = _read_protected(protected)
    if end - begin > context.size:
        raise TooLarge(f"{end - begin} bytes, a {context.label} has at most {context.size}")
    return Envelope(context, kid, protected, payload, data[at:end], data[begin:end]), end


def _read_protected(protected: bytes) -> tuple[Context, KeyId]:
    """Read {1: alg, 4: kid, 16: typ}, which has one form only."""
    kid_at, typ_at = 5, 15
    if (
        len(protected) < typ_at
        or protected[:2] != b"\xa3\x01"
        or protected[2] not in _ALGORITHMS
        or protected[3:5] != b"\x04\x48"
        or protected[13] != 0x10  # noqa: PLR2004 - the header's key 16
        or protected[14] != _TSTR + len(protected) - typ_at
    ):
        raise Malformed("not the protected header of this protocol")
    context = _BY_TYP.get(protected[typ_at:])
    if context is None:
        raise Malformed("an unknown type of message")
    return context, KeyId(protected[kid_at : kid_at + limits.ID_SIZE])
