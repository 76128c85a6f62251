"""One trace record an event, counters, redaction: the only room that logs."""

import hashlib
import json
import logging
import re
import sys
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, Protocol, TextIO, TypeAlias, cast

from accessory_emu.protocol.identifiers import Version
from accessory_emu.protocol.ports import Event
from accessory_emu.protocol.reasons import Reason, Rung
from accessory_emu.runtime.trace_file import (
    EVENTS,
    EVERYTHING,
    RAW_SIZE,
    VERDICTS,
    Filter,
    Trace,
    iso_time,
)
from accessory_emu.storage.base import StoreError

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
Form: TypeAlias = Literal["console", "json"]

_LOGGER: Final = logging.getLogger("accessory_emu")
_LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_LOG_SCHEMA: Final = "accessory-emu.log/1"
_WHAT: Final = 160  # characters
_INBOX: Final = "/in"  # how the topic of an accessory's inbox ends, whatever the prefix
_DIGEST: Final = 16
_REASONS: Final = frozenset(reason.word for reason in Reason)
_RUNGS: Final = frozenset(rung.value for rung in Rung)
_SECRETS: Final = (  # what never may be read in a trace or log, should it ever get there
    (re.compile(r"(?<![0-9])[0-9]{3}-[0-9]{2}-[0-9]{3}(?![0-9])"), "***-**-***"),  # setup codes
    (re.compile(r"[0-9A-Fa-f]{64,}"), "(hex)"),  # keys and seeds
)


class Sink(Protocol):
    """Where trace records go."""

    def add(self, trace: Trace) -> None:
        """Take one record. Raises OSError or StoreError where it is lost."""
        ...


class TraceBuffer:
    """The newest records, in memory."""

    def __init__(self, limit: int = 10_000) -> None:
        self._records: deque[Trace] = deque(maxlen=limit)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Trace]:
        return iter(tuple(self._records))

    def add(self, trace: Trace) -> None:
        """Keep a record; the oldest goes when there is no room."""
        self._records.append(trace)

    def find(self, wanted: Filter = EVERYTHING) -> list[Trace]:
        """Give the wanted records, oldest first."""
        return [trace for trace in self._records if wanted.passes(trace)]


class Observer:
    """Turns the events of accessories into trace records, and counts.

    Args:
        sinks: where records go. One that fails loses the record, is told of once, and stops nothing.
        cast: names by key id (hex), which may grow while this runs.
        last: the number of the newest record that a sink already holds.
        keep_raw: whether the bytes of inbox messages go along.

    `verdicts` and `reasons` count messages, `events` what else happened, `lost` the records that a sink did
    not take.
    """

    def __init__(
        self,
        sinks: Sequence[Sink] = (),
        *,
        cast: Mapping[str, str] | None = None,
        last: int = 0,
        keep_raw: bool = True,
    ) -> None:
        self._sinks = tuple(sinks)
        self._cast = {} if cast is None else cast
        self._last = last
        self._keep_raw = keep_raw
        self.verdicts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.lost = 0

    def record(self, accessory: str, accessory_id: str, event: Event, now: int) -> None:
        """Take in one event of one accessory, whose id is in hex."""
        if event.name == "verdict":
            trace = self._verdict(accessory, accessory_id, event.fields, now)
            self.verdicts[trace.verdict or ""] += 1
            if trace.reason:
                self.reasons[trace.reason] += 1
            self._hand_on(trace)
            return
        self.events[event.name] += 1
        if event.name in _OTHERS:
            kind, level, what = _OTHERS[event.name]
            if locked := event.fields.get("locked"):
                level, what = "error", f"locked until a factory reset: {locked}"
            text = _words(event.fields.get("what", what))
            say(level, text, accessory=accessory)
            self._last += 1
            self._hand_on(
                Trace(
                    n=self._last, t=now, accessory=accessory, accessory_id=accessory_id, event=kind, what=text
                )
            )

    def _verdict(self, accessory: str, accessory_id: str, fields: Mapping[str, object], now: int) -> Trace:
        """Take over the fields that are known, each only if it is what it should be."""
        self._last += 1
        raw, size, us = fields.get("raw"), fields.get("bytes"), fields.get("us")
        payload = raw if isinstance(raw, bytes) else None
        version = fields.get("version")
        kid = _word(fields, "kid")
        return Trace(
            n=self._last,
            t=now,
            accessory=accessory,
            accessory_id=accessory_id,
            event=_one_of(fields, "event", EVENTS) or "message",
            what=_words(fields.get("what", "")),
            verdict=_one_of(fields, "verdict", VERDICTS),
            kid=kid,
            who=self._cast.get(kid) if kid else None,
            check=_one_of(fields, "check", _RUNGS),
            reason=_one_of(fields, "reason", _REASONS),
            answered=fields.get("answered") is True,
            version=version if isinstance(version, Version) else None,
            size=size if isinstance(size, int) else None if payload is None else len(payload),
            digest=None if payload is None else hashlib.sha256(payload).hexdigest()[: 2 * _DIGEST],
            us=us if isinstance(us, int) else None,
            raw=payload if self._keep_raw and _is_open(fields, payload) else None,
            refused=_refused(fields.get("refused")),
        )

    def _hand_on(self, trace: Trace) -> None:
        for sink in self._sinks:
            try:
                sink.add(trace)
            except (OSError, StoreError) as error:
                self.lost += 1
                if self.lost == 1:
                    say("warning", f"trace records are lost: {error}")


_OTHERS: Final[Mapping[str, tuple[str, Level, str]]] = {  # event: kind of record, level, text
    "boot": ("boot", "debug", "started"),
    "reset": ("boot", "info", "factory reset: a new key and a new id"),
    "trouble": ("fault", "error", "a bug stopped this accessory"),
    "fault": ("fault", "info", "a fault was set or healed"),
}


def _is_open(fields: Mapping[str, object], payload: bytes | None) -> bool:
    """Tell whether the bytes may be kept: those of inbox messages are signed and lie open on the broker."""
    inbox = (_word(fields, "topic") or "").endswith(_INBOX) and fields.get("event") != "pairing"
    return inbox and payload is not None and len(payload) <= RAW_SIZE


def _word(fields: Mapping[str, object], key: str) -> str | None:
    value = fields.get(key)
    return value if isinstance(value, str) else None


def _one_of(fields: Mapping[str, object], key: str, known: frozenset[str]) -> str | None:
    value = _word(fields, key)
    return value if value in known else None


def _refused(value: object) -> tuple[tuple[str, str], ...]:
    pairs = value if isinstance(value, tuple) else ()
    return tuple((str(request), str(reason)) for request, reason in pairs)


def _words(value: object) -> str:
    """Give a short text as it may stand on a terminal and in a file: printable, without secrets, cut off."""
    text = redact(str(value))[:_WHAT]
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def redact(text: str) -> str:
    """Blank out what looks like a setup code or a key."""
    for pattern, blank in _SECRETS:
        text = pattern.sub(blank, text)
    return text


def say(level: Level, message: str, **values: object) -> None:
    """Log a line; values are shown beside the message, with anything that looks secret blanked out."""
    _LOGGER.log(_LEVELS[level], message, extra={"values": values})


def configure_logging(level: Level = "warning", form: Form = "console", stream: TextIO | None = None) -> None:
    """Send log lines of this level and above to a stream, standard error by default; replaces what was set.

    Raises:
        ValueError: an unknown level or form.
    """
    if level not in _LEVELS or form not in _FORMS:
        raise ValueError(f"levels are {', '.join(_LEVELS)}; forms are {', '.join(_FORMS)}")
    for old in list(_LOGGER.handlers):
        _LOGGER.removeHandler(old)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_FORMS[form]())
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(_LEVELS[level])
    _LOGGER.propagate = False


class _Console(logging.Formatter):
    """`warning  the text  accessory=lamp-1`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a line."""
        values = "".join(f"  {key}={_words(value)}" for key, value in _values(record).items())
        return f"{record.levelname.lower():<8} {_words(record.getMessage())}{values}"


class _Json(logging.Formatter):
    """A JSON document a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a line."""
        return json.dumps(
            {
                "schema": _LOG_SCHEMA,
                "t": iso_time(int(record.created * 1000)),
                "level": record.levelname.lower(),
                "message": _words(record.getMessage()),
                **{key: _words(value) for key, value in _values(record).items()},
            }
        )


_FORMS: Final[Mapping[str, type[logging.Formatter]]] = {"console": _Console, "json": _Json}


def _values(record: logging.LogRecord) -> Mapping[str, object]:
    return cast("Mapping[str, object]", getattr(record, "values", {}))
