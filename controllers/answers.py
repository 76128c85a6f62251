"""The sequencer's signed answers, kept: the same request gets the same answer however often it comes.

Rows: answer/<request>, each with the author's key, the signed bytes, the entry's version if there is one, and
a rising number. A refusal stays the answer (AE-LOG-074).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Fields, decode, pack, version_value
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import GrantId, PublicKey, Version
from accessory_emu.protocol.ports import Write
from controllers.errors import StateDamaged

_ROW: Final = "answer/"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: to whom, the signed bytes, and the version of the entry that a committed request got."""

    author: PublicKey
    raw: bytes
    version: Version | None
    number: int


class Answers:
    """The answers of one sequencer.

    Raises:
        StateDamaged: rows do not read back.
    """

    def __init__(self, rows: Mapping[str, bytes]) -> None:
        self._kept: dict[GrantId, Answer] = {}
        try:
            for key, data in rows.items():
                if key.startswith(_ROW):
                    self._kept[GrantId(bytes.fromhex(key[len(_ROW) :]))] = _decode(data)
        except (Malformed, ValueError) as error:
            raise StateDamaged("an answer does not read back") from error
        self._number = max((answer.number for answer in self._kept.values()), default=0)

    def find(self, request: GrantId) -> Answer | None:
        """Find the answer that a request got."""
        return self._kept.get(request)

    def keep(self, request: GrantId, author: PublicKey, raw: bytes, version: Version | None) -> list[Write]:
        """Keep an answer; gives the rows to write before it leaves.

        The oldest of one author makes room, so that nobody can push out an answer to somebody else.
        """
        self._number += 1
        answer = Answer(author, raw, version, self._number)
        self._kept[request] = answer
        rows = [Write(_ROW + request.hex(), _encode(answer))]
        of_author = [name for name, kept in self._kept.items() if kept.author == author]
        if len(of_author) > limits.ANSWERS_OF_AUTHOR:
            oldest = min(of_author, key=lambda name: self._kept[name].number)
            rows += self._drop([oldest])
        return rows

    def forget_after(self, version: Version) -> list[Write]:
        """Forget that requests were committed above `version`: a new epoch lacks them (AE-LOG-091)."""
        lost = [
            name for name, kept in self._kept.items() if kept.version is not None and kept.version > version
        ]
        return self._drop(lost)

    def _drop(self, names: list[GrantId]) -> list[Write]:
        for name in names:
            del self._kept[name]
        return [Write(_ROW + name.hex(), None) for name in names]


def _encode(answer: Answer) -> bytes:
    version = version_value(answer.version) if answer.version else None
    return pack({1: answer.author, 2: answer.raw, 3: version, 4: answer.number})


def _decode(data: bytes) -> Answer:
    fields = Fields(decode(data))
    answer = Answer(
        author=PublicKey(fields.octets(1, limits.KEY_SIZE)),
        raw=fields.blob(2, limits.MESSAGE_SIZE),
        version=fields.maybe(3, fields.version),
        number=fields.uint(4),
    )
    fields.end()
    return answer
