"""A bare MQTT client for tests: writes values or bytes, and reads what comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from accessory_emu.transports import packets
from accessory_emu.transports.packet_reader import PacketReader
from accessory_emu.transports.packet_values import (
    ConnAck,
    Connect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    Subscription,
    Version,
)

V5, V311 = Version.MQTT_5, Version.MQTT_311
PATIENCE_S = 10  # only a failing test waits so long


class WireClient:
    """One connection; everything it does is spelled out by the test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, version: Version) -> None:
        self.version = version
        self.packets = PacketReader(version)
        self._reader = reader
        self.writer = writer
        self.answer = ConnAck()
        self._early: list[Publish] = []
        self._id = 0

    def next_id(self) -> int:
        """Give a packet id."""
        self._id += 1
        return self._id

    def send(self, *values: Packet) -> None:
        """Write packets."""
        self.writer.write(b"".join(packets.write(value, self.version) for value in values))

    async def read(self) -> Packet | None:
        """Read the next packet; None when the other side has closed."""
        async with asyncio.timeout(PATIENCE_S):
            while (packet := self.packets.next()) is None:
                data = await self._reader.read(65_536)
                if not data:
                    return None
                self.packets.feed(data)
            return packet

    async def expect(self, kind: type) -> Packet:
        """Read the next packet, which is of this kind; messages on the way are kept for `messages`."""
        while isinstance(packet := await self.read(), Publish) and kind is not Publish:
            self._early.append(packet)
        assert isinstance(packet, kind), packet
        return packet

    async def subscribe(self, *asked: Subscription | str) -> tuple[int, ...]:
        """Subscribe, and give the reasons."""
        filters = tuple(Subscription(want) if isinstance(want, str) else want for want in asked)
        self.send(Subscribe(self.next_id(), filters))
        answer = await self.expect(SubAck)
        assert isinstance(answer, SubAck)
        return answer.reasons

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Publish with QoS 1, and give the reason of its acknowledgement."""
        packet_id = self.next_id()
        self.send(Publish(topic, payload, 1, retain, packet_id))
        answer = await self.expect(PubAck)
        assert isinstance(answer, PubAck)
        assert answer.packet_id == packet_id
        return answer.reason

    async def messages(self) -> list[Publish]:
        """Give what came until now, acknowledged: a ping fences it."""
        self.send(PingReq())
        await self.expect(PingResp)
        got, self._early = self._early, []
        for packet in got:
            if packet.packet_id is not None:
                self.send(PubAck(packet.packet_id))
        return got

    async def close(self) -> None:
        """Close the socket without a word."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


@asynccontextmanager
async def opened(port: int, version: Version = V5) -> AsyncIterator[WireClient]:
    """Open a socket, and say nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = WireClient(reader, writer, version)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def connected(port: int, connect: Connect | str) -> AsyncIterator[WireClient]:
    """Open a socket and connect; the answer is yes."""
    asked = Connect(connect, V5) if isinstance(connect, str) else connect
    async with opened(port, asked.version) as client:
        client.send(asked)
        answer = await client.expect(ConnAck)
        assert isinstance(answer, ConnAck)
        assert answer.reason == 0, answer
        client.answer = answer
        yield client
