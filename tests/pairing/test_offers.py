"""The sealed offers of M5 and M6."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from accessory_emu.pairing import tlv8
from accessory_emu.pairing.offers import M5, M6, Offer, open_key, seal_key
from accessory_emu.pairing.tlv8 import ItemType
from accessory_emu.protocol import crypto
from accessory_emu.protocol.crypto import SigningKey

SECRET = bytes(range(64))
KEY = SigningKey(bytes(32))
NAME = b"8a7d1a8e-4a1f-4f3f-9e0e-2f8d3f3c9b11"
SEALING_KEY = crypto.hkdf_sha512(SECRET, b"Pair-Setup-Encrypt-Salt", b"Pair-Setup-Encrypt-Info")
NONCE = b"\0\0\0\0PS-Msg05"

# encodings of small order, not canonical, and off the curve
WEAK = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0200000000000000000000000000000000000000000000000000000000000000",
]


def signed(
    name: bytes, public: bytes, key: SigningKey = KEY, offer: Offer = M5, secret: bytes = SECRET
) -> bytes:
    return key.sign(crypto.hkdf_sha512(secret, offer.salt, offer.info) + name + public)


def sealed(*items: tuple[int, bytes], nonce: bytes = NONCE, key: bytes = SEALING_KEY) -> bytes:
    return crypto.aead_seal(key, nonce, tlv8.encode(items))


def offer(
    name: bytes = NAME, public: bytes = KEY.public, signature: bytes | None = None
) -> Sequence[tuple[int, bytes]]:
    signature = signed(name, public) if signature is None else signature
    return [(ItemType.IDENTIFIER, name), (ItemType.PUBLIC_KEY, public), (ItemType.SIGNATURE, signature)]


HOLD = {
    "as it is written": sealed(*offer()),
    "in another order": sealed(*reversed(offer())),
    "with an item that nobody knows": sealed(*offer(), (200, b"?")),
    "a name of 1 byte": sealed(*offer(b"n")),
    "a name of 36 bytes": sealed(*offer(b"n" * 36)),
    "a name that is no text": sealed(*offer(b"\xff\0")),
}
DO_NOT_HOLD = {
    "nothing": b"",
    "a tag alone": bytes(16),
    "a truncated tag": HOLD["as it is written"][:-1],
    "a byte more": HOLD["as it is written"] + b"\0",
    "the nonce of the other message": sealed(*offer(), nonce=M6.nonce),
    "another exchange's sealing": sealed(*offer(), key=bytes(32)),
    "no TLV8 inside": crypto.aead_seal(SEALING_KEY, NONCE, b"\1"),
    "nothing inside": sealed(),
    "no name": sealed(*offer()[1:]),
    "no key": sealed(*offer()[:1], *offer()[2:]),
    "no signature": sealed(*offer()[:2]),
    "a name twice": sealed(*offer(), (ItemType.IDENTIFIER, NAME)),
    "an empty name": sealed(*offer(b"")),
    "a name of 37 bytes": sealed(*offer(b"n" * 37)),
    "a name of 3,000 bytes": sealed(*offer(b"n" * 3000)),
    "a key of 31 bytes": sealed(*offer(public=KEY.public[:31])),
    "a key of 33 bytes": sealed(*offer(public=KEY.public + b"\0")),
    "an empty signature": sealed(*offer(signature=b"")),
    "a signature of 63 bytes": sealed(*offer(signature=signed(NAME, KEY.public)[:63])),
    "a signature by another key": sealed(*offer(signature=signed(NAME, KEY.public, SigningKey(b"\1" * 32)))),
    "a signature over another name": sealed(*offer(signature=signed(b"other", KEY.public))),
    "a signature over another key": sealed(*offer(signature=signed(NAME, bytes(32)))),
    "a signature of another exchange": sealed(*offer(signature=signed(NAME, KEY.public, secret=bytes(64)))),
    "a signature made for M6": sealed(*offer(signature=signed(NAME, KEY.public, offer=M6))),
    "a name of other case": sealed(*offer(NAME.upper(), signature=signed(NAME, KEY.public))),
} | {f"a weak key, {key[:4]}..{key[-2:]}": sealed(*offer(public=bytes.fromhex(key))) for key in WEAK}


@pytest.mark.parametrize("data", HOLD.values(), ids=HOLD)
def test_an_offer_that_holds_gives_name_and_key_as_they_were_sent(data: bytes) -> None:
    opened = open_key(M5, SECRET, data)
    assert opened is not None
    assert opened[1] == KEY.public
    assert opened[0] in {NAME, b"n", b"n" * 36, b"\xff\0"}


@pytest.mark.parametrize("data", DO_NOT_HOLD.values(), ids=DO_NOT_HOLD)
def test_an_offer_that_does_not_hold_gives_nothing(data: bytes) -> None:
    assert open_key(M5, SECRET, data) is None


def mixed_order_offer() -> tuple[bytes, bytes, bytes]:
    """Give name, key and signature of a key with a part of order 8, such that libsodium takes the signature.

    With h = H(R, A, message) the equation of a verifier holds if h times the small part is zero: for one name
    in eight.
    """
    a, r = (bindings.crypto_core_ed25519_scalar_reduce(bytes((digit,)) * 64) for digit in (1, 2))
    public, big_r = (bindings.crypto_scalarmult_ed25519_base_noclamp(scalar) for scalar in (a, r))
    public = bindings.crypto_core_ed25519_add(public, bytes.fromhex(WEAK[4]))
    proof = crypto.hkdf_sha512(SECRET, M5.salt, M5.info)
    for number in range(1000):
        name = b"%d" % number
        h = bindings.crypto_core_ed25519_scalar_reduce(crypto.sha512(big_r + public + proof + name + public))
        s = bindings.crypto_core_ed25519_scalar_add(r, bindings.crypto_core_ed25519_scalar_mul(h, a))
        if crypto.verify(public, proof + name + public, big_r + s):
            return name, public, big_r + s
    raise ArithmeticError("no such name")


def test_a_key_of_mixed_order_is_refused_though_its_signature_holds() -> None:
    name, public, signature = mixed_order_offer()
    assert open_key(M5, SECRET, sealed(*offer(name))) == (name, KEY.public)
    assert open_key(M5, SECRET, sealed(*offer(name, public, signature))) is None


@pytest.mark.parametrize(("mine", "other"), [(M5, M6), (M6, M5)])
def test_the_two_sides_offers_are_not_taken_for_each_other(mine: Offer, other: Offer) -> None:
    data = seal_key(mine, SECRET, NAME, KEY)
    assert open_key(mine, SECRET, data) == (NAME, KEY.public)
    assert open_key(other, SECRET, data) is None
    assert open_key(mine, bytes(64), data) is None


def test_an_offer_is_written_in_one_form() -> None:
    assert seal_key(M5, SECRET, NAME, KEY) == HOLD["as it is written"]


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_no_offer(data: bytes) -> None:
    assert open_key(M5, SECRET, data) is None


@given(st.binary(max_size=300))
def test_arbitrary_bytes_under_a_right_tag_are_no_offer(plain: bytes) -> None:
    assert open_key(M5, SECRET, crypto.aead_seal(SEALING_KEY, NONCE, plain)) is None


@given(st.integers(0, 8 * len(HOLD["as it is written"]) - 1))
def test_no_bit_of_an_offer_may_change(bit: int) -> None:
    data = bytearray(HOLD["as it is written"])
    data[bit // 8] ^= 1 << bit % 8
    assert open_key(M5, SECRET, bytes(data)) is None
