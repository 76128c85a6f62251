"""The embedded MQTT broker, the default: MQTT 5 and 3.1.1 on one port, in this process."""

import asyncio
import errno
from collections import Counter
from collections.abc import Iterable

from accessory_emu.protocol.ports import Parcel
from accessory_emu.transports.broker_config import BrokerConfig, BrokerHooks, CannotListen, PortInUse
from accessory_emu.transports.broker_connection import BrokerConnection
from accessory_emu.transports.broker_core import BrokerCore
from accessory_emu.transports.packet_values import MqttReason, Publish
from accessory_emu.transports.topic_filters import check_topic


class EmbeddedBroker:
    """A small MQTT broker that follows the rules and keeps nothing on disk.

    QoS 0 and 1 are delivered, QoS 2 is received and granted as 1. There are no shared subscriptions, topic
    aliases or subscription ids. It is no security boundary: accessories judge each message themselves.

    `counters` counts, among others: connected, refused, malformed, broken_rules, silent, too_slow,
    takeovers, wills, subscribed, published, forwarded, dropped, oversize, expired, denied, retained_refused,
    hook_errors.

    Spec: AE-MQ-020 to AE-MQ-023.
    """

    def __init__(self, config: BrokerConfig, hooks: BrokerHooks | None = None) -> None:
        self.config = config
        self.hooks = BrokerHooks() if hooks is None else hooks
        self.counters: Counter[str] = Counter()
        self.port: int | None = None
        self._kept: list[Parcel] = []
        self._core: BrokerCore | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[BrokerConnection] = set()

    async def start(self) -> int:
        """Listen, and tell on which port.

        Raises:
            PortInUse: something else listens there.
            CannotListen: the address is not of this machine, or the port may not be taken.
        """
        if self._server is not None:
            raise RuntimeError("this broker is running")
        core = BrokerCore(self.config, self.hooks, self.counters)
        core.retain(self._kept)
        listen, port = self.config.listen, self.config.port
        try:
            server = await asyncio.get_running_loop().create_server(
                lambda: BrokerConnection(core, self._connections), listen, port, backlog=1_024
            )
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(port) from None
            raise CannotListen(f"cannot listen on {listen}, port {port}: {error.strerror or error}") from None
        self._core, self._server = core, server
        self.port = int(server.sockets[0].getsockname()[1])
        return self.port

    async def stop(self, *, abrupt: bool = False) -> None:
        """End every connection and listen no more; `abrupt` ends them like a crash. No will is published.

        Retained messages stay, for the next start of this object.
        """
        if self._core is None or self._server is None:
            return
        core, server, self._core, self._server = self._core, self._server, None, None
        self._kept = _parcels(core)
        server.close()
        core.stop()
        for connection in tuple(self._connections):
            if abrupt:
                connection.cut()
            else:
                connection.close(MqttReason.SERVER_SHUTTING_DOWN)
        await self._all_gone()
        await server.wait_closed()

    def publish(self, parcel: Parcel) -> None:
        """Publish as the broker itself.

        Raises:
            TopicError: nothing can be published to this topic.
        """
        self._running().publish(Publish(parcel.topic, parcel.payload, 1, parcel.retain))

    def cut(self, client_id: str) -> bool:
        """Break one client's connection, so that its will is published; False if it has none."""
        link = self._running().link_of(client_id)
        if link is None:
            return False
        link.cut()
        return True

    def is_connected(self, client_id: str) -> bool:
        """Tell whether this client is connected now."""
        return self._running().link_of(client_id) is not None

    def retained(self) -> list[Parcel]:
        """Give the retained messages, to keep them elsewhere."""
        return self._kept if self._core is None else _parcels(self._core)

    def retain(self, parcels: Iterable[Parcel]) -> None:
        """Retain messages that were kept elsewhere; those of a stopped broker are replaced.

        Raises:
            TopicError: nothing can be published to one of the topics.
        """
        kept = list(parcels)
        for parcel in kept:
            check_topic(parcel.topic)
        if self._core is None:
            self._kept = kept
        else:
            self._core.retain(kept)

    def _running(self) -> BrokerCore:
        if self._core is None:
            raise RuntimeError("this broker is not running")
        return self._core

    async def _all_gone(self) -> None:
        """Wait until the event loop has seen the end of every connection."""
        for connection in tuple(self._connections):
            await connection.gone


def _parcels(core: BrokerCore) -> list[Parcel]:
    kept = [(topic, core.retained.get(topic)) for topic in core.retained.topics()]
    return [
        Parcel(topic, message.packet.payload, retain=True) for topic, message in kept if message is not None
    ]
