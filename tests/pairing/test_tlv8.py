"""TLV8: items to bytes and back, in one form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.pairing import tlv8
from accessory_emu.pairing.tlv8 import SEPARATOR, Tlv8Error
from accessory_emu.protocol import limits

FORMS = {
    "nothing": ([], ""),
    "an empty value": ([(0, b"")], "0000"),
    "two types": ([(6, b"\1"), (0, b"\0")], "060101 000100"),
    "the separator keeps two of a type apart": (
        [(1, b"a"), (SEPARATOR, b""), (1, b"b")],
        "010161 ff00 010162",
    ),
    "255 bytes are one full item": ([(3, bytes(255))], "03ff" + "00" * 255),
    "256 bytes are two items": ([(3, bytes(256))], "03ff" + "00" * 255 + "030100"),
    "384 bytes, as a public key": (
        [(3, bytes(384)), (6, b"\2")],
        "03ff" + "00" * 255 + "0381" + "00" * 129 + "060102",
    ),
    "510 bytes are two full items": ([(3, bytes(510))], ("03ff" + "00" * 255) * 2),
    "a full value and a separator": (
        [(3, bytes(255)), (SEPARATOR, b""), (3, b"")],
        "03ff" + "00" * 255 + "ff00 0300",
    ),
}

NOT_BYTES = {
    "a type without a length": "06",
    "a value cut off": "060201",
    "a value missing": "0601",
    "a fragment cut off": "03ff" + "00" * 255 + "030500",
    "two neighbours of one type": "010161 010162",
    "two empty neighbours of one type": "0100 0100",
    "two neighbours with the second full": "010161 01ff" + "00" * 255,
    "an empty fragment": "03ff" + "00" * 255 + "0300",
    "a separator with a value": "ff0100",
    "two separators in a row": "ff00 ff00",
    "more than a message": "00ff" + "00" * (limits.MESSAGE_SIZE - 1),
}

NOT_ITEMS = {
    "a type of two bytes": [(256, b"")],
    "a negative type": [(-1, b"")],
    "two neighbours of one type": [(1, b"a"), (1, b"b")],
    "a separator with a value": [(SEPARATOR, b"x")],
    "more than a message": [(1, bytes(limits.MESSAGE_SIZE))],
}


@pytest.mark.parametrize(("items", "written"), FORMS.values(), ids=FORMS)
def test_items_have_one_form(items: list[tuple[int, bytes]], written: str) -> None:
    data = bytes.fromhex(written)
    assert tlv8.encode(items) == data
    assert tlv8.decode(data) == items


@pytest.mark.parametrize("written", NOT_BYTES.values(), ids=NOT_BYTES)
def test_other_bytes_are_refused(written: str) -> None:
    with pytest.raises(Tlv8Error):
        tlv8.decode(bytes.fromhex(written))


@pytest.mark.parametrize("items", NOT_ITEMS.values(), ids=NOT_ITEMS)
def test_items_without_a_form_are_refused(items: list[tuple[int, bytes]]) -> None:
    with pytest.raises(Tlv8Error):
        tlv8.encode(items)


def test_the_longest_message_is_read() -> None:
    items = [(kind, bytes(limits.MESSAGE_SIZE // 4 - 10)) for kind in range(4)]
    assert tlv8.decode(tlv8.encode(items)) == items


@given(st.lists(st.tuples(st.integers(0, 254), st.binary(max_size=600)), max_size=6))
def test_what_is_written_is_read(items: list[tuple[int, bytes]]) -> None:
    apart = [item for pair in items for item in (pair, (SEPARATOR, b""))]
    assert tlv8.decode(tlv8.encode(apart)) == apart


@given(
    st.binary(max_size=64)
    | st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=3))).map(
        lambda parts: b"".join(bytes((kind, len(value))) + value for kind, value in parts),
    )
)
def test_arbitrary_bytes_are_the_one_form_of_their_items_or_refused(data: bytes) -> None:
    try:
        items = tlv8.decode(data)
    except Tlv8Error:
        return
    assert tlv8.encode(items) == data


@given(st.integers(0, 15))
def test_a_message_cut_anywhere_is_whole_items_or_refused(size: int) -> None:
    whole = tlv8.encode([(6, b"\3"), (1, b"name"), (7, b"\2"), (10, b"z")])
    try:
        items = tlv8.decode(whole[:size])
    except Tlv8Error:
        assert size not in {0, 3, 9, 12, 15}
    else:
        assert tlv8.decode(whole)[: len(items)] == items


def test_a_message_holds_each_type_once() -> None:
    assert tlv8.decode_unique(bytes.fromhex("060101 ff00 000100 ff00")) == {6: b"\1", 0: b"\0"}
    with pytest.raises(Tlv8Error):
        tlv8.decode_unique(bytes.fromhex("060101 ff00 060101"))
    with pytest.raises(Tlv8Error):
        tlv8.decode_unique(bytes.fromhex("060101 000100 060101"))
