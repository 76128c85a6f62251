"""Maker of `spec/vectors/srp.json`, in plain arithmetic that shares no line with `pairing/srp.py`.

Run it as `python tests/vectors/make_srp.py --seed 1`. Secrets are hashes of the seed and a number, and the
number goes up until the wanted byte is zero: about a minute.
"""

import argparse
import json
from collections.abc import Iterator
from hashlib import sha512
from pathlib import Path

FILE = Path(__file__).parents[2] / "accessory_emu" / "spec" / "vectors" / "srp.json"
SIZE = 384
GENERATOR = 5

Case = dict[str, object]
Values = dict[str, bytes]


def prime_3072() -> int:
    """Reckon the prime from its formula in RFC 3526, with pi by Machin's formula."""
    guard = 64
    one = 1 << 2942 + guard

    def arctan_inverse(number: int) -> int:
        total = term = one // number
        divisor, sign = 3, -1
        while term:
            term //= number * number
            total += sign * (term // divisor)
            divisor, sign = divisor + 2, -sign
        return total

    pi = 4 * (4 * arctan_inverse(5) - arctan_inverse(239)) >> guard
    return 2**3072 - 2**3008 - 1 + 2**64 * (pi + 1690314)


PRIME = prime_3072()


def padded(number: int) -> bytes:
    return number.to_bytes(SIZE, "big")


def bare(data: bytes) -> bytes:
    return data.lstrip(b"\0")


def integer(*parts: bytes) -> int:
    return int.from_bytes(sha512(b"".join(parts)).digest(), "big")


def proofs(fixed: Values, *, public: bool, secret: bool, key: bool, answer: bool) -> dict[str, str]:
    """Give K, M1 and M2 where True hashes leading zeros of A and B in M1, of S, of K, and of A in M2."""

    def form(data: bytes, *, keep: bool) -> bytes:
        return data if keep else bare(data)

    big_a, big_b = fixed["A"], fixed["B"]
    k = form(sha512(form(fixed["S"], keep=secret)).digest(), keep=key)
    group = bytes(a ^ b for a, b in zip(sha512(padded(PRIME)).digest(), sha512(b"\5").digest(), strict=True))
    head = group + sha512(fixed["name"]).digest() + fixed["salt"]
    m1 = sha512(head + form(big_a, keep=public) + form(big_b, keep=public) + k).digest()
    m2 = sha512(form(big_a, keep=answer) + m1 + k).digest()
    return {"K": k.hex(), "M1": m1.hex(), "M2": m2.hex()}


def private(fixed: Values) -> int:
    """Give x."""
    return integer(fixed["salt"], sha512(fixed["name"] + b":" + fixed["code"]).digest())


MULTIPLIER = integer(padded(PRIME), padded(GENERATOR))


def server_side(fixed: Values, verifier: int) -> Values:
    """Give verifier, A, B, u and S as an accessory reckons them."""
    a, b = (int.from_bytes(fixed[name], "big") for name in "ab")
    big_a = pow(GENERATOR, a, PRIME)
    big_b = (MULTIPLIER * verifier + pow(GENERATOR, b, PRIME)) % PRIME
    u = integer(padded(big_a), padded(big_b))
    secret = pow(big_a * pow(verifier, u, PRIME), b, PRIME)
    numbers = {"verifier": verifier, "A": big_a, "B": big_b, "S": secret}
    return fixed | {name: padded(number) for name, number in numbers.items()} | {"u": u.to_bytes(64, "big")}


def both_sides(fixed: Values) -> Values:
    """Give the values of the exchange; the controller's way to S must meet the accessory's."""
    x = private(fixed)
    values = server_side(fixed, pow(GENERATOR, x, PRIME))
    verifier, big_b, u = (int.from_bytes(values[name], "big") for name in ("verifier", "B", "u"))
    a = int.from_bytes(fixed["a"], "big")
    if padded(pow((big_b - MULTIPLIER * verifier) % PRIME, a + u * x, PRIME)) != values["S"]:
        raise ArithmeticError("the two sides disagree")
    return values


CONVENTIONS = {
    "kit": {"public": False, "secret": False, "key": True, "answer": True},
    "padded": {"public": True, "secret": True, "key": True, "answer": True},
    "padded-public": {"public": True, "secret": False, "key": True, "answer": True},
    "padded-secret": {"public": False, "secret": True, "key": True, "answer": True},
    "short-key": {"public": False, "secret": False, "key": False, "answer": False},
}


def exchange(name: str, why: str, fixed: Values) -> Case:
    """Write one exchange that holds, under every convention."""
    values = both_sides(fixed)
    texts = {key: values[key].decode() for key in ("name", "code")}
    numbers = {key: value.hex() for key, value in values.items() if key not in texts}
    ways = {way: proofs(values, **rule) for way, rule in CONVENTIONS.items()}
    return {"id": name, "result": "valid", "why": why, **texts, **numbers, "conventions": ways}


def draws(seed: int) -> Iterator[Values]:
    """Give ever new secrets, with one salt and code."""
    salt = sha512(f"{seed} salt".encode()).digest()[:16]
    for number in range(1 << 16):
        digest = sha512(f"{seed} {number}".encode()).digest()
        yield {"name": b"Pair-Setup", "code": b"203-45-171", "salt": salt, "a": digest[:32], "b": digest[32:]}


def leading_zeros(values: Values) -> list[str]:
    """Name the numbers that begin with a zero byte."""
    kit = proofs(values, **CONVENTIONS["kit"])
    zeros = [name for name in ("A", "B", "S") if not values[name][0]]
    return zeros + [name for name in ("K", "M1") if kit[name].startswith("00")]


def find_zeros(seed: int) -> dict[str, Values]:
    """Draw until there is an exchange for each number in which that number alone begins with a zero byte."""
    wanted = ["none", "A", "B", "S", "K", "M1"]
    found: dict[str, Values] = {}
    stream = draws(seed)
    verifier = pow(GENERATOR, private(next(draws(seed))), PRIME)
    while len(found) < len(wanted):
        fixed = next(stream)
        match leading_zeros(server_side(fixed, verifier)) or ["none"]:
            case [alone]:
                found.setdefault(alone, fixed)
    return {name: found[name] for name in wanted}


def find_verifier(seed: int) -> Values:
    """Draw salts until the verifier begins with a zero byte."""
    for number, fixed in enumerate(draws(seed)):
        salted = fixed | {"salt": sha512(f"{seed} salt {number}".encode()).digest()[:16]}
        if not padded(pow(GENERATOR, private(salted), PRIME))[0]:
            return salted
    raise ArithmeticError("no such salt among 65,536")


def degenerate(name: str, why: str, side: str, public: int, length: int = SIZE) -> Case:
    """Write a public key that must end the exchange, whatever proof comes with it."""
    return {"id": name, "result": "invalid", "why": why, side: public.to_bytes(length, "big").hex()}


def cases(seed: int) -> list[Case]:
    """Make all cases."""
    published: Values = {
        "name": b"alice",
        "code": b"password123",
        "salt": bytes.fromhex("beb25379d1a8581eb5a727673a2441ee"),
        "a": bytes.fromhex("60975527035cf2ad1989806f0407210bc81edc04e2762a56afd529ddda2d4393"),
        "b": bytes.fromhex("e487cb59d31ac550471e81f00f6928e01dda08e974a004f49e61f5d105284d20"),
    }
    zeros = find_zeros(seed) | {"verifier": find_verifier(seed)}
    return [
        exchange("published", "name, code, salt, a and b of RFC 5054, appendix B", published),
        *(exchange(f"zero-{name}", f"what begins with a zero byte: {name}", zeros[name]) for name in zeros),
        degenerate("A-is-0-short", "A = 0 in one byte", "A", 0, 1),
        degenerate("A-is-0", "A = 0", "A", 0),
        degenerate("A-is-N", "A = N", "A", PRIME),
        degenerate("A-is-2N", "A = 2 N, one byte longer than N", "A", 2 * PRIME, SIZE + 1),
        degenerate("A-is-empty", "A without a byte", "A", 0, 0),
        degenerate("A-is-long", "A = 5 with a zero byte too many", "A", 5, SIZE + 1),
        degenerate("B-is-0", "B = 0", "B", 0),
        degenerate("B-is-N", "B = N", "B", PRIME),
        degenerate("B-is-empty", "B without a byte", "B", 0, 0),
        degenerate("B-is-long", "B = 5 with a zero byte too many", "B", 5, SIZE + 1),
    ]


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    head = {
        "vectors": "pairing/srp",
        "spec": "accessory-emu/1",
        "clauses": ["AE-PAIR-010", "AE-PAIR-011", "AE-PAIR-012"],
        "source": "own; case 'published' has the inputs of RFC 5054, appendix B, and gives the vector "
        "that Apple's open-source accessory kit tests itself with",
        "made_by": f"tests/vectors/make_srp.py --seed {seed}",
        "checked_by": "srptools 2 and accessory_emu.pairing.srp (tests/pairing/test_srp.py)",
        "licence": "as the project",
        "cases": cases(seed),
    }
    FILE.write_text(json.dumps(head, indent=1) + "\n")


if __name__ == "__main__":
    main()
