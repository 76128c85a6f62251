"""Ed25519, AEAD, HKDF, constant-time compare: the one door to nacl and cryptography.

PyNaCl (libsodium) decides what a valid signature is: cofactorless, S < L, canonical A and R of no small order
(AE-KEY-010). The bindings check no length, so a length check stands in front of every call.
"""

import hashlib
import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.bindings import (
    crypto_core_ed25519_is_valid_point,
    crypto_sign,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import BadSignatureError

from accessory_emu.protocol import limits
from accessory_emu.protocol.identifiers import KeyId, PublicKey

SEED_SIZE: Final = 32
AEAD_NONCE_SIZE: Final = 12
AEAD_TAG_SIZE: Final = 16


class SigningKey:
    """An Ed25519 key pair; the secret half shows in no repr and leaves only by `seed`."""

    __slots__ = ("_secret", "kid", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_SIZE:
            raise ValueError("an Ed25519 seed has 32 bytes")
        public, self._secret = crypto_sign_seed_keypair(seed)
        self.public = PublicKey(public)
        self.kid = key_id(self.public)

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid.hex()})"

    def sign(self, message: bytes) -> bytes:
        """Sign; gives the 64 bytes of the signature."""
        return crypto_sign(message, self._secret)[: limits.SIGNATURE_SIZE]

    def seed(self) -> bytes:
        """Give the secret seed, for key files and stores only."""
        return self._secret[:SEED_SIZE]


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a signature holds, by libsodium's rules and no others (AE-KEY-010)."""
    if len(public) != limits.KEY_SIZE or len(signature) != limits.SIGNATURE_SIZE:
        return False
    try:
        crypto_sign_open(signature + message, public)
    except BadSignatureError:
        return False
    return True


def admissible_key(public: bytes) -> bool:
    """Tell whether a key may enter a log: 32 bytes, canonical, a point of prime order (AE-KEY-020)."""
    return len(public) == limits.KEY_SIZE and bool(crypto_core_ed25519_is_valid_point(public))


def key_id(public: bytes) -> KeyId:
    """Give the id of a key: the first 8 bytes of its SHA-256 (AE-KEY-001)."""
    return KeyId(hashlib.sha256(public).digest()[: limits.ID_SIZE])


def sha256(data: bytes) -> bytes:
    """Hash with SHA-256."""
    return hashlib.sha256(data).digest()


def sha512(data: bytes) -> bytes:
    """Hash with SHA-512."""
    return hashlib.sha512(data).digest()


def equal(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)


def hkdf_sha512(secret: bytes, salt: bytes, info: bytes, size: int = 32) -> bytes:
    """Derive `size` bytes with HKDF-SHA-512."""
    return HKDF(algorithm=SHA512(), length=size, salt=salt, info=info).derive(secret)


def aead_seal(key: bytes, nonce: bytes, plain: bytes, associated: bytes = b"") -> bytes:
    """Seal with ChaCha20-Poly1305; the nonce is always the caller's, 12 bytes."""
    return ChaCha20Poly1305(key).encrypt(nonce, plain, associated)


def aead_open(key: bytes, nonce: bytes, sealed: bytes, associated: bytes = b"") -> bytes | None:
    """Open what `aead_seal` made; None where it does not hold."""
    if len(key) != SEED_SIZE or len(nonce) != AEAD_NONCE_SIZE or len(sealed) < AEAD_TAG_SIZE:
        return None
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed, associated)
    except InvalidTag:
        return None
