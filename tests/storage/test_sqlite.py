"""The store on disk: permissions, lock, damage, failed syncs, kills, and what reads back."""

import asyncio
import contextlib
import functools
import os
import random  # noqa: TID251 - seeded, picks which bytes of a file to flip
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accessory_emu.protocol.ports import Write
from accessory_emu.storage.base import StoreDamaged, StoreError, StoreLocked
from accessory_emu.storage.sqlite import SqliteFile, SqliteStore

A, B = Write("a", b"1"), Write("b", b"2")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "emulator.sqlite"


@contextlib.contextmanager
def opened(path: Path, connect: Callable[..., sqlite3.Connection] = sqlite3.connect) -> Iterator[SqliteFile]:
    store = SqliteFile(path, connect)
    try:
        yield store
    finally:
        store.close()


def kept(path: Path) -> dict[str, bytes]:
    with opened(path) as store:
        return store.load("")


def filled(path: Path, rows: Sequence[Write] = (A, B)) -> None:
    with opened(path) as store:
        store.apply(rows)


# What reads back

row = st.builds(
    Write, st.text(max_size=4), st.none() | st.binary(max_size=8) | st.just(bytes(9000)), st.booleans()
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(row, max_size=6), max_size=6))
def test_any_batches_read_back_equal_after_each_reopening(tmp_path: Path, batches: list[list[Write]]) -> None:
    folder = tmp_path / "state"
    shutil.rmtree(folder, ignore_errors=True)
    want: dict[str, bytes] = {}
    for batch in batches:
        filled(folder / "store", batch)
        for each in batch:
            want.pop(each.key, None)
            if each.value is not None:
                want[each.key] = each.value
        assert kept(folder / "store") == want


KEYS = ["", "a", "a/", "a/1", "a/2", "a/\U0010ffff", "a0", "b/1", "ä", "\x00", "a\x00b"]


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/\U0010ffff", "b", "c", "\x00", "ä"])
def test_load_gives_exactly_the_rows_of_a_prefix_in_order(path: Path, prefix: str) -> None:
    filled(path, [Write(key, key.encode()) for key in KEYS])
    with opened(path) as store:
        assert list(store.load(prefix)) == sorted(key for key in KEYS if key.startswith(prefix))


def test_the_write_ahead_log_is_copied_into_the_file_before_it_grows(path: Path) -> None:
    with opened(path) as store:
        for _ in range(3):
            store.apply([Write(str(number), bytes(4096)) for number in range(500)])
        assert path.with_name("emulator.sqlite-wal").stat().st_size == 0
    assert len(kept(path)) == 500


# The writer thread


def test_commits_of_one_moment_share_a_sync_and_all_are_kept(path: Path) -> None:
    commits: list[str] = []

    class Counting(sqlite3.Connection):
        def execute(self, sql: str, *rest: object) -> sqlite3.Cursor:
            commits.extend([sql] * (sql == "COMMIT"))
            return super().execute(sql, *rest)  # type: ignore[arg-type] # handed on as they came

    async def scene() -> None:
        store = SqliteStore(path, functools.partial(sqlite3.connect, factory=Counting))
        commits.clear()
        await asyncio.gather(*(store.commit((Write(f"{number:03}", b"x"),)) for number in range(100)))
        assert len(commits) == 1
        await asyncio.gather(*(store.commit((Write(f"{number:03}", b"y"),)) for number in range(100)))
        assert len(commits) == 2
        await store.close()

    asyncio.run(scene())
    assert kept(path) == {f"{number:03}": b"y" for number in range(100)}


def test_rows_behind_are_read_at_once_and_kept_with_the_next_commit(path: Path) -> None:
    async def scene() -> None:
        store = SqliteStore(path)
        await store.commit((A, B))
        store.behind((Write("a", b"old"), Write("a", b"new"), Write("b", None)))
        assert store.load("") == {"a": b"new"}
        await store.commit((Write("c", b"3"),))
        with pytest.raises(StoreLocked):
            SqliteStore(path)
        await store.close()

    asyncio.run(scene())
    assert kept(path) == {"a": b"new", "c": b"3"}


def test_rows_behind_are_kept_at_close_and_by_themselves(path: Path) -> None:
    written = asyncio.Event()

    class Telling(sqlite3.Connection):
        def execute(self, sql: str, *rest: object) -> sqlite3.Cursor:
            answer = super().execute(sql, *rest)  # type: ignore[arg-type] # handed on as they came
            if sql == "COMMIT" and loops:
                loops[0].call_soon_threadsafe(written.set)
            return answer

    loops: list[asyncio.AbstractEventLoop] = []

    async def scene() -> None:
        store = SqliteStore(path, functools.partial(sqlite3.connect, factory=Telling))
        loops.append(asyncio.get_running_loop())
        store.behind((A,))
        await written.wait()  # nobody commits: the store's own timer writes
        store.behind((B,))
        await store.close()

    asyncio.run(scene())
    assert kept(path) == {"a": b"1", "b": b"2"}


def test_the_last_word_on_a_key_wins_between_commit_and_behind(path: Path) -> None:
    async def scene() -> None:
        store = SqliteStore(path)
        first = asyncio.ensure_future(store.commit((Write("a", b"1"), Write("b", b"1"))))
        await asyncio.wait([first], timeout=0)
        store.behind((Write("a", b"2"),))
        await store.commit((Write("b", b"2"),))
        await first
        await store.close()

    asyncio.run(scene())
    assert kept(path) == {"a": b"2", "b": b"2"}


def test_a_cancelled_commit_disturbs_no_other(path: Path) -> None:
    async def scene() -> None:
        store = SqliteStore(path)
        first, second = (asyncio.ensure_future(store.commit((row,))) for row in (A, B))
        await asyncio.wait([first, second], timeout=0)
        first.cancel()
        await second
        assert first.cancelled()
        await store.close()

    asyncio.run(scene())
    assert kept(path) == {"a": b"1", "b": b"2"}


# Failed syncs


class Failing(sqlite3.Connection):
    """A connection whose disk fails, at the statement that the test names."""

    at = ""

    def execute(self, sql: str, *rest: object) -> sqlite3.Cursor:
        """Fail once, as SQLite does after a failed sync."""
        if self.at and sql.startswith(self.at):
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *rest)  # type: ignore[arg-type] # handed on as they came


def failing(at: str) -> Callable[..., sqlite3.Connection]:
    """Give a `connect` whose connections fail at a statement, once the store is open."""
    return functools.partial(sqlite3.connect, factory=type("FailingThere", (Failing,), {"at": at}))


AFTER_FAILURE = {
    "load": lambda store: store.load(""),
    "commit": lambda store: asyncio.run(store.commit((B,))),
    "behind": lambda store: store.behind((B,)),
}


@pytest.mark.parametrize("call", AFTER_FAILURE.values(), ids=AFTER_FAILURE)
@pytest.mark.parametrize("at", ["BEGIN IMMEDIATE", "COMMIT"])
def test_after_a_failed_commit_the_store_refuses_everything(
    path: Path, at: str, call: Callable[[SqliteStore], object]
) -> None:
    filled(path, (A,))
    store = SqliteStore(path, failing(at))
    with pytest.raises(StoreError, match="disk I/O error"):
        asyncio.run(store.commit((Write("a", b"9"),)))
    with pytest.raises(StoreError, match="disk I/O error"):
        call(store)
    asyncio.run(store.close())
    assert kept(path) == {"a": b"1"}


def test_all_who_wait_for_a_failed_sync_learn_of_it(path: Path) -> None:
    filled(path, ())

    async def scene() -> None:
        store = SqliteStore(path, failing("COMMIT"))
        first = asyncio.ensure_future(store.commit((A,)))
        await asyncio.wait([first], timeout=0)
        answers = await asyncio.gather(first, store.commit((B,)), store.commit(()), return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreError] * 3
        await store.close()

    asyncio.run(scene())
    assert kept(path) == {}


def test_a_failed_sync_of_rows_behind_is_told_at_close(path: Path) -> None:
    filled(path, ())

    async def scene() -> None:
        store = SqliteStore(path, failing("COMMIT"))
        store.behind((A,))
        with pytest.raises(StoreError, match="disk I/O error"):
            await store.close()
        await store.close()

    asyncio.run(scene())
    assert kept(path) == {}


def test_a_failed_checkpoint_is_no_secret_and_loses_nothing(path: Path) -> None:
    filled(path, ())
    store = SqliteFile(path, failing("PRAGMA wal_checkpoint"))
    store.apply((A,))
    with pytest.raises(StoreError, match="disk I/O error"):
        store.apply([Write(str(number), bytes(9000)) for number in range(500)])
    with pytest.raises(StoreError, match="disk I/O error"):
        store.load("")
    store.close()
    store = SqliteFile(path, failing("PRAGMA wal_checkpoint"))
    with pytest.raises(StoreError, match="disk I/O error"):
        store.close()
    assert len(kept(path)) == 501


def test_an_open_store_syncs_fully_and_writes_ahead(path: Path) -> None:
    made: list[sqlite3.Connection] = []

    def connect(*args: object, **options: object) -> sqlite3.Connection:
        made.append(sqlite3.connect(*args, **options))  # type: ignore[arg-type] # handed on as they came
        return made[-1]

    with opened(path, connect):
        found = [made[-1].execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert found == ["wal", 2]


def test_a_setting_that_does_not_hold_is_refused(path: Path) -> None:
    class Deaf(sqlite3.Connection):
        def execute(self, sql: str, *rest: object) -> sqlite3.Cursor:
            sql = "PRAGMA synchronous = NORMAL" if sql == "PRAGMA synchronous = FULL" else sql
            return super().execute(sql, *rest)  # type: ignore[arg-type] # handed on as they came

    with pytest.raises(StoreError, match="synchronous = 1, not 2"):
        SqliteFile(path, functools.partial(sqlite3.connect, factory=Deaf))
    assert kept(path) == {}


@pytest.mark.parametrize("store", [SqliteFile, SqliteStore])
def test_a_closed_store_refuses_everything_and_closes_twice(
    path: Path, store: type[SqliteFile] | type[SqliteStore]
) -> None:
    one = store(path)
    for _ in range(2):
        closing = one.close()
        if closing is not None:
            asyncio.run(closing)
    with pytest.raises(StoreError, match="closed"):
        one.load("")


# Permissions and lock


@pytest.mark.parametrize("umask", [0, 0o022, 0o277], ids=oct)
def test_every_file_of_a_store_is_0600_in_0700(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        filled(path)
        with opened(path) as store:
            store.apply((A,))
            found = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    finally:
        os.umask(before)
    names = ["emulator.sqlite", "emulator.sqlite-wal", "emulator.sqlite.lock"]
    assert found == dict.fromkeys(names, 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("name", "wide", "cure"),
    [
        ("emulator.sqlite", 0o640, "chmod 600"),
        ("emulator.sqlite-wal", 0o604, "chmod 600"),
        ("emulator.sqlite.lock", 0o644, "chmod 600"),
        (".", 0o750, "chmod 700"),
    ],
)
def test_wider_permissions_are_refused_with_the_cure(path: Path, name: str, wide: int, cure: str) -> None:
    killed(path)
    place = path.parent / name
    narrow = stat.S_IMODE(place.stat().st_mode)
    place.chmod(wide)
    with pytest.raises(StoreError, match=f"{cure} {place.resolve()}"):
        SqliteFile(path)
    place.chmod(narrow)
    assert kept(path) == {"a": b"kept"}


HOLD = """
import sys
from pathlib import Path
from accessory_emu.protocol.ports import Write
from accessory_emu.storage.sqlite import SqliteFile
store = SqliteFile(Path(sys.argv[1]))
store.apply((Write("a", b"kept"),))
sys.stdout.write("kept\\n"); sys.stdout.flush()
sys.stdin.read()
"""


@contextlib.contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run another process that has committed a row and still holds the store."""
    command = [sys.executable, "-c", HOLD, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:  # noqa: S603 - our own words
        assert process.stdout
        assert process.stdout.readline() == b"kept\n"
        yield process
        process.kill()


def killed(path: Path) -> None:
    """Leave the store as a killed process leaves it."""
    with holder(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_a_kill_after_the_commit_keeps_the_row_and_frees_the_lock(path: Path) -> None:
    killed(path)
    assert path.with_name("emulator.sqlite-wal").stat().st_size > 0
    assert kept(path) == {"a": b"kept"}


def test_a_second_process_is_told_who_holds_the_store(path: Path) -> None:
    with holder(path):
        with pytest.raises(StoreLocked, match="another process"):
            SqliteFile(path)
        with pytest.raises(StoreLocked, match="another process"):
            SqliteStore(path)
    assert kept(path) == {"a": b"kept"}


def test_a_foreign_program_that_has_the_file_open_locks_it_too(path: Path) -> None:
    filled(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreLocked, match="another program"):
            SqliteFile(path)
    assert kept(path) == {"a": b"1", "b": b"2"}


# Foreign, damaged, cut short


def foreign(path: Path) -> None:
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE photos (name TEXT)")
    path.chmod(0o600)


def change(path: Path, *lines: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        for line in lines:
            other.execute(line)


WRONG = {
    "an empty file": (lambda path: path.write_bytes(b""), StoreDamaged, "is empty"),
    "a text file": (lambda path: path.write_bytes(b"not a database\n" * 999), StoreDamaged, "no store"),
    "half a file": (lambda path: path.write_bytes(path.read_bytes()[:5000]), StoreDamaged, "damaged"),
    "another program's database": (foreign, StoreDamaged, "belongs to another program"),
    "a newer schema": (lambda path: change(path, "PRAGMA user_version = 2"), StoreError, "schema 2"),
    "an older schema": (lambda path: change(path, "PRAGMA user_version = 0"), StoreError, "schema 0"),
    "no table": (lambda path: change(path, "DROP TABLE kept"), StoreDamaged, "no such table"),
    "a changed value": (
        lambda path: change(path, "UPDATE kept SET value = x'00'"), StoreDamaged, "read back"
    ),
    "a text as key": (
        lambda path: change(path, "UPDATE kept SET key = CAST(key AS TEXT)"), StoreDamaged, "read back"
    ),
    "a folder": (lambda path: (path.unlink(), path.mkdir(0o700)), StoreError, "no plain file"),
    "a gone file whose log is there": (
        lambda path: path.rename(path.with_name(path.name + "-wal")), StoreDamaged, "store is gone"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "kind", "text"), WRONG.values(), ids=WRONG)
def test_what_is_no_whole_store_of_ours_is_refused_and_left_alone(
    path: Path, spoil: Callable[[Path], object], kind: type[StoreError], text: str
) -> None:
    filled(path, [Write(f"{number:04}", bytes(40)) for number in range(999)])
    assert len(kept(path)) == 999
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=text) as caught:
        SqliteFile(path)
    assert type(caught.value) is kind
    assert (path.read_bytes() if path.is_file() else None) == before


def test_what_is_left_of_an_interrupted_making_is_made_anew(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.with_name("emulator.sqlite.new").write_bytes(b"half")
    filled(path)
    assert kept(path) == {"a": b"1", "b": b"2"}


def test_a_store_that_cannot_be_made_leaves_nothing_in_its_place(path: Path) -> None:
    with pytest.raises(StoreError, match="can't be made"):
        SqliteFile(path, failing("COMMIT"))
    assert not path.exists()
    filled(path)


def test_a_flipped_byte_is_refused_or_harmless_never_wrong_rows(path: Path) -> None:
    want = {f"a/{number}": bytes([number]) * 30 for number in range(60)}
    filled(path, [Write(key, value) for key, value in want.items()])
    whole = path.read_bytes()
    dice = random.Random(7)  # noqa: S311 - no secret
    refused = 0
    for place in [*range(100), *(dice.randrange(len(whole)) for _ in range(300))]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ dice.randrange(1, 256)]) + whole[place + 1 :])
        try:
            assert kept(path) == want, place
        except StoreError:
            refused += 1
    assert refused
