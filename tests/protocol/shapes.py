"""What every payload is held against: each field left out, of another kind, or one too many."""

from collections.abc import Callable, Collection, Iterator, Mapping

from accessory_emu.protocol.encoding import Value, decode, encode
from accessory_emu.protocol.errors import Malformed

OTHERS: tuple[Value, ...] = (
    0,
    2**64 - 1,
    -1,
    True,
    "",
    "x" * 300,
    b"",
    b"x" * 7,
    b"x" * 70_000,
    [],
    [1],
    [1, 2, 3],
    {},
    {1: 1},
)
Read = Callable[[bytes], object]


def fields_of(payload: bytes) -> dict[int, Value]:
    """Take a payload apart."""
    fields = decode(payload, floats=True)
    assert isinstance(fields, dict)
    return fields


def refuses(read: Read, fields: Mapping[int, Value]) -> bool:
    """Tell whether a payload of these fields is malformed."""
    try:
        read(encode(fields))
    except Malformed:
        return True
    return False


def bent(fields: Mapping[int, Value], free: Collection[int]) -> Iterator[dict[int, Value]]:
    """Give the fields with one of another kind; `free` ones hold any value."""
    for key in fields:
        for other in OTHERS:
            if key not in free and type(other) is not type(fields[key]):
                yield {**fields, key: other}


def assert_shape(
    read: Read, payload: bytes, optional: Collection[int] = (), free: Collection[int] = ()
) -> None:
    """Assert that a reader takes exactly this shape: no field less, none more, none of another kind."""
    fields = fields_of(payload)
    assert not refuses(read, fields)
    for key in fields:
        less = {number: value for number, value in fields.items() if number != key}
        assert refuses(read, less) == (key not in optional), f"without field {key}"
    for key in {0, 17, 99, 2**64 - 1}:
        assert refuses(read, {**fields, key: 1}), f"with field {key}"
    for other in bent(fields, free):
        assert refuses(read, other), other
    for whole in OTHERS:
        assert refuses(read, whole), whole  # type: ignore[arg-type]  # a payload that is no map
