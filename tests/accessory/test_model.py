"""Values are judged as HAP judges them, and no write can break a model."""

import dataclasses
import struct
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accessory_emu.accessory.model import (
    RANGES,
    Accessory,
    Characteristic,
    Format,
    Model,
    Permission,
    Plain,
    ReadResult,
    Rule,
    Service,
    Status,
    reason_of,
)
from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import decode, encode
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.reasons import Reason

READ, WRITE, NOTIFY = Permission.READ, Permission.WRITE, Permission.NOTIFY
OPEN = READ | WRITE | NOTIFY


def one(form: Format, default: Plain = 0, **more: object) -> Characteristic:
    return dataclasses.replace(Characteristic(10, "25", "value", form, OPEN, default), **more)  # type: ignore[arg-type]  # the tables below name fields


BOOL, TEXT = one(Format.BOOL, default=False), one(Format.STRING, "")
PERCENT = one(Format.INT, low=0, high=100, step=1)
EVENS = one(Format.INT, low=-4, high=4, step=2)
DEGREES = one(Format.FLOAT, 20.0, low=10, high=38, step=0.1)
FLOAT = one(Format.FLOAT, 0.0)
BOLT = one(Format.UINT8, 1, words={"unlocked": 0, "locked": 1})

SINGLE = struct.unpack("f", struct.pack("f", 20.1))[0]  # 20.100000381...

FITS: Mapping[str, tuple[Characteristic, object, Plain]] = {
    "true is a boolean": (BOOL, True, True),
    "false is a boolean": (BOOL, False, False),
    "the lowest percentage": (PERCENT, 0, 0),
    "the highest percentage": (PERCENT, 100, 100),
    "a whole step from a negative start": (EVENS, -2, -2),
    "a float on a step": (DEGREES, 20.5, 20.5),
    "an integer where floats are": (DEGREES, 20, 20.0),
    "the top of a range of floats": (DEGREES, 38, 38.0),
    "a step in single precision": (DEGREES, SINGLE, 20.1),
    "a float without steps": (FLOAT, 1.2345, 1.2345),
    "minus zero is zero": (FLOAT, -0.0, 0.0),
    "a valid value": (BOLT, 1, 1),
    "an empty text": (TEXT, "", ""),
    "64 bytes of ASCII": (TEXT, "x" * 64, "x" * 64),
    "64 bytes of UTF-8": (TEXT, "é" * 32, "é" * 32),
}
MISFITS: Mapping[str, tuple[Characteristic, object]] = {
    "one is no boolean": (BOOL, 1),
    "zero is no boolean": (BOOL, 0),
    "the word true is no boolean": (BOOL, "true"),
    "true is no number": (PERCENT, True),
    "a boolean is no valid value": (BOLT, True),
    "true is no float": (FLOAT, True),
    "below the range": (PERCENT, -1),
    "above the range": (PERCENT, 101),
    "a whole float is no integer": (PERCENT, 40.0),
    "a word is no number on the wire": (BOLT, "locked"),
    "a number that no word names": (BOLT, 2),
    "between two whole steps": (EVENS, 1),
    "between two steps": (DEGREES, 20.55),
    "just above a range of floats": (DEGREES, 38.01),
    "no number": (FLOAT, float("nan")),
    "infinite": (FLOAT, float("inf")),
    "minus infinite": (FLOAT, float("-inf")),
    "an integer no float can hold": (FLOAT, 10**400),
    "a double that no single can hold": (FLOAT, 1e300),
    "65 bytes of ASCII": (TEXT, "x" * 65),
    "66 bytes of UTF-8 in 33 characters": (TEXT, "é" * 33),
    "a text with NUL": (TEXT, "a\0b"),
    "half a surrogate pair": (TEXT, "\ud800"),
    "bytes are no text": (TEXT, b"abc"),
    "an array": (PERCENT, [1]),
    "a map": (PERCENT, {1: 1}),
    "nothing": (PERCENT, None),
}


@pytest.mark.parametrize(("characteristic", "value", "want"), FITS.values(), ids=FITS)
def test_an_allowed_value_is_taken_in_its_one_form(
    characteristic: Characteristic, value: object, want: Plain
) -> None:
    got = characteristic.fit(value)
    assert got == want
    assert repr(got) == repr(want)  # 20 is not 20.0, -0.0 is not 0.0, True is not 1


@pytest.mark.parametrize(("characteristic", "value"), MISFITS.values(), ids=MISFITS)
def test_what_is_not_allowed_is_refused(characteristic: Characteristic, value: object) -> None:
    assert characteristic.fit(value) is None


@pytest.mark.parametrize("form", RANGES)
def test_without_a_range_the_formats_own_holds(form: Format) -> None:
    low, high = RANGES[form]
    number = one(form, low)
    assert number.fit(low) == low
    assert number.fit(high) == high
    assert number.fit(low - abs(low) - 1) is None
    assert number.fit(high * 2) is None


WORDS: Mapping[
    str, tuple[Characteristic, str, Plain, Plain]
] = {  # text, as people write it, as the wire has it
    "true": (BOOL, "true", True, True),
    "false": (BOOL, "false", False, False),
    "a whole number": (PERCENT, "40", 40, 40),
    "a negative number": (EVENS, "-4", -4, -4),
    "a decimal number": (DEGREES, "20.5", 20.5, 20.5),
    "a whole number where floats are": (DEGREES, "20", 20, 20.0),
    "a word of an enumeration": (BOLT, "unlocked", "unlocked", 0),
    "a text": (TEXT, "40", "40", "40"),
}
NO_WORDS: Mapping[str, tuple[Characteristic, str, str]] = {
    "on is no boolean": (BOOL, "on", "true or false"),
    "True is no boolean": (BOOL, "True", "true or false"),
    "too much": (PERCENT, "140", "0 to 100 in steps of 1"),
    "a decimal point in a whole number": (PERCENT, "40.0", "0 to 100"),
    "no number": (PERCENT, "bright", "0 to 100"),
    "a number with a space": (PERCENT, " 40", "0 to 100"),
    "a number with an underscore": (PERCENT, "4_0", "0 to 100"),
    "digits of another script": (PERCENT, "\u0664\u0660", "0 to 100"),
    "a number of 5,000 digits": (PERCENT, "1" * 5000, "0 to 100"),
    "between two steps": (DEGREES, "20.55", "10 to 38 in steps of 0.1"),
    "not a number": (DEGREES, "nan", "10 to 38"),
    "the number of a word": (BOLT, "1", "unlocked or locked"),
    "another word": (BOLT, "open", "unlocked or locked"),
    "a long text": (TEXT, "x" * 65, "64 bytes"),
    "nothing": (PERCENT, "", "0 to 100"),
}


@pytest.mark.parametrize(("characteristic", "text", "given_", "wire"), WORDS.values(), ids=WORDS)
def test_a_word_reads_and_goes_to_the_wire_and_back(
    characteristic: Characteristic, text: str, given_: Plain, wire: Plain
) -> None:
    assert characteristic.parse(text) == given_
    assert characteristic.from_word(given_) == wire
    assert characteristic.to_word(wire) == given_


@pytest.mark.parametrize(("characteristic", "text", "says"), NO_WORDS.values(), ids=NO_WORDS)
def test_a_wrong_word_is_refused_with_what_is_allowed(
    characteristic: Characteristic, text: str, says: str
) -> None:
    with pytest.raises(ValueError, match=r"^value: .* is not allowed, only ") as error:
        characteristic.parse(text)
    assert says in str(error.value)


def test_a_number_without_a_word_stays_a_number() -> None:
    assert BOLT.to_word(7) == 7
    assert BOLT.to_word(value=True) is True


TARGET = Characteristic(11, "1E", "target", Format.UINT8, OPEN, 1, words={"unlocked": 0, "locked": 1})
STATE = dataclasses.replace(TARGET, iid=12, word="state", permissions=READ | NOTIFY)
LAMP = Characteristic(13, "30", "lamp", Format.UINT8, READ | NOTIFY, 11)
LEVEL = Characteristic(14, "8", "level", Format.INT, OPEN, 5, 0, 100, 1)
WARMTH = Characteristic(15, "35", "warmth", Format.FLOAT, OPEN, 20.0, 10, 38, 0.1)
LABEL = Characteristic(16, "E3", "label", Format.STRING, OPEN, "")
IDENTIFY = Characteristic(2, "14", "identify", Format.BOOL, WRITE, default=False)
MAKER = Characteristic(3, "20", "maker", Format.STRING, READ, "us")
ACCESSORY = Accessory(
    1,
    (
        Service(1, "3E", (IDENTIFY, MAKER)),
        Service(10, "45", (TARGET, STATE, LAMP, LEVEL, WARMTH, LABEL)),
    ),
    (
        Rule(frozenset({"target"}), "state", lambda values: values["target"]),
        Rule(frozenset({"state"}), "lamp", lambda values: 10 + int(values["state"])),
    ),
)
MODEL = Model.of(ACCESSORY)

ok, bad, missing = Status.SUCCESS, Status.INVALID_VALUE, Status.DOES_NOT_EXIST
WRITES: Mapping[str, tuple[list[tuple[int, int, Plain]], list[Status], list[tuple[int, int, Plain]]]] = {
    "nothing": ([], [], []),
    "one value": ([(1, 14, 6)], [ok], [(1, 14, 6)]),
    "the value that was there": ([(1, 14, 5)], [ok], []),
    "two values": ([(1, 15, 21.5), (1, 14, 6)], [ok, ok], [(1, 14, 6), (1, 15, 21.5)]),
    "a bad value beside a good one": ([(1, 14, 101), (1, 15, 21)], [bad, ok], [(1, 15, 21.0)]),
    "a read-only value": ([(1, 12, 0)], [Status.READ_ONLY], []),
    "a fixed value": ([(1, 3, "them")], [Status.READ_ONLY], []),
    "an unknown iid": ([(1, 99, 1)], [missing], []),
    "the iid of a service": ([(1, 10, 1)], [missing], []),
    "an unknown aid": ([(2, 14, 6)], [missing], []),
    "twice the same place": ([(1, 14, 6), (1, 14, 7)], [ok, ok], [(1, 14, 7)]),
    "there and back": ([(1, 14, 6), (1, 14, 5)], [ok, ok], []),
    "a good and then a bad value": ([(1, 14, 6), (1, 14, -1)], [ok, bad], [(1, 14, 6)]),
    "what others follow": ([(1, 11, 0)], [ok], [(1, 11, 0), (1, 12, 0), (1, 13, 10)]),
    "an act leaves no value": ([(1, 2, True)], [ok], []),
    "a bad act": ([(1, 2, 1)], [bad], []),
}


@pytest.mark.parametrize(("items", "statuses", "changed"), WRITES.values(), ids=WRITES)
def test_each_item_of_a_write_is_judged_for_itself(
    items: list[tuple[int, int, Plain]], statuses: list[Status], changed: list[tuple[int, int, Plain]]
) -> None:
    before = MODEL.dump()
    outcome = MODEL.write(items)
    assert outcome.results == tuple(
        (aid, iid, status) for (aid, iid, _), status in zip(items, statuses, strict=True)
    )
    assert outcome.changed == tuple(changed)
    assert outcome.model.changes_since(MODEL) == tuple(changed)
    assert MODEL.dump() == before  # nothing changes in place


def test_accepted_acts_are_told_apart_from_values() -> None:
    assert MODEL.write([(1, 2, True), (1, 14, 6), (1, 2, 1)]).acts == ((1, 2, True),)


def test_writing_the_same_target_again_moves_what_follows_it() -> None:
    jammed = MODEL.with_state({"state": "unlocked"})
    assert jammed.write([(1, 11, 1)]).changed == ((1, 12, 1), (1, 13, 11))


REASONS: Mapping[str, tuple[list[Status], Reason | None]] = {
    "no items": ([], None),
    "all succeeded": ([ok, ok], None),
    "one succeeded": ([bad, ok, missing], None),
    "nothing exists": ([missing, missing], Reason.NOT_SUPPORTED),
    "all is read-only": ([Status.READ_ONLY], Reason.NOT_SUPPORTED),
    "all is write-only": ([Status.WRITE_ONLY], Reason.NOT_SUPPORTED),
    "a bad value": ([bad], Reason.BAD_VALUE),
    "a bad value and an unknown place": ([missing, bad], Reason.BAD_VALUE),
    "too many items": ([Status.OUT_OF_RESOURCES] * 33, Reason.BAD_VALUE),
}


@pytest.mark.parametrize(("statuses", "want"), REASONS.values(), ids=REASONS)
def test_a_command_is_refused_only_if_no_item_succeeds(statuses: list[Status], want: Reason | None) -> None:
    assert reason_of(statuses) is want


def test_the_outcome_of_a_write_knows_its_reason() -> None:
    assert MODEL.write([(1, 14, 101)]).reason() is Reason.BAD_VALUE
    assert MODEL.write([(1, 99, 1)]).reason() is Reason.NOT_SUPPORTED
    assert MODEL.write([(1, 99, 1), (1, 14, 6)]).reason() is None


def test_reading_gives_values_or_statuses() -> None:
    assert MODEL.read([(1, 14), (1, 3), (1, 2), (1, 10), (2, 14), (1, 14)]) == [
        ReadResult(1, 14, ok, 5),
        ReadResult(1, 3, ok, "us"),
        ReadResult(1, 2, Status.WRITE_ONLY),
        ReadResult(1, 10, missing),
        ReadResult(2, 14, missing),
        ReadResult(1, 14, ok, 5),
    ]


def test_as_many_items_as_are_allowed_are_judged_and_one_more_refuses_all() -> None:
    most = [(1, 14, 6)] * limits.ITEMS_IN_COMMAND
    assert [status for _, _, status in MODEL.write(most).results] == [ok] * len(most)
    assert all(each.status is ok for each in MODEL.read([(1, 14)] * len(most)))
    over = MODEL.write([*most, (1, 14, 6)])
    assert over.results == ((1, 14, Status.OUT_OF_RESOURCES),) * (len(most) + 1)
    assert over.model is MODEL
    refused = ReadResult(1, 14, Status.OUT_OF_RESOURCES)
    assert MODEL.read([(1, 14)] * (len(most) + 1)) == [refused] * (len(most) + 1)


def test_an_answer_full_of_the_longest_texts_fits_into_a_message() -> None:
    full = MODEL.write([(1, 16, "x" * limits.STRING_SIZE)]).model
    rows = [
        [each.aid, each.iid, int(each.status), each.value or ""]
        for each in full.read([(1, 16)] * limits.ITEMS_IN_COMMAND)
    ]
    assert len(encode(rows)) + 512 < limits.MESSAGE_SIZE  # 512: envelope and the other fields


def test_the_device_itself_sets_read_only_values_and_rules_spare_what_is_named() -> None:
    model = MODEL.with_state({"target": "unlocked", "state": "locked"})
    assert model.changes_since(MODEL) == ((1, 11, 0),)
    assert MODEL.with_state({"target": "unlocked"}).changes_since(MODEL) == (
        (1, 11, 0),
        (1, 12, 0),
        (1, 13, 10),
    )


@pytest.mark.parametrize("state", [{"nothing": 1}, {"identify": True}, {"level": 101}, {"target": 1}])
def test_the_device_cannot_set_what_does_not_exist_or_fit(state: Mapping[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(state))):
        MODEL.with_state(state)


def test_only_what_can_change_is_kept() -> None:
    assert decode(MODEL.dump(), floats=True) == {1: {11: 1, 12: 1, 13: 11, 14: 5, 15: 20.0, 16: ""}}


LOADS: Mapping[str, tuple[Mapping[int, Mapping[int, Plain]], list[tuple[int, int, Plain]]]] = {
    "one value, the others keep theirs": ({1: {14: 6}}, [(1, 14, 6)]),
    "an unknown place is dropped": ({1: {14: 6, 99: 1}}, [(1, 14, 6)]),
    "another accessory is dropped": ({2: {14: 6}}, []),
    "a fixed value is dropped": ({1: {3: "them"}}, []),
    "rules do not run": ({1: {11: 0}}, [(1, 11, 0)]),
    "nothing": ({}, []),
}
DAMAGED: Mapping[str, bytes] = {
    "no bytes": b"",
    "half a dump": MODEL.dump()[:-1],
    "a dump and a byte": MODEL.dump() + b"\0",
    "no map": encode([1]),
    "a map of numbers": encode({1: 1}),
    "a value outside its range": encode({1: {14: 101}}),
    "a value of another format": encode({1: {14: "5"}}),
}


@pytest.mark.parametrize(("kept", "changed"), LOADS.values(), ids=LOADS)
def test_kept_values_are_taken_in(
    kept: Mapping[int, Mapping[int, Plain]], changed: list[tuple[int, int, Plain]]
) -> None:
    assert MODEL.load(encode(kept)).changes_since(MODEL) == tuple(changed)


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_damaged_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        MODEL.load(data)


ANY = st.recursive(
    st.one_of(
        st.booleans(), st.integers(), st.floats(), st.text(max_size=70), st.binary(max_size=8), st.none()
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.integers(0, 3), inner, max_size=2),
    max_leaves=3,
)
LIKELY = st.one_of(
    st.integers(-1, 101), st.integers(90, 390).map(lambda tenth: tenth / 10), st.booleans(), ANY
)
ITEMS = st.lists(
    st.tuples(st.sampled_from([1, 1, 1, 2]), st.integers(1, 17), LIKELY), max_size=limits.ITEMS_IN_COMMAND + 1
)


@given(ITEMS)
@settings(max_examples=100)
def test_no_write_raises_or_breaks_the_model(items: list[tuple[int, int, Plain]]) -> None:
    outcome = MODEL.write(items)
    assert len(outcome.results) == len(items)
    for each in ACCESSORY:
        value = outcome.model.values.get(each.iid)
        assert (value is None) is (READ not in each.permissions)
        assert value is None or repr(each.fit(value)) == repr(value)
    assert MODEL.load(outcome.model.dump()) == outcome.model
    if outcome.reason() is not None:
        assert outcome.model == MODEL


@given(st.integers(100, 380), st.sampled_from(["f", "d"]))
def test_every_step_fits_in_both_precisions(tenths: int, precision: str) -> None:
    sent = struct.unpack(precision, struct.pack(precision, tenths / 10))[0]
    assert DEGREES.fit(sent) == tenths / 10


@given(st.binary(max_size=40))
@settings(max_examples=150)
def test_any_bytes_load_or_are_refused(data: bytes) -> None:
    try:
        model = MODEL.load(data)
    except Malformed:
        return
    assert MODEL.load(model.dump()) == model


@given(
    st.dictionaries(st.integers(0, 2), st.dictionaries(st.integers(0, 17), st.integers(0, 120)), max_size=3)
)
@settings(max_examples=100)
def test_any_kept_numbers_load_or_are_refused(kept: dict[int, dict[int, int]]) -> None:
    try:
        model = MODEL.load(encode(kept))
    except Malformed:
        return
    assert model.values.keys() == MODEL.values.keys()


@given(st.text(max_size=70), st.sampled_from([BOOL, TEXT, PERCENT, DEGREES, BOLT]))
@settings(max_examples=150)
def test_any_text_parses_or_is_refused(text: str, characteristic: Characteristic) -> None:
    try:
        parsed = characteristic.parse(text)
    except ValueError:
        return
    assert characteristic.from_word(parsed) is not None
