"""SRP-6a, 3072 bit, SHA-512: dice handed in, degenerate values refused. The one door to gmpy2.

Deployed implementations hash numbers that begin with a zero byte in different ways, so that about one honest
pairing in a hundred fails between some of them. The rules here are those of Apple's open-source accessory
kit:

    k  = H(N, PAD g)            u  = H(PAD A, PAD B)        x = H(salt, H(name ":" code))
    K  = H(S without its leading zeros)
    M1 = H(H(N) xor H(g), H(name), salt, A and B without their leading zeros, K)
    M2 = H(PAD A, M1, K)

Both halves keep out of the way as well. A server draws b until B has no leading zero and takes M1 under each
known convention, answering in the one that fitted; each still needs the code. A client draws a until A, S and
K have no leading zero: then all conventions say the same, as long as B has none either.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import equal, sha512
from accessory_emu.protocol.ports import Random

try:
    # eight times as fast as pow, and it changes nothing else
    from gmpy2 import powmod as _power  # type: ignore[import-untyped]  # gmpy2 ships no annotations
except ImportError:
    _power = pow

SALT_SIZE: Final = 16
SECRET_SIZE: Final = 32  # a and b: 256 bits, as RFC 5054 section 2.5.3 asks
PROOF_SIZE: Final = 64

_PRIME_3072: Final = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05"
    "98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB"
    "9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718"
    "3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33"
    "A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864"
    "D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E2"
    "08E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)


class BadPublicKey(ValueError):
    """A or B is a multiple of N, is empty, or is longer than N: the exchange must end (RFC 5054, 2.5.4)."""


@dataclass(frozen=True, slots=True)
class Suite:
    """What both sides agree on beforehand: group, hash, and the name that stands in for a user."""

    prime: int
    generator: int
    digest: Callable[[bytes], bytes]
    name: bytes

    @property
    def size(self) -> int:
        """The bytes of a padded number."""
        return (self.prime.bit_length() + 7) // 8

    def power(self, base: int, exponent: int) -> int:
        """Raise to a power, modulo N."""
        return int(_power(base, exponent, self.prime))

    def pad(self, number: int) -> bytes:
        """Write a number at the length of N."""
        return number.to_bytes(self.size, "big")

    def number(self, public: bytes) -> int:
        """Read A or B.

        Raises:
            BadPublicKey: it is empty, longer than N, or a multiple of N.

        Spec: AE-PAIR-011.
        """
        number = int.from_bytes(public, "big")
        if not 0 < len(public) <= self.size or number % self.prime == 0:
            raise BadPublicKey("a public key that is empty, too long, or a multiple of N")
        return number

    def multiplier(self) -> int:
        """Give k."""
        return self._hash(self.pad(self.prime), self.pad(self.generator))

    def scramble(self, public_a: int, public_b: int) -> int:
        """Give u."""
        return self._hash(self.pad(public_a), self.pad(public_b))

    def private(self, code: str, salt: bytes) -> int:
        """Give x, which stands for the code."""
        return self._hash(salt, self.digest(self.name + b":" + code.encode()))

    def _hash(self, *parts: bytes) -> int:
        return int.from_bytes(self.digest(b"".join(parts)), "big")


# the 3072-bit group of RFC 5054, appendix A, and HAP's constant name
PAIR_SETUP: Final = Suite(_PRIME_3072, 5, sha512, b"Pair-Setup")


@dataclass(frozen=True, slots=True)
class Convention:
    """One way of hashing numbers that begin with a zero byte; True means that the zeros are hashed too."""

    name: str
    public: bool  # A and B in M1
    secret: bool  # S in K
    key: bool  # K, wherever it is used
    answer: bool  # A in M2


# AE-PAIR-012: the first is the specification's own
CONVENTIONS: Final = (
    Convention("kit", public=False, secret=False, key=True, answer=True),
    Convention("padded", public=True, secret=True, key=True, answer=True),  # aiohomekit 4
    Convention("padded-public", public=True, secret=False, key=True, answer=True),  # A hashed as it was sent
    Convention("padded-secret", public=False, secret=True, key=True, answer=True),
    Convention("short-key", public=False, secret=False, key=False, answer=False),  # big integers throughout
)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What both sides hold once the code fits: the key K, both proofs, and how the zeros were hashed."""

    key: bytes = field(repr=False)
    proof: bytes = field(repr=False)  # M1
    answer: bytes = field(repr=False)  # M2
    convention: str


def make_verifier(code: str, salt: bytes, suite: Suite = PAIR_SETUP) -> bytes:
    """Make what an accessory stores in place of its setup code: 384 bytes (AE-PAIR-053).

    Args:
        code: with its dashes, which are hashed too.
        salt: 16 random bytes of this accessory's own, new after each factory reset.
        suite: another group and hash, for tests.

    Raises:
        ValueError: the salt has another length.
    """
    if len(salt) != SALT_SIZE:
        raise ValueError("a salt has 16 bytes")
    return suite.pad(suite.power(suite.generator, suite.private(code, salt)))


class Server:
    """The accessory's half: it holds the verifier, never the code.

    Spec: AE-PAIR-010, AE-PAIR-011, AE-PAIR-012.
    """

    __slots__ = ("_salt", "_secret", "_suite", "_verifier", "public")

    def __init__(self, salt: bytes, verifier: bytes, secret: bytes, suite: Suite = PAIR_SETUP) -> None:
        self._suite = suite
        self._salt = salt
        self._verifier = int.from_bytes(verifier, "big")
        self._secret = int.from_bytes(secret, "big")
        blinded = suite.multiplier() * self._verifier + suite.power(suite.generator, self._secret)
        self.public = suite.pad(blinded % suite.prime)

    @classmethod
    def draw(cls, salt: bytes, verifier: bytes, random: Random) -> "Server":
        """Draw b until B has no leading zero, which also keeps B from being zero (AE-PAIR-010)."""
        for _ in range(limits.PAIR_DRAWS):
            server = cls(salt, verifier, random.bytes(SECRET_SIZE))
            if server.public[0]:
                return server
        raise RuntimeError("the dice repeat themselves")

    def check(self, public: bytes, proof: bytes) -> Agreed | None:
        """Check the client's proof under each known convention.

        Args:
            public: A, up to 384 bytes; a shorter one is extended with zeros.
            proof: M1.

        Returns:
            The key and the answer in the convention that fitted; None where none did.

        Raises:
            BadPublicKey: A is a multiple of N, empty or too long.
        """
        suite = self._suite
        public_a = suite.number(public)
        public_b = int.from_bytes(self.public, "big")
        scramble = suite.scramble(public_a, public_b)
        secret = suite.power(public_a * suite.power(self._verifier, scramble), self._secret)
        fitting = None
        for convention in CONVENTIONS:
            agreed = agree(suite, convention, self._salt, (public_a, public_b), secret)
            if equal(agreed.proof, proof) and fitting is None:
                fitting = agreed
        return fitting


class Client:
    """The controller's half: it knows the code.

    Raises:
        BadPublicKey: B is a multiple of N, empty or too long.

    Spec: AE-PAIR-010, AE-PAIR-011.
    """

    __slots__ = ("_plain", "agreed", "public")

    def __init__(self, x: int, salt: bytes, server: bytes, secret: bytes, suite: Suite = PAIR_SETUP) -> None:
        public_b = suite.number(server)
        own = int.from_bytes(secret, "big")
        public_a = suite.power(suite.generator, own)
        scramble = suite.scramble(public_a, public_b)
        base = public_b - suite.multiplier() * suite.power(suite.generator, x)
        shared = suite.power(base % suite.prime, own + scramble * x)
        self.public = suite.pad(public_a)
        self.agreed = agree(suite, CONVENTIONS[0], salt, (public_a, public_b), shared)
        self._plain = bool(self.public[0] and suite.pad(shared)[0] and self.agreed.key[0])

    @classmethod
    def draw(cls, code: str, salt: bytes, server: bytes, random: Random) -> "Client":
        """Draw a until A, S and K have no leading zero: then all conventions agree (AE-PAIR-013).

        Args:
            code: the setup code with its dashes.
            salt: the accessory's, 16 bytes.
            server: B, up to 384 bytes.
            random: the dice.
        """
        x = PAIR_SETUP.private(code, salt)
        for _ in range(limits.PAIR_DRAWS):
            client = cls(x, salt, server, random.bytes(SECRET_SIZE))
            if client._plain:
                return client
        raise RuntimeError("the dice repeat themselves")


def agree(
    suite: Suite,
    convention: Convention,
    salt: bytes,
    publics: tuple[int, int],
    secret: int,
) -> Agreed:
    """Compute K, M1 and M2 under one convention.

    Args:
        suite: group and hash.
        convention: what becomes of leading zeros.
        salt: the accessory's.
        publics: A and B.
        secret: S.
    """
    public_a, public_b = (suite.pad(number) for number in publics)
    key = suite.digest(_zeros(suite.pad(secret), keep=convention.secret))
    key = _zeros(key, keep=convention.key)
    proof = suite.digest(
        _group_hash(suite)
        + suite.digest(suite.name)
        + salt
        + _zeros(public_a, keep=convention.public)
        + _zeros(public_b, keep=convention.public)
        + key,
    )
    answer = suite.digest(_zeros(public_a, keep=convention.answer) + proof + key)
    return Agreed(key, proof, answer, convention.name)


def _zeros(data: bytes, *, keep: bool) -> bytes:
    """Give the bytes with or without their leading zeros."""
    return data if keep else data.lstrip(b"\0")


def _group_hash(suite: Suite) -> bytes:
    """Give H(N) xor H(g); g is hashed as one byte here, though k pads it."""
    prime = suite.digest(suite.pad(suite.prime))
    generator = suite.digest(bytes((suite.generator,)))
    return bytes(left ^ right for left, right in zip(prime, generator, strict=True))
