"""The stickers of emulated accessories: setup codes and setup ids, in a file of their own.

An accessory keeps salt and verifier, never its code; what was drawn at the first start is in `labels.yaml`
(0600), as a sticker would have it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from pydantic import Field, RootModel

from accessory_emu.pairing.setup_payload import draw_code, draw_setup_id
from accessory_emu.pairing.srp import make_verifier
from accessory_emu.protocol.ports import Random
from accessory_emu.runtime.config_values import Code, FilePart, Id, SetupId
from accessory_emu.runtime.yaml_file import check, read
from accessory_emu.storage.private import open_private

_MOST: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sticker:
    """One accessory's sticker; the code shows in no repr."""

    code: str = field(repr=False)
    setup_id: str

    def verifier(self, salt: bytes) -> bytes:
        """Give the SRP verifier of the code for a salt."""
        return make_verifier(self.code, salt)


class _Line(FilePart):
    code: Code = Field(repr=False)
    setup_id: SetupId


class _Labels(RootModel[dict[Id, _Line]]):
    pass


class Labelled(Protocol):
    """An accessory of a home file, as far as its sticker is concerned."""

    @property
    def id(self) -> str:
        """Its id in the file."""
        ...

    @property
    def code(self) -> str | None:
        """The setup code that the file gives it."""
        ...

    @property
    def setup_id(self) -> str | None:
        """The setup id that the file gives it."""
        ...


def stickers(items: Sequence[Labelled], known: Mapping[str, Sticker], random: Random) -> dict[str, Sticker]:
    """Give every accessory its sticker: from the file, else the one it has, else a new one."""
    made: dict[str, Sticker] = {}
    for item in items:
        old = known.get(item.id)
        code = item.code or (old.code if old else draw_code(random))
        setup_id = item.setup_id or (old.setup_id if old else draw_setup_id(random))
        made[item.id] = Sticker(code, setup_id)
    return made


def load_labels(path: Path) -> dict[str, Sticker]:
    """Read the stickers of a state directory; none where there is no file.

    Raises:
        FileErrors: the file is not what we wrote.
        StoreError: it is open to others.
    """
    if not path.exists():
        return {}
    with os.fdopen(open_private(path, os.O_RDONLY), "rb") as file:
        document = read(file.read(_MOST), str(path))
    lines = check(document, _Labels).root
    return {name: Sticker(line.code, line.setup_id) for name, line in lines.items()}


def save_labels(path: Path, labels: Mapping[str, Sticker]) -> None:
    """Write the stickers, 0600, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    lines = [f'{name}: {{code: "{one.code}", setup_id: "{one.setup_id}"}}\n' for name, one in labels.items()]
    with os.fdopen(open_private(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w", encoding="utf-8") as file:
        file.write("# setup codes and setup ids: the stickers of the emulated accessories\n")
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
