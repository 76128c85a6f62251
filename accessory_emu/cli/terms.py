"""The terms of a grant as the options of a command give them."""

from typing import Final

from accessory_emu.cli.acting import Scene
from accessory_emu.cli.output import Exit, Problem
from accessory_emu.protocol.membership.grant import EDITOR_TERMS, RESIDENT_TERMS, Terms
from accessory_emu.protocol.membership.privileges import EVERYTHING, Privilege, Role, Scope
from accessory_emu.runtime.config_values import parse_instant

_ROLES: Final = ("editor", "resident", "guest")


def terms_of(
    scene: Scene, role: str, scope: str | None = None, after: str | None = None, before: str | None = None
) -> Terms:
    """Give the terms of a role; `scope` holds names with commas, or everything.

    Raises:
        Problem: there is no such role, or it cannot have these limits.
    """
    if role not in _ROLES:
        raise _usage(f"--role: no role {role!r}", f"one of {', '.join(_ROLES)}")
    if role != "guest":
        if {scope, after, before} != {None}:
            raise _usage("only guests have --scope, --after, --before", "leave it out")
        return EDITOR_TERMS if role == "editor" else RESIDENT_TERMS
    if scope is None:
        raise _usage("a guest needs --scope", "--scope front-door, or everything")
    covered = EVERYTHING if scope == "everything" else Scope.of(map(scene.accessory, scope.split(",")))
    return Terms(Role.GUEST, Privilege.OPERATE, covered, window=_window(after, before))


def _window(after: str | None, before: str | None) -> tuple[int, int] | None:
    if after is None and before is None:
        return None
    try:
        window = parse_instant(after), parse_instant(before)
    except ValueError as error:
        raise _usage(f"--after, --before: {error}", "give both") from None
    if window[0] >= window[1]:
        raise _usage("--before must be later than --after", "exchange them")
    return window


def _usage(message: str, cure: str) -> Problem:
    return Problem("usage", message, cure, Exit.USAGE)
