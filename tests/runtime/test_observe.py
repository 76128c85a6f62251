"""The observer: what becomes a record, what is counted, and what nobody may read."""

import hashlib
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol.identifiers import Version
from accessory_emu.protocol.ports import Event
from accessory_emu.runtime.observe import Form, Level, Observer, TraceBuffer, configure_logging, redact, say
from accessory_emu.runtime.trace_file import Filter, Trace, TraceFile, read_trace

ID = "8899aabbccddeeff"
KID = "7be01a22c0ffee11"
RAW = b"\xd2\x84command"
FIELDS: dict[str, object] = {
    "topic": f"ae1/a/{ID}/in",
    "event": "message",
    "kid": KID,
    "verdict": "silent",
    "check": "key",
    "reason": "unknown_key",
    "answered": False,
    "version": Version(0x10000, 3),
    "raw": RAW,
    "bytes": len(RAW),
    "what": "message",
    "refused": (),
}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[io.StringIO]:
    """Catch the log lines, and leave logging as it was."""
    logger = logging.getLogger("accessory_emu")
    before = list(logger.handlers), logger.level, logger.propagate
    stream = io.StringIO()
    configure_logging("debug", "console", stream)
    yield stream
    logger.handlers[:], logger.level, logger.propagate = before


def observed(event: Event, **options: object) -> Trace:
    buffer = TraceBuffer()
    observer = Observer([buffer], **options)  # type: ignore[arg-type] # the test's own names
    observer.record("front-door", ID, event, 1000)
    (trace,) = buffer
    return trace


def verdict(**changes: object) -> Event:
    return Event("verdict", {**FIELDS, **changes})


# Records


def test_a_verdict_becomes_one_record() -> None:
    assert observed(verdict()) == Trace(
        n=1,
        t=1000,
        accessory="front-door",
        accessory_id=ID,
        event="message",
        what="message",
        verdict="silent",
        kid=KID,
        check="key",
        reason="unknown_key",
        version=Version(0x10000, 3),
        size=len(RAW),
        digest=hashlib.sha256(RAW).hexdigest()[:32],
        raw=RAW,
    )


def test_names_come_from_the_cast_which_may_grow() -> None:
    cast: dict[str, str] = {}
    buffer = TraceBuffer()
    observer = Observer([buffer], cast=cast)
    observer.record("lamp", ID, verdict(), 0)
    cast[KID] = "rosa"
    observer.record("lamp", ID, verdict(), 0)
    observer.record("lamp", ID, verdict(kid=None), 0)
    assert [trace.who for trace in buffer] == [None, "rosa", None]


def test_an_entry_that_was_taken_names_its_refused_requests() -> None:
    trace = observed(verdict(event="log", verdict="applied", refused=(("ab", "list_full"),), answered=True))
    assert (trace.event, trace.verdict, trace.refused, trace.answered) == (
        "log",
        "applied",
        (("ab", "list_full"),),
        True,
    )


RAW_KEPT = {
    "an inbox message": ({}, RAW),
    "an entry in the inbox": ({"event": "log"}, RAW),
    "the longest": ({"raw": bytes(4096)}, bytes(4096)),
    "a longer one": ({"raw": bytes(4097)}, None),
    "a pairing": ({"event": "pairing", "topic": f"ae1/a/{ID}/pair/{KID}/req"}, None),
    "what looks like a message on a pairing topic": ({"topic": f"ae1/a/{ID}/pair/{KID}/req"}, None),
    "a pairing in the inbox": ({"event": "pairing"}, None),
    "an entry on the log's topic": ({"event": "log", "topic": "ae1/h/00/log/1/1"}, None),
    "no topic": ({"topic": None}, None),
    "no bytes": ({"raw": None}, None),
}


@pytest.mark.parametrize(("changes", "want"), RAW_KEPT.values(), ids=RAW_KEPT)
def test_raw_bytes_are_kept_of_inbox_messages_only(changes: dict[str, object], want: bytes | None) -> None:
    assert observed(verdict(**changes)).raw == want
    assert observed(verdict(**changes), keep_raw=False).raw is None


def test_a_pairing_without_its_bytes_keeps_its_size() -> None:
    trace = observed(verdict(event="pairing", raw=None, bytes=410))
    assert (trace.size, trace.digest) == (410, None)


OTHERS = {
    "boot": (Event("boot", {"boot": "00", "locked": ""}), "boot", "started"),
    "a locked boot": (Event("boot", {"locked": "row x"}), "boot", "locked until a factory reset: row x"),
    "reset": (Event("reset", {"accessory_id": ID}), "boot", "factory reset: a new key and a new id"),
    "trouble": (Event("trouble", {"what": "KeyError: 1"}), "fault", "KeyError: 1"),
}


@pytest.mark.parametrize(("event", "kind", "what"), OTHERS.values(), ids=OTHERS)
def test_what_else_happens_to_an_accessory_is_recorded_and_logged(
    quiet: io.StringIO, event: Event, kind: str, what: str
) -> None:
    trace = observed(event)
    assert (trace.event, trace.what, trace.verdict) == (kind, what, None)
    assert f"{what}  accessory=front-door" in quiet.getvalue()


def test_records_are_numbered_after_those_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    for _ in range(2):
        file = TraceFile(path)
        observer = Observer([file], last=file.last)
        observer.record("lamp", ID, verdict(), 0)
        observer.record("lamp", ID, Event("boot"), 0)
        file.close()
    assert [trace.n for trace in read_trace(path)] == [1, 2, 3, 4]


def test_messages_are_counted_by_verdict_and_reason_and_other_events_by_name() -> None:
    observer = Observer()
    for event in (verdict(), verdict(reason="expired"), verdict(verdict="accepted", reason=None)):
        observer.record("lamp", ID, event, 0)
    for name in ("identify", "boot", "identify"):
        observer.record("lamp", ID, Event(name), 0)
    assert observer.verdicts == {"silent": 2, "accepted": 1}
    assert observer.reasons == {"unknown_key": 1, "expired": 1}
    assert observer.events == {"identify": 2, "boot": 1}


class FullDisk:
    """A sink whose disk is full."""

    def add(self, trace: Trace) -> None:
        """Fail."""
        raise OSError(28, f"No space left on device ({trace.n})")


def test_a_sink_that_fails_is_told_of_once_and_stops_nothing(quiet: io.StringIO) -> None:
    buffer = TraceBuffer()
    observer = Observer([FullDisk(), buffer])
    for _ in range(3):
        observer.record("lamp", ID, verdict(), 0)
    assert (len(buffer), observer.lost) == (3, 3)
    assert quiet.getvalue().count("No space left on device") == 1


def test_the_buffer_keeps_the_newest() -> None:
    buffer = TraceBuffer(2)
    observer = Observer([buffer])
    for now in range(4):
        observer.record("lamp", ID, verdict(), now)
    assert [trace.t for trace in buffer] == [2, 3]
    assert buffer.find(Filter(since=3)) == [list(buffer)[1]]


value = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.binary(max_size=9) | st.just([()])
)


@given(
    name=st.sampled_from(["verdict", "boot", "trouble", "other"]),
    fields=st.fixed_dictionaries(dict.fromkeys(FIELDS, value)),
)
def test_any_event_is_recorded_without_harm(name: str, fields: dict[str, object]) -> None:
    buffer = TraceBuffer()
    Observer([buffer]).record("lamp", ID, Event(name, fields), 0)
    for trace in buffer:
        assert trace.what.isprintable()
        assert Trace.read(trace.line()) == trace


# Redaction and log lines

SECRETS = {
    "code 203-45-171 given": "code ***-**-*** given",
    "203-45-171": "***-**-***",
    "ab" * 32: "(hex)",
    f"seed={'AB' * 40}.": "seed=(hex).",
    "ab" * 31: "ab" * 31,
    "1203-45-171": "1203-45-171",
    "2026-06-01": "2026-06-01",
}


@pytest.mark.parametrize(("text", "want"), SECRETS.items())
def test_codes_and_keys_are_blanked_out(text: str, want: str) -> None:
    assert redact(text) == want


def test_what_slips_into_a_record_or_a_log_line_is_blanked_out_too(quiet: io.StringIO) -> None:
    trace = observed(verdict(what="pairing with 203-45-171\x1b[31m" + "x" * 500))
    assert trace.what.startswith("pairing with ***-**-***\\x1b[31mxxx")
    assert len(trace.what) < 200
    say("error", "the code 203-45-171\n", value="203-45-171\x07")
    assert quiet.getvalue() == "error    the code ***-**-***\\n  value=***-**-***\\x07\n"


LINES: list[tuple[Level, Level, bool]] = [
    ("debug", "debug", True),
    ("info", "debug", False),
    ("info", "warning", True),
    ("error", "warning", False),
]


@pytest.mark.parametrize(("level", "line", "want"), LINES)
def test_lines_below_the_level_are_left_out(level: Level, line: Level, *, want: bool) -> None:
    stream = io.StringIO()
    configure_logging(level, "console", stream)
    say(line, "text")
    assert bool(stream.getvalue()) is want


def test_a_json_line_has_its_schema_and_its_values() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    say("warning", "text", port=1883)
    line = json.loads(stream.getvalue())
    assert line.pop("t").endswith("Z")
    assert line == {
        "schema": "accessory-emu.log/1", "level": "warning", "message": "text", "port": "1883",
    }  # fmt: skip


@pytest.mark.parametrize(("level", "form"), [("loud", "console"), ("info", "xml")])
def test_an_unknown_level_or_form_is_refused(level: Level, form: Form) -> None:
    with pytest.raises(ValueError, match="levels are"):
        configure_logging(level, form)


def test_log_lines_go_to_standard_error_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    say("info", "text")
    assert capsys.readouterr() == ("", "info     text\n")
