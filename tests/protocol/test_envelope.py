"""A message has one grammar; its signature holds for one context, home, accessory and run of bytes."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.encoding import pack
from accessory_emu.protocol.envelope import (
    Context,
    Envelope,
    GoodSignatures,
    object_id,
    parse,
    parse_pair,
    seal,
    verify,
)
from accessory_emu.protocol.errors import BadSignature, Malformed, ProtocolError, TooLarge
from accessory_emu.protocol.identifiers import NO_ACCESSORY, NO_HOME, AccessoryId, HomeId

KEY = SigningKey(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
OTHER_KEY = SigningKey(b"\x07" * 32)
HOME = HomeId(bytes.fromhex("0011223344556677"))
ACCESSORY = AccessoryId(bytes.fromhex("8899aabbccddeeff"))
PAYLOAD = bytes.fromhex("a50148a1a2a3a4a5a6a7a80201038200010502068283010af583010b184b")
FIRST_VECTOR = bytes.fromhex(
    "d28455a30132044839f713d0a644253f106661652d636d64a0581ea50148a1a2a3a4a5a6a7a8020103820001050206828301"
    "0af583010b184b5840a3fd3c217be290a194a074f5b4196035159f63ebab85cbef92928c4574c0a56cf443c4d9dedc690712"
    "0dbbbe19392fc615431ab7ad2d95f3ce967cc61c729206"
)
SEALED = seal(KEY, Context.COMMAND, PAYLOAD, HOME, ACCESSORY)
RAW = SEALED.raw
PAIR = b"\x82" + RAW + seal(KEY, Context.HEAD, b"\xa0", HOME).raw


def check(data: bytes, home: HomeId = HOME, accessory: AccessoryId = ACCESSORY) -> bytes:
    """Parse and verify under the one key; gives the object id."""
    return verify(parse(data), KEY.public, home, accessory)


def put(data: bytes, at: int, more: str) -> bytes:
    """Write other bytes over those at a place."""
    new = bytes.fromhex(more)
    return data[:at] + new + data[at + len(new) :]


def built(head: str = "d284", protected: str = "", between: str = "a0", tail: str = "5840") -> bytes:
    """Build a command whose parts are spelt otherwise; the signature is the genuine one."""
    part = bytes.fromhex(protected or "55a30132044839f713d0a644253f106661652d636d64")
    return (
        bytes.fromhex(head)
        + part
        + bytes.fromhex(between)
        + b"\x58\x1e"
        + PAYLOAD
        + bytes.fromhex(tail)
        + RAW[-64:]
    )


def test_the_first_vector_byte_for_byte() -> None:
    assert len(FIRST_VECTOR) == 123
    assert RAW == FIRST_VECTOR == built()
    envelope = parse(FIRST_VECTOR)
    assert envelope == Envelope(
        Context.COMMAND, KEY.kid, FIRST_VECTOR[3:24], PAYLOAD, FIRST_VECTOR[-64:], FIRST_VECTOR
    )
    assert verify(envelope, KEY.public, HOME, ACCESSORY) == SEALED.id == object_id(envelope, HOME, ACCESSORY)


def test_the_object_id_is_the_hash_of_the_signed_bytes() -> None:
    external = b"accessory-emu/1/command\x00" + HOME + ACCESSORY
    signed = b"\x84\x6aSignature1\x55" + RAW[3:24] + b"\x58\x28" + external + b"\x58\x1e" + PAYLOAD
    assert crypto.sha256(signed) == SEALED.id
    assert crypto.verify(KEY.public, signed, RAW[-64:])


GRAMMAR = {
    "nothing": b"",
    "no tag": RAW[1:],
    "tag 17": built("d184"),
    "tag 61": built("d83d84"),
    "tag 98, COSE_Sign": built("d86284"),
    "the tag twice": built("d2d284"),
    "the tag in a long form": built("d81284"),
    "the self-described tag before it": built("d9d9f7d284"),
    "a blank before it": b" " + RAW,
    "an array of three": built("d283"),
    "an array of five": built("d285") + b"\xa0",
    "an array in a long form": built("d29804"),
    "an array of no stated length": built("d29f") + b"\xff",
    "a byte after the end": RAW + b"\x00",
    "a null after the end": RAW + b"\xf6",
    "an empty map after the end": RAW + b"\xa0",
    "two messages": RAW + RAW,
    "the unprotected map is not empty": built(between="a10401"),
    "the unprotected map is an array": built(between="80"),
    "the unprotected map is null": built(between="f6"),
    "the unprotected map in a long form": built(between="b800"),
    "the unprotected map is missing": built(between=""),
    "a signature of 63 bytes": built(tail="583f")[:-1],
    "a signature of 65 bytes": built(tail="5841") + b"\x00",
    "no bytes in the signature": RAW[:-66] + b"\x40",
    "a signature in a long form": built(tail="590040"),
    "a signature in text": built(tail="7840"),
    "no signature": RAW[:-66],
    "a null for the signature": RAW[:-66] + b"\xf6",
    "the payload in a long form": RAW[:25] + b"\x59\x00\x1e" + RAW[27:],
    "the payload in the longest form": RAW[:25] + b"\x5b" + (30).to_bytes(8) + RAW[27:],
    "the payload in text": put(RAW, 25, "78"),
    "the payload as a bare map": RAW[:25] + RAW[27:],
    "the payload is null": RAW[:25] + b"\xf6" + RAW[57:],
    "a payload of no stated length": RAW[:25] + b"\x5f\x58\x1e" + PAYLOAD + b"\xff" + RAW[57:],
    "a payload that promises 4 GiB": RAW[:25] + b"\x5a\xff\xff\xff\xff" + RAW[27:],
    "the header in a long form": built(protected="5815a30132044839f713d0a644253f106661652d636d64"),
    "an empty header": built(protected="40"),
    "a header that is an empty map": built(protected="41a0"),
    "a header as a bare map": built(protected="a30132044839f713d0a644253f106661652d636d64"),
    "labels in another order": built(protected="55a3044839f713d0a644253f0132106661652d636d64"),
    "a map head in a long form": built(protected="56b8030132044839f713d0a644253f106661652d636d64"),
    "a label in a long form": built(
        protected="56a318013 2044839f713d0a644253f106661652d636d64".replace(" ", "")
    ),
    "no algorithm": built(protected="53a2044839f713d0a644253f106661652d636d64"),
    "no kid": built(protected="4ba20132106661652d636d64"),
    "no typ": built(protected="4ea20132044839f713d0a644253f"),
    "two kids": built(protected="581fa40132044839f713d0a644253f044839f713d0a644253f106661652d636d64"),
    "a critical list": built(
        protected="5818a4013202810 4044839f713d0a644253f106661652d636d64".replace(" ", "")
    ),
    "a kid of no bytes": built(protected="4da301320440106661652d636d64"),
    "a kid of 7 bytes": built(protected="54a30132044739f713d0a64425106661652d636d64"),
    "a kid of 9 bytes": built(protected="56a30132044939f713d0a644253f00106661652d636d64"),
    "algorithm -7, ES256": put(RAW, 5, "26"),
    "algorithm -35": built(protected="56a3013822044839f713d0a644253f106661652d636d64"),
    "algorithm 5, HMAC": put(RAW, 5, "05"),
    "algorithm 0": put(RAW, 5, "00"),
    "the algorithm in text": built(protected="5aa301654564445341044839f713d0a644253f106661652d636d64"),
    "the typ in bytes": put(RAW, 17, "46"),
    "an unknown typ": put(RAW, 18, "78782d636d64"),
    "a typ in capitals": put(RAW, 18, "41452d434d44"),
    "a typ with a byte more": built(protected="56a30132044839f713d0a644253f106761652d636d6400"),
    "a typ that is reserved": built(protected="5818a30132044839f713d0a644253f106961652d636972636c65"),
    "a typ that is not UTF-8": put(RAW, 18, "ffffffffffff"),
    "a typ that ends early": put(RAW, 17, "67"),
    "an array of two": PAIR,
}


@pytest.mark.parametrize("data", GRAMMAR.values(), ids=GRAMMAR)
def test_what_is_not_the_grammar_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse(data)


@pytest.mark.parametrize("size", range(len(RAW)))
def test_every_proper_prefix_is_malformed(size: int) -> None:
    with pytest.raises(Malformed):
        parse(RAW[:size])


@pytest.mark.parametrize("at", range(len(RAW)))
def test_no_message_with_one_other_byte_verifies(at: int) -> None:
    for flip in (1, 2, 4, 8, 16, 32, 64, 128, 0xFF):
        bent = put(RAW, at, f"{RAW[at] ^ flip:02x}")
        with pytest.raises((Malformed, BadSignature)):
            check(bent)


@given(st.integers(0, len(RAW)), st.integers(0, 6), st.binary(max_size=6))
def test_no_message_with_bytes_cut_out_or_put_in_verifies(at: int, out: int, more: bytes) -> None:
    bent = RAW[:at] + more + RAW[at + out :]
    if bent == RAW:
        assert check(bent) == SEALED.id
        return
    with pytest.raises((Malformed, BadSignature)):
        check(bent)


@given(st.binary(max_size=200) | st.binary(max_size=120).map(lambda more: RAW[:30] + more))
def test_arbitrary_bytes_are_refused_within_the_tree_of_errors(data: bytes) -> None:
    for read in (parse, parse_pair):
        with pytest.raises(ProtocolError):
            read(data)


@given(st.binary(max_size=700), st.sampled_from(Context))
def test_any_payload_is_sealed_parsed_and_verified(payload: bytes, context: Context) -> None:
    sealed = seal(KEY, context, payload, HOME, ACCESSORY)
    envelope = parse(sealed.raw)
    assert (envelope.context, envelope.kid, envelope.payload) == (context, KEY.kid, payload)
    assert envelope.raw == sealed.raw
    assert verify(envelope, KEY.public, HOME, ACCESSORY) == sealed.id


# algorithms


def signed_as(algorithm: int, payload: bytes = PAYLOAD) -> bytes:
    """Sign a command under a header with an algorithm's byte."""
    protected = RAW[3:5] + bytes([algorithm]) + RAW[6:24]
    external = b"accessory-emu/1/command\x00" + HOME + ACCESSORY
    signed = b"\x84\x6aSignature1\x55" + protected + b"\x58\x28" + external + b"\x58\x1e" + payload
    return b"\xd2\x84\x55" + protected + b"\xa0\x58\x1e" + payload + b"\x58\x40" + KEY.sign(signed)


def test_algorithm_minus_8_is_taken_and_makes_another_object() -> None:
    assert signed_as(0x32) == RAW
    old = signed_as(0x27)
    assert check(old) != SEALED.id
    assert parse(old).context is Context.COMMAND


@pytest.mark.parametrize(("signed", "sent"), [(0x32, 0x27), (0x27, 0x32)])
def test_the_algorithm_is_covered_by_the_signature(signed: int, sent: int) -> None:
    with pytest.raises(BadSignature):
        check(put(signed_as(signed), 5, f"{sent:02x}"))


# contexts, homes, accessories


@pytest.mark.parametrize(("signed", "read"), [*itertools.permutations(Context, 2)])
def test_a_signature_of_one_context_verifies_in_no_other(signed: Context, read: Context) -> None:
    sealed = seal(KEY, signed, PAYLOAD, HOME, ACCESSORY)
    typ = read.typ.encode()
    protected = b"\xa3\x01\x32\x04\x48" + KEY.kid + bytes([0x10, 0x60 + len(typ)]) + typ
    head = bytes([0x40 + len(protected)]) if len(protected) < 24 else bytes([0x58, len(protected)])
    renamed = b"\xd2\x84" + head + protected + b"\xa0\x58\x1e" + PAYLOAD + sealed.raw[-66:]
    assert parse(renamed).context is read
    with pytest.raises(BadSignature):
        check(renamed)
    forged = Envelope(read, KEY.kid, sealed.raw[3:24], PAYLOAD, sealed.raw[-64:], sealed.raw)
    with pytest.raises(BadSignature):
        verify(forged, KEY.public, HOME, ACCESSORY)
    assert check(sealed.raw) == sealed.id


def test_labels_types_and_sizes_are_each_their_own() -> None:
    assert (
        len({context.label for context in Context})
        == len({context.typ for context in Context})
        == len(Context)
    )
    large = {context: context.size for context in Context if context.size != limits.MESSAGE_SIZE}
    assert large == {Context.ENTRY: 16_384, Context.CHECKPOINT: 65_536}


ELSEWHERE = {
    "another home": (HomeId(b"\x01" * 8), ACCESSORY),
    "no home": (NO_HOME, ACCESSORY),
    "another accessory": (HOME, AccessoryId(b"\x01" * 8)),
    "no accessory": (HOME, NO_ACCESSORY),
    "home and accessory exchanged": (HomeId(ACCESSORY), AccessoryId(HOME)),
    "the boundary moved by a byte": (HomeId(HOME[:7] + ACCESSORY[:1]), AccessoryId(ACCESSORY[1:] + HOME[7:])),
    "neither": (NO_HOME, NO_ACCESSORY),
}


@pytest.mark.parametrize(("home", "accessory"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_message_for_one_home_and_accessory_verifies_for_no_other(
    home: HomeId, accessory: AccessoryId
) -> None:
    with pytest.raises(BadSignature):
        check(RAW, home, accessory)
    assert check(seal(KEY, Context.COMMAND, PAYLOAD, home, accessory).raw, home, accessory) != SEALED.id


@pytest.mark.parametrize("key", [OTHER_KEY.public, KEY.public[:31], b"", bytes(32)])
def test_a_message_verifies_under_no_other_key(key: bytes) -> None:
    with pytest.raises(BadSignature):
        verify(parse(RAW), key, HOME, ACCESSORY)


def test_a_signature_over_other_bytes_does_not_hold() -> None:
    external = b"accessory-emu/1/command\x00" + HOME + ACCESSORY
    body = b"\x55" + RAW[3:24] + b"\x58\x28" + external + b"\x58\x1e" + PAYLOAD
    genuine = b"\x84\x6aSignature1" + body
    others = [
        b"\x84\x69Signature" + body,
        b"\x84\x64MAC0" + body,
        b"\x84\x70CounterSignature" + body,
        genuine.replace(b"/command", b"/COMMAND"),
        genuine.replace(b"emu/1/", b"emu/2/"),
        b"\x84\x6aSignature1\x55" + RAW[3:24] + b"\x40\x58\x1e" + PAYLOAD,
        PAYLOAD,
        crypto.sha256(genuine),
        crypto.sha512(genuine),
    ]
    assert check(RAW[:-64] + KEY.sign(genuine)) == SEALED.id
    for other in others:
        with pytest.raises(BadSignature):
            check(RAW[:-64] + KEY.sign(other))
    with pytest.raises(BadSignature):
        check(RAW[:-64] + bytes(64))


# sizes


def of_size(context: Context, size: int) -> bytes:
    """Seal a message of exactly this size."""
    overhead = len(seal(KEY, context, bytes(300), HOME, ACCESSORY).raw) - 300
    return seal(KEY, context, bytes(size - overhead), HOME, ACCESSORY).raw


def stretched(context: Context, size: int) -> bytes:
    """Make a message of a size that `seal` would not write; nobody signed it."""
    raw = of_size(context, 400)
    at = raw.index(b"\xa0\x59") + 1  # where the payload's head stands
    payload = size - at - 3 - 66
    return raw[:at] + b"\x59" + payload.to_bytes(2) + bytes(payload) + raw[-66:]


@pytest.mark.parametrize("context", [each for each in Context if each is not Context.CHECKPOINT])
def test_the_limit_of_a_type_is_reached_and_not_passed(context: Context) -> None:
    at_limit = of_size(context, context.size)
    assert len(at_limit) == context.size
    assert parse(at_limit).context is context
    with pytest.raises(ValueError, match=f"at most {context.size}"):
        of_size(context, context.size + 1)
    beyond = stretched(context, context.size + 1)
    assert len(beyond) == context.size + 1
    with pytest.raises(TooLarge):
        parse(beyond)


def test_a_checkpoint_may_have_64_kib_and_nothing_may_have_more() -> None:
    at_limit = of_size(Context.CHECKPOINT, limits.CHECKPOINT_SIZE)
    assert len(parse(at_limit).raw) == 65_536
    with pytest.raises(ValueError, match="at most 65536"):
        of_size(Context.CHECKPOINT, limits.CHECKPOINT_SIZE + 1)
    with pytest.raises(ValueError, match="65535"):
        seal(KEY, Context.CHECKPOINT, bytes(65_536))
    for beyond in (stretched(Context.CHECKPOINT, 65_537), bytes(65_537), RAW + bytes(1 << 20)):
        with pytest.raises(TooLarge):
            parse(beyond)


def test_what_is_too_large_and_malformed_is_too_large_first_and_malformed_below_64_kib() -> None:
    with pytest.raises(TooLarge):
        parse(b"\xff" * 65_537)
    with pytest.raises(Malformed):
        parse(b"\xff" * 65_536)
    with pytest.raises(TooLarge):
        parse(stretched(Context.COMMAND, 5 * 1024) + b"\x00")


# pairs


def test_a_pair_holds_two_whole_messages() -> None:
    first, second = parse_pair(PAIR)
    assert (first.raw, second.raw) == (RAW, PAIR[1 + len(RAW) :])
    assert (first.context, second.context) == (Context.COMMAND, Context.HEAD)


NO_PAIR = {
    "nothing": b"",
    "one message alone": RAW,
    "an array of one": b"\x81" + RAW,
    "an array of three": b"\x83" + RAW * 3,
    "an array of two with one": b"\x82" + RAW,
    "an array of two with three": b"\x82" + RAW * 3,
    "a byte after the end": PAIR + b"\x00",
    "an array of no stated length": b"\x9f" + RAW * 2 + b"\xff",
    "a length in a long form": b"\x98\x02" + RAW * 2,
    "messages as byte strings": b"\x82" + (b"\x58" + bytes([len(RAW)]) + RAW) * 2,
    "the second is cut short": PAIR[:-1],
}


@pytest.mark.parametrize("data", NO_PAIR.values(), ids=NO_PAIR)
def test_anything_else_is_no_pair(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_pair(data)


def test_a_pair_of_the_largest_entries_fits_and_a_byte_more_does_not() -> None:
    entry = of_size(Context.ENTRY, limits.ENTRY_SIZE)
    first, second = parse_pair(b"\x82" + entry * 2)
    assert first == second
    with pytest.raises(TooLarge):
        parse_pair(b"\x82" + entry * 2 + b"\x00")
    with pytest.raises(TooLarge):
        parse_pair(b"\x82" + stretched(Context.ENTRY, limits.ENTRY_SIZE + 1) + RAW)


# good signatures


def test_a_good_signature_is_remembered_for_exactly_its_bytes_key_and_signature() -> None:
    memo = GoodSignatures()
    message, signature = b"message", KEY.sign(b"message")
    for _ in range(2):
        assert memo.verify(KEY.public, message, signature)
        for key, text, signed in (
            (OTHER_KEY.public, message, signature),
            (KEY.public, b"massage", signature),
            (KEY.public, message, signature[:-1] + b"\x00"),
            (KEY.public, message, signature[:-1]),
            (KEY.public[:-1], message, signature),
            (KEY.public + message[:1], message[1:], signature),
        ):
            assert not memo.verify(key, text, signed)


class Counting(GoodSignatures):
    """Tells which facts it remembers."""

    @property
    def facts(self) -> list[bytes]:
        """Give them, oldest first."""
        return list(self._good)


def test_no_failure_is_remembered() -> None:
    memo = Counting()
    assert not memo.verify(KEY.public, b"message", bytes(64))
    assert memo.facts == []
    assert memo.verify(KEY.public, b"message", KEY.sign(b"message"))
    assert len(memo.facts) == 1


def test_the_newest_facts_stay() -> None:
    memo = Counting(room=2)
    messages = [b"a", b"b", b"c"]
    for message in messages:
        assert memo.verify(KEY.public, message, KEY.sign(message))
    facts = [crypto.sha256(KEY.sign(message) + KEY.public + message) for message in messages]
    assert memo.facts == facts[1:]
    assert memo.verify(KEY.public, b"a", KEY.sign(b"a"))


def test_a_message_verifies_with_a_memo_as_without() -> None:
    memo = Counting()
    for _ in range(2):
        assert verify(parse(RAW), KEY.public, HOME, ACCESSORY, memo) == SEALED.id
        with pytest.raises(BadSignature):
            verify(parse(RAW), KEY.public, NO_HOME, ACCESSORY, memo)
    assert len(memo.facts) == 1


@settings(max_examples=30)
@given(st.integers(0, 65_535))
def test_lengths_are_written_in_their_shortest_form(size: int) -> None:
    size = min(size, limits.CHECKPOINT_SIZE - 200)
    assert parse(seal(KEY, Context.CHECKPOINT, bytes(size), HOME).raw).payload == bytes(size)


def test_a_payload_map_is_what_travels() -> None:
    assert parse(seal(KEY, Context.HEAD, pack({1: 2}), HOME).raw).payload == b"\xa1\x01\x02"
