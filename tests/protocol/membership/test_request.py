"""A request carries exactly the fields of its op; what this version does not know is judged in its turn."""

import pytest
from hypothesis import given

from accessory_emu.protocol.crypto import sha256
from accessory_emu.protocol.encoding import Value, encode
from accessory_emu.protocol.envelope import Context, parse, verify
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import HomeId, PublicKey, Version
from accessory_emu.protocol.membership.grant import RESIDENT_TERMS
from accessory_emu.protocol.membership.request import Request, RequestOp, request_id, unreadable_id
from tests.protocol.papers import NINA, NOW, OLGA
from tests.protocol.shapes import assert_shape, fields_of
from tests.strategies import octets, uints, versions

HOME, NONCE, BASE = HomeId(b"homehome"), b"n" * 16, Version(65_536, 3)
KEY = PublicKey(NINA.public)
REQUESTS = {
    RequestOp.ADD: Request(
        NONCE, BASE, NOW, RequestOp.ADD, key=KEY, acceptance=b"accepted", terms=RESIDENT_TERMS.value()
    ),
    RequestOp.REPLACE: Request(
        NONCE, BASE, NOW, RequestOp.REPLACE, terms=RESIDENT_TERMS.value(), target=b"t" * 16
    ),
    RequestOp.REMOVE: Request(NONCE, BASE, NOW, RequestOp.REMOVE, target=b"t" * 16),
    RequestOp.ENROL: Request(NONCE, BASE, NOW, RequestOp.ENROL, key=KEY),
    RequestOp.RELEASE: Request(NONCE, BASE, NOW, RequestOp.RELEASE, target=b"t" * 8),
}
FIELDS: dict[int, Value] = {6: NINA.public, 7: b"accepted", 8: RESIDENT_TERMS.value(), 9: b"t" * 16}


def payload(request: Request) -> bytes:
    return parse(request.sign(OLGA, HOME).raw).payload


def test_every_op_has_an_example() -> None:
    assert set(REQUESTS) == set(RequestOp) == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=lambda each: each.op.name)
def test_it_is_signed_by_its_author_for_the_home_and_read_again(request_: Request) -> None:
    sealed = request_.sign(OLGA, HOME)
    envelope = parse(sealed.raw)
    assert (envelope.context, envelope.kid) == (Context.REQUEST, OLGA.kid)
    assert verify(envelope, OLGA.public, HOME) == sealed.id
    assert Request.decode(envelope.payload) == request_
    assert request_id(envelope, HOME) == sealed.id[:16]


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=lambda each: each.op.name)
def test_it_has_exactly_the_fields_of_its_op(request_: Request) -> None:
    data = payload(request_)
    given_fields = fields_of(data)
    assert_shape(Request.decode, encode({**given_fields, 1: 1}), free={1, 5, 8})
    for number, value in FIELDS.items():
        if number not in given_fields:
            with pytest.raises(Malformed, match="unknown fields"):
                Request.decode(encode({**given_fields, number: value}))


@pytest.mark.parametrize(
    ("op", "size"), [(RequestOp.REPLACE, 8), (RequestOp.REMOVE, 15), (RequestOp.RELEASE, 16)]
)
def test_a_target_has_the_size_of_what_it_names(op: RequestOp, size: int) -> None:
    fields = fields_of(payload(REQUESTS[op]))
    with pytest.raises(Malformed):
        Request.decode(encode({**fields, 9: b"t" * size}))


@given(octets(16), versions, uints)
def test_any_removal_is_written_and_read(nonce: bytes, base: Version, expires: int) -> None:
    one = Request(nonce, base, expires, RequestOp.REMOVE, target=b"t" * 16)
    assert Request.decode(payload(one)) == one


@pytest.mark.parametrize("op", [0, 6, 99, 2**64 - 1])
def test_an_op_that_nobody_knows_keeps_none_of_the_other_fields(op: int) -> None:
    known = fields_of(payload(REQUESTS[RequestOp.ADD]))
    assert Request.decode(encode({**known, 5: op, 77: "new"})) == Request(NONCE, BASE, NOW, op)


@pytest.mark.parametrize("version", [0, 2, 2**64 - 1])
def test_of_another_protocol_version_only_that_number_is_read(version: int) -> None:
    request = Request.decode(encode({1: version, 2: "what a later version may say"}))
    assert (request.version, request.op) == (version, 0)


@pytest.mark.parametrize("version", [-1, True, "1", b"\x01", [1]])
def test_a_protocol_version_is_a_number(version: Value) -> None:
    fields = fields_of(payload(REQUESTS[RequestOp.REMOVE]))
    with pytest.raises(Malformed):
        Request.decode(encode({**fields, 1: version}))


def test_terms_stand_as_they_are_understood_or_not() -> None:
    fields = fields_of(payload(REQUESTS[RequestOp.ADD]))
    for terms in ({}, {1: 99}, "whatever", [1, 2]):
        assert Request.decode(encode({**fields, 8: terms})).terms == terms


def test_an_acceptance_is_at_most_as_long_as_a_message() -> None:
    fields = fields_of(payload(REQUESTS[RequestOp.ADD]))
    assert Request.decode(encode({**fields, 7: bytes(4096)})).acceptance == bytes(4096)
    with pytest.raises(Malformed):
        Request.decode(encode({**fields, 7: bytes(4097)}))


def test_the_target_is_a_grant_or_an_accessory() -> None:
    assert REQUESTS[RequestOp.REMOVE].target_grant == b"t" * 16
    assert REQUESTS[RequestOp.RELEASE].target_accessory == b"t" * 8
    without = REQUESTS[RequestOp.ENROL]
    with pytest.raises(Malformed, match="no target"):
        _ = without.target_grant
    with pytest.raises(Malformed, match="no target"):
        _ = without.target_accessory


def test_what_does_not_parse_is_named_by_its_bytes() -> None:
    assert unreadable_id(b"\xff") == sha256(b"\xff")[:16]
    assert unreadable_id(b"") == sha256(b"")[:16]
