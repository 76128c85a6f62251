"""A signed command and its signed response; prepare, which hands out a nonce.

The judge follows the fixed order of checks (AE-CMD-010), so that a message with one fault has one reason:
size and grammar (`envelope.parse`), key and signature (`prove`, after which the sender is answered), then
payload, boot, counter, log, sync, expiry and rights (`judge`); the value is the model's business.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.encoding import Value
from accessory_emu.protocol.envelope import Context, Envelope, GoodSignatures, Sealed, seal, verify
from accessory_emu.protocol.errors import Hint, Malformed, NotPaired, Refused, UnknownKey
from accessory_emu.protocol.identifiers import (
    AccessoryId,
    BootId,
    HomeId,
    ObjectId,
    PublicKey,
    Version,
)
from accessory_emu.protocol.membership.authority import PRIVILEGE_OF_OP, permits
from accessory_emu.protocol.membership.freshness import Freshness
from accessory_emu.protocol.membership.grant import Grant
from accessory_emu.protocol.membership.log import Log
from accessory_emu.protocol.membership.privileges import Privilege, Role
from accessory_emu.protocol.messages import Command, HintKey, Op, Response
from accessory_emu.protocol.reasons import Reason, Rung
from accessory_emu.protocol.replay import Replay

_ACTS: Final = (Op.WRITE, Op.IDENTIFY, Op.RELEASE)
_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class View:
    """What an accessory knows when it judges a command; `strict` is for locks, doors and alarms."""

    accessory: AccessoryId
    boot: BootId
    log: Log | None
    freshness: Freshness
    replay: Replay
    strict: bool
    memo: GoodSignatures | None = None


@dataclass(frozen=True, slots=True)
class Proven:
    """A command whose signature held: from here on its sender is answered."""

    id: ObjectId
    envelope: Envelope
    grant: Grant
    log: Log

    @property
    def to(self) -> bytes:
        """What a response names it by."""
        return self.id[: limits.GRANT_ID_SIZE]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A command within its sender's rights; what it asks for is not judged yet."""

    proven: Proven
    command: Command


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same command again: the answer that it got, and it acts no second time (AE-CMD-030)."""

    proven: Proven
    answer: bytes


# the accessory's half


def prove(envelope: Envelope, view: View) -> Proven:
    """Rungs key and signature; whoever fails here hears nothing.

    Raises:
        Malformed, NotPaired, UnknownKey, BadSignature.

    Spec: AE-CMD-011.
    """
    if envelope.context is not Context.COMMAND:
        raise Malformed("no command")
    if view.log is None:
        raise NotPaired
    grant = view.log.allowlist.find(envelope.kid)
    if grant is None:
        raise UnknownKey
    name = verify(envelope, grant.key, view.log.home, view.accessory, view.memo)
    return Proven(name, envelope, grant, view.log)


def judge(proven: Proven, view: View, now: int) -> Accepted | Duplicate:
    """Rungs payload to rights.

    Raises:
        Refused: with the reason of the first rung that does not let it pass.

    Spec: AE-CMD-010.
    """
    try:
        command = Command.decode(proven.envelope.payload)
    except Malformed as error:
        raise Refused(Reason.MALFORMED, Rung.PAYLOAD, error.detail) from error
    check_boot(command, view)
    answer = view.replay.cached(proven.grant.kid, proven.id)
    if answer is not None:
        return Duplicate(proven, answer)
    view.replay.use_counter(proven.grant.kid, command.ctr)
    for check in _CHECKS:
        check(command, proven, view, now)
    return Accepted(proven, command)


def check_boot(command: Command, view: View) -> None:
    """Rung boot: the command was made for this start of the accessory (AE-CMD-020)."""
    if command.boot != view.boot:
        raise Refused(Reason.STALE_BOOT, Rung.BOOT, clause="AE-CMD-020")


def check_log(command: Command, proven: Proven, _view: View, _now: int) -> None:
    """Rung log: neither a sender that is ahead, nor one that is behind its own grant (AE-CMD-035)."""
    log, grant = proven.log, proven.grant
    if log.only_owner and grant.role is not Role.OWNER:
        raise Refused(Reason.CONFLICT, Rung.LOG, "the sequencer contradicted itself", clause="AE-LOG-051")
    if command.version > log.version:
        raise Refused(Reason.ACL_BEHIND, Rung.LOG, hint=_version_hint(log.version), clause="AE-CMD-035")
    if command.version < grant.since:
        raise Refused(Reason.STALE_ACL, Rung.LOG, hint=_version_hint(grant.since), clause="AE-CMD-036")


def check_sync(command: Command, proven: Proven, view: View, now: int) -> None:
    """Rung sync: above view only while the list is known to be current; the owner passes (AE-SYN-020)."""
    if proven.grant.role is Role.OWNER or _privilege(command) is Privilege.VIEW:
        return
    if not view.freshness.obeys(proven.log.version, proven.log.kind, now):
        raise Refused(Reason.NOT_IN_SYNC, Rung.SYNC, clause="AE-SYN-020")


def check_expiry(command: Command, proven: Proven, view: View, now: int) -> None:
    """Rung expiry: with trusted time an expiry, without it a nonce where an act could hurt (AE-CMD-040)."""
    trusted = view.freshness.trusted_time(now)
    wrong = ""
    if command.nonce is not None:
        wrong = view.replay.use_nonce(proven.grant.kid, command.nonce, now)
    elif trusted is None and view.strict and command.op in _ACTS:
        wrong = "nonce missing"
    if trusted is not None and not wrong:
        wrong = _expiry_fault(command.expires, trusted)
    if wrong:
        hint: dict[int, Hint] = {int(HintKey.WHICH): wrong}
        if trusted is not None:
            hint[int(HintKey.TIME)] = trusted // _MS
        raise Refused(Reason.EXPIRED, Rung.EXPIRY, wrong, hint=hint, clause="AE-CMD-040")


def _expiry_fault(expires: int | None, trusted: int) -> str:
    if expires is None:
        return "expiry missing"
    if expires * _MS < trusted:
        return "expiry past"
    return "expiry too far ahead" if expires * _MS > trusted + limits.EXPIRY_AHEAD_S * _MS else ""


def check_rights(command: Command, proven: Proven, view: View, now: int) -> None:
    """Rung rights: role, privilege, scope, window, lease (AE-CMD-045)."""
    if command.op not in list(Op):
        return  # nobody has a right to it, and the value rung says that it does not exist
    trusted, stated = view.freshness.trusted_time(now), view.freshness.stated_ms()
    lacking = permits(proven.grant, Op(command.op), view.accessory, trusted, stated, proven.log.lease)
    if lacking:
        raise Refused(
            Reason.FORBIDDEN, Rung.RIGHTS, lacking, hint={int(HintKey.WHICH): lacking}, clause="AE-CMD-045"
        )


_CHECKS: Final[tuple[Callable[[Command, Proven, View, int], None], ...]] = (
    check_log,
    check_sync,
    check_expiry,
    check_rights,
)


def _privilege(command: Command) -> Privilege:
    return PRIVILEGE_OF_OP[Op(command.op)] if command.op in list(Op) else Privilege.VIEW


def _version_hint(version: Version) -> Mapping[int, Hint]:
    return {int(HintKey.VERSION): (version.epoch, version.seq)}


def respond(key: crypto.SigningKey, home: HomeId, response: Response) -> Sealed:
    """Sign an answer as accessory (AE-RSP-001)."""
    return seal(key, Context.RESPONSE, response.encode(), home, AccessoryId(key.kid))


# the controller's half


def make_command(key: crypto.SigningKey, home: HomeId, accessory: AccessoryId, command: Command) -> Sealed:
    """Sign a command as controller (AE-CMD-001)."""
    return seal(key, Context.COMMAND, command.encode(), home, accessory)


def read_response(envelope: Envelope, public: PublicKey, home: HomeId, accessory: AccessoryId) -> Response:
    """Verify and read an answer; whether it answers this command is told by its `to` (AE-RSP-002).

    Raises:
        BadSignature, Malformed: it is no answer of this accessory in this home.
    """
    if envelope.context is not Context.RESPONSE or envelope.kid != crypto.key_id(public):
        raise Malformed("no response of this accessory")
    verify(envelope, public, home, accessory)
    return Response.decode(envelope.payload)


def read_items(items: Sequence[tuple[int, int]]) -> list[Value]:
    """Give the arguments of a read: [aid, iid] each."""
    return [[aid, iid] for aid, iid in items]


def write_items(items: Sequence[tuple[int, int, Value]]) -> list[Value]:
    """Give the arguments of a write: [aid, iid, value] each."""
    return [[aid, iid, value] for aid, iid, value in items]
