"""The bounded queue of what arrived: the oldest deliveries may go, but a lost link is never missed."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Self

from accessory_emu.protocol.ports import Delivery, Link


class Inbox:
    """At most `limit` deliveries in order of arrival, with the links between them.

    A link that came up after it was lost is kept as these two, however often it flapped meanwhile: so the
    links are bounded too, and the reader learns each time that something may be missing.

    Spec: AE-MQ-013, AE-MQ-030.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError("an inbox takes at least one delivery")
        self.limit = limit
        self._items: deque[Delivery | Link] = deque()
        self._deliveries = 0
        self.dropped = 0
        self.closed = False
        self.wake: Callable[[], None] | None = None

    def __len__(self) -> int:
        return self._deliveries

    def put(self, item: Delivery | Link) -> None:
        """Take one item in; after `close`, nothing."""
        if self.closed:
            return
        if isinstance(item, Link):
            self._put_link(item)
        else:
            if self._deliveries == self.limit:
                self._drop_oldest()
            self._items.append(item)
            self._deliveries += 1
        if self.wake is not None:
            self.wake()

    def take(self) -> Delivery | Link | None:
        """Give the oldest item; None if there is none."""
        if not self._items:
            return None
        item = self._items.popleft()
        if isinstance(item, Delivery):
            self._deliveries -= 1
        return item

    def close(self) -> None:
        """Take nothing more in; what is there can still be taken."""
        self.closed = True
        if self.wake is not None:
            self.wake()

    def _put_link(self, link: Link) -> None:
        """Keep at most a loss and a return behind the newest delivery."""
        last = self._items[-1] if self._items else None
        before = self._items[-2] if len(self._items) > 1 else None
        if last == link:
            return
        if last == Link(up=True) and before == Link(up=False):
            self._items.pop()  # lost, up, lost again: lost
            return
        self._items.append(link)

    def _drop_oldest(self) -> None:
        links: list[Link] = []
        while isinstance(item := self._items.popleft(), Link):
            links.append(item)
        self._deliveries -= 1
        self.dropped += 1
        if Link(up=False) in links and links[-1].up:
            links = [Link(up=False), Link(up=True)]
        self._items.extendleft(reversed(links[-2:]))


class Deliveries:
    """What a reader iterates over: waits for the next item, ends once the inbox is closed and empty."""

    def __init__(self, inbox: Inbox, take: Callable[[], Delivery | Link | None] | None = None) -> None:
        self._inbox = inbox
        self._take = take or inbox.take
        self._arrived = asyncio.Event()
        inbox.wake = self._arrived.set

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delivery | Link:
        while (item := self._take()) is None:
            if self._inbox.closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return item
