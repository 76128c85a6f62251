"""TLV8 bytes to items and back.

HAP writes a message as items of one byte type, one byte length and at most 255 bytes. A longer value is cut
into fragments: items of the same type in a row, all but the last of them full. Two values of one type are
kept apart by an item of another type, as a rule by the empty separator. Every list of items has exactly one
form here, and every other form is refused.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from accessory_emu.protocol import limits

FRAGMENT_SIZE: Final = 255
SEPARATOR: Final = 0xFF
_HEAD_SIZE: Final = 2


class ItemType(IntEnum):
    """The item types of Pair-Setup (AE-PAIR-001); a reader passes over types that it does not know."""

    METHOD = 0
    IDENTIFIER = 1
    SALT = 2
    PUBLIC_KEY = 3
    PROOF = 4
    ENCRYPTED_DATA = 5
    STATE = 6
    ERROR = 7
    SIGNATURE = 10


class TlvError(IntEnum):
    """The values of an error item (AE-PAIR-001)."""

    UNKNOWN = 1
    AUTHENTICATION = 2
    MAX_PEERS = 4
    MAX_TRIES = 5
    UNAVAILABLE = 6
    BUSY = 7


class Tlv8Error(ValueError):
    """The bytes are not TLV8 in its one form, or the items have no such form."""


def encode(items: Sequence[tuple[int, bytes]]) -> bytes:
    """Write items in their order; a value of more than 255 bytes is cut into fragments.

    Args:
        items: pairs of a type (0 to 255) and a value; (SEPARATOR, b"") keeps two values of one type apart.

    Raises:
        Tlv8Error: a type of more than a byte, two neighbours of one type, a separator with a value, or more
            than fits into a message.

    Spec: AE-PAIR-002.
    """
    written = bytearray()
    before = None
    for kind, value in items:
        if not 0 <= kind <= 0xFF:  # noqa: PLR2004 - a byte
            raise Tlv8Error("the type of an item is one byte")
        _check(before, kind, value)
        before = kind
        for start in range(0, len(value) or 1, FRAGMENT_SIZE):
            fragment = value[start : start + FRAGMENT_SIZE]
            written += bytes((kind, len(fragment))) + fragment
    if len(written) > limits.MESSAGE_SIZE:
        raise Tlv8Error("longer than a message may be")
    return bytes(written)


def decode(data: bytes) -> list[tuple[int, bytes]]:
    """Read items in their order, separators included and fragments joined.

    Raises:
        Tlv8Error: cut off, longer than a message, or not the one form of its items.

    Spec: AE-PAIR-002.
    """
    if len(data) > limits.MESSAGE_SIZE:
        raise Tlv8Error("longer than a message may be")
    items: list[tuple[int, bytes]] = []
    position = 0
    goes_on = False  # the fragment before was full, so one of the same type belongs to it
    while position < len(data):
        kind, fragment = _fragment(data, position)
        position += _HEAD_SIZE + len(fragment)
        before = items[-1][0] if items else None
        if goes_on and kind == before:
            if not fragment:
                raise Tlv8Error("an empty fragment")
            items[-1] = (kind, items[-1][1] + fragment)
        else:
            _check(before, kind, fragment)
            items.append((kind, fragment))
        goes_on = len(fragment) == FRAGMENT_SIZE
    return items


def decode_unique(data: bytes) -> dict[int, bytes]:
    """Read a message in which each type stands at most once; separators are left out.

    Raises:
        Tlv8Error: as `decode`, or a type stands twice.

    Spec: AE-PAIR-002.
    """
    values: dict[int, bytes] = {}
    for kind, value in decode(data):
        if kind in values:
            raise Tlv8Error("an item stands twice")
        if kind != SEPARATOR:
            values[kind] = value
    return values


def _fragment(data: bytes, position: int) -> tuple[int, bytes]:
    """Read one item with its head, which begins at `position`."""
    head = data[position : position + _HEAD_SIZE]
    if len(head) < _HEAD_SIZE:
        raise Tlv8Error("cut off after a type")
    kind, size = head
    fragment = data[position + _HEAD_SIZE : position + _HEAD_SIZE + size]
    if len(fragment) < size:
        raise Tlv8Error("cut off inside a value")
    return kind, fragment


def _check(before: int | None, kind: int, value: bytes) -> None:
    """Refuse what could be read in two ways."""
    if kind == before:
        raise Tlv8Error("two neighbours of one type need a separator between them")
    if kind == SEPARATOR and value:
        raise Tlv8Error("a separator holds no value")
