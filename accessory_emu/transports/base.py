"""Transport: an interface of four methods."""

from collections.abc import AsyncIterator, Collection
from typing import Protocol

from accessory_emu.protocol.ports import Delivery, Link, Parcel


class Transport(Protocol):
    """One client's way to an MQTT broker, or to what behaves like one.

    It reconnects by itself, with jittered backoff, and after each reconnect subscribes again to everything
    that `listen` asked for. All its subscriptions feed one bounded queue in order of arrival. Its queue of
    parcels is bounded too. Nothing that a peer or broker sends makes it raise; a topic or filter that is none
    does (TopicError), because only the caller can have made it.

    Spec: AE-MQ-002, AE-MQ-004, AE-MQ-006, AE-MQ-007, AE-MQ-010, AE-MQ-012, AE-MQ-013.
    """

    def deliveries(self) -> AsyncIterator[Delivery | Link]:
        """Yield what arrives, to one reader.

        `Link(up=True)` comes once the first `listen` is granted, before anything else; after a loss,
        `Link(up=False)`, and again `Link(up=True)` once everything is subscribed. A refused filter keeps the
        link down; it is asked for again after a pause.
        """
        ...

    async def listen(self, filters: Collection[str], again: Collection[str] = ()) -> None:
        """Make `filters` the whole set of subscriptions; those in `again` are subscribed anew.

        A new subscription makes the broker send the retained messages that match. Returns when the broker has
        answered, so that an answer to what is sent next is heard, and without waiting for a lost connection
        to come back.
        """
        ...

    async def send(self, parcel: Parcel) -> None:
        """Publish with QoS 1; while the connection is lost the parcel is dropped and counted.

        While very many parcels are not acknowledged it waits. What must arrive is sent again by the engine
        that wants it; the transport repeats a parcel once at most.
        """
        ...

    async def close(self) -> None:
        """Let what was sent leave, disconnect cleanly (no will is sent) and end `deliveries`."""
        ...
