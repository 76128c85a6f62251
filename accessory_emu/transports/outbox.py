"""Outbox: parcels on their way over a wire, until they are acknowledged, repeated once, or given up."""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass
from typing import Protocol

from accessory_emu.protocol.ports import Parcel
from accessory_emu.transports import bounds
from accessory_emu.transports.wire import Wire


class Sender(Protocol):
    """Whose parcels these are: it learns what became of each."""

    def done(self, *, sent: bool) -> None:
        """Learn that a parcel is acknowledged or given up."""
        ...


@dataclass(slots=True)
class _Posted:
    """A parcel and how often it was published; `due` is when that is done again (loop's time)."""

    sender: Sender
    parcel: Parcel
    tries: int = 0
    due: float = 0.0


class Outbox:
    """At most a window of parcels is without acknowledgement; the others wait in order.

    A parcel that is not acknowledged within `ack_within_s` is published once more (a duplicate is harmless,
    AE-MQ-002); after as long again it is given up. When the whole window is given up, the connection is
    stuck.
    """

    def __init__(self, counters: Counter[str], ack_within_s: float) -> None:
        self._ack_within_s = ack_within_s
        self._counters = counters
        self._wire: Wire | None = None
        self._waiting: deque[_Posted] = deque()
        self._pending: dict[int, _Posted] = {}  # by packet id, the earliest due first
        self._given_up: set[int] = set()  # packet ids that the broker still holds
        self._timer: asyncio.TimerHandle | None = None
        self._stuck = asyncio.Event()

    def open(self, wire: Wire) -> None:
        """Take parcels for a new connection."""
        self._wire = wire
        self._given_up.clear()
        self._stuck.clear()

    def close(self) -> None:
        """The connection is gone: every parcel is lost."""
        self._wire = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lost = [*self._pending.values(), *self._waiting]
        self._pending.clear()
        self._waiting.clear()
        for posted in lost:
            posted.sender.done(sent=False)

    async def stuck(self) -> None:
        """Wait until the broker has left a whole window without acknowledgement."""
        await self._stuck.wait()

    def post(self, sender: Sender, parcel: Parcel) -> None:
        """Publish now, or behind those that wait."""
        if len(self._waiting) >= bounds.WINDOW:
            sender.done(sent=False)
            return
        self._waiting.append(_Posted(sender, parcel))
        self._pump()

    def acknowledged(self, packet_id: int, *, refused: bool) -> None:
        """Forget a parcel that the broker has, or does not want."""
        self._given_up.discard(packet_id)
        posted = self._pending.pop(packet_id, None)
        if posted is not None:
            self._counters["refused_parcels"] += refused
            posted.sender.done(sent=not refused)
        self._pump()

    def _pump(self) -> None:
        while self._waiting and self._wire is not None and self._open_ids() < self._wire.window:
            self._publish(self._wire, self._waiting.popleft())

    def _open_ids(self) -> int:
        return len(self._pending) + len(self._given_up)

    def _publish(self, wire: Wire, posted: _Posted) -> None:
        loop = asyncio.get_running_loop()
        packet_id = wire.publish(posted.parcel)
        if packet_id is None:
            posted.sender.done(sent=False)
            return
        posted.tries += 1
        posted.due = loop.time() + self._ack_within_s
        self._pending[packet_id] = posted
        if self._timer is None:
            self._timer = loop.call_at(posted.due, self._sweep)

    def _sweep(self) -> None:
        """Repeat or give up what is due."""
        loop = asyncio.get_running_loop()
        self._timer = None
        again: list[_Posted] = []
        for packet_id, posted in tuple(self._pending.items()):
            if posted.due > loop.time():
                self._timer = loop.call_at(posted.due, self._sweep)
                break
            del self._pending[packet_id]
            self._given_up.add(packet_id)
            if posted.tries < bounds.TRIES:
                again.append(posted)
            else:
                self._counters["unacknowledged"] += 1
                posted.sender.done(sent=False)
        self._counters["repeated"] += len(again)
        self._waiting.extendleft(reversed(again))
        self._pump()
        if self._wire is not None and len(self._given_up) >= self._wire.window:
            self._stuck.set()
