"""What an accessory does with Pair-Setup, and with the adoption that must follow it."""

from accessory_emu.accessory import lifecycle
from accessory_emu.accessory.device import Device, Membership, Standing
from accessory_emu.accessory.snapshot import keep_pairing
from accessory_emu.accessory.turn import Outcome, Ruling, Turn
from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import key_id
from accessory_emu.protocol.envelope import Context, Envelope
from accessory_emu.protocol.errors import NotPaired, Refused, UnknownKey
from accessory_emu.protocol.exchanges.command import respond
from accessory_emu.protocol.exchanges.joining import Joining, Room, StaleAdoption
from accessory_emu.protocol.identifiers import HomeId, ObjectId, PublicKey, Version
from accessory_emu.protocol.messages import Response
from accessory_emu.protocol.reasons import Reason


def on_pair_setup(device: Device, turn: Turn, exchange: bytes, data: bytes, now: int) -> Ruling:
    """Take one Pair-Setup message; the count of failed proofs is durable before its reply (AE-PAIR-020)."""
    paired = device.standing is not Standing.UNPAIRED
    outcome = device.pairing.receive(exchange, data, paired=paired, tries=device.tries, now=now)
    if outcome.tries != device.tries or outcome.paired is not None:
        device.tries = outcome.tries
        if outcome.paired is not None:
            device.paired, device.paired_at = PublicKey(outcome.paired.key), now
        keep_pairing(turn, device.tries, device.paired)
    if outcome.reply is not None:
        turn.send(device.config.topics.pair_response(device.id, exchange), outcome.reply)
    if outcome.paired is not None:
        lifecycle.announce(device, turn)
    answered = outcome.reply is not None
    if outcome.reason is None:
        return Ruling(Outcome.ACCEPTED, f"pair-setup {outcome.step}", "pairing", answered=answered)
    word = Outcome.REFUSED if answered else Outcome.SILENT
    return Ruling(word, f"pair-setup {outcome.step}", "pairing", reason=outcome.reason, answered=answered)


def on_adopt(device: Device, turn: Turn, envelope: Envelope) -> Ruling:
    """Begin an adoption: what it names must follow (AE-PAIR-040).

    Raises:
        Unproven: not the paired key's; nobody is answered.
    """
    if device.member is not None:
        raise UnknownKey("it has a home")
    if device.paired is None:
        raise NotPaired("no pairing waits for an adoption")
    try:
        device.joining = Joining.begin(envelope, device.paired, device.id, device.boot)
    except StaleAdoption as stale:
        device.joining = None
        _answer(device, turn, stale.id, stale.home, stale.reason)
        return Ruling(
            Outcome.REFUSED, "adoption", "log", envelope.kid, stale.reason, stale.rung, answered=True
        )
    return Ruling(Outcome.ACCEPTED, "adoption begins", "log", envelope.kid)


def on_joining(device: Device, turn: Turn, joining: Joining, envelope: Envelope, now: int) -> Ruling:
    """Take the checkpoint, then the entries, of an adoption; join when they give what was named.

    Raises:
        Unproven: an entry that the sequencer did not sign.
    """
    room = Room(device.config.grants, device.config.tombstones)
    try:
        if envelope.context is Context.CHECKPOINT:
            taken = joining.take_checkpoint(envelope, room, device.memo)
        else:
            taken = joining.take_entry(envelope, device.memo)
        if taken.complete() and device.paired is not None:
            taken.check_author(device.paired)
    except Refused as refused:
        device.joining = None
        _answer(device, turn, joining.id, joining.adopt.home, refused.reason)
        return Ruling(
            Outcome.REFUSED, "adoption", "log", envelope.kid, refused.reason, refused.rung, answered=True
        )
    device.joining = taken
    if taken.complete() and taken.log is not None:
        member = Membership(taken.log, taken.adopt.checkpoint, taken.checkpoint, taken.entry, taken.refused)
        lifecycle.joined(device, turn, member, now)
        return Ruling(
            Outcome.APPLIED, f"adopted at {taken.log.version}", "log", envelope.kid, refused=taken.refused
        )
    return Ruling(Outcome.ACCEPTED, "adoption goes on", "log", envelope.kid)


def _answer(device: Device, turn: Turn, name: ObjectId, home: HomeId, reason: Reason) -> None:
    """Answer a failed adoption to the paired key, naming it (AE-PAIR-042, AE-PAIR-043)."""
    if device.paired is None:
        return
    response = Response(device.boot, name[: limits.GRANT_ID_SIZE], reason, Version(0, 0))
    sealed = respond(device.founding.key, home, response)
    turn.send(device.config.topics.out(device.id, key_id(device.paired)), sealed.raw)
