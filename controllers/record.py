"""A home's membership log as a controller keeps it: the fold, the bytes it came from, and the roster.

The fold follows the same law as an accessory's, with more room (AE-LOG-092). The bytes are kept so that they
can be carried to whoever lacks them. Nothing gets in that does not verify; nothing goes back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.envelope import Context, Envelope, parse, verify
from accessory_emu.protocol.errors import Malformed, ProtocolError, Refused, UnknownKey
from accessory_emu.protocol.exchanges.key_update import ProvenEntry, prove_entry
from accessory_emu.protocol.identifiers import GrantId, HomeId, KeyId, ObjectId, Version
from accessory_emu.protocol.membership.checkpoint import Checkpoint, checkpoint_home
from accessory_emu.protocol.membership.grant import Grant
from accessory_emu.protocol.membership.log import Log, effective
from accessory_emu.protocol.membership.request import Request, RequestOp
from accessory_emu.protocol.membership.roster import Roster
from accessory_emu.protocol.ports import Write
from accessory_emu.protocol.reasons import Reason, Rung
from controllers import home_rows
from controllers.errors import StateDamaged
from controllers.invitation import Trust


class Forked(Refused):
    """The sequencer gave one version two heads: it contradicts itself (AE-LOG-050)."""

    def __init__(self, version: Version) -> None:
        super().__init__(Reason.CONFLICT, Rung.LOG, f"two heads of {version}", clause="AE-LOG-050")
        self.version = version


@dataclass(frozen=True, slots=True)
class KeptEntry:
    """An applied entry with its bytes."""

    version: Version
    id: ObjectId
    raw: bytes


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """The checkpoint that the log stands on, with its bytes."""

    checkpoint: Checkpoint
    id: ObjectId
    raw: bytes


@dataclass(frozen=True, slots=True)
class Ordered:
    """Where a request stands in the log since the checkpoint, and what became of it in this fold."""

    version: Version
    reason: Reason | None


@dataclass(slots=True)
class _Since:
    """What was folded since the checkpoint, besides the log itself."""

    base: Roster | None  # what the checkpoint's digest names, once it is known
    roster: Roster = field(default_factory=Roster)
    entries: list[KeptEntry] = field(default_factory=list)
    moves: list[Request] = field(default_factory=list)  # enrols and releases
    ordered: dict[GrantId, Ordered] = field(default_factory=dict)


class Record:
    """The log of one home.

    Args:
        trust: where it begins.
        rows: what a store kept of it; the trust row is the caller's.
        durable: whether its rows must be on disk before anything that speaks of them leaves.

    Raises:
        StateDamaged: the rows do not read back.
    """

    def __init__(self, trust: Trust, rows: Mapping[str, bytes], *, durable: bool = False) -> None:
        self.trust = trust
        self.log: Log | None = None
        self.checkpoint: KeptCheckpoint | None = None
        self._durable = durable
        self._since = _Since(None)
        self._future: dict[Version, Envelope] = {}
        self._writes: list[Write] = []
        try:
            self._load(rows)
        except (ProtocolError, ValueError) as error:
            raise StateDamaged(f"the home's log does not read back: {error}") from error

    # what it shows

    @property
    def home(self) -> HomeId:
        """The home's id."""
        return self.trust.home

    @property
    def version(self) -> Version:
        """The version that this controller knows: that of the log, or of the invitation."""
        return max(self.trust.version, self.log.version) if self.log else self.trust.version

    @property
    def ready(self) -> bool:
        """Whether the log is there, up to the invitation's version at least (AE-LOG-094)."""
        return self.log is not None and self.log.version >= self.trust.version

    @property
    def roster(self) -> Roster:
        """The enrolled accessories, as far as they are known."""
        return self._since.roster

    @property
    def roster_known(self) -> bool:
        """Whether the roster that the checkpoint's digest names is held."""
        return self._since.base is not None

    def base_roster(self) -> bytes:
        """Give the roster that the checkpoint's digest names, if it is known and not empty."""
        return self._since.base.encode() if self._since.base else b""

    @property
    def entries(self) -> list[KeptEntry]:
        """The entries since the checkpoint; the one of seq n is the n-th."""
        return self._since.entries

    def ordered(self, request: GrantId) -> Ordered | None:
        """Find a request in the log since the checkpoint."""
        return self._since.ordered.get(request)

    def grant(self, kid: KeyId) -> Grant | None:
        """Find the active grant of a key."""
        return self.log.allowlist.find(kid) if self.log else None

    def missing(self, version: Version) -> list[bytes]:
        """Give what somebody at `version` lacks: the checkpoint of another epoch, then entries in order."""
        if self.log is None or self.checkpoint is None or version >= self.log.version:
            return []
        if version.epoch != self.log.version.epoch:
            return [self.checkpoint.raw, *(entry.raw for entry in self.entries)]
        return [entry.raw for entry in self.entries[version.seq :]]

    def newest_future(self) -> Version | None:
        """Give the highest version of an entry that waits for those before it."""
        return max(self._future, default=None)

    def take_writes(self) -> list[Write]:
        """Hand over the rows that changed."""
        rows, self._writes = self._writes, []
        return rows

    # what it takes

    def take_checkpoint(self, envelope: Envelope) -> bool:
        """Take a checkpoint of the owner; True where the log moved.

        Raises:
            ProtocolError: it does not verify or is not above what is held.

        Spec: AE-LOG-015, AE-LOG-094.
        """
        if self.checkpoint is not None and envelope.raw == self.checkpoint.raw:
            return False
        found = self._prove_checkpoint(envelope)
        if self.log is None:
            log, _ = Log.start(found.checkpoint, found.id, self.home, limits.VIEW_GRANTS)
        elif self.checkpoint is not None and found.id == self.checkpoint.id:
            return False
        else:
            self.log.check_checkpoint(found.checkpoint)
            log, _ = self.log.take_checkpoint(found.checkpoint, found.id)
        self._check_floor(log)
        for entry in self.entries:
            self._keep(home_rows.entry_row(entry.version), None)
        known = [self.roster] if self.roster_known else []
        self._stand_on(found, log, known)
        self._keep(home_rows.CHECKPOINT, envelope.raw)
        self._keep(home_rows.BASE, home_rows.encode_base(log))
        self._keep(home_rows.ROSTER, self._since.base.encode() if self._since.base else None)
        self._apply_future()
        return True

    def take_entry(self, envelope: Envelope) -> bool:
        """Take an entry, or keep it until its turn comes; True where the log moved.

        Raises:
            Forked: the sequencer signed another entry of a version that is held.
            ProtocolError: it does not verify or does not chain.

        Spec: AE-LOG-011, AE-LOG-019.
        """
        if self.log is None:
            raise UnknownKey("no checkpoint yet")
        proven = prove_entry(envelope, self.log)
        version = proven.entry.version
        if version <= self.log.version:
            self.check_fork(version, proven.id, envelope.kid)
            return False
        try:
            self.log.check_entry(proven.entry, envelope.kid)
        except Refused as refused:
            if refused.reason is not Reason.ACL_BEHIND:
                raise
            self._future.setdefault(version, envelope)
            if len(self._future) > limits.VIEW_FUTURE:
                del self._future[max(self._future)]
            return False
        self._apply(proven, envelope.raw)
        self._apply_future()
        return True

    def take_roster(self, data: bytes) -> bool:
        """Take the roster that the checkpoint's digest names; True where it was missing.

        Raises:
            Malformed: it is another one.

        Spec: AE-TOP-023.
        """
        if self.checkpoint is None or self.roster_known:
            return False
        base = _roster(data, self.checkpoint.checkpoint)
        self._since.base, self._since.roster = base, _moved(base, self._since.moves)
        self._keep(home_rows.ROSTER, data)
        self.roster_moved()
        return True

    def check_fork(self, version: Version, head: ObjectId, signer: KeyId) -> None:
        """Report two heads of one version of this epoch by the active sequencer (AE-LOG-092).

        Raises:
            Forked: the version is held with another head.
        """
        log = self.log
        if log is None or self.checkpoint is None or signer != log.sequencer_kid:
            return
        if version.epoch != log.version.epoch or version > log.version:
            return
        held = self.entries[version.seq - 1].id if version.seq else self.checkpoint.id
        if held != head:
            raise Forked(version)

    def roster_moved(self) -> None:
        """Do what follows from another roster."""

    # inside

    def _prove_checkpoint(self, envelope: Envelope) -> KeptCheckpoint:
        owner = self.trust.owner
        if envelope.context is not Context.CHECKPOINT or envelope.kid != crypto.key_id(owner):
            raise UnknownKey("not the owner")
        checkpoint = Checkpoint.decode(envelope.payload)
        if checkpoint is None:
            raise Refused(Reason.UNSUPPORTED_VERSION, Rung.PAYLOAD)
        signed_for, home = checkpoint_home(envelope, checkpoint)
        name = verify(envelope, owner, signed_for)
        if home != self.home or checkpoint.owner != owner:
            raise Refused(Reason.FORBIDDEN, Rung.LOG, "another home or owner", clause="AE-LOG-015")
        if checkpoint.reigns:
            raise Refused(Reason.NOT_SUPPORTED, Rung.LOG, "reign changes", clause="AE-LOG-018")
        return KeptCheckpoint(checkpoint, name, envelope.raw)

    def _check_floor(self, log: Log) -> None:
        """Let no view begin, or go on, beside the version of the invitation (AE-LOG-094)."""
        trust = self.trust
        if log.version.epoch < trust.version.epoch:
            raise Refused(Reason.STALE_ACL, Rung.LOG, "older than the invitation", clause="AE-LOG-094")
        if log.version == trust.version and log.head != trust.head:
            raise Refused(Reason.CONFLICT, Rung.LOG, "not the invitation's head", clause="AE-LOG-094")

    def _stand_on(self, found: KeptCheckpoint, log: Log, known: Iterable[Roster]) -> None:
        """Begin anew with a checkpoint; its roster may be among those that are known."""
        self.log, self.checkpoint = log, found
        digest = found.checkpoint.roster
        base = next((each for each in (*known, Roster()) if each.digest() == digest), None)
        self._since = _Since(base, base or Roster())
        self.roster_moved()

    def _apply(self, proven: ProvenEntry, raw: bytes) -> None:
        if self.log is None:
            return
        log, verdicts = self.log.apply(proven.entry, proven.id)
        self._check_floor(log)
        self.log, since = log, self._since
        since.entries.append(KeptEntry(log.version, proven.id, raw))
        for verdict in verdicts:
            since.ordered.setdefault(verdict.id, Ordered(log.version, verdict.reason))
        moves = [request for request, _ in effective(verdicts) if request.op in _ROSTER_OPS]
        if moves:
            since.moves += moves
            since.roster = _moved(since.roster, moves)
            self.roster_moved()
        self._keep(home_rows.entry_row(log.version), raw)

    def _apply_future(self) -> None:
        """Apply kept entries that have become the next one; forget those that are no longer above."""
        while self.log is not None:
            own = self.log.version
            self._future = {version: kept for version, kept in self._future.items() if version > own}
            envelope = self._future.pop(Version(own.epoch, own.seq + 1), None)
            if envelope is None:
                return
            try:
                proven = prove_entry(envelope, self.log)
                self.log.check_entry(proven.entry, envelope.kid)
                self._apply(proven, envelope.raw)
            except ProtocolError:
                return  # kept in an epoch whose sequencer was another, or a fork

    def _load(self, rows: Mapping[str, bytes]) -> None:
        if home_rows.CHECKPOINT not in rows:
            if home_rows.BASE in rows or home_rows.entries_of(rows):
                raise Malformed("the checkpoint is missing, other rows are there")
            return
        found = self._prove_checkpoint(parse(rows[home_rows.CHECKPOINT]))
        log, _ = Log.start(found.checkpoint, found.id, self.home, limits.VIEW_GRANTS)
        base = home_rows.decode_base(rows.get(home_rows.BASE, b""))
        log = replace(log, allowlist=base.allowlist, tombstones=base.tombstones)
        self._check_floor(log)
        kept = rows.get(home_rows.ROSTER)
        self._stand_on(found, log, [] if kept is None else [_roster(kept, found.checkpoint)])
        for raw in home_rows.entries_of(rows):
            if not self.take_entry(parse(raw)):
                raise Malformed("an entry is missing")
        self._writes.clear()

    def _keep(self, key: str, value: bytes | None) -> None:
        self._writes.append(Write(key, value, self._durable))


_ROSTER_OPS = (RequestOp.ENROL, RequestOp.RELEASE)


def _roster(data: bytes, checkpoint: Checkpoint) -> Roster:
    if not crypto.equal(crypto.sha256(data), checkpoint.roster):
        raise Malformed("not the roster that the checkpoint names")
    return Roster.decode(data)


def _moved(roster: Roster, moves: Iterable[Request]) -> Roster:
    for request in moves:
        if request.op == RequestOp.ENROL and request.key is not None:
            roster = roster.enrolled(request.key)
        elif request.op == RequestOp.RELEASE:
            roster = roster.released(request.target_accessory)
    return roster
