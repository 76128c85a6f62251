"""One act at one accessory: what was sent, what came back, and when it is tried again.

The table says after which reasons a sender tries again by itself (AE-CMD-050 to AE-CMD-055); everything else
is final. A repetition is a new command with a new counter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Value
from accessory_emu.protocol.identifiers import AccessoryId, Version
from accessory_emu.protocol.messages import Fate, HintKey, Op, Response
from accessory_emu.protocol.reasons import Reason
from controllers.errors import Code

# outcomes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The accessory's signed word that it has done it; `results` depend on the op (AE-RSP-004)."""

    results: Value | None
    version: Version


@dataclass(frozen=True, slots=True)
class Refused:
    """The accessory's signed refusal; `hint` maps HintKey to values (AE-RSP-003)."""

    reason: Reason
    hint: Mapping[int, Value]
    version: Version
    results: Value | None = None


@dataclass(frozen=True, slots=True)
class Silent:
    """No answer came: an accessory never answers a sender that it cannot authenticate."""

    waited: int
    code: Code = Code.NO_REPLY


@dataclass(frozen=True, slots=True)
class BadReply:
    """Only answers came whose signature or command id does not fit; never a success (AE-RSP-002)."""

    replies: int
    code: Code = Code.BAD_REPLY


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing could be sent: the accessory's boot is not known, or there is no connection."""

    code: Code


Outcome: TypeAlias = Accepted | Refused | Silent | BadReply | NotSent


# what is asked for


@dataclass(frozen=True, slots=True)
class Manner:
    """How an act is sent: `life` is how far ahead it expires (ms, None for never), `wait` for one answer."""

    life: int | None = limits.COMMAND_LIFE_MS
    wait: int = limits.ANSWER_WAIT_MS
    retry: bool = True


class Phase(Enum):
    """Where an act stands."""

    WAITING = "waiting"  # for a connection, or for the accessory's boot
    PREPARING = "preparing"
    SENT = "sent"
    PAUSED = "paused"  # before it is tried again
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Sent:
    """One command that left: its id (16 bytes, as responses name it), its bytes and its op."""

    id: bytes
    raw: bytes
    op: Op


@dataclass(slots=True)
class Act:
    """What one person wants of one accessory; the actor moves it, others read it.

    `until` is the end of automatic repetitions (ms), `due` when something happens by itself.
    """

    accessory: AccessoryId
    op: Op
    args: Sequence[Value]
    manner: Manner
    made: int
    until: int
    due: int
    phase: Phase = Phase.WAITING
    outcome: Outcome | None = None
    sent: list[Sent] = field(default_factory=list)
    left: int = limits.RETRIES
    counter: int | None = None  # what a hint leads to
    version: Version | None = None  # a version that the accessory wants named at least
    nonce: bytes | None = None
    prepare: bool = False  # a nonce has to be fetched before the act
    bad: int = 0
    carried: bool = False

    @property
    def done(self) -> bool:
        """Whether there is an outcome."""
        return self.outcome is not None

    @property
    def command(self) -> bytes | None:
        """The id of the command that was sent last, None before the first."""
        acts = [sent for sent in self.sent if sent.op is self.op]
        return acts[-1].id if acts else None


# when to try again

_NOW: Final = 0


@dataclass(frozen=True, slots=True)
class Again:
    """After one reason: whether a strict accessory is tried again too, and whether after a pause."""

    strict: bool
    pause: bool


AGAIN: Final[Mapping[Reason, Again]] = {
    Reason.ACL_BEHIND: Again(strict=True, pause=True),  # it asks the sequencer
    Reason.STALE_ACL: Again(strict=True, pause=False),  # the hint says which version to name
    Reason.NOT_IN_SYNC: Again(strict=True, pause=True),  # its question may be on its way
    Reason.STALE_BOOT: Again(strict=False, pause=False),  # the answer carries the present boot
    Reason.REPLAYED: Again(strict=True, pause=False),  # unless the fate is unknown
    Reason.EXPIRED: Again(strict=True, pause=False),  # the hint gives the time, or asks for a nonce
}


def pause_before_next(act: Act, response: Response, *, strict: bool) -> int | None:
    """Tell how long to wait before the act is tried again (ms), None where the refusal is final."""
    rule = AGAIN.get(response.status) if response.status else None
    if rule is None or not act.manner.retry or act.left <= 0:
        return None
    hint = response.hint or {}
    if strict and (not rule.strict or _fate_unknown(response)):
        return None
    if response.status is Reason.EXPIRED and not _expired_helps(hint):
        return None
    return limits.RETRY_PAUSES_MS[limits.RETRIES - act.left] if rule.pause else _NOW


def _fate_unknown(response: Response) -> bool:
    fate = (response.hint or {}).get(int(HintKey.FATE))
    return response.status is Reason.REPLAYED and fate != int(Fate.NOT_EXECUTED)


def _expired_helps(hint: Mapping[int, Value]) -> bool:
    """Tell whether the hint says what to do better: the accessory's time, or that a nonce is needed."""
    return hint.get(int(HintKey.TIME)) is not None or wants_nonce(hint)


def wants_nonce(hint: Mapping[int, Value]) -> bool:
    """Tell whether a refusal as `expired` is about the prepare nonce."""
    which = hint.get(int(HintKey.WHICH))
    return isinstance(which, str) and which.startswith("nonce")
