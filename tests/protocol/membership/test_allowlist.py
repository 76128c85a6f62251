"""At most one grant a key; whoever is left out is out."""

from accessory_emu.protocol.identifiers import GrantId
from accessory_emu.protocol.membership.allowlist import Allowlist
from accessory_emu.protocol.membership.grant import owner_grant
from tests.protocol.papers import EDDA, GUEST_TERMS, NINA, OLGA, ROSA, stranger_grant

OWNER, ROSAS, EDDAS = owner_grant(OLGA.public), stranger_grant(ROSA), stranger_grant(EDDA)
LIST = Allowlist().with_grant(ROSAS).with_grant(OWNER).with_grant(EDDAS)


def test_a_grant_is_found_by_key_id_by_its_id_and_by_its_root() -> None:
    assert LIST.find(ROSA.kid) == LIST.by_id(ROSAS.id) == LIST.by_root(ROSAS.root) == ROSAS
    assert LIST.find(NINA.kid) is None
    assert LIST.by_id(ROSAS.root) is None
    assert LIST.by_root(ROSAS.id) is None
    assert LIST.by_id(GrantId(bytes(16))) is None


def test_the_owner_is_found_by_role() -> None:
    assert LIST.owner() == OWNER


def test_a_key_has_one_grant_the_newest() -> None:
    newer = stranger_grant(ROSA, GUEST_TERMS)
    assert len(LIST.with_grant(newer)) == len(LIST) == 3
    assert LIST.with_grant(newer).find(ROSA.kid) == newer
    assert LIST.find(ROSA.kid) == ROSAS


def test_who_is_left_out_is_out() -> None:
    without = LIST.without(ROSA.kid)
    assert (len(without), without.find(ROSA.kid)) == (2, None)
    assert LIST.without(NINA.kid) == LIST
    assert without.find(EDDA.kid) == EDDAS


def test_the_order_is_that_of_key_ids() -> None:
    assert LIST.ordered() == sorted(LIST, key=lambda grant: grant.kid)
    assert set(LIST.ordered()) == set(LIST) == {OWNER, ROSAS, EDDAS}
