"""What an accessory does with entries, checkpoints, heads, sync answers and proofs of equivocation."""

from dataclasses import replace

from accessory_emu.accessory import lifecycle
from accessory_emu.accessory.device import Device, Membership
from accessory_emu.accessory.snapshot import keep_membership
from accessory_emu.accessory.turn import Outcome, Ruling, Turn
from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Value, version_value
from accessory_emu.protocol.envelope import Envelope, object_id, parse, parse_pair
from accessory_emu.protocol.errors import Refused, UnknownKey
from accessory_emu.protocol.exchanges.command import respond
from accessory_emu.protocol.exchanges.key_update import (
    ProvenEntry,
    RefusedObject,
    prove_checkpoint,
    prove_entry,
)
from accessory_emu.protocol.exchanges.sync import read_answer, read_head
from accessory_emu.protocol.identifiers import NO_ACCESSORY, KeyId, ObjectId, Version
from accessory_emu.protocol.membership.equivocation import claim_of, is_proof
from accessory_emu.protocol.messages import HintKey, Response
from accessory_emu.protocol.reasons import Reason, Rung

_ANSWERED_ROOM = 256  # refused objects that are remembered, so that each is answered once a boot


def on_entry(device: Device, turn: Turn, member: Membership, envelope: Envelope, now: int) -> Ruling:
    """Take an entry, keep a future one, or refuse it (AE-LOG-011, AE-LOG-014)."""
    try:
        proven = prove_entry(envelope, member.log, device.memo)
    except RefusedObject as refused:
        return _refuse(device, turn, envelope.kid, refused.id, refused)
    version = proven.entry.version
    if version <= member.log.version:
        return Ruling(Outcome.IGNORED, f"entry {version}, not above the own", "log", envelope.kid)
    from_sequencer = envelope.kid == member.log.sequencer_kid
    if from_sequencer:
        device.freshness.saw(version, member.log.version, now)
    try:
        member.log.check_entry(proven.entry, envelope.kid)
    except Refused as refused:
        if refused.reason is Reason.ACL_BEHIND and from_sequencer:
            _keep_future(device, turn, version, envelope.raw, now)
            return Ruling(
                Outcome.IGNORED, f"entry {version}, kept", "log", envelope.kid, refused.reason, refused.rung
            )
        return _refuse(device, turn, envelope.kid, proven.id, refused)
    ruling = _apply(device, turn, proven, envelope, now)
    _apply_kept(device, turn, now)
    return ruling


def _apply(device: Device, turn: Turn, proven: ProvenEntry, envelope: Envelope, now: int) -> Ruling:
    member = _member(device)
    log, verdicts = member.log.apply(proven.entry, proven.id, device.memo)
    refused = tuple((verdict.id, verdict.reason) for verdict in verdicts if verdict.reason)
    moved = replace(member, log=log, entry=envelope.raw, refused=refused)
    lifecycle.moved(device, turn, moved, checkpoint=False)
    device.freshness.moved(moved.place, now)
    return Ruling(Outcome.APPLIED, f"entry {log.version}", "log", envelope.kid, refused=refused)


def _keep_future(device: Device, turn: Turn, version: Version, raw: bytes, now: int) -> None:
    """Keep at most 64 entries above the own version, the lowest ones; subscribe anew for the gap."""
    device.future.setdefault(version, raw)
    if len(device.future) > limits.FUTURE_ENTRIES:
        del device.future[max(device.future)]
    fill_gap(device, turn, now)


def fill_gap(device: Device, turn: Turn, now: int) -> None:
    """Subscribe to the log again while a gap remains, at most every 30 s (AE-SYN-017)."""
    last = device.resubscribed_at
    if device.member is None or (last is not None and now < last + limits.RESUBSCRIBE_GAP_MS):
        return
    device.resubscribed_at = now
    home = device.member.log.home
    turn.again |= {device.config.topics.log(home), device.config.topics.checkpoint(home)}


def _apply_kept(device: Device, turn: Turn, now: int) -> None:
    """Apply kept entries that have become the next one; forget those that are no longer above."""
    while True:
        own = device.version()
        for version in [version for version in device.future if version <= own]:
            del device.future[version]
        raw = device.future.pop(Version(own.epoch, own.seq + 1), None)
        if raw is None:
            return
        envelope = parse(raw)
        try:
            proven = prove_entry(envelope, _member(device).log, device.memo)
            _member(device).log.check_entry(proven.entry, envelope.kid)
        except (Refused, UnknownKey):
            return  # kept in an epoch whose sequencer was another, or a fork: it is asked for anew
        _apply(device, turn, proven, envelope, now)


def on_checkpoint(device: Device, turn: Turn, member: Membership, envelope: Envelope, now: int) -> Ruling:
    """Take an owner's checkpoint of a higher epoch, whatever the own state (AE-LOG-015)."""
    if envelope.raw == member.checkpoint:
        return Ruling(Outcome.IGNORED, "the checkpoint it stands on", "log", envelope.kid)
    try:
        proven = prove_checkpoint(envelope, member.log, device.memo)
    except RefusedObject as refused:
        return _refuse(device, turn, envelope.kid, refused.id, refused)
    if proven.id == member.checkpoint_id:
        return Ruling(Outcome.IGNORED, "the checkpoint it stands on", "log", envelope.kid)
    try:
        member.log.check_checkpoint(proven.checkpoint)
    except Refused as refused:
        if refused.reason is Reason.CONFLICT:
            return _conflict(device, turn, envelope.kid, proven.id, refused, now)
        return _refuse(device, turn, envelope.kid, proven.id, refused)
    log, left_out = member.log.take_checkpoint(proven.checkpoint, proven.id)
    moved = Membership(log, proven.id, envelope.raw, b"", left_out)
    lifecycle.moved(device, turn, moved, checkpoint=True)
    device.freshness.new_epoch(moved.place, now)
    _apply_kept(device, turn, now)
    return Ruling(Outcome.APPLIED, f"checkpoint {log.version}", "log", envelope.kid, refused=left_out)


def on_head(device: Device, turn: Turn, member: Membership, envelope: Envelope, now: int) -> Ruling:
    """Hear a head: a heartbeat, a higher version, or an old word (AE-SYN-033)."""
    statement = read_head(envelope, member.log)
    try:
        device.freshness.heard_head(statement, member.place, now)
    except Refused as refused:
        name = object_id(envelope, member.log.home, NO_ACCESSORY)
        return _refuse(device, turn, envelope.kid, name, refused)
    if device.freshness.behind(member.log.version):
        fill_gap(device, turn, now)
    return Ruling(Outcome.APPLIED, f"head {statement.version}", "log", envelope.kid)


def on_answer(device: Device, turn: Turn, member: Membership, envelope: Envelope, now: int) -> Ruling:
    """Take the sequencer's answer to an own question; hand back what it has lost (AE-SYN-010, AE-SYN-018)."""
    answer = read_answer(envelope, member.log, device.id)
    first = not device.freshness.synced_once
    try:
        in_sync = device.freshness.answered(answer, member.place, now)
    except Refused as refused:
        name = object_id(envelope, member.log.home, device.id)
        return _refuse(device, turn, envelope.kid, name, refused)
    if in_sync and first:
        lifecycle.note_synced(turn)
    if answer.version < member.log.version:
        topic = device.config.topics.hub_inbox(member.log.home)
        for raw in (member.checkpoint, member.entry):
            if raw:
                turn.send(topic, raw)
    word = "in sync" if in_sync else f"not in sync, the sequencer is at {answer.version}"
    return Ruling(Outcome.APPLIED, word, "log", envelope.kid)


def on_pair_of_objects(device: Device, turn: Turn, member: Membership, data: bytes) -> Ruling:
    """Judge two objects handed over together; a proof leaves only the owner obeyed (AE-LOG-050).

    Raises:
        Unproven: not two objects of the active sequencer.
    """
    first, second = parse_pair(data)
    claims = [claim_of(each, member.log, device.id, device.memo) for each in (first, second)]
    if not is_proof(claims[0], claims[1], member.log) or member.log.only_owner:
        return Ruling(Outcome.IGNORED, "no proof of equivocation", "log", first.kid)
    device.member = replace(member, log=replace(member.log, only_owner=True))
    keep_membership(turn, device.member, checkpoint=False)
    return Ruling(
        Outcome.APPLIED, f"the sequencer contradicted itself at {claims[0].version}", "log", first.kid
    )


def _conflict(device: Device, turn: Turn, kid: KeyId, name: ObjectId, refused: Refused, now: int) -> Ruling:
    """Answer an owner's checkpoint that is not higher, at most once in 5 s (AE-LOG-016)."""
    answered = device.conflict_at is None or now >= device.conflict_at + limits.CONFLICT_GAP_MS
    if answered:
        device.conflict_at = now
        _send_refusal(device, turn, kid, name, refused)
    return Ruling(Outcome.REFUSED, refused.detail, "log", kid, refused.reason, refused.rung, answered)


def _refuse(device: Device, turn: Turn, kid: KeyId, name: ObjectId, refused: Refused) -> Ruling:
    """Answer a refused object once per boot: its signature held and its signer is known (AE-LOG-014)."""
    answered = name not in device.answered
    if answered:
        device.answered[name] = None
        if len(device.answered) > _ANSWERED_ROOM:
            del device.answered[next(iter(device.answered))]
        _send_refusal(device, turn, kid, name, refused)
    return Ruling(Outcome.REFUSED, refused.detail, "log", kid, refused.reason, refused.rung, answered)


def _send_refusal(device: Device, turn: Turn, kid: KeyId, name: ObjectId, refused: Refused) -> None:
    member = _member(device)
    device.refusals[refused.reason] += 1
    hint: dict[int, Value] = {int(HintKey.VERSION): version_value(member.log.version)}
    to = name[: limits.GRANT_ID_SIZE]
    response = Response(device.boot, to, refused.reason, member.log.version, hint=hint)
    sealed = respond(device.founding.key, member.log.home, response)
    turn.send(device.config.topics.out(device.id, kid), sealed.raw)


def _member(device: Device) -> Membership:
    if device.member is None:
        raise Refused(Reason.NOT_PAIRED, Rung.KEY)
    return device.member
