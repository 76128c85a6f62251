"""A counter acts once, an answer is given again, a nonce is good for one key, one use and ten seconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import sha256
from accessory_emu.protocol.errors import Refused
from accessory_emu.protocol.identifiers import KeyId, ObjectId
from accessory_emu.protocol.messages import Fate, HintKey
from accessory_emu.protocol.reasons import Reason, Rung
from accessory_emu.protocol.replay import Replay

ANNA, BEN = KeyId(b"anna...."), KeyId(b"ben.....")
NOT_EXECUTED, UNKNOWN = Fate.NOT_EXECUTED, Fate.UNKNOWN


class Dice:
    """Dice that count."""

    def __init__(self) -> None:
        self.rolled = 0

    def bytes(self, size: int) -> bytes:
        """Give the next number."""
        self.rolled += 1
        return self.rolled.to_bytes(size)


def command(number: int) -> ObjectId:
    return ObjectId(sha256(number.to_bytes(8)))


def used(replay: Replay, *counters: int, kid: KeyId = ANNA) -> Replay:
    """Judge commands with these counters, and keep an answer to each."""
    for ctr in counters:
        replay.use_counter(kid, ctr)
        replay.keep(kid, command(ctr), b"answer %d" % ctr)
    return replay


def fate(replay: Replay, ctr: int, kid: KeyId = ANNA) -> tuple[int, Fate]:
    """Tell the last counter and the fate that a refused counter is told."""
    with pytest.raises(Refused) as caught:
        replay.use_counter(kid, ctr)
    assert (caught.value.reason, caught.value.rung) == (Reason.REPLAYED, Rung.COUNTER)
    return caught.value.hint[HintKey.LAST_COUNTER], Fate(caught.value.hint[HintKey.FATE])


@pytest.mark.parametrize("counters", [(0, 1, 2), (5, 2**63, 2**64 - 1), (7,), (0,)])
def test_counters_that_rise_are_accepted(counters: tuple[int, ...]) -> None:
    replay = used(Replay(), *counters)
    assert fate(replay, counters[-1]) == (counters[-1], NOT_EXECUTED)


@pytest.mark.parametrize("ctr", [0, 1, 8, 9, 10])
def test_a_counter_that_does_not_rise_is_replayed_with_the_last_one_as_hint(ctr: int) -> None:
    replay = used(Replay(), 10)
    assert fate(replay, ctr) == (10, NOT_EXECUTED)
    replay.use_counter(ANNA, 11)


def test_a_counter_is_used_up_though_no_answer_was_kept() -> None:
    replay = Replay()
    replay.use_counter(ANNA, 10)
    assert fate(replay, 10) == (10, NOT_EXECUTED)


def test_the_largest_counter_ends_a_key_for_this_boot() -> None:
    replay = used(Replay(), 2**64 - 1)
    assert fate(replay, 0) == (2**64 - 1, NOT_EXECUTED)


def test_keys_count_apart() -> None:
    replay = used(Replay(), 2**63)
    used(replay, 1, kid=BEN)
    assert fate(replay, 1, BEN) == (1, NOT_EXECUTED)
    assert replay.cached(BEN, command(2**63)) is None


def test_the_last_sixteen_answers_of_each_key_are_given_again() -> None:
    replay = used(Replay(), *range(1, 18))
    used(replay, *range(1, 18), kid=BEN)
    for kid in (ANNA, BEN):
        assert replay.cached(kid, command(1)) is None
        assert [replay.cached(kid, command(ctr)) for ctr in range(2, 18)] == [
            b"answer %d" % ctr for ctr in range(2, 18)
        ]


def test_what_became_of_a_forgotten_counter_is_unknown_and_of_a_kept_one_known() -> None:
    replay = used(Replay(), *range(10, 10 + 3 * 17, 3))
    assert fate(replay, 10) == (58, UNKNOWN)
    assert fate(replay, 12) == (58, UNKNOWN)
    assert fate(replay, 13) == (58, NOT_EXECUTED)  # the oldest that is kept
    assert fate(replay, 14) == (58, NOT_EXECUTED)


def test_with_sixteen_answers_nothing_is_forgotten() -> None:
    replay = used(Replay(), *range(10, 26))
    assert fate(replay, 3) == (25, NOT_EXECUTED)


def test_a_stranger_has_no_answers() -> None:
    assert Replay().cached(ANNA, command(1)) is None


@given(st.lists(st.integers(0, 40), max_size=60))
def test_each_counter_acts_at_most_once(counters: list[int]) -> None:
    replay, acted = Replay(), []
    for ctr in counters:
        try:
            replay.use_counter(ANNA, ctr)
        except Refused:
            continue
        acted.append(ctr)
    assert acted == sorted(set(acted))


# prepare


def test_a_nonce_is_good_once() -> None:
    replay = Replay()
    nonce = replay.prepare(ANNA, Dice(), now=0)
    assert len(nonce) == limits.NONCE_SIZE
    assert replay.use_nonce(ANNA, nonce, now=1) == ""
    assert replay.use_nonce(ANNA, nonce, now=1) == "nonce unknown or used"


@pytest.mark.parametrize(
    ("after", "wrong"),
    [(0, ""), (9_000, ""), (10_000, ""), (10_001, "nonce too old"), (10**9, "nonce too old")],
)
def test_a_nonce_is_good_for_ten_seconds(after: int, wrong: str) -> None:
    replay = Replay()
    nonce = replay.prepare(ANNA, Dice(), now=5)
    assert replay.use_nonce(ANNA, nonce, now=5 + after) == wrong


def test_an_old_nonce_is_used_up_too() -> None:
    replay = Replay()
    nonce = replay.prepare(ANNA, Dice(), now=0)
    assert replay.use_nonce(ANNA, nonce, now=10_001) == "nonce too old"
    assert replay.use_nonce(ANNA, nonce, now=0) == "nonce unknown or used"


def test_a_nonce_is_good_for_the_key_that_asked() -> None:
    replay = Replay()
    nonce = replay.prepare(ANNA, Dice(), now=0)
    assert replay.use_nonce(BEN, nonce, now=0) == "nonce unknown or used"
    replay.prepare(BEN, Dice(), now=0)
    assert replay.use_nonce(ANNA, nonce, now=0) == ""


def test_four_nonces_of_a_key_are_open_in_any_order_and_a_fifth_drops_the_oldest() -> None:
    replay, dice = Replay(), Dice()
    first, *others = [replay.prepare(ANNA, dice, now=at) for at in range(5)]
    assert replay.use_nonce(ANNA, first, now=5) == "nonce unknown or used"
    assert [replay.use_nonce(ANNA, nonce, now=5) for nonce in reversed(others)] == ["", "", "", ""]


def test_of_a_thousand_nonces_four_are_open() -> None:
    replay, dice = Replay(), Dice()
    nonces = [replay.prepare(ANNA, dice, now=0) for _ in range(1000)]
    assert sum(replay.use_nonce(ANNA, nonce, now=0) == "" for nonce in nonces) == 4


def test_the_nonces_of_a_key_that_was_changed_are_dropped() -> None:
    replay, dice = Replay(), Dice()
    kept, dropped = replay.prepare(BEN, dice, now=0), replay.prepare(ANNA, dice, now=0)
    replay.forget_nonces(ANNA)
    replay.forget_nonces(KeyId(b"stranger"))
    assert replay.use_nonce(ANNA, dropped, now=0) == "nonce unknown or used"
    assert replay.use_nonce(BEN, kept, now=0) == ""


def test_counters_and_answers_outlive_the_nonces() -> None:
    replay = used(Replay(), 10)
    replay.forget_nonces(ANNA)
    assert fate(replay, 9) == (10, NOT_EXECUTED)
    assert replay.cached(ANNA, command(10)) == b"answer 10"
