"""The walls of the house: no import that the walls cannot see, and each wall convicts a planted breach."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
MODULES = sorted([*(HOUSE / "accessory_emu").rglob("*.py"), *(HOUSE / "controllers").rglob("*.py")])
LINTER = Path(sys.executable).parent / "lint-imports"
HIDING = {"__import__", "import_module"}

# contract: the module to which a line is added, and the line
BREACHES = {
    "floors": ("accessory_emu/protocol/topics.py", "from accessory_emu.pairing import tlv8"),
    "rooms": ("accessory_emu/gateway/__init__.py", '"""A room without a floor."""'),
    "protocol-floors": ("accessory_emu/protocol/crypto.py", "from accessory_emu.protocol import encoding"),
    "controller-floors": ("controllers/member.py", "from controllers import sequencer"),
    "strangers": ("controllers/owner.py", "from controllers import ordering"),
    "pure": ("accessory_emu/protocol/replay.py", "def late() -> None:\n    import logging"),
    "actors": ("controllers/record.py", "from accessory_emu.accessory import model"),
    "driver": ("accessory_emu/runtime/driver.py", "from accessory_emu.storage import sqlite"),
    "front-door": ("accessory_emu/__init__.py", "from accessory_emu.runtime import fleet"),
    "exchanges": (
        "accessory_emu/protocol/exchanges/sync.py",
        "from accessory_emu.protocol.exchanges import delegation",
    ),
    "circles": ("accessory_emu/accessory/model.py", "from accessory_emu.accessory import engine"),
    "no-random": ("accessory_emu/runtime/labels.py", "import random"),
    "one-controllers": ("accessory_emu/spec/__init__.py", "import controllers"),
    "one-crypto": ("accessory_emu/pairing/srp.py", "import nacl.utils"),
    "one-cbor": ("accessory_emu/storage/sqlite.py", "import cbor2"),
    "one-clock": ("accessory_emu/runtime/fleet.py", "import time"),
    "one-mqtt": ("accessory_emu/runtime/fleet.py", "import aiomqtt"),
    "one-terminal": ("accessory_emu/runtime/labels.py", "import typer"),
    "one-painter": ("controllers/home.py", "import rich.table"),
    "one-models": ("controllers/results.py", "import pydantic"),
}


def hidden(source: str) -> list[int]:
    """Give the lines with an import that is made by a call, and so shows on no map."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Name) and node.id in HIDING)
        or (isinstance(node, ast.Attribute) and node.attr in HIDING)
        or (isinstance(node, ast.ImportFrom) and any(alias.name in HIDING for alias in node.names))
    ]


def lint(folder: Path, contract: str) -> subprocess.CompletedProcess[str]:
    """Hold one contract against a tree."""
    return subprocess.run(
        [str(LINTER), "--no-cache", "--contract", contract],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy the house."""
    for room in ("accessory_emu", "controllers"):
        shutil.copytree(HOUSE / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HOUSE / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_no_import_is_made_by_a_call(path: Path) -> None:
    assert hidden(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        '__import__("time")',
        'import importlib\nimportlib.import_module("time")',
        "from importlib import import_module",
        'import builtins\nbuiltins.__import__("time")',
    ],
)
def test_an_import_that_is_made_by_a_call_is_found(source: str) -> None:
    assert hidden(source)


@pytest.mark.full
@pytest.mark.parametrize("contract", BREACHES)
def test_a_contract_is_kept_until_it_is_breached(tree: Path, contract: str) -> None:
    module, line = BREACHES[contract]
    kept = lint(tree, contract)
    assert kept.returncode == 0, kept.stdout
    path = tree / module
    path.parent.mkdir(exist_ok=True)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{before}\n{line}\n", encoding="utf-8")
    broken = lint(tree, contract)
    assert broken.returncode == 1, broken.stdout
    assert "BROKEN" in broken.stdout
