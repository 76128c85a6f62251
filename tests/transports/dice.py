"""Seeded dice for the tests of the transports."""

import hashlib


class SeededDice:
    """The same seed gives the same bytes."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self.rolled = 0

    def bytes(self, size: int) -> bytes:
        """Give `size` bytes."""
        self.rolled += 1
        return hashlib.shake_256(f"{self._seed}/{self.rolled}".encode()).digest(size)
