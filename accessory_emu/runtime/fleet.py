"""Many accessories, each with its engine and driver, on one store; one's trouble stays its own."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from accessory_emu.accessory.device import DeviceConfig, Label, Supplies
from accessory_emu.accessory.engine import AccessoryEngine
from accessory_emu.accessory.lifecycle import OFFLINE
from accessory_emu.protocol.envelope import GoodSignatures
from accessory_emu.protocol.ports import Clock, Event, Parcel, Random
from accessory_emu.runtime.driver import Driver
from accessory_emu.storage.base import Store, StoreError
from accessory_emu.transports.base import Transport


class Observer(Protocol):
    """Where the events of the accessories go."""

    def record(self, accessory: str, accessory_id: str, event: Event, now: int) -> None:
        """Take one event of one accessory in."""
        ...


Connect = Callable[[str, Parcel], Transport]  # client id and will -> a transport that begins to connect


@dataclass(frozen=True, slots=True)
class Unit:
    """One accessory of the fleet: its name in files and on screens, what it is, and its sticker."""

    name: str
    config: DeviceConfig
    label: Label


@dataclass(slots=True)
class _Running:
    unit: Unit
    engine: AccessoryEngine
    driver: Driver
    transport: Transport
    task: asyncio.Task[None] | None = None


class Fleet:
    """Accessories that run until they are stopped.

    Args:
        units: what to run.
        store: where their rows are kept, under `NAME/`.
        connect: makes the transport of one accessory.
        clock, random: real ones, or seeded ones.
        observer: where verdicts and other events go.

    `troubles` maps the names of accessories that had to be given up to what happened.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        *,
        store: Store,
        connect: Connect,
        clock: Clock,
        random: Random,
        observer: Observer,
    ) -> None:
        self._store, self._observer = store, observer
        self.troubles: dict[str, str] = {}
        self._failed: asyncio.Future[StoreError] | None = None
        self._clock, self._random, self._connect = clock, random, connect
        self._memo = GoodSignatures()
        self._running = {unit.name: self._make(unit) for unit in units}

    def _make(self, unit: Unit) -> _Running:
        supplies, clock = Supplies(self._random, unit.label, self._memo), self._clock
        prefix = f"{unit.name}/"
        rows = {key.removeprefix(prefix): row for key, row in self._store.load(prefix).items()}
        engine = AccessoryEngine(unit.config, supplies, rows, clock.now())
        will = Parcel(unit.config.topics.available(engine.id), OFFLINE, retain=True)
        transport = self._connect(f"ae-{engine.id.hex()}", will)

        def report(event: Event, now: int) -> None:
            self._observer.record(unit.name, engine.id.hex(), event, now)

        driver = Driver(
            engine, transport=transport, store=self._store, prefix=prefix, clock=clock, report=report
        )
        return _Running(unit, engine, driver, transport)

    def ids(self) -> Mapping[str, str]:
        """Give the accessory id, in hex, of every name."""
        return {name: running.engine.id.hex() for name, running in self._running.items()}

    def engine(self, name: str) -> AccessoryEngine:
        """Give one accessory's engine, to look at."""
        return self._running[name].engine

    async def act(self, name: str, verb: Callable[[AccessoryEngine, int], None]) -> None:
        """Do to one accessory what a person can do to a device."""
        running = self._running[name]
        await running.driver.act(lambda now: verb(running.engine, now))

    async def start(self) -> None:
        """Start every accessory: its rows are kept and its pump runs. Raises StoreError."""
        self._failed = asyncio.get_running_loop().create_future()
        for running in self._running.values():
            await running.driver.start()
            running.task = asyncio.create_task(self._pump(running), name=running.unit.name)

    async def restart(self, name: str) -> None:
        """Stop one accessory, if it runs, and start it again from its rows. Raises StoreError."""
        await self.stop(name)
        running = self._make(self._running[name].unit)
        self._running[name] = running
        await running.driver.start()
        running.task = asyncio.create_task(self._pump(running), name=name)

    async def failed(self) -> StoreError:
        """Wait until the store fails; then nothing more may be promised, and the process must stop."""
        if self._failed is None:
            raise RuntimeError("the fleet was not started")
        return await asyncio.shield(self._failed)

    async def stop(self, name: str | None = None) -> None:
        """Stop one accessory or all, cleanly."""
        stopping = [self._running[name]] if name else list(self._running.values())
        for running in stopping:
            await running.transport.close()
        tasks = [running.task for running in stopping if running.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(self, running: _Running) -> None:
        name = running.unit.name
        try:
            await running.driver.run()
        except StoreError as error:
            if self._failed is not None and not self._failed.done():
                self._failed.set_result(error)
        except Exception as error:  # noqa: BLE001 - a bug of ours in one accessory must not stop the others
            self.troubles[name] = f"{type(error).__name__}: {error}"
            self._observer.record(
                name, running.engine.id.hex(), Event("trouble", {"what": self.troubles[name]}), 0
            )
            await running.transport.close()
