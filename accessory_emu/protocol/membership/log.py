"""Folds entries on a checkpoint; the only place where a version moves; a refused request moves nothing else.

The law, in the order of the code:

1. An entry is taken iff its epoch is the own, its seq the next, its prev the own head, its time not before
   the newest one, and the sequencer that the checkpoint names signed it. Then version and head advance
   (AE-LOG-011).
2. Its requests are judged one by one, each in the state that the one before left. One that fails has no
   effect and never stops the chain (AE-LOG-012).
3. A checkpoint is taken iff the owner signed it and its epoch is higher, whatever the own state (AE-LOG-015).
4. A removal wins: a tombstoned root is never active again, whatever a later checkpoint lists (AE-LOG-040).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.encoding import Value, encode, version_value
from accessory_emu.protocol.envelope import GoodSignatures
from accessory_emu.protocol.errors import Refused
from accessory_emu.protocol.identifiers import GrantId, HomeId, KeyId, ObjectId, PublicKey, Version
from accessory_emu.protocol.membership.allowlist import Allowlist
from accessory_emu.protocol.membership.checkpoint import Checkpoint, SequencerKind
from accessory_emu.protocol.membership.entry import Entry
from accessory_emu.protocol.membership.grant import Grant
from accessory_emu.protocol.membership.privileges import Role
from accessory_emu.protocol.membership.request import Request
from accessory_emu.protocol.membership.tombstones import Tombstones
from accessory_emu.protocol.membership.verdict import Judge, Verdict
from accessory_emu.protocol.reasons import Reason, Rung


@dataclass(frozen=True, slots=True)
class Log:
    """The state of a home's membership as one reader holds it: a value, never changed in place.

    `time` is that of the newest entry or checkpoint (unix s). `only_owner` is set by a proof of equivocation
    and cleared by a checkpoint of a higher epoch. `room` is how many grants fit.
    """

    home: HomeId
    version: Version
    head: ObjectId
    time: int
    owner: PublicKey
    sequencer: PublicKey
    kind: SequencerKind
    allowlist: Allowlist
    tombstones: Tombstones
    lease: int | None = None
    room: int = limits.GRANTS_HELD
    only_owner: bool = False

    @property
    def sequencer_kid(self) -> KeyId:
        """The key id of the active sequencer."""
        return crypto.key_id(self.sequencer)

    def known_key(self, kid: KeyId) -> PublicKey | None:
        """Give the key of a signer that this list knows: a member or the active sequencer."""
        if grant := self.allowlist.find(kid):
            return grant.key
        return self.sequencer if kid == self.sequencer_kid else None

    def digest(self) -> bytes:
        """Hash grants and tombstones, so that two lists are compared by 32 bytes (AE-LOG-062)."""
        grants: list[Value] = [grant.value() for grant in self.allowlist.ordered()]
        watermark = self.tombstones.watermark
        mark: Value = version_value(watermark) if watermark else []
        return crypto.sha256(encode([grants, self.tombstones.value(), mark]))

    # entries

    def check_entry(self, entry: Entry, signer: KeyId) -> None:
        """Check the place of an entry whose signature held.

        Raises:
            Refused: forbidden (another sequencer), acl_behind (a gap), conflict (a fork, or time that runs
                back). A proof of equivocation refuses none: it must hold up no removal (AE-LOG-051).

        Spec: AE-LOG-011. Entries at or below the own version never get here: they are dropped.
        """
        if signer != self.sequencer_kid:
            raise Refused(
                Reason.FORBIDDEN, Rung.LOG, "not the sequencer of the checkpoint", clause="AE-LOG-011"
            )
        if entry.version.epoch != self.version.epoch or entry.version.seq != self.version.seq + 1:
            raise Refused(Reason.ACL_BEHIND, Rung.LOG, "entries are missing before it", clause="AE-LOG-011")
        if entry.prev != self.head:
            raise Refused(Reason.CONFLICT, Rung.LOG, "another entry before it", clause="AE-LOG-011")
        if entry.time < self.time:
            raise Refused(Reason.CONFLICT, Rung.LOG, "older than the one before it", clause="AE-LOG-011")

    def apply(
        self, entry: Entry, name: ObjectId, memo: GoodSignatures | None = None
    ) -> tuple[Self, tuple[Verdict, ...]]:
        """Apply an entry that `check_entry` let pass; gives a verdict a request (AE-LOG-012)."""
        judge = Judge(
            home=self.home,
            before=self.version,
            version=entry.version,
            time=entry.time,
            sequencer=self.sequencer,
            room=self.room,
            memo=memo,
            kind=self.kind,
        )
        allowlist, tombstones = self.allowlist, self.tombstones
        verdicts: list[Verdict] = []
        for raw in entry.requests:
            verdict, allowlist, tombstones = judge.apply(raw, allowlist, tombstones)
            verdicts.append(verdict)
        moved = replace(
            self,
            version=entry.version,
            head=name,
            time=entry.time,
            allowlist=allowlist,
            tombstones=tombstones,
        )
        return moved, tuple(verdicts)

    # checkpoints

    @classmethod
    def start(
        cls,
        checkpoint: Checkpoint,
        name: ObjectId,
        home: HomeId,
        grants: int = limits.GRANTS_HELD,
        tombstones: int = limits.TOMBSTONES_HELD,
    ) -> tuple[Self, tuple[tuple[GrantId, Reason], ...]]:
        """Begin with a checkpoint that is trusted for another reason than its signature (AE-PAIR-041)."""
        empty = cls(
            home=home,
            version=checkpoint.version,
            head=name,
            time=checkpoint.time,
            owner=checkpoint.owner,
            sequencer=checkpoint.sequencer,
            kind=checkpoint.kind,
            allowlist=Allowlist(),
            tombstones=Tombstones(room=tombstones),
            room=grants,
        )
        return empty._replaced(checkpoint, name)

    def check_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Check a checkpoint whose signature held under the known owner's key.

        Raises:
            Refused: forbidden (another owner without a reign change), not_supported (reign changes, which
                this version cannot judge yet), conflict (its epoch is not higher).

        Spec: AE-LOG-015. The checkpoint that is already held never gets here.
        """
        if checkpoint.reigns:
            raise Refused(Reason.NOT_SUPPORTED, Rung.LOG, "reign changes", clause="AE-LOG-018")
        if checkpoint.owner != self.owner or checkpoint.home != self.home:
            raise Refused(Reason.FORBIDDEN, Rung.LOG, "another owner or home", clause="AE-LOG-015")
        if checkpoint.version.epoch <= self.version.epoch:
            raise Refused(Reason.CONFLICT, Rung.LOG, "the epoch is not higher", clause="AE-LOG-016")

    def take_checkpoint(
        self, checkpoint: Checkpoint, name: ObjectId
    ) -> tuple[Self, tuple[tuple[GrantId, Reason], ...]]:
        """Take a checkpoint that `check_checkpoint` let pass; gives the grants that were left out."""
        return self._replaced(checkpoint, name)

    def _replaced(
        self, checkpoint: Checkpoint, name: ObjectId
    ) -> tuple[Self, tuple[tuple[GrantId, Reason], ...]]:
        refused: list[tuple[GrantId, Reason]] = [
            (grant, Reason.NOT_SUPPORTED) for grant in checkpoint.unsupported
        ]
        kept: dict[KeyId, Grant] = {}
        owners = checkpoint.owners()
        for grant in [*owners, *(grant for grant in checkpoint.grants if grant not in owners)]:
            reason = self._reason_against(grant, checkpoint, len(kept), kept)
            if reason is None:
                kept[grant.kid] = grant
            else:
                refused.append((grant.id, reason))
        moved = replace(
            self,
            version=checkpoint.version,
            head=name,
            time=checkpoint.time,
            sequencer=checkpoint.sequencer,
            kind=checkpoint.kind,
            allowlist=Allowlist(kept),
            tombstones=self.tombstones.merged(checkpoint.tombstones),
            lease=checkpoint.lease,
            only_owner=False,
        )
        return moved, tuple(refused)

    def _reason_against(
        self, grant: Grant, checkpoint: Checkpoint, held: int, kept: dict[KeyId, Grant]
    ) -> Reason | None:
        """Tell why a grant of a checkpoint is left out (AE-LOG-017); the owner never is."""
        if grant.role is Role.OWNER:
            return None
        for tombstones in (self.tombstones, checkpoint.tombstones):
            if grant.id in tombstones or grant.root in tombstones:
                return Reason.STALE_ACL
        if self.tombstones.below_watermark(grant.base) and self.allowlist.by_id(grant.id) is None:
            return Reason.STALE_ACL
        if not crypto.admissible_key(grant.key):
            return Reason.BAD_VALUE
        if grant.kid in kept:
            return Reason.CONFLICT
        return Reason.LIST_FULL if held >= self.room else None


def changed_roots(before: Log, after: Log) -> set[KeyId]:
    """Name the keys whose grant ended or changed between two states."""
    return {
        grant.kid
        for grant in before.allowlist
        if (now := after.allowlist.find(grant.kid)) is None or now.id != grant.id
    }


def effective(requests: Sequence[Verdict]) -> list[tuple[Request, Verdict]]:
    """Give the requests of an entry that had an effect, in order."""
    return [(verdict.request, verdict) for verdict in requests if verdict.request and verdict.reason is None]
