"""What a package hands on: its `__init__` has a caption, names, and no logic."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import accessory_emu

HOUSE = Path(__file__).parents[2]
PACKAGES = sorted(
    path for room in ("accessory_emu", "controllers") for path in (HOUSE / room).rglob("__init__.py")
)
DATA_DOORS = {"accessory_emu/spec/__init__.py"}  # the door to data files is the whole room
HANDED_ON = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign, ast.AnnAssign)
FRONT_DOOR = {"TYPES", "AccessoryEngine", "DeviceConfig", "Supplies", "build"}
PROBE = """
import sys
import accessory_emu
heavy = ("asyncio", "pydantic", "typer", "rich", "aiomqtt", "sqlite3", "ruamel", "controllers", "logging")
print(sorted(name for name in heavy if name in sys.modules))
"""


def logic(source: str) -> list[str]:
    """Give the statements that do more than import and list names."""
    return [ast.unparse(node) for node in ast.parse(source).body if not isinstance(node, HANDED_ON)]


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_a_package_has_a_caption_and_no_logic(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source))
    assert path.relative_to(HOUSE).as_posix() in DATA_DOORS or logic(source) == []


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_a_package_lists_what_it_imports(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith(("accessory_emu", "controllers"))
        for alias in node.names
    }
    listed = {
        name
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        for name in ast.literal_eval(node.value)
    }
    assert imported == listed


def test_logic_in_a_package_is_found() -> None:
    assert logic('"""Caption."""\ndef helper(): ...\n') == ["def helper():\n    ..."]


def test_the_front_door_hands_on_what_emulates_accessories() -> None:
    assert set(accessory_emu.__all__) == FRONT_DOOR
    assert all(hasattr(accessory_emu, name) for name in FRONT_DOOR)


def test_the_front_door_loads_pure_rooms_only() -> None:
    done = subprocess.run(  # noqa: S603 - a fresh interpreter, and a script that stands above
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(HOUSE)!r})\n{PROBE}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
