"""Each module of the protocol and of pairing has a test file of its own, in the same place."""

from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
ROOMS = ("protocol", "pairing")
MODULES = sorted(
    path.relative_to(HOUSE / "accessory_emu")
    for room in ROOMS
    for path in (HOUSE / "accessory_emu" / room).rglob("*.py")
    if path.name != "__init__.py"
)
INTERFACES = {Path("protocol/ports.py")}  # nothing but shapes: there is nothing to run
OWED = {  # tested through engine and controllers only, until their files are written; nothing is added here
    "protocol/exchanges/command.py",
    "protocol/exchanges/delegation.py",
    "protocol/exchanges/joining.py",
    "protocol/exchanges/key_update.py",
    "protocol/exchanges/sync.py",
    "protocol/membership/acceptance.py",
    "protocol/membership/allowlist.py",
    "protocol/membership/authority.py",
    "protocol/membership/checkpoint.py",
    "protocol/membership/entry.py",
    "protocol/membership/equivocation.py",
    "protocol/membership/freshness.py",
    "protocol/membership/grant.py",
    "protocol/membership/log.py",
    "protocol/membership/privileges.py",
    "protocol/membership/request.py",
    "protocol/membership/roster.py",
    "protocol/membership/tombstones.py",
    "protocol/membership/verdict.py",
    "protocol/messages.py",
}


def files_of(module: Path) -> list[Path]:
    """Give the test files of a module: test_<module>.py, and test_<module>_<part>.py."""
    folder = HOUSE / "tests" / module.parent
    return [*folder.glob(f"test_{module.stem}.py"), *folder.glob(f"test_{module.stem}_*.py")]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_has_its_test_file(module: Path) -> None:
    assert module in INTERFACES or module.as_posix() in OWED or files_of(module)


def test_what_is_owed_exists() -> None:
    assert {module.as_posix() for module in MODULES} >= OWED


def test_a_module_without_a_test_file_is_found() -> None:
    assert files_of(Path("protocol/nowhere.py")) == []
