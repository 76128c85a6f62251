"""Privileges are a ladder, edit bits are apart from it, and an empty scope means nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol.encoding import Value
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import AccessoryId
from accessory_emu.protocol.membership.privileges import EVERYTHING, Edit, Enforcer, Privilege, Role, Scope
from tests.strategies import accessories, scopes

A, B, C = AccessoryId(b"a" * 8), AccessoryId(b"b" * 8), AccessoryId(b"c" * 8)
NOTHING = Scope.of([])


def test_each_privilege_includes_those_before_it() -> None:
    assert Privilege.VIEW < Privilege.OPERATE < Privilege.MANAGE < Privilege.ADMINISTER


def test_the_numbers_that_go_over_the_wire() -> None:
    assert [(role.name, int(role)) for role in Role] == [
        ("OWNER", 1),
        ("EDITOR", 2),
        ("RESIDENT", 3),
        ("GUEST", 4),
        ("HUB", 5),
    ]
    assert [int(privilege) for privilege in Privilege] == [1, 2, 3, 4]
    assert [int(bit) for bit in Edit] == [1, 2, 4]
    assert (Enforcer.ACCESSORY, Enforcer.HUB) == (0, 1)


@pytest.mark.parametrize(
    ("scope", "inside", "outside"),
    [(EVERYTHING, [A, B, C], []), (NOTHING, [], [A, B, C]), (Scope.of([A, B]), [A, B], [C])],
)
def test_a_scope_covers_what_it_names(
    scope: Scope, inside: list[AccessoryId], outside: list[AccessoryId]
) -> None:
    assert all(scope.covers(each) for each in inside)
    assert not any(scope.covers(each) for each in outside)


@given(scopes, scopes, accessories)
def test_a_scope_within_another_covers_nothing_more(inner: Scope, outer: Scope, one: AccessoryId) -> None:
    if inner.within(outer):
        assert outer.covers(one) or not inner.covers(one)
    assert NOTHING.within(outer)
    assert inner.within(EVERYTHING)
    assert inner.within(inner)


@pytest.mark.parametrize(
    ("inner", "outer"),
    [(EVERYTHING, NOTHING), (EVERYTHING, Scope.of([A])), (Scope.of([A, B]), Scope.of([A]))],
)
def test_a_scope_that_gives_more_is_not_within(inner: Scope, outer: Scope) -> None:
    assert not inner.within(outer)
    assert outer.within(inner)


def test_everything_is_true_and_nothing_an_empty_array() -> None:
    assert EVERYTHING.value() is True
    assert NOTHING.value() == []
    assert Scope.of([C, A]).value() == [A, C]


@given(scopes)
def test_a_scope_is_written_and_read(scope: Scope) -> None:
    assert Scope.read(scope.value()) == scope


@pytest.mark.parametrize(
    "value", [False, 1, 0, "all", b"a" * 8, {}, [b"a" * 7], [b"a" * 9], [1], [True], [[]]]
)
def test_what_is_no_scope_is_malformed(value: Value) -> None:
    with pytest.raises(Malformed):
        Scope.read(value)


@given(st.integers(126, 131))
def test_a_scope_names_at_most_128_accessories(count: int) -> None:
    value = [number.to_bytes(8) for number in range(count)]
    if count <= 128:
        assert len(Scope.read(value).accessories or ()) == count
    else:
        with pytest.raises(Malformed):
            Scope.read(value)
