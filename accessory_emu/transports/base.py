"""Transport: an interface of four methods."""

from collections.abc import AsyncIterator, Collection
from typing import Protocol

from accessory_emu.protocol.ports import Delivery, Link, Parcel


class Transport(Protocol):
    """One client's way to an MQTT broker, or to what behaves like one.

    It reconnects by itself, with jittered backoff, and after each reconnect subscribes again to everything
    that `listen` asked for. All its subscriptions feed one bounded queue in order of arrival. Its queue of
    parcels is bounded too. Nothing that a peer or broker sends makes it raise.
    """

    def deliveries(self) -> AsyncIterator[Delivery | Link]:
        """Yield what arrives; `Link(up=True)` once connected and subscribed, `Link(up=False)` when lost."""
        ...

    async def listen(self, filters: Collection[str], again: Collection[str] = ()) -> None:
        """Make `filters` the whole set of subscriptions; those in `again` are subscribed anew.

        A new subscription makes the broker send the retained messages that match. Returns without waiting
        for a lost connection to come back.
        """
        ...

    async def send(self, parcel: Parcel) -> None:
        """Publish with QoS 1; while the connection is lost the parcel is dropped and counted.

        What must arrive is sent again by the engine that wants it, never by the transport.
        """
        ...

    async def close(self) -> None:
        """Disconnect cleanly (no will is sent) and end `deliveries`."""
        ...
