"""The trace file: its lines, its size, what a crash leaves, and readers that follow it."""

import json
import os
import resource
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol.identifiers import Version
from accessory_emu.runtime.trace_file import (
    Filter,
    Trace,
    TraceFile,
    TraceReader,
    iso_time,
    read_time,
    read_trace,
    rotated,
)
from accessory_emu.storage.base import StoreDamaged, StoreError

NOON = 1_780_315_203_182
SILENT = Trace(
    n=57,
    t=NOON,
    accessory="front-door",
    accessory_id="8899aabbccddeeff",
    event="message",
    what="message",
    kid="7be01a22c0ffee11",
    verdict="silent",
    check="key",
    reason="unknown_key",
    version=Version(0x15F3A, 3),
    size=2,
    digest="aa5e0b62f6d1c0e7a1b2c3d4e5f60718",
    us=38,
    raw=b"\xd2\x84",
)


def boot(n: int, what: str = "started", name: str = "lamp") -> Trace:
    return Trace(n=n, t=n, accessory=name, accessory_id="00", event="boot", what=what)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trace.ndjson"


def numbers(path: Path) -> list[int]:
    return [trace.n for trace in read_trace(path)]


# Records


def test_a_record_is_the_document_that_readers_expect() -> None:
    assert SILENT.document() == {
        "schema": "accessory-emu.trace/1", "n": 57, "t": "2026-06-01T12:00:03.182Z",
        "accessory": "front-door", "accessory_id": "8899aabbccddeeff", "event": "message",
        "kid": "7be01a22c0ffee11", "who": None, "what": "message", "verdict": "silent", "check": "key",
        "reason": "unknown_key", "answered": False,
        "log": {"epoch": "0000000000015f3a", "turn": 1, "seq": 3},
        "bytes": 2, "digest": "aa5e0b62f6d1c0e7a1b2c3d4e5f60718", "us": 38, "raw": "d284", "refused": [],
    }  # fmt: skip


def test_refused_requests_of_an_entry_stand_in_the_record() -> None:
    trace = Trace(
        n=1, t=0, accessory="a", accessory_id="00", event="log", what="", refused=(("ab", "list_full"),)
    )
    assert trace.document()["refused"] == [{"request": "ab", "reason": "list_full"}]
    assert Trace.read(trace.line()) == trace


small = st.none() | st.text(max_size=5)
traces = st.builds(
    Trace,
    n=st.integers(1, 2**40),
    t=st.integers(0, 4_000_000_000_000),
    accessory=st.text(),
    accessory_id=st.text(),
    event=st.sampled_from(["message", "log"]),
    what=st.text(),
    verdict=small,
    kid=small,
    who=small,
    check=small,
    reason=small,
    answered=st.booleans(),
    version=st.none() | st.builds(Version, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)),
    size=st.none() | st.integers(0, 2**20),
    digest=small,
    us=st.none() | st.integers(0, 10**9),
    raw=st.none() | st.binary(max_size=40),
    refused=st.lists(st.tuples(st.text(), st.text()), max_size=3).map(tuple),
)


@given(trace=traces)
def test_any_record_reads_back_from_its_line(trace: Trace) -> None:
    assert trace.line().count(b"\n") == 1
    assert Trace.read(trace.line()) == trace


@given(data=st.binary(max_size=60))
def test_any_other_line_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no trace record"):
        Trace.read(data)


anything = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just([1]) | st.just({"epoch": 1})
)


@given(key=st.sampled_from(sorted(SILENT.document())), value=anything, gone=st.booleans())
def test_a_changed_field_is_read_or_refused(key: str, value: object, *, gone: bool) -> None:
    document = SILENT.document()
    document[key] = value
    if gone:
        del document[key]
    try:
        read = Trace.read(json.dumps(document).encode())
    except ValueError:
        return
    assert isinstance(read.line(), bytes)


@pytest.mark.parametrize("ms", [0, 1, 999, NOON, 4_102_444_799_999])
def test_times_are_written_and_read_to_the_millisecond(ms: int) -> None:
    assert read_time(iso_time(ms)) == ms


def test_a_time_is_read_with_any_offset_and_not_without_one() -> None:
    assert read_time("2026-06-01T14:00:03.182+02:00") == NOON
    with pytest.raises(ValueError, match="offset"):
        read_time("2026-06-01T14:00:03.182")


FILTERS = [
    (Filter(), True),
    (Filter(accessory="front-door", verdict="silent", reason="unknown_key", since=NOON), True),
    (Filter(accessory="8899aabbccddeeff"), True),
    (Filter(accessory="lamp"), False),
    (Filter(who="rosa"), False),
    (Filter(verdict="accepted"), False),
    (Filter(reason="expired"), False),
    (Filter(since=NOON + 1), False),
]


@pytest.mark.parametrize(("wanted", "want"), FILTERS)
def test_a_filter_passes_what_fits_in_every_point(wanted: Filter, *, want: bool) -> None:
    assert wanted.passes(SILENT) is want


# The file


def test_records_are_on_file_at_once_and_read_back(path: Path) -> None:
    file = TraceFile(path)
    assert file.last == 0
    file.add(boot(1))
    file.add(SILENT)
    assert list(read_trace(path)) == [boot(1), SILENT]
    assert list(read_trace(path, Filter(verdict="silent"))) == [SILENT]
    file.close()
    file.close()
    again = TraceFile(path)
    assert again.last == 57
    again.add(boot(58))
    again.close()
    assert numbers(path) == [1, 57, 58]


@pytest.mark.parametrize("umask", [0, 0o277], ids=oct)
def test_the_file_is_0600_also_after_it_is_rotated(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        file = TraceFile(path, limit=1)
        for n in (1, 2):
            file.add(boot(n))
        file.close()
    finally:
        os.umask(before)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, rotated(path))] == [0o600, 0o600]


def test_a_file_that_is_open_to_others_is_refused(path: Path) -> None:
    TraceFile(path).close()
    path.chmod(0o640)
    with pytest.raises(StoreError, match="chmod 600"):
        TraceFile(path)


def test_a_full_file_is_rotated_once_and_stays_below_its_limit(path: Path) -> None:
    file = TraceFile(path, limit=1000)
    for n in range(1, 20):
        file.add(boot(n))
        assert path.stat().st_size <= 1000
    file.close()
    found = numbers(path)
    assert found == list(range(found[0], 20))
    assert 3 < len(found) < 10
    assert sorted(each.name for each in path.parent.iterdir()) == ["trace.ndjson", "trace.ndjson.1"]
    again = TraceFile(path)
    assert again.last == 19
    again.close()


def test_a_trace_deleted_while_it_is_written_begins_anew_when_it_is_rotated(path: Path) -> None:
    file = TraceFile(path, limit=1)
    file.add(boot(1))
    path.unlink()
    file.add(boot(2))
    assert numbers(path) == [2]
    file.close()


def test_half_a_last_line_is_left_out_and_cut_off_by_the_next_writer(path: Path) -> None:
    file = TraceFile(path)
    for n in (1, 2):
        file.add(boot(n))
    file.close()
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        want = [1] * (whole[:cut].count(b"\n"))
        assert numbers(path) == want
        again = TraceFile(path)
        assert again.last == len(want)
        again.add(boot(9))
        again.close()
        assert numbers(path) == [*want, 9]


FOREIGN = {
    "another file": b"my notes\n",
    "another schema": b'{"schema": "accessory-emu.trace/2", "n": 1}\n',
    "a bad last line": SILENT.line() + b"{}\n",
    "an endless last line": SILENT.line() + b"x" * 200_000,
}


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN)
def test_what_is_no_trace_is_never_written_to(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(StoreDamaged):
        TraceFile(path)
    assert path.read_bytes() == data
    with pytest.raises(StoreDamaged, match=r"trace.ndjson:\d: not a line of a trace"):
        numbers(path)


def test_a_record_that_does_not_fit_on_the_disk_leaves_no_part_of_itself(path: Path) -> None:
    file = TraceFile(path)
    file.add(boot(1))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            file.add(boot(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert numbers(path) == [1]
    file.add(boot(3))
    file.close()
    assert numbers(path) == [1, 3]


# Followers


def test_a_missing_trace_is_told_apart_from_an_empty_one(path: Path) -> None:
    with pytest.raises(StoreError, match="no trace"):
        numbers(path)
    assert list(TraceReader(path).poll()) == []
    TraceFile(path).close()
    assert numbers(path) == []
    with pytest.raises(StoreError, match="can't be read"):
        list(TraceReader(path.parent).poll())


def test_a_follower_gets_each_record_once_through_rotations(path: Path) -> None:
    follower = TraceReader(path)
    assert list(follower.poll()) == []
    file = TraceFile(path, limit=700)
    found: list[int] = []
    for n in range(1, 30):
        file.add(boot(n))
        if n % 2:
            found += [trace.n for trace in follower.poll()]
    assert found == list(range(1, 30))
    assert list(follower.poll()) == []
    follower.close()
    file.close()


def test_a_follower_waits_for_the_other_half_of_a_line(path: Path) -> None:
    line = SILENT.line()
    follower = TraceReader(path)
    with path.open("wb", buffering=0) as file:
        file.write(line[:30])
        assert list(follower.poll()) == []
        file.write(line[30:] + line[:5])
        assert list(follower.poll()) == [SILENT]
        file.write(line[5:])
        assert list(follower.poll()) == [SILENT]
    follower.close()
