"""What the embedded broker keeps for one client: subscriptions, and messages on their way to it. No I/O."""

import math
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol

from accessory_emu.transports import packets
from accessory_emu.transports.broker_config import BrokerConfig
from accessory_emu.transports.packet_values import MqttReason, Publish, Subscription, Version, Will

_IDS: Final = 0xFFFF  # packet ids run from 1 to here
_DUP: Final = 0x08
_EAGER: Final = 256  # a queue of this length is emptied at once, not at the end of the loop's turn


class Message:
    """One message, written at most once for each way in which it is sent.

    `expires` is the loop's time in seconds after which nobody gets it any more, or None.
    """

    __slots__ = ("_written", "expires", "packet", "size")

    def __init__(self, packet: Publish, now: float) -> None:
        expiry = packet.hints.expiry_s
        self.packet = packet
        self.size = len(packet.topic) + len(packet.payload)
        self.expires = None if expiry is None else now + expiry
        self._written: dict[tuple[Version, int, bool], tuple[bytes, bytes]] = {}

    def expired(self, now: float) -> bool:
        """Tell whether it is too late for this message."""
        return self.expires is not None and now >= self.expires

    def written(self, version: Version, qos: int, *, flag: bool, now: float) -> tuple[bytes, bytes]:
        """Give its PUBLISH: whole and nothing for QoS 0, before and behind the packet id for QoS 1."""
        key = (version, qos, flag)
        parts = self._written.get(key)
        if parts is not None:
            return parts
        hints = self.packet.hints
        if self.expires is not None:
            hints = replace(hints, expiry_s=max(0, math.ceil(self.expires - now)))
        packet = Publish(self.packet.topic, self.packet.payload, qos, flag, 1 if qos else None, hints=hints)
        parts = packets.split_publish(packet, version) if qos else (packets.write(packet, version), b"")
        if self.expires is None or version is Version.MQTT_311:
            self._written[key] = parts  # else the time that is left changes
        return parts


class Entry(NamedTuple):
    """A message for one client, with the QoS and the retained flag that it gets there."""

    message: Message
    qos: int
    flag: bool


class SessionLink(Protocol):
    """What a session knows of its connection."""

    def wake(self) -> None:
        """Send what waits at the end of the loop's turn."""
        ...

    def pump(self) -> None:
        """Send what waits, as far as the client takes it."""
        ...

    def close(self, reason: MqttReason) -> None:
        """End the connection and say why."""
        ...

    def cut(self) -> None:
        """End the connection without a word."""
        ...


@dataclass(slots=True)
class Reach:
    """What a connected client takes: its protocol, open QoS 1 messages, and the largest packet."""

    version: Version
    window: int
    max_packet: int | None


class Session:
    """One client's subscriptions and queues; it outlives a connection if `expiry_s` is above 0."""

    def __init__(self, client_id: str, config: BrokerConfig, counters: Counter[str]) -> None:
        self.client_id = client_id
        self.link: SessionLink | None = None
        self.will: Will | None = None
        self.expiry_s = 0
        self.subscriptions: dict[str, Subscription] = {}
        self.incoming: set[int] = set()  # packet ids of QoS 2 that are not let go yet
        self._config = config
        self._counters = counters
        self._queue: deque[Entry] = deque()
        self._queue_bytes = 0
        self._retained: dict[str, Entry] = {}  # for new subscriptions; one a topic, so it is bounded
        self._in_flight: dict[int, Entry] = {}
        self._again: deque[int] = deque()  # packet ids to send again on a new connection
        self._last_id = 0

    def offer(self, entry: Entry) -> None:
        """Take a message for the client; while it is away, QoS 0 is not kept."""
        if self.link is None and entry.qos == 0:
            return
        while self._queue and (
            len(self._queue) >= self._config.queue_messages
            or self._queue_bytes + entry.message.size > self._config.queue_bytes
        ):
            self._queue_bytes -= self._queue.popleft().message.size
            self._counters["dropped"] += 1
        self._queue.append(entry)
        self._queue_bytes += entry.message.size
        if self.link is None:
            return
        if len(self._queue) % _EAGER:
            self.link.wake()
        else:
            self.link.pump()

    def offer_retained(self, entry: Entry) -> None:
        """Take a retained message for a new subscription; it leaves before what is live."""
        self._retained[entry.message.packet.topic] = entry
        if self.link is not None:
            self.link.wake()

    def resume(self) -> None:
        """Send again, on a new connection, what was not acknowledged."""
        self._again = deque(self._in_flight)

    def acknowledged(self, packet_id: int) -> bool:
        """Forget a message that has arrived; False if none has this packet id."""
        return self._in_flight.pop(packet_id, None) is not None

    def frames(self, reach: Reach, now: float) -> Iterator[bytes]:
        """Write what waits, oldest first, as far as the client's window allows."""
        while self._again:
            packet_id = self._again.popleft()
            if packet_id in self._in_flight:
                head, tail = self._written(self._in_flight[packet_id], reach, now)
                yield bytes((head[0] | _DUP,)) + head[1:] + packet_id.to_bytes(2) + tail
        while (entry := self._next(reach.window)) is not None:
            if entry.message.expired(now):
                self._counters["expired"] += 1
                continue
            head, tail = self._written(entry, reach, now)
            size = len(head) + len(tail) + 2 * entry.qos
            if reach.max_packet is not None and size > reach.max_packet:
                self._counters["oversize"] += 1
                continue
            self._counters["forwarded"] += 1
            if entry.qos == 0:
                yield head
                continue
            packet_id = self._free_id()
            self._in_flight[packet_id] = entry
            yield head + packet_id.to_bytes(2) + tail

    def _next(self, window: int) -> Entry | None:
        """Take the next entry that may leave; one that must wait keeps all behind it waiting: order."""
        if self._retained:
            topic = next(iter(self._retained))
            if self._retained[topic].qos and len(self._in_flight) >= window:
                return None
            return self._retained.pop(topic)
        if not self._queue or (self._queue[0].qos and len(self._in_flight) >= window):
            return None
        entry = self._queue.popleft()
        self._queue_bytes -= entry.message.size
        return entry

    def _free_id(self) -> int:
        while True:
            self._last_id = self._last_id % _IDS + 1
            if self._last_id not in self._in_flight:
                return self._last_id

    @staticmethod
    def _written(entry: Entry, reach: Reach, now: float) -> tuple[bytes, bytes]:
        return entry.message.written(reach.version, entry.qos, flag=entry.flag, now=now)
