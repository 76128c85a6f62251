"""Options as dataclasses: the global ones once, for the top and for every command.

A command is a function of one dataclass, whose fields are its options; `takes` turns it into what typer
reads. Options that stand before the command name hold where the command itself does not repeat them.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_type_hints

import typer

from accessory_emu.cli.output import Exit, Problem

_STATE: Final = "State and connection"
_OUTPUT: Final = "Output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The global options."""

    state: Annotated[
        Path | None,
        typer.Option(
            help="Where keys and logs live.",
            envvar="ACCESSORY_EMU_STATE",
            metavar="DIR",
            rich_help_panel=_STATE,
        ),
    ] = None
    home: Annotated[
        str | None,
        typer.Option(
            help="Which home, if there is more than one.",
            envvar="ACCESSORY_EMU_HOME",
            metavar="NAME",
            rich_help_panel=_STATE,
        ),
    ] = None
    broker: Annotated[
        str | None,
        typer.Option(
            help="MQTT broker: an address or a broker file.",
            envvar="ACCESSORY_EMU_BROKER",
            metavar="URL|FILE",
            rich_help_panel=_STATE,
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(
            help="Derive all keys and choices from a number (test keys).",
            envvar="ACCESSORY_EMU_SEED",
            min=0,
            metavar="N",
            rich_help_panel=_STATE,
        ),
    ] = None
    time_limit: Annotated[
        str | None,
        typer.Option(help="Give up after this time, exit code 124.", metavar="D", rich_help_panel=_STATE),
    ] = None
    no_input: Annotated[
        bool,
        typer.Option(
            "--no-input", help="Never ask.", envvar="ACCESSORY_EMU_NO_INPUT", rich_help_panel=_STATE
        ),
    ] = False
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Machine-readable output on standard output.",
            envvar="ACCESSORY_EMU_JSON",
            rich_help_panel=_OUTPUT,
        ),
    ] = False
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Fewer log lines.", rich_help_panel=_OUTPUT)
    ] = False
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            help="More log lines; twice for all.",
            metavar="",
            rich_help_panel=_OUTPUT,
        ),
    ] = 0
    log: Annotated[
        str | None,
        typer.Option(hidden=True, envvar="ACCESSORY_EMU_LOG", metavar="LEVEL"),
    ] = None
    log_format: Annotated[
        str | None,
        typer.Option(
            help="Form of the log lines: console or json.",
            envvar="ACCESSORY_EMU_LOG_FORMAT",
            metavar="FORM",
            rich_help_panel=_OUTPUT,
        ),
    ] = None


O = TypeVar("O", bound=Common)  # noqa: E741 - options


def takes(options: type[O]) -> Callable[[Callable[[O], int]], Callable[..., int]]:
    """Turn a function of one dataclass of options into a command that typer can read."""

    def wrap(verb: Callable[[O], int]) -> Callable[..., int]:
        @functools.wraps(verb)
        def command(ctx: typer.Context, **values: Any) -> int:  # noqa: ANN401 - typer has checked them
            return begin(ctx, options(**values), verb)

        describe(command, options)
        return command

    return wrap


def begin(ctx: typer.Context, given: O, verb: Callable[[O], int]) -> int:
    """Do a command with its options and those that stood before its name."""
    merged = inherit(given, ctx.obj)
    _start_logging(merged)
    return verb(merged)


def describe(command: Callable[..., int], options: type[Common], **more: tuple[Any, object]) -> None:
    """Give a function the signature that the fields of a dataclass make; global options come last."""
    hints = get_type_hints(options, include_extras=True)
    common = {each.name for each in fields(Common)}
    ordered = sorted(fields(options), key=lambda each: each.name in common)
    parameters = [inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    for each in ordered:
        default = inspect.Parameter.empty if each.default is MISSING else each.default
        parameters.append(
            inspect.Parameter(
                each.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[each.name]
            )
        )
    for name, (annotation, default) in more.items():
        parameters.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        )
        hints[name] = annotation
    command.__annotations__ = {"ctx": typer.Context, **hints, "return": int}
    setattr(command, "__signature__", inspect.Signature(parameters))  # noqa: B010 - functions have no such field


def inherit(given: O, outer: Common | None) -> O:
    """Take over the global options that stood before the command name."""
    if outer is None:
        return given
    missing = {
        each.name: getattr(outer, each.name)
        for each in fields(Common)
        if getattr(given, each.name) == each.default
    }
    return replace(given, **missing)


def _start_logging(common: Common) -> None:
    from accessory_emu.runtime.observe import configure_logging

    level = common.log or "warning"
    if common.quiet:
        level = "error"
    if common.verbose:
        level = "info" if common.verbose == 1 else "debug"
    try:
        configure_logging(level, common.log_format or "console")  # type: ignore[arg-type]  # judged there
    except ValueError as error:
        raise Problem("usage", f"--log-format or ACCESSORY_EMU_LOG: {error}", "", Exit.USAGE) from None
