"""SRP-6a against vectors that plain arithmetic made, against srptools, and against the published values."""

import hashlib
import json
import sys
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from srptools import SRPContext

from accessory_emu.pairing import srp
from accessory_emu.pairing.srp import (
    CONVENTIONS,
    PAIR_SETUP,
    BadPublicKey,
    Client,
    Convention,
    Server,
    Suite,
    agree,
    make_verifier,
)
from accessory_emu.protocol.crypto import sha512
from accessory_emu.runtime.clock import SeededRandom
from tests.pairing.dice import Dice

VECTORS = json.loads((Path(srp.__file__).parents[1] / "spec" / "vectors" / "srp.json").read_text())
VALID = {case["id"]: case for case in VECTORS["cases"] if case["result"] == "valid"}
INVALID = {case["id"]: case for case in VECTORS["cases"] if case["result"] == "invalid"}
CODE = "203-45-171"

# RFC 5054, appendix B: the 1024-bit group with SHA-1
RFC_PRIME = int(
    "EEAF0AB9ADB38DD69C33F80AFA8FC5E86072618775FF3C0B9EA2314C9C256576D674DF7496EA81D3383B4813D692C6E0"
    "E0D5D8E250B98BE48E495C1D6089DAD15DC7D7B46154D6B6CE8EF4AD69B15D4982559B297BCF1885C529F566660E57EC"
    "68EDBC3C05726CC02FD4CBF4976EAA9AFD5138FE8376435B9FC61D2FC0EB06E3",
    16,
)
RFC_VERIFIER = (
    "7E273DE8696FFC4F4E337D05B4B375BEB0DDE1569E8FA00A9886D8129BADA1F1822223CA1A605B530E379BA4729FDC59"
    "F105B4787E5186F5C671085A1447B52A48CF1970B4FB6F8400BBF4CEBFBB168152E08AB5EA53D15C1AFF87B2B9DA6E04"
    "E058AD51CC72BFC9033B564E26480D78E955A5E29E7AB245DB2BE315E2099AFB"
)
RFC_A = (
    "61D5E490F6F1B79547B0704C436F523DD0E560F0C64115BB72557EC44352E8903211C04692272D8B2D1A5358A2CF1B6E"
    "0BFCF99F921530EC8E39356179EAE45E42BA92AEACED825171E1E8B9AF6D9C03E1327F44BE087EF06530E69F66615261"
    "EEF54073CA11CF5858F0EDFDFE15EFEAB349EF5D76988A3672FAC47B0769447B"
)
RFC_B = (
    "BD0C61512C692C0CB6D041FA01BB152D4916A1E77AF46AE105393011BAF38964DC46A0670DD125B95A981652236F99D9"
    "B681CBF87837EC996C6DA04453728610D0C6DDB58B318885D7D82C7F8DEB75CE7BD4FBAA37089E6F9C6059F388838E7A"
    "00030B331EB76840910440B1B27AAEAEEB4012B7D7665238A8E3FB004B117B58"
)
RFC_S = (
    "B0DC82BABCF30674AE450C0287745E7990A3381F63B387AAF271A10D233861E359B48220F7C4693C9AE12B0A6F67809F"
    "0876E2D013800D6C41BB59B6D5979B5C00A172B4A2A5903A0BDCAF8A709585EB2AFAFA8F3499B200210DCC1F10EB3394"
    "3CD67FC88A2F39A4BE5BEC4EC0A3212DC346D7E474B29EDE8A469FFECA686E5A"
)


Case = dict[str, Any]


def octets(case: Case, *names: str) -> list[bytes]:
    return [bytes.fromhex(case[name]) for name in names]


def suite_of(case: Case) -> Suite:
    return Suite(PAIR_SETUP.prime, PAIR_SETUP.generator, sha512, case["name"].encode())


def server_of(case: Case) -> Server:
    return Server(*octets(case, "salt", "verifier", "b"), suite_of(case))


def client_of(case: Case) -> Client:
    salt, server, secret = octets(case, "salt", "B", "a")
    return Client(suite_of(case).private(case["code"], salt), salt, server, secret, suite_of(case))


def test_the_vectors_hold_each_leading_zero_alone_and_the_prime_is_as_long_as_it_should_be() -> None:
    assert PAIR_SETUP.prime.bit_length() == 3072
    for name, case in VALID.items():
        numbers = {part: case[part] for part in ("A", "B", "S", "verifier")}
        numbers |= {part: case["conventions"]["kit"][part] for part in ("K", "M1")}
        zeros = [part for part, value in numbers.items() if value.startswith("00")]
        assert zeros == ([] if name in {"published", "zero-none"} else [name.removeprefix("zero-")])


@pytest.mark.parametrize("case", VALID.values(), ids=VALID)
def test_both_halves_reproduce_the_vectors(case: Case) -> None:
    client, server = client_of(case), server_of(case)
    salt, verifier, public_a, public_b = octets(case, "salt", "verifier", "A", "B")
    assert make_verifier(case["code"], salt, suite_of(case)) == verifier
    assert (client.public, server.public) == (public_a, public_b)
    assert suite_of(case).scramble(int(case["A"], 16), int(case["B"], 16)) == int(case["u"], 16)
    agreed = client.agreed
    assert [agreed.key, agreed.proof, agreed.answer] == octets(case["conventions"]["kit"], "K", "M1", "M2")
    assert server.check(client.public, agreed.proof) == agreed


@pytest.mark.parametrize("convention", CONVENTIONS, ids=[convention.name for convention in CONVENTIONS])
@pytest.mark.parametrize("case", VALID.values(), ids=VALID)
def test_each_convention_hashes_zeros_as_the_vectors_say(case: Case, convention: Convention) -> None:
    publics, secret = (int(case["A"], 16), int(case["B"], 16)), int(case["S"], 16)
    agreed = agree(suite_of(case), convention, bytes.fromhex(case["salt"]), publics, secret)
    parts = octets(case["conventions"][convention.name], "K", "M1", "M2")
    assert [agreed.key, agreed.proof, agreed.answer] == parts
    assert agreed.convention == convention.name


@pytest.mark.parametrize("way", [convention.name for convention in CONVENTIONS])
@pytest.mark.parametrize("case", VALID.values(), ids=VALID)
def test_a_server_takes_the_proof_of_each_convention_and_answers_in_it(case: Case, way: str) -> None:
    ways = case["conventions"]
    # where only M2 would differ nothing tells two conventions apart, and the specification's own goes first
    first = next(one for one in ways.values() if one["M1"] == ways[way]["M1"])
    key, proof, answer = octets(first, "K", "M1", "M2")
    agreed = server_of(case).check(bytes.fromhex(case["A"]), proof)
    assert agreed is not None
    assert (agreed.key, agreed.answer) == (key, answer)


def test_the_conventions_differ_where_a_number_begins_with_a_zero_and_nowhere_else() -> None:
    proofs = {name: len({way["M1"] for way in case["conventions"].values()}) for name, case in VALID.items()}
    alike = dict.fromkeys(("published", "zero-none", "zero-M1", "zero-verifier"), 1)
    assert proofs == alike | dict.fromkeys(("zero-A", "zero-B", "zero-S", "zero-K"), 2)


def test_a_server_extends_a_short_A_with_zeros() -> None:  # noqa: N802 - A is the specification's word
    case = VALID["zero-A"]
    short = bytes.fromhex(case["A"]).lstrip(b"\0")
    proof = bytes.fromhex(case["conventions"]["kit"]["M1"])
    assert len(short) == 383
    assert server_of(case).check(short, proof) == client_of(case).agreed


@pytest.mark.parametrize("name", VALID)
def test_srptools_agrees(name: str) -> None:
    """It hashes all numbers without their leading zeros, so under a zero in A its M2 is another one."""
    case = VALID[name]
    salt, a, b = octets(case, "salt", "a", "b")
    a, b = int.from_bytes(a, "big"), int.from_bytes(b, "big")
    prime = f"{PAIR_SETUP.prime:x}"
    other = SRPContext(case["name"], case["code"], prime=prime, generator="5", hash_func=hashlib.sha512)
    x = other.get_common_password_hash(salt)
    verifier = other.get_common_password_verifier(x)
    public_a = other.get_client_public(client_private=a)
    public_b = other.get_server_public(password_verifier=verifier, server_private=b)
    u = other.get_common_secret(public_b, public_a)
    secret = other.get_server_premaster_secret(
        password_verifier=verifier,
        server_private=b,
        client_public=public_a,
        common_secret=u,
    )
    key = other.get_common_session_key(secret)
    proof = other.get_common_session_key_proof(
        session_key=key,
        salt=salt,
        server_public=public_b,
        client_public=public_a,
    )
    answer = other.get_common_session_key_proof_hash(
        session_key=key,
        session_key_proof=proof,
        client_public=public_a,
    )
    numbers = {"verifier": verifier, "A": public_a, "B": public_b, "u": u, "S": secret}
    assert numbers == {part: int(case[part], 16) for part in numbers}
    kit = client_of(case).agreed
    assert (key, proof) == (kit.key, kit.proof)
    assert (answer == kit.answer) is (name != "zero-A")


def test_the_first_case_is_the_published_vector() -> None:
    """The inputs are those of RFC 5054, appendix B, the values those of Apple's open-source accessory kit."""
    agreed = client_of(VALID["published"]).agreed
    assert agreed.key.hex() == (
        "5cbc219db052138ee1148c71cd4498963d682549ce91ca24f098468f06015beb"
        "6af245c2093f98c3651bca83ab8cab2b580bbf02184fefdf26142f73df95ac50"
    )
    assert agreed.proof.hex() == (
        "5f7c14ab57ed0e94fd1d78c6b4dd09ed7e340b7e05d419a9fd760f6b35e523d1"
        "310777a1ae1d2826f596f3a85116cc457c7c964d4f44ded5559da818c88b617f"
    )
    assert agreed.answer.hex() == (
        "2fa0e81f5cb73b88fa0964270f321dd641f2227a5d805c40f1bfe96aaf6a19ff"
        "ce8e23287965a39eab9d5a02215f89e128177ed2c4f103e655a045531bcbf7ad"
    )


def test_the_arithmetic_is_that_of_rfc_5054() -> None:
    def sha1(data: bytes) -> bytes:
        return hashlib.sha1(data, usedforsecurity=False).digest()

    suite = Suite(RFC_PRIME, 2, sha1, b"alice")
    salt, a, b = octets(VALID["published"], "salt", "a", "b")
    x = suite.private("password123", salt)
    server = Server(salt, make_verifier("password123", salt, suite), b, suite)
    client = Client(x, salt, server.public, a, suite)
    assert f"{suite.multiplier():X}" == "7556AA045AEF2CDD07ABAF0F665C3E818913186F"
    assert f"{x:X}" == "94B7555AABE9127CC58CCF4993DB6CF84D16C124"
    assert make_verifier("password123", salt, suite) == bytes.fromhex(RFC_VERIFIER)
    assert client.public == bytes.fromhex(RFC_A)
    assert server.public == bytes.fromhex(RFC_B)
    assert f"{suite.scramble(int(RFC_A, 16), int(RFC_B, 16)):X}" == "CE38B9593487DA98554ED47D70A7AE5F462EF019"
    assert client.agreed.key == sha1(bytes.fromhex(RFC_S))
    assert server.check(client.public, client.agreed.proof) == client.agreed


@pytest.mark.parametrize("case", INVALID.values(), ids=INVALID)
def test_a_degenerate_public_key_is_refused(case: Case) -> None:
    honest = VALID["zero-none"]
    salt, secret = octets(honest, "salt", "a")
    for side, use in {
        "A": lambda public: server_of(honest).check(public, bytes(64)),
        "B": lambda public: Client(1, salt, public, secret),
    }.items():
        if side in case:
            with pytest.raises(BadPublicKey):
                use(bytes.fromhex(case[side]))
            use(bytes.fromhex(honest[side]))


@pytest.mark.parametrize("proof", [b"", bytes(63), bytes(64), bytes(65)])
def test_another_proof_is_not_taken(proof: bytes) -> None:
    case = VALID["zero-none"]
    assert server_of(case).check(bytes.fromhex(case["A"]), proof) is None


@given(st.integers(0, 511))
def test_no_bit_of_the_proof_may_change(bit: int) -> None:
    case = VALID["zero-none"]
    proof = bytearray.fromhex(case["conventions"]["kit"]["M1"])
    proof[bit // 8] ^= 1 << bit % 8
    assert server_of(case).check(bytes.fromhex(case["A"]), bytes(proof)) is None


def test_another_code_gives_another_proof() -> None:
    dice = SeededRandom(1)
    salt = dice.bytes(16)
    server = Server.draw(salt, make_verifier(CODE, salt), dice)
    for code in ("203-45-172", "20345171", ""):
        client = Client.draw(code, salt, server.public, dice)
        assert server.check(client.public, client.agreed.proof) is None
    client = Client.draw(CODE, salt, server.public, dice)
    assert server.check(client.public, client.agreed.proof) == client.agreed


def test_a_server_draws_again_while_B_begins_with_a_zero() -> None:  # noqa: N802 - B is the specification's word
    zero, none = VALID["zero-B"], VALID["zero-none"]
    salt, verifier, b_zero = octets(zero, "salt", "verifier", "b")
    (b_none,) = octets(none, "b")
    assert Server.draw(salt, verifier, Dice(b_zero, b_none)).public.hex() == none["B"]
    with pytest.raises(RuntimeError):
        Server.draw(salt, verifier, Dice(b_zero))


@pytest.mark.parametrize("name", ["zero-A", "zero-S", "zero-K"])
def test_a_client_draws_again_while_A_S_or_K_begins_with_a_zero(name: str) -> None:  # noqa: N802 - their names
    case, none = VALID[name], VALID["zero-none"]
    salt, server, a_zero = octets(case, "salt", "B", "a")
    (a_none,) = octets(none, "a")
    assert Client.draw(CODE, salt, server, Dice(a_zero, a_none)).public.hex() == none["A"]
    with pytest.raises(RuntimeError):
        Client.draw(CODE, salt, server, Dice(a_zero))


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_salt_has_16_bytes(size: int) -> None:
    assert len(make_verifier(CODE, bytes(16))) == 384
    with pytest.raises(ValueError, match="16 bytes"):
        make_verifier(CODE, bytes(size))


def test_without_gmpy2_the_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gmpy2", None)
    spec = util.spec_from_file_location("srp_without_gmpy2", srp.__file__)
    assert spec is not None
    assert spec.loader is not None
    plain = util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "srp_without_gmpy2", plain)
    spec.loader.exec_module(plain)
    case = VALID["zero-none"]
    salt, verifier, a, b = octets(case, "salt", "verifier", "a", "b")
    server = plain.Server(salt, verifier, b)
    client = plain.Client(PAIR_SETUP.private(case["code"], salt), salt, server.public, a)
    kit = octets(case["conventions"]["kit"], "K", "M1", "M2")
    assert [client.agreed.key, client.agreed.proof, client.agreed.answer] == kit
    assert server.check(client.public, client.agreed.proof) == client.agreed


def test_secrets_show_in_no_repr() -> None:
    case = VALID["zero-none"]
    client, server = client_of(case), server_of(case)
    shown = "".join(map(repr, (client, server, client.agreed)))
    kit = case["conventions"]["kit"]
    for secret in (case["code"], case["verifier"], case["S"], case["a"], case["b"], kit["K"], kit["M1"]):
        assert secret not in shown
        assert repr(bytes.fromhex(secret) if len(secret) > 10 else secret)[2:-1] not in shown
        assert str(int(secret.replace("-", ""), 16)) not in shown
