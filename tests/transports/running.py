"""An embedded broker that runs for the length of a test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import ParamSpec

from accessory_emu.transports.broker import EmbeddedBroker
from accessory_emu.transports.broker_config import BrokerConfig, BrokerHooks

P = ParamSpec("P")


@asynccontextmanager
async def running(
    config: BrokerConfig | None = None, hooks: BrokerHooks | None = None
) -> AsyncIterator[EmbeddedBroker]:
    """Start a broker on a free port, and stop it."""
    broker = EmbeddedBroker(config or BrokerConfig(), hooks)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


def port_of(broker: EmbeddedBroker) -> int:
    """Give the port of a broker that runs."""
    assert broker.port is not None
    return broker.port


def on_a_loop(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """Run a test that is a coroutine on an event loop of its own."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


async def until(holds: Callable[[], bool], patience_s: float = 10) -> None:
    """Let the event loop turn until something holds; only a failing test waits the whole time."""
    async with asyncio.timeout(patience_s):
        turn = asyncio.Event()
        while not holds():
            turn.clear()
            asyncio.get_running_loop().call_later(0.001, turn.set)
            await turn.wait()
