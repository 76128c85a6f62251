"""Every value has one form, and every other form is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import (
    Fields,
    Value,
    as_bytes,
    as_list,
    as_uint,
    as_version,
    decode,
    encode,
    pack,
    version_value,
)
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import Version
from tests.strategies import values, versions

# name: (the refused form, its positive twin); floats are allowed in neither
REFUSED = {
    "nothing at all": ("", "a0"),
    "a byte after the end": ("a000", "a0"),
    "a second value after the end": ("a0a0", "a0"),
    "a null after the end": ("a0f6", "a0"),
    "a byte before the map": ("20a0", "a0"),
    "an integer in two bytes that fits in one": ("1801", "01"),
    "an integer in three bytes that fits in two": ("1900ff", "18ff"),
    "an integer in five bytes that fits in three": ("1a0000ffff", "19ffff"),
    "an integer in nine bytes that fits in five": ("1b00000000ffffffff", "1affffffff"),
    "a negative integer that is too long": ("3800", "20"),
    "a big number for an integer": ("c248ffffffffffffffff", "1bffffffffffffffff"),
    "a number of 65 bits": ("c249010000000000000000", "1bffffffffffffffff"),
    "a negative big number": ("c34100", "20"),
    "bytes with a length that is too long": ("580100", "4100"),
    "bytes with a length in three bytes": ("59000100", "4100"),
    "bytes of no stated length": ("5f4100ff", "4100"),
    "bytes that end early": ("4200", "420000"),
    "bytes that promise 4 GiB": ("5affffffff", "4100"),
    "bytes that promise 16 EiB": ("5bffffffffffffffff", "4100"),
    "text with a length that is too long": ("780161", "6161"),
    "text of no stated length": ("7f6161ff", "6161"),
    "text that is not UTF-8": ("62c328", "62c3a9"),
    "text in an overlong form": ("62c080", "6100"),
    "text with half a pair of surrogates": ("63eda080", "63ed9fbf"),
    "text that promises 16 EiB": ("7bffffffffffffffff", "6161"),
    "an array with a length that is too long": ("980101", "8101"),
    "an array of no stated length": ("9f01ff", "8101"),
    "an array that ends early": ("8201", "820101"),
    "an array that promises 4 G items": ("9affffffff", "80"),
    "an array that promises 2^64 - 1 items": ("9bffffffffffffffff", "80"),
    "a map with a length that is too long": ("b8010101", "a10101"),
    "a map of no stated length": ("bf0101ff", "a10101"),
    "a map that ends early": ("a101", "a10101"),
    "a map that promises 4 G pairs": ("baffffffff", "a0"),
    "a map that promises 2^64 - 1 pairs": ("bbffffffffffffffff", "a0"),
    "the same key twice": ("a201010102", "a201010202"),
    "the same key in two forms": ("a20101180102", "a201010202"),
    "a key that equals true": ("a20101f502", "a201010202"),
    "a key that equals 1.0": ("a20101f93c0002", "a201010202"),
    "keys that descend": ("a202010101", "a201010201"),
    "keys in the order of their text": ("a21818010201", "a20201181801"),
    "a key of text": ("a1613101", "a10101"),
    "a negative key": ("a12001", "a10101"),
    "a key of bytes": ("a1410101", "a10101"),
    "a key that is a boolean": ("a1f501", "a10101"),
    "a key that is a float": ("a1f93c0001", "a10101"),
    "a key that is an array": ("a18001", "a10101"),
    "a key that is a map": ("a1a001", "a10101"),
    "a key that is null": ("a1f601", "a10101"),
    "null": ("f6", "f4"),
    "null inside": ("a101f6", "a101f5"),
    "undefined": ("f7", "f5"),
    "a simple value in one byte": ("e0", "00"),
    "a simple value in two bytes": ("f820", "1820"),
    "false in two bytes": ("f814", "f4"),
    "true in two bytes": ("f815", "f5"),
    "a break on its own": ("ff", "f4"),
    "a reserved head": ("1c", "17"),
    "a reserved simple head": ("fc", "f5"),
    "a time in text, tag 0": ("c074323031332d30332d32315432303a30343a30305a", "60"),
    "a time, tag 1": ("c100", "00"),
    "a decimal fraction, tag 4": ("c4820001", "820001"),
    "a message inside, tag 24": ("d8184100", "4100"),
    "a reference that is shared, tag 28": ("d81c80", "80"),
    "a reference to what was shared, tag 29": ("81d81d00", "8100"),
    "a cycle": ("d81c81d81d00", "8100"),
    "a fraction, tag 30": ("d81e820102", "820102"),
    "a regular expression, tag 35": ("d8236161", "6161"),
    "a MIME message, tag 36": ("d82460", "60"),
    "a UUID, tag 37": ("d82550" + "00" * 16, "50" + "00" * 16),
    "a set, tag 258": ("d9010280", "80"),
    "an IP address, tag 260": ("d901044400000000", "4400000000"),
    "a date, tag 1004": ("d903ec6a323031332d30332d3231", "6161"),
    "a string reference, tag 25": ("d81900", "00"),
    "a namespace of references, tag 256": ("d9010080", "80"),
    "a simple value by tag 43000": ("d9a7f800", "00"),
    "the self-described tag 55799": ("d9d9f7a0", "a0"),
    "a tag that nobody knows": ("da0001000000", "00"),
    "a tag of 64 bits": ("dbffffffffffffffff00", "00"),
    "a tag in a form that is too long": ("d80100", "00"),
    "a tag deep inside": ("a10181a102c100", "a10181a10200"),
    "nested seven deep": ("81" * 7 + "00", "81" * 6 + "00"),
    "maps nested seven deep": ("a101" * 7 + "00", "a101" * 6 + "00"),
    "an empty array seven deep": ("81" * 6 + "80", "81" * 5 + "80"),
    "nested as deep as a message is long": ("81" * 4096 + "00", "81" * 6 + "00"),
    "half a float": ("f93e00", "1818"),
    "a whole float": ("f93c00", "01"),
    "a float inside": ("a101f93e00", "a10101"),
    "not a number": ("f97e00", "00"),
}
# the same where floats are allowed
REFUSED_FLOATS = {
    "1.5 in 32 bits": ("fa3fc00000", "f93e00"),
    "1.5 in 64 bits": ("fb3ff8000000000000", "f93e00"),
    "100000.0 in 64 bits": ("fb40f86a0000000000", "fa47c35000"),
    "not a number": ("f97e00", "f90000"),
    "not a number, with a payload": ("f97e01", "f90001"),
    "not a number, in 64 bits": ("fb7ff8000000000000", "fb3fb999999999999a"),
    "infinity": ("f97c00", "f97bff"),
    "minus infinity": ("f9fc00", "f9fbff"),
    "infinity in 32 bits": ("fa7f800000", "fa7f7fffff"),
    "a float as a key": ("a1f93c0001", "a10101"),
    "a float that ends early": ("f93e", "f93e00"),
}


@pytest.mark.parametrize(("refused", "twin"), REFUSED.values(), ids=REFUSED)
def test_a_form_that_is_not_the_one(refused: str, twin: str) -> None:
    with pytest.raises(Malformed):
        decode(bytes.fromhex(refused))
    assert encode(decode(bytes.fromhex(twin))) == bytes.fromhex(twin)


@pytest.mark.parametrize(("refused", "twin"), REFUSED_FLOATS.values(), ids=REFUSED_FLOATS)
def test_a_form_that_is_not_the_one_where_floats_may_stand(refused: str, twin: str) -> None:
    with pytest.raises(Malformed):
        decode(bytes.fromhex(refused), floats=True)
    assert encode(decode(bytes.fromhex(twin), floats=True)) == bytes.fromhex(twin)


@pytest.mark.parametrize("tag", [*range(300), 1004, 43000, 55799, 65535])
def test_no_tag_is_taken_whatever_it_holds(tag: int) -> None:
    head = bytes([0xC0 + tag]) if tag < 24 else bytes([0xD8, tag]) if tag < 256 else b"\xd9" + tag.to_bytes(2)
    for content in ("00", "4100", "6161", "80", "a0", "820102"):
        with pytest.raises(Malformed):
            decode(head + bytes.fromhex(content))


FORMS: dict[str, tuple[Value, str]] = {
    "the largest integer": (2**64 - 1, "1bffffffffffffffff"),
    "the smallest integer": (-(2**64), "3bffffffffffffffff"),
    "false and true": ([False, True], "82f4f5"),
    "a float that is whole": (1.0, "f93c00"),
    "a float in 16 bits": (1.5, "f93e00"),
    "a float in 32 bits": (100000.5, "fa47c35040"),
    "a float in 64 bits": (0.1, "fb3fb999999999999a"),
    "keys that ascend, whatever their order was": ({24: 1, 2: 2}, "a20202181801"),
    "a tuple is an array": ((1, 2), "820102"),
}


@pytest.mark.parametrize(("value", "form"), FORMS.values(), ids=FORMS)
def test_a_value_has_this_one_form(value: Value, form: str) -> None:
    assert encode(value).hex() == form
    back = decode(bytes.fromhex(form), floats=True)
    assert encode(back).hex() == form


@given(values())
def test_what_was_written_is_read(value: Value) -> None:
    data = encode(value)
    assert decode(data, floats=True) == value
    assert encode(decode(data, floats=True)) == data


@given(values(floating=False))
def test_what_holds_no_float_needs_no_leave(value: Value) -> None:
    assert decode(encode(value)) == decode(encode(value), floats=True) == value


@given(st.binary(max_size=40), st.booleans())
def test_arbitrary_bytes_are_malformed_or_their_own_one_form(data: bytes, floats: bool) -> None:  # noqa: FBT001 - drawn, not passed by hand
    try:
        value = decode(data, floats=floats)
    except Malformed:
        return
    assert encode(value) == data


@given(values(), st.data())
def test_every_proper_prefix_is_malformed(value: Value, data: st.DataObject) -> None:
    whole = encode(value)
    with pytest.raises(Malformed):
        decode(whole[: data.draw(st.integers(0, len(whole) - 1))], floats=True)


NO_FORM = {
    "nothing": None,
    "nothing inside": [None],
    "not a number": math.nan,
    "infinity": math.inf,
    "an integer that is too large": 2**64,
    "an integer that is too small": -(2**64) - 1,
    "a key of text": {"a": 1},
    "a key that is a boolean": {True: 1},
    "a negative key": {-1: 1},
    "a key that is too large": {2**64: 1},
    "half a pair of surrogates": "\ud800",
    "nested seven deep": [[[[[[[1]]]]]]],
    "a set": {1, 2},
    "an object": object(),
}


@pytest.mark.parametrize("value", NO_FORM.values(), ids=NO_FORM)
def test_what_has_no_form_is_not_written(value: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        encode(value)  # type: ignore[arg-type]  # what the type forbids is the case


def test_an_absent_field_is_not_written() -> None:
    assert pack({2: None, 3: False, 1: b""}) == bytes.fromhex("a2014003f4")


# fields


def fields(value: Value) -> Fields:
    return Fields(value)


READERS = {
    "an unsigned integer": (lambda f: f.uint(1), [0, 2**64 - 1], [-1, True, 1.0, "1", b"1", [1], {1: 1}]),
    "an unsigned integer with a limit": (lambda f: f.uint(1, 5), [0, 5], [6]),
    "bytes of one size": (lambda f: f.octets(1, 2), [b"ab"], [b"", b"a", b"abc", "ab", 1, [1, 2]]),
    "bytes up to a size": (lambda f: f.blob(1, 2), [b"", b"ab"], [b"abc", "ab", 1, [b"a"]]),
    "text up to a length": (lambda f: f.text(1, 2), ["", "ab"], ["abc", b"ab", 1, ["a"]]),
    "text up to 256": (lambda f: f.text(1), ["a" * 256], ["a" * 257]),
    "an array up to a length": (lambda f: f.list(1, 2), [[], [1, 2]], [[1, 2, 3], {1: 1}, b"ab", "ab", 1]),
    "a version": (
        lambda f: version_value(f.version(1)),
        [[0, 0], [2**64 - 1, 2**64 - 1]],
        [[1], [1, 2, 3], [], [1, -1], [True, 1], [1, 1.0], ["1", 1], {1: 1}, 1, b"12"],
    ),
    "any value": (lambda f: f.value(1), [1, "a", [1], {1: 1}], []),
}


@pytest.mark.parametrize(("read", "good", "bad"), READERS.values(), ids=READERS)
def test_a_reader_takes_its_kind_and_nothing_else(read, good: list[Value], bad: list[Value]) -> None:  # noqa: ANN001 - a reader of the table
    for value in good:
        assert read(fields({1: value})) == value
    for value in bad:
        with pytest.raises(Malformed):
            read(fields({1: value}))
    with pytest.raises(Malformed, match="field 1 is missing"):
        read(fields({2: 1}))


def test_an_optional_field_may_be_absent_and_is_read_like_any_other() -> None:
    one = fields({1: 5, 2: b"ab"})
    assert (one.maybe(1, one.uint), one.maybe(3, one.uint)) == (5, None)
    assert (one.maybe_octets(2, 2), one.maybe_octets(4, 2)) == (b"ab", None)
    wrong = fields({1: "5", 2: b"abc"})
    with pytest.raises(Malformed):
        wrong.maybe(1, wrong.uint)
    with pytest.raises(Malformed):
        wrong.maybe_octets(2, 2)


def test_what_nobody_asked_for_is_refused_by_name() -> None:
    one = fields({1: 5, 99: 0, 7: 0})
    one.uint(1)
    with pytest.raises(Malformed, match="unknown fields: 7, 99"):
        one.end()
    done = fields({1: 5})
    done.uint(1)
    done.end()


def test_a_field_is_taken_once() -> None:
    one = fields({1: 5})
    one.uint(1)
    with pytest.raises(Malformed, match="missing"):
        one.uint(1)


@pytest.mark.parametrize("value", [[], 1, b"", "", True])
def test_a_payload_is_a_map(value: Value) -> None:
    with pytest.raises(Malformed, match="no map"):
        Fields(value)


@given(versions)
def test_a_version_goes_over_the_wire_and_back(version: Version) -> None:
    assert as_version(decode(encode(version_value(version)))) == version


def test_the_readers_of_loose_values_have_the_same_limits() -> None:
    assert as_uint(limits.UINT64_MAX) == limits.UINT64_MAX
    assert as_bytes(b"ab", 2) == b"ab"
    assert as_list([0] * 1024) == [0] * 1024
    assert as_list((1, 2), 2) == (1, 2)
    with pytest.raises(Malformed):
        as_list([0] * 1025)
