"""Ids have their sizes, epochs their parts, and versions their order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol.identifiers import (
    FIRST,
    NO_ACCESSORY,
    NO_HEAD,
    NO_HOME,
    AccessoryId,
    Version,
    epoch_of,
    hap_device_id,
)
from tests.strategies import versions

REIGN, TURN, DRAW = 2**16 - 1, 2**32 - 1, 2**16 - 1


@given(st.integers(0, REIGN), st.integers(0, TURN), st.integers(0, DRAW), st.integers(0, 2**64 - 1))
def test_an_epoch_gives_its_parts_back(reign: int, turn: int, draw: int, seq: int) -> None:
    version = Version(epoch_of(reign, turn, draw), seq)
    assert (version.reign, version.turn, version.draw, version.seq) == (reign, turn, draw, seq)


def test_the_largest_epoch_has_64_bits() -> None:
    assert epoch_of(REIGN, TURN, DRAW) == 2**64 - 1


@pytest.mark.parametrize(
    "parts",
    [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (REIGN + 1, 0, 0), (0, TURN + 1, 0), (0, 0, DRAW + 1)],
)
def test_a_part_that_does_not_fit_is_refused(parts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="bits"):
        epoch_of(*parts)


LADDER = [
    Version(0, 0),
    Version(0, 7),
    Version(epoch_of(0, 1, 0), 0),
    Version(epoch_of(0, 1, 5), 2**64 - 1),
    Version(epoch_of(0, 1, 6), 0),
    Version(epoch_of(0, 2, 0), 0),
    Version(epoch_of(1, 0, 0), 0),
]


def test_reign_outweighs_turn_outweighs_draw_outweighs_seq() -> None:
    assert sorted({*LADDER}) == LADDER


@given(versions, versions)
def test_versions_are_ordered_as_their_pairs(left: Version, right: Version) -> None:
    assert (left < right) == ((left.epoch, left.seq) < (right.epoch, right.seq))


@pytest.mark.parametrize(
    ("version", "text"),
    [(FIRST, "e0.0"), (Version(epoch_of(0, 3, 77), 12), "e3.12"), (Version(epoch_of(2, 3, 0), 1), "e2/3.1")],
)
def test_a_version_is_short_to_read(version: Version, text: str) -> None:
    assert str(version) == text


def test_no_home_no_accessory_and_no_head_are_zero_bytes() -> None:
    assert (bytes(8), bytes(8), bytes(32)) == (NO_HOME, NO_ACCESSORY, NO_HEAD)


def test_the_hap_device_id_is_six_bytes_in_capitals() -> None:
    assert hap_device_id(AccessoryId(bytes.fromhex("8899aabbccddeeff"))) == "88:99:AA:BB:CC:DD"
