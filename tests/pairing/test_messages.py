"""What the messages of Pair-Setup have in common."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.pairing.messages import REASONS, read_message, write_message
from accessory_emu.pairing.state import SetupEvent
from accessory_emu.pairing.tlv8 import ItemType, TlvError
from accessory_emu.protocol.reasons import Reason


@pytest.mark.parametrize("event", list(SetupEvent)[:6])
def test_a_message_carries_its_number(event: SetupEvent) -> None:
    data = write_message(event, (ItemType.SALT, b"salt"))
    assert data == bytes((6, 1, event.value)) + b"\2\4salt"
    assert read_message(data) == (event, {ItemType.STATE: bytes((event.value,)), ItemType.SALT: b"salt"})


@pytest.mark.parametrize("written", ["", "000100", "0600", "06020001", "060100", "060108", "0601ff", "0601"])
def test_a_message_without_a_number_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"State|SetupEvent|cut off"):
        read_message(bytes.fromhex(written))


@given(st.binary(max_size=40))
def test_arbitrary_bytes_are_a_message_or_a_value_error(data: bytes) -> None:
    try:
        event, items = read_message(data)
    except ValueError:
        return
    assert items[ItemType.STATE] == bytes((event.value,))


def test_every_error_of_the_wire_has_a_reason() -> None:
    assert {error.value: REASONS[error] for error in TlvError} == {
        1: Reason.MALFORMED,
        2: Reason.BAD_SIGNATURE,
        4: Reason.LIST_FULL,
        5: Reason.MAX_TRIES,
        6: Reason.UNAVAILABLE,
        7: Reason.BUSY,
    }
