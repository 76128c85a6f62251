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


def files_of(module: Path) -> list[Path]:
    """Give the test files of a module: test_<module>.py, and test_<module>_<part>.py."""
    folder = HOUSE / "tests" / module.parent
    return [*folder.glob(f"test_{module.stem}.py"), *folder.glob(f"test_{module.stem}_*.py")]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_has_its_test_file(module: Path) -> None:
    assert module in INTERFACES or files_of(module)


def test_a_module_without_a_test_file_is_found() -> None:
    assert files_of(Path("protocol/nowhere.py")) == []
