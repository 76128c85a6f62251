"""One private file, one connection, one writer thread; WAL, synchronous=FULL, group commit.

`SqliteFile` is the file itself, for callers that may wait: small commands, tests. `SqliteStore` is the same
file behind one writer thread, so that a sync never holds up the event loop: while one batch is being synced
the next one gathers, and all who wait for it share its sync.
"""

import asyncio
import fcntl
import os
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeAlias

from accessory_emu.protocol.ports import Write
from accessory_emu.storage.base import StoreDamaged, StoreError, StoreLocked
from accessory_emu.storage.private import FILE_MODE, open_private, private_folder, refuse_wider

Connect: TypeAlias = Callable[..., sqlite3.Connection]

APPLICATION_ID: Final = 0x41454D55  # "AEMU": tells our files from those of other programs
SCHEMA: Final = 1
BEHIND_S: Final = 0.5  # rows written behind start their way to the disk: half of the second they may take
CHECKPOINT_PAGES: Final = 1000  # about 4 MiB of write-ahead log, then it is copied into the file

_SETTINGS: Final = (  # set, then read back: (pragma, value, answer)
    ("locking_mode", "EXCLUSIVE", "exclusive"),
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),  # NORMAL loses acknowledged rows in a power cut
    ("fullfsync", "ON", 1),  # macOS: fsync alone leaves the rows in the drive's cache
    ("wal_autocheckpoint", "0", 0),  # SQLite ignores a failed sync there; ours does not
    ("trusted_schema", "OFF", 0),
)
_MAKE: Final = (
    "PRAGMA synchronous = FULL",
    "BEGIN",
    # the mark is a checksum of key and value: SQLite itself does not notice a flipped bit inside a row
    "CREATE TABLE kept (key BLOB PRIMARY KEY, value BLOB NOT NULL, mark INTEGER NOT NULL) WITHOUT ROWID",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA}",
    "COMMIT",
)
_ROWS: Final = (  # cast, so that a row of another kind is read too, and found out
    "SELECT typeof(key) = 'blob' AND typeof(value) = 'blob',"
    " CAST(key AS BLOB), CAST(value AS BLOB), CAST(mark AS INTEGER) FROM kept"
)
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DISK: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN})
_PAGE: Final = 4096
_CURE: Final = "cure: move it away and start anew, which is a factory reset"


class SqliteFile:
    """A store in one file, for callers that may wait for the disk.

    It is refused unless the folder is 0700 and the file 0600, unless it is ours, whole and of our schema, and
    while another process holds it. A missing file is made; an empty or damaged one is never taken for that.
    `connect` opens the connection, and is handed in by tests of failing disks.
    """

    def __init__(self, path: Path, connect: Connect = sqlite3.connect) -> None:
        """Open or make the file.

        Raises:
            StoreLocked: another process holds it.
            StoreDamaged: it is foreign, damaged or cut short.
            StoreError: it is open to others, of a newer schema, or can't be opened.
        """
        self._path = path.absolute()
        self._connect = connect
        self._turn = threading.Lock()
        self._trouble = ""
        self._pages = 0
        private_folder(self._path.parent)
        self._lock = self._take_lock()
        try:
            self._make_missing()
            self._db = self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def load(self, prefix: str) -> dict[str, bytes]:
        """Read all rows whose key begins with `prefix`, keys whole and in order. Raises StoreError."""
        low = prefix.encode()
        with self._turn:
            self._check()
            try:
                # no UTF-8 text holds the byte 0xff, so this bound is above every key with the prefix
                found = self._db.execute(
                    "SELECT key, value FROM kept WHERE key >= ? AND key < ? ORDER BY key",
                    (low, low + b"\xff"),
                ).fetchall()
            except sqlite3.Error as error:
                raise self._fail(error) from error
        return {key.decode(): value for key, value in found}

    def apply(self, rows: Sequence[Write]) -> None:
        """Keep the rows, all or none; returns when they are on disk.

        Raises:
            StoreError: they may not be. From now on everything is refused: no failed sync is tried again.
        """
        last = {row.key: row for row in rows}
        gone = [(row.key.encode(),) for row in last.values() if row.value is None]
        kept = [_marked(row.key.encode(), row.value) for row in last.values() if row.value is not None]
        with self._turn:
            self._check()
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany("DELETE FROM kept WHERE key = ?", gone)
                self._db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", kept)
                self._db.execute("COMMIT")
                self._pages += 1 + 2 * len(gone) + sum(2 + len(value) // _PAGE for _, value, _ in kept)
                if self._pages >= CHECKPOINT_PAGES:
                    self._checkpoint()
            except sqlite3.Error as error:
                raise self._fail(error) from error

    def close(self) -> None:
        """Let go of the file; closing twice is harmless.

        Raises:
            StoreError: the last sync failed. The file is let go of all the same, and no kept row is lost.
        """
        with self._turn:
            if self._lock < 0:
                return
            try:
                if not self._trouble:
                    self._checkpoint()
            except sqlite3.Error as error:
                raise self._fail(error) from error
            finally:
                self._trouble = self._trouble or f"{self._path}: the store is closed"
                self._db.close()
                os.close(self._lock)
                self._lock = -1

    def _take_lock(self) -> int:
        """Hold `<file>.lock`: SQLite's own locks vanish when the process opens and closes the file again."""
        lock = open_private(self._beside(".lock"), os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise StoreLocked(
                f"{self._path}: another process holds this store; cure: stop it, or use another folder"
            ) from error
        return lock

    def _make_missing(self) -> None:
        """Make the store beside its place and move it there whole, so that no cut leaves half of one."""
        if os.path.lexists(self._path):
            return
        if os.path.lexists(self._beside("-wal")):
            raise StoreDamaged(f"{self._path}: the store is gone, but not its write-ahead log; {_CURE}")
        new = self._beside(".new")
        try:
            for rest in (new, self._beside(".new-journal")):
                rest.unlink(missing_ok=True)
            os.close(open_private(new, os.O_CREAT | os.O_EXCL | os.O_RDWR))
            db = self._connect(f"{new.as_uri()}?mode=rw", uri=True, isolation_level=None)
            try:
                for line in _MAKE:
                    db.execute(line)
            finally:
                db.close()
            new.rename(self._path)
            _sync_folder(self._path.parent)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self._path}: can't be made: {error}") from error

    def _open(self) -> sqlite3.Connection:
        refuse_wider(self._path, FILE_MODE)  # looked at, not opened: closing it would drop SQLite's locks
        if self._beside("-wal").exists():
            refuse_wider(self._beside("-wal"), FILE_MODE)
        try:
            db = self._connect(
                f"{self._path.as_uri()}?mode=rw",
                uri=True,
                timeout=0,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise self._refuse(error) from error
        try:
            # before the first read: keeps other programs out (the shell `sqlite3`), without shared memory
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._identify(db)
            self._set_up(db)
            self._read_through(db)
        except sqlite3.Error as error:
            db.close()
            raise self._refuse(error) from error
        except BaseException:
            db.close()
            raise
        return db

    def _identify(self, db: sqlite3.Connection) -> None:
        """Refuse what is not ours, before anything is written to it."""
        if self._path.stat().st_size == 0:
            raise StoreDamaged(f"{self._path}: the file is empty, which a store never is; {_CURE}")
        if _ask(db, "application_id") != APPLICATION_ID:
            raise StoreDamaged(f"{self._path}: the file belongs to another program; cure: use another path")
        if (schema := _ask(db, "user_version")) != SCHEMA:
            raise StoreError(
                f"{self._path}: written with schema {schema}, and this version reads {SCHEMA};"
                " cure: use the version of accessory-emu that wrote it"
            )

    def _set_up(self, db: sqlite3.Connection) -> None:
        for name, value, answer in _SETTINGS:
            db.execute(f"PRAGMA {name} = {value}")
            if (got := _ask(db, name)) != answer:
                raise StoreError(f"{self._path}: SQLite answers {name} = {got}, not {answer}")

    def _read_through(self, db: sqlite3.Connection) -> None:
        """Read every row once: a store that is damaged somewhere is not used at all."""
        if _ask(db, "quick_check") != "ok":
            raise StoreDamaged(f"{self._path}: the file is damaged; {_CURE}")
        for blobs, key, value, mark in db.execute(_ROWS):
            if not blobs or _mark(key, value) != mark:
                raise StoreDamaged(f"{self._path}: a row does not read back; {_CURE}")

    def _checkpoint(self) -> None:
        """Copy the write-ahead log into the file."""
        busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise sqlite3.OperationalError("the write-ahead log is in use")
        self._pages = 0

    def _beside(self, ending: str) -> Path:
        return self._path.with_name(self._path.name + ending)

    def _check(self) -> None:
        if self._trouble:
            raise StoreError(self._trouble)

    def _fail(self, error: sqlite3.Error) -> StoreError:
        """Close the door: after this error nothing is read or written any more."""
        self._trouble = f"{self._path}: {error}; nothing more is kept; cure: look at the disk, start again"
        return StoreError(self._trouble)

    def _refuse(self, error: sqlite3.Error) -> StoreError:
        """Give what went wrong while opening its class."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte tells the kind
        if code in _BUSY:
            return StoreLocked(f"{self._path}: another program has this file open; cure: close it there")
        if code in _DISK:
            return StoreError(f"{self._path}: can't be opened: {error}; cure: look at the disk")
        return StoreDamaged(f"{self._path}: the file is no store, or damaged ({error}); {_CURE}")


class SqliteStore:
    """The same file for the event loop: `commit` waits for its sync while other tasks go on.

    Reads and bookkeeping happen on the loop's thread, writes and syncs on one writer thread. Batches that
    wait together are written together, the last value of a key winning; each is kept whole or not at all.
    `commit`, `behind` and `close` are called on one and the same running event loop.
    """

    def __init__(self, path: Path, connect: Connect = sqlite3.connect) -> None:
        """Open or make the file; raises as `SqliteFile` does."""
        self._file = SqliteFile(path, connect)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._pending: dict[str, Write] = {}  # for the next write
        self._writing: dict[str, Write] = {}  # on the writer thread now
        self._round: asyncio.Future[None] | None = None  # ends with the next write
        self._writer: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._trouble = ""

    def load(self, prefix: str) -> dict[str, bytes]:
        """Read all rows whose key begins with `prefix`, those on their way to the disk included."""
        self._check()
        rows = self._file.load(prefix)
        for row in (*self._writing.values(), *self._pending.values()):
            if row.value is None:
                rows.pop(row.key, None)
            elif row.key.startswith(prefix):
                rows[row.key] = row.value
        return dict(sorted(rows.items()))

    async def commit(self, rows: Sequence[Write]) -> None:
        """Keep the rows and what is behind; returns when they are on disk.

        Raises:
            StoreError: they may not be; the process must stop.
        """
        self._gather(rows)
        await asyncio.shield(self._next_round())
        self._check()

    def behind(self, rows: Sequence[Write]) -> None:
        """Keep the rows within a second, the last value of a key winning, or with the next commit."""
        self._gather(rows)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BEHIND_S, self._next_round)

    async def close(self) -> None:
        """Write what is behind, and let go of the file.

        Raises:
            StoreError: the last rows may not be on disk.
        """
        try:
            if not self._trouble and (self._pending or self._writing):
                await self.commit(())
        finally:
            self._stop_timer()
            self._trouble = self._trouble or "the store is closed"
            await asyncio.to_thread(self._file.close)
            self._thread.shutdown(wait=False)

    def _gather(self, rows: Iterable[Write]) -> None:
        self._check()
        for row in rows:
            self._pending[row.key] = row

    def _next_round(self) -> asyncio.Future[None]:
        """Give the future of the next write, and see to it that there is one."""
        self._stop_timer()
        loop = asyncio.get_running_loop()
        if self._round is None:
            self._round = loop.create_future()
        if self._writer is None:
            self._writer = loop.create_task(self._write())
        return self._round

    async def _write(self) -> None:
        """Write round after round, until nobody waits."""
        try:
            while self._round is not None:
                ended, self._round = self._round, None
                try:
                    if not self._trouble:
                        await self._write_pending()
                finally:
                    ended.set_result(None)  # those who wait look at the trouble themselves
        finally:
            self._writer = None

    async def _write_pending(self) -> None:
        self._writing, self._pending = self._pending, {}
        rows = tuple(self._writing.values())
        trouble = "the write was broken off"
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._file.apply, rows)
            trouble = ""
            self._writing = {}
        except StoreError as error:
            trouble = str(error)
        finally:
            self._trouble = trouble

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        if self._trouble:
            raise StoreError(self._trouble)


def _ask(db: sqlite3.Connection, pragma: str) -> object:
    return db.execute(f"PRAGMA {pragma}").fetchone()[0]


def _mark(key: bytes, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(key))


def _marked(key: bytes, value: bytes) -> tuple[bytes, bytes, int]:
    return key, value, _mark(key, value)


def _sync_folder(folder: Path) -> None:
    """Make a rename last: only the folder's own sync keeps it through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
