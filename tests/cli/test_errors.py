"""Every error: its exit code, its document, its cure; and a help text for every command."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from accessory_emu.cli.app import explain
from accessory_emu.cli.output import Exit
from accessory_emu.cli.version import VERSION
from tests.cli.shell import ROOT, command, document, environment

COMMANDS = {
    "accessory-emu": (),
    "demo": ("demo",),
    "run": ("run",),
    "trace": ("trace",),
    "ctl": ("ctl",),
    **{
        f"ctl {verb}": ("ctl", verb)
        for verb in ("pair", "add-user", "remove-user", "send", "read", "list", "status", "serve")
    },
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_every_command_has_a_help_text(words: tuple[str, ...]) -> None:
    done = command(*words, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout
    assert done.stderr == ""


NOWHERE = "mqtt://127.0.0.1:1"
WRONG = {
    "an unknown command": (("dance",), 2, "usage"),
    "an unknown option": (("run", "--colour"), 2, "usage"),
    "a duration without a unit": (("run", "--for", "5"), 2, "usage"),
    "an unknown file": (("run", "no-such-home"), 3, None),
    "a broker that is not there": (("run", "--ephemeral", "--broker", NOWHERE), 4, "broker_unreachable"),
    "an address that is not loopback": (("run", "--broker", "mqtt://192.0.2.1"), 2, "usage"),
    "a seed away from this machine": (
        ("run", "--seed", "1", "--expose", "--broker", "mqtt://192.0.2.1"), 2, "usage",
    ),
    "nobody runs": (("ctl", "status", "--as", "olga"), 4, "broker_unreachable"),
    "nobody acts": (("ctl", "status", "--broker", NOWHERE), 2, "usage"),
    "nobody answers": (("ctl", "status", "--as", "olga", "--broker", NOWHERE), 4, "broker_unreachable"),
    "a list of nothing": (("ctl", "list", "dreams"), 2, "usage"),
    "a person with a path for a name": (("ctl", "status", "--as", "../x", "--broker", NOWHERE), 2, "usage"),
    "a trace that is not there": (("trace",), 70, "store_error"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "exit_code", "code"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_has_its_exit_code_and_document(
    words: tuple[str, ...], exit_code: int, code: str | None, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    done = command(*words, "--json", "--state", state) if words[0] != "dance" else command("--json", *words)
    found = document(done)
    assert done.returncode == exit_code, done.stderr
    if code is None:
        assert found["schema"] == "accessory-emu.file-errors/1"
        return
    assert found["schema"] == "accessory-emu.error/1"
    assert (found["code"], found["exit"]) == (code, exit_code)
    assert found["message"]


def test_all_mistakes_of_a_home_file_are_told_with_their_lines(tmp_path: Path) -> None:
    home = tmp_path / "bad.yaml"
    home.write_text(
        "home: bad\nrooms: {hall: Hall}\ncolour: red\naccessories:\n  - {id: a, type: lamp, room: hall}\n"
    )
    told = command("run", home)
    assert told.returncode == 3
    assert [line.split(": ")[0] for line in told.stderr.splitlines()] == [f"{home}:3", f"{home}:5"]
    assert told.stdout == ""
    errors = document(command("--json", "run", home))["errors"]
    assert [each["line"] for each in errors] == [3, 5]


def test_global_options_are_the_same_before_and_after_the_command(tmp_path: Path) -> None:
    words = ("ctl", "status", "--as", "olga")
    before = command("--json", "--state", tmp_path / "state", *words)
    after = command(*words, "--json", "--state", tmp_path / "state")
    by_environment = command(*words, ACCESSORY_EMU_JSON="1", ACCESSORY_EMU_STATE=str(tmp_path / "state"))
    assert document(before) == document(after) == document(by_environment)


def test_a_bug_of_ours_ends_without_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    told = "203-45-171"
    with pytest.raises(ValueError, match=told) as caught:
        int(told)
    problem = explain(caught.value)
    assert problem.exit is Exit.INTERNAL
    said = capsys.readouterr()
    assert "203-45-171" not in problem.message + problem.cure + said.out + said.err
    assert "test_errors.py" in said.err


def test_the_version_is_that_of_the_distribution_and_needs_no_library() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
    code = (
        "import sys; sys.argv = ['accessory-emu', '--version'];"
        "from accessory_emu.__main__ import main; main();"
        "heavy = {'typer', 'rich', 'pydantic', 'aiomqtt', 'ruamel', 'asyncio', 'controllers'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True
    )
    assert done.stdout == f"accessory-emu {VERSION} (protocol 1)\n[]\n"
    assert command("--state", "x", "--version").stdout == f"accessory-emu {VERSION} (protocol 1)\n"
