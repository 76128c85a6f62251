"""Pair-Setup's controller: what it refuses, what it drops, and what it says about it."""

import traceback
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accessory_emu.pairing import srp, tlv8
from accessory_emu.pairing.offers import M6, seal_key
from accessory_emu.pairing.pair_setup import Paired, PairingFailed, PairSetupAccessory, PairSetupController
from accessory_emu.pairing.setup_payload import BadSetupCode
from accessory_emu.pairing.state import OutOfTurn
from accessory_emu.pairing.tlv8 import ItemType, TlvError
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.identifiers import AccessoryId
from accessory_emu.protocol.reasons import Reason
from accessory_emu.runtime.clock import SeededRandom
from tests.pairing.desk import (
    ACCESSORY,
    ACCESSORY_KEY,
    CODE,
    CONTROLLER_KEY,
    DEVICE_ID,
    HERE,
    M1,
    OTHER_CODE,
    SALT,
    Desk,
    controller,
    rewrite,
    verifier_of,
)

STRANGER = SigningKey(b"\3" * 32)
PRIME = srp.PAIR_SETUP.pad(srp.PAIR_SETUP.prime)


def before(step: int) -> tuple[Desk, PairSetupController, bytes]:
    """Give a controller that waits for M2, M4 or M6, and that message."""
    desk = Desk()
    other, data = desk.up_to(step - 1)
    return desk, other, desk.reply(data)


def goes_on(desk: Desk, other: PairSetupController, answer: bytes) -> bool:
    """Tell whether the pairing can be completed from here."""
    result: bytes | Paired = other.receive(answer)
    while isinstance(result, bytes):
        result = other.receive(desk.reply(result))
    return desk.paired is not None and result == Paired(DEVICE_ID.encode(), ACCESSORY_KEY.public)


def other_accessory(key: SigningKey, device_id: str, meant: AccessoryId | None) -> bytes | Paired:
    """Pair with an accessory of this key and name."""
    accessory = PairSetupAccessory(key, device_id, SALT, verifier_of(), SeededRandom(7))
    other = controller(meant=meant)
    answer: bytes | Paired = other.start()
    while isinstance(answer, bytes):
        reply = accessory.receive(HERE, answer, paired=False, tries=0, now=0).reply
        answer = other.receive(reply or b"")
    return answer


ERRORS = {
    1: Reason.MALFORMED,
    2: Reason.BAD_SIGNATURE,
    3: Reason.MALFORMED,
    4: Reason.LIST_FULL,
    5: Reason.MAX_TRIES,
    6: Reason.UNAVAILABLE,
    7: Reason.BUSY,
    255: Reason.MALFORMED,
}


@pytest.mark.parametrize(("step", "number"), list(product([2, 4, 6], ERRORS)))
def test_an_error_of_the_accessory_ends_the_attempt_and_is_named(step: int, number: int) -> None:
    _, other, answer = before(step)
    with pytest.raises(PairingFailed, match=f"^M{step}: ") as caught:
        other.receive(rewrite(answer, (ItemType.ERROR, bytes((number,)))))
    failed = caught.value
    assert (failed.step, failed.tlv_error, failed.reason) == (f"M{step}", number, ERRORS[number])
    with pytest.raises(OutOfTurn):
        other.receive(answer)


def test_a_wrong_code_is_told_as_such() -> None:
    desk = Desk()
    other, m3 = desk.up_to(3, OTHER_CODE)
    with pytest.raises(PairingFailed, match="is this its setup code") as caught:
        other.receive(desk.reply(m3))
    assert (caught.value.tlv_error, caught.value.reason) == (TlvError.AUTHENTICATION, Reason.BAD_SIGNATURE)


BENT: dict[str, tuple[int, tuple[int, bytes | None], Reason]] = {
    "M2 without a salt": (2, (ItemType.SALT, None), Reason.MALFORMED),
    "M2 with 15 bytes of salt": (2, (ItemType.SALT, bytes(15)), Reason.MALFORMED),
    "M2 without B": (2, (ItemType.PUBLIC_KEY, None), Reason.BAD_VALUE),
    "M2 with B = 0": (2, (ItemType.PUBLIC_KEY, b"\0"), Reason.BAD_VALUE),
    "M2 with 384 bytes of 0": (2, (ItemType.PUBLIC_KEY, bytes(384)), Reason.BAD_VALUE),
    "M2 with B = N": (2, (ItemType.PUBLIC_KEY, PRIME), Reason.BAD_VALUE),
    "M2 with a B of 385 bytes": (2, (ItemType.PUBLIC_KEY, b"\0" + PRIME[:-1] + b"\1"), Reason.BAD_VALUE),
    "M4 without a proof": (4, (ItemType.PROOF, None), Reason.BAD_SIGNATURE),
    "M4 with another proof": (4, (ItemType.PROOF, bytes(64)), Reason.BAD_SIGNATURE),
    "M4 with half a proof": (4, (ItemType.PROOF, bytes(32)), Reason.BAD_SIGNATURE),
    "M6 without an offer": (6, (ItemType.ENCRYPTED_DATA, None), Reason.BAD_SIGNATURE),
    "M6 with zeros for an offer": (6, (ItemType.ENCRYPTED_DATA, bytes(140)), Reason.BAD_SIGNATURE),
    "M6 with the keys of another exchange": (
        6,
        (ItemType.ENCRYPTED_DATA, seal_key(M6, bytes(64), DEVICE_ID.encode(), ACCESSORY_KEY)),
        Reason.BAD_SIGNATURE,
    ),
}


@pytest.mark.parametrize(("step", "change", "reason"), BENT.values(), ids=BENT)
def test_an_answer_that_does_not_hold_ends_the_attempt(
    step: int,
    change: tuple[int, bytes | None],
    reason: Reason,
) -> None:
    desk, other, answer = before(step)
    assert goes_on(desk, other, answer)
    _, other, answer = before(step)
    with pytest.raises(PairingFailed) as caught:
        other.receive(rewrite(answer, change))
    assert (caught.value.step, caught.value.tlv_error, caught.value.reason) == (f"M{step}", None, reason)
    with pytest.raises(OutOfTurn):
        other.receive(answer)


def test_the_last_answer_of_another_exchange_does_not_hold() -> None:
    _, other, _ = before(6)
    desk = Desk(seed=8)
    with pytest.raises(PairingFailed) as caught:
        other.receive(desk.reply(desk.up_to(5)[1]))
    assert (caught.value.step, caught.value.reason) == ("M6", Reason.BAD_SIGNATURE)


def test_the_own_offer_sent_back_does_not_hold() -> None:
    desk = Desk()
    other, m5 = desk.up_to(5)
    with pytest.raises(PairingFailed):
        other.receive(rewrite(m5, (ItemType.STATE, b"\6")))


def test_a_server_that_does_not_know_the_code_is_found_out_before_the_key_is_offered() -> None:
    """It cannot check the proof, so it answers whatever comes."""
    other = controller()
    other.start()
    impostor = srp.Server.draw(SALT, srp.make_verifier(OTHER_CODE, SALT), SeededRandom(3))
    m2 = tlv8.encode([(ItemType.STATE, b"\2"), (ItemType.SALT, SALT), (ItemType.PUBLIC_KEY, impostor.public)])
    other.receive(m2)
    with pytest.raises(PairingFailed, match="does not know the setup code"):
        other.receive(tlv8.encode([(ItemType.STATE, b"\4"), (ItemType.PROOF, bytes(64))]))


@pytest.mark.parametrize(
    ("key", "device_id", "meant", "holds"),
    [
        (ACCESSORY_KEY, DEVICE_ID, ACCESSORY, "yes"),
        (ACCESSORY_KEY, DEVICE_ID, AccessoryId(STRANGER.kid), "no: another accessory was addressed"),
        (STRANGER, DEVICE_ID, ACCESSORY, "no: its key does not give the id"),
        (ACCESSORY_KEY, "12:34:56:78:9A:BC", ACCESSORY, "no: its device id does not follow from its key"),
        (ACCESSORY_KEY, DEVICE_ID.lower(), ACCESSORY, "no: a device id is upper case"),
        (STRANGER, "12:34:56:78:9A:BC", None, "yes: an accessory of HAP alone"),
    ],
)
def test_the_accessory_must_be_the_one_that_was_addressed(
    key: SigningKey,
    device_id: str,
    meant: AccessoryId | None,
    holds: str,
) -> None:
    if holds.startswith("yes"):
        assert other_accessory(key, device_id, meant) == Paired(device_id.encode(), key.public)
    else:
        with pytest.raises(PairingFailed, match="another accessory") as caught:
            other_accessory(key, device_id, meant)
        assert (caught.value.step, caught.value.reason) == ("M6", Reason.UNKNOWN_KEY)


@pytest.mark.parametrize(("step", "number"), list(product([2, 4, 6], range(1, 8))))
def test_an_answer_out_of_turn_is_dropped_and_changes_nothing(step: int, number: int) -> None:
    desk, other, answer = before(step)
    if number != step:
        with pytest.raises(OutOfTurn):
            other.receive(rewrite(answer, (ItemType.STATE, bytes((number,))), (ItemType.ERROR, b"\2")))
    assert goes_on(desk, other, answer)


def test_every_message_twice_still_pairs() -> None:
    desk, other = Desk(), controller()
    answer: bytes | Paired = other.start()
    while isinstance(answer, bytes):
        first, second = desk.reply(answer), desk.reply(answer)
        answer = other.receive(first)
        with pytest.raises(OutOfTurn):
            other.receive(second)
    assert desk.paired is not None


def test_nothing_is_taken_before_the_start_and_there_is_one_start() -> None:
    desk, other = Desk(), controller()
    with pytest.raises(OutOfTurn):
        other.receive(desk.reply(M1))
    m1 = other.start()
    with pytest.raises(OutOfTurn):
        other.start()
    assert goes_on(desk, other, desk.reply(m1))


@pytest.mark.parametrize("step", [2, 4, 6])
@pytest.mark.parametrize("garbage", [b"", b"\6", b"\6\0", b"\6\1\x09", b"\xff", bytes(5000)], ids=repr)
def test_what_is_no_message_ends_the_attempt(step: int, garbage: bytes) -> None:
    _, other, _ = before(step)
    with pytest.raises(PairingFailed) as caught:
        other.receive(garbage)
    assert (caught.value.tlv_error, caught.value.reason) == (None, Reason.MALFORMED)


@pytest.mark.parametrize("step", [2, 4, 6])
def test_arbitrary_bytes_end_the_attempt_or_are_dropped(step: int) -> None:
    item = st.tuples(
        st.sampled_from(range(11)), st.binary(max_size=3) | st.sampled_from([bytes(16), bytes(64)])
    )
    flawed = st.lists(item, max_size=5).map(
        lambda items: b"".join(bytes((kind, len(value))) + value for kind, value in items),
    )

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=60) | flawed)
    def poke(garbage: bytes) -> None:
        desk, other, answer = before(step)
        try:
            result = other.receive(garbage)
        except PairingFailed:
            with pytest.raises(OutOfTurn):
                other.receive(answer)
        except OutOfTurn:
            assert goes_on(desk, other, answer)
        else:
            assert (step, isinstance(result, bytes)) == (2, True)

    poke()


@pytest.mark.parametrize("name", [b"", bytes(37)])
def test_a_controller_has_a_name_of_1_to_36_bytes(name: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 36 bytes"):
        PairSetupController(CODE, name, CONTROLLER_KEY, SeededRandom(1), ACCESSORY)
    for size in (1, 36):
        PairSetupController(CODE, bytes(size), CONTROLLER_KEY, SeededRandom(1), ACCESSORY)


@pytest.mark.parametrize("code", ["20345171", "111-11-111", ""])
def test_a_code_that_no_accessory_has_is_refused_at_once(code: str) -> None:
    with pytest.raises(BadSetupCode):
        controller(code)


@pytest.mark.parametrize("step", [2, 4, 6])
def test_no_secret_is_in_a_failure(step: int) -> None:
    _, other, answer = before(step)
    with pytest.raises(PairingFailed) as caught:
        other.receive(rewrite(answer, (ItemType.ERROR, b"\2")))
    shown = "".join(traceback.format_exception(caught.value)) + repr(other) + repr(vars(caught.value))
    for secret in (
        CODE,
        CODE.replace("-", ""),
        CONTROLLER_KEY.seed().hex(),
        repr(CONTROLLER_KEY.seed())[2:-1],
    ):
        assert secret not in shown
