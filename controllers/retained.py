"""A writer's watch over its own retained topics (AE-TOP-021).

It knows what should stand on each topic, sees what stands there, and says what to publish again: at a new
connection what was not seen, later what was overwritten, each topic at most once in 30 s.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from accessory_emu.protocol import limits
from accessory_emu.protocol.ports import Parcel

_ECHO_MS = 1_000  # an own message that is still on its way may explain what is seen


@dataclass(slots=True)
class Retained:
    """What one writer keeps retained."""

    _wanted: dict[str, bytes] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _wrong: dict[str, int] = field(default_factory=dict)  # topic -> when to publish it again (ms)
    _sent_at: dict[str, int] = field(default_factory=dict)

    def put(self, topic: str, payload: bytes, now: int) -> Parcel:
        """Set what stands on a topic; gives the parcel that puts it there."""
        self._wanted[topic] = payload
        return self._send(topic, now)

    def become(self, wanted: Mapping[str, bytes], besides: Collection[str], now: int) -> list[Parcel]:
        """Set what stands on all topics but those `besides`; gives what puts it there and clears the rest."""
        gone = [topic for topic in self._wanted if topic not in wanted and topic not in besides]
        new = [topic for topic in wanted if self._wanted.get(topic) != wanted[topic]]
        for topic in gone:
            for books in (self._wanted, self._wrong, self._sent_at):
                books.pop(topic, None)
        self._wanted |= wanted
        return [
            *(Parcel(topic, b"", retain=True) for topic in gone),
            *(self._send(topic, now) for topic in new),
        ]

    def connected(self) -> None:
        """Begin to look: nothing was seen on this connection."""
        self._seen.clear()
        self._wrong.clear()

    def saw(self, topic: str, payload: bytes, now: int) -> None:
        """Note what arrived on a topic."""
        wanted = self._wanted.get(topic)
        if wanted == payload:
            self._seen.add(topic)
            self._wrong.pop(topic, None)
        elif wanted is not None and topic not in self._wrong:
            last = self._sent_at.get(topic)
            soon = now + _ECHO_MS
            self._wrong[topic] = soon if last is None else max(soon, last + limits.REPUBLISH_GAP_MS)

    def unseen(self, now: int) -> list[Parcel]:
        """Publish again what the look at this connection did not find."""
        return [self._send(topic, now) for topic in self._wanted if topic not in self._seen]

    def overwritten(self, now: int) -> list[Parcel]:
        """Publish again what was overwritten and is due."""
        return [self._send(topic, now) for topic, due in list(self._wrong.items()) if now >= due]

    def deadline(self) -> int | None:
        """Tell when something is due (ms)."""
        return min(self._wrong.values(), default=None)

    def _send(self, topic: str, now: int) -> Parcel:
        self._wrong.pop(topic, None)
        self._sent_at[topic] = now
        return Parcel(topic, self._wanted[topic], retain=True)
