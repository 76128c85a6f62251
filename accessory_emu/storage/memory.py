"""A store that forgets at exit, and can be cut at any write."""

from collections.abc import Iterable, Sequence

from accessory_emu.protocol.ports import Write
from accessory_emu.storage.base import StoreError


class MemoryStore:
    """Rows in a dictionary, kept batch by batch, with the same promises as the store on disk.

    With `cut_at`, the power goes off right after the n-th row write, counted over all batches. A batch with
    rows still to write is lost whole; one whose last row was the n-th is kept, though nobody learns of it.
    Therefore the cuts 0, 1, ... up to the number of rows are all the states that a power cut can leave.
    From the cut on every call raises StoreError; `survivors` is what the next start finds.

    A batch takes the rows written behind with it, and they count as its first writes.
    """

    def __init__(self, cut_at: int | None = None) -> None:
        self._left = cut_at
        self._kept: dict[str, bytes] = {}
        self._late: dict[str, Write] = {}
        self._trouble = ""

    def load(self, prefix: str) -> dict[str, bytes]:
        """Read all rows whose key begins with `prefix`, keys whole and in order."""
        self._check()
        rows = dict(self._kept)
        _take(rows, self._late.values())
        return {key: rows[key] for key in sorted(rows) if key.startswith(prefix)}

    def apply(self, rows: Sequence[Write]) -> None:
        """Keep a batch at once: `commit` for callers without an event loop.

        Raises:
            StoreError: the power is cut, or the store is closed.
        """
        self._check()
        batch = (*self._late.values(), *rows)
        if self._left is not None:
            if len(batch) > self._left:
                raise self._cut()
            self._left -= len(batch)
        _take(self._kept, batch)
        self._late.clear()
        if batch and self._left == 0:
            raise self._cut()

    async def commit(self, rows: Sequence[Write]) -> None:
        """Keep the rows. Raises StoreError."""
        self.apply(rows)

    def behind(self, rows: Sequence[Write]) -> None:
        """Keep the rows with the next batch, the last value of a key winning; a cut loses them."""
        self._check()
        for row in rows:
            self._late.pop(row.key, None)
            self._late[row.key] = row

    def survivors(self, cut_at: int | None = None) -> "MemoryStore":
        """Give the store that the next start finds, which can be cut in its turn.

        Before any cut it is what a cut right now would leave: every batch, and nothing written behind.
        """
        found = MemoryStore(cut_at)
        found._kept = dict(self._kept)
        return found

    async def close(self) -> None:
        """Write what is behind; from now on the store refuses everything but `survivors` and `close`."""
        if not self._trouble:
            self.apply(())
            self._trouble = "the store is closed"

    def _check(self) -> None:
        if self._trouble:
            raise StoreError(self._trouble)

    def _cut(self) -> StoreError:
        self._trouble = "power cut"
        self._late.clear()
        return StoreError(self._trouble)


def _take(rows: dict[str, bytes], batch: Iterable[Write]) -> None:
    """Put the rows of a batch in, and take out those that it deletes."""
    for row in batch:
        if row.value is None:
            rows.pop(row.key, None)
        else:
            rows[row.key] = row.value
