"""MqttTransport: a Transport over any MQTT broker; the one door to aiomqtt."""

import asyncio
import socket
import ssl
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Final

import aiomqtt
from aiomqtt.client import MQTT_LOGGER
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from accessory_emu.protocol.ports import Delivery, Parcel, Random
from accessory_emu.transports import bounds
from accessory_emu.transports.broker_address import BadAddress, BrokerAddress, Trouble, WireError
from accessory_emu.transports.inbox import Deliveries
from accessory_emu.transports.packet_values import MqttReason, Version
from accessory_emu.transports.patience import PATIENT, Patience
from accessory_emu.transports.shared_connection import SharedConnection
from accessory_emu.transports.wire import Wire, WireSink

_PROTOCOLS: Final = {
    Version.MQTT_5: aiomqtt.ProtocolVersion.V5,
    Version.MQTT_311: aiomqtt.ProtocolVersion.V311,
}
_FAILURE: Final = 128  # reason codes from here on are failures
_REFUSALS: Final[Mapping[int | None, Trouble]] = {
    MqttReason.BAD_USER_NAME_OR_PASSWORD: Trouble.CREDENTIALS,
    MqttReason.NOT_AUTHORIZED: Trouble.CREDENTIALS,
    MqttReason.UNSUPPORTED_PROTOCOL_VERSION: Trouble.VERSION,
}
# aiomqtt and paho log what a broker did wrong, and only one room of this house logs: see `counters`
_SILENT: Final = MQTT_LOGGER.getChild("accessory_emu")
_SILENT.disabled = True


class _Client(aiomqtt.Client):
    """aiomqtt's client with four of its callbacks taken over, and a way to close its socket.

    aiomqtt 2.5 turns each message and each publish into tasks that search all others, lets a topic that is
    not UTF-8 end the connection, does not see that a broker hangs up before CONNACK, hides the receive
    maximum and the reason in PUBACK, and leaves the socket open after a packet that it cannot read.
    """

    sink: WireSink
    receive_max = 65_535

    def _on_connect(
        self,
        client: PahoClient,
        userdata: object,
        flags: ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        self.receive_max = getattr(properties, "ReceiveMaximum", self.receive_max)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self,
        client: PahoClient,
        userdata: object,
        flags: DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        # paho may call this from the thread in which it connects
        self._loop.call_soon_threadsafe(_close_unanswered, self._connected)
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def _on_message(self, client: PahoClient, userdata: object, message: MQTTMessage) -> None:  # noqa: ARG002 - theirs
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self.sink.unreadable()
            return
        self.sink.arrived(Delivery(topic, bytes(message.payload), message.retain))

    def _on_publish(
        self,
        client: PahoClient,  # noqa: ARG002 - theirs
        userdata: object,  # noqa: ARG002 - theirs
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,  # noqa: ARG002 - theirs
    ) -> None:
        self.sink.acknowledged(mid, refused=reason_code.value >= _FAILURE)

    def post(self, parcel: Parcel) -> int | None:
        """Publish at once, and give the packet id."""
        info = self._client.publish(parcel.topic, parcel.payload, 1, parcel.retain)
        return info.mid if info.rc == 0 else None

    async def lost(self) -> str:
        """Wait for the end of the connection."""
        await asyncio.wait((self._disconnected,))
        error = self._disconnected.exception()
        return "the connection was closed" if error is None else str(error) or type(error).__name__

    def shut(self) -> None:
        """Close the socket, whatever state the client is in."""
        self._client._sock_close()  # noqa: SLF001 - paho's own way out needs a healthy connection


class _TlsSocket(ssl.SSLSocket):
    """A socket that closes when its handshake fails; paho leaves that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - theirs
        try:
            super().do_handshake(block)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            self.close()
            raise


def _close_unanswered(connected: asyncio.Future[None]) -> None:
    if not connected.done():
        connected.set_exception(aiomqtt.MqttError("the connection was closed without an answer"))


class MqttWire:
    """A Wire over aiomqtt: QoS 1, a clean session, no Nagle, every queue bounded by its user.

    Spec: AE-MQ-002, AE-MQ-003.
    """

    def __init__(self, client: _Client, sink: WireSink, ack_within_s: float) -> None:
        self._ack_within_s = ack_within_s
        self._client = client
        self._client.sink = sink
        self._stack = AsyncExitStack()

    @property
    def window(self) -> int:
        """How many parcels may be without acknowledgement at a time."""
        return min(self._client.receive_max, bounds.WINDOW)

    async def open(self) -> None:
        """Connect. Raises WireError."""
        try:
            await self._stack.enter_async_context(self._client)
        except aiomqtt.MqttError as error:
            raise WireError(_trouble(error), str(error)) from None
        except (ValueError, RuntimeError) as error:  # a host name that cannot be one
            raise WireError(Trouble.NAME, str(error)) from None

    async def subscribe(self, filters: Sequence[str]) -> list[bool]:
        """Subscribe with QoS 1 and tell for each filter whether it is granted. Raises WireError."""
        try:
            codes = await self._client.subscribe([(name, 1) for name in filters], timeout=self._ack_within_s)
        except (aiomqtt.MqttError, ValueError) as error:
            raise WireError(Trouble.LOST, f"SUBSCRIBE: {error}") from None
        values = [code if isinstance(code, int) else code.value for code in codes]
        return [value < _FAILURE for value in values[: len(filters)]] + [False] * (len(filters) - len(values))

    async def unsubscribe(self, filters: Sequence[str]) -> None:
        """End subscriptions. Raises WireError."""
        try:
            await self._client.unsubscribe(list(filters), timeout=self._ack_within_s)
        except (aiomqtt.MqttError, ValueError) as error:
            raise WireError(Trouble.LOST, f"UNSUBSCRIBE: {error}") from None

    def publish(self, parcel: Parcel) -> int | None:
        """Publish with QoS 1 and give the packet id; None if the wire takes no more."""
        return self._client.post(parcel)

    async def gone(self) -> str:
        """Wait until the connection is lost, and tell why."""
        return await self._client.lost()

    async def close(self, *, clean: bool) -> None:
        """End the connection; `clean` says goodbye, so that no will is published."""
        if clean:
            with suppress(aiomqtt.MqttError):
                await self._stack.aclose()
        self._client.shut()


class MqttTransport:
    """One accessory's or controller's own connection to an MQTT broker.

    It connects by itself after the first `listen` or `ready`; with a will, if one is given. `connection` has
    counters, `refused` filters, and what went wrong last.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        random: Random,
        *,
        will: Parcel | None = None,
        inbox: int = bounds.INBOX_MESSAGES,
        patience: Patience = PATIENT,
    ) -> None:
        self.connection = shared_connection(address, client_id, random, will=will, patience=patience)
        self._share = self.connection.share(inbox)

    @property
    def unsent(self) -> int:
        """Parcels that were dropped: no connection, no acknowledgement, or refused."""
        return self._share.unsent

    @property
    def dropped(self) -> int:
        """Deliveries that nobody read in time."""
        return self._share.inbox.dropped

    def deliveries(self) -> Deliveries:
        """Iterate over what arrives; there is one reader."""
        return self._share.deliveries()

    async def listen(self, filters: Collection[str], again: Collection[str] = ()) -> None:
        """Make `filters` the whole set of subscriptions. Raises TopicError."""
        await self._share.listen(filters, again)

    async def send(self, parcel: Parcel) -> None:
        """Publish with QoS 1. Raises TopicError."""
        await self._share.send(parcel)

    async def ready(self, timeout_s: float) -> None:
        """Wait until the connection stands. Raises BrokerUnreachable."""
        await self.connection.ready(timeout_s)

    async def close(self) -> None:
        """Let what is on its way leave, disconnect cleanly, and end `deliveries`."""
        await self.connection.close()


def shared_connection(
    address: BrokerAddress,
    client_id: str,
    random: Random,
    *,
    will: Parcel | None = None,
    patience: Patience = PATIENT,
) -> SharedConnection:
    """Give a connection that many accessories share; it does not connect yet.

    Raises:
        BadAddress: the CA file cannot be read.
    """
    tls = _tls(address)

    def dial(version: Version, sink: WireSink) -> Wire:
        client = _Client(
            address.host,
            address.port,
            identifier=client_id,
            username=address.username,
            password=address.password,
            protocol=_PROTOCOLS[version],
            clean_session=None if version is Version.MQTT_5 else True,
            clean_start=True if version is Version.MQTT_5 else MQTT_CLEAN_START_FIRST_ONLY,
            will=None if will is None else aiomqtt.Will(will.topic, will.payload, 1, will.retain),
            tls_context=tls,
            keepalive=patience.keep_alive_s,
            timeout=patience.connect_within_s,
            max_inflight_messages=0,  # no limit of its own: `window` is kept by the outbox
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # Nagle costs 88 ms a round trip
            logger=_SILENT,
        )
        return MqttWire(client, sink, patience.ack_within_s)

    where, protocol = str(address), address.protocol
    return SharedConnection(dial, random, address=where, protocol=protocol, patience=patience)


def _tls(address: BrokerAddress) -> ssl.SSLContext | None:
    if not address.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=address.ca)
    except (OSError, ssl.SSLError) as error:
        raise BadAddress(f"the CA file {address.ca} cannot be read: {error}; name a PEM file") from None
    context.sslsocket_class = _TlsSocket
    return context


def _trouble(error: aiomqtt.MqttError) -> Trouble:
    """Tell from aiomqtt's error, whose cause is only a text, what was the matter."""
    if isinstance(error, aiomqtt.MqttCodeError):
        code = error.rc.value if isinstance(error.rc, ReasonCode) else error.rc
        return (
            _REFUSALS.get(MqttReason(code), Trouble.REFUSED) if code in set(MqttReason) else Trouble.REFUSED
        )
    text = str(error)
    if "SSL" in text or "certificate" in text:
        return Trouble.TLS
    if text.startswith("[Errno -"):
        return Trouble.NAME
    return Trouble.NOBODY if text.startswith("[Errno") or text == "timed out" else Trouble.NO_ANSWER
