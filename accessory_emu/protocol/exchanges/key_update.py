"""An entry or checkpoint spread to the accessories, and their signed acks."""

from collections.abc import Sequence
from dataclasses import dataclass

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.envelope import (
    Context,
    Envelope,
    GoodSignatures,
    Sealed,
    seal,
    verify,
)
from accessory_emu.protocol.errors import Malformed, Refused, UnknownKey
from accessory_emu.protocol.identifiers import AccessoryId, GrantId, HomeId, ObjectId, PublicKey
from accessory_emu.protocol.membership.checkpoint import Checkpoint
from accessory_emu.protocol.membership.entry import Entry
from accessory_emu.protocol.membership.log import Log
from accessory_emu.protocol.messages import Ack
from accessory_emu.protocol.reasons import Reason, Rung


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """An entry whose signature held under a known key; whether it is taken is judged by the log."""

    entry: Entry
    id: ObjectId


@dataclass(frozen=True, slots=True)
class ProvenCheckpoint:
    """A checkpoint whose signature held under the owner's key."""

    checkpoint: Checkpoint
    id: ObjectId


def prove_entry(envelope: Envelope, log: Log, memo: GoodSignatures | None = None) -> ProvenEntry:
    """Verify and read an entry.

    Raises:
        Malformed, UnknownKey, BadSignature: nobody is answered.
        Refused: malformed, or forbidden where the signer is known but is not the active sequencer.

    Spec: AE-LOG-011.
    """
    if envelope.context is not Context.ENTRY:
        raise Malformed("no entry")
    name = _prove(envelope, log, memo)
    try:
        entry = Entry.decode(envelope.payload)
    except Malformed as error:
        raise RefusedObject(name, Reason.MALFORMED, Rung.PAYLOAD, error.detail) from error
    return ProvenEntry(entry, name)


def prove_checkpoint(envelope: Envelope, log: Log, memo: GoodSignatures | None = None) -> ProvenCheckpoint:
    """Verify and read a checkpoint of this home.

    Raises:
        Malformed, UnknownKey, BadSignature: nobody is answered.
        Refused: forbidden (the signer is known but is not the owner), unsupported_version, malformed.

    Spec: AE-LOG-015.
    """
    if envelope.context is not Context.CHECKPOINT:
        raise Malformed("no checkpoint")
    name = _prove(envelope, log, memo)
    if envelope.kid != crypto.key_id(log.owner):
        raise RefusedObject(name, Reason.FORBIDDEN, Rung.LOG, "not the owner")
    try:
        checkpoint = Checkpoint.decode(envelope.payload)
    except Malformed as error:
        raise RefusedObject(name, Reason.MALFORMED, Rung.PAYLOAD, error.detail) from error
    if checkpoint is None:
        raise RefusedObject(name, Reason.UNSUPPORTED_VERSION, Rung.PAYLOAD)
    return ProvenCheckpoint(checkpoint, name)


def _prove(envelope: Envelope, log: Log, memo: GoodSignatures | None) -> ObjectId:
    key = log.known_key(envelope.kid)
    if key is None:
        raise UnknownKey
    return verify(envelope, key, log.home, memo=memo)


class RefusedObject(Refused):
    """A log object is refused although its signature held; `id` names it in the answer."""

    def __init__(self, name: ObjectId, reason: Reason, rung: Rung, detail: str = "") -> None:
        super().__init__(reason, rung, detail, clause="AE-LOG-014")
        self.id = name


def make_ack(key: crypto.SigningKey, log: Log, refused: Sequence[tuple[GrantId, Reason]]) -> Sealed:
    """Sign an ack as accessory: version, head, digest, and the first 128 without effect (AE-LOG-060)."""
    ack = Ack(log.version, log.head, log.digest(), tuple(refused[: limits.NAMED_IN_ACK]))
    return seal(key, Context.ACK, ack.encode(), log.home, AccessoryId(key.kid))


def read_ack(envelope: Envelope, public: PublicKey, home: HomeId) -> Ack:
    """Verify and read an ack of an enrolled accessory.

    Raises:
        BadSignature, Malformed: it is no ack of this accessory in this home.
    """
    if envelope.context is not Context.ACK or envelope.kid != crypto.key_id(public):
        raise Malformed("no ack of this accessory")
    verify(envelope, public, home, AccessoryId(envelope.kid))
    return Ack.decode(envelope.payload)
