"""Private files: 0600 in 0700, opened with that mode, and refused when wider."""

import os
import shlex
import stat
from pathlib import Path
from typing import Final

from accessory_emu.storage.base import StoreError

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_OTHERS: Final = 0o077  # what group and others may do


def private_folder(folder: Path) -> None:
    """Make a folder with mode 0700, and each missing one above it.

    Raises:
        StoreError: it can't be made, is no folder, or is open to others.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        for place in reversed(missing):
            place.mkdir(mode=FOLDER_MODE, exist_ok=True)
            place.chmod(FOLDER_MODE)  # the umask may have taken the owner's own rights
    except OSError as error:
        raise StoreError(f"{folder}: can't be made: {error.strerror}") from error
    if not folder.is_dir():
        raise StoreError(f"{folder}: is no folder")
    refuse_wider(folder, FOLDER_MODE)


def open_private(path: Path, flags: int) -> int:
    """Open a file for its owner alone, and give the descriptor; a new one gets mode 0600 whatever the umask.

    Raises:
        StoreError: it can't be opened, is no plain file, or is open to others.
    """
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, FILE_MODE)
    except OSError as error:
        raise StoreError(f"{path}: can't be opened: {error.strerror}") from error
    try:
        state = os.fstat(descriptor)
        _judge(path, state, FILE_MODE)
        if state.st_size == 0 and flags & os.O_CREAT:
            os.fchmod(descriptor, FILE_MODE)  # the umask may have taken the owner's own rights
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def refuse_wider(path: Path, mode: int) -> None:
    """Refuse a path that group or others may touch, with the command that repairs it.

    With the mode of a file, what is no plain file (a link, say) is refused too.

    Raises:
        StoreError: it is open to others, or can't be looked at.
    """
    try:
        state = path.lstat() if mode == FILE_MODE else path.stat()
    except OSError as error:
        raise StoreError(f"{path}: can't be looked at: {error.strerror}") from error
    _judge(path, state, mode)


def _judge(path: Path, state: os.stat_result, mode: int) -> None:
    if mode == FILE_MODE and not stat.S_ISREG(state.st_mode):
        raise StoreError(f"{path}: is no plain file")
    found = stat.S_IMODE(state.st_mode)
    if found & _OTHERS:
        raise StoreError(
            f"{path}: others may use it (mode {found:04o}); cure: chmod {mode:o} {shlex.quote(str(path))}"
        )
