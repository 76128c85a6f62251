"""A broker that does what a test tells it, right or wrong."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from accessory_emu.transports.packet_values import (
    ConnAck,
    Connect,
    PingReq,
    PingResp,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    Version,
)
from tests.transports.wire import WireClient

Part = Callable[[WireClient], Awaitable[None]]


@asynccontextmanager
async def acting(part: Part, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Play a part for everybody who connects; gives the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        client = WireClient(reader, writer, Version.MQTT_5)
        try:
            await part(client)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            await client.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def greet(client: WireClient, answer: ConnAck | None = None) -> Connect:
    """Read CONNECT, and let the client in."""
    asked = await client.expect(Connect)
    assert isinstance(asked, Connect)
    client.version = client.packets.version = asked.version
    client.send(answer or ConnAck())
    return asked


async def serve_politely(
    client: WireClient,
) -> None:
    """Grant every subscription, answer every ping, acknowledge every message, until the client goes."""
    while (packet := await client.read()) is not None:
        if isinstance(packet, Subscribe):
            client.send(SubAck(packet.packet_id, tuple(1 for _ in packet.subscriptions)))
        elif isinstance(packet, PingReq):
            client.send(PingResp())
        elif isinstance(packet, Publish):
            client.send(PubAck(packet.packet_id or 0))


async def polite(client: WireClient) -> None:
    """Be a broker that forwards nothing."""
    await greet(client)
    await serve_politely(client)


async def swallow(client: WireClient) -> None:
    """Read everything and say nothing more."""
    while await client.read() is not None:
        continue
