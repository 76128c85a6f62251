"""A seeded network in one process, with loss, delay and reordering; public.

It follows the rules of an MQTT broker: retained messages go to each new subscription and carry the flag, live
forwards never do, each publisher's order is kept, a client id belongs to the newest connection, and a will is
published when a connection is lost. Its core is synchronous: nothing moves but by a call, and the same seed
and calls give the same deliveries.
"""

from collections.abc import Callable, Collection
from typing import Final

from accessory_emu.protocol.ports import Delivery, Link, Parcel, Random
from accessory_emu.transports import bounds
from accessory_emu.transports.inbox import Deliveries, Inbox
from accessory_emu.transports.retained_tree import RetainedTree
from accessory_emu.transports.subscription_trie import SubscriptionTrie
from accessory_emu.transports.topic_filters import check_filter, check_topic

_ROLL_BYTES: Final = 6
_LATE_MOST: Final = 4  # a message that is late is overtaken by at most so many


class MemoryNetwork:
    """The broker's side: who listens, what is retained, and what the enemy does.

    `loss`, `duplicate` and `reorder` are the odds, 0 to 1, that a message on its way to one receiver is lost,
    comes twice, or is overtaken by up to four later ones. They may be set at any time; at 0 no dice roll.

    `traffic` holds what was published, oldest first, while `record` is true: all of it up to `traffic_limit`
    parcels, then the newer half.
    """

    def __init__(self, random: Random, *, inbox: int = bounds.INBOX_MESSAGES) -> None:
        self.loss = 0.0
        self.duplicate = 0.0
        self.reorder = 0.0
        self.record = True
        self.traffic: list[Parcel] = []
        self.traffic_limit = 100_000
        self.lost = 0
        self._random = random
        self._inbox = inbox
        self._links: dict[str, MemoryLink] = {}
        self._listeners: SubscriptionTrie[str, None] = SubscriptionTrie()
        self._retained: RetainedTree[bytes] = RetainedTree()
        self._holds: list[Callable[[Parcel], bool]] = []
        self._held: list[Parcel] = []

    def attach(self, client_id: str, will: Parcel | None = None) -> "MemoryLink":
        """Connect a client; one that has this client id already loses its link."""
        if will is not None:
            check_topic(will.topic)
        link = MemoryLink(self, client_id, will, Inbox(self._inbox))
        link.restore()
        return link

    def inject(self, parcel: Parcel) -> None:
        """Publish as a stranger."""
        self.publish(parcel)

    def deliver(self, client_id: str, delivery: Delivery) -> None:
        """Lie to one client: it gets this, whatever it listens to, and with any retained flag."""
        if client_id in self._links:
            self._links[client_id].inbox.put(delivery)

    def hold(self, predicate: Callable[[Parcel], bool]) -> None:
        """Withhold what is published from now on and fits, until `release`."""
        self._holds.append(predicate)

    @property
    def held(self) -> tuple[Parcel, ...]:
        """What is withheld, oldest first."""
        return tuple(self._held)

    def release(self) -> None:
        """Let everything that was withheld go its way now, and withhold no more."""
        held, self._held = self._held, []
        self._holds.clear()
        for parcel in held:
            self._route(parcel)

    def forget_retained(self) -> None:
        """Lose all retained messages."""
        self._retained = RetainedTree()

    def retained(self) -> dict[str, bytes]:
        """Give what is retained, by topic."""
        return {topic: self._retained.get(topic) or b"" for topic in self._retained.topics()}

    def publish(self, parcel: Parcel) -> None:
        """Take a message and forward it.

        Raises:
            TopicError: nothing can be published to this topic.
        """
        check_topic(parcel.topic)
        if self.record:
            self.traffic.append(parcel)
            if len(self.traffic) > self.traffic_limit:
                del self.traffic[: len(self.traffic) // 2]
        if any(fits(parcel) for fits in self._holds):
            self._held.append(parcel)
        else:
            self._route(parcel)

    def enter(self, link: "MemoryLink") -> None:
        """Give the client id to this link; the link that had it is lost."""
        if link.client_id in self._links:
            self._links[link.client_id].drop()
        self._links[link.client_id] = link

    def leave(self, link: "MemoryLink") -> None:
        """Let a link go with all its subscriptions."""
        del self._links[link.client_id]

    def subscribe(self, link: "MemoryLink", topic_filter: str) -> None:
        """Subscribe a link, anew or not: retained messages come either way."""
        self._listeners.put(topic_filter, link.client_id, None)
        for topic, payload in self._retained.find(topic_filter):
            self._forward(link, Delivery(topic, payload, retained=True))

    def unsubscribe(self, link: "MemoryLink", topic_filter: str) -> None:
        """End a subscription."""
        self._listeners.remove(topic_filter, link.client_id)

    def _route(self, parcel: Parcel) -> None:
        if parcel.retain and parcel.payload:
            self._retained.put(parcel.topic, parcel.payload)
        elif parcel.retain:
            self._retained.remove(parcel.topic)
        delivery = Delivery(parcel.topic, parcel.payload)
        receivers = dict.fromkeys(key for holders in self._listeners.find(parcel.topic) for key in holders)
        for client_id in receivers:
            self._forward(self._links[client_id], delivery)

    def _forward(self, link: "MemoryLink", delivery: Delivery) -> None:
        if self._chance(self.loss):
            self.lost += 1
            return
        for _ in range(2 if self._chance(self.duplicate) else 1):
            late = 1 + self._random.bytes(1)[0] % _LATE_MOST if self._chance(self.reorder) else 0
            link.arrive(delivery, late)

    def _chance(self, odds: float) -> bool:
        if odds <= 0:
            return False
        return int.from_bytes(self._random.bytes(_ROLL_BYTES)) < odds * 256**_ROLL_BYTES


class MemoryLink:
    """One client's link: what it listens to, and what has arrived for it.

    The first `listen` brings `Link(up=True)`, then the retained messages. A lost link stays lost until
    somebody calls `restore`. `unsent` counts what was published while the link was down.
    """

    def __init__(self, network: MemoryNetwork, client_id: str, will: Parcel | None, inbox: Inbox) -> None:
        self.client_id = client_id
        self.inbox = inbox
        self.up = False
        self.unsent = 0
        self._network = network
        self._will = will
        self._wanted: list[str] | None = None
        self._late: list[tuple[int, Delivery]] = []

    def listen(self, filters: Collection[str], again: Collection[str] = ()) -> None:
        """Make `filters` the whole set of subscriptions; those in `again` are subscribed anew.

        Raises:
            TopicError: one of them is no filter; nothing has changed.
        """
        for topic_filter in filters:
            check_filter(topic_filter)
        before, self._wanted = self._wanted, sorted(filters)
        if not self.up:
            return
        if before is None:
            self._announce()
            return
        for topic_filter in before:
            if topic_filter not in filters:
                self._network.unsubscribe(self, topic_filter)
        for topic_filter in self._wanted:
            if topic_filter in again or topic_filter not in before:
                self._network.subscribe(self, topic_filter)

    def publish(self, parcel: Parcel) -> None:
        """Publish; while the link is down the parcel is dropped and counted.

        Raises:
            TopicError: nothing can be published to this topic.
        """
        if self.up:
            self._network.publish(parcel)
        else:
            check_topic(parcel.topic)
            self.unsent += 1

    def take(self) -> Delivery | Link | None:
        """Give what arrived, oldest first; None if there is nothing, late messages included."""
        item = self.inbox.take()
        if item is None and self._late:
            return self._late.pop(0)[1]
        return item

    def arrive(self, delivery: Delivery, late: int = 0) -> None:
        """Let a message in, or let it be overtaken by the next `late` ones."""
        waiting = [(left - 1, other) for left, other in self._late]
        if late:
            waiting.append((late, delivery))
        else:
            self.inbox.put(delivery)
        self._late = [(left, other) for left, other in waiting if left > 0]
        for left, other in waiting:
            if left <= 0:
                self.inbox.put(other)
        if late and self.inbox.wake is not None:
            self.inbox.wake()

    def drop(self) -> None:
        """Lose the connection: the will is published, and what was late is lost."""
        if not self.up:
            return
        self._end()
        if self._wanted is not None:
            self.inbox.put(Link(up=False))
        if self._will is not None:
            self._network.publish(self._will)

    def restore(self) -> None:
        """Connect again, with the same subscriptions; nothing happens while the link is up or closed."""
        if self.up or self.inbox.closed:
            return
        self._network.enter(self)
        self.up = True
        if self._wanted is not None:
            self._announce()

    def close(self) -> None:
        """Disconnect cleanly: no will is published; what has arrived can still be taken."""
        if self.up:
            self._end()
        self.inbox.close()

    def _announce(self) -> None:
        self.inbox.put(Link(up=True))
        for topic_filter in self._wanted or ():
            self._network.subscribe(self, topic_filter)

    def _end(self) -> None:
        self.up = False
        self._late.clear()
        for topic_filter in self._wanted or ():
            self._network.unsubscribe(self, topic_filter)
        self._network.leave(self)


class MemoryTransport:
    """The asynchronous face of a link: a Transport for drivers that run on an event loop."""

    def __init__(self, link: MemoryLink) -> None:
        self.link = link
        self._deliveries = Deliveries(link.inbox, link.take)

    def deliveries(self) -> Deliveries:
        """Iterate over what arrives; there is one reader."""
        return self._deliveries

    async def listen(self, filters: Collection[str], again: Collection[str] = ()) -> None:
        """Make `filters` the whole set of subscriptions."""
        self.link.listen(filters, again)

    async def send(self, parcel: Parcel) -> None:
        """Publish."""
        self.link.publish(parcel)

    async def close(self) -> None:
        """Disconnect cleanly."""
        self.link.close()
