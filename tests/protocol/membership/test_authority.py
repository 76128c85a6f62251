"""Who may ask what: every role by every op by every target; and who may command what."""

import itertools
from dataclasses import replace

import pytest

from accessory_emu.protocol.membership.authority import PRIVILEGE_OF_OP, may_ask, permits
from accessory_emu.protocol.membership.grant import (
    EDITOR_TERMS,
    HUB_TERMS,
    OWNER_TERMS,
    RESIDENT_TERMS,
    Ceiling,
    Grant,
    Terms,
    owner_grant,
)
from accessory_emu.protocol.membership.privileges import EVERYTHING, Edit, Privilege, Role, Scope
from accessory_emu.protocol.membership.request import RequestOp
from accessory_emu.protocol.messages import Op
from tests.protocol.papers import DOOR, GUEST_TERMS, LAMP, LAMP_SCOPE, NOW, OLGA, key, stranger_grant

ADD, REPLACE, REMOVE, ENROL, RELEASE = RequestOp
TERMS = {
    Role.OWNER: OWNER_TERMS,
    Role.EDITOR: EDITOR_TERMS,
    Role.RESIDENT: RESIDENT_TERMS,
    Role.GUEST: GUEST_TERMS,
    Role.HUB: HUB_TERMS,
}
TARGETS = {role: stranger_grant(key(f"target {role.name}"), terms) for role, terms in TERMS.items()}
AUTHORS = {
    "owner": owner_grant(OLGA.public),
    "editor": stranger_grant(key("author editor"), EDITOR_TERMS),
    "editor of people": stranger_grant(
        key("author people"), Terms(Role.EDITOR, Privilege.VIEW, Scope.of([]), Edit.PEOPLE)
    ),
    "editor of accessories": stranger_grant(
        key("author accessories"), Terms(Role.EDITOR, Privilege.MANAGE, EVERYTHING, Edit.ACCESSORIES)
    ),
    "editor of scenes": stranger_grant(
        key("author scenes"), Terms(Role.EDITOR, Privilege.MANAGE, EVERYTHING, Edit.SCENES)
    ),
    "resident": stranger_grant(key("author resident"), RESIDENT_TERMS),
    "guest": stranger_grant(key("author guest"), GUEST_TERMS),
    "hub": stranger_grant(key("author hub"), HUB_TERMS),
}
# whom an author may add, change and remove
PEOPLE = {
    "owner": {Role.EDITOR, Role.RESIDENT, Role.GUEST, Role.HUB},
    "editor": {Role.RESIDENT, Role.GUEST},
    "editor of people": {Role.RESIDENT, Role.GUEST},
}
ACCESSORIES = {"owner", "editor", "editor of accessories"}


@pytest.mark.parametrize(("author", "role"), [*itertools.product(AUTHORS, Role)])
def test_who_adds_and_removes_whom(author: str, role: Role) -> None:
    may = role in PEOPLE.get(author, set())
    assert may_ask(AUTHORS[author], ADD, None, TERMS[role]) is may
    assert may_ask(AUTHORS[author], REMOVE, TARGETS[role], None) is may


@pytest.mark.parametrize(("author", "old", "new"), [*itertools.product(AUTHORS, Role, Role)])
def test_who_makes_whom_of_whom(author: str, old: Role, new: Role) -> None:
    may = {old, new} <= PEOPLE.get(author, set())
    assert may_ask(AUTHORS[author], REPLACE, TARGETS[old], TERMS[new]) is may


@pytest.mark.parametrize(("author", "op"), [*itertools.product(AUTHORS, (ENROL, RELEASE))])
def test_who_enrols_and_releases(author: str, op: RequestOp) -> None:
    assert may_ask(AUTHORS[author], op, None, None) is (author in ACCESSORIES)


@pytest.mark.parametrize("author", AUTHORS)
def test_everybody_but_the_owner_may_leave(author: str) -> None:
    assert may_ask(AUTHORS[author], REMOVE, AUTHORS[author], None) is (author != "owner")


@pytest.mark.parametrize("author", AUTHORS)
def test_nobody_changes_the_own_grant_but_through_the_owner(author: str) -> None:
    own = AUTHORS[author]
    assert not may_ask(own, REPLACE, own, GUEST_TERMS)


@pytest.mark.parametrize(("author", "op"), [*itertools.product(AUTHORS, (ADD, REPLACE, REMOVE, 0, 99))])
def test_without_a_target_or_known_terms_the_edit_bit_still_decides(author: str, op: int) -> None:
    assert may_ask(AUTHORS[author], op, None, None) is (author in PEOPLE)


def editor(privilege: Privilege, scope: Scope) -> Grant:
    return stranger_grant(key("ceiling"), replace(EDITOR_TERMS, ceiling=Ceiling(privilege, scope)))


GUEST_OF_LAMP = replace(GUEST_TERMS, scope=LAMP_SCOPE)
CEILINGS = {
    "operate one, within operate everything": (Privilege.OPERATE, EVERYTHING, GUEST_OF_LAMP, True),
    "operate one, within operate that one": (Privilege.OPERATE, LAMP_SCOPE, GUEST_OF_LAMP, True),
    "operate everything, above one": (Privilege.OPERATE, LAMP_SCOPE, GUEST_TERMS, False),
    "a resident, above one": (Privilege.OPERATE, LAMP_SCOPE, RESIDENT_TERMS, False),
    "operate another": (Privilege.OPERATE, Scope.of([DOOR]), GUEST_OF_LAMP, False),
    "operate, above view": (Privilege.VIEW, EVERYTHING, GUEST_OF_LAMP, False),
    "view, within view": (
        Privilege.VIEW,
        EVERYTHING,
        replace(GUEST_TERMS, privilege=Privilege.VIEW),
        True,
    ),
    "nothing, within nothing": (
        Privilege.VIEW,
        Scope.of([]),
        Terms(Role.GUEST, Privilege.VIEW, Scope.of([])),
        True,
    ),
    "an editor, whatever the ceiling": (Privilege.ADMINISTER, EVERYTHING, EDITOR_TERMS, False),
    "a hub, whatever the ceiling": (Privilege.ADMINISTER, EVERYTHING, HUB_TERMS, False),
}


@pytest.mark.parametrize(("privilege", "scope", "terms", "may"), CEILINGS.values(), ids=CEILINGS)
def test_nobody_gives_above_the_own_ceiling(
    privilege: Privilege,
    scope: Scope,
    terms: Terms,
    may: bool,  # noqa: FBT001 - of the table
) -> None:
    author = editor(privilege, scope)
    assert may_ask(author, ADD, None, terms) is may
    assert may_ask(author, REPLACE, TARGETS[Role.RESIDENT], terms) is may


# commands

TRUSTED = NOW * 1000
VIEWS, ACTS = {Op.READ, Op.STATUS, Op.PREPARE}, {Op.WRITE, Op.IDENTIFY}
OPS = {
    "owner": set(Op),
    "editor": VIEWS | ACTS,
    "editor of accessories": VIEWS | ACTS,
    "editor of scenes": VIEWS | ACTS,
    "resident": VIEWS | ACTS,
    "guest": VIEWS | ACTS,
    "hub": VIEWS,
}


def allowed(
    grant: Grant,
    op: Op = Op.WRITE,
    time: int | None = TRUSTED,
    stated: int | None = TRUSTED,
    default_lease: int | None = None,
) -> str:
    return permits(grant, op, LAMP, time, stated, default_lease)


@pytest.mark.parametrize(("author", "op"), [*itertools.product(OPS, Op)])
def test_each_role_has_exactly_its_ops(author: str, op: Op) -> None:
    assert allowed(AUTHORS[author], op) == ("" if op in OPS[author] else "privilege")


@pytest.mark.parametrize("op", Op)
def test_a_guest_who_may_look_changes_nothing(op: Op) -> None:
    grant = stranger_grant(key("viewer"), replace(GUEST_TERMS, privilege=Privilege.VIEW))
    assert allowed(grant, op) == ("" if op in VIEWS else "privilege")


@pytest.mark.parametrize("op", Op)
def test_an_editor_who_may_control_nothing_controls_nothing(op: Op) -> None:
    assert allowed(AUTHORS["editor of people"], op) == ("scope" if op in VIEWS else "privilege")


def test_every_op_has_its_privilege() -> None:
    assert set(PRIVILEGE_OF_OP) == set(Op)


@pytest.mark.parametrize(
    ("scope", "lacking"),
    [
        (EVERYTHING, ""),
        (LAMP_SCOPE, ""),
        (Scope.of([DOOR, LAMP]), ""),
        (Scope.of([DOOR]), "scope"),
        (Scope.of([]), "scope"),
    ],
)
def test_a_scope_names_the_accessory_or_there_is_no_right(scope: Scope, lacking: str) -> None:
    grant = stranger_grant(key("guest"), replace(GUEST_TERMS, scope=scope))
    assert {allowed(grant, op) for op in (Op.READ, Op.WRITE)} == {lacking}


WINDOWS = {
    "before it": (-1, "window"),
    "its first moment": (0, ""),
    "its last moment": (9_999, ""),
    "its end": (10_000, "window"),
    "unknown time": (None, "window"),
}


@pytest.mark.parametrize(("offset", "lacking"), WINDOWS.values(), ids=WINDOWS)
def test_a_window_is_kept_to_the_millisecond(offset: int | None, lacking: str) -> None:
    grant = stranger_grant(key("guest"), replace(GUEST_TERMS, window=(NOW, NOW + 10)))
    time = None if offset is None else TRUSTED + offset
    assert {allowed(grant, op, time=time) for op in (Op.READ, Op.WRITE)} == {lacking}


def test_an_empty_window_means_never() -> None:
    grant = stranger_grant(key("guest"), replace(GUEST_TERMS, window=(NOW, NOW)))
    assert allowed(grant) == "window"


LEASES = {
    "just stated": (TRUSTED, ""),
    "as old as the lease": (TRUSTED - 60_000, ""),
    "older than the lease": (TRUSTED - 60_001, "lease"),
    "never stated": (None, "lease"),
    "stated ahead": (TRUSTED + 1, ""),
}


@pytest.mark.parametrize(("stated", "lacking"), LEASES.values(), ids=LEASES)
@pytest.mark.parametrize("role", ["resident", "guest"])
def test_a_lease_is_over_when_nothing_younger_was_stated(stated: int | None, lacking: str, role: str) -> None:
    without = AUTHORS[role]
    own = replace(without, terms=replace(without.terms, lease=60))
    assert allowed(own, stated=stated) == lacking
    assert allowed(without, stated=stated, default_lease=60) == lacking
    assert allowed(without, stated=stated) == ""


@pytest.mark.parametrize("default", [None, 0])
def test_the_own_lease_goes_before_that_of_the_home(default: int | None) -> None:
    own = replace(AUTHORS["guest"], terms=replace(GUEST_TERMS, lease=60))
    assert allowed(own, stated=TRUSTED - 60_000, default_lease=default) == ""


@pytest.mark.parametrize("author", ["owner", "editor"])
def test_the_lease_of_the_home_is_not_for_owner_and_editors(author: str) -> None:
    assert allowed(AUTHORS[author], time=None, stated=None, default_lease=0) == ""


def test_nor_for_hubs() -> None:
    assert allowed(AUTHORS["hub"], Op.READ, time=None, stated=None, default_lease=0) == ""


def test_a_lease_without_a_known_time_is_over() -> None:
    assert allowed(AUTHORS["guest"], time=None, default_lease=60) == "lease"
