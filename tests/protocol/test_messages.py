"""Every payload has exactly one shape; a field that is missing, unknown or of another kind is malformed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Value, decode, encode
from accessory_emu.protocol.envelope import Context, seal
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import BootId, GrantId, HomeId, ObjectId, Version
from accessory_emu.protocol.messages import (
    Ack,
    Adopt,
    Announce,
    Capabilities,
    Command,
    Fate,
    HintKey,
    HubResponse,
    HubStatus,
    Life,
    Op,
    Response,
    StateEvent,
    Statement,
    read_reason,
)
from accessory_emu.protocol.reasons import Reason
from tests import strategies
from tests.strategies import KEYS

BOOT, HEAD, NONCE = BootId(b"bootboot"), ObjectId(b"h" * 32), b"n" * 16
HOME, NAME, AT = HomeId(b"homehome"), GrantId(b"g" * 16), Version(65_536, 7)
CAPABILITIES = Capabilities(
    16, 256, trusted_time=True, strict=False, sync_hub_s=1, sync_device_s=2, fresh_s=3
)


@dataclass(frozen=True)
class Kind:
    """One payload: a full example, its optional keys, its reader, writer and generator."""

    example: object
    optional: set[int]
    read: Callable[[bytes], object]
    drawn: st.SearchStrategy[object]
    write: Callable[[object], bytes] = lambda message: message.encode()
    free: frozenset[int] = frozenset()  # keys that hold any value


KINDS = {
    "command": Kind(
        Command(BOOT, 1, AT, Op.WRITE, [[1, 10, True], [1, 11, 1.5]], 1_780_000_000, NONCE),
        {4, 7},
        Command.decode,
        strategies.commands,
    ),
    "response": Kind(
        Response(BOOT, bytes(16), Reason.REPLAYED, AT, [[1, 10, 0]], {1: 7, 2: 1}),
        {4, 6},
        Response.decode,
        strategies.responses,
        free=frozenset({4}),
    ),
    "event": Kind(
        StateEvent(BOOT, 1, [[1, 10, True], [1, 11, 20.5]], AT), set(), StateEvent.decode, strategies.events
    ),
    "announcement": Kind(
        Announce(
            KEYS[0].public, BOOT, Life.MEMBER, HOME, AT, HEAD, 5, b"hash", CAPABILITIES, "ae1/a/x/available"
        ),
        {5},
        Announce.decode,
        strategies.announcements,
    ),
    "adoption": Kind(Adopt(HOME, BOOT, HEAD, AT, HEAD), set(), Adopt.decode, strategies.adoptions),
    "ack": Kind(Ack(AT, HEAD, HEAD, ((NAME, Reason.FORBIDDEN),)), set(), Ack.decode, strategies.acks),
    "head": Kind(
        Statement(AT, HEAD, 9),
        set(),
        Statement.decode_head,
        strategies.head_statements,
        Statement.encode_head,
    ),
    "question": Kind(
        Statement(AT, HEAD, nonce=NONCE),
        set(),
        Statement.decode_sync,
        strategies.questions,
        Statement.encode_sync,
    ),
    "answer": Kind(
        Statement(AT, HEAD, 9, NONCE),
        set(),
        Statement.decode_answer,
        strategies.answers,
        Statement.encode_answer,
    ),
    "hub response": Kind(
        HubResponse(NAME, HubStatus.REFUSED, 9, Reason.FORBIDDEN, AT),
        {3, 4},
        HubResponse.decode,
        strategies.hub_responses,
    ),
    "capabilities": Kind(
        CAPABILITIES,
        set(),
        lambda data: Capabilities.read(decode(data)),
        strategies.capabilities,
        lambda message: encode(message.value()),
    ),
}
OTHERS: list[Value] = [
    0,
    2**64 - 1,
    -1,
    True,
    1.5,
    "",
    "x" * 300,
    b"",
    b"x" * 7,
    [],
    [1],
    [1, 2, 3],
    {},
    {1: 1},
]


def fields_of(kind: Kind) -> dict[int, Value]:
    found = decode(kind.write(kind.example), floats=True)
    assert isinstance(found, dict)
    return found


def each_field() -> Iterator[tuple[str, int]]:
    for name, kind in KINDS.items():
        for key in fields_of(kind):
            yield name, key


@pytest.mark.parametrize("name", KINDS)
def test_what_was_written_is_read_and_written_the_same_again(name: str) -> None:
    kind = KINDS[name]
    data = kind.write(kind.example)
    assert kind.read(data) == kind.example
    assert kind.write(kind.read(data)) == data


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=40)
@given(data=st.data())
def test_any_message_is_written_and_read(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    message = data.draw(kind.drawn)
    assert kind.read(kind.write(message)) == message


@pytest.mark.parametrize(("name", "key"), [*each_field()])
def test_a_field_that_is_missing_is_malformed_unless_it_is_optional(name: str, key: int) -> None:
    kind = KINDS[name]
    fields = fields_of(kind)
    del fields[key]
    if key in kind.optional:
        assert encode(fields) == kind.write(kind.read(encode(fields)))
    else:
        with pytest.raises(Malformed):
            kind.read(encode(fields))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("key", [0, 12, 13, 99, 2**64 - 1])
def test_a_field_that_nobody_knows_is_malformed(name: str, key: int) -> None:
    kind = KINDS[name]
    fields = fields_of(kind)
    with pytest.raises(Malformed, match="unknown fields"):
        kind.read(encode({**fields, key: 0}))


@pytest.mark.parametrize(("name", "key"), [*each_field()])
def test_a_field_of_another_kind_is_malformed(name: str, key: int) -> None:
    kind = KINDS[name]
    refused = 0
    for other in OTHERS:
        data = encode({**fields_of(kind), key: other})
        try:
            message = kind.read(data)
        except Malformed:
            refused += 1
        else:
            again = decode(kind.write(message), floats=True)
            assert again == {**fields_of(kind), key: other}, "taken as something else"
    assert refused >= (0 if key in kind.free else 6)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=30)
@given(data=st.binary(max_size=60) | strategies.values().map(encode))
def test_arbitrary_bytes_are_malformed_or_a_message(name: str, data: bytes) -> None:
    kind = KINDS[name]
    try:
        message = kind.read(data)
    except Malformed:
        return
    assert kind.read(kind.write(message)) == message


@pytest.mark.parametrize(
    "name", ["adoption", "ack", "head", "question", "answer", "hub response", "announcement"]
)
def test_a_float_stands_nowhere_outside_values(name: str) -> None:
    kind = KINDS[name]
    for key in fields_of(kind):
        with pytest.raises(Malformed):
            kind.read(encode({**fields_of(kind), key: 1.0}))


COUNTERS = {"minus one": -1, "a float": 1.0, "text": "5", "a boolean": True, "bytes": b"5"}


@pytest.mark.parametrize("counter", COUNTERS.values(), ids=COUNTERS)
def test_a_counter_an_epoch_and_an_op_are_unsigned_integers(counter: Value) -> None:
    fields = fields_of(KINDS["command"])
    for key, value in ((2, counter), (3, [counter, 0]), (3, [0, counter]), (4, counter), (5, counter)):
        with pytest.raises(Malformed):
            Command.decode(encode({**fields, key: value}))


def test_a_command_takes_32_items_and_an_op_that_nobody_knows() -> None:
    items: list[Value] = [[1, number] for number in range(33)]
    at_limit = Command(BOOT, 1, AT, 99, items[:32])
    assert Command.decode(at_limit.encode()) == at_limit
    with pytest.raises(Malformed):
        Command.decode(Command(BOOT, 1, AT, Op.READ, items).encode())


def test_a_command_by_itself_has_no_args_no_expiry_and_no_nonce() -> None:
    message = Command.decode(Command(BOOT, 1, AT, Op.STATUS).encode())
    assert (list(message.args), message.expires, message.nonce) == ([], None, None)


@pytest.mark.parametrize("status", [None, *Reason])
def test_a_status_is_zero_or_the_number_of_a_reason(status: Reason | None) -> None:
    response = Response(BOOT, bytes(16), status, AT)
    assert Response.decode(response.encode()) == response
    number = decode(response.encode())[3]  # type: ignore[index, call-overload]  # a map
    assert number == (0 if status is None else int(status))
    assert read_reason(number) is status


@pytest.mark.parametrize("number", [22, 99, 2**64 - 1])
def test_a_reason_that_nobody_knows_is_malformed(number: int) -> None:
    with pytest.raises(Malformed, match="unknown reason"):
        read_reason(number)
    with pytest.raises(Malformed):
        Response.decode(encode({**fields_of(KINDS["response"]), 3: number}))


def test_an_optional_field_without_a_value_is_absent() -> None:
    for name, key, empty in (("response", 6, {}), ("hub response", 3, 0)):
        kind = KINDS[name]
        with pytest.raises(Malformed):
            kind.read(encode({**fields_of(kind), key: empty}))


def test_an_empty_hint_is_no_hint() -> None:
    assert (
        Response(BOOT, bytes(16), None, AT, hint={}).encode() == Response(BOOT, bytes(16), None, AT).encode()
    )


@pytest.mark.parametrize("change", [[1, 10], [1, 10, 1, 1], [True, 10, 1], [1, "10", 1], [1, -1, 1], 5, {}])
def test_a_change_is_a_place_and_a_value(change: Value) -> None:
    with pytest.raises(Malformed):
        StateEvent.decode(StateEvent(BOOT, 1, [[1, 10, True], change], AT).encode())


@pytest.mark.parametrize(
    "row", [[NAME], [NAME, 11, 0], [NAME, 0], [NAME, 99], [NAME[:8], 11], [11, NAME], 11]
)
def test_a_refused_request_is_a_name_and_a_reason(row: Value) -> None:
    fields = fields_of(KINDS["ack"])
    with pytest.raises(Malformed):
        Ack.decode(encode({**fields, 4: [row]}))
    assert Ack.decode(encode({**fields, 4: []})).refused == ()


def test_the_largest_ack_fits_into_a_message() -> None:
    most = Version(2**64 - 1, 2**64 - 1)
    rows = tuple((GrantId(number.to_bytes(16)), Reason.NOT_IN_SYNC) for number in range(limits.NAMED_IN_ACK))
    sealed = seal(KEYS[0], Context.ACK, Ack(most, HEAD, HEAD, rows).encode())
    assert len(sealed.raw) <= limits.MESSAGE_SIZE


@pytest.mark.parametrize(
    ("key", "value"), [(1, 0), (1, 2), (4, 3), (8, 65_536), (11, "x" * 257), (10, {}), (9, b"hashes")]
)
def test_an_announcement_of_another_version_state_or_size_is_malformed(key: int, value: Value) -> None:
    with pytest.raises(Malformed):
        Announce.decode(encode({**fields_of(KINDS["announcement"]), key: value}))


@pytest.mark.parametrize("key", [3, 4])
def test_a_capability_is_zero_or_one(key: int) -> None:
    fields = fields_of(KINDS["capabilities"])
    with pytest.raises(Malformed):
        Capabilities.read({**fields, key: 2})


@pytest.mark.parametrize("status", [3, 99])
def test_a_hub_status_that_nobody_knows_is_malformed(status: int) -> None:
    with pytest.raises(Malformed):
        HubResponse.decode(encode({**fields_of(KINDS["hub response"]), 2: status}))


def test_the_numbers_that_go_over_the_wire() -> None:
    assert [(op.name.lower(), int(op)) for op in Op] == [
        ("read", 1),
        ("write", 2),
        ("identify", 3),
        ("list", 4),
        ("status", 5),
        ("prepare", 6),
        ("release", 7),
    ]
    assert [int(key) for key in HintKey] == [1, 2, 3, 4, 5]
    assert (Fate.NOT_EXECUTED, Fate.UNKNOWN) == (0, 1)
    assert (Life.UNPAIRED, Life.PAIRED, Life.MEMBER) == (0, 1, 2)
    assert (HubStatus.COMMITTED, HubStatus.READY, HubStatus.REFUSED) == (0, 1, 2)
