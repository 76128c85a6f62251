"""What README.md promises can be typed: two set-up commands, and commands that exist."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
README = HOUSE / "README.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"\baccessory-emu((?: [a-z][a-z-]*)*)")
CONSOLE_SCRIPT = Path(sys.executable).parent / "accessory-emu"
DEEPEST = 2  # "ctl add": what follows are names


@cache
def text() -> str:
    return README.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Give the blocks of a language, in their order."""
    return [body for name, body in BLOCK.findall(text()) if name == language]


def commands(words: str) -> list[str]:
    """Give the commands of the console script that a text holds in code, without their arguments."""
    code = re.findall(r"`([^`\n]+)`", BLOCK.sub("", words)) + [body for _, body in BLOCK.findall(words)]
    found = {match.strip() for piece in code for match in COMMAND.findall(piece)}
    return sorted(found - {""})


def helps(command: str) -> bool:
    """Tell whether a command has a help text; its last word may be an argument."""
    words = command.split()[:DEEPEST]
    done = subprocess.run(  # noqa: S603 - the console script, with words from README.md
        [str(CONSOLE_SCRIPT), *words, "--help"], capture_output=True, text=True, check=False
    )
    return done.returncode == 0 and "Usage" in done.stdout


def test_readme_has_two_set_up_commands_the_demo_and_the_tests() -> None:
    demo, tests = blocks("sh")
    assert demo.strip().endswith("accessory-emu demo")
    assert tests.strip().endswith("python -m tests.check")
    assert all(len(block.strip().splitlines()) == 1 for block in (demo, tests))
    assert "'.[test]'" in tests


def test_the_check_in_ci_takes_its_command_from_readme() -> None:
    script = (HOUSE / ".ci" / "run").read_text(encoding="utf-8")
    assert "README.md" in script
    assert "pip install" not in script


@pytest.mark.skipif(not CONSOLE_SCRIPT.exists(), reason="the project is not installed in this environment")
def test_every_command_that_readme_names_has_a_help_text() -> None:
    named = commands(text())
    assert "demo" in named
    assert [command for command in named if not helps(command)] == []


@pytest.mark.skipif(not CONSOLE_SCRIPT.exists(), reason="the project is not installed in this environment")
def test_a_command_that_does_not_exist_has_no_help_text() -> None:
    assert not helps("levitate")


def test_files_that_readme_names_exist() -> None:
    named = set(re.findall(r"\b(?:configs|docs)/[\w./-]+\w", text()))
    assert [name for name in sorted(named) if not (HOUSE / name).exists()] == []
