"""What the messages of Pair-Setup have in common: their number, their method, the meaning of their errors."""

from collections.abc import Mapping
from typing import Final

from accessory_emu.pairing import tlv8
from accessory_emu.pairing.state import SetupEvent
from accessory_emu.pairing.tlv8 import ItemType, TlvError
from accessory_emu.protocol.reasons import Reason

METHOD: Final = b"\0"  # Pair-Setup; method 1 would need an authentication coprocessor

# AE-PAIR-001: what the trace and the controller's user are told for each error of the wire
REASONS: Final[Mapping[int, Reason]] = {
    TlvError.UNKNOWN: Reason.MALFORMED,
    TlvError.AUTHENTICATION: Reason.BAD_SIGNATURE,
    TlvError.MAX_PEERS: Reason.LIST_FULL,
    TlvError.MAX_TRIES: Reason.MAX_TRIES,
    TlvError.UNAVAILABLE: Reason.UNAVAILABLE,
    TlvError.BUSY: Reason.BUSY,
}


def read_message(data: bytes) -> tuple[SetupEvent, dict[int, bytes]]:
    """Read a message.

    Raises:
        ValueError: it is no TLV8, or its State is none of Pair-Setup.
    """
    items = tlv8.decode_unique(data)
    state = items.get(ItemType.STATE, b"")
    if len(state) != 1:
        raise tlv8.Tlv8Error("the item State is missing, or not one byte")
    return SetupEvent(state[0]), items


def write_message(event: SetupEvent, *items: tuple[ItemType, bytes]) -> bytes:
    """Write a message; its number is the item State."""
    return tlv8.encode([(ItemType.STATE, bytes((event.value,))), *items])
