"""A change of the home and its result: one row per enrolled accessory, never one yes or no (AE-LOG-090)."""

from dataclasses import dataclass, field
from enum import Enum

from accessory_emu.protocol import limits
from accessory_emu.protocol.identifiers import AccessoryId, GrantId, Version
from accessory_emu.protocol.membership.request import RequestOp
from accessory_emu.protocol.reasons import Reason
from controllers.errors import Code
from controllers.home import HomeView


class RowState(Enum):
    """Where a change stands at one accessory."""

    PENDING = "pending"
    COMMITTED = "committed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Row:
    """One accessory's row; `since` (ms) is the time of its last change.

    `reason` is the accessory's signed word, `cause` what this controller makes of a row that is pending.
    """

    accessory: AccessoryId
    state: RowState
    since: int
    reason: Reason | None = None
    cause: Code | None = None


class ResultTable:
    """The rows of one change.

    A row is committed when a signed ack covers the entry and does not name the request; a later ack, which
    names the refusals of its own entry only, takes nothing back. A new epoch that lacks the request does
    (AE-LOG-091).
    """

    def __init__(self, request: GrantId) -> None:
        self.request = request
        self._rows: dict[AccessoryId, Row] = {}

    def expect(self, view: HomeView, now: int) -> None:
        """Have a row for every enrolled accessory and none for others."""
        self._rows = {
            accessory: self._rows.get(accessory) or Row(accessory, RowState.PENDING, now)
            for accessory in view.roster.keys
        }

    def leave_out(self, view: HomeView) -> None:
        """Drop the rows of accessories that were released."""
        self._rows = {name: row for name, row in self._rows.items() if name in view.roster}

    def mark(self, accessory: AccessoryId, version: Version, view: HomeView, now: int) -> bool:
        """Look at an accessory's newest ack; True where its row changed."""
        row, acked = self._rows.get(accessory), view.acks.get(accessory)
        if row is None or acked is None or row.state is not RowState.PENDING:
            return False
        if acked.ack.version < version or not _covers(acked.ack.version, version, view):
            return False
        reason = dict(acked.ack.refused).get(self.request)
        state = RowState.COMMITTED if reason is None else RowState.REFUSED
        self._rows[accessory] = Row(accessory, state, now, reason)
        return True

    def back_to_pending(self, now: int) -> None:
        """Begin anew: a newer epoch lacks the request."""
        self._rows = {name: Row(name, RowState.PENDING, now) for name in self._rows}

    def rows(self, view: HomeView, now: int) -> list[Row]:
        """Give the rows in the order of accessory ids, with the cause of those that are pending."""
        return [self._with_cause(self._rows[name], view, now) for name in sorted(self._rows)]

    def pending(self) -> list[AccessoryId]:
        """Name the accessories whose row is pending."""
        return [name for name, row in self._rows.items() if row.state is RowState.PENDING]

    def _with_cause(self, row: Row, view: HomeView, now: int) -> Row:
        if row.state is not RowState.PENDING:
            return row
        away, waited = view.away.get(row.accessory), now - row.since >= limits.ANSWER_WAIT_MS
        if away is None and view.reachable(row.accessory) and not waited:
            return row
        since = row.since if away is None else away
        return Row(row.accessory, row.state, since, cause=Code.ACCESSORY_NOT_REACHABLE)


def _covers(acked: Version, version: Version, view: HomeView) -> bool:
    """Tell whether who is at `acked` has taken what stands at `version`, perhaps inside a checkpoint."""
    if acked.epoch == version.epoch:
        return True
    checkpoint = view.checkpoint.checkpoint if view.checkpoint else None
    return checkpoint is not None and checkpoint.prev is not None and checkpoint.prev.version >= version


class ChangeState(Enum):
    """What became of a change as a whole."""

    WAITING = "waiting"
    COMMITTED = "committed"
    REFUSED = "refused"
    FAILED = "failed"  # with a local code; nothing is known of it in the log


@dataclass(slots=True)
class Change:
    """One change that somebody asked for; the actor moves it, others read it.

    `id` is the request's; `raw` its signed bytes, empty where nothing was signed. `subject` is a local name.
    """

    id: GrantId
    op: RequestOp
    subject: str
    raw: bytes
    expires: int
    limit: int
    state: ChangeState = ChangeState.WAITING
    reason: Reason | None = None
    code: Code | None = None
    version: Version | None = None
    table: ResultTable = field(init=False)

    def __post_init__(self) -> None:
        self.table = ResultTable(self.id)

    @property
    def done(self) -> bool:
        """Whether the sequencer has spoken, or nobody waits any more."""
        return self.state is not ChangeState.WAITING

    @property
    def outcome(self) -> str:
        """The word of the document: committed, refused, waiting, or a local code."""
        return self.code.value if self.code else self.state.value

    def fail(self, code: Code) -> None:
        """End without a word of the sequencer."""
        self.state, self.code = ChangeState.FAILED, code

    def refuse(self, reason: Reason) -> None:
        """End with a refusal."""
        self.state, self.reason, self.code = ChangeState.REFUSED, reason, None

    def commit(self, version: Version) -> None:
        """Note the place in the log."""
        self.state, self.version, self.code = ChangeState.COMMITTED, version, None
