"""Deterministic CBOR to values and back; refuses every other form.

The grammar is small (AE-ENV-030): integers of 64 bits, byte strings, text, booleans, floats where allowed,
arrays, and maps with unsigned integer keys in ascending order. Every item has exactly one form. cbor2 does
the parsing; the comparison with the canonical form closes what it leaves open (longer encodings, order of
keys, bytes after the end).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NoReturn, TypeAlias, TypeVar, Union

import cbor2

from accessory_emu.protocol import limits
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import Version

# Union, not |: a recursive alias whose quoted parts | cannot join at run time
Value: TypeAlias = Union[bool, int, float, str, bytes, "Sequence[Value]", "Mapping[int, Value]"]
Map: TypeAlias = "Mapping[int, Value]"
T = TypeVar("T")

_INT_MIN: Final = -(2**64)


def _no_tag(*_: object) -> NoReturn:
    raise Malformed("a tag inside the payload")


# cbor2's own decoders compile regular expressions (tag 35) and make cycles (28, 29) while they read: each of
# its numbers is taken over here; `tag_hook` sees only the numbers that it has no decoder for.
_NO_TAGS: Final = dict.fromkeys([*range(1024), 1004, 43000, 55799], _no_tag)


def encode(value: Value) -> bytes:
    """Write a value in its one form (AE-ENV-030).

    Raises:
        ValueError: the value has no form here (None, NaN, an integer over 64 bits, a text key).
    """
    try:
        _check(value, 0, floats=True)
    except Malformed as error:
        raise ValueError(error.detail) from None
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, *, floats: bool = False) -> Value:
    """Read the one form of a value; `floats` allows floating-point numbers (characteristic values only).

    Raises:
        Malformed: anything else, bytes after the end included.

    Spec: AE-ENV-030, AE-ENV-031.
    """
    try:
        value: Value = cbor2.loads(
            data,
            semantic_decoders=_NO_TAGS,
            tag_hook=_no_tag,
            max_depth=limits.CBOR_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
        _check(value, 0, floats=floats)
        canonical = cbor2.dumps(value, canonical=True)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Malformed("not CBOR of the allowed kind") from error
    if canonical != data:
        raise Malformed("not the shortest, ordered form, or bytes after the end")
    return value


def _check(value: Value, depth: int, *, floats: bool) -> None:
    """Refuse a value outside the grammar; `depth` counts the containers around it."""
    if isinstance(value, Mapping | list | tuple):
        if depth >= limits.CBOR_DEPTH:
            raise Malformed("nested too deeply")
        if isinstance(value, Mapping):
            for key in value:
                if type(key) is not int or not 0 <= key <= limits.UINT64_MAX:
                    raise Malformed("a map key that is no unsigned integer")
            value = list(value.values())
        for item in value:
            _check(item, depth + 1, floats=floats)
    else:
        _check_scalar(value, floats=floats)


def _check_scalar(value: Value, *, floats: bool) -> None:
    if isinstance(value, bytes | bool | str):
        return
    if isinstance(value, int):
        if not _INT_MIN <= value <= limits.UINT64_MAX:
            raise Malformed("an integer of more than 64 bits")
    elif isinstance(value, float):
        if not floats or not math.isfinite(value):
            raise Malformed("a float where none may stand, or not a finite one")
    else:
        raise Malformed(f"a value of no allowed kind: {type(value).__name__}")


def pack(fields: Mapping[int, Value | None]) -> bytes:
    """Encode a payload map; a field whose value is None is absent."""
    return encode({key: value for key, value in fields.items() if value is not None})


class Fields:
    """A payload map, read field by field; every reader raises Malformed for what is missing or wrong.

    `end` refuses the keys that nobody asked for: unknown keys make an object malformed (AE-ENV-032).
    """

    def __init__(self, value: Value) -> None:
        if not isinstance(value, Mapping):
            raise Malformed("the payload is no map")
        self._rest = dict(value)

    def maybe(self, key: int, read: Callable[[int], T]) -> T | None:
        """Take an optional field with one of the readers; None where it is absent."""
        return read(key) if key in self._rest else None

    def maybe_octets(self, key: int, size: int) -> bytes | None:
        """Take an optional byte string of exactly `size` bytes."""
        return self.octets(key, size) if key in self._rest else None

    def value(self, key: int) -> Value:
        """Take any value."""
        try:
            return self._rest.pop(key)
        except KeyError:
            raise Malformed(f"field {key} is missing") from None

    def uint(self, key: int, most: int = limits.UINT64_MAX) -> int:
        """Take an unsigned integer of at most `most`."""
        return as_uint(self.value(key), most)

    def octets(self, key: int, size: int) -> bytes:
        """Take a byte string of exactly `size` bytes."""
        return as_bytes(self.value(key), size)

    def blob(self, key: int, most: int) -> bytes:
        """Take a byte string of at most `most` bytes."""
        value = self.value(key)
        if not isinstance(value, bytes) or len(value) > most:
            raise Malformed(f"field {key} is no byte string, or too long")
        return value

    def text(self, key: int, most: int = 256) -> str:
        """Take a text of at most `most` characters."""
        value = self.value(key)
        if not isinstance(value, str) or len(value) > most:
            raise Malformed(f"field {key} is no text, or too long")
        return value

    def list(self, key: int, most: int = 1024) -> Sequence[Value]:
        """Take an array of at most `most` items."""
        return as_list(self.value(key), most)

    def version(self, key: int) -> Version:
        """Take a version [epoch, seq]."""
        return as_version(self.value(key))

    def end(self) -> None:
        """Refuse what nobody asked for."""
        if self._rest:
            raise Malformed(f"unknown fields: {', '.join(map(str, sorted(self._rest)))}")


def as_uint(value: Value, most: int = limits.UINT64_MAX) -> int:
    """Take a value as an unsigned integer, or raise Malformed."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise Malformed("no unsigned integer of the allowed size")
    return value


def as_bytes(value: Value, size: int) -> bytes:
    """Take a value as a byte string of exactly `size` bytes, or raise Malformed."""
    if not isinstance(value, bytes) or len(value) != size:
        raise Malformed(f"no byte string of {size} bytes")
    return value


def as_list(value: Value, most: int = 1024) -> Sequence[Value]:
    """Take a value as an array of at most `most` items, or raise Malformed."""
    if not isinstance(value, list | tuple) or len(value) > most:
        raise Malformed("no array, or too long")
    return value


def as_version(value: Value) -> Version:
    """Take a value as a version [epoch, seq], or raise Malformed."""
    items = as_list(value, 2)
    if len(items) != 2:  # noqa: PLR2004 - a pair
        raise Malformed("a version is [epoch, seq]")
    return Version(as_uint(items[0]), as_uint(items[1]))


def version_value(version: Version) -> list[Value]:
    """Give a version as the array that goes over the wire."""
    return [version.epoch, version.seq]
