"""The state directory: where it is, the run file, the names of the people, and the key files."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from accessory_emu.cli.options import Common
from accessory_emu.cli.output import Exit, Problem
from accessory_emu.protocol.crypto import SEED_SIZE, SigningKey
from accessory_emu.protocol.ports import Random
from accessory_emu.runtime.config_values import check_id
from accessory_emu.storage.base import StoreError
from accessory_emu.storage.private import open_private, private_folder

RUN_FILE: Final = "run.json"
TRACE_FILE: Final = "trace.ndjson"
_RUN_SCHEMA: Final = "accessory-emu.run-file/1"
_MOST: Final = 4 * 1024 * 1024


def homes_folder() -> Path:
    """Give the folder that holds a directory per home."""
    given = os.environ.get("XDG_STATE_HOME", "")
    base = Path(given) if given.startswith("/") else Path.home() / ".local" / "state"
    return base / "accessory-emu" / "homes"


def state_of(common: Common, home: str) -> Path:
    """Give the state directory of a home."""
    return common.state or homes_folder() / (common.home or home)


def find_state(common: Common) -> Path:
    """Find the state directory that a command means.

    Raises:
        Problem: there is none, or more than one.
    """
    if common.state is not None:
        return common.state
    folder = homes_folder()
    if common.home is not None:
        return folder / check_name(common.home, "--home")
    found = sorted(each.name for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []
    if len(found) == 1:
        return folder / found[0]
    if not found:
        cure = "start `accessory-emu run`, or give --state DIR"
        raise Problem("nothing_found", f"there is no home in {folder}", cure, Exit.NOTHING)
    cure = f"give --home NAME; there are {', '.join(found)}"
    raise Problem("usage", "there is more than one home", cure, Exit.USAGE)


def check_name(name: str, option: str) -> str:
    """Give a name back if it can be one of a file. Raises Problem."""
    try:
        return check_id(name)
    except ValueError as error:
        raise Problem("usage", f"{option}: {error}", "choose another name", Exit.USAGE) from None


def write_private(path: Path, text: str) -> None:
    """Write a private file, whole or not at all. Raises StoreError."""
    private_folder(path.parent)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(open_private(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def read_private(path: Path) -> str | None:
    """Read a private file; None where there is none. Raises StoreError."""
    if not path.exists():
        return None
    with os.fdopen(open_private(path, os.O_RDONLY), "rb") as file:
        data = file.read(_MOST)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise StoreError(f"{path}: is no text; cure: move it away") from None


@dataclass(frozen=True, slots=True)
class RunFile:
    """What `run` tells `ctl`: the MQTT broker, and names to accessory ids and types."""

    home: str
    broker: str
    pid: int
    ids: Mapping[str, str]
    types: Mapping[str, str]
    labels: str | None = None
    trace: str | None = None

    def write(self, folder: Path) -> None:
        """Write it, 0600, whole or not at all."""
        write_private(folder / RUN_FILE, json.dumps({"schema": _RUN_SCHEMA, **asdict(self)}) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read it; None where nothing runs. Raises StoreError."""
        path = folder / RUN_FILE
        if (text := read_private(path)) is None:
            return None
        try:
            found: dict[str, Any] = json.loads(text)
            known = found.pop("schema") == _RUN_SCHEMA
            return cls(**(found if known else {}))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise StoreError(f"{path}: is no run file; cure: stop the emulator and delete it") from None


def remove_run_file(folder: Path) -> None:
    """Remove the run file at the end of a run."""
    (folder / RUN_FILE).unlink(missing_ok=True)


# people


def key_file(state: Path, name: str) -> Path:
    """Give where a person's key is."""
    return state / "controllers" / f"{name}.key"


def key_of(state: Path, name: str, random: Random) -> SigningKey:
    """Give a person's key; a name that has none yet gets one. Raises StoreError."""
    path = key_file(state, name)
    text = read_private(path)
    if text is None:
        key = SigningKey(random.bytes(SEED_SIZE))
        write_private(path, key.seed().hex() + "\n")
    else:
        try:
            key = SigningKey(bytes.fromhex(text.strip()))
        except ValueError:
            raise StoreError(f"{path}: is no key file; cure: restore it from a backup") from None
    people = read_people(state)
    if people.get(key.kid.hex()) != name:
        write_private(_people(state), json.dumps({**people, key.kid.hex(): name}) + "\n")
    return key


def _people(state: Path) -> Path:
    return state / "people.json"


def read_people(state: Path) -> dict[str, str]:
    """Give the names of the people of this state directory by key id (hex). Raises StoreError."""
    try:
        found = json.loads(read_private(_people(state)) or "{}")
    except ValueError:
        found = {}
    return {str(kid): str(name) for kid, name in found.items()} if isinstance(found, dict) else {}


class Cast(Mapping[str, str]):
    """Names by key id, which grow while `ctl` makes keys."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._seen: tuple[int, int] = (0, 0)
        self._names: dict[str, str] = {}

    def __getitem__(self, kid: str) -> str:
        if kid not in self._names:
            self._look()
        return self._names[kid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _look(self) -> None:
        with contextlib.suppress(OSError, StoreError):
            state = _people(self._state).stat()
            if (state.st_mtime_ns, state.st_ino) != self._seen:
                self._seen = (state.st_mtime_ns, state.st_ino)
                self._names = read_people(self._state)
