"""All commands and their global options; whatever goes wrong ends here, as a sentence and an exit code."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from accessory_emu.cli.commands.ctl import ctl
from accessory_emu.cli.commands.demo import demo
from accessory_emu.cli.commands.run import run as run_command
from accessory_emu.cli.commands.trace import trace
from accessory_emu.cli.options import Common, describe, inherit
from accessory_emu.cli.output import Exit, Problem, show_problem, tell, write
from accessory_emu.cli.version import VERSION_LINE

_CLICK: Final[type[Exception]] = typer.BadParameter.__mro__[2]  # ClickException, wherever typer keeps it


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it by position
    if wanted:
        write(VERSION_LINE)
        raise typer.Exit


_VERSION: Final = typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")


def _top(ctx: typer.Context, **values: Any) -> int:  # noqa: ANN401 - typer has checked them
    """Emulated smart-home accessories that obey only signed commands, and the controllers that sign them."""
    values.pop("version", None)
    ctx.obj = inherit(Common(**values), ctx.obj)
    return 0


def _group(ctx: typer.Context, **values: Any) -> int:  # noqa: ANN401 - typer has checked them
    """Act as owner, editor, resident or guest."""
    ctx.obj = inherit(Common(**values), ctx.obj)
    return 0


def build() -> typer.Typer:
    """Put the command line together."""
    app = typer.Typer(name="accessory-emu", no_args_is_help=True, pretty_exceptions_enable=False)
    describe(_top, Common, version=(Annotated[bool, _VERSION], False))
    app.callback()(_top)
    app.command("demo")(demo)
    app.command("run")(run_command)
    app.command("trace")(trace)
    describe(_group, Common)
    ctl.callback()(_group)
    app.add_typer(ctl, name="ctl", no_args_is_help=True)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run a command line; gives its exit code. Nothing is raised."""
    as_json = "--json" in arguments or os.environ.get("ACCESSORY_EMU_JSON", "") not in {"", "0"}
    try:
        return _run(arguments, as_json=as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone: nothing to say
        return Exit.DONE
    except Problem as problem:
        return show_problem(problem, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return Exit.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last door: no traceback reaches the user
        return show_problem(explain(error), as_json=as_json)


def _run(arguments: Sequence[str], *, as_json: bool) -> int:
    try:
        command = typer.main.get_command(build())
        found = command.main(list(arguments), prog_name="accessory-emu", standalone_mode=False)
    except _CLICK as error:
        if as_json or not hasattr(error, "show"):
            text = error.format_message() if hasattr(error, "format_message") else str(error)
            raise Problem("usage", text, "look at --help", Exit.USAGE) from None
        error.show()
        return Exit.USAGE
    return int(found) if isinstance(found, int) else Exit.DONE


def explain(error: Exception) -> Problem:
    """Give the problem that an exception of the rooms stands for."""
    from accessory_emu.cli.problems import of_rooms

    found = of_rooms(error)
    if found is not None:
        return found
    place = traceback.extract_tb(error.__traceback__)[-6:]
    frames = [f"{os.path.basename(each.filename)}:{each.lineno} {each.name}" for each in place]  # noqa: PTH119
    tell("where it happened: " + " > ".join(frames))  # places in our code only: values may be secret
    return Problem(
        "internal",
        f"internal error: {type(error).__name__}",
        "this is a bug of ours; report the line above, which holds no secrets",
        Exit.INTERNAL,
    )
