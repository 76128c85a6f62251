"""The command line as a user has it: processes, their streams and exit codes."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

WITHIN_S = 60
ROOT = Path(__file__).parents[2]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ACCESSORY_EMU")}
    return {**kept, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100", **more}


def command(*words: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-m", "accessory_emu", *map(str, words)],
        capture_output=True,
        text=True,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        timeout=WITHIN_S,
        check=False,
    )


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Give the one JSON document that a command wrote."""
    lines = done.stdout.splitlines()
    assert len(lines) == 1, (done.stdout, done.stderr)
    found: dict[str, Any] = json.loads(lines[0])
    return found


@contextlib.contextmanager
def running(*words: object) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run `run --json`, and give the process and its document `ready`."""
    process = subprocess.Popen(  # noqa: S603 - our own command line
        [sys.executable, "-m", "accessory_emu", "run", "--json", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        yield process, next_document(process.stdout)
    finally:
        process.terminate()
        process.communicate(timeout=WITHIN_S)


def next_document(stream: IO[str] | None) -> dict[str, Any]:
    """Wait for the next document of a stream."""
    assert stream is not None
    line = stream.readline()
    assert line, "the stream has ended"
    found: dict[str, Any] = json.loads(line)
    return found
