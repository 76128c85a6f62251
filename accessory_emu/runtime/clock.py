"""The real clock and dice, and the seeded ones: the only door to time and chance."""

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Final

_NS_PER_MS: Final = 1_000_000


def elapsed_ns() -> int:
    """Give nanoseconds that never run backwards; where the system can tell, suspended time counts."""
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):  # Linux, macOS: these two count suspended time
        if (clock := getattr(time, name, None)) is not None:
            return time.clock_gettime_ns(clock)
    return time.monotonic_ns()


class SystemClock:
    """Milliseconds since the Unix epoch: the wall's time at the start, and from there what has passed.

    It never runs backwards: when somebody sets the wall's time later, this clock does not follow. Tests hand
    in their own sources of nanoseconds.
    """

    def __init__(
        self, wall: Callable[[], int] = time.time_ns, elapsed: Callable[[], int] = elapsed_ns
    ) -> None:
        self._elapsed = elapsed
        self._ahead = wall() - elapsed()
        self._last = 0

    def now(self) -> int:
        """Give the milliseconds since the Unix epoch."""
        self._last = max(self._last, (self._ahead + self._elapsed()) // _NS_PER_MS)
        return self._last


class ManualClock:
    """A clock that stands still until it is advanced."""

    def __init__(self, start: int = 0) -> None:
        self._now = start

    def now(self) -> int:
        """Give the milliseconds since the Unix epoch."""
        return self._now

    def advance(self, ms: int) -> int:
        """Move on, and give the new time.

        Raises:
            ValueError: it would run backwards.
        """
        if ms < 0:
            raise ValueError("a clock never runs backwards")
        self._now += ms
        return self._now


class SystemRandom:
    """The dice of the operating system."""

    def bytes(self, size: int) -> bytes:
        """Give `size` random bytes."""
        return secrets.token_bytes(size)


class SeededRandom:
    """Dice that fall the same way for the same seed, in every process and on every machine.

    A stream of SHA-256 over the seed's key and a counter. For tests and demonstrations: whoever knows the
    seed knows every key that was rolled.
    """

    def __init__(self, seed: int) -> None:
        self._key = hashlib.sha256(b"accessory-emu seed %d" % seed).digest()
        self._count = 0

    def bytes(self, size: int) -> bytes:
        """Give the next `size` bytes of the stream.

        Raises:
            ValueError: `size` is negative.
        """
        if size < 0:
            raise ValueError("a number of bytes is not negative")
        found = bytearray()
        while len(found) < size:
            found += hashlib.sha256(self._key + self._count.to_bytes(8, "big")).digest()
            self._count += 1
        return bytes(found[:size])

    def child(self, label: str) -> "SeededRandom":
        """Give an independent stream: the same for a label, however much this one was used before."""
        other = SeededRandom(0)
        other._key = hashlib.sha256(self._key + b"child" + label.encode()).digest()
        return other
