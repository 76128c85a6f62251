"""Results on standard output, everything else on standard error; one exit code and one document together."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

ERROR_SCHEMA: Final = "accessory-emu.error/1"


class Exit(IntEnum):
    """The exit codes, the same for every command."""

    DONE = 0
    JUDGED = 1  # and found wanting, or refused with a signed reason
    USAGE = 2
    FILE = 3
    NOBODY = 4
    NOTHING = 5
    UNJUDGED = 6
    INTERNAL = 70
    TIME_LIMIT = 124
    INTERRUPTED = 130


class Problem(Exception):
    """What keeps a command from being done: one line says what is wrong, the next what to do.

    `document` stands in place of the usual error document where a schema of its own says more.
    """

    def __init__(
        self,
        code: str,
        message: str,
        cure: str,
        exit_code: Exit,
        document: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.cure, self.exit = code, message, cure, exit_code
        self.document: Mapping[str, object] = document or {
            "schema": ERROR_SCHEMA,
            "code": code,
            "message": message,
            "cure": cure,
            "exit": int(exit_code),
        }


@dataclass(frozen=True, slots=True)
class Result:
    """What a command found: its document and its lines say the same, and `exit` is what both mean."""

    document: Mapping[str, object]
    lines: Sequence[str]
    exit: Exit = Exit.DONE


@dataclass(slots=True)
class Output:
    """Where results go; with a seed, every result says that its keys are test keys."""

    as_json: bool
    seed: int | None = None
    _said_seed: bool = field(default=False, init=False)

    def show(self, result: Result) -> Exit:
        """Write a result; gives its exit code."""
        if self.as_json:
            seed = {} if self.seed is None else {"seed": self.seed}
            write(json.dumps({**result.document, **seed}, ensure_ascii=False))
            return result.exit
        if self.seed is not None and not self._said_seed:
            self._said_seed = True
            write(f"seed {self.seed} (test keys)")
        for line in result.lines:
            write(line)
        return result.exit


def write(line: str) -> None:
    """Write a line on standard output, at once: somebody may read it through a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def tell(line: str) -> None:
    """Write a line on standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def show_problem(problem: Problem, *, as_json: bool) -> Exit:
    """Show a problem; gives its exit code."""
    if as_json:
        write(json.dumps(problem.document, ensure_ascii=False))
        return problem.exit
    tell(problem.message)
    if problem.cure:
        tell(f"cure: {problem.cure}")
    return problem.exit


def table(rows: Sequence[Sequence[str]], indent: str = " ") -> list[str]:
    """Lay rows out in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
