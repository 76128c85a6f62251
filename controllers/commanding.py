"""Commands to accessories: signed, sent, answered, tried again; one part of a member's actor."""

from collections.abc import Sequence
from typing import Final

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Value, as_version
from accessory_emu.protocol.envelope import parse
from accessory_emu.protocol.errors import Malformed, ProtocolError
from accessory_emu.protocol.exchanges.command import make_command, read_response
from accessory_emu.protocol.identifiers import NO_HOME, AccessoryId, BootId, Version
from accessory_emu.protocol.messages import Command, HintKey, Op, Response
from accessory_emu.protocol.ports import Random
from accessory_emu.protocol.reasons import Reason
from controllers.actor import Actor, earliest
from controllers.attempt import (
    Accepted,
    Act,
    BadReply,
    Manner,
    NotSent,
    Outcome,
    Phase,
    Refused,
    Sent,
    Silent,
    pause_before_next,
    wants_nonce,
)
from controllers.errors import Code
from controllers.home import HomeView
from controllers.identity import Identity, Known, counter_after, next_counter

_MS: Final = 1000
_ACTS: Final = (Op.WRITE, Op.IDENTIFY, Op.RELEASE)  # what a strict accessory wants a nonce for
_EARLIER_KEPT: Final = 256  # ids of commands that were answered or given up


class Commanding:
    """The acts of one member; a part of its actor."""

    def __init__(self, actor: Actor, identity: Identity) -> None:
        self._actor = actor
        self._identity = identity
        self._open: list[Act] = []
        self._earlier: dict[bytes, None] = {}

    def begin(self, accessory: AccessoryId, op: Op, args: Sequence[Value], manner: Manner, now: int) -> Act:
        """Begin an act; it is sent when `settle` is called.

        Raises:
            ValueError: it cannot be said in a command: too many items, too long, or no value of the model.
        """
        if manner.life is not None and manner.life < 0:
            raise ValueError("a command expires after it is made")
        _check_fits(self._identity, accessory, op, args)
        window = limits.RETRY_WINDOW_S * _MS if manner.life is None else manner.life
        act = Act(accessory, op, tuple(args), manner, made=now, until=now + window, due=now + manner.wait)
        self._open.append(act)
        return act

    # what happens

    def answered(self, accessory: AccessoryId, data: bytes, view: HomeView, now: int) -> None:
        """Take what arrived as an answer of one accessory.

        Raises:
            ProtocolError: it does not verify, or answers no command of this controller.

        Spec: AE-RSP-002.
        """
        asked = [act for act in self._open if act.accessory == accessory]
        try:
            response = self._read(accessory, data, view)
            if response.to in self._earlier:
                return  # a duplicate of an answer that was taken
            act = next((each for each in asked if each.sent and each.sent[-1].id == response.to), None)
            if act is None:
                raise Malformed("it answers no open command of this controller")
        except ProtocolError:
            for each in asked:
                each.bad += each.phase in (Phase.SENT, Phase.PREPARING)
            raise
        if act.phase in (Phase.SENT, Phase.PREPARING):
            known = self._identity.answered(accessory, response.boot, response.version)
            self._take(act, response, known, view, now)

    def settle(self, view: HomeView | None, now: int) -> None:
        """Send what can be sent, and end what is due."""
        for act in list(self._open):
            if act.phase is Phase.WAITING or (act.phase is Phase.PAUSED and now >= act.due):
                self._try(act, view, now)
            if act.phase is not Phase.DONE and now >= act.due:
                self._overdue(act, view, now)

    def deadline(self) -> int | None:
        """Tell when something is due."""
        return earliest(*(act.due for act in self._open))

    # inside

    def _read(self, accessory: AccessoryId, data: bytes, view: HomeView) -> Response:
        key = view.key_of(accessory)
        if key is None:
            raise Malformed("the accessory's key is not known")
        return read_response(parse(data), key, view.home, accessory)

    def _try(self, act: Act, view: HomeView | None, now: int) -> None:
        """Send the act, or the prepare before it, once there is a connection and a boot."""
        known = self._identity.known(act.accessory)
        if not self._actor.up or view is None or known is None:
            if act.phase is Phase.PAUSED:
                act.phase, act.due = Phase.WAITING, now + act.manner.wait
            return
        needs = act.prepare or _prepares(act, view)
        if act.nonce is None and act.op in _ACTS and needs:
            act.phase = Phase.PREPARING
            self._send(act, Op.PREPARE, view, known, now)
        else:
            act.phase = Phase.SENT
            self._send(act, act.op, view, known, now)
            act.nonce = None  # for one use

    def _send(self, act: Act, op: Op, view: HomeView, known: Known, now: int) -> None:
        counter, act.counter = act.counter or next_counter(known, now), None
        life, acts = act.manner.life, op is act.op
        expires = None if life is None else (now + known.offset_ms + life) // _MS
        command = Command(
            boot=known.boot,
            ctr=counter,
            version=max(view.version, act.version) if act.version else view.version,
            op=op,
            args=act.args if acts else (),
            expires=None if expires is None else min(expires, limits.UINT64_MAX),
            nonce=act.nonce if acts else None,
        )
        sealed = make_command(self._identity.key, view.home, act.accessory, command)
        sent = Sent(sealed.id[: limits.GRANT_ID_SIZE], sealed.raw, op)
        if act.sent:
            self._forget(act.sent[-1])
        act.sent.append(sent)
        act.due = now + act.manner.wait
        self._actor.send(self._actor.topics.inbox(act.accessory), sealed.raw)

    def _take(self, act: Act, response: Response, known: Known, view: HomeView, now: int) -> None:
        """Go on after a verified answer."""
        if response.status is not None:
            self._refused(act, response, known, view, now)
        elif act.phase is Phase.SENT:
            self._end(act, Accepted(response.results, response.version))
        else:
            act.nonce = _nonce(response)
            if act.nonce is None:
                self._end(act, BadReply(1))
            else:
                act.phase = Phase.WAITING
                self._try(act, view, now)

    def _refused(self, act: Act, response: Response, known: Known, view: HomeView, now: int) -> None:
        """Try again where the table allows it and the time still runs (AE-CMD-050)."""
        pause = pause_before_next(act, response, strict=_strict(act, view))
        if response.status is None:
            return
        if (
            pause is None
            or now + pause >= act.until
            or not _learn(act, response, known, self._actor.random, now)
        ):
            refused = Refused(response.status, response.hint or {}, response.version, response.results)
            self._end(act, refused)
            return
        act.left -= 1
        if response.status is Reason.ACL_BEHIND:
            self._carry(act, view, response.version)
        act.phase, act.due = Phase.PAUSED, now + pause
        if pause == 0:
            self._try(act, view, now)

    def _overdue(self, act: Act, view: HomeView | None, now: int) -> None:
        """Nobody answered: carry what the accessory lacks and send anew, or call it silence (AE-CMD-055)."""
        if act.phase in (Phase.WAITING, Phase.PAUSED):
            self._end(act, NotSent(Code.ACCESSORY_NOT_REACHABLE))
            return
        may = act.manner.retry and act.left > 0 and now < act.until and not act.carried
        if may and view is not None and self._lacks_me(act, view):
            act.left -= 1
            self._carry(act, view, view.shown_version(act.accessory))
            act.phase = Phase.WAITING
            self._try(act, view, now)
        elif act.bad:
            self._end(act, BadReply(act.bad))
        else:
            self._end(act, Silent(now - act.made))

    def _lacks_me(self, act: Act, view: HomeView) -> bool:
        """Tell whether the accessory has shown a log that is older than the own grant."""
        grant, shown = view.grant(self._identity.kid), view.shown_version(act.accessory)
        return grant is not None and shown is not None and shown < grant.since

    def _carry(self, act: Act, view: HomeView, version: Version | None) -> None:
        """Send to the inbox what an accessory at this version lacks; order is kept there."""
        act.carried = True
        for raw in view.missing(version) if version is not None else []:
            self._actor.send(self._actor.topics.inbox(act.accessory), raw)

    def _end(self, act: Act, outcome: Outcome) -> None:
        act.phase, act.outcome = Phase.DONE, outcome
        self._open.remove(act)
        for sent in act.sent[-1:]:
            self._forget(sent)
        self._actor.tell(
            "act",
            accessory=act.accessory.hex(),
            op=act.op.name.lower(),
            outcome=type(outcome).__name__.lower(),
            command=act.command.hex() if act.command else None,
        )

    def _forget(self, sent: Sent) -> None:
        self._earlier[sent.id] = None
        if len(self._earlier) > _EARLIER_KEPT:
            del self._earlier[next(iter(self._earlier))]


def _check_fits(identity: Identity, accessory: AccessoryId, op: Op, args: Sequence[Value]) -> None:
    """Try the act with the longest of everything else. Raises ValueError."""
    most = Version(limits.UINT64_MAX, limits.UINT64_MAX)
    boot, nonce = BootId(bytes(limits.ID_SIZE)), bytes(limits.NONCE_SIZE)
    command = Command(boot, limits.UINT64_MAX, most, op, tuple(args), limits.UINT64_MAX, nonce)
    make_command(identity.key, NO_HOME, accessory, command)
    try:
        Command.decode(command.encode())
    except Malformed as error:
        raise ValueError(f"no command can hold this: {error.detail}") from error


def _prepares(act: Act, view: HomeView) -> bool:
    """Tell whether a nonce is fetched up front: a strict accessory that never knows the time (AE-CMD-041)."""
    announce = view.heard(act.accessory)
    return announce is not None and announce.capabilities.strict and not announce.capabilities.trusted_time


def _strict(act: Act, view: HomeView) -> bool:
    """Tell whether an accessory is of a strict type; one that has not said so may be."""
    announce = view.heard(act.accessory)
    return announce is None or announce.capabilities.strict


def _learn(act: Act, response: Response, known: Known, random: Random, now: int) -> bool:
    """Take from a hint what the next command needs; False where it does not help (AE-CMD-054)."""
    hint = response.hint or {}
    match response.status:
        case Reason.REPLAYED:
            last = hint.get(int(HintKey.LAST_COUNTER))
            if not isinstance(last, int):
                return False
            act.counter = counter_after(known, last, now, random)
            return act.counter is not None
        case Reason.STALE_ACL:
            try:
                act.version = as_version(hint.get(int(HintKey.VERSION), ()))
            except Malformed:
                return False
        case Reason.EXPIRED:
            time = hint.get(int(HintKey.TIME))
            act.prepare = act.prepare or wants_nonce(hint)
            if isinstance(time, int):
                known.offset_ms = time * _MS - now
        case _:
            pass  # the answer itself says the rest
    return True


def _nonce(response: Response) -> bytes | None:
    """Take the nonce out of the answer to a prepare."""
    results = response.results
    found = results.get(1) if isinstance(results, dict) else None
    return found if isinstance(found, bytes) and len(found) == limits.NONCE_SIZE else None
