"""Pumps actors over one transport; a call returns when the answer is in.

The only module of this package that does I/O. Several actors share one connection and one store, each with
its own key prefix; they meet on the wire like strangers.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TypeVar

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Value
from accessory_emu.protocol.identifiers import AccessoryId
from accessory_emu.protocol.messages import Op
from accessory_emu.protocol.ports import Clock, Delivery, Engine, Event, Link, Write
from accessory_emu.storage.base import Store, StoreError
from accessory_emu.transports.base import Transport
from accessory_emu.transports.topic_filters import matches
from controllers.attempt import Act, Manner, NotSent, Outcome
from controllers.errors import Code
from controllers.member import Member
from controllers.owner import Owner
from controllers.pairing_flow import Pairing
from controllers.results import Change, ChangeState

_MS = 1000
_USUAL = Manner()
T = TypeVar("T")


class Report(Protocol):
    """Where the actors' events go; `prefix` says whose it is."""

    def __call__(self, prefix: str, event: Event, now: int) -> None:
        """Take one event in."""
        ...


class Answering(Protocol):
    """A sequencer, as far as a client looks at it: how many questions it has answered."""

    answered: int


@dataclass(eq=False, slots=True)
class _Seat:
    """One actor with its prefix, and what it listens to."""

    prefix: str
    actor: Engine
    filters: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class _Waiter:
    met: Callable[[], bool]
    future: asyncio.Future[bool]


def _ignore(prefix: str, event: Event, now: int) -> None:
    """Let an event go."""


class Client:
    """One connection and the actors on it; an asynchronous context.

    Args:
        transport: the connection; closed with the client.
        store: where the actors' rows are kept; it belongs to the caller, who closes it.
        clock: what tells the actors the time.
        report: where their events go.

    A turn of an actor never begins before the turn before it has ended: its rows are on disk, its parcels
    handed over. When a commit fails, nothing of its turn leaves, and every call raises StoreError from then
    on. A caller that is cancelled leaves its turn whole.
    """

    def __init__(self, *, transport: Transport, store: Store, clock: Clock, report: Report = _ignore) -> None:
        self._transport, self._store, self._clock, self._report = transport, store, clock, report
        self._seats: list[_Seat] = []
        self._listening: frozenset[str] = frozenset()
        self._turns = asyncio.Lock()
        self._woken = asyncio.Event()
        self._waiters: list[_Waiter] = []
        self._up = False
        self._pump: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    # life

    async def __aenter__(self) -> Self:
        self._pump = asyncio.create_task(self._run(), name="controllers.client")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop pumping and disconnect; who still waits gets StoreError."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
            self._pump = None
        self._fail(StoreError("it was closed"))
        await self._transport.close()

    async def add(self, prefix: str, actor: Engine) -> None:
        """Let an actor take part, with its rows under `prefix`.

        Raises:
            StoreError: its first rows cannot be kept.
        """
        await asyncio.shield(self._add(_Seat(prefix, actor)))

    # verbs

    async def act(self, actor: Engine, verb: Callable[[int], T]) -> T:
        """Let an actor do something now, and give what it gives.

        Raises:
            StoreError: its rows cannot be kept.
        """
        seat = next(each for each in self._seats if each.actor is actor)
        return await asyncio.shield(self._act(seat, verb))

    async def until(self, met: Callable[[], bool], within: int | None = None) -> bool:
        """Wait until a condition on the actors holds, for at most `within` ms; tells whether it does.

        Raises:
            StoreError: the client has come to an end.
        """
        self._check()
        if met():
            return True
        waiter = _Waiter(met, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(None if within is None else within / _MS):
                return await waiter.future
        except TimeoutError:
            return met()
        finally:
            self._waiters.remove(waiter)

    async def ready(self, member: Member, within: int) -> bool:
        """Wait until a member knows its home up to the newest head that it has heard of."""
        view = member.view
        return view is not None and await self.until(lambda: member.up and not view.behind(), within)

    async def command(
        self,
        member: Member,
        accessory: AccessoryId,
        op: Op,
        args: Sequence[Value] = (),
        manner: Manner = _USUAL,
    ) -> Act:
        """Send a command and wait for its outcome; every attempt's bytes are in `sent`."""
        act = await self.act(member, lambda now: member.command(accessory, op, now, args, manner))
        await self.until(lambda: act.done)
        return act

    async def send(
        self,
        member: Member,
        accessory: AccessoryId,
        items: Sequence[tuple[int, int, Value]],
        manner: Manner = _USUAL,
    ) -> Outcome:
        """Write values, (aid, iid, value) each."""
        act = await self.act(member, lambda now: member.write(accessory, items, now, manner))
        return await self._outcome(act)

    async def read(
        self,
        member: Member,
        accessory: AccessoryId,
        items: Sequence[tuple[int, int]],
        manner: Manner = _USUAL,
    ) -> Outcome:
        """Read values, (aid, iid) each."""
        act = await self.act(member, lambda now: member.read(accessory, items, now, manner))
        return await self._outcome(act)

    async def change(self, member: Member, verb: Callable[[int], Change], wait: int = 0) -> Change:
        """Ask for a change, wait for the sequencer's word, then up to `wait` ms for reachable accessories.

        `verb` is one of the member's, for example `lambda now: owner.remove_user(root, now)`.

        Raises:
            ControllerError: as the verb says; nothing was sent.
        """
        change = await self.act(member, verb)
        await self.until(lambda: change.done)
        if change.state is ChangeState.COMMITTED and wait:
            await self.until(lambda: not _waits_for(change, member), wait)
        return change

    async def pair(
        self, owner: Owner, accessory: AccessoryId, code: str, replaces: AccessoryId | None = None
    ) -> Pairing:
        """Bring an accessory into the home; `failure` says why where it did not come.

        Raises:
            BadSetupCode, ControllerError: nothing was sent.
        """
        pairing = await self.act(owner, lambda now: owner.pair(accessory, code, now, replaces))
        await self.until(lambda: pairing.done)
        return pairing

    async def release(self, owner: Owner, accessory: AccessoryId) -> tuple[Outcome, Change]:
        """Let an accessory leave the home: the command resets it, the request ends its enrolment."""
        outcome = await self._outcome(await self.command(owner, accessory, Op.RELEASE))
        return outcome, await self.change(owner, lambda now: owner.end_enrolment(accessory, now))

    async def settle(
        self, member: Member, within: int = limits.ANSWER_WAIT_MS, sequencer: Answering | None = None
    ) -> bool:
        """Wait until all reachable accessories have acknowledged the head, for at most `within` ms.

        With the sequencer that is on this client too, stay until it has no more questions to answer: an
        accessory that hears a head while it is not in sync asks at once.
        """
        end = self._clock.now() + within
        while (left := end - self._clock.now()) > 0 and await self.until(lambda: _settled(member), left):
            if sequencer is None:
                return True
            answered = sequencer.answered
            if not await self.until(_more(sequencer, answered), min(left, limits.QUIET_MS)):
                return True
        return _settled(member)

    # inside

    async def _add(self, seat: _Seat) -> None:
        async with self._turns:
            self._seats.append(seat)
            await self._turn(seat)
            if self._up:
                seat.actor.linked(Link(up=True), self._clock.now())
                await self._turn(seat)
        self._woken.set()

    async def _act(self, seat: _Seat, verb: Callable[[int], T]) -> T:
        async with self._turns:
            self._check()
            result = verb(self._clock.now())
            await self._turn(seat)
        self._woken.set()
        return result

    async def _outcome(self, act: Act) -> Outcome:
        await self.until(lambda: act.done)
        return act.outcome or NotSent(Code.ACCESSORY_NOT_REACHABLE)

    def _check(self) -> None:
        if self._failure is not None:
            raise StoreError(f"the client has come to an end: {self._failure}") from self._failure

    async def _run(self) -> None:
        """Pump until the transport ends or a commit fails."""
        try:
            await self._pump_all()
        except Exception as error:
            self._fail(error)
            raise
        self._fail(StoreError("the transport has ended"))

    async def _pump_all(self) -> None:
        deliveries = self._transport.deliveries()
        arrival = asyncio.ensure_future(_next(deliveries))
        woken = asyncio.ensure_future(self._woken.wait())
        try:
            while True:
                both = {arrival, woken}
                await asyncio.wait(both, timeout=self._patience(), return_when=asyncio.FIRST_COMPLETED)
                if woken.done():
                    self._woken.clear()
                    woken = asyncio.ensure_future(self._woken.wait())
                if arrival.done():
                    item = arrival.result()
                    if item is None:
                        return
                    arrival = asyncio.ensure_future(_next(deliveries))
                    await self._take(item)
                await self._tick()
        finally:
            for task in (arrival, woken):
                task.cancel()
            await asyncio.gather(arrival, woken, return_exceptions=True)

    async def _take(self, item: Delivery | Link) -> None:
        async with self._turns:
            for seat in list(self._seats):
                now = self._clock.now()
                if isinstance(item, Link):
                    self._up = item.up
                    seat.actor.linked(item, now)
                elif any(matches(each, item.topic) for each in seat.filters):
                    seat.actor.receive(item, now)
                else:
                    continue
                await self._turn(seat)

    async def _tick(self) -> None:
        async with self._turns:
            for seat in list(self._seats):
                deadline, now = seat.actor.deadline(), self._clock.now()
                if deadline is not None and now >= deadline:
                    seat.actor.tick(now)
                    await self._turn(seat)

    async def _turn(self, seat: _Seat) -> None:
        """Commit, let parcels leave, report, listen to what is wanted now, and wake who has waited for it."""
        self._check()
        try:
            await self._keep(seat, seat.actor.writes())
        except StoreError as error:
            self._fail(error)
            raise
        seat.actor.committed()
        for parcel in seat.actor.outbox():
            await self._transport.send(parcel)
        while (event := seat.actor.next_event()) is not None:
            self._report(seat.prefix, event, self._clock.now())
        await self._listen(seat)
        for waiter in self._waiters:
            if not waiter.future.done() and waiter.met():
                waiter.future.set_result(True)

    async def _keep(self, seat: _Seat, rows: Sequence[Write]) -> None:
        named = [Write(seat.prefix + row.key, row.value, row.durable) for row in rows]
        if any(row.durable for row in named):
            await self._store.commit(named)
        elif named:
            self._store.behind(named)

    async def _listen(self, seat: _Seat) -> None:
        """Subscribe to what all actors want; what is new to this one brings its retained messages."""
        filters = seat.actor.filters()
        again = seat.actor.again() | ((filters - seat.filters) & self._listening)
        seat.filters = filters
        wanted = frozenset[str]().union(*(each.filters for each in self._seats))
        if wanted != self._listening or again:
            self._listening = wanted
            await self._transport.listen(wanted, again)

    def _patience(self) -> float | None:
        """Tell how long to wait for a delivery, in seconds."""
        deadlines = [each.actor.deadline() for each in self._seats]
        nearest = min((each for each in deadlines if each is not None), default=None)
        return None if nearest is None else max(0, nearest - self._clock.now()) / _MS

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        for waiter in self._waiters:
            if not waiter.future.done():
                waiter.future.set_exception(StoreError(f"the client has come to an end: {error}"))


def _more(sequencer: Answering, answered: int) -> Callable[[], bool]:
    return lambda: sequencer.answered > answered


def _waits_for(change: Change, member: Member) -> bool:
    view = member.view
    return view is not None and any(view.reachable(name) for name in change.table.pending())


def _settled(member: Member) -> bool:
    view = member.view
    if view is None or view.behind():
        return False
    return all(view.at_head(name) for name in view.roster.keys if view.reachable(name))


async def _next(deliveries: AsyncIterator[Delivery | Link]) -> Delivery | Link | None:
    return await anext(deliveries, None)
