"""Adoption: a signed message, the checkpoint and the entries it names; an accessory joins a home."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from accessory_emu.protocol import crypto
from accessory_emu.protocol.envelope import (
    Context,
    Envelope,
    GoodSignatures,
    object_id,
    seal,
    verify,
)
from accessory_emu.protocol.errors import BadSignature, Malformed, Refused, UnknownKey
from accessory_emu.protocol.identifiers import AccessoryId, BootId, GrantId, HomeId, ObjectId, PublicKey
from accessory_emu.protocol.membership.checkpoint import Checkpoint, checkpoint_home
from accessory_emu.protocol.membership.entry import Entry
from accessory_emu.protocol.membership.log import Log
from accessory_emu.protocol.membership.privileges import Edit
from accessory_emu.protocol.messages import Adopt
from accessory_emu.protocol.reasons import Reason, Rung


def offer(
    key: crypto.SigningKey, accessory: AccessoryId, adopt: Adopt, checkpoint: bytes, entries: Sequence[bytes]
) -> list[bytes]:
    """Give the inbox messages of an adoption, in order: adopt, checkpoint, entries (AE-PAIR-041)."""
    sealed = seal(key, Context.ADOPT, adopt.encode(), adopt.home, accessory)
    return [sealed.raw, checkpoint, *entries]


@dataclass(frozen=True, slots=True)
class Room:
    """How many grants and tombstones the accessory holds."""

    grants: int
    tombstones: int


@dataclass(frozen=True, slots=True)
class Joining:
    """An adoption under way: what was promised, and how far checkpoint and entries have come."""

    adopt: Adopt
    id: ObjectId
    log: Log | None = None
    checkpoint: bytes = b""
    entry: bytes = b""
    refused: tuple[tuple[GrantId, Reason], ...] = field(default=())

    @classmethod
    def begin(cls, envelope: Envelope, paired: PublicKey, accessory: AccessoryId, boot: BootId) -> Self:
        """Take the adopt message.

        Raises:
            Malformed, UnknownKey, BadSignature: no adoption that the paired key signed for this accessory;
                nobody is answered.
            Refused: stale_boot.

        Spec: AE-PAIR-040, AE-PAIR-042.
        """
        if envelope.context is not Context.ADOPT:
            raise Malformed("no adoption")
        if envelope.kid != crypto.key_id(paired):
            raise UnknownKey("not the paired key")
        try:
            adopt = Adopt.decode(envelope.payload)
        except Malformed as error:
            raise BadSignature("no home to verify for") from error
        name = verify(envelope, paired, adopt.home, accessory)
        if adopt.boot != boot:
            raise StaleAdoption(name, adopt.home)
        return cls(adopt, name)

    def complete(self) -> bool:
        """Tell whether checkpoint and entries have given exactly the named version and head."""
        return (
            self.log is not None
            and self.log.version == self.adopt.version
            and self.log.head == self.adopt.head
        )

    def take_checkpoint(self, envelope: Envelope, room: Room, memo: GoodSignatures | None) -> Self:
        """Take the checkpoint that was named.

        Raises:
            Malformed: it is no checkpoint; nobody is answered.
            Refused: conflict (another id or home), bad_signature (not signed by the owner it names),
                malformed.

        Spec: AE-PAIR-043.
        """
        if envelope.context is not Context.CHECKPOINT:
            raise Malformed("no checkpoint")
        try:
            checkpoint = Checkpoint.decode(envelope.payload)
        except Malformed as error:
            raise Refused(Reason.MALFORMED, Rung.PAYLOAD, error.detail) from error
        if checkpoint is None:
            raise Refused(Reason.UNSUPPORTED_VERSION, Rung.PAYLOAD)
        signed_for, home = checkpoint_home(envelope, checkpoint)
        name = object_id(envelope, signed_for)
        if self.log is not None and crypto.equal(name, self.adopt.checkpoint):
            return self  # delivered twice: what came after it stays
        if home != self.adopt.home or not crypto.equal(name, self.adopt.checkpoint):
            raise Refused(Reason.CONFLICT, Rung.LOG, "another checkpoint", clause="AE-PAIR-043")
        owner = checkpoint.owner if envelope.kid == crypto.key_id(checkpoint.owner) else b""
        try:
            verify(envelope, owner, signed_for, memo=memo)
        except BadSignature:
            raise Refused(Reason.BAD_SIGNATURE, Rung.SIGNATURE, clause="AE-PAIR-043") from None
        if checkpoint.reigns:
            raise Refused(Reason.NOT_SUPPORTED, Rung.LOG, "reign changes", clause="AE-LOG-018")
        log, refused = Log.start(checkpoint, name, home, room.grants, room.tombstones)
        joined = type(self)(self.adopt, self.id, log, envelope.raw, b"", refused)
        return joined._overshot()  # noqa: SLF001 - of this very class

    def take_entry(self, envelope: Envelope, memo: GoodSignatures | None) -> Self:
        """Take the next entry.

        Raises:
            Malformed, UnknownKey, BadSignature: no entry that the checkpoint's sequencer signed.
            Refused: conflict (it does not chain, or goes past the named version), malformed.

        Spec: AE-PAIR-043.
        """
        if envelope.context is not Context.ENTRY:
            raise Malformed("no entry")
        if self.log is None:
            raise Refused(Reason.CONFLICT, Rung.LOG, "the checkpoint comes first", clause="AE-PAIR-043")
        if envelope.kid != self.log.sequencer_kid:
            raise UnknownKey("not the sequencer of the checkpoint")
        name = verify(envelope, self.log.sequencer, self.log.home, memo=memo)
        try:
            entry = Entry.decode(envelope.payload)
            if entry.version <= self.log.version:
                return self  # delivered twice
            self.log.check_entry(entry, envelope.kid)
        except Malformed as error:
            raise Refused(Reason.MALFORMED, Rung.PAYLOAD, error.detail) from error
        except Refused as error:
            raise Refused(Reason.CONFLICT, Rung.LOG, error.detail, clause="AE-PAIR-043") from error
        log, verdicts = self.log.apply(entry, name, memo)
        refused = tuple((verdict.id, verdict.reason) for verdict in verdicts if verdict.reason)
        joined = type(self)(self.adopt, self.id, log, self.checkpoint, envelope.raw, self.refused + refused)
        return joined._overshot()  # noqa: SLF001 - of this very class

    def _overshot(self) -> Self:
        """Refuse what has reached the named version with another head, or gone past it."""
        if self.log is not None and self.log.version >= self.adopt.version and not self.complete():
            raise Refused(Reason.CONFLICT, Rung.LOG, "not the named version and head", clause="AE-PAIR-043")
        return self

    def check_author(self, paired: PublicKey) -> None:
        """Refuse an adoption by a key that may not edit accessories in the result (AE-PAIR-044)."""
        grant = self.log.allowlist.find(crypto.key_id(paired)) if self.log else None
        if grant is None or grant.key != paired or not grant.terms.edit & Edit.ACCESSORIES:
            raise Refused(Reason.FORBIDDEN, Rung.RIGHTS, clause="AE-PAIR-044")


class StaleAdoption(Refused):
    """The adoption was made for another boot; `id` is the adopt message's object id."""

    def __init__(self, name: ObjectId, home: HomeId) -> None:
        super().__init__(Reason.STALE_BOOT, Rung.BOOT, clause="AE-PAIR-042")
        self.id = name
        self.home = home
