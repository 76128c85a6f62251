"""Roles and limits on the command line: what fits together, and what does not."""

from pathlib import Path

import pytest

from accessory_emu.cli.acting import Scene
from accessory_emu.cli.output import Exit, Problem
from accessory_emu.cli.terms import terms_of
from accessory_emu.protocol.identifiers import AccessoryId
from accessory_emu.protocol.membership.grant import EDITOR_TERMS, RESIDENT_TERMS
from accessory_emu.protocol.membership.privileges import EVERYTHING, Scope
from accessory_emu.runtime.config_broker import ExternalBroker

DOOR = "8899aabbccddeeff"
SCENE = Scene(
    state=Path("state"),
    running=None,
    broker=ExternalBroker(broker="external", url="mqtt://127.0.0.1"),
    founded=None,
    seed=None,
)
JUNE, JULY = "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"


def test_residents_and_editors_have_their_presets() -> None:
    assert terms_of(SCENE, "resident") == RESIDENT_TERMS
    assert terms_of(SCENE, "editor") == EDITOR_TERMS


def test_a_guest_has_a_scope_and_perhaps_dates() -> None:
    assert terms_of(SCENE, "guest", "everything").scope == EVERYTHING
    dated = terms_of(SCENE, "guest", DOOR, JUNE, JULY)
    assert dated.scope == Scope.of([AccessoryId(bytes.fromhex(DOOR))])
    assert dated.window == (1780272000, 1782864000)


WRONG: dict[str, tuple[tuple[str | None, ...], Exit]] = {
    "no such role": (("owner",), Exit.USAGE),
    "a resident with a scope": (("resident", "everything"), Exit.USAGE),
    "an editor with dates": (("editor", None, JUNE, JULY), Exit.USAGE),
    "a guest without a scope": (("guest",), Exit.USAGE),
    "a guest of an unknown accessory": (("guest", "attic"), Exit.NOTHING),
    "a guest with one date": (("guest", "everything", JUNE), Exit.USAGE),
    "dates the wrong way round": (("guest", "everything", JULY, JUNE), Exit.USAGE),
}


@pytest.mark.parametrize(("words", "exit_code"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_refused_with_a_cure(words: tuple[str, ...], exit_code: Exit) -> None:
    with pytest.raises(Problem) as caught:
        terms_of(SCENE, *words)
    assert caught.value.exit is exit_code
    assert caught.value.cure
