"""Pair-Setup's accessory against bent messages, arbitrary bytes and prying eyes."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FunctionType, ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accessory_emu.pairing import srp
from accessory_emu.pairing.offers import M5, M6, seal_key
from accessory_emu.pairing.pair_setup import ControllerKey, Paired, PairSetupAccessory
from accessory_emu.pairing.tlv8 import ItemType, TlvError
from accessory_emu.protocol.crypto import sha512
from accessory_emu.protocol.reasons import Reason
from tests.pairing.desk import (
    ACCESSORY_KEY,
    CODE,
    CONTROLLER_KEY,
    DEVICE_ID,
    M1,
    NAME,
    SALT,
    THERE,
    Desk,
    error,
    public_key,
    rewrite,
    vectors,
    verifier_of,
)
from tests.pairing.dice import Dice

VALID, BAD_A = vectors()
DOES_NOT_HOLD = "tag, signature, key or identifier does not hold"


@pytest.mark.parametrize("public", BAD_A.values(), ids=BAD_A)
def test_a_degenerate_public_key_ends_the_exchange_without_a_proof_or_a_try(public: bytes) -> None:
    """The proof that comes with it is the one that S = 0 makes computable."""
    desk = Desk(tries=5)
    server = int.from_bytes(public_key(desk.reply(M1)), "big")
    suite, wanted = srp.PAIR_SETUP, TlvError.AUTHENTICATION
    if not 0 < len(public) <= 384:
        wanted = TlvError.UNKNOWN
    group = bytes(a ^ b for a, b in zip(sha512(suite.pad(suite.prime)), sha512(b"\5"), strict=True))
    head = group + sha512(b"Pair-Setup") + SALT
    for form in (public, public.lstrip(b"\0"), public.rjust(384, b"\0")):
        for key in (sha512(b""), sha512(bytes(384))):
            proof = sha512(head + form + suite.pad(server) + key)
            items = ((ItemType.STATE, b"\3"), (ItemType.PUBLIC_KEY, public), (ItemType.PROOF, proof))
            desk.reply(M1)
            assert desk.ask(rewrite(M1, *items)).reply == error(4, wanted)
            m5 = rewrite(
                M1,
                (ItemType.STATE, b"\5"),
                (ItemType.ENCRYPTED_DATA, seal_key(M5, key, NAME, CONTROLLER_KEY)),
            )
            assert desk.ask(m5).reply == error(6, TlvError.UNKNOWN)
    assert (desk.tries, desk.paired) == (5, None)


BENT = {
    "M1 without a method": (1, (ItemType.METHOD, None)),
    "M1 with method 1": (1, (ItemType.METHOD, b"\1")),
    "M1 with method 2": (1, (ItemType.METHOD, b"\2")),
    "M1 with method 255": (1, (ItemType.METHOD, b"\xff")),
    "M1 with an empty method": (1, (ItemType.METHOD, b"")),
    "M1 with a method of two bytes": (1, (ItemType.METHOD, b"\0\0")),
    "M3 without A": (3, (ItemType.PUBLIC_KEY, None)),
    "M3 with 386 bytes of A": (3, (ItemType.PUBLIC_KEY, bytes(385) + b"\2")),
    "M3 without a proof": (3, (ItemType.PROOF, None)),
    "M3 with 63 bytes of proof": (3, (ItemType.PROOF, bytes(63))),
    "M3 with 65 bytes of proof": (3, (ItemType.PROOF, bytes(65))),
}


@pytest.mark.parametrize(("step", "change"), BENT.values(), ids=BENT)
def test_a_bent_message_ends_the_exchange_and_is_no_try(step: int, change: tuple[int, bytes | None]) -> None:
    desk = Desk(tries=5)
    _, data = desk.up_to(step)
    outcome = desk.ask(rewrite(data, change))
    assert (outcome.reply, outcome.reason) == (error(step + 1, TlvError.UNKNOWN), Reason.MALFORMED)
    assert (outcome.step, desk.tries) == (f"M{step}", 5)
    assert (desk.ask(data).reply == error(step + 1, TlvError.UNKNOWN)) is (step == 3)
    desk.ask(desk.up_to(5)[1])
    assert desk.paired is not None


@pytest.mark.parametrize("extra", [(200, b"?"), (0x13, b"\x10\0\0\0")], ids=["unknown", "flags"])
def test_an_item_that_nobody_knows_is_passed_over(extra: tuple[int, bytes]) -> None:
    desk = Desk()
    other, data = desk.up_to(1)
    answer: bytes | Paired = data
    while isinstance(answer, bytes):
        answer = other.receive(desk.reply(rewrite(answer, extra)))
    assert desk.paired is not None


def test_a_message_of_more_than_4_KiB_is_too_large() -> None:  # noqa: N802 - a unit
    outcome = Desk().ask(bytes(4097))
    assert (outcome.reply, outcome.reason) == (None, Reason.TOO_LARGE)
    assert Desk().ask(bytes(4096)).reason is Reason.MALFORMED


def proven() -> tuple[Desk, bytes]:
    """Give a desk after M3, and the K that both sides hold."""
    case = VALID["zero-none"]
    key, proof = (bytes.fromhex(case["conventions"]["kit"][name]) for name in ("K", "M1"))
    salt, verifier, b, public = (bytes.fromhex(case[name]) for name in ("salt", "verifier", "b", "A"))
    desk = Desk()
    desk.accessory = PairSetupAccessory(ACCESSORY_KEY, DEVICE_ID, salt, verifier, Dice(b))
    desk.reply(M1)
    desk.reply(rewrite(M1, (ItemType.STATE, b"\3"), (ItemType.PUBLIC_KEY, public), (ItemType.PROOF, proof)))
    return desk, key


def fifth(sealed: bytes | None) -> bytes:
    return rewrite(M1, (ItemType.STATE, b"\5"), (ItemType.ENCRYPTED_DATA, sealed))


BENT_OFFERS: dict[str, Callable[[bytes], bytes | None]] = {
    "no sealed item": lambda _: None,
    "an empty one": lambda _: b"",
    "a truncated tag": lambda key: seal_key(M5, key, NAME, CONTROLLER_KEY)[:-1],
    "a bit of the tag": lambda key: seal_key(M5, key, NAME, CONTROLLER_KEY)[:-1] + b"\0",
    "the labels and the nonce of M6": lambda key: seal_key(M6, key, NAME, CONTROLLER_KEY),
    "the nonce of M6": lambda key: seal_key(replace(M5, nonce=M6.nonce), key, NAME, CONTROLLER_KEY),
    "a signature made for M6": lambda key: seal_key(replace(M6, nonce=M5.nonce), key, NAME, CONTROLLER_KEY),
    "the keys of another exchange": lambda _: seal_key(M5, bytes(64), NAME, CONTROLLER_KEY),
    "no name": lambda key: seal_key(M5, key, b"", CONTROLLER_KEY),
    "a name of 37 bytes": lambda key: seal_key(M5, key, bytes(37), CONTROLLER_KEY),
    "a name of 3,000 bytes": lambda key: seal_key(M5, key, bytes(3000), CONTROLLER_KEY),
}


@pytest.mark.parametrize("bent", BENT_OFFERS.values(), ids=BENT_OFFERS)
def test_a_bent_offer_gets_the_one_error_stores_nothing_and_ends_the_exchange(
    bent: Callable[[bytes], bytes | None],
) -> None:
    desk, key = proven()
    desk.tries = 5
    outcome = desk.ask(fifth(bent(key)))
    assert (outcome.reply, outcome.reason) == (error(6, TlvError.AUTHENTICATION), Reason.BAD_SIGNATURE)
    assert (outcome.detail, desk.tries, desk.paired) == (DOES_NOT_HOLD, 5, None)
    assert desk.ask(fifth(seal_key(M5, key, NAME, CONTROLLER_KEY))).reply == error(6, TlvError.UNKNOWN)


@pytest.mark.parametrize("name", [b"n", bytes(36), b"\xff" * 36, "\u00e9".encode()])
def test_a_name_of_1_to_36_bytes_comes_back_as_it_was_sent(name: bytes) -> None:
    desk, key = proven()
    desk.ask(fifth(seal_key(M5, key, name, CONTROLLER_KEY)))
    assert desk.paired == ControllerKey(name, CONTROLLER_KEY.public)


@pytest.mark.parametrize("step", [1, 3, 5])
def test_the_accessory_survives_arbitrary_bytes_at_every_step(step: int) -> None:
    desk = Desk()
    other, data = desk.up_to(step)
    if step == 1:
        desk.reply(data)
    known = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 10, 255])
    item = st.tuples(known, st.binary(max_size=3) | st.sampled_from([bytes(64), bytes(384), bytes(400)]))

    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=80) | st.lists(item, max_size=5).map(loose))
    def poke(garbage: bytes) -> None:
        tries = desk.tries
        outcome = desk.ask(garbage, THERE)
        assert outcome.tries == tries
        assert (outcome.reply is None) is (outcome.step == "")
        assert outcome.reason is not None
        strange = Desk()
        strange.ask(strange.up_to(step)[1])
        assert strange.ask(garbage).paired is None

    poke()
    answer: bytes | Paired = data
    while isinstance(answer, bytes):
        answer = other.receive(desk.reply(answer))
    assert desk.paired is not None


def loose(items: list[tuple[int, bytes]]) -> bytes:
    """Write items without a look at the rules."""
    return b"".join(bytes((kind, len(value[:255]))) + value[:255] for kind, value in items)


def inside(root: object) -> Iterator[object]:
    """Walk over everything that an object holds."""
    seen: set[int] = set()
    open_ones = [root]
    while open_ones:
        one = open_ones.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType):
            continue
        seen.add(id(one))
        yield one
        open_ones += gc.get_referents(one)


def test_an_accessory_holds_salt_and_verifier_and_never_the_code() -> None:
    desk = Desk()
    _, m5 = desk.up_to(5)
    held = [one for one in inside(desk.accessory) if isinstance(one, str | bytes | int)]
    assert SALT in held
    assert int.from_bytes(verifier_of(), "big") in held
    desk.ask(m5)
    held += [one for one in inside(desk) if isinstance(one, str | bytes | int)]
    plain, digits = CODE.encode(), CODE.replace("-", "")
    for one in held:
        if isinstance(one, bytes):
            assert plain not in one
            assert digits.encode() not in one
        else:
            assert CODE not in str(one)
            assert str(one) != digits
    x = srp.PAIR_SETUP.private(CODE, SALT)
    assert x not in held


def test_secrets_show_in_no_repr_and_no_trace() -> None:
    desk, key = proven()
    case = VALID["zero-none"]
    secrets = [bytes.fromhex(case[name]) for name in ("verifier", "b", "S")] + [key, ACCESSORY_KEY.seed()]
    outcome = desk.ask(fifth(b""))
    shown = f"{desk.accessory!r} {outcome!r} {outcome.detail}"
    for held in inside(proven()[0].accessory):
        if not isinstance(held, str | bytes | int):
            shown += repr(held) if type(held).__module__.startswith("accessory_emu") else ""
    assert "_Running" in shown
    for secret in secrets:
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
        assert str(int.from_bytes(secret, "big")) not in shown
