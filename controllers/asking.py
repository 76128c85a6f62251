"""Requests to the sequencer: asked, repeated until answered, followed to every accessory."""

from dataclasses import dataclass, replace

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Value
from accessory_emu.protocol.envelope import Envelope
from accessory_emu.protocol.errors import UnknownKey
from accessory_emu.protocol.exchanges.delegation import read_response
from accessory_emu.protocol.identifiers import NO_HEAD, AccessoryId, GrantId, PublicKey, Version
from accessory_emu.protocol.membership.checkpoint import SequencerKind
from accessory_emu.protocol.membership.log import Log
from accessory_emu.protocol.membership.privileges import Role
from accessory_emu.protocol.membership.request import Request, RequestOp
from accessory_emu.protocol.membership.verdict import Judge
from accessory_emu.protocol.messages import HubStatus
from accessory_emu.protocol.reasons import Reason
from controllers.actor import Actor, earliest
from controllers.errors import Code, ControllerError
from controllers.home import HomeView
from controllers.identity import Identity
from controllers.results import Change, ChangeState

_MS = 1000
_CHANGES_KEPT = 256  # finished changes that are still followed


@dataclass(frozen=True, slots=True)
class Wish:
    """How a change is asked for.

    `life` is how long the signed request may wait (s), `wait` how long this controller waits for an answer
    (ms). `queue` sends it although no hub is known; `bypass` although it is known to be refused.
    """

    life: int = limits.REQUEST_LIFE_S
    wait: int = limits.REQUEST_WAIT_MS
    queue: bool = False
    bypass: bool = False


@dataclass(frozen=True, slots=True)
class What:
    """What a change is: the op, and the fields that it needs."""

    op: RequestOp
    subject: str = ""
    key: PublicKey | None = None
    acceptance: bytes | None = None
    terms: Value | None = None
    target: bytes | None = None


@dataclass(slots=True)
class _Open:
    """A change without an answer, and when it is sent again."""

    change: Change
    again: int
    pause: int = limits.REQUEST_AGAIN_MS


class Asking:
    """The requests of one member; a part of its actor."""

    def __init__(self, actor: Actor, identity: Identity) -> None:
        self._actor = actor
        self._identity = identity
        self._open: dict[GrantId, _Open] = {}
        self.changes: dict[GrantId, Change] = {}

    def ask(self, what: What, view: HomeView | None, wish: Wish, now: int) -> Change:
        """Sign a request and send it to the sequencer.

        What this controller knows to be refused ends at once, and nothing is sent.

        Raises:
            ControllerError: home_not_known.

        Spec: AE-LOG-093.
        """
        if view is None or view.log is None or not view.ready:
            raise ControllerError(Code.HOME_NOT_KNOWN)
        request = Request(
            nonce=self._actor.random.bytes(limits.NONCE_SIZE),
            base=view.version,
            expires=now // _MS + wish.life,
            op=what.op,
            key=what.key,
            acceptance=what.acceptance,
            terms=what.terms,
            target=what.target,
        )
        sealed = request.sign(self._identity.key, view.home)
        name = GrantId(sealed.id[: limits.GRANT_ID_SIZE])
        change = Change(name, what.op, what.subject, sealed.raw, request.expires, now + wish.wait)
        self._remember(change)
        change.table.expect(view, now)
        if not wish.bypass:
            self._foresee(change, view.log, now)
        if not change.done and not wish.queue and self._needs_hub(view, what):
            change.fail(Code.NO_HOME_HUB)
        if not change.done:
            self._open[name] = _Open(change, now)
            self.settle(view, now)
        return change

    def foreseen(self, log: Log, now: int) -> Log:
        """Give the log as it will be if everything that was asked is committed: the optimistic copy."""
        for waiting in self._open.values():
            log = _applied(log, waiting.change.raw, now)[0]
        return log

    # what happens

    def answered(self, envelope: Envelope, view: HomeView, now: int) -> None:
        """Take a signed answer of the sequencer.

        Raises:
            ProtocolError: it does not verify.
        """
        if view.log is None:
            raise UnknownKey("no checkpoint yet")
        response = read_response(envelope, view.log.sequencer, view.home)
        if response.version is not None:
            view.hear_of(response.version)
        change = self.changes.get(response.request)
        if change is None:
            return
        if response.status is HubStatus.COMMITTED and response.version is not None:
            self._commit(change, response.version, view, now)
        elif response.status is HubStatus.REFUSED and change.state is not ChangeState.COMMITTED:
            change.refuse(response.reason or Reason.FORBIDDEN)
            self._close(change)

    def moved(self, before: Version | None, view: HomeView, now: int) -> None:
        """Look for what was asked in the log that has moved; ask again for what a new epoch lacks."""
        if before is not None and view.log is not None and before.epoch != view.log.version.epoch:
            self._new_epoch(view, now)
        for change in self.changes.values():
            found = view.ordered(change.id)
            if found is not None and change.version is None:
                self._commit(change, found.version, view, now)
            if change.version is not None:
                change.table.leave_out(view)

    def acked(self, accessory: AccessoryId, view: HomeView, now: int) -> None:
        """Mark the rows of an accessory that has sent an ack."""
        for change in self.changes.values():
            if change.version is not None:
                change.table.mark(accessory, change.version, view, now)

    def settle(self, view: HomeView | None, now: int) -> None:
        """Send what is due, and give up what nobody answers."""
        if view is None:
            return
        for waiting in list(self._open.values()):
            change = waiting.change
            if now >= change.limit:
                change.fail(_nobody(view))
                self._close(change)
            elif self._actor.up and now >= waiting.again:
                self._actor.send(self._actor.topics.hub_inbox(view.home), change.raw)
                waiting.again, waiting.pause = now + waiting.pause, waiting.pause * 2

    def came_up(self, now: int) -> None:
        """Send everything again at once: what was sent meanwhile is lost."""
        for waiting in self._open.values():
            waiting.again = now

    def deadline(self) -> int | None:
        """Tell when something is due."""
        due = [waiting.change.limit for waiting in self._open.values()]
        if self._actor.up:
            due += [waiting.again for waiting in self._open.values()]
        return earliest(*due)

    # inside

    def _commit(self, change: Change, version: Version, view: HomeView, now: int) -> None:
        if change.version != version:
            change.commit(version)
            change.table.expect(view, now)
            self._actor.tell("change", request=change.id.hex(), outcome=change.outcome, version=version)
        self._close(change)
        for accessory in change.table.pending():
            change.table.mark(accessory, version, view, now)

    def _close(self, change: Change) -> None:
        if self._open.pop(change.id, None) is not None and change.state is not ChangeState.COMMITTED:
            self._actor.tell("change", request=change.id.hex(), outcome=change.outcome, reason=change.reason)

    def _remember(self, change: Change) -> None:
        self.changes[change.id] = change
        finished = [name for name in self.changes if name not in self._open and name != change.id]
        if len(finished) > _CHANGES_KEPT:
            del self.changes[finished[0]]

    def _foresee(self, change: Change, log: Log, now: int) -> None:
        """Refuse at once what every accessory would refuse."""
        reason = _applied(log, change.raw, now)[1]
        if reason is not None:
            change.refuse(reason)

    def _needs_hub(self, view: HomeView, what: What) -> bool:
        """Tell whether nobody is there who would complete an editor's change (AE-LOG-093)."""
        grant = view.grant(self._identity.kid)
        owner = grant is not None and grant.role is Role.OWNER
        leaves = grant is not None and what.op == RequestOp.REMOVE and what.target == grant.root
        device = view.log is not None and view.log.kind is SequencerKind.DEVICE
        return device and not owner and not leaves

    def _new_epoch(self, view: HomeView, now: int) -> None:
        """Return the rows of requests that a new epoch lacks to pending, and send them again (AE-LOG-091)."""
        checkpoint = view.checkpoint.checkpoint if view.checkpoint else None
        carried = checkpoint.prev.version if checkpoint and checkpoint.prev else Version(0, 0)
        for change in self.changes.values():
            lacks = change.version is not None and change.version > carried
            if not lacks or now // _MS > change.expires:
                continue
            change.table.back_to_pending(now)
            change.state, change.version = ChangeState.WAITING, None
            change.limit = now + limits.REQUEST_WAIT_MS
            self._open[change.id] = _Open(change, now)


def _applied(log: Log, raw: bytes, now: int) -> tuple[Log, Reason | None]:
    """Judge a request as the next entry would have it."""
    version = Version(log.version.epoch, log.version.seq + 1)
    judge = Judge(
        home=log.home,
        before=log.version,
        version=version,
        time=max(now // _MS, log.time),
        sequencer=log.sequencer,
        room=log.room,
    )
    verdict, allowlist, tombstones = judge.apply(raw, log.allowlist, log.tombstones)
    moved = replace(log, version=version, head=NO_HEAD, allowlist=allowlist, tombstones=tombstones)
    return moved, verdict.reason


def _nobody(view: HomeView) -> Code:
    hub = view.log is not None and view.log.kind is SequencerKind.HUB
    return Code.NO_HOME_HUB if hub else Code.NO_REPLY
