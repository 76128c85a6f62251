"""Every kind of broker behind one handle, so that one suite of tests can be played on all of them."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

import pytest

from accessory_emu.protocol.ports import Delivery, Link, Parcel
from accessory_emu.transports import broker_address
from accessory_emu.transports.base import Transport
from accessory_emu.transports.broker import EmbeddedBroker
from accessory_emu.transports.broker_address import BrokerAddress
from accessory_emu.transports.broker_config import BrokerConfig
from accessory_emu.transports.memory import MemoryLink, MemoryNetwork, MemoryTransport
from accessory_emu.transports.mqtt import MqttTransport
from accessory_emu.transports.packet_values import Connect, Version
from accessory_emu.transports.patience import Patience
from tests.transports.dice import SeededDice
from tests.transports.wire import connected

PATIENCE_S: Final = 20  # only a failing test waits so long
QUICK: Final = Patience(
    backoff_first_s=0.02, backoff_most_s=0.2, steady_s=60, refused_first_s=0.02, close_within_s=1
)


class Ear:
    """The reader of one transport."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._items = transport.deliveries()

    async def next(self) -> Delivery | Link:
        """Wait for the next item."""
        async with asyncio.timeout(PATIENCE_S):
            return await anext(self._items)

    async def link(self, *, up: bool) -> None:
        """Wait for news of the link; what else comes before is not wanted."""
        item = await self.next()
        assert item == Link(up=up)

    async def messages(self, count: int) -> list[Delivery]:
        """Wait for so many messages."""
        got = [await self.next() for _ in range(count)]
        messages = [item for item in got if isinstance(item, Delivery)]
        assert len(messages) == count, got
        return messages

    async def until(self, last: bytes) -> list[Delivery]:
        """Wait for a message with this payload, and give what came before it."""
        got: list[Delivery] = []
        while not (isinstance(item := await self.next(), Delivery) and item.payload == last):
            if isinstance(item, Delivery):
                got.append(item)
        return got


class Rig(Protocol):
    """A broker and what can happen to it."""

    def transport(self, client_id: str, will: Parcel | None = None) -> Transport:
        """Give a client."""
        ...

    async def cut(self, client_id: str) -> None:
        """Break a client's connection; the client makes it again."""
        ...

    async def restart(self) -> None:
        """Kill the broker, so that it forgets everything, and start it again."""
        ...


class MemoryRig:
    """The network in one process."""

    def __init__(self) -> None:
        self.network = MemoryNetwork(SeededDice())
        self._links: dict[str, MemoryLink] = {}

    def transport(self, client_id: str, will: Parcel | None = None) -> Transport:
        """Give a client."""
        self._links[client_id] = self.network.attach(client_id, will)
        return MemoryTransport(self._links[client_id])

    async def cut(self, client_id: str) -> None:
        """Drop the link, and restore it."""
        self._links[client_id].drop()
        self._links[client_id].restore()

    async def restart(self) -> None:
        """Lose everything."""
        for link in self._links.values():
            link.drop()
        self.network.forget_retained()
        for link in self._links.values():
            link.restore()


class MqttRig:
    """A broker on a port of this machine, and clients of one protocol."""

    def __init__(self, port: int, protocol: broker_address.Protocol) -> None:
        self.port = port
        self._protocol: broker_address.Protocol = protocol
        self._dice = SeededDice()

    def transport(self, client_id: str, will: Parcel | None = None) -> Transport:
        """Give a client."""
        address = BrokerAddress("127.0.0.1", self.port, protocol=self._protocol)
        return MqttTransport(address, client_id, self._dice, will=will, patience=QUICK)

    async def cut(self, client_id: str) -> None:
        """Take the client id over, and leave at once."""
        async with connected(self.port, Connect(client_id, Version.MQTT_311)):
            pass


class EmbeddedRig(MqttRig):
    """The embedded broker."""

    def __init__(self, broker: EmbeddedBroker, protocol: broker_address.Protocol) -> None:
        super().__init__(broker.port or 0, protocol)
        self.broker = broker

    async def restart(self) -> None:
        """Stop it like a crash, and start another on the same port."""
        await self.broker.stop(abrupt=True)
        self.broker = EmbeddedBroker(BrokerConfig(port=self.port))
        await self.broker.start()


class MosquittoRig(MqttRig):
    """Mosquitto, in a process of its own."""

    def __init__(self, mosquitto: "Mosquitto", protocol: broker_address.Protocol) -> None:
        super().__init__(mosquitto.port, protocol)
        self._mosquitto = mosquitto

    async def restart(self) -> None:
        """Kill it, and start it again."""
        await self._mosquitto.stop()
        await self._mosquitto.start()


class Mosquitto:
    """A Mosquitto on a free port of the loopback interface."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.port = free_port()
        self._file = folder / "mosquitto.conf"
        lines = (f"listener {self.port} 127.0.0.1", "set_tcp_nodelay true", "persistence false", *settings)
        self._file.write_text("\n".join(lines) + "\n")
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it says that it runs."""
        binary = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        if binary is None:
            pytest.skip("needs the mosquitto binary: install the package mosquitto")
        process = await asyncio.create_subprocess_exec(
            binary, "-c", str(self._file), "-v", stderr=asyncio.subprocess.PIPE
        )
        self._process = process
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            while b" running" not in (line := await process.stderr.readline()):
                assert line, "mosquitto ended before it ran"
        self._log = asyncio.create_task(process.stderr.read())

    async def stop(self) -> None:
        """Kill it."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()
        await self._log


def free_port() -> int:
    """Give a port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def memory_rig() -> AsyncIterator[Rig]:
    """Give the network in one process."""
    yield MemoryRig()


@asynccontextmanager
async def embedded_rig(protocol: broker_address.Protocol) -> AsyncIterator[Rig]:
    """Give an embedded broker."""
    broker = EmbeddedBroker(BrokerConfig())
    await broker.start()
    rig = EmbeddedRig(broker, protocol)
    try:
        yield rig
    finally:
        await rig.broker.stop()


@asynccontextmanager
async def mosquitto_rig(folder: Path, protocol: broker_address.Protocol) -> AsyncIterator[Rig]:
    """Give a Mosquitto."""
    mosquitto = Mosquitto(folder, "allow_anonymous true")
    await mosquitto.start()
    try:
        yield MosquittoRig(mosquitto, protocol)
    finally:
        await mosquitto.stop()


@asynccontextmanager
async def clients(rig: Rig, *names: str) -> AsyncIterator[list[Ear]]:
    """Give clients of a rig, and close them."""
    ears = [Ear(rig.transport(name)) for name in names]
    try:
        yield ears
    finally:
        for ear in ears:
            await ear.transport.close()
