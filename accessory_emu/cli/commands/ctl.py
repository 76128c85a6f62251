"""ctl: act as owner, editor, resident or guest."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from accessory_emu.cli.options import Common, takes
from accessory_emu.cli.output import Exit, Output, Problem, Result

if TYPE_CHECKING:
    from accessory_emu.accessory.model import Accessory
    from accessory_emu.cli.acting import Scene, Session
    from accessory_emu.protocol.identifiers import AccessoryId
    from controllers.attempt import Act

ctl = typer.Typer(no_args_is_help=True)

_FIRST_QUESTION_MS: Final = 3_000  # an adopted accessory asks at once, and again after a second
_ACKS_MS: Final = 2_000
_HEARD_MS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting(Common):
    """Who acts."""

    as_: Annotated[
        str | None,
        typer.Option(
            "--as", help="Who acts; by default the owner.", envvar="ACCESSORY_EMU_AS", metavar="NAME"
        ),
    ] = None


def _do(options: Acting, verb: "Callable[[Session], Awaitable[Result]]", *, found: bool = False) -> int:
    """Connect, do a verb, show what came of it."""
    import asyncio

    from accessory_emu.cli.acting import acting, look_around
    from accessory_emu.cli.compose import seconds

    limit = seconds(options.time_limit, "--time-limit")
    scene = look_around(options)
    who = options.as_

    async def act() -> Result:
        async with asyncio.timeout(limit), acting(scene, who, found=found) as session:
            return await verb(session)

    try:
        result = asyncio.run(act())
    except TimeoutError:
        raise Problem(
            "time_limit", "the time limit is reached", "allow more time with --time-limit", Exit.TIME_LIMIT
        ) from None
    return Output(options.json, options.seed).show(result)


# accessories


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOptions(Acting):
    """The options of `ctl pair`."""

    accessory: Annotated[str, typer.Argument(help="A name, 16 hex digits, or all.")]
    code: Annotated[
        str | None, typer.Option(help="The setup code; by default that of the label.", metavar="CODE")
    ] = None


@ctl.command()
@takes(PairOptions)
def pair(options: PairOptions) -> int:
    """Bring an accessory into the home; the first time this founds the home of --as."""

    async def verb(session: "Session") -> Result:
        from accessory_emu.cli.tellings import paired

        names = _to_pair(session, options.accessory)
        pairings = []
        for name, accessory in names:
            code = _code(session.scene, name, options)
            pairing = await session.client.pair(session.owner, accessory, code)
            pairings.append(pairing)
            if pairing.failure is None and session.sequencer is not None:
                await session.client.until(
                    partial(session.answers.__contains__, accessory), _FIRST_QUESTION_MS
                )
        return paired(session, pairings)

    return _do(options, verb, found=True)


def _to_pair(session: "Session", word: str) -> "list[tuple[str, AccessoryId]]":
    """Give what is to be paired: one accessory, or all of the emulator that are not in the home."""
    scene = session.scene
    if word != "all":
        return [(word, scene.accessory(word))]
    names = scene.running.ids if scene.running else {}
    if not names:
        raise Problem("nothing_found", "no emulator is running here", "name the accessory", Exit.NOTHING)
    view = session.owner.view
    pairs = [(name, scene.accessory(name)) for name in names]
    return [each for each in pairs if view is None or each[1] not in view.roster]


def _code(scene: "Scene", name: str, options: PairOptions) -> str:
    """Give the setup code: from the option, the label of an emulated accessory, or a question."""
    from pathlib import Path

    from accessory_emu.runtime.labels import load_labels

    if options.code is not None:
        return options.code
    path = scene.running.labels if scene.running else None
    labels = load_labels(Path(path)) if path else {}
    if name in labels:
        return labels[name].code
    if options.no_input or not sys.stdin.isatty():
        raise Problem("usage", f"the setup code of {name} is not known", "give it with --code", Exit.USAGE)
    return str(typer.prompt(f"setup code of {name}", err=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions(Acting):
    """The options of `ctl send`."""

    accessory: Annotated[str, typer.Argument(help="A name, or 16 hex digits.")]
    values: Annotated[
        list[str], typer.Argument(help="What to write, such as on=true.", metavar="KEY=VALUE...")
    ]
    type: Annotated[
        str | None, typer.Option(help="The accessory's type, where no emulator tells it.", metavar="TYPE")
    ] = None
    expires: Annotated[str | None, typer.Option(help="The command is void after this time.", metavar="D")] = (
        None
    )
    no_retry: Annotated[bool, typer.Option("--no-retry", help="Never send again by itself.")] = False


@ctl.command()
@takes(SendOptions)
def send(options: SendOptions) -> int:
    """Send a signed command: exit code 0 accepted, 1 refused, 4 silent."""

    async def verb(session: "Session") -> Result:
        from accessory_emu.accessory.catalogue import parse_assignment, to_wire
        from controllers.attempt import Manner

        accessory = session.scene.accessory(options.accessory)
        model = _model(session.scene, options.accessory, options.type)
        try:
            items = to_wire(model, dict(parse_assignment(model, each) for each in options.values))
        except ValueError as error:
            raise Problem("bad_value", str(error), "", Exit.USAGE) from None
        life = _ms(options.expires)
        manner = (
            Manner(retry=not options.no_retry) if life is None else Manner(life, retry=not options.no_retry)
        )
        act = await session.client.act(
            session.member, lambda now: session.member.write(accessory, items, now, manner)
        )
        return await _told(session, act, options.accessory, " ".join(options.values), model)

    return _do(options, verb)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions(Acting):
    """The options of `ctl read`."""

    accessory: Annotated[str, typer.Argument(help="A name, or 16 hex digits.")]
    keys: Annotated[
        list[str] | None, typer.Argument(help="What to read; by default all.", metavar="[KEY...]")
    ] = None
    type: Annotated[
        str | None, typer.Option(help="The accessory's type, where no emulator tells it.", metavar="TYPE")
    ] = None


@ctl.command()
@takes(ReadOptions)
def read(options: ReadOptions) -> int:
    """Read values, signed both ways."""

    async def verb(session: "Session") -> Result:
        accessory = session.scene.accessory(options.accessory)
        model = _model(session.scene, options.accessory, options.type)
        items = _places(model, options.keys or [])
        act = await session.client.act(session.member, lambda now: session.member.read(accessory, items, now))
        return await _told(session, act, options.accessory, "", model)

    return _do(options, verb)


def _places(model: "Accessory", keys: Sequence[str]) -> list[tuple[int, int]]:
    from accessory_emu.accessory.catalogue import TYPES

    kind = next(each for each in TYPES.values() if each.accessory is model)
    known = kind.writable + kind.read_only
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise Problem(
            "bad_value", f"no value is called {unknown[0]!r}; there are {', '.join(known)}", "", Exit.USAGE
        )
    found = [model.named(key) for key in keys or known]
    return [(model.aid, each.iid) for each in found if each is not None]


def _model(scene: "Scene", name: str, given: str | None) -> "Accessory":
    from accessory_emu.accessory.catalogue import TYPES

    types = scene.running.types if scene.running else {}
    word = given or types.get(name) or types.get(_local_name(scene, name))
    if word is None or word not in TYPES:
        cure = f"add --type, one of {', '.join(TYPES)}"
        raise Problem("usage", f"the type of {name} is not known", cure, Exit.USAGE)
    return TYPES[word].accessory


def _local_name(scene: "Scene", word: str) -> str:
    ids = scene.running.ids if scene.running else {}
    return next((name for name, each in ids.items() if each == word), "")


async def _told(session: "Session", act: "Act", name: str, said: str, model: "Accessory") -> Result:
    from accessory_emu.cli.tellings import sent
    from accessory_emu.runtime.clock import SystemClock

    await session.client.until(lambda: act.done)
    return sent(session, act, name, said, model, max(0, SystemClock().now() - act.made))


def _ms(text: str | None) -> int | None:
    from accessory_emu.cli.compose import duration

    return None if text is None else duration(text, "--expires")


# people


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOptions(Acting):
    """The options of `ctl add-user`."""

    name: Annotated[str, typer.Argument(help="Whom to add.")]
    role: Annotated[str, typer.Option(help="editor, resident or guest.", metavar="ROLE")]
    scope: Annotated[
        str | None,
        typer.Option(help="A guest's accessories: names with commas, or everything.", metavar="LIST"),
    ] = None
    after: Annotated[str | None, typer.Option(help="A guest is let in from then on.", metavar="TIME")] = None
    before: Annotated[str | None, typer.Option(help="A guest is let in until then.", metavar="TIME")] = None


@ctl.command("add-user")
@takes(AddOptions)
def add_user(options: AddOptions) -> int:
    """Add a person of this state directory: invitation and acceptance in one go."""

    async def verb(session: "Session") -> Result:
        from accessory_emu.cli.terms import terms_of

        limits = (options.scope, options.after, options.before)
        terms = terms_of(session.scene, options.role, *limits)
        person = session.scene.identity(options.name)
        return await _changed(session, lambda now: session.member.add_local(person, terms, now))

    return _do(options, verb)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveOptions(Acting):
    """The options of `ctl remove-user`."""

    name: Annotated[str, typer.Argument(help="Whom to remove.")]


@ctl.command("remove-user")
@takes(RemoveOptions)
def remove_user(options: RemoveOptions) -> int:
    """Remove a person with every grant; removal wins."""

    async def verb(session: "Session") -> Result:
        from accessory_emu.cli.places import read_people
        from accessory_emu.protocol.identifiers import KeyId

        member = session.member
        kids = [kid for kid, name in read_people(session.scene.state).items() if options.name in (name, kid)]
        grants = [member.view.grant(KeyId(bytes.fromhex(kid))) for kid in kids] if member.view else []
        found = next((each for each in grants if each is not None), None)
        if found is None:
            cure = "look at `accessory-emu ctl list people`"
            raise Problem("user_management_failed", f"{options.name} is no member", cure, Exit.JUDGED)
        return await _changed(session, lambda now: member.remove_user(found.root, now, options.name))

    return _do(options, verb)


async def _changed(session: "Session", verb: "Callable[[int], object]") -> Result:
    from accessory_emu.cli.tellings import changed
    from accessory_emu.runtime.clock import SystemClock

    change = await session.client.change(session.member, verb, wait=_ACKS_MS)  # type: ignore[arg-type]  # loaded late
    return changed(session, change, SystemClock().now())


# looking


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions(Acting):
    """The options of `ctl list`."""

    of: Annotated[str, typer.Argument(help="people, accessories or log.", metavar="WHAT")]


@ctl.command("list")
@takes(ListOptions)
def list_(options: ListOptions) -> int:
    """Tell what this controller knows."""
    if options.of not in {"people", "accessories", "log"}:
        raise Problem("usage", f"no list of {options.of!r}", "people, accessories or log", Exit.USAGE)

    async def verb(session: "Session") -> Result:
        from accessory_emu.cli.places import read_people
        from accessory_emu.cli.tellings import listed

        await _heard(session)
        return listed(session, options.of, read_people(session.scene.state))

    return _do(options, verb)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusOptions(Acting):
    """The options of `ctl status`."""

    accessory: Annotated[str | None, typer.Argument(help="Only this one.")] = None
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 while one is behind.")] = False


@ctl.command()
@takes(StatusOptions)
def status(options: StatusOptions) -> int:
    """Tell versions per accessory; as owner, bring the accessories in sync."""

    async def verb(session: "Session") -> Result:
        from accessory_emu.cli import tellings

        only = session.scene.accessory(options.accessory) if options.accessory else None
        await _heard(session)
        await session.client.settle(session.member)
        return tellings.status(session, only, strict=options.strict)

    return _do(options, verb)


async def _heard(session: "Session") -> None:
    """Wait a moment for the announcements of the enrolled accessories, which the MQTT broker retains."""
    view = session.member.view
    if view is not None:
        await session.client.until(
            lambda: all(view.heard(each) is not None for each in view.roster.keys), _HEARD_MS
        )


@ctl.command()
@takes(Acting)
def serve(options: Acting) -> int:
    """Do the sequencer's work until Ctrl-C; on the owner's device."""

    async def verb(session: "Session") -> Result:
        if session.sequencer is None:
            cure = "act as the owner, and stop the other `ctl serve`"
            raise Problem("store_locked", "the sequencer is not here, or runs already", cure, Exit.NOBODY)
        from accessory_emu.cli.output import write

        if not options.json:
            write(f"serving as the sequencer of {session.member.identity.name}'s home      stop: Ctrl-C")
        await session.client.until(lambda: False)
        return Result({"schema": "accessory-emu.serve/1"}, ())

    return _do(options, verb)
