"""An acceptance is signed by the new person, and its id becomes the root."""

from hypothesis import given

from accessory_emu.protocol.crypto import sha256
from accessory_emu.protocol.envelope import Context, parse, verify
from accessory_emu.protocol.identifiers import HomeId
from accessory_emu.protocol.membership.acceptance import Acceptance, root_of
from accessory_emu.protocol.membership.grant import RESIDENT_TERMS
from tests.protocol.papers import NINA, NOW, OLGA
from tests.protocol.shapes import assert_shape
from tests.strategies import homes, kids, octets, uints

HOME = HomeId(b"homehome")
ACCEPTANCE = Acceptance(HOME, NINA.public, b"n" * 16, OLGA.kid, RESIDENT_TERMS.digest(), NOW)
ENVELOPE = parse(ACCEPTANCE.sign(NINA).raw)


def test_it_is_signed_by_the_person_for_the_home_and_read_again() -> None:
    sealed = ACCEPTANCE.sign(NINA)
    assert (ENVELOPE.context, ENVELOPE.kid) == (Context.ACCEPTANCE, NINA.kid)
    assert verify(ENVELOPE, NINA.public, HOME) == sealed.id
    assert Acceptance.decode(ENVELOPE.payload) == ACCEPTANCE


@given(homes, octets(16), kids, octets(32), uints)
def test_any_acceptance_is_written_and_read(
    home: HomeId, nonce: bytes, inviter: bytes, terms: bytes, expires: int
) -> None:
    one = Acceptance(home, NINA.public, nonce, inviter, terms, expires)  # type: ignore[arg-type]  # bytes
    assert Acceptance.decode(parse(one.sign(NINA).raw).payload) == one


def test_it_has_exactly_its_fields() -> None:
    assert_shape(Acceptance.decode, ENVELOPE.payload)


def test_the_root_is_the_first_half_of_its_object_id() -> None:
    assert root_of(ENVELOPE, HOME) == ACCEPTANCE.sign(NINA).id[:16]
    assert root_of(ENVELOPE, HOME) != root_of(ENVELOPE, HomeId(b"elsehome"))
    assert root_of(ENVELOPE, HOME) != sha256(ENVELOPE.raw)[:16]
