"""trace: the local trace, past or live."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from accessory_emu.cli.options import Common, takes
from accessory_emu.cli.output import Exit, Output, Result, table, write

if TYPE_CHECKING:
    from accessory_emu.runtime.trace_file import Filter, Trace

_POLL_S: Final = 0.2  # a file has no way to say that it has grown
_HEAD: Final = ("n", "time", "accessory", "who", "what", "verdict", "check", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceOptions(Common):
    """The options of `trace`."""

    file: Annotated[Path | None, typer.Argument(help="A trace; by default that of the home.")] = None
    follow: Annotated[bool, typer.Option("--follow", help="Go on as records come.")] = False
    last: Annotated[int | None, typer.Option(help="Only the last N.", min=1, metavar="N")] = None
    accessory: Annotated[str | None, typer.Option(help="Only this accessory.", metavar="ID")] = None
    who: Annotated[str | None, typer.Option(help="Only this person.", metavar="NAME")] = None
    verdict: Annotated[str | None, typer.Option(help="Only this verdict.", metavar="V")] = None
    reason: Annotated[str | None, typer.Option(help="Only this reason.", metavar="R")] = None
    since: Annotated[str | None, typer.Option(help="Only the last time, such as 10m.", metavar="D")] = None


@takes(TraceOptions)
def trace(options: TraceOptions) -> int:
    """Show the local trace: what became of each message at each emulated accessory."""
    from accessory_emu.cli.places import TRACE_FILE, RunFile, find_state
    from accessory_emu.runtime.trace_file import read_trace

    path = options.file
    if path is None:
        state = find_state(options)
        running = RunFile.read(state)
        path = Path(running.trace) if running and running.trace else state / TRACE_FILE
    wanted = _filter(options)
    if options.follow:
        return _follow(path, wanted, as_json=options.json)
    found = list(read_trace(path, wanted))[-options.last if options.last else 0 :]
    if options.json:
        output = Output(as_json=True)
        for each in found:
            output.show(Result(each.document(), ()))
        return Exit.DONE
    for line in table([_HEAD, *map(_row, found)]):
        write(line)
    return Exit.DONE


def _filter(options: TraceOptions) -> "Filter":
    from accessory_emu.cli.compose import duration
    from accessory_emu.runtime.clock import SystemClock
    from accessory_emu.runtime.trace_file import Filter

    since = None if options.since is None else SystemClock().now() - duration(options.since, "--since")
    return Filter(options.accessory, options.who, options.verdict, options.reason, since)


def _row(trace: "Trace") -> tuple[str, ...]:
    from accessory_emu.runtime.trace_file import iso_time

    who = trace.who or ("?" if trace.kid else "-")
    cells = (trace.what, trace.verdict or "", trace.check or "", trace.reason or "")
    return (str(trace.n), iso_time(trace.t)[11:19], trace.accessory, who, *cells)


def _follow(path: Path, wanted: "Filter", *, as_json: bool) -> int:
    import threading

    from accessory_emu.runtime.trace_file import TraceReader

    reader, pause = TraceReader(path), threading.Event()
    output = Output(as_json=as_json)
    try:
        while True:
            for each in filter(wanted.passes, reader.poll()):
                output.show(Result(each.document(), ("  ".join(_row(each)),)))
            pause.wait(_POLL_S)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    finally:
        reader.close()
