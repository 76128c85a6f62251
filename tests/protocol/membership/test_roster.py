"""The roster names the enrolled accessories by their keys, and its digest names the roster."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol.crypto import sha256
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import AccessoryId
from accessory_emu.protocol.membership.roster import Roster
from tests.protocol.papers import DOOR, LAMP, key

LAMP_KEY, DOOR_KEY = key("lamp").public, key("door").public
BOTH = Roster.of([LAMP_KEY, DOOR_KEY])
ASCENDING = sorted([LAMP_KEY, DOOR_KEY])


def test_an_accessory_is_enrolled_by_its_key_and_released_by_its_id() -> None:
    one = Roster().enrolled(LAMP_KEY)
    assert LAMP in one
    assert DOOR not in one
    assert len(one) == 1
    assert one.enrolled(LAMP_KEY) == one
    both = one.enrolled(DOOR_KEY)
    assert (both, len(both)) == (BOTH, 2)
    assert both.released(LAMP) == Roster.of([DOOR_KEY])
    assert both.released(AccessoryId(bytes(8))) == both
    assert one == Roster.of([LAMP_KEY])


def test_the_digest_is_over_the_keys_in_ascending_order() -> None:
    assert BOTH.encode() == ASCENDING[0] + ASCENDING[1]
    assert BOTH.digest() == sha256(ASCENDING[0] + ASCENDING[1]) == Roster.of(ASCENDING[::-1]).digest()
    assert Roster().digest() == sha256(b"")


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=6, unique=True))
def test_any_roster_is_written_and_read(keys: list[bytes]) -> None:
    roster = Roster.of(keys)  # type: ignore[arg-type]  # any 32 bytes
    assert Roster.decode(roster.encode()) == roster


NO_ROSTERS = {
    "a key that is cut short": ASCENDING[0][:-1],
    "a byte too many": ASCENDING[0] + b"\0",
    "descending keys": ASCENDING[1] + ASCENDING[0],
    "a key twice": ASCENDING[0] * 2,
}


@pytest.mark.parametrize("data", NO_ROSTERS.values(), ids=NO_ROSTERS)
def test_what_is_no_roster_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        Roster.decode(data)


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_malformed_or_a_roster_in_its_one_form(data: bytes) -> None:
    try:
        roster = Roster.decode(data)
    except Malformed:
        return
    assert roster.encode() == data
