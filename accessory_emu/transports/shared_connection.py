"""One connection that carries many accessories: made again when lost, with every subscription."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Final

from accessory_emu.protocol.ports import Delivery, Parcel, Random
from accessory_emu.transports import bounds
from accessory_emu.transports.broker_address import BrokerUnreachable, Protocol, Trouble, WireError
from accessory_emu.transports.outbox import Outbox
from accessory_emu.transports.packet_values import Version
from accessory_emu.transports.patience import PATIENT, Patience
from accessory_emu.transports.share import Share, Standing, Watch
from accessory_emu.transports.subscription_trie import SubscriptionTrie
from accessory_emu.transports.wire import Dial, Wire

_OTHER: Final = {Version.MQTT_5: Version.MQTT_311, Version.MQTT_311: Version.MQTT_5}
_FIRST: Final = {"auto": Version.MQTT_5, "5": Version.MQTT_5, "3.1.1": Version.MQTT_311}
_NOT_UNDERSTOOD: Final = (Trouble.VERSION, Trouble.NO_ANSWER)
_JITTER_BYTES: Final = 2


class Backoff:
    """Pauses that double up to a limit, each drawn between half of it and one and a half (AE-MQ-012)."""

    def __init__(self, random: Random, first_s: float, most_s: float) -> None:
        self._random = random
        self._first_s, self._most_s = first_s, most_s
        self._next_s = first_s

    def reset(self) -> None:
        """Begin again with the shortest pause."""
        self._next_s = self._first_s

    def pause_s(self) -> float:
        """Give the next pause."""
        roll = int.from_bytes(self._random.bytes(_JITTER_BYTES)) / 256**_JITTER_BYTES
        pause_s, self._next_s = self._next_s * (0.5 + roll), min(2 * self._next_s, self._most_s)
        return pause_s


class SharedConnection:
    """Connects, subscribes, routes and publishes for its shares, until it is closed.

    It begins to connect with the first `listen` of a share, or with `ready`. `counters` counts: connected,
    lost, failed, refused_filters, refused_parcels, unacknowledged, repeated, unreadable. `trouble` and
    `detail` tell what went wrong last.
    """

    def __init__(
        self,
        dial: Dial,
        random: Random,
        *,
        address: str,
        protocol: Protocol = "auto",
        patience: Patience = PATIENT,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self.trouble: Trouble | None = None
        self.detail = "no answer yet"
        self._address = address
        self._dial = dial
        self._patience = patience
        self._version = _FIRST[protocol]
        self._choice = protocol
        self._pauses = Backoff(random, patience.backoff_first_s, patience.backoff_most_s)
        self._refusals = Backoff(random, patience.refused_first_s, patience.backoff_most_s)
        self._shares: set[Share] = set()
        self._watches: dict[str, Watch] = {}
        self._wanted: dict[str, Watch] = {}  # of these, the ones to subscribe, in order
        self._refused: dict[str, Watch] = {}  # and the ones that the broker refused
        self._retry_at: float | None = None
        self._listeners: SubscriptionTrie[Share, Watch] = SubscriptionTrie()
        self._ended: dict[str, None] = {}  # filters to unsubscribe
        self._wire: Wire | None = None
        self._outbox = Outbox(self.counters, patience.ack_within_s)
        self._changed = asyncio.Event()
        self._news = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # For users

    def share(self, inbox: int = bounds.INBOX_MESSAGES) -> Share:
        """Give a Transport of its own, with its own bounded queues."""
        share = Share(self, inbox, self._patience.close_within_s)
        self._shares.add(share)
        return share

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._wire is not None

    @property
    def refused(self) -> frozenset[str]:
        """The filters that the broker refused; they are asked for again after a pause."""
        return frozenset(self._refused)

    async def ready(self, timeout_s: float) -> None:
        """Wait until the connection stands.

        Raises:
            BrokerUnreachable: it does not in this time, or cannot.
        """
        self.begin()
        try:
            async with asyncio.timeout(timeout_s):
                while not self.connected and self.trouble is not Trouble.CREDENTIALS:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        if not self.connected:
            raise BrokerUnreachable(self._address, self.trouble or Trouble.NO_ANSWER, self.detail)

    async def close(self) -> None:
        """Close all shares, then disconnect cleanly."""
        await asyncio.gather(*(share.close() for share in tuple(self._shares)))
        self._closing.set()
        self._changed.set()
        if self._task is not None:
            await self._task

    # For shares

    def begin(self) -> None:
        """Begin to connect, if that has not happened yet."""
        if self._task is None and not self._closing.is_set():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def watch(self, share: Share, topic_filter: str) -> Watch:
        """Want a filter, and its retained messages."""
        watch = self._watches.setdefault(topic_filter, Watch(topic_filter))
        self._ended.pop(topic_filter, None)
        watch.shares.add(share)
        watch.asking.add(share)
        self._stand(watch, Standing.WANTED)
        self._listeners.put(topic_filter, share, watch)
        self._changed.set()
        return watch

    def unwatch(self, share: Share, topic_filter: str) -> None:
        """Want a filter no longer; the last share that does ends the subscription."""
        watch = self._watches[topic_filter]
        self._listeners.remove(topic_filter, share)
        for group in (watch.shares, watch.asking, watch.latest, watch.earlier):
            group.discard(share)
        if not watch.shares:
            del self._watches[topic_filter]
            self._wanted.pop(topic_filter, None)
            self._refused.pop(topic_filter, None)
            self._ended[topic_filter] = None
            self._changed.set()

    def post(self, share: Share, parcel: Parcel) -> None:
        """Publish as soon as the wire takes it."""
        self._outbox.post(share, parcel)

    def leave(self, share: Share) -> None:
        """Let a share go."""
        self._shares.discard(share)

    # For the wire

    def arrived(self, delivery: Delivery) -> None:
        """Hand a message to every share that listens; a retained one to those that asked for it."""
        receivers = {
            share: None
            for holders in self._listeners.find(delivery.topic)
            for share, watch in holders.items()
            if not delivery.retained or watch.feeds(share)
        }
        for share in receivers:
            share.arrive(delivery)

    def acknowledged(self, packet_id: int, *, refused: bool) -> None:
        """Learn that the broker has a parcel, or that it does not want it."""
        self._outbox.acknowledged(packet_id, refused=refused)

    def unreadable(self) -> None:
        """Learn that something came which is no message."""
        self.counters["unreadable"] += 1

    # Inside

    async def _run(self) -> None:
        """Connect, and connect again, until `close`."""
        loop = asyncio.get_running_loop()
        try:
            while not self._closing.is_set():
                began = loop.time()
                await self._connect_once()
                if loop.time() - began >= self._patience.steady_s:
                    self._pauses.reset()
                await _wait(self._closing, self._pauses.pause_s())
        finally:
            for share in self._shares:
                share.inbox.close()

    async def _connect_once(self) -> None:
        wire = self._dial(self._version, self)
        try:
            await wire.open()
        except WireError as error:
            self.counters["failed"] += 1
            self._fail(error)
            await wire.close(clean=False)
            return
        self.counters["connected"] += 1
        self._wire, self.trouble = wire, None
        self._news.set()
        self._outbox.open(wire)
        try:
            await self._serve(wire)
        except WireError as error:
            self._fail(error)
        finally:
            self._wire = None
            self._outbox.close()
            for share in tuple(self._shares):
                share.lost()
            await wire.close(clean=self._closing.is_set())
        if not self._closing.is_set():
            self.counters["lost"] += 1

    def _fail(self, error: WireError) -> None:
        self.trouble, self.detail = error.trouble, str(error)
        if self._choice == "auto" and error.trouble in _NOT_UNDERSTOOD:
            self._version = _OTHER[self._version]
        self._news.set()

    async def _serve(self, wire: Wire) -> None:
        """Keep the subscriptions as they are wanted, until the connection ends one way or another."""
        loop = asyncio.get_running_loop()
        tasks = [
            loop.create_task(self._subscribe_all(wire)),
            loop.create_task(wire.gone()),
            loop.create_task(self._outbox.stuck()),
            loop.create_task(self._closing.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._wire = None  # a task that overlooks its cancellation (wait_for in 3.11) ends by this
            for task in tasks:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
        for result in done:
            if isinstance(result, Exception):
                raise result
        _, gone, stuck, _ = done
        if isinstance(gone, str):
            raise WireError(Trouble.LOST, gone)
        if stuck is None:
            raise WireError(Trouble.LOST, "the MQTT broker acknowledges nothing")

    async def _subscribe_all(self, wire: Wire) -> None:
        """Bring the broker's subscriptions to what is wanted, again and again."""
        self._ended.clear()
        self._want_anew(self._watches)
        for share in self._shares:
            share.settle()  # one that wants nothing is content
        while self._wire is wire:
            self._changed.clear()
            ended = list(islice(self._ended, bounds.FILTERS_AT_ONCE))
            wanted = list(islice(self._wanted.values(), bounds.FILTERS_AT_ONCE))
            if ended:
                for topic_filter in ended:
                    del self._ended[topic_filter]
                await wire.unsubscribe(ended)
            if wanted:
                await self._ask(wire, wanted)
            if not ended and not wanted and self._wire is wire:
                await self._rest()

    async def _ask(self, wire: Wire, wanted: list[Watch]) -> None:
        for watch in wanted:
            watch.ask()
            self._stand(watch, Standing.ASKED)
        verdicts = await wire.subscribe([watch.name for watch in wanted])
        for watch, granted in zip(wanted, verdicts, strict=True):
            if watch.standing is Standing.ASKED:  # else somebody wants it anew meanwhile
                self._stand(watch, Standing.GRANTED if granted else Standing.REFUSED)
            self.counters["refused_filters"] += not granted
        for share in dict.fromkeys(share for watch in wanted for share in watch.shares):
            share.settle()

    async def _rest(self) -> None:
        """Wait for a change; what was refused is asked for again after a pause."""
        loop = asyncio.get_running_loop()
        if not self._refused:
            self._retry_at = None
            self._refusals.reset()
            await self._changed.wait()
            return
        if self._retry_at is None:
            self._retry_at = loop.time() + self._refusals.pause_s()
        if not await _wait(self._changed, self._retry_at - loop.time()):
            self._want_anew(self._refused)

    def _want_anew(self, watches: Mapping[str, Watch]) -> None:
        """Ask for all of these, and for their retained messages."""
        self._retry_at = None
        for watch in tuple(watches.values()):
            watch.asking = set(watch.shares)
            self._stand(watch, Standing.WANTED)

    def _stand(self, watch: Watch, standing: Standing) -> None:
        """Note where a filter stands; one that was given up meanwhile is in no list."""
        watch.standing = standing
        if self._watches.get(watch.name) is not watch:
            return
        for listed, member in ((self._wanted, Standing.WANTED), (self._refused, Standing.REFUSED)):
            listed.pop(watch.name, None)
            if standing is member:
                listed[watch.name] = watch


async def _wait(event: asyncio.Event, patience_s: float) -> bool:
    """Wait for an event; False if it does not come in time."""
    try:
        async with asyncio.timeout(patience_s):
            return await event.wait()
    except TimeoutError:
        return False
