"""Wire: one connection to an MQTT broker, from its opening to its end; what a shared connection stands on."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from accessory_emu.protocol.ports import Delivery, Parcel
from accessory_emu.transports.packet_values import Version


class WireSink(Protocol):
    """Who hears what comes over a wire; nothing of this may raise."""

    def arrived(self, delivery: Delivery) -> None:
        """Take a message in."""
        ...

    def acknowledged(self, packet_id: int, *, refused: bool) -> None:
        """Learn that the broker has a parcel, or that it does not want it."""
        ...

    def unreadable(self) -> None:
        """Learn that something came which is no message."""
        ...


class Wire(Protocol):
    """A connection that is opened once and never comes back; WireError ends it."""

    @property
    def window(self) -> int:
        """How many parcels may be without acknowledgement at a time."""
        ...

    async def open(self) -> None:
        """Connect with a clean session. Raises WireError."""
        ...

    async def subscribe(self, filters: Sequence[str]) -> list[bool]:
        """Subscribe with QoS 1 and tell for each filter whether it is granted. Raises WireError."""
        ...

    async def unsubscribe(self, filters: Sequence[str]) -> None:
        """End subscriptions. Raises WireError."""
        ...

    def publish(self, parcel: Parcel) -> int | None:
        """Publish with QoS 1 and give the packet id; None if the wire takes no more."""
        ...

    async def gone(self) -> str:
        """Wait until the connection is lost, and tell why."""
        ...

    async def close(self, *, clean: bool) -> None:
        """End the connection; `clean` says goodbye, so that no will is published."""
        ...


Dial: TypeAlias = Callable[[Version, WireSink], Wire]
