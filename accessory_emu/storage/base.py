"""Store: rows by key, batches committed whole."""

from collections.abc import Sequence
from typing import Protocol

from accessory_emu.protocol.ports import Write


class StoreError(Exception):
    """The store failed, is damaged, foreign or locked; the text carries the cure."""


class StoreLocked(StoreError):
    """Another process holds this store."""


class StoreDamaged(StoreError):
    """The file is no store of ours, or does not read back; it is never treated as empty."""


class Store(Protocol):
    """Rows of bytes under text keys.

    A batch is kept whole or not at all. After a failed commit the store refuses everything: the process must
    stop (a failed sync is never tried again).
    """

    def load(self, prefix: str) -> dict[str, bytes]:
        """Read all rows whose key begins with `prefix`, keys whole."""
        ...

    async def commit(self, rows: Sequence[Write]) -> None:
        """Keep the rows; returns when they are on disk. Raises StoreError."""
        ...

    def behind(self, rows: Sequence[Write]) -> None:
        """Keep the rows within a second, the last value of a key winning, or with the next commit."""
        ...

    async def close(self) -> None:
        """Write what is behind, and let go of the lock."""
        ...
