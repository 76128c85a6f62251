"""Pair-Setup: both halves joined, then the accessory's half against everything that is not a pairing."""

from itertools import product
from typing import Any

import pytest

from accessory_emu.pairing import srp, tlv8
from accessory_emu.pairing.offers import M5, M6, open_key, seal_key
from accessory_emu.pairing.pair_setup import ControllerKey, Paired, PairSetupAccessory
from accessory_emu.pairing.tlv8 import ItemType, TlvError
from accessory_emu.protocol.limits import PAIR_MAX_TRIES
from accessory_emu.protocol.reasons import Reason
from tests.pairing.desk import (
    ACCESSORY_KEY,
    CONTROLLER_KEY,
    DEVICE_ID,
    HERE,
    M1,
    NAME,
    OTHER_CODE,
    SALT,
    THERE,
    Desk,
    error,
    public_key,
    rewrite,
    vectors,
)
from tests.pairing.dice import Dice

VALID, _ = vectors()
MOST = PAIR_MAX_TRIES
AGAIN = rewrite(M1, (200, b""))  # a first message of other bytes: not the same one delivered twice


def test_both_halves_pair() -> None:
    desk = Desk()
    other, m5 = desk.up_to(5)
    assert desk.paired is None
    outcome = desk.ask(m5)
    assert outcome.reply is not None
    assert desk.paired == ControllerKey(NAME, CONTROLLER_KEY.public)
    assert other.receive(outcome.reply) == Paired(DEVICE_ID.encode(), ACCESSORY_KEY.public)
    assert (outcome.step, outcome.reason, outcome.tries) == ("M5", None, 0)


@pytest.mark.parametrize("step", [1, 3, 5])
def test_each_step_is_named_on_the_trace(step: int) -> None:
    desk = Desk()
    outcome = desk.ask(desk.up_to(step)[1])
    assert (outcome.step, outcome.reason, outcome.repeated) == (f"M{step}", None, False)
    assert (outcome.paired is not None) is (step == 5)


@pytest.mark.parametrize("facts", list(product(("", "paired"), (0, MOST - 1, MOST, MOST + 1), ("", "busy"))))
def test_the_first_message_is_checked_for_paired_then_tries_then_busy(facts: tuple[str, int, str]) -> None:
    paired, tries, busy = facts
    desk = Desk()
    if busy:
        desk.reply(M1, THERE)
    desk.tries = tries
    desk.paired = ControllerKey(b"first", CONTROLLER_KEY.public) if paired else None
    outcome = desk.ask(M1)
    refusal = TlvError.BUSY if busy else None
    refusal = TlvError.MAX_TRIES if tries >= MOST else refusal
    refusal = TlvError.UNAVAILABLE if paired else refusal
    if refusal is None:
        assert set(tlv8.decode_unique(outcome.reply or b"")) == {2, 3, 6}
    else:
        assert outcome.reply == error(2, refusal)
        assert outcome.reason is Reason[refusal.name]
    assert desk.tries == tries


@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_paired_accessory_is_unavailable_at_every_step(step: int) -> None:
    desk = Desk()
    data = desk.up_to(step)[1]
    desk.paired = ControllerKey(b"first", CONTROLLER_KEY.public)
    assert desk.ask(data).reply == error(step + 1, TlvError.UNAVAILABLE)
    desk.paired = None
    assert desk.ask(data).reply != error(step + 1, TlvError.UNAVAILABLE)


def test_a_wrong_code_is_a_wrong_try_and_a_right_one_resets_the_count() -> None:
    desk = Desk(tries=3)
    outcome = desk.ask(desk.up_to(3, OTHER_CODE)[1])
    assert outcome.reply == error(4, TlvError.AUTHENTICATION)
    assert (outcome.tries, outcome.reason, outcome.step) == (4, Reason.BAD_SIGNATURE, "M3")
    assert desk.paired is None
    assert desk.ask(desk.up_to(3)[1]).tries == 0


def test_the_hundredth_wrong_code_is_the_last_one_and_the_right_one_does_not_help() -> None:
    desk = Desk(tries=MOST - 2)
    for count in (MOST - 1, MOST):
        assert desk.ask(desk.up_to(3, OTHER_CODE)[1]).reply == error(4, TlvError.AUTHENTICATION)
        assert desk.tries == count
    assert desk.ask(M1).reply == error(2, TlvError.MAX_TRIES)
    assert desk.tries == MOST


def test_at_99_wrong_codes_the_right_one_still_pairs() -> None:
    desk = Desk(tries=MOST - 1)
    desk.ask(desk.up_to(5)[1])
    assert desk.paired is not None
    assert desk.tries == 0


def test_no_proof_is_checked_once_the_tries_are_used_up() -> None:
    desk = Desk()
    _, m3 = desk.up_to(3)
    desk.tries = MOST
    outcome = desk.ask(m3)
    assert (outcome.reply, outcome.tries) == (error(4, TlvError.MAX_TRIES), MOST)
    assert outcome.reason is Reason.MAX_TRIES


@pytest.mark.parametrize("after", [0, 29_999, 30_000, 10**9])
def test_an_exchange_that_stands_still_for_30_s_may_be_taken_over(after: int) -> None:
    taken = after >= 30_000
    desk = Desk(now=1000)
    _, m3 = desk.up_to(3)
    desk.now += after
    assert (desk.reply(M1, THERE) != error(2, TlvError.BUSY)) is taken
    reply = desk.reply(m3)
    assert (reply == error(4, TlvError.UNKNOWN)) is taken
    if taken:
        desk.now += 30_000
        desk.ask(desk.up_to(5, exchange=THERE)[1], THERE)
        assert desk.paired is not None


def test_a_right_proof_is_progress_and_to_begin_again_is_none() -> None:
    desk = Desk()
    desk.ask(desk.up_to(3)[1])
    desk.now = 20_000
    desk.ask(desk.up_to(3)[1])
    desk.now = 49_999
    assert desk.reply(M1, THERE) == error(2, TlvError.BUSY)
    assert public_key(desk.reply(AGAIN))
    desk.now = 50_000
    assert desk.reply(M1, THERE) != error(2, TlvError.BUSY)


@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_second_controller_is_told_to_wait_at_every_step_and_disturbs_nothing(step: int) -> None:
    desk = Desk()
    other, data = desk.up_to(step)
    outcome = desk.ask(M1, THERE)
    if step > 1:
        assert (outcome.reply, outcome.reason) == (error(2, TlvError.BUSY), Reason.BUSY)
    for garbage in (b"", b"\xff", data[:-1], M1[:3], data, rewrite(data, (ItemType.STATE, b"\7"))):
        desk.ask(garbage, THERE)
    desk.now += 30_000
    while isinstance(data, bytes):
        data = other.receive(desk.reply(data))
    assert desk.paired is not None


@pytest.mark.parametrize("step", [3, 5])
def test_the_same_controller_may_begin_again_with_a_new_challenge(step: int) -> None:
    desk = Desk()
    _, data = desk.up_to(step)
    first = public_key(desk.reply(M1))
    assert public_key(desk.reply(AGAIN)) not in {first, b""}
    assert desk.reply(data) == error(step + 1, TlvError.AUTHENTICATION if step == 3 else TlvError.UNKNOWN)
    desk.ask(desk.up_to(5)[1])
    assert desk.paired is not None


def test_every_challenge_is_fresh_below_the_prime_and_without_a_leading_zero() -> None:
    desk = Desk()
    replies = [desk.reply(data) for data in [M1, AGAIN] * 20]
    publics = [public_key(reply) for reply in replies]
    assert len(set(publics)) == 40
    assert all(len(public) == 384 and public[0] for public in publics)
    assert all(int.from_bytes(public, "big") < srp.PAIR_SETUP.prime for public in publics)
    assert {tlv8.decode_unique(reply)[ItemType.SALT] for reply in replies} == {SALT}


@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_message_that_comes_twice_gets_the_same_reply_and_has_no_other_effect(step: int) -> None:
    desk = Desk()
    other, data = desk.up_to(step)
    first, second = desk.ask(data), desk.ask(data)
    assert second.reply == first.reply
    assert (second.repeated, second.paired, second.reason, second.step) == (True, None, None, f"M{step}")
    answer: bytes | Paired = other.receive(first.reply or b"")
    while isinstance(answer, bytes):
        answer = other.receive(desk.reply(answer))
    assert desk.paired is not None


def test_a_wrong_proof_that_comes_twice_is_counted_once() -> None:
    desk = Desk()
    _, m3 = desk.up_to(3, OTHER_CODE)
    assert desk.ask(m3).tries == 1
    assert (desk.ask(m3).reply, desk.tries) == (error(4, TlvError.UNKNOWN), 1)


def test_the_last_message_gets_no_second_reply_once_its_pairing_is_erased() -> None:
    desk = Desk()
    _, m5 = desk.up_to(5)
    desk.ask(m5)
    desk.paired = None
    outcome = desk.ask(m5)
    assert (outcome.reply, outcome.paired) == (error(6, TlvError.UNKNOWN), None)
    desk.ask(desk.up_to(5)[1])
    assert desk.paired is not None


def test_a_recording_pairs_nobody() -> None:
    recorded = Desk()
    messages = [recorded.up_to(step)[1] for step in (1, 3)]
    messages.append(recorded.up_to(5)[1])
    fresh = Desk(seed=8)
    replies = [fresh.ask(data).reply for data in messages]
    assert replies[1:] == [error(4, TlvError.AUTHENTICATION), error(6, TlvError.UNKNOWN)]
    assert fresh.paired is None


STEPS = ("before M1", "after M1", "after M3", "after M5")


@pytest.mark.parametrize(("place", "number"), list(product(range(4), range(9))), ids=str)
def test_every_message_in_every_place(place: int, number: int) -> None:
    """Out of turn: the end, without a proof. No step of a controller: the end, without an answer."""
    desk = Desk()
    walked = [desk.up_to(step)[1] for step in (1, 3, 5)[:place]]
    if place:
        desk.ask(walked[-1])
        desk.paired = None if place < 3 else desk.paired
    other = tlv8.encode(
        [(ItemType.STATE, bytes((number,))), (ItemType.METHOD, b"\0"), (ItemType.PROOF, bytes(64))]
    )
    other = rewrite(other, (ItemType.PUBLIC_KEY, b"\2"))
    outcome = desk.ask(other)
    if number not in {1, 3, 5}:
        assert (outcome.reply, outcome.reason, outcome.step) == (None, Reason.MALFORMED, "")
        assert place == 0 or desk.ask(walked[-1]).repeated is False
    elif place == 3:
        assert outcome.reply == error(number + 1, TlvError.UNAVAILABLE)
    elif number == 1:
        assert set(tlv8.decode_unique(outcome.reply or b"")) == {2, 3, 6}
    elif number == 2 * place + 1:
        assert outcome.reply == error(number + 1, TlvError.AUTHENTICATION)
    else:
        assert (outcome.reply, outcome.reason) == (error(number + 1, TlvError.UNKNOWN), Reason.MALFORMED)
        assert desk.ask(desk.up_to(1)[1] if place == 0 else walked[-1]).repeated is False


@pytest.mark.parametrize("way", [convention.name for convention in srp.CONVENTIONS])
@pytest.mark.parametrize("case", VALID.values(), ids=VALID)
def test_a_controller_of_each_convention_pairs(case: dict[str, Any], way: str) -> None:
    first = next(one for one in case["conventions"].values() if one["M1"] == case["conventions"][way]["M1"])
    key, proof, answer = (bytes.fromhex(first[name]) for name in ("K", "M1", "M2"))
    salt, verifier, b, public = (bytes.fromhex(case[name]) for name in ("salt", "verifier", "b", "A"))
    if case["B"].startswith("00"):
        return  # no accessory sends this B
    accessory = PairSetupAccessory(ACCESSORY_KEY, DEVICE_ID, salt, verifier, Dice(b))
    m3 = rewrite(M1, (ItemType.STATE, b"\3"), (ItemType.PUBLIC_KEY, public), (ItemType.PROOF, proof))
    m5 = rewrite(
        M1, (ItemType.STATE, b"\5"), (ItemType.ENCRYPTED_DATA, seal_key(M5, key, NAME, CONTROLLER_KEY))
    )
    _, m4, m6 = (accessory.receive(HERE, data, paired=False, tries=0, now=0) for data in (M1, m3, m5))
    assert m4.reply == rewrite(error(4, TlvError.BUSY), (ItemType.ERROR, None), (ItemType.PROOF, answer))
    sealed = tlv8.decode_unique(m6.reply or b"")[ItemType.ENCRYPTED_DATA]
    assert open_key(M6, key, sealed) == (DEVICE_ID.encode(), ACCESSORY_KEY.public)
