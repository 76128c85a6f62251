"""run: emulate the accessories of a home until it is stopped."""

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from accessory_emu.cli.options import Common, takes
from accessory_emu.cli.output import Exit, Output, Problem, Result, table, tell

if TYPE_CHECKING:
    from accessory_emu.protocol.ports import Clock, Parcel
    from accessory_emu.runtime.config import HomeFile
    from accessory_emu.runtime.fleet import Fleet
    from accessory_emu.runtime.labels import Sticker
    from accessory_emu.runtime.observe import Observer
    from accessory_emu.runtime.trace_file import TraceFile
    from accessory_emu.storage.base import Store, StoreError
    from accessory_emu.transports.base import Transport

SCHEMA: Final = "accessory-emu.run/1"
_UP_WITHIN_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(Common):
    """The options of `run`."""

    file: Annotated[str, typer.Argument(help="A home file, or the name of one that ships.")] = "flat"
    port: Annotated[
        int | None,
        typer.Option(
            help="Port of the embedded MQTT broker; 0 for a free one.", min=0, max=65535, metavar="N"
        ),
    ] = None
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="Keep everything in memory, forget it at exit.")
    ] = False
    trace: Annotated[Path | None, typer.Option(help="Where the local trace goes.", metavar="FILE")] = None
    no_raw: Annotated[bool, typer.Option("--no-raw", help="Trace without the bytes of messages.")] = False
    for_: Annotated[
        str | None, typer.Option("--for", help="Stop after this time with a summary.", metavar="D")
    ] = None
    expose: Annotated[bool, typer.Option("--expose", help="Allow addresses other than loopback.")] = False


@takes(RunOptions)
def run(options: RunOptions) -> int:
    """Emulate the accessories of a home, with an MQTT broker in this process unless --broker names one."""
    from accessory_emu.cli.compose import choose_broker, seconds
    from accessory_emu.cli.places import state_of
    from accessory_emu.runtime.config import find_config, load_home

    path = find_config(options.file)
    home = load_home(path)
    if home.connections == "shared":
        raise Problem(
            "not_supported", "connections: shared is not supported yet", "write connections: own", Exit.FILE
        )
    for notice in home.notices():
        tell(notice)
    seed = options.seed if options.seed is not None else home.seed
    show = _Show(options, home, Output(options.json, seed))
    spans = [each for each in (options.for_, options.time_limit) if each is not None]
    span = min((seconds(each, "--for") or 0.0 for each in spans), default=None)
    late = Exit.TIME_LIMIT if options.for_ is None else Exit.DONE
    run_of = _Run(show, state_of(options, home.home), choose_broker(options, home, path.parent))
    code = asyncio.run(run_of.last(seed, span))
    return late if code == Exit.DONE and span is not None else code


@dataclass(slots=True)
class _Show:
    """What a run says."""

    options: RunOptions
    home: "HomeFile"
    output: Output

    def ready(self, url: str, *, embedded: bool, up: int, codes: "dict[str, Sticker]") -> None:
        """Say what is up, with the setup codes: that is what a sticker is for."""
        items = self.home.accessories
        owner = next((name for name, one in self.home.people.items() if one.role == "owner"), "olga")
        kind = "embedded, MQTT 3.1.1 and 5" if embedded else "external"
        address = url.removeprefix("mqtt://") if embedded else url
        rows: list[Sequence[str]] = [("accessory", "room", "type", "setup code", "pair with")]
        rows += [
            (
                item.id,
                self.home.rooms[item.room],
                item.type,
                codes[item.id].code,
                f"accessory-emu ctl pair {item.id} --as {owner}",
            )
            for item in items
        ]
        lines = [f"{up} of {len(items)} accessories up    MQTT broker {address} ({kind})"]
        lines += table(rows)
        lines.append("trace: accessory-emu trace --follow      stop: Ctrl-C")
        document = {
            "schema": SCHEMA,
            "event": "ready",
            "home": self.home.home,
            "broker": {"url": url, "embedded": embedded},
            "accessories": {"up": up, "of": len(items)},
            "hubs": 0,
            "pid": os.getpid(),
            "seed": None,
        }
        self.output.show(Result(document, lines))

    def summary(self, observer: "Observer", uptime_ms: int) -> None:
        """Say what became of the messages."""
        verdicts, reasons = dict(observer.verdicts), dict(observer.reasons)
        said = ", ".join(f"{count} {word}" for word, count in sorted(verdicts.items())) or "no message came"
        why = ", ".join(f"{word} {count}" for word, count in sorted(reasons.items()))
        line = f"stopped after {uptime_ms / 1000:.1f} s: {said}" + (f"    reasons: {why}" if why else "")
        document = {
            "schema": SCHEMA,
            "event": "summary",
            "verdicts": verdicts,
            "reasons": reasons,
            "uptime_ms": uptime_ms,
        }
        self.output.show(Result(document, [line]))


@dataclass(slots=True)
class _Links:
    """Which connections are up; tells once when all are lost, and when they are back."""

    of: int
    up: int = 0
    lost: bool = False
    all_up: asyncio.Event = field(default_factory=asyncio.Event)

    def noticed(self, up: bool) -> None:  # noqa: FBT001 - a callback of one value
        """Take one change in."""
        self.up += 1 if up else -1
        if self.up == self.of:
            if self.lost:
                tell("the MQTT broker is back")
            self.lost = False
            self.all_up.set()
        elif not up and not self.lost and self.all_up.is_set():
            self.lost = True
            tell("the MQTT broker is lost; the accessories go on trying")


@dataclass(slots=True)
class _Run:
    """One run, from start to summary."""

    show: _Show
    state: Path
    broker: object

    @property
    def keeps(self) -> bool:
        """Whether anything is written at all."""
        return not self.show.options.ephemeral or self.show.options.state is not None

    async def last(self, seed: int | None, span: float | None) -> Exit:
        """Run until a signal comes or the time is over."""
        from accessory_emu.cli.compose import start_embedded
        from accessory_emu.runtime.config_broker import EmbeddedBroker, ExternalBroker

        if isinstance(self.broker, EmbeddedBroker):
            self._guard(self.broker.listen, seed)
            store = self._store()
            try:
                running, url = await start_embedded(self.broker, self.show.options.port)
                try:
                    return await self._on(ExternalBroker(broker="external", url=url), store, seed, span)
                finally:
                    await running.stop()
            finally:
                await store.close()
        assert isinstance(self.broker, ExternalBroker)  # noqa: S101 - there are two kinds
        self._guard(self.broker.address.host, seed)
        store = self._store()
        try:
            return await self._on(self.broker, store, seed, span, external=True)
        finally:
            await store.close()

    def _guard(self, host: str, seed: int | None) -> None:
        from accessory_emu.runtime.config_values import is_loopback

        if is_loopback(host):
            return
        if seed is not None:
            raise Problem("usage", "a seeded run stays on this machine", "use 127.0.0.1", Exit.USAGE)
        if not self.show.options.expose:
            cure = "add --expose if others shall reach the accessories"
            raise Problem("usage", f"{host} is not this machine's loopback", cure, Exit.USAGE)
        tell(f"exposed: the emulated accessories are reachable through {host}")

    def _store(self) -> "Store":
        from accessory_emu.storage.memory import MemoryStore
        from accessory_emu.storage.sqlite import SqliteStore

        if self.show.options.ephemeral:
            return MemoryStore()
        return SqliteStore(self.state / "emulator.sqlite")

    def _codes(self, seed: int | None) -> "dict[str, Sticker]":
        from accessory_emu.cli.compose import dice
        from accessory_emu.runtime.labels import load_labels, save_labels, stickers

        path = self.state / "labels.yaml"
        known = {} if self.show.options.ephemeral else load_labels(path)
        codes = stickers(self.show.home.accessories, known, dice(seed))
        if self.keeps:
            from accessory_emu.storage.private import private_folder

            private_folder(self.state)
            save_labels(path, codes)
        return codes

    async def _on(
        self, broker: object, store: "Store", seed: int | None, span: float | None, *, external: bool = False
    ) -> Exit:
        from accessory_emu.cli.compose import Watched, connect, dice, unit_of
        from accessory_emu.cli.places import Cast
        from accessory_emu.protocol.topics import Topics
        from accessory_emu.runtime.clock import SystemClock
        from accessory_emu.runtime.config_broker import ExternalBroker
        from accessory_emu.runtime.fleet import Fleet
        from accessory_emu.runtime.observe import Observer

        assert isinstance(broker, ExternalBroker)  # noqa: S101 - made or checked by the caller
        clock, codes = SystemClock(), self._codes(seed)
        file = self._trace()
        observer = Observer(
            [file] if file else [],
            cast=Cast(self.state) if self.keeps else None,
            last=file.last if file else 0,
            keep_raw=not self.show.options.no_raw,
        )
        links = _Links(len(self.show.home.accessories))
        topics = Topics(broker.topic_prefix)

        def join(client_id: str, will: "Parcel") -> "Transport":
            return Watched(connect(broker, client_id, will), links.noticed)

        units = [unit_of(item, codes[item.id], topics) for item in self.show.home.accessories]
        fleet = Fleet(units, store=store, connect=join, clock=clock, random=dice(seed), observer=observer)
        try:
            return await self._pump(
                fleet, links, broker.url, codes, (clock, observer), span, external=external
            )
        finally:
            await fleet.stop()
            if self.keeps:
                from accessory_emu.cli.places import remove_run_file

                remove_run_file(self.state)
            if file:
                file.close()

    def _trace(self) -> "TraceFile | None":
        from accessory_emu.cli.places import TRACE_FILE
        from accessory_emu.runtime.trace_file import TraceFile

        if self.show.options.trace is not None:
            return TraceFile(self.show.options.trace)
        return None if self.show.options.ephemeral else TraceFile(self.state / TRACE_FILE)

    async def _pump(  # noqa: PLR0913 - what a run is made of
        self,
        fleet: "Fleet",
        links: _Links,
        url: str,
        codes: "dict[str, Sticker]",
        watch: "tuple[Clock, Observer]",
        span: float | None,
        *,
        external: bool,
    ) -> Exit:
        clock, observer = watch
        stopped = _signals()
        failed = asyncio.ensure_future(self._started(fleet))
        up = asyncio.ensure_future(links.all_up.wait())
        ended = asyncio.ensure_future(stopped.wait())
        began = clock.now()
        try:
            await asyncio.wait({failed, up, ended}, timeout=_UP_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
            if not up.done() and not failed.done() and not ended.done():
                cure = "start the MQTT broker, or leave --broker out to use the one of this process"
                raise Problem("broker_unreachable", f"no MQTT broker answers at {url}", cure, Exit.NOBODY)
            if up.done():
                self._write_run_file(fleet, url)
                self.show.ready(url, embedded=not external, up=links.up, codes=codes)
                await asyncio.wait({failed, ended}, timeout=span, return_when=asyncio.FIRST_COMPLETED)
            if failed.done():
                error = failed.result()
                raise Problem("store_failed", str(error), "look at the disk, then start again", Exit.INTERNAL)
            self.show.summary(observer, clock.now() - began)
            return Exit.INTERRUPTED if ended.done() else Exit.DONE
        finally:
            for each in (failed, up, ended):
                each.cancel()
            await asyncio.gather(failed, up, ended, return_exceptions=True)

    async def _started(self, fleet: "Fleet") -> "StoreError":
        await fleet.start()
        return await fleet.failed()

    def _write_run_file(self, fleet: "Fleet", url: str) -> None:
        from accessory_emu.cli.places import TRACE_FILE, RunFile

        if not self.keeps:
            return
        options = self.show.options
        trace = options.trace or (None if options.ephemeral else self.state / TRACE_FILE)
        RunFile(
            home=self.show.home.home,
            broker=options.broker if options.broker and "://" not in options.broker else url,
            pid=os.getpid(),
            ids=dict(fleet.ids()),
            types={item.id: item.type for item in self.show.home.accessories},
            labels=str((self.state / "labels.yaml").absolute()),
            trace=str(trace.absolute()) if trace else None,
        ).write(self.state)


def _signals() -> asyncio.Event:
    stopped = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    return stopped
