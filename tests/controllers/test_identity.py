"""Counters, and what is known of an accessory in one boot."""

from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol import limits
from accessory_emu.protocol.identifiers import AccessoryId, BootId, Version
from accessory_emu.runtime.clock import SeededRandom
from controllers.identity import Known, counter_after, next_counter
from tests.controllers.village import person

LAMP, DOOR = AccessoryId(b"lamp-id!"), AccessoryId(b"door-id!")
ONE, TWO, THREE = BootId(b"boot-one"), BootId(b"boot-two"), BootId(b"boot-3!!")


@given(st.lists(st.integers(0, 2**45), min_size=1))
def test_counters_rise_whatever_the_clock_does(times: list[int]) -> None:
    known = Known(ONE)
    counters = [next_counter(known, now) for now in times]
    assert counters == sorted(set(counters))
    assert all(counter >= now * 1000 for counter, now in zip(counters, times, strict=True))


@given(st.integers(0, limits.UINT64_MAX), st.integers(0, 2**45), st.integers(0, 9))
def test_after_a_hint_the_counter_lies_above_it_or_there_is_none(hint: int, now: int, seed: int) -> None:
    known = Known(ONE)
    last = next_counter(known, now)
    found = counter_after(known, hint, now, SeededRandom(seed))
    if found is None:
        assert hint >= 2**63
        assert known.last == last, "nothing was used up"
    else:
        assert max(hint, last) < found <= limits.UINT64_MAX


def test_a_new_boot_begins_with_nothing_of_the_old_one() -> None:
    rosa = person("rosa")
    assert rosa.known(LAMP) is None
    rosa.announced(LAMP, ONE)
    known = rosa.known(LAMP)
    assert known is not None
    known.offset_ms, known.last = 5, 7
    rosa.announced(LAMP, ONE)
    assert rosa.known(LAMP) is known, "nothing new"
    rosa.announced(LAMP, TWO)
    assert rosa.known(LAMP) == Known(TWO)
    assert rosa.known(DOOR) is None


def test_an_answer_beats_announcements_of_boots_that_it_proves_over() -> None:
    rosa = person("rosa")
    rosa.announced(LAMP, ONE)
    assert rosa.answered(LAMP, TWO, Version(0, 1)) == Known(TWO, version=Version(0, 1))
    rosa.announced(LAMP, ONE)
    assert rosa.known(LAMP) == Known(TWO, version=Version(0, 1))
    rosa.announced(LAMP, THREE)
    assert rosa.known(LAMP) == Known(THREE)
    assert rosa.answered(DOOR, ONE, Version(0, 2)).boot == ONE, "also of one that never announced itself"


def test_an_answer_brings_a_boot_back_that_was_wrongly_given_up() -> None:
    rosa = person("rosa")
    rosa.announced(LAMP, ONE)
    rosa.answered(LAMP, TWO, Version(0, 1))
    assert rosa.answered(LAMP, ONE, Version(0, 1)).boot == ONE
    rosa.announced(LAMP, TWO)
    assert rosa.known(LAMP) == Known(ONE, version=Version(0, 1))
