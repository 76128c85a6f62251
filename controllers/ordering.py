"""What a sequencer says to a request: the accessories' own judgement, and what only the sequencer knows."""

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import key_id
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import AccessoryId, Version
from accessory_emu.protocol.membership.log import Log
from accessory_emu.protocol.membership.request import Request, RequestOp
from accessory_emu.protocol.membership.roster import Roster
from accessory_emu.protocol.membership.verdict import Judge
from accessory_emu.protocol.reasons import Reason
from controllers.home import HomeView


def judge_request(raw: bytes, payload: bytes, view: HomeView, log: Log, time: int) -> Reason | None:
    """Tell why a request would have no effect, or None.

    Args:
        raw: the request's message; its signature held under its author's key.
        payload: the message's payload.
        view: the home, for its roster and the capacities that its accessories declare.
        log: the log, to whose next version the request would belong.
        time: that of the entry, unix s.

    Spec: AE-LOG-072, AE-LOG-079.
    """
    try:
        request = Request.decode(payload)
    except Malformed:
        return Reason.MALFORMED
    judge = Judge(
        home=log.home,
        before=log.version,
        version=Version(log.version.epoch, log.version.seq + 1),
        time=time,
        sequencer=log.sequencer,
        room=smallest(view)[0],
    )
    verdict, _, _ = judge.apply(raw, log.allowlist, log.tombstones)
    return verdict.reason or _roster_reason(request, view.roster)


def smallest(view: HomeView) -> tuple[int, AccessoryId | None]:
    """Give the room of the smallest enrolled accessory that has announced itself, and which one it is."""
    rooms = [
        (max(limits.GRANTS_HELD, heard.announce.capabilities.grants), accessory)
        for accessory, heard in view.announced.items()
    ]
    room, accessory = min(rooms, default=(limits.VIEW_GRANTS, None))
    return min(room, limits.VIEW_GRANTS), accessory


def _roster_reason(request: Request, roster: Roster) -> Reason | None:
    """Refuse to enrol twice, and to release what is not enrolled: accessories cannot tell (AE-LOG-039)."""
    if request.op == RequestOp.ENROL and request.key is not None:
        return Reason.ALREADY_MEMBER if AccessoryId(key_id(request.key)) in roster else None
    if request.op == RequestOp.RELEASE:
        return None if request.target_accessory in roster else Reason.CONFLICT
    return None
