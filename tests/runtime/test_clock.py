"""Clocks never run backwards; seeded dice fall the same way everywhere."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol.ports import Clock, Random
from accessory_emu.runtime.clock import ManualClock, SeededRandom, SystemClock, SystemRandom, elapsed_ns

ROOT = Path(__file__).parents[2]
MS = 1_000_000
START = 1_780_000_000_000 * MS


def told(*values: int) -> Callable[[], int]:
    source = iter(values)
    return lambda: next(source)


PASSED = {  # what the system's clock says, at the start and after: what ours says
    "time passes": ((5 * MS, 5 * MS, 7 * MS, 1005 * MS), (0, 2, 1000)),
    "parts of a millisecond are cut off": ((5 * MS, 5 * MS + 999_999, 6 * MS + 1), (0, 1)),
    "a night of sleep counts": ((0, 28_800_000 * MS), (28_800_000,)),
    "a faulty system that runs backwards is not followed": ((5 * MS, 9 * MS, 6 * MS, 10 * MS), (4, 4, 5)),
}


@pytest.mark.parametrize(("elapsed", "want"), PASSED.values(), ids=PASSED)
def test_the_clock_goes_on_from_the_walls_time_at_the_start(
    elapsed: Sequence[int], want: Sequence[int]
) -> None:
    clock = SystemClock(told(START), told(*elapsed))
    assert [clock.now() - START // MS for _ in want] == list(want)


def test_a_wall_clock_set_later_is_not_followed() -> None:
    wall = [START]
    clock = SystemClock(lambda: wall[0], told(0, 3 * MS))
    wall[0] = 0
    assert clock.now() == START // MS + 3


def test_the_real_clock_is_of_this_century_and_monotonic() -> None:
    clock: Clock = SystemClock()
    times = [clock.now() for _ in range(1000)]
    assert times == sorted(times)
    assert 1_700_000_000_000 < times[0] < 4_100_000_000_000
    assert elapsed_ns() <= elapsed_ns()


def test_the_manual_clock_moves_only_forwards_and_only_when_told() -> None:
    clock = ManualClock(5)
    assert clock.now() == clock.now() == 5
    assert clock.advance(10) == clock.now() == 15
    assert clock.advance(0) == 15
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


@pytest.mark.parametrize("dice", [SystemRandom(), SeededRandom(7)], ids=["system", "seeded"])
def test_dice_give_as_many_bytes_as_asked_and_never_the_same(dice: Random) -> None:
    assert [len(dice.bytes(size)) for size in (0, 1, 31, 32, 33, 100)] == [0, 1, 31, 32, 33, 100]
    assert len({dice.bytes(16) for _ in range(1000)}) == 1000
    with pytest.raises(ValueError, match="negative"):
        dice.bytes(-1)


def test_the_stream_of_a_seed_is_fixed_for_good() -> None:
    dice = SeededRandom(7)
    assert dice.bytes(8).hex() == "1a330b7a2d674c9b"
    assert dice.child("lamp-1").bytes(8).hex() == "a326efc3eefbbe70"


@given(seed=st.integers(), label=st.text())
def test_the_same_seed_rolls_the_same_and_a_child_ignores_earlier_rolls(seed: int, label: str) -> None:
    one, two = SeededRandom(seed), SeededRandom(seed)
    first = one.child(label).bytes(40)
    assert one.bytes(40) == two.bytes(40)
    assert two.child(label).bytes(40) == first


def test_seeds_and_labels_give_different_streams() -> None:
    streams = [SeededRandom(seed) for seed in (-1, 0, 1, 2**70)]
    streams += [streams[1].child(label) for label in ("", "a", "b", "child")]
    streams += [streams[1].child("a").child("b"), streams[1].child("ab")]
    assert len({stream.bytes(16) for stream in streams}) == len(streams)


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_the_stream_does_not_depend_on_pythons_hashes(hash_seed: str) -> None:
    code = "from accessory_emu.runtime.clock import SeededRandom as S; print(S(7).child('x').bytes(9).hex())"
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == SeededRandom(7).child("x").bytes(9).hex()
