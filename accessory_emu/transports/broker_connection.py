"""One client's connection to the embedded broker: bytes in, packets judged, bytes out."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from accessory_emu.transports import packets
from accessory_emu.transports.broker_config import Fault
from accessory_emu.transports.broker_core import BrokerCore
from accessory_emu.transports.broker_session import Reach, Session
from accessory_emu.transports.packet_reader import PacketReader
from accessory_emu.transports.packet_values import (
    ConnAck,
    Connect,
    Disconnect,
    MqttReason,
    Packet,
    PacketError,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    Version,
)
from accessory_emu.transports.topic_filters import TopicError

_HIGH_WATER: Final = 64 << 10  # bytes the socket has not taken; above, messages wait in the session's queue
_CHUNK: Final = 64 << 10  # bytes joined into one write
_LINGER_S: Final = 2.0  # how long the last bytes may take after a close
_QOS_2: Final = 2
_PATIENCE: Final = 1.5  # keep-alive periods until a silent client is given up (MQTT 3.1.2.10)


class _Broken(Exception):
    """The client broke a rule; `reason` says which."""

    def __init__(self, reason: MqttReason) -> None:
        super().__init__(reason.name)
        self.reason = reason


class BrokerConnection(asyncio.Protocol):
    """A connection from its socket to its session.

    Before CONNECT nothing else is legal, afterwards CONNECT is not. Whatever a client sends, the worst that
    happens is the end of its own connection: with DISCONNECT and a reason on MQTT 5, without a word on 3.1.1.
    """

    def __init__(self, core: BrokerCore, connections: "set[BrokerConnection]") -> None:
        self._core = core
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._reader = PacketReader(max_size=core.config.max_packet)
        self._transport: asyncio.Transport | None = None
        self._session: Session | None = None
        self._reach = Reach(Version.MQTT_311, core.config.in_flight, None)
        self._timer: asyncio.TimerHandle | None = None
        self._keep_alive = 0.0
        self._heard = 0.0
        self._out: list[bytes] = []
        self._woken = False
        self._paused = False
        self._ended = False
        self.gone: asyncio.Future[None] = self._loop.create_future()

    # What the event loop calls

    def connection_made(
        self,
        transport: asyncio.Transport,  # type: ignore[override] # a broker listens on streams only
    ) -> None:
        """Take a new connection; one too many is cut."""
        self._transport = transport
        self._connections.add(self)
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        listener = transport.get_extra_info("socket")
        if listener is not None:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self._connections) > self._core.config.connections:
            self._core.counters["refused"] += 1
            self.cut()
            return
        self._timer = self._loop.call_later(self._core.config.connect_within_s, self._silent)

    def data_received(self, data: bytes) -> None:
        """Take bytes in and act on every packet that is whole."""
        if self._ended:
            return
        self._heard = self._loop.time()
        self._reader.feed(data)
        try:
            while not self._ended and (packet := self._reader.next()) is not None:
                self._take(packet)
        except PacketError as error:
            self._core.counters["malformed"] += 1
            self._refuse_malformed(error.reason)
        except _Broken as error:
            self._core.counters["broken_rules"] += 1
            self.close(error.reason)
        self._check_backlog()

    def pause_writing(self) -> None:
        """The client reads too slowly: its messages wait in the session."""
        self._paused = True

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._paused = False
        self.pump()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter
        """Learn that the connection is gone."""
        self._end(will=True)
        self._connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self.gone.set_result(None)

    # What the session and the broker call

    def wake(self) -> None:
        """Send what waits at the end of the loop's turn."""
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self.pump)

    def pump(self) -> None:
        """Send what waits, as far as the client takes it, in few large writes."""
        self._woken = False
        if self._session is not None and not self._ended:
            waiting = 0
            frames = self._session.frames(self._reach, self._loop.time())
            while not self._paused and (frame := next(frames, None)) is not None:
                self._out.append(frame)
                waiting += len(frame)
                if waiting > _CHUNK:
                    self._flush()
                    waiting = 0
        self._flush()

    def close(self, reason: MqttReason) -> None:
        """End the connection, with a reason where the protocol has one; the will is published."""
        if self._ended:
            return
        if self._session is not None and self._reach.version is Version.MQTT_5:
            self._send(Disconnect(reason))
        self._end(will=True)

    def cut(self) -> None:
        """End the connection without a word, as a broken line would."""
        self._end(will=True)
        if self._transport is not None:
            self._transport.abort()

    # Packets

    def _take(self, packet: Packet) -> None:
        if isinstance(packet, Connect):
            if self._session is not None:
                raise _Broken(MqttReason.PROTOCOL_ERROR)
            self._connect(packet)
            return
        act = self._acts.get(type(packet))
        if act is None or self._session is None:
            raise _Broken(MqttReason.PROTOCOL_ERROR)
        act(self, packet)

    def _connect(self, packet: Connect) -> None:
        config = self._core.config
        if packet.version not in config.protocols:
            self._refuse(MqttReason.UNSUPPORTED_PROTOCOL_VERSION, Version.MQTT_311)
            return
        reason = self._core.admit(packet)
        if reason is not MqttReason.SUCCESS:
            self._refuse(reason, packet.version)
            return
        window = min(packet.receive_max, config.in_flight)
        self._reach = Reach(packet.version, window, packet.max_packet)
        session, present = self._core.attach(packet, self)
        self._session = session
        self._core.counters["connected"] += 1
        self._keep_alive = packet.keep_alive * _PATIENCE
        self._watch()
        answer = ConnAck(
            session_present=present,
            session_expiry=None if session.expiry_s == packet.session_expiry else session.expiry_s,
            assigned_client_id=None if packet.client_id else session.client_id,
            receive_max=config.in_flight,
            max_packet=config.max_packet,
            subscription_ids=False,
            shared_subscriptions=False,
        )
        self._send(answer)
        self.wake()

    def _publish(self, packet: Publish) -> None:
        session = self._here()
        if packet.topic_alias is not None:
            raise _Broken(MqttReason.TOPIC_ALIAS_INVALID)
        packet_id = packet.packet_id
        if packet.qos == _QOS_2 and packet_id in session.incoming:
            self._send(PubRec(packet_id))
            return
        if packet.qos == _QOS_2 and len(session.incoming) >= self._core.config.in_flight:
            raise _Broken(MqttReason.RECEIVE_MAX_EXCEEDED)
        reason, fault = self._route(packet, session)
        if packet_id is None or fault.withhold_ack:
            return
        if packet.qos == 1:
            self._send(PubAck(packet_id, reason))
            return
        if reason is MqttReason.SUCCESS or self._reach.version is Version.MQTT_311:
            session.incoming.add(packet_id)  # else the exchange ends here (MQTT 5, 4.3.3)
        self._send(PubRec(packet_id, reason))

    def _route(self, packet: Publish, session: Session) -> tuple[MqttReason, Fault]:
        try:
            return self._core.publish(packet, session.client_id)
        except TopicError:
            raise _Broken(MqttReason.TOPIC_NAME_INVALID) from None

    def _pubrel(self, packet: PubRel) -> None:
        session = self._here()
        known = packet.packet_id in session.incoming
        session.incoming.discard(packet.packet_id)
        self._send(PubComp(packet.packet_id, 0 if known else MqttReason.PACKET_ID_NOT_FOUND))

    def _puback(self, packet: PubAck) -> None:
        if self._here().acknowledged(packet.packet_id):
            self.wake()

    def _subscribe(self, packet: Subscribe) -> None:
        if packet.identifier is not None:
            raise _Broken(MqttReason.SUBSCRIPTION_IDS_NOT_SUPPORTED)
        self._send(SubAck(packet.packet_id, self._core.subscribe(self._here(), packet)))

    def _unsubscribe(self, packet: Unsubscribe) -> None:
        self._send(UnsubAck(packet.packet_id, self._core.unsubscribe(self._here(), packet)))

    def _pingreq(self, _packet: PingReq) -> None:
        self.pump()  # what waited leaves before the answer: a ping fences
        self._send(PingResp())

    def _disconnect(self, packet: Disconnect) -> None:
        session = self._here()
        if packet.session_expiry is not None:
            if packet.session_expiry and not session.expiry_s:
                raise _Broken(MqttReason.PROTOCOL_ERROR)
            session.expiry_s = min(packet.session_expiry, self._core.config.session_expiry_s)
        self._end(will=packet.reason == MqttReason.DISCONNECT_WITH_WILL)

    # Inside

    def _here(self) -> Session:
        if self._session is None:
            raise _Broken(MqttReason.PROTOCOL_ERROR)
        return self._session

    def _refuse(self, reason: MqttReason, version: Version) -> None:
        self._core.counters["refused"] += 1
        self._out.append(packets.write(ConnAck(reason=reason), version))
        self._end(will=False)

    def _refuse_malformed(self, reason: MqttReason) -> None:
        if self._session is None and reason is MqttReason.UNSUPPORTED_PROTOCOL_VERSION:
            self._refuse(reason, Version.MQTT_311)
        else:
            self.close(reason)

    def _send(self, packet: Packet) -> None:
        self._out.append(packets.write(packet, self._reach.version))
        self.wake()

    def _flush(self) -> None:
        if self._out and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _check_backlog(self) -> None:
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() > self._core.config.backlog_bytes:
            self._core.counters["too_slow"] += 1
            self.cut()

    def _watch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._keep_alive:
            left = self._heard + self._keep_alive - self._loop.time()
            self._timer = self._loop.call_later(max(left, 0), self._silent)

    def _silent(self) -> None:
        """The time for CONNECT, or for the next sign of life, may be over."""
        if self._session is not None and self._loop.time() < self._heard + self._keep_alive:
            self._watch()
            return
        self._core.counters["silent"] += 1
        self.close(MqttReason.KEEP_ALIVE_TIMEOUT)

    def _end(self, *, will: bool) -> None:
        """Let the session go and close the socket once the last bytes are out, or soon."""
        if self._ended:
            return
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        self._flush()
        session, self._session = self._session, None
        if session is not None:
            self._core.detach(session, will=will)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
            if self._transport.get_write_buffer_size():
                self._timer = self._loop.call_later(_LINGER_S, self._transport.abort)

    _acts: ClassVar[Mapping[type, Callable[..., None]]] = {
        Publish: _publish,
        PubAck: _puback,
        PubRel: _pubrel,
        Subscribe: _subscribe,
        Unsubscribe: _unsubscribe,
        PingReq: _pingreq,
        Disconnect: _disconnect,
    }
