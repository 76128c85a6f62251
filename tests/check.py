"""The one check command: `python -m tests.check [--fix] [--fast | --full]`.

It runs the tools in their order, up to the first failure. What pytest prints comes last.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

HOUSE: Final = Path(__file__).parents[1]
TOOLS: Final = Path(sys.executable).parent
MUTANTS: Final = HOUSE / "tests" / "mutants" / "matrix.py"
MARKS: Final = {"usual": "not full", "fast": "not full and not mosquitto", "full": ""}


def run(*command: str, folder: Path = HOUSE) -> bool:
    """Run one tool; tells whether it was content."""
    name = " ".join([Path(command[0]).name, *command[1:]])
    print(f"== {name}", flush=True)
    done = subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONHASHSEED": "0"}, check=False)
    return done.returncode == 0


def python(*arguments: str) -> bool:
    """Run a module or script with the Python that runs this."""
    return run(sys.executable, *arguments)


def read(fix: bool) -> bool:  # noqa: FBT001 - the option, as it was given
    """Read the source: form, habits, walls and types."""
    repaired = not fix or (
        python("-m", "ruff", "check", "--fix", ".") and python("-m", "ruff", "format", ".")
    )
    return (
        repaired
        and python("-m", "ruff", "format", "--check", ".")
        and python("-m", "ruff", "check", ".")
        and run(str(TOOLS / "lint-imports"), "--no-cache")
        and python("-m", "mypy")
    )


def mutants() -> bool:
    """Plant known bugs, and ask that the tests convict each."""
    return python(str(MUTANTS))


def wheel() -> bool:
    """Build the wheel, install it elsewhere, and use it from an empty folder."""
    with tempfile.TemporaryDirectory() as name:
        folder, empty = Path(name), Path(name) / "empty"
        empty.mkdir()
        if not python("-m", "pip", "wheel", "-q", "--no-deps", "-w", name, str(HOUSE)):
            return False
        venv.create(folder / "venv", with_pip=True)
        tools = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        built = [str(path) for path in folder.glob("*.whl")]
        return (
            run(str(tools / "python"), "-m", "pip", "install", "-q", *built, folder=empty)
            and run(str(tools / "accessory-emu"), "--version", folder=empty)
            and run(str(tools / "accessory-emu"), "demo", folder=empty)
        )


def test(level: str) -> bool:
    """Run the tests; two processes, because most test machines have two cores."""
    return python("-m", "pytest", "-q", "-n", "2", "-m", MARKS[level], "--hypothesis-profile", level)


def main(arguments: Sequence[str]) -> int:
    """Check, and give the exit status: 0 where all is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.check", description="Check everything.")
    parser.add_argument("--fix", action="store_true", help="format, and repair what can be repaired")
    depth = parser.add_mutually_exclusive_group()
    depth.add_argument(
        "--fast", dest="level", action="store_const", const="fast", help="leave out what is slow"
    )
    depth.add_argument(
        "--full", dest="level", action="store_const", const="full", help="mutants, wheel, all tests"
    )
    options = parser.parse_args(arguments)
    level = options.level or "usual"
    deep: tuple[Callable[[], bool], ...] = (mutants, wheel) if level == "full" else ()
    good = read(options.fix) and all(step() for step in deep) and test(level)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
