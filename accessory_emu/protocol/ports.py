"""Clock, Random, Engine, and what crosses the wall: Delivery, Link, Parcel, Write, Event.

The pure rooms know the outside only through these names. Times are milliseconds since the Unix epoch, read
from a clock that never runs backwards and counts suspended time; `now` is always handed in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message that arrived: its topic, its bytes, and whether the MQTT broker had retained it."""

    topic: str
    payload: bytes
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """The connection came up (every subscription holds) or went down."""

    up: bool


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message that wants to leave: QoS 1, retained or not."""

    topic: str
    payload: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """One row to keep; `value` None deletes it.

    A durable row is on disk before anything that speaks of it leaves. The others are written behind,
    within a second.
    """

    key: str
    value: bytes | None
    durable: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """What the outside may like to know: a name and plain, secret-free values."""

    name: str
    fields: Mapping[str, object] = field(default_factory=dict)


class Random(Protocol):
    """Dice that are handed in."""

    def bytes(self, size: int) -> bytes:
        """Give `size` random bytes."""
        ...


class Clock(Protocol):
    """A clock that never runs backwards and counts suspended time."""

    def now(self) -> int:
        """Give the milliseconds since the Unix epoch."""
        ...


class Engine(Protocol):
    """The verbs of everything that is pumped: accessory, sequencer, owner, hub, member.

    A turn is: `receive`, `linked` or `tick`; then `writes` is committed; then `committed`; then `outbox`
    and `next_event` are emptied; then `filters` and `deadline` are read. Turns never overlap.
    """

    def receive(self, data: Delivery, now: int) -> None:
        """Take one delivery in."""
        ...

    def linked(self, link: Link, now: int) -> None:
        """Learn that the connection came up or went down."""
        ...

    def tick(self, now: int) -> None:
        """Do what the deadline asked for."""
        ...

    def writes(self) -> tuple[Write, ...]:
        """Hand over the rows of this turn; the durable ones must be on disk before `committed`."""
        ...

    def committed(self) -> None:
        """Learn that the rows are kept: only now does the new state hold."""
        ...

    def outbox(self) -> tuple[Parcel, ...]:
        """Hand over what is ready to leave; empty while durable writes are open."""
        ...

    def next_event(self) -> Event | None:
        """Hand over one event, oldest first; None when there is no more."""
        ...

    def filters(self) -> frozenset[str]:
        """Tell which topic filters to be subscribed to; a changed set is subscribed in the next turn."""
        ...

    def again(self) -> frozenset[str]:
        """Tell which of the filters to subscribe anew in this turn, so that retained messages come again."""
        ...

    def deadline(self) -> int | None:
        """Tell when `tick` is wanted (ms), or None."""
        ...
