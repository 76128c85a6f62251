"""What an accessory does with a command: judge it, act, answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from accessory_emu.accessory.catalogue import IDENTIFY
from accessory_emu.accessory.device import Device
from accessory_emu.accessory.lifecycle import factory_reset
from accessory_emu.accessory.model import reason_of
from accessory_emu.accessory.turn import Outcome, Ruling, Turn
from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Value, as_list, as_uint, encode, version_value
from accessory_emu.protocol.envelope import Context, Envelope, seal
from accessory_emu.protocol.errors import Malformed, Refused
from accessory_emu.protocol.exchanges.command import Accepted, Duplicate, Proven, judge, prove, respond
from accessory_emu.protocol.membership.privileges import Role
from accessory_emu.protocol.messages import Op, Response, StateEvent
from accessory_emu.protocol.reasons import Reason, Rung

_LIST_FRAME: Final = 512  # what a page of `list` needs besides the grants, with room to spare
_AFTER_COUNTER: Final = (Rung.LOG, Rung.SYNC, Rung.EXPIRY, Rung.RIGHTS)


@dataclass(frozen=True, slots=True)
class Done:
    """What an act gave: results, or a refusal that carries them; `reset` leaves the home after the answer."""

    results: Value | None = None
    reason: Reason | None = None
    reset: bool = False


def on_command(device: Device, turn: Turn, envelope: Envelope, now: int) -> Ruling:
    """Judge one command and answer it.

    Raises:
        Unproven: the sender is not proven; nobody is answered.
    """
    proven = prove(envelope, device.view())
    kid = envelope.kid
    try:
        outcome = judge(proven, device.view(), now)
    except Refused as refused:
        _answer(device, turn, proven, refused)
        if refused.reason is Reason.ACL_BEHIND:
            device.freshness.want(now)
        return Ruling(
            Outcome.REFUSED, _text(refused), kid=kid, reason=refused.reason, rung=refused.rung, answered=True
        )
    if isinstance(outcome, Duplicate):
        turn.send(_out(device, proven), outcome.answer)
        return Ruling(Outcome.DUPLICATE, "the answer again, no second act", kid=kid, answered=True)
    return _act(device, turn, outcome, now)


def _act(device: Device, turn: Turn, accepted: Accepted, now: int) -> Ruling:
    proven, command = accepted.proven, accepted.command
    kid = proven.grant.kid
    act = _ACTS.get(command.op)
    what = Op(command.op).name.lower() if act else f"op {command.op}"
    try:
        done = act(device, turn, accepted, now) if act else Done(reason=Reason.NOT_SUPPORTED)
    except Malformed as error:
        done, what = Done(reason=Reason.BAD_VALUE), f"{what}: {error.detail}"
    answer = _respond(device, proven, done.reason, results=done.results)
    device.replay.keep(kid, proven.id, answer)
    turn.send(_out(device, proven), answer)
    if done.reset:
        factory_reset(device, turn, now)
    if done.reason is not None:
        return Ruling(Outcome.REFUSED, what, kid=kid, reason=done.reason, rung=Rung.VALUE, answered=True)
    return Ruling(Outcome.ACCEPTED, what, kid=kid, answered=True)


def _answer(device: Device, turn: Turn, proven: Proven, refused: Refused) -> None:
    """Send a refusal, and keep it where the counter is used up: the same bytes get the same answer."""
    device.refusals[refused.reason] += 1
    answer = _respond(device, proven, refused.reason, hint=refused.hint)
    if refused.rung in _AFTER_COUNTER:
        device.replay.keep(proven.grant.kid, proven.id, answer)
    turn.send(_out(device, proven), answer)


def _respond(
    device: Device,
    proven: Proven,
    reason: Reason | None,
    results: Value | None = None,
    hint: Mapping[int, Value] | None = None,
) -> bytes:
    response = Response(device.boot, proven.to, reason, proven.log.version, results, hint)
    return respond(device.founding.key, proven.log.home, response).raw


def _out(device: Device, proven: Proven) -> str:
    return device.config.topics.out(device.id, proven.grant.kid)


def _text(refused: Refused) -> str:
    return refused.detail if refused.detail != refused.reason.word else "command"


# the acts


def _read(device: Device, _turn: Turn, accepted: Accepted, _now: int) -> Done:
    places = [_place(item) for item in accepted.command.args]
    results: list[Value] = []
    read = device.model.read(places)
    for item in read:
        row: list[Value] = [item.aid, item.iid, int(item.status)]
        results.append(row if item.value is None else [*row, item.value])
    return Done(results, reason_of([item.status for item in read]))


def _write(device: Device, turn: Turn, accepted: Accepted, _now: int) -> Done:
    items = [_assignment(item) for item in accepted.command.args]
    outcome = device.model.write(items)
    device.model = outcome.model
    if outcome.changed:
        turn.keep("values", outcome.model.dump(), durable=device.config.durable_values)
        send_event(device, turn, [[aid, iid, value] for aid, iid, value in outcome.changed])
    if (*IDENTIFY, True) in outcome.acts:
        turn.tell("identify")
    results: list[Value] = [[aid, iid, int(status)] for aid, iid, status in outcome.results]
    return Done(results, outcome.reason())


def _identify(_device: Device, turn: Turn, _accepted: Accepted, _now: int) -> Done:
    turn.tell("identify")
    return Done()


def _list(_device: Device, _turn: Turn, accepted: Accepted, _now: int) -> Done:
    args = accepted.command.args
    first = as_uint(args[0]) if args else 0
    log = accepted.proven.log
    grants = log.allowlist.ordered()
    page, room = list[Value](), limits.MESSAGE_SIZE - _LIST_FRAME
    for grant in grants[first : first + limits.LIST_PAGE]:
        encoded = encode(grant.value())
        room -= len(encoded) + 3
        if room < 0:
            break
        page.append(encoded)
    results: dict[int, Value] = {
        1: version_value(log.version),
        2: log.head,
        3: len(grants),
        4: page,
        6: log.digest(),
    }
    if log.tombstones.watermark:
        results[5] = version_value(log.tombstones.watermark)
    return Done(results)


def _status(device: Device, _turn: Turn, accepted: Accepted, now: int) -> Done:
    log = accepted.proven.log
    results: dict[int, Value] = {
        1: device.events_sent,
        2: version_value(log.version),
        3: log.head,
        4: int(device.freshness.in_sync(log.version, now)),
        5: log.digest(),
    }
    if accepted.proven.grant.role is Role.OWNER:
        results[6] = {int(reason): count for reason, count in sorted(device.refusals.items())}
    return Done(results)


def _prepare(device: Device, _turn: Turn, accepted: Accepted, now: int) -> Done:
    return Done({1: device.replay.prepare(accepted.proven.grant.kid, device.random, now)})


def _release(_device: Device, _turn: Turn, _accepted: Accepted, _now: int) -> Done:
    return Done(reset=True)


_ACTS: Final[Mapping[int, Callable[[Device, Turn, Accepted, int], Done]]] = {
    Op.READ: _read,
    Op.WRITE: _write,
    Op.IDENTIFY: _identify,
    Op.LIST: _list,
    Op.STATUS: _status,
    Op.PREPARE: _prepare,
    Op.RELEASE: _release,
}


def _place(item: Value) -> tuple[int, int]:
    parts = as_list(item, 2)
    if len(parts) != 2:  # noqa: PLR2004 - aid, iid
        raise Malformed("to read: [aid, iid]")
    return as_uint(parts[0]), as_uint(parts[1])


def _assignment(item: Value) -> tuple[int, int, Value]:
    parts = as_list(item, 3)
    if len(parts) != 3:  # noqa: PLR2004 - aid, iid, value
        raise Malformed("to write: [aid, iid, value]")
    return as_uint(parts[0]), as_uint(parts[1]), parts[2]


def send_event(device: Device, turn: Turn, changes: list[Value]) -> None:
    """Sign and send a state change to whom it concerns (AE-ACC-030)."""
    if device.member is None:
        return
    device.events_sent += 1
    event = StateEvent(device.boot, device.events_sent, changes, device.member.log.version)
    home = device.member.log.home
    sealed = seal(device.founding.key, Context.EVENT, event.encode(), home, device.id)
    turn.send(device.config.topics.event(device.id), sealed.raw)
