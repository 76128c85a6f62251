"""Share: the part of one connection that belongs to one accessory; it is a Transport."""

import asyncio
from collections import deque
from collections.abc import Collection
from enum import Enum, auto
from typing import Protocol

from accessory_emu.protocol.ports import Delivery, Link, Parcel
from accessory_emu.transports import bounds
from accessory_emu.transports.inbox import Deliveries, Inbox
from accessory_emu.transports.topic_filters import check_filter, check_topic


class Standing(Enum):
    """Where one filter stands with the broker."""

    WANTED = auto()  # to be subscribed
    ASKED = auto()  # the broker has not answered yet
    GRANTED = auto()
    REFUSED = auto()  # asked again after a pause


class Watch:
    """One filter of a connection: who wants it, and who waits for its retained messages.

    A broker sends retained messages for each SUBSCRIBE, and a shared connection sends one for each share that
    newly wants the filter. They go to the shares that asked in the last two of them, not to all others.
    """

    __slots__ = ("asking", "earlier", "latest", "name", "shares", "standing")

    def __init__(self, name: str) -> None:
        self.name = name
        self.standing = Standing.WANTED
        self.shares: set[Share] = set()
        self.asking: set[Share] = set()
        self.latest: set[Share] = set()
        self.earlier: set[Share] = set()

    def ask(self) -> None:
        """Note that SUBSCRIBE leaves now."""
        self.earlier, self.latest, self.asking = self.latest, self.asking, set()

    def feeds(self, share: "Share") -> bool:
        """Tell whether retained messages are for this share."""
        return share in self.latest or share in self.earlier


class Exchange(Protocol):
    """What a share knows of its connection."""

    @property
    def connected(self) -> bool:
        """Whether there is a wire now."""
        ...

    def watch(self, share: "Share", topic_filter: str) -> Watch:
        """Want a filter, and its retained messages."""
        ...

    def unwatch(self, share: "Share", topic_filter: str) -> None:
        """Want a filter no longer."""
        ...

    def post(self, share: "Share", parcel: Parcel) -> None:
        """Publish as soon as the wire takes it."""
        ...

    def leave(self, share: "Share") -> None:
        """Let a share go."""
        ...

    def begin(self) -> None:
        """Begin to connect, if that has not happened yet."""
        ...


class Share:
    """A Transport among others on one connection.

    Its link is up while the connection stands and every one of its filters is granted. What arrives before
    that waits behind the news. `unsent` counts parcels that were dropped because the connection was lost.

    Spec: AE-MQ-004, AE-MQ-006, AE-MQ-007, AE-MQ-030.
    """

    def __init__(self, exchange: Exchange, inbox: int, close_within_s: float) -> None:
        self.inbox = Inbox(inbox)
        self.unsent = 0
        self.outstanding = 0  # parcels that wait for their acknowledgement
        self._exchange = exchange
        self._close_within_s = close_within_s
        self._deliveries = Deliveries(self.inbox)
        self._watches: dict[str, Watch] | None = None
        self._up = False
        self._early: deque[Delivery] | None = deque(maxlen=inbox)  # until the link is news
        self._settled = asyncio.Event()
        self._room = asyncio.Event()

    # Transport

    def deliveries(self) -> Deliveries:
        """Iterate over what arrives; there is one reader."""
        return self._deliveries

    async def listen(self, filters: Collection[str], again: Collection[str] = ()) -> None:
        """Make `filters` the whole set of subscriptions, and wait until the broker has answered.

        Raises:
            TopicError: one of them is no filter; nothing has changed.
        """
        for topic_filter in filters:
            check_filter(topic_filter)
        if self.inbox.closed:
            return
        self._exchange.begin()
        before = self._watches or {}
        for topic_filter in before.keys() - set(filters):
            self._exchange.unwatch(self, topic_filter)
        self._watches = {
            topic_filter: self._exchange.watch(self, topic_filter)
            if topic_filter in again or topic_filter not in before
            else before[topic_filter]
            for topic_filter in sorted(filters)
        }
        self.settle()
        while self._open() and self._exchange.connected:
            self._settled.clear()
            await self._settled.wait()

    async def send(self, parcel: Parcel) -> None:
        """Publish with QoS 1; waits while too many parcels are not acknowledged.

        Raises:
            TopicError: nothing can be published to this topic.
        """
        check_topic(parcel.topic)
        while self._exchange.connected and self.outstanding >= bounds.SHARE_WINDOW:
            self._room.clear()
            await self._room.wait()
        if not self._exchange.connected or self.inbox.closed:
            self.unsent += 1
            return
        self.outstanding += 1
        self._exchange.post(self, parcel)

    async def close(self) -> None:
        """Let what is on its way leave, then give up all filters and end `deliveries`."""
        if self.inbox.closed:
            return
        self.inbox.close()
        try:
            async with asyncio.timeout(self._close_within_s):
                while self.outstanding:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            pass  # the broker does not answer: what is on its way is lost
        for topic_filter in self._watches or {}:
            self._exchange.unwatch(self, topic_filter)
        self._exchange.leave(self)

    # What the connection calls

    def arrive(self, delivery: Delivery) -> None:
        """Take a message in."""
        if self._early is None:
            self.inbox.put(delivery)
            return
        if len(self._early) == self._early.maxlen:
            self.inbox.dropped += 1
        self._early.append(delivery)

    def settle(self) -> None:
        """Tell the reader how the link stands, once the broker has answered for every filter."""
        if self._watches is None or not self._exchange.connected or self._open():
            return
        up = all(watch.standing is Standing.GRANTED for watch in self._watches.values())
        if up != self._up:
            self._up = up
            self.inbox.put(Link(up=up))
        early, self._early = self._early or (), None
        for delivery in early:
            self.inbox.put(delivery)
        self._settled.set()

    def done(self, *, sent: bool) -> None:
        """Learn that a parcel is acknowledged or given up."""
        self.outstanding -= 1
        self.unsent += not sent
        self._room.set()

    def lost(self) -> None:
        """Learn that the connection is gone."""
        if self._up:
            self._up = False
            self.inbox.put(Link(up=False))
        self._early = deque(maxlen=self.inbox.limit)
        self._settled.set()
        self._room.set()

    def _open(self) -> bool:
        """Tell whether the broker owes an answer."""
        waiting = (Standing.WANTED, Standing.ASKED)
        return any(watch.standing in waiting for watch in (self._watches or {}).values())
