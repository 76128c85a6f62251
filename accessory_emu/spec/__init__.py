"""The specification as data: clauses, reasons and vectors.

The prose is in docs/spec; the files beside this module say the same to programs.
"""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import resources
from types import MappingProxyType
from typing import Final

SPEC_VERSION: Final = "accessory-emu/1"


class Level(Enum):
    """How binding a clause is, as in RFC 2119; MUST NOT counts as MUST."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


@dataclass(frozen=True, slots=True)
class Clause:
    """One numbered sentence of the specification; `chapter` is the number of its chapter."""

    id: str
    level: Level
    chapter: int
    text: str

    @property
    def area(self) -> str:
        """The middle of the id: KEY, ENV, TOP, MQ, PAIR, CMD, RSP, RSN, ACC, LOG or SYN."""
        return self.id.split("-")[1]


@dataclass(frozen=True, slots=True)
class ReasonText:
    """What people are told of a reason (AE-RSN-001).

    `check` names the rungs at which it arises, `told_to` who hears it: trace, sender, ack or peer.
    """

    number: int
    word: str
    check: tuple[str, ...]
    told_to: tuple[str, ...]
    meaning: str
    cure: str


@functools.cache
def clauses() -> Mapping[str, Clause]:
    """Give every clause by its id, in the order of the chapters."""
    rows = _read("clauses.toml").items()
    return MappingProxyType(
        {
            name: Clause(name, Level(row.text("level")), row.number("chapter"), row.text("text"))
            for name, row in rows
        }
    )


@functools.cache
def reasons() -> Mapping[str, ReasonText]:
    """Give every reason by its word, in the order of the numbers."""
    return MappingProxyType(
        {
            word: ReasonText(
                number=row.number("number"),
                word=word,
                check=row.words("check"),
                told_to=row.words("told_to"),
                meaning=row.text("meaning"),
                cure=row.text("cure"),
            )
            for word, row in _read("reasons.toml").items()
        }
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """One table of a data file, read by type; a row of another shape is a TypeError or KeyError."""

    values: Mapping[str, object]

    def text(self, key: str) -> str:
        value = self.values[key]
        if not isinstance(value, str):
            raise TypeError(f"{key} is no text")
        return value

    def number(self, key: str) -> int:
        value = self.values[key]
        if not isinstance(value, int):
            raise TypeError(f"{key} is no number")
        return value

    def words(self, key: str) -> tuple[str, ...]:
        value = self.values[key]
        if not isinstance(value, list):
            raise TypeError(f"{key} is no list")
        return tuple(str(word) for word in value)


def _read(name: str) -> dict[str, _Row]:
    text = resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
    return {key: _Row(row) for key, row in tomllib.loads(text).items()}
