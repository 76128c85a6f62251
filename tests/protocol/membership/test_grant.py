"""A role has its terms and no others; what is not understood is not granted."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import sha256
from accessory_emu.protocol.encoding import Value, decode, encode
from accessory_emu.protocol.envelope import Context, seal
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import FIRST, AccessoryId
from accessory_emu.protocol.membership.grant import (
    EDITOR_TERMS,
    HUB_TERMS,
    OWNER_TERMS,
    RESIDENT_TERMS,
    Ceiling,
    Grant,
    NotUnderstood,
    Terms,
    owner_grant,
    terms_digest,
)
from accessory_emu.protocol.membership.privileges import EVERYTHING, Edit, Enforcer, Privilege, Role, Scope
from tests import strategies
from tests.protocol.papers import EDDA, GUEST_TERMS, LAMP_SCOPE, OLGA, ROSA, Papers, stranger_grant, terms_map

VIEW, OPERATE, MANAGE, ADMINISTER = Privilege
ALL = Edit.PEOPLE | Edit.ACCESSORIES | Edit.SCENES
NOTHING = Scope.of([])
WINDOW = (100, 200)

GOOD = {
    "the owner": OWNER_TERMS,
    "an editor": EDITOR_TERMS,
    "an editor of people who may control nothing": Terms(Role.EDITOR, VIEW, NOTHING, Edit.PEOPLE),
    "an editor of accessories with a scope": Terms(Role.EDITOR, OPERATE, LAMP_SCOPE, Edit.ACCESSORIES),
    "an editor of scenes with a ceiling": Terms(
        Role.EDITOR, MANAGE, EVERYTHING, Edit.SCENES, Ceiling(VIEW, LAMP_SCOPE)
    ),
    "a resident": RESIDENT_TERMS,
    "a resident with a lease": replace(RESIDENT_TERMS, lease=60),
    "a guest": GUEST_TERMS,
    "a guest who may look": Terms(Role.GUEST, VIEW, LAMP_SCOPE),
    "a guest with a window and a lease": replace(GUEST_TERMS, window=WINDOW, lease=0),
    "a guest whose limits the hub enforces": replace(GUEST_TERMS, window=WINDOW, enforced_by=Enforcer.HUB),
    "a hub": HUB_TERMS,
}
BAD = {
    "an owner who may not administer": replace(OWNER_TERMS, privilege=MANAGE),
    "an owner with a scope": replace(OWNER_TERMS, scope=LAMP_SCOPE),
    "an owner without an edit bit": replace(OWNER_TERMS, edit=Edit.PEOPLE | Edit.SCENES),
    "an owner with a ceiling": replace(OWNER_TERMS, ceiling=Ceiling()),
    "an owner with a window": replace(OWNER_TERMS, window=WINDOW),
    "an owner with a lease": replace(OWNER_TERMS, lease=60),
    "an editor without an edit bit": replace(EDITOR_TERMS, edit=Edit.NONE),
    "an editor who may administer": replace(EDITOR_TERMS, privilege=ADMINISTER),
    "an editor with a window": replace(EDITOR_TERMS, window=WINDOW),
    "an editor with a lease": replace(EDITOR_TERMS, lease=60),
    "a resident who may look": replace(RESIDENT_TERMS, privilege=VIEW),
    "a resident who may manage": replace(RESIDENT_TERMS, privilege=MANAGE),
    "a resident with a scope": replace(RESIDENT_TERMS, scope=LAMP_SCOPE),
    "a resident with an edit bit": replace(RESIDENT_TERMS, edit=Edit.PEOPLE),
    "a resident with a ceiling": replace(RESIDENT_TERMS, ceiling=Ceiling()),
    "a resident with a window": replace(RESIDENT_TERMS, window=WINDOW),
    "a guest who may manage": replace(GUEST_TERMS, privilege=MANAGE),
    "a guest with an edit bit": replace(GUEST_TERMS, edit=Edit.SCENES),
    "a guest with a ceiling": replace(GUEST_TERMS, ceiling=Ceiling()),
    "a hub that may operate": replace(HUB_TERMS, privilege=OPERATE),
    "a hub with a scope": replace(HUB_TERMS, scope=LAMP_SCOPE),
    "a hub with an edit bit": replace(HUB_TERMS, edit=Edit.ACCESSORIES),
    "a hub with a ceiling": replace(HUB_TERMS, ceiling=Ceiling()),
    "a hub with a window": replace(HUB_TERMS, window=WINDOW),
    "a hub with a lease": replace(HUB_TERMS, lease=60),
}


@pytest.mark.parametrize("terms", GOOD.values(), ids=GOOD)
def test_terms_that_a_role_can_have_are_read_as_they_were_written(terms: Terms) -> None:
    assert Terms.read(decode(encode(terms.value()))) == terms


@pytest.mark.parametrize("terms", BAD.values(), ids=BAD)
def test_terms_that_a_role_cannot_have_are_not_understood(terms: Terms) -> None:
    with pytest.raises(NotUnderstood):
        Terms.read(terms.value())


NOT_TERMS: dict[str, Value] = {
    "no map": [],
    "nothing": {},
    "no role": terms_map(GUEST_TERMS, f1=None),
    "no privilege": terms_map(GUEST_TERMS, f2=None),
    "no scope": terms_map(GUEST_TERMS, f3=None),
    "role 0": terms_map(GUEST_TERMS, f1=0),
    "role 6": terms_map(GUEST_TERMS, f1=6),
    "role 255": terms_map(GUEST_TERMS, f1=255),
    "a role in words": terms_map(GUEST_TERMS, f1="owner"),
    "a role that is true": terms_map(GUEST_TERMS, f1=True),
    "privilege 0": terms_map(GUEST_TERMS, f2=0),
    "privilege 9": terms_map(GUEST_TERMS, f2=9),
    "a scope that is false": terms_map(GUEST_TERMS, f3=False),
    "a scope in descending order": terms_map(GUEST_TERMS, f3=[b"b" * 8, b"a" * 8]),
    "a scope with one accessory twice": terms_map(GUEST_TERMS, f3=[b"a" * 8, b"a" * 8]),
    "an edit bit that nobody knows": terms_map(EDITOR_TERMS, f4=15),
    "edit bit 31": terms_map(EDITOR_TERMS, f4=7 | 1 << 31),
    "no edit bits, written out": terms_map(GUEST_TERMS, f4=0),
    "a ceiling of one part": terms_map(EDITOR_TERMS, f5=[2]),
    "a ceiling of three parts": terms_map(EDITOR_TERMS, f5=[2, True, 1]),
    "a ceiling that nobody knows": terms_map(EDITOR_TERMS, f5=[9, True]),
    "a window of one part": terms_map(GUEST_TERMS, f6=[1]),
    "a window of three parts": terms_map(GUEST_TERMS, f6=[1, 2, 3]),
    "a window in words": terms_map(GUEST_TERMS, f6=["1", "2"]),
    "a negative lease": terms_map(GUEST_TERMS, f7=-1),
    "an enforcer that nobody knows": terms_map(GUEST_TERMS, f8=2),
    "the usual enforcer, written out": terms_map(GUEST_TERMS, f8=0),
    "a field that nobody knows": terms_map(GUEST_TERMS, f9=1),
}


@pytest.mark.parametrize("value", NOT_TERMS.values(), ids=NOT_TERMS)
def test_what_this_version_does_not_know_is_not_understood(value: Value) -> None:
    with pytest.raises(NotUnderstood):
        Terms.read(value)


@given(strategies.terms)
def test_any_terms_are_written_and_read(terms: Terms) -> None:
    assert Terms.read(decode(encode(terms.value()))) == terms
    assert terms.digest() == sha256(encode(terms.value())) == terms_digest(terms.value())


@given(
    strategies.values(floating=False) | st.dictionaries(st.integers(1, 8), strategies.values(floating=False))
)
def test_any_value_is_terms_in_their_one_form_or_not_understood(value: Value) -> None:
    value = strategies.shallow(value)
    try:
        terms = Terms.read(value)
    except NotUnderstood:
        return
    assert encode(terms.value()) == encode(value)


GRANT = stranger_grant(ROSA)


@given(strategies.grants)
def test_a_grant_is_written_and_read(grant: Grant) -> None:
    assert Grant.read(decode(encode(grant.value()))) == grant


@pytest.mark.parametrize("number", range(1, 8))
@pytest.mark.parametrize("other", [None, 1, True, b"x", "x", [], [1], [1, 2, 3], {}])
def test_a_grant_of_another_shape_is_malformed(number: int, other: Value) -> None:
    fields = {**GRANT.value(), number: other}  # type: ignore[dict-item]  # a grant is a map
    if other is None:
        del fields[number]
    with pytest.raises(NotUnderstood if number == 4 and other is not None else Malformed):
        Grant.read(fields)


def test_a_grant_with_a_field_that_nobody_knows_is_malformed() -> None:
    with pytest.raises(Malformed):
        Grant.read({**GRANT.value(), 8: 1})  # type: ignore[dict-item]  # a grant is a map


def test_the_shape_of_a_grant_is_judged_before_its_terms() -> None:
    fields = {**GRANT.value(), 4: {}}  # type: ignore[dict-item]  # a grant is a map
    with pytest.raises(NotUnderstood):
        Grant.read(fields)
    with pytest.raises(Malformed):
        Grant.read({**fields, 1: b"short"})


def test_a_grant_knows_key_id_and_role() -> None:
    assert (GRANT.kid, GRANT.role) == (ROSA.kid, Role.RESIDENT)


@pytest.mark.parametrize(
    ("terms", "ceiling"),
    [
        (OWNER_TERMS, Ceiling(ADMINISTER, EVERYTHING)),
        (EDITOR_TERMS, Ceiling(OPERATE, EVERYTHING)),
        (Terms(Role.EDITOR, VIEW, NOTHING, Edit.PEOPLE), Ceiling(OPERATE, EVERYTHING)),
        (replace(EDITOR_TERMS, ceiling=Ceiling(VIEW, LAMP_SCOPE)), Ceiling(VIEW, LAMP_SCOPE)),
    ],
)
def test_the_ceiling_is_the_stated_one_else_operate_everything_and_the_owner_has_none(
    terms: Terms, ceiling: Ceiling
) -> None:
    assert stranger_grant(EDDA, terms).ceiling() == ceiling


def test_the_owners_grant_comes_from_the_key_alone() -> None:
    grant = owner_grant(OLGA.public)
    assert grant.id == grant.root == sha256(b"owner\x00" + OLGA.public)[:16]
    assert (grant.key, grant.terms, grant.base, grant.since) == (OLGA.public, OWNER_TERMS, FIRST, FIRST)
    assert grant.author == OLGA.kid


def test_the_widest_scope_still_fits_into_a_request_and_its_acceptance() -> None:
    scope = Scope.of(AccessoryId(number.to_bytes(8, "little")) for number in range(limits.SCOPE_IDS))
    terms = Terms(Role.EDITOR, MANAGE, scope, ALL, Ceiling(MANAGE, scope))
    papers = Papers()
    assert papers.play(papers.add(EDDA, terms)) == [None]
    value = papers.grant(EDDA).value()
    assert len(seal(OLGA, Context.RESPONSE, encode([value])).raw) <= limits.MESSAGE_SIZE
