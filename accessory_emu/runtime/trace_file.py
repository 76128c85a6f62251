"""The local trace: one record a message, its file of JSON lines, and readers that follow it.

The trace stays on the emulator's machine. It holds no secret: raw bytes only of inbox messages, which are
signed and open to everybody on the MQTT broker, and never those of a pairing.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
from typing import Any, BinaryIO, Final, Self

from accessory_emu.protocol.identifiers import Version
from accessory_emu.storage.base import StoreDamaged, StoreError
from accessory_emu.storage.private import open_private

SCHEMA: Final = "accessory-emu.trace/1"
TRACE_SIZE: Final = 64 * 1024 * 1024  # then the file becomes FILE.1, in place of an older one
LINE_SIZE: Final = 64 * 1024  # the longest record, 4 KiB of raw bytes and 32 refused requests, needs 11 KiB
RAW_SIZE: Final = 4 * 1024

EVENTS: Final = frozenset({"message", "pairing", "log", "boot", "fault"})
VERDICTS: Final = frozenset({"accepted", "refused", "silent", "duplicate", "ignored", "applied"})
_HEAD: Final = f'{{"schema": "{SCHEMA}", '.encode()
_MAYBE: Final = (str, NoneType)
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {  # the fields that stand in the file as they are here
    "n": (int,), "accessory": (str,), "accessory_id": (str,), "event": (str,), "what": (str,),
    "verdict": _MAYBE, "kid": _MAYBE, "who": _MAYBE, "check": _MAYBE, "reason": _MAYBE, "digest": _MAYBE,
    "answered": (bool,), "us": (int, NoneType),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What became of one message, or what else happened to an accessory.

    `n` counts from 1, `t` is in ms since the epoch; `size` and `digest` (the first 16 bytes of SHA-256, hex)
    are those of the received bytes, `version` is the accessory's own; `refused` names requests of an entry
    that had no effect, each with its reason. `who` comes from the emulator's own cast, never from a message.
    """

    n: int
    t: int
    accessory: str
    accessory_id: str
    event: str
    what: str
    verdict: str | None = None
    kid: str | None = None
    who: str | None = None
    check: str | None = None
    reason: str | None = None
    answered: bool = False
    version: Version | None = None
    size: int | None = None
    digest: str | None = None
    us: int | None = None
    raw: bytes | None = None
    refused: tuple[tuple[str, str], ...] = ()

    def document(self) -> dict[str, object]:
        """Give the record as its JSON document."""
        log = self.version
        return {
            "schema": SCHEMA,
            "n": self.n,
            "t": iso_time(self.t),
            "accessory": self.accessory,
            "accessory_id": self.accessory_id,
            "event": self.event,
            "kid": self.kid,
            "who": self.who,
            "what": self.what,
            "verdict": self.verdict,
            "check": self.check,
            "reason": self.reason,
            "answered": self.answered,
            "log": None if log is None else {"epoch": f"{log.epoch:016x}", "turn": log.turn, "seq": log.seq},
            "bytes": self.size,
            "digest": self.digest,
            "us": self.us,
            "raw": None if self.raw is None else self.raw.hex(),
            "refused": [{"request": request, "reason": reason} for request, reason in self.refused],
        }

    def line(self) -> bytes:
        """Give the record as a line of the file."""
        return json.dumps(self.document()).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Self:
        """Read a line of the file; fields that are not known here are left out.

        Raises:
            ValueError: no record of this schema.
        """
        try:
            return cls._of(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(f"no trace record: {type(error).__name__}") from None

    @classmethod
    def _of(cls, found: dict[str, Any]) -> Self:
        kinds = {**_KINDS, "bytes": (int, NoneType)}
        if found["schema"] != SCHEMA or not all(isinstance(found[key], kinds[key]) for key in kinds):
            raise ValueError("another schema, or a field of another kind")
        log, raw = found["log"], found["raw"]
        return cls(
            t=read_time(found["t"]),
            version=None if log is None else Version(int(log["epoch"], 16), int(log["seq"])),
            size=found["bytes"],
            raw=None if raw is None else bytes.fromhex(raw),
            refused=tuple((str(each["request"]), str(each["reason"])) for each in found["refused"]),
            **{key: found[key] for key in _KINDS},
        )


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are wanted; None asks for any. `accessory` is a name or an id, `since` is in ms."""

    accessory: str | None = None
    who: str | None = None
    verdict: str | None = None
    reason: str | None = None
    since: int | None = None

    def passes(self, trace: Trace) -> bool:
        """Tell whether a record is wanted."""
        return (
            self.accessory in {None, trace.accessory, trace.accessory_id}
            and self.who in {None, trace.who}
            and self.verdict in {None, trace.verdict}
            and self.reason in {None, trace.reason}
            and (self.since is None or trace.t >= self.since)
        )


EVERYTHING: Final = Filter()


class TraceFile:
    """Writes records to a private file, each at once and whole; after `limit` bytes it is rotated once.

    `last` is the number of its newest record, 0 for a new file. Half a line, as a crash leaves it, is cut off
    when the file is opened.
    """

    def __init__(self, path: Path, limit: int = TRACE_SIZE) -> None:
        """Open or make the file.

        Raises:
            StoreError: it can't be opened, or is open to others.
            StoreDamaged: it holds something else than a trace.
        """
        self._path, self._limit = path, limit
        self._descriptor = open_private(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            self._size, self.last = self._find_end()
            os.ftruncate(self._descriptor, self._size)
        except BaseException:
            os.close(self._descriptor)
            raise

    def add(self, trace: Trace) -> None:
        """Write a record.

        Raises:
            OSError: it could not be written, and no part of it is in the file.
        """
        line = trace.line()
        if self._size and self._size + len(line) > self._limit:
            self._rotate()
        try:
            written = 0
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(line)
        self.last = trace.n

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _find_end(self) -> tuple[int, int]:
        """Give where the last whole line ends, and its number."""
        size = os.fstat(self._descriptor).st_size
        head = os.pread(self._descriptor, len(_HEAD), 0)
        if head != _HEAD[: len(head)]:
            raise StoreDamaged(f"{self._path}: holds something else than a trace; cure: use another file")
        start = max(0, size - 2 * LINE_SIZE)
        tail = os.pread(self._descriptor, size - start, start)
        end = tail.rfind(b"\n") + 1
        if end == 0 and size > LINE_SIZE:
            raise StoreDamaged(f"{self._path}: is damaged at its end; cure: move it away")
        if end == 0:
            return 0, 0
        try:
            return start + end, Trace.read(tail[tail.rfind(b"\n", 0, end - 1) + 1 : end]).n
        except ValueError:
            raise StoreDamaged(f"{self._path}: is damaged at its end; cure: move it away") from None

    def _rotate(self) -> None:
        """Begin a new file; when that fails nothing has changed, and the next record tries again."""
        new = self._path.with_name(self._path.name + ".new")
        new.unlink(missing_ok=True)
        fresh = open_private(new, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_EXCL)
        with contextlib.suppress(FileNotFoundError):  # somebody has deleted the trace
            self._path.replace(rotated(self._path))
        new.replace(self._path)
        os.close(self._descriptor)
        self._descriptor, self._size = fresh, 0


class TraceReader:
    """Reads a trace that may still be written: each `poll` yields what has come since the one before.

    The first yields everything, the rotated file included. Half a line at the end waits for its other half.
    A file that is not there yet has no records.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._half = b""
        self._line = 0

    def poll(self) -> Iterator[Trace]:
        """Yield the new records.

        Raises:
            StoreDamaged: a whole line is no record.
            StoreError: the file can't be read.
        """
        if self._file is None:
            yield from self._begin()
        while self._file is not None:
            yield from self._rest(self._file)
            following = self._open(self._path)
            if following is None or _same(following, self._file):
                if following is not None:
                    following.close()
                return
            yield from self._rest(self._file)  # what came before the file was rotated
            self._change(following)

    def close(self) -> None:
        """Close the file."""
        self._change(None)

    def _begin(self) -> Iterator[Trace]:
        # the newer file first: when it is rotated in between, both are one, and nothing is missed
        newer, older = self._open(self._path), self._open(rotated(self._path))
        if older is not None and newer is not None and not _same(older, newer):
            self._change(older)
            yield from self._rest(older)
        elif older is not None:
            older.close()
        self._change(newer)

    def _rest(self, file: BinaryIO) -> Iterator[Trace]:
        while data := file.read(LINE_SIZE):
            *lines, self._half = (self._half + data).split(b"\n")
            if len(self._half) > LINE_SIZE:
                raise self._damaged()
            for line in lines:
                self._line += 1
                try:
                    trace = Trace.read(line)
                except ValueError:
                    raise self._damaged() from None
                yield trace

    def _damaged(self) -> StoreDamaged:
        return StoreDamaged(f"{self._path}:{self._line}: not a line of a trace")

    def _open(self, path: Path) -> BinaryIO | None:
        try:
            return path.open("rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path}: can't be read: {error.strerror}") from error

    def _change(self, file: BinaryIO | None) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._half, self._line = file, b"", 0


def read_trace(path: Path, wanted: Filter = EVERYTHING) -> Iterator[Trace]:
    """Yield the wanted records of a trace, the rotated file first; half a last line is left out.

    Raises:
        StoreError: there is no such file, or it can't be read.
        StoreDamaged: a whole line is no record.
    """
    if not path.exists():
        raise StoreError(f"{path}: there is no trace; cure: start `accessory-emu run` first, or name a file")
    reader = TraceReader(path)
    try:
        yield from filter(wanted.passes, reader.poll())
    finally:
        reader.close()


def rotated(path: Path) -> Path:
    """Give the name of the older file."""
    return path.with_name(path.name + ".1")


def iso_time(ms: int) -> str:
    """Write a time as ISO 8601 in UTC, with milliseconds."""
    moment = datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000, tzinfo=None)
    return moment.isoformat(timespec="milliseconds") + "Z"


def read_time(text: str) -> int:
    """Read an ISO 8601 time with an offset; gives ms since the epoch.

    Raises:
        ValueError: no such time, or one without an offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset")
    return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000


def _same(one: BinaryIO, other: BinaryIO) -> bool:
    return os.path.sameopenfile(one.fileno(), other.fileno())
