"""Pumps one engine: receive, commit, send, report; knows interfaces only."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from accessory_emu.protocol.ports import Clock, Delivery, Engine, Event, Link, Write
from accessory_emu.storage.base import Store
from accessory_emu.transports.base import Transport

_MS = 1000


class Report(Protocol):
    """Where an engine's events go."""

    def __call__(self, event: Event, now: int) -> None:
        """Take one event in."""
        ...


class Driver:
    """One engine between one transport and one store.

    Args:
        engine: what is pumped.
        transport: where its parcels go and its deliveries come from.
        store: where its rows are kept, under `prefix`.
        clock: what tells it the time.
        report: where its events go.

    A turn never begins before the one before has ended: its rows are on disk, its parcels handed over.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        transport: Transport,
        store: Store,
        prefix: str,
        clock: Clock,
        report: Report,
    ) -> None:
        self._engine, self._transport, self._store = engine, transport, store
        self._prefix, self._clock, self._report = prefix, clock, report
        self._listening: frozenset[str] = frozenset()
        self._turns = asyncio.Lock()
        self._woken = asyncio.Event()

    async def start(self) -> None:
        """Do the first turn: keep what a new engine has to keep, and subscribe."""
        async with self._turns:
            await self._settle()

    async def run(self) -> None:
        """Pump until the transport ends.

        Raises:
            StoreError: a commit failed; nothing of its turn has left, and the process must stop.
        """
        deliveries = self._transport.deliveries()
        arrival: asyncio.Task[Delivery | Link] = asyncio.ensure_future(_next(deliveries))
        woken = asyncio.ensure_future(self._woken.wait())
        try:
            while True:
                await asyncio.wait(
                    {arrival, woken}, timeout=self._patience(), return_when=asyncio.FIRST_COMPLETED
                )
                if woken.done():
                    self._woken.clear()
                    woken = asyncio.ensure_future(self._woken.wait())
                if arrival.done():
                    try:
                        item = arrival.result()
                    except StopAsyncIteration:
                        return
                    arrival = asyncio.ensure_future(_next(deliveries))
                    await self._take(item)
                elif self._patience() == 0:
                    await self.act(self._engine.tick)
        finally:
            for task in (arrival, woken):
                task.cancel()
            await asyncio.gather(arrival, woken, return_exceptions=True)

    async def act(self, verb: Callable[[int], None]) -> None:
        """Do a turn that no message caused: a tick, or what a person does to the device."""
        async with self._turns:
            verb(self._clock.now())
            await self._settle()
        self._woken.set()

    async def _take(self, item: Delivery | Link) -> None:
        async with self._turns:
            now = self._clock.now()
            if isinstance(item, Link):
                self._engine.linked(item, now)
            else:
                self._engine.receive(item, now)
            await self._settle()

    async def _settle(self) -> None:
        """Commit, then let parcels leave, then report, then listen to what is wanted now."""
        rows = self._engine.writes()
        durable = any(row.durable for row in rows)
        if rows:
            await self._keep(rows, durable=durable)
        self._engine.committed()
        for parcel in self._engine.outbox():
            await self._transport.send(parcel)
        now = self._clock.now()
        while (event := self._engine.next_event()) is not None:
            self._report(event, now)
        filters, again = self._engine.filters(), self._engine.again()
        if filters != self._listening or again:
            self._listening = filters
            await self._transport.listen(filters, again)

    async def _keep(self, rows: Sequence[Write], *, durable: bool) -> None:
        named = [Write(self._prefix + row.key, row.value, row.durable) for row in rows]
        if durable:
            await self._store.commit(named)
        else:
            self._store.behind(named)

    def _patience(self) -> float | None:
        """Tell how long to wait for a delivery, in seconds; 0 when the deadline has passed."""
        deadline = self._engine.deadline()
        return None if deadline is None else max(0, deadline - self._clock.now()) / _MS


async def _next(deliveries: AsyncIterator[Delivery | Link]) -> Delivery | Link:
    return await anext(deliveries)
