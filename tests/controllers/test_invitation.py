"""Invitations and acceptances: files that read back or are refused, and promises that fit together."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol.envelope import parse
from accessory_emu.protocol.errors import Malformed, ProtocolError
from accessory_emu.protocol.identifiers import KeyId, ObjectId, Version
from accessory_emu.protocol.membership.acceptance import Acceptance
from accessory_emu.protocol.membership.grant import EDITOR_TERMS, HUB_TERMS, RESIDENT_TERMS, Terms
from accessory_emu.protocol.membership.privileges import Privilege, Role, Scope
from accessory_emu.runtime.clock import SeededRandom
from controllers.errors import Code, ControllerError
from controllers.invitation import Invitation, Trust, accept, trust_in
from tests.controllers.village import Village, key, person

GUEST = Terms(Role.GUEST, Privilege.OPERATE, Scope.of([]), window=(1, 2), lease=3)


def _invitation(terms: Terms = RESIDENT_TERMS) -> Invitation:
    village = Village()
    return Invitation(village.trust, KeyId(village.owner.kid), terms, 2_000_000_000)


@pytest.mark.parametrize("terms", [RESIDENT_TERMS, EDITOR_TERMS, HUB_TERMS, GUEST])
def test_an_invitation_reads_back(terms: Terms) -> None:
    invitation = _invitation(terms)
    assert Invitation.decode(invitation.encode()) == invitation


@given(st.binary(max_size=60))
def test_other_bytes_are_no_invitation(data: bytes) -> None:
    for read in (Invitation.decode, Trust.decode):
        with pytest.raises(Malformed):
            read(data)
    with pytest.raises(ProtocolError):
        trust_in(data)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_bent_invitation_is_refused_or_another_invitation(at: int, byte: int) -> None:
    good = _good()
    at %= len(good)
    bent = good[:at] + bytes([byte]) + good[at + 1 :]
    try:
        found = Invitation.decode(bent)
    except Malformed:
        return
    assert (found.encode() == good) == (bent == good)


GOOD: list[bytes] = []


def _good() -> bytes:
    if not GOOD:
        GOOD.append(_invitation(GUEST).encode())
    return GOOD[0]


def test_an_acceptance_proves_the_key_and_names_home_inviter_terms_and_expiry() -> None:
    invitation = _invitation()
    sealed = accept(invitation, person("rosa"), SeededRandom(1), 0)
    acceptance = Acceptance.decode(parse(sealed.raw).payload)
    assert acceptance.key == key("rosa").public
    assert (acceptance.home, acceptance.inviter) == (invitation.trust.home, invitation.inviter)
    assert (acceptance.terms, acceptance.expires) == (RESIDENT_TERMS.digest(), invitation.expires)
    other = accept(invitation, person("rosa"), SeededRandom(2), 0)
    assert other.id != sealed.id, "every acceptance is a root of its own"


def test_an_old_invitation_is_not_accepted() -> None:
    invitation = replace(_invitation(), expires=1)
    assert accept(invitation, person("rosa"), SeededRandom(1), 1_000)
    with pytest.raises(ControllerError) as failed:
        accept(invitation, person("rosa"), SeededRandom(1), 1_001)
    assert failed.value.code is Code.INVITE_EXPIRED


def test_trust_in_a_genesis_is_in_exactly_its_owner_and_head() -> None:
    village = Village()
    trust = trust_in(village.genesis)
    assert trust == village.trust
    assert Trust.decode(trust.encode()) == trust
    with pytest.raises(ProtocolError):
        trust_in(village.genesis[:-1] + bytes([village.genesis[-1] ^ 1]))
    assert trust != Trust(trust.home, trust.owner, Version(0, 0), ObjectId(bytes(32)))


def test_every_code_has_a_cure() -> None:
    assert all(code.cure for code in Code)
    error = ControllerError(Code.NO_HOME_HUB)
    assert str(error).startswith("no_home_hub: ")
