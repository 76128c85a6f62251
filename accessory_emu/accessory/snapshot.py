"""The accessory's durable state as rows of bytes and back.

Rows: identity (key, salt, verifier), pairing (tries, paired key), log (the fold), checkpoint and entry (bytes
as they came), synced (a mark), values (characteristics). A row that does not read back is damage
(AE-PAIR-072).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from accessory_emu.accessory.device import DeviceConfig, Founding, Membership
from accessory_emu.accessory.turn import Turn
from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.encoding import (
    Fields,
    Value,
    as_bytes,
    as_list,
    as_uint,
    decode,
    encode,
    pack,
    version_value,
)
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import GrantId, HomeId, ObjectId, PublicKey
from accessory_emu.protocol.membership.allowlist import Allowlist
from accessory_emu.protocol.membership.checkpoint import SequencerKind
from accessory_emu.protocol.membership.grant import Grant, NotUnderstood
from accessory_emu.protocol.membership.log import Log
from accessory_emu.protocol.membership.tombstones import Tombstones
from accessory_emu.protocol.reasons import Reason

ROWS: Final = ("identity", "pairing", "log", "checkpoint", "entry", "synced", "values")
_VERIFIER_SIZE: Final = 384


@dataclass(frozen=True, slots=True)
class Restored:
    """What the rows gave back; `values` is the model's own row."""

    founding: Founding
    tries: int
    paired: PublicKey | None
    member: Membership | None
    synced: bool
    values: bytes | None


def restore(rows: Mapping[str, bytes], config: DeviceConfig) -> Restored | None:
    """Read the rows; None where there are none at all: the accessory was never started.

    Raises:
        Malformed: rows are missing or do not read back.
    """
    if not rows:
        return None
    if "identity" not in rows or "pairing" not in rows:
        raise Malformed("the identity is missing, other rows are there")
    identity, pairing = Fields(decode(rows["identity"])), Fields(decode(rows["pairing"]))
    founding = Founding(
        SigningKey(identity.octets(1, limits.KEY_SIZE)),
        identity.blob(2, limits.HASH_SIZE),
        identity.blob(3, _VERIFIER_SIZE),
    )
    identity.end()
    tries, paired = pairing.uint(1), pairing.maybe_octets(2, limits.KEY_SIZE)
    pairing.end()
    return Restored(
        founding,
        tries,
        None if paired is None else PublicKey(paired),
        _membership(rows, config),
        "synced" in rows,
        rows.get("values"),
    )


def keep_identity(turn: Turn, founding: Founding) -> None:
    """Keep key, salt and verifier."""
    row = pack({1: founding.key.seed(), 2: founding.salt, 3: founding.verifier})
    turn.keep("identity", row)


def keep_pairing(turn: Turn, tries: int, paired: PublicKey | None) -> None:
    """Keep the count of failed proofs and the paired key."""
    turn.keep("pairing", pack({1: tries, 2: paired}))


def keep_membership(turn: Turn, member: Membership, *, checkpoint: bool) -> None:
    """Keep the fold and the newest entry, and the checkpoint where it is another."""
    turn.keep("log", _encode_log(member))
    turn.keep("entry", member.entry)
    if checkpoint:
        turn.keep("checkpoint", member.checkpoint)


def erase(turn: Turn) -> None:
    """Delete every row."""
    for row in ROWS:
        turn.keep(row, None)


def _encode_log(member: Membership) -> bytes:
    log, mark = member.log, member.log.tombstones.watermark
    grants: list[Value] = [grant.value() for grant in log.allowlist.ordered()]
    refused: list[Value] = [[name, int(reason)] for name, reason in member.refused]
    return pack(
        {
            1: log.home,
            2: version_value(log.version),
            3: log.head,
            4: log.time,
            5: log.owner,
            6: log.sequencer,
            7: int(log.kind),
            8: grants,
            9: log.tombstones.value(),
            10: version_value(mark) if mark else None,
            11: log.lease,
            12: int(log.only_owner),
            13: member.checkpoint_id,
            14: refused,
        }
    )


def _membership(rows: Mapping[str, bytes], config: DeviceConfig) -> Membership | None:
    if "log" not in rows:
        if "checkpoint" in rows or "entry" in rows or "synced" in rows:
            raise Malformed("parts of the log are missing")
        return None
    if "checkpoint" not in rows or "entry" not in rows:
        raise Malformed("parts of the log are missing")
    fields = Fields(decode(rows["log"]))
    try:
        grants = [Grant.read(item) for item in fields.list(8)]
        kind = SequencerKind(fields.uint(7))
        refused = tuple(_refused(item) for item in fields.list(14))
    except (NotUnderstood, ValueError) as error:
        raise Malformed("the log does not read back") from error
    kept = Tombstones.read(fields.value(9), fields.maybe(10, fields.version))
    log = Log(
        home=HomeId(fields.octets(1, limits.ID_SIZE)),
        version=fields.version(2),
        head=ObjectId(fields.octets(3, limits.HASH_SIZE)),
        time=fields.uint(4),
        owner=PublicKey(fields.octets(5, limits.KEY_SIZE)),
        sequencer=PublicKey(fields.octets(6, limits.KEY_SIZE)),
        kind=kind,
        allowlist=Allowlist({grant.kid: grant for grant in grants}),
        tombstones=Tombstones(kept.items, kept.watermark, config.tombstones),
        lease=fields.maybe(11, fields.uint),
        room=config.grants,
        only_owner=bool(fields.uint(12, 1)),
    )
    checkpoint_id = ObjectId(fields.octets(13, limits.HASH_SIZE))
    fields.end()
    return Membership(log, checkpoint_id, rows["checkpoint"], rows["entry"], refused)


def _refused(item: Value) -> tuple[GrantId, Reason]:
    name, number = as_list(item, 2)
    return GrantId(as_bytes(name, limits.GRANT_ID_SIZE)), Reason(as_uint(number))


def encode_mark() -> bytes:
    """Give the content of a row whose presence is what it says."""
    return encode(True)  # noqa: FBT003 - the value itself
