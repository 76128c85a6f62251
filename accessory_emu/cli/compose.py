"""The composition root: MQTT broker, transports, accessories and stores, put together from checked files."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path
from typing import Final

from accessory_emu.accessory.device import DeviceConfig
from accessory_emu.cli.options import Common
from accessory_emu.cli.output import Exit, Problem
from accessory_emu.protocol.membership.freshness import Policy
from accessory_emu.protocol.ports import Delivery, Link, Parcel, Random
from accessory_emu.protocol.topics import Topics
from accessory_emu.runtime.clock import SeededRandom, SystemRandom
from accessory_emu.runtime.config import AccessoryItem, HomeFile
from accessory_emu.runtime.config_broker import Broker, EmbeddedBroker, ExternalBroker, broker_of
from accessory_emu.runtime.config_values import parse_duration
from accessory_emu.runtime.fleet import Unit
from accessory_emu.runtime.labels import Sticker
from accessory_emu.transports import broker as embedded
from accessory_emu.transports.base import Transport
from accessory_emu.transports.broker_address import BrokerAddress
from accessory_emu.transports.broker_config import BrokerConfig
from accessory_emu.transports.mqtt import MqttTransport

_CLOSE_S: Final = 3.0  # a goodbye, and what is still under way


def dice(seed: int | None) -> Random:
    """Give the dice: real ones, or those of a seed."""
    return SystemRandom() if seed is None else SeededRandom(seed)


def duration(text: str, option: str) -> int:
    """Read a duration, in ms. Raises Problem."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Problem("usage", f"{option}: {error}", "", Exit.USAGE) from None


def seconds(text: str | None, option: str) -> float | None:
    """Read a duration for asyncio. Raises Problem."""
    return None if text is None else duration(text, option) / 1000


def choose_broker(common: Common, home: HomeFile | None, folder: Path) -> Broker:
    """Give the MQTT broker that the options or the home file name.

    Raises:
        FileErrors: the file is missing or wrong.
        Problem: the address is wrong.
    """
    try:
        if common.broker is not None:
            return broker_of(common.broker, Path())
        return broker_of(home.mqtt if home else "embedded", folder)
    except ValueError as error:
        raise Problem("usage", f"--broker: {error}", "write mqtt://127.0.0.1:1883", Exit.USAGE) from None


def unit_of(item: AccessoryItem, sticker: Sticker, topics: Topics) -> Unit:
    """Make one accessory of the fleet from its item in the home file."""
    kind = item.kind
    policy = Policy(
        hub_ms=item.sync_hub_ms,
        device_ms=item.sync_device_ms,
        fresh_ms=item.fresh,
        strict=kind.strict,
        keeps_time=item.clock == "trusted",
    )
    config = DeviceConfig(
        kind=kind,
        setup_id=sticker.setup_id,
        policy=policy,
        state=item.state,
        durable_values=item.durable,
        grants=item.keys,
        topics=topics,
    )
    return Unit(item.id, config, sticker)


async def start_embedded(broker: EmbeddedBroker, port: int | None) -> tuple[embedded.EmbeddedBroker, str]:
    """Start the MQTT broker of this process; gives it and its address.

    Raises:
        PortInUse, CannotListen: it cannot listen there.
    """
    running = embedded.EmbeddedBroker(
        BrokerConfig(listen=broker.listen, port=broker.port if port is None else port)
    )
    chosen = await running.start()
    return running, f"mqtt://{broker.listen}:{chosen}"


class Watched:
    """A transport, and who looks on when its connection comes and goes and when parcels leave."""

    def __init__(
        self,
        inner: Transport,
        noticed: Callable[[bool], None] = lambda _up: None,
        left: Callable[[Parcel], None] = lambda _parcel: None,
    ) -> None:
        self._inner, self._noticed, self._left = inner, noticed, left

    async def deliveries(self) -> AsyncIterator[Delivery | Link]:
        """Yield what arrives."""
        async for item in self._inner.deliveries():
            if isinstance(item, Link):
                self._noticed(item.up)
            yield item

    async def listen(self, filters: Collection[str], again: Collection[str] = ()) -> None:
        """Make `filters` the whole set of subscriptions."""
        await self._inner.listen(filters, again)

    async def send(self, parcel: Parcel) -> None:
        """Publish."""
        await self._inner.send(parcel)
        self._left(parcel)

    async def close(self) -> None:
        """Disconnect; a connection that does not end by itself is cut off."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._inner.close()


def connect(broker: ExternalBroker, client_id: str, will: Parcel | None) -> Transport:
    """Begin to connect to an MQTT broker.

    Raises:
        FileErrors: its password cannot be read.
    """
    address = BrokerAddress.parse(
        broker.url,
        username=broker.username,
        password=broker.password.read(Path(), os.environ) if broker.password else None,
        ca=broker.tls.ca if broker.tls else None,
        protocol=broker.protocol,
    )
    return MqttTransport(address, client_id, SystemRandom(), will=will)
