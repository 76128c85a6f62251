"""The story that the demo tells, written against the Python API.

Each step does something over the stage's MQTT broker, and tells what the accessories' trace and the signed
acks say of it. Nothing here is printed from memory of how it ought to go: a step whose line is not the one
that was expected fails, and the demo with it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from accessory_emu.accessory.catalogue import to_wire
from accessory_emu.cli.options import Common
from accessory_emu.cli.output import Exit, Output, Result
from accessory_emu.cli.stage import Stage
from accessory_emu.protocol.crypto import sha256
from accessory_emu.protocol.membership.grant import RESIDENT_TERMS
from accessory_emu.protocol.ports import Parcel
from accessory_emu.runtime.config import HomeFile, find_config, load_home
from accessory_emu.transports.broker_config import BrokerHooks
from controllers.attempt import Manner
from controllers.member import Member
from controllers.owner import Owner
from controllers.results import Change, RowState

SEED: Final = 7
AWAY: Final = "bed-lamp"
_PATIENCE_S: Final = 3.0
_WAIT_MS: Final = 3_000
_ONCE: Final = Manner(wait=300, retry=False)  # the verdict comes from the trace: no need to wait for silence


@dataclass(frozen=True, slots=True)
class Step:
    """One step: who does what, what was expected to be told of it, and what was."""

    who: str
    what: str
    expected: str
    got: str
    version: str = ""

    @property
    def ok(self) -> bool:
        """Whether it went as written."""
        return self.got == self.expected


@dataclass(slots=True)
class Story:
    """The steps in their order, on one stage."""

    stage: Stage
    say: Callable[[int, Step], None]
    steps: list[Step] = field(default_factory=list)
    lit: bytes = b""  # rosa's message that was obeyed
    removal: Change = field(init=False)

    @property
    def olga(self) -> Owner:
        """The owner's actor."""
        member = self.stage.people["olga"].member
        if not isinstance(member, Owner):
            raise TypeError("olga is the owner")
        return member

    def member(self, name: str) -> Member:
        """Somebody's actor."""
        return self.stage.people[name].member

    def _step(self, who: str, what: str, expected: str, got: str, *, version: bool = False) -> None:
        log = self.olga.view.log if self.olga.view else None
        step = Step(who, what, expected, got, str(log.version) if version and log else "")
        self.steps.append(step)
        self.say(len(self.steps), step)

    async def play(self) -> bool:
        """Play; tells whether every step went as written."""
        scenes: list[Callable[[], Awaitable[None]]] = [
            self.pairs,
            self.pairs_the_others,
            self.adds,
            self.is_obeyed,
            self.outsider,
            self.again,
            self.moved,
            self.removes,
            self.is_silent,
            self.returns,
        ]
        for scene in scenes:
            await scene()
        return all(step.ok for step in self.steps)

    # the steps

    async def pairs(self) -> None:
        """The owner pairs the lock with the code of its sticker."""
        got = "accepted, home adopted" if await self._pair("front-door") else "not paired"
        self._step("olga", "pairs front-door", "accepted, home adopted", got, version=True)

    async def pairs_the_others(self) -> None:
        """The owner pairs the rest."""
        others = [item.id for item in self.stage.home.accessories if item.id != "front-door"]
        done = [await self._pair(name) for name in others]
        expected = f"accepted {len(others)} of {len(others)}"
        got = f"accepted {done.count(True)} of {len(others)}"
        self._step("olga", "pairs the other accessories", expected, got, version=True)

    async def adds(self) -> None:
        """The owner adds rosa: every accessory acknowledges her key."""
        await self.stage.person("rosa")
        await self.stage.person("eve")
        rosa, client = self.member("rosa"), self.stage.people["olga"].client
        change = await client.change(
            self.olga, lambda now: self.olga.add_local(rosa.identity, RESIDENT_TERMS, now), _WAIT_MS
        )
        await client.settle(self.olga, _WAIT_MS)
        await self.stage.people["rosa"].client.until(lambda: rosa.grant is not None, _WAIT_MS)
        expected = f"committed {self._all} of {self._all}"
        self._step("olga", "adds rosa as resident", expected, self._rows(change, "committed"), version=True)

    async def is_obeyed(self) -> None:
        """Rosa switches a lamp on."""
        since = len(self.stage.watch.buffer)
        raw = await self._send("rosa", "lamp-1", {"on": True}, Manner())
        self.lit = raw
        got = await self._told(raw, "lamp-1", since)
        self._step("rosa", "lamp-1 on=true", "accepted, signed answer", got)

    async def outsider(self) -> None:
        """Somebody whom nobody added tries the door."""
        since = len(self.stage.watch.buffer)
        raw = await self._send("eve", "front-door", {"lock": "unlocked"}, _ONCE)
        got = await self._told(raw, "front-door", since)
        self._step("eve", "front-door lock=unlocked", "silent       trace: unknown_key", got)

    async def again(self) -> None:
        """She sends rosa's message again."""
        got = await self._inject(self.lit, "lamp-1")
        expected = "duplicate    trace: not executed a second time"
        self._step("eve", "sends rosa's message to lamp-1 again", expected, got)

    async def moved(self) -> None:
        """She sends it to another accessory."""
        got = await self._inject(self.lit, "front-door")
        self._step("eve", "sends rosa's message to front-door", "silent       trace: bad_signature", got)

    async def removes(self) -> None:
        """The owner removes rosa while a lamp is away."""
        await self.stage.fleet.stop(AWAY)
        client, rosa = self.stage.people["olga"].client, self.member("rosa")
        self.stage.broker.publish(
            Parcel(self.stage.topics.available(self.stage.id_of(AWAY)), b"offline", retain=True)
        )
        view = self.olga.view
        away = self.stage.id_of(AWAY)
        if view is not None:
            await client.until(lambda: not view.reachable(away), _WAIT_MS)
        grant = view.grant(rosa.identity.kid) if view else None
        if grant is None:
            self._step("olga", f"removes rosa while {AWAY} is offline", "deleted", "rosa is no member")
            return
        change = await client.change(self.olga, lambda now: self.olga.remove_user(grant.root, now), _WAIT_MS)
        self.removal = change
        expected = f"deleted {self._all - 1} of {self._all}, delete_pending: {AWAY}"
        got = self._rows(change, "deleted")
        self._step("olga", f"removes rosa while {AWAY} is offline", expected, got, version=True)

    async def is_silent(self) -> None:
        """Rosa is not obeyed any more."""
        since = len(self.stage.watch.buffer)
        raw = await self._send("rosa", "lamp-1", {"on": False}, _ONCE)
        got = await self._told(raw, "lamp-1", since)
        self._step("rosa", "lamp-1 on=false", "silent       trace: unknown_key", got)

    async def returns(self) -> None:
        """The lamp comes back: it catches up before it obeys anybody."""
        since = len(self.stage.watch.buffer)
        await self.stage.fleet.restart(AWAY)
        client = self.stage.people["olga"].client
        await client.until(lambda: not self.removal.table.pending(), _WAIT_MS)
        raw = await self._send("rosa", AWAY, {"on": True}, _ONCE)
        told = await self._told(raw, AWAY, since)
        caught_up = any(
            trace.accessory == AWAY and trace.verdict == "applied" and "entry" in trace.what
            for trace in list(self.stage.watch.buffer)[since:]
        )
        got = f"{self._rows(self.removal, 'deleted')}; rosa: {told.split()[0]}"
        expected = f"deleted {self._all} of {self._all}; rosa: silent"
        if not caught_up:
            got += "; it never caught up"
        self._step(AWAY, "returns and catches up first", expected, got)

    # how it is done

    @property
    def _all(self) -> int:
        return len(self.stage.home.accessories)

    async def _pair(self, name: str) -> bool:
        client = self.stage.people["olga"].client
        pairing = await client.pair(self.olga, self.stage.id_of(name), self.stage.labels[name].code)
        return pairing.failure is None

    async def _send(self, who: str, accessory: str, state: dict[str, object], manner: Manner) -> bytes:
        """Send a command; gives the bytes that went out last."""
        person, engine = self.stage.people[who], self.stage.fleet.engine(accessory)
        items = to_wire(engine.device.config.kind.accessory, state)
        act = await person.client.act(
            person.member, lambda now: person.member.write(engine.id, items, now, manner)
        )
        await person.client.until(lambda: act.done, _WAIT_MS)
        return act.sent[-1].raw if act.sent else b""

    async def _inject(self, raw: bytes, accessory: str) -> str:
        """Publish bytes as a stranger; gives what the trace says of them."""
        since = len(self.stage.watch.buffer)
        self.stage.broker.publish(Parcel(self.stage.topics.inbox(self.stage.id_of(accessory)), raw))
        return await self._told(raw, accessory, since)

    async def _told(self, raw: bytes, accessory: str, since: int) -> str:
        """Give what an accessory's trace says of certain bytes."""
        digest = sha256(raw)[:16].hex()
        trace = await self.stage.watch.verdict_on(digest, accessory, since, _PATIENCE_S)
        if trace is None:
            return "nothing on the trace"
        if trace.verdict == "accepted":
            return "accepted, signed answer" if trace.answered else "accepted, no answer"
        if trace.verdict == "duplicate":
            return "duplicate    trace: not executed a second time"
        return f"{trace.verdict:<12} trace: {trace.reason}"

    def _rows(self, change: Change, word: str) -> str:
        """Give a change's result per accessory, as the signed acks say."""
        view = self.olga.view
        rows = change.table.rows(view, self.stage.clock.now()) if view else []
        done = [row for row in rows if row.state is RowState.COMMITTED]
        waiting = [self.stage.name_of(row.accessory) for row in rows if row.state is RowState.PENDING]
        pending = "delete_pending" if word == "deleted" else "pending"
        return f"{word} {len(done)} of {len(rows)}" + (
            f", {pending}: {', '.join(waiting)}" if waiting else ""
        )


async def tell_story(
    home: HomeFile,
    say: Callable[[int, Step], None],
    begin: Callable[[Stage], None],
    hooks: BrokerHooks | None = None,
) -> bool:
    """Set the stage up and play; tells whether every step went as written."""
    async with Stage.set_up(home, SEED, hooks) as stage:
        begin(stage)
        await stage.owner("olga")
        return await Story(stage, say).play()


def play(options: Common, hooks: BrokerHooks | None = None) -> int:
    """Show the whole story; exit 0, or 1 if a step did not go as written."""
    home = load_home(find_config("flat"))
    output, failed, silent = Output(as_json=options.json), [0], [0]

    def begin(stage: Stage) -> None:
        document = {"schema": "accessory-emu.demo/1", "home": home.home, "seed": SEED, "port": stage.port}
        lines = [
            f"MQTT broker   embedded, 127.0.0.1:{stage.port} (free port, this process only)",
            (
                f"home          {home.home}: {len(home.accessories)} accessories, {len(home.rooms)} rooms; "
                f"seed {SEED} (test keys)"
            ),
        ]
        output.show(Result(document, lines))

    def say(number: int, step: Step) -> None:
        failed[0] += not step.ok
        silent[0] += step.got.startswith(("silent", "duplicate"))
        line = f"{number:>2}  {step.who:<9} {step.what:<38} {step.got:<42} {step.version}".rstrip()
        lines = [line] if step.ok else [line, f"    expected: {step.expected}"]
        document = {
            "schema": "accessory-emu.step/1",
            "step": number,
            "who": step.who,
            "what": step.what,
            "expected": step.expected,
            "got": step.got,
            "ok": step.ok,
        }
        output.show(Result(document, lines))

    asyncio.run(tell_story(home, say, begin, hooks))
    good = not failed[0]
    summary = (
        f"every step as expected; {silent[0]} messages were not obeyed."
        if good
        else f"{failed[0]} steps did not go as written: a bug of ours"
    )
    document = {"schema": "accessory-emu.summary/1", "ok": good, "failed": failed[0], "seed": SEED}
    return output.show(
        Result(
            document,
            [summary, "Next: accessory-emu run configs/homes/flat.yaml"],
            Exit.DONE if good else Exit.JUDGED,
        )
    )
