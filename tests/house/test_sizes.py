"""A module stays a page or two, and a function fits a screen."""

import ast
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
MODULES = sorted([*(HOUSE / "accessory_emu").rglob("*.py"), *(HOUSE / "controllers").rglob("*.py")])
MODULE_LINES = 400
TABLE_LINES = 480  # one row a message or key: a table is read by search, not from top to bottom
TABLES = {"accessory_emu/protocol/messages.py"}
FUNCTION_LINES = 60


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines without its docstring, which may be as long as it must."""
    end = function.end_lineno or function.lineno
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    return end - function.lineno + 1 - (((first.end_lineno or 0) - first.lineno + 1) if documented else 0)


def long_functions(source: str) -> list[str]:
    """Give the functions that fit no screen."""
    return [
        f"{node.name}: {lines_of(node)}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines_of(node) > FUNCTION_LINES
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_a_module_and_its_functions_have_their_size(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    limit = TABLE_LINES if path.relative_to(HOUSE).as_posix() in TABLES else MODULE_LINES
    assert len(source.splitlines()) <= limit
    assert long_functions(source) == []


def test_a_function_of_61_lines_is_found_and_one_of_60_is_not() -> None:
    for extra, found in ((58, []), (60, ["long: 61"])):
        body = "".join(f"    x = {number}\n" for number in range(extra))
        source = f'def long():\n    """Document."""\n{body}'
        if not found:
            source += "    x = 0\n"
        assert long_functions(source) == found
