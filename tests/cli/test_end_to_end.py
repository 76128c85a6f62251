"""One home on the command line, from the first pairing to a removal, in real processes."""

import contextlib
import json
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import WITHIN_S, command, document, next_document, running

HOME = """\
home: small
rooms: {hall: Hall}
accessories:
  - {id: front-door, type: lock, room: hall, code: 203-45-171}
  - {id: lamp-1, type: light, room: hall, code: 318-62-904}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(HOME)
    return path


def test_a_person_is_added_obeyed_removed_and_then_meets_silence(tmp_path: Path, home: Path) -> None:
    state = tmp_path / "state"
    with running(home, "--port", 0, "--state", state) as (_, ready):
        assert ready["accessories"] == {"up": 2, "of": 2}
        assert ready["broker"]["embedded"] is True
        _tell_the_story(state)
    assert not (state / "run.json").exists()


def test_a_start_after_a_stop_keeps_the_home(tmp_path: Path, home: Path) -> None:
    state = tmp_path / "state"
    words = ("ctl", "--state", state, "--json")
    with running(home, "--port", 0, "--state", state) as (process, _):
        assert command(*words, "pair", "lamp-1", "--as", "olga").returncode == 0
        process.send_signal(signal.SIGINT)
        assert next_document(process.stdout)["event"] == "summary"
        assert process.wait(WITHIN_S) == 130
    with running(home, "--port", 0, "--state", state):
        assert command(*words, "send", "lamp-1", "on=true").returncode == 0


@pytest.mark.mosquitto
def test_the_story_is_the_same_over_mosquitto(tmp_path: Path, home: Path) -> None:
    with (
        mosquitto(tmp_path) as url,
        running(home, "--broker", url, "--state", tmp_path / "state") as (_, ready),
    ):
        assert ready["broker"] == {"url": url, "embedded": False}
        _tell_the_story(tmp_path / "state")


def _tell_the_story(state: Path) -> None:
    words = ("--state", state, "--json")
    _let_rosa_in(words)
    _take_rosa_out(words)
    for path in ("run.json", "labels.yaml", "controllers/olga.key", "sequencer.sqlite", "trace.ndjson"):
        assert stat.S_IMODE((state / path).stat().st_mode) == 0o600, path
    key = (state / "controllers/olga.key").read_text().strip()
    assert key not in (state / "trace.ndjson").read_text()


def _let_rosa_in(words: tuple[object, ...]) -> None:
    pairings = document(command("ctl", "pair", "all", "--as", "olga", *words))
    assert pairings["schema"] == "accessory-emu.pair/1"
    assert [each["outcome"] for each in pairings["accessories"]] == ["paired", "paired"]

    added = command("ctl", "add-user", "rosa", "--role", "resident", *words)
    assert added.returncode == 0
    change = document(added)
    assert (change["schema"], change["outcome"]) == ("accessory-emu.change/1", "committed")
    assert [row["state"] for row in change["accessories"]] == ["committed", "committed"]

    accepted = command("ctl", "send", "lamp-1", "on=true", "brightness=40", "--as", "rosa", *words)
    assert accepted.returncode == 0
    assert document(accepted)["outcome"] == "accepted"
    assert [each["key"] for each in document(accepted)["results"]] == ["on", "brightness"]

    refused = command("ctl", "send", "front-door", "lock_state=locked", "--as", "rosa", *words)
    assert (refused.returncode, document(refused)["outcome"]) == (1, "refused")

    people = document(command("ctl", "list", "people", *words))["items"]
    assert [(each["name"], each["role"]) for each in people] == [("olga", "owner"), ("rosa", "resident")]


def _take_rosa_out(words: tuple[object, ...]) -> None:
    removed = command("ctl", "remove-user", "rosa", *words)
    assert (removed.returncode, document(removed)["op"]) == (0, "remove")

    silent = command("ctl", "send", "lamp-1", "on=false", "--as", "rosa", *words)
    assert silent.returncode == 4
    found = document(silent)
    assert (found["outcome"], found["reason"]) == ("silent", None)
    assert (found["trace"]["check"], found["trace"]["reason"]) == ("key", "unknown_key")

    traced = command("trace", "--reason", "unknown_key", "--who", "rosa", *words)
    assert document(traced)["n"] == found["trace"]["n"]

    status = document(command("ctl", "status", *words))
    assert [each["reachable"] for each in status["accessories"]] == [True, True]


def test_a_second_run_on_the_same_state_says_who_holds_it(tmp_path: Path, home: Path) -> None:
    state = tmp_path / "state"
    with running(home, "--port", 0, "--state", state):
        second = command("run", home, "--port", 0, "--state", state, "--json")
        assert (second.returncode, document(second)["code"]) == (4, "store_locked")
        assert document(second)["cure"]


def test_a_port_in_use_names_both_ways_out(tmp_path: Path, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("run", home, "--port", port, "--state", tmp_path / "state", "--json")
    found = document(done)
    assert (done.returncode, found["code"], found["exit"]) == (4, "port_in_use", 4)
    assert "--port 0" in found["cure"]


def test_an_ephemeral_run_with_a_state_leaves_no_store(tmp_path: Path, home: Path) -> None:
    state = tmp_path / "state"
    with running(home, "--port", 0, "--ephemeral", "--state", state):
        assert command("ctl", "pair", "lamp-1", "--as", "olga", "--state", state).returncode == 0
    assert not (state / "emulator.sqlite").exists()
    assert not (state / "trace.ndjson").exists()


def test_an_ephemeral_run_writes_nothing_and_ends_by_itself(tmp_path: Path, home: Path) -> None:
    done = command(
        "run", home, "--port", 0, "--ephemeral", "--for", "1ms", XDG_STATE_HOME=str(tmp_path / "x")
    )
    assert done.returncode == 0
    assert "2 of 2 accessories up" in done.stdout
    assert "203-45-171" in done.stdout
    assert not (tmp_path / "x").exists()


@contextlib.contextmanager
def mosquitto(folder: Path) -> Iterator[str]:
    """Run Mosquitto on a free port until the end of the block."""
    binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n")
    process = subprocess.Popen(  # noqa: S603 - the broker that the marker asks for
        [binary, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "running" in line:
                break
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=WITHIN_S)


def test_documents_are_one_a_line(home: Path) -> None:
    done = command("run", home, "--port", 0, "--ephemeral", "--for", "1ms", "--json", "--seed", 7)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["event"], each["seed"]) for each in found] == [("ready", 7), ("summary", 7)]
