"""Two objects of one version by one sequencer: the proof that leaves only the owner obeyed."""

from dataclasses import dataclass

from accessory_emu.protocol.envelope import Context, Envelope, GoodSignatures, verify
from accessory_emu.protocol.errors import Malformed, UnknownKey
from accessory_emu.protocol.identifiers import NO_ACCESSORY, AccessoryId, ObjectId, Version
from accessory_emu.protocol.membership.entry import Entry
from accessory_emu.protocol.membership.log import Log
from accessory_emu.protocol.messages import Statement


@dataclass(frozen=True, slots=True)
class Claim:
    """What an entry, a head or an answer says: this version has this head."""

    version: Version
    head: ObjectId


def claim_of(
    envelope: Envelope, log: Log, accessory: AccessoryId, memo: GoodSignatures | None = None
) -> Claim:
    """Verify an object by the active sequencer and read its claim.

    Raises:
        UnknownKey: signed by another key id than the active sequencer's.
        BadSignature, Malformed: it does not hold, or is no entry, head or answer.
    """
    if envelope.kid != log.sequencer_kid:
        raise UnknownKey("not the active sequencer")
    target = accessory if envelope.context is Context.SYNC_ANSWER else NO_ACCESSORY
    name = verify(envelope, log.sequencer, log.home, target, memo)
    match envelope.context:
        case Context.ENTRY:
            return Claim(Entry.decode(envelope.payload).version, name)
        case Context.HEAD:
            head = Statement.decode_head(envelope.payload)
            return Claim(head.version, head.head)
        case Context.SYNC_ANSWER:
            answer = Statement.decode_answer(envelope.payload)
            return Claim(answer.version, answer.head)
        case _:
            raise Malformed("no entry, head or answer")


def is_proof(first: Claim, second: Claim, log: Log) -> bool:
    """Tell whether two claims of the current epoch cannot both be honest (AE-LOG-050)."""
    return (
        first.version == second.version
        and first.version.epoch == log.version.epoch
        and first.head != second.head
    )
