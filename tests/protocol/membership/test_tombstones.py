"""A removal is remembered, or at least that something as old as it may have been removed."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Value, decode, encode
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import GrantId, Version
from accessory_emu.protocol.membership.tombstones import Tombstones
from tests.strategies import tombstones

Removals = Mapping[GrantId, Version]
ROOM = 4


def name(number: int) -> GrantId:
    return GrantId(number.to_bytes(16))


def at(seq: int) -> Version:
    return Version(65_536, seq)


removals: st.SearchStrategy[Removals] = st.dictionaries(
    st.integers(0, 9).map(name), st.integers(1, 9).map(at), max_size=7
)


def held(*items: tuple[int, int], room: int = ROOM) -> Tombstones:
    """Give tombstones made one by one: (name, seq)."""
    made = Tombstones(room=room)
    for number, seq in items:
        made = made.with_removed([name(number)], at(seq))
    return made


def test_at_first_nothing_was_removed() -> None:
    none = Tombstones()
    assert name(1) not in none
    assert not none.below_watermark(Version(0, 0))
    assert none.room == limits.TOMBSTONES_HELD == 256


def test_what_was_removed_is_remembered_with_its_version() -> None:
    one = held((1, 5))
    assert name(1) in one
    assert one.items == {name(1): at(5)}
    assert one.watermark is None


def test_a_second_removal_of_one_name_keeps_the_higher_version() -> None:
    assert held((1, 5), (1, 7)).items == held((1, 7), (1, 5)).items == {name(1): at(7)}


def test_with_a_full_table_the_oldest_goes_and_its_version_becomes_the_watermark() -> None:
    full = held((1, 5), (2, 6), (3, 7), (4, 8))
    assert full.watermark is None
    over = full.with_removed([name(5)], at(9))
    assert name(1) not in over
    assert set(over.items) == {name(2), name(3), name(4), name(5)}
    assert over.watermark == at(5)


def test_of_two_that_are_equally_old_the_lower_id_goes() -> None:
    over = held((9, 5), (2, 5), (3, 7), (4, 8), (5, 9))
    assert name(2) not in over
    assert name(9) in over


@pytest.mark.parametrize(("base", "below"), [(4, True), (5, True), (6, False)])
def test_at_or_below_the_watermark_nobody_knows_what_was_removed(base: int, below: bool) -> None:  # noqa: FBT001 - of the table
    over = held((1, 5), (2, 6), (3, 7), (4, 8), (5, 9))
    assert over.below_watermark(at(base)) is below
    assert over.below_watermark(Version(0, 2**64 - 1))
    assert not over.below_watermark(Version(131_072, 0))


def test_a_removal_older_than_all_that_are_held_raises_the_watermark_only() -> None:
    full = held((1, 5), (2, 6), (3, 7), (4, 8))
    same = full.with_removed([name(9)], at(2))
    assert same.items == full.items
    assert same.watermark == at(2)


def test_joining_keeps_the_higher_watermark_whoever_has_it() -> None:
    low, high, none = Tombstones({}, at(3)), Tombstones({}, at(8)), Tombstones()
    for left, right, expected in (
        (low, high, at(8)),
        (high, low, at(8)),
        (none, low, at(3)),
        (low, none, at(3)),
        (none, none, None),
    ):
        assert left.merged(right).watermark == expected


def test_joining_keeps_the_own_room() -> None:
    small, large = Tombstones(room=2), held((1, 1), (2, 2), (3, 3), (4, 4))
    joined = small.merged(large)
    assert (joined.room, set(joined.items), joined.watermark) == (2, {name(3), name(4)}, at(2))
    assert large.merged(small) == large


def test_a_value_is_never_changed_in_place() -> None:
    one = held((1, 5))
    before = dict(one.items)
    one.with_removed([name(2)], at(6))
    one.merged(held((3, 7)))
    assert one.items == before


@given(st.lists(removals, max_size=6))
def test_every_removal_is_remembered_or_covered_by_the_watermark(batches: list[Removals]) -> None:
    joined = Tombstones(room=ROOM)
    for batch in batches:
        joined = joined.merged(Tombstones(batch))
        assert len(joined.items) <= ROOM
    for batch in batches:
        for removed, version in batch.items():
            if removed in joined:
                assert joined.items[removed] >= version
            else:
                assert joined.below_watermark(version)


@given(st.lists(removals, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_joining_does_not_matter_to_what_is_remembered(batches: list[Removals], random) -> None:  # noqa: ANN001 - hypothesis's own
    shuffled = list(batches)
    random.shuffle(shuffled)
    joined = []
    for order in (batches, shuffled):
        one = Tombstones(room=ROOM)
        for batch in order:
            one = one.merged(Tombstones(batch))
        joined.append(one.items)
    assert joined[0] == joined[1]


@given(removals, removals)
def test_joining_twice_is_joining_once(left: Removals, right: Removals) -> None:
    once = Tombstones(left, room=ROOM).merged(Tombstones(right))
    assert once.merged(Tombstones(right)).items == once.items


@given(st.lists(removals, max_size=6))
def test_the_watermark_never_falls(batches: list[Removals]) -> None:
    joined = Tombstones(room=2)
    for batch in batches:
        before = joined.watermark
        joined = joined.merged(Tombstones(batch))
        assert before is None or (joined.watermark is not None and joined.watermark >= before)


@given(tombstones)
def test_tombstones_are_written_and_read(one: Tombstones) -> None:
    assert Tombstones.read(decode(encode(one.value())), one.watermark) == one
    assert one.value() == sorted(one.value())  # type: ignore[type-var]  # rows begin with their id


NO_TOMBSTONES: dict[str, Value] = {
    "a map": {},
    "one number": 1,
    "a row of one": [[b"x" * 16]],
    "a row of three": [[b"x" * 16, [1, 2], 3]],
    "a short id": [[b"x" * 15, [1, 2]]],
    "an id of another kind": [["x" * 16, [1, 2]]],
    "no version": [[b"x" * 16, 1]],
    "one id twice": [[b"x" * 16, [1, 2]], [b"x" * 16, [1, 3]]],
    "257 of them": [[number.to_bytes(16), [1, number]] for number in range(257)],
}


@pytest.mark.parametrize("value", NO_TOMBSTONES.values(), ids=NO_TOMBSTONES)
def test_what_is_no_array_of_tombstones_is_malformed(value: Value) -> None:
    with pytest.raises(Malformed):
        Tombstones.read(value, None)


def test_256_tombstones_are_read() -> None:
    rows: list[Value] = [[number.to_bytes(16), [1, number]] for number in range(256)]
    assert len(Tombstones.read(rows, at(3)).items) == 256
