"""Private files: made narrow under any umask, refused when wide."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from accessory_emu.storage.base import StoreError
from accessory_emu.storage.private import open_private, private_folder, refuse_wider


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
def any_umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("any_umask")
def test_a_new_folder_is_0700_and_so_are_those_above_it(tmp_path: Path) -> None:
    private_folder(tmp_path / "one" / "two")
    assert mode(tmp_path / "one") == mode(tmp_path / "one" / "two") == 0o700


@pytest.mark.usefixtures("any_umask")
def test_a_new_file_is_0600(tmp_path: Path) -> None:
    os.close(open_private(tmp_path / "file", os.O_CREAT | os.O_RDWR))
    assert mode(tmp_path / "file") == 0o600


@pytest.mark.parametrize("wide", [0o644, 0o640, 0o620, 0o601])
def test_a_wider_file_is_refused_with_the_command_that_repairs_it(tmp_path: Path, wide: int) -> None:
    path = tmp_path / "it's a file"
    path.touch()
    path.chmod(wide)
    with pytest.raises(StoreError, match=r"chmod 600 '.*it'\"'\"'s a file'"):
        open_private(path, os.O_RDONLY)
    assert mode(path) == wide
    path.chmod(0o600)
    os.close(open_private(path, os.O_RDONLY))


@pytest.mark.parametrize("wide", [0o755, 0o710, 0o701])
def test_a_wider_folder_is_refused_with_the_command_that_repairs_it(tmp_path: Path, wide: int) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(wide)
    with pytest.raises(StoreError, match=f"chmod 700 {folder}"):
        private_folder(folder)
    folder.chmod(0o700)
    private_folder(folder)


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    private_folder(tmp_path / "folder")
    with pytest.raises(StoreError, match="no plain file"):
        open_private(tmp_path / "folder", os.O_RDONLY)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(StoreError, match="no plain file"):
        open_private(tmp_path / "pipe", os.O_RDONLY)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="can't be opened"):
        open_private(tmp_path / "link", os.O_CREAT | os.O_RDWR)
    assert not (tmp_path / "elsewhere").exists()


def test_what_is_missing_or_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="is no folder"):
        private_folder(tmp_path / "file")
    with pytest.raises(StoreError, match="can't be made"):
        private_folder(tmp_path / "file" / "below")
    with pytest.raises(StoreError, match="can't be opened"):
        open_private(tmp_path / "missing", os.O_RDONLY)
    with pytest.raises(StoreError, match="can't be looked at"):
        refuse_wider(tmp_path / "missing", 0o600)
