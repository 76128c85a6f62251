"""How an accessory comes into a home: enrolled, paired, adopted; one part of the owner's actor.

The accessory is enrolled in the log before it is adopted, so that its questions and acks count from the first
moment; an adoption that fails is followed by its release (AE-PAIR-047).
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from accessory_emu.pairing.pair_setup import Paired, PairingFailed, PairSetupController
from accessory_emu.pairing.state import OutOfTurn
from accessory_emu.protocol import limits
from accessory_emu.protocol.envelope import object_id, parse
from accessory_emu.protocol.exchanges.command import read_response
from accessory_emu.protocol.exchanges.joining import offer
from accessory_emu.protocol.identifiers import AccessoryId, BootId, Version
from accessory_emu.protocol.membership.request import RequestOp
from accessory_emu.protocol.messages import Adopt, Life
from accessory_emu.protocol.reasons import Reason
from controllers.actor import Actor, earliest
from controllers.asking import Asking, What, Wish
from controllers.errors import Code
from controllers.home import HomeView
from controllers.identity import Identity
from controllers.results import Change, ChangeState

_OFFERS: Final = 6  # adoptions that are begun anew after stale_boot or conflict
_WISH: Final = Wish()


class Step(Enum):
    """How far a pairing is."""

    FINDING = "finding"  # its announcement, which brings its key
    ENROLLING = "enrolling"
    PAIRING = "pairing"
    ADOPTING = "adopting"
    RELEASING = "releasing"  # something failed after it was enrolled
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a pairing came to nothing.

    `step` is where; `reason` stands in the specification's words, `tlv_error` is HAP's number, `code` a local
    code; `detail` is a sentence.
    """

    step: Step
    detail: str
    reason: Reason | None = None
    tlv_error: int | None = None
    code: Code | None = None


@dataclass(slots=True)
class _Repeat:
    """What is sent again until something comes back."""

    parcels: list[tuple[str, bytes]]
    at: int
    pause: int = limits.PAIR_AGAIN_MS


@dataclass(slots=True)
class Pairing:
    """One pairing; the actor moves it, others read it. `version` is where the accessory was adopted."""

    accessory: AccessoryId
    replaces: AccessoryId | None
    until: int
    step: Step = Step.FINDING
    failure: Failure | None = None
    version: Version | None = None
    changes: list[Change] = field(default_factory=list)
    setup: PairSetupController | None = field(default=None, repr=False)
    exchange: bytes = b""
    adopt: bytes = b""  # names the adoption in the accessory's answer
    boot: BootId | None = None
    offers: int = 0
    enrolled: bool = False  # by this pairing, so its failure ends it
    repeat: _Repeat | None = field(default=None, repr=False)

    @property
    def done(self) -> bool:
        """Whether it has come to an end."""
        return self.step in (Step.DONE, Step.FAILED)


class PairingFlow:
    """The pairings of one owner; a part of its actor."""

    def __init__(self, actor: Actor, identity: Identity, asking: Asking) -> None:
        self._actor = actor
        self._identity = identity
        self._asking = asking
        self._open: list[Pairing] = []

    def begin(
        self, accessory: AccessoryId, code: str, replaces: AccessoryId | None, now: int, until: int
    ) -> Pairing:
        """Begin a pairing; it moves from the next turn on, when its answers can be heard.

        Raises:
            BadSetupCode: no accessory may have this code.
        """
        pairing = Pairing(accessory, replaces, until, repeat=_Repeat([], now))
        pairing.exchange = self._actor.random.bytes(limits.ID_SIZE)
        kid = self._identity.kid.hex().encode()
        pairing.setup = PairSetupController(code, kid, self._identity.key, self._actor.random, accessory)
        self._open.append(pairing)
        return pairing

    def filters(self) -> set[str]:
        """Tell what to listen to."""
        return {self._actor.topics.pair_response(each.accessory, each.exchange) for each in self._open}

    def deadline(self) -> int | None:
        """Tell when something is due."""
        repeats = [each.repeat.at for each in self._open if each.repeat is not None]
        return earliest(*(each.until for each in self._open), *repeats)

    def settle(self, view: HomeView | None, now: int) -> None:
        """Move what can be moved, repeat what is due, give up what is over."""
        if view is None:
            return
        for pairing in list(self._open):
            self._move(pairing, view, now)
            if not pairing.done and now >= pairing.until:
                self._fail(pairing, Failure(pairing.step, "it took too long", code=_late(pairing)), view, now)
            repeat = pairing.repeat
            if repeat is not None and now >= repeat.at:
                self._send(repeat.parcels)
                self._look_again(pairing, view)
                repeat.at, repeat.pause = now + repeat.pause, repeat.pause * 2
        self._open = [each for each in self._open if not each.done]

    # what arrives

    def took_response(
        self, accessory: AccessoryId, exchange: bytes, data: bytes, view: HomeView, now: int
    ) -> None:
        """Take a message of Pair-Setup."""
        pairing = next((each for each in self._open if each.exchange == exchange), None)
        if pairing is None or pairing.step is not Step.PAIRING or pairing.accessory != accessory:
            return
        try:
            found = pairing.setup.receive(data) if pairing.setup else data
        except OutOfTurn:
            return  # an answer that came twice
        except PairingFailed as error:
            failure = Failure(Step.PAIRING, str(error), error.reason, error.tlv_error)
            self._fail(pairing, failure, view, now)
            return
        if isinstance(found, Paired):
            pairing.setup = None
            self._offer(pairing, view, now)
        else:
            self._say(pairing, found, now)

    def took_answer(self, accessory: AccessoryId, data: bytes, view: HomeView, now: int) -> bool:
        """Take an accessory's answer to an adoption; False where it is none.

        Raises:
            ProtocolError: it does not verify.
        """
        pairing = next((each for each in self._open if each.accessory == accessory and each.adopt), None)
        key = view.key_of(accessory)
        if pairing is None or key is None:
            return False
        response = read_response(parse(data), key, view.home, accessory)
        if response.to != pairing.adopt or response.status is None or pairing.step is not Step.ADOPTING:
            return False
        self._identity.answered(accessory, response.boot, response.version)
        again = response.status in (Reason.STALE_BOOT, Reason.CONFLICT) and pairing.offers < _OFFERS
        moved = view.log is not None and view.log.version != pairing.version
        if again and (moved or response.status is Reason.STALE_BOOT):
            self._offer(pairing, view, now)
        elif again:
            pairing.offers += 1  # a message was lost or overtaken: what is repeated anyway may come in order
        else:
            failure = Failure(Step.ADOPTING, "the accessory refuses the home", response.status)
            self._fail(pairing, failure, view, now)
        return True

    # the steps

    def _move(self, pairing: Pairing, view: HomeView, now: int) -> None:
        match pairing.step:
            case Step.FINDING:
                self._find(pairing, view, now)
            case Step.ENROLLING:
                self._enrol(pairing, view, now)
            case Step.ADOPTING:
                self._adopt(pairing, view, now)
            case Step.RELEASING if pairing.changes[-1].done:
                self._end(pairing, Step.FAILED)
            case _:
                pass  # what moves these arrives

    def _find(self, pairing: Pairing, view: HomeView, now: int) -> None:
        announce = view.heard(pairing.accessory)
        if announce is None or not view.ready:
            return
        if announce.life is Life.MEMBER:
            failure = Failure(Step.FINDING, "the accessory belongs to a home", Reason.UNAVAILABLE)
            self._fail(pairing, failure, view, now)
            return
        pairing.step = Step.ENROLLING
        if pairing.accessory not in view.roster:
            what = What(RequestOp.ENROL, key=announce.key)
            pairing.changes.append(self._asking.ask(what, view, _WISH, now))
            pairing.enrolled = True
        self._enrol(pairing, view, now)

    def _enrol(self, pairing: Pairing, view: HomeView, now: int) -> None:
        """Wait until the enrolment stands in the log; then begin Pair-Setup."""
        change = pairing.changes[0] if pairing.enrolled else None
        if change is not None and change.done and change.state is not ChangeState.COMMITTED:
            text = "the sequencer refuses the accessory" if change.reason else "nobody orders the enrolment"
            failure = Failure(Step.ENROLLING, text, change.reason, code=change.code)
            self._fail(pairing, failure, view, now)
        elif pairing.accessory in view.roster and pairing.setup is not None:
            if pairing.replaces is not None and pairing.replaces in view.roster:
                what = What(RequestOp.RELEASE, target=pairing.replaces)
                pairing.changes.append(self._asking.ask(what, view, _WISH, now))
            pairing.step = Step.PAIRING
            self._say(pairing, pairing.setup.start(), now)

    def _offer(self, pairing: Pairing, view: HomeView, now: int) -> None:
        """Show the accessory the newest checkpoint and all entries after it (AE-PAIR-041)."""
        log, checkpoint = view.log, view.checkpoint
        known = self._identity.known(pairing.accessory)
        if log is None or checkpoint is None or known is None:
            return
        adopt = Adopt(view.home, known.boot, checkpoint.id, log.version, log.head)
        entries = [entry.raw for entry in view.entries]
        messages = offer(self._identity.key, pairing.accessory, adopt, checkpoint.raw, entries)
        pairing.step, pairing.version, pairing.boot = Step.ADOPTING, log.version, known.boot
        pairing.adopt = _name(messages[0], view, pairing.accessory)
        pairing.offers += 1
        topic = self._actor.topics.inbox(pairing.accessory)
        pairing.repeat = _Repeat([(topic, raw) for raw in messages], now + limits.PAIR_AGAIN_MS)
        self._send(pairing.repeat.parcels)

    def _adopt(self, pairing: Pairing, view: HomeView, now: int) -> None:
        """Wait until the accessory shows the adopted version; begin anew where it has restarted."""
        shown = view.shown_version(pairing.accessory)
        if shown is not None and pairing.version is not None and shown >= pairing.version:
            self._end(pairing, Step.DONE)
            return
        known = self._identity.known(pairing.accessory)
        if known is not None and known.boot != pairing.boot and pairing.offers < _OFFERS:
            self._offer(pairing, view, now)

    # inside

    def _say(self, pairing: Pairing, data: bytes, now: int) -> None:
        """Send a message of Pair-Setup, again and again until its answer comes (AE-PAIR-008)."""
        topic = self._actor.topics.pair_request(pairing.accessory, pairing.exchange)
        pairing.repeat = _Repeat([(topic, data)], now)

    def _look_again(self, pairing: Pairing, view: HomeView) -> None:
        """Have the retained words of an accessory come again: they may have been lost."""
        if pairing.step in (Step.FINDING, Step.ADOPTING):
            topics = self._actor.topics
            self._actor.subscribe_again(topics.ack(view.home), topics.announce())

    def _send(self, parcels: list[tuple[str, bytes]]) -> None:
        for topic, data in parcels:
            self._actor.send(topic, data)

    def _fail(self, pairing: Pairing, failure: Failure, view: HomeView, now: int) -> None:
        """Give up; what was enrolled is released (AE-PAIR-047)."""
        pairing.failure, pairing.setup, pairing.repeat = pairing.failure or failure, None, None
        ordered = any(change.state is ChangeState.COMMITTED for change in pairing.changes[:1])
        stands = pairing.accessory in view.roster or ordered  # perhaps in an entry that is on its way
        if pairing.step is Step.RELEASING or not pairing.enrolled or not stands:
            self._end(pairing, Step.FAILED)
            return
        pairing.step, pairing.until = Step.RELEASING, now + limits.REQUEST_WAIT_MS
        what = What(RequestOp.RELEASE, target=pairing.accessory)
        pairing.changes.append(self._asking.ask(what, view, _WISH, now))

    def _end(self, pairing: Pairing, step: Step) -> None:
        pairing.step, pairing.setup, pairing.repeat = step, None, None
        failure = pairing.failure
        self._actor.tell(
            "pairing",
            accessory=pairing.accessory.hex(),
            outcome=step.value,
            step=failure.step.value if failure else None,
            reason=failure.reason.word if failure and failure.reason else None,
        )


def _late(pairing: Pairing) -> Code:
    found = pairing.step is not Step.FINDING
    return Code.TIMED_OUT_WAITING_FOR_ACCESSORY if found else Code.ACCESSORY_NOT_REACHABLE


def _name(raw: bytes, view: HomeView, accessory: AccessoryId) -> bytes:
    return object_id(parse(raw), view.home, accessory)[: limits.GRANT_ID_SIZE]
