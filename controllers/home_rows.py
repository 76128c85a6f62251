"""A view of a home as rows of bytes, and back.

Rows: trust (where the view began), checkpoint (bytes as they came), base (grants and tombstones right after
it, for older tombstones than the checkpoint carries hold on), entry/<epoch>/<seq> (bytes as they came),
roster (the keys that the checkpoint's digest names), ack/<accessory> (bytes as they came).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from accessory_emu.protocol.encoding import Fields, Value, decode, pack, version_value
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import AccessoryId, Version
from accessory_emu.protocol.membership.allowlist import Allowlist
from accessory_emu.protocol.membership.grant import Grant, NotUnderstood
from accessory_emu.protocol.membership.log import Log
from accessory_emu.protocol.membership.tombstones import Tombstones

TRUST: Final = "trust"
CHECKPOINT: Final = "checkpoint"
BASE: Final = "base"
ROSTER: Final = "roster"
_ENTRY: Final = "entry/"
_ACK: Final = "ack/"


@dataclass(frozen=True, slots=True)
class Base:
    """Grants and tombstones right after the checkpoint."""

    allowlist: Allowlist
    tombstones: Tombstones


def entry_row(version: Version) -> str:
    """Name the row of an entry; fixed width, so that rows sort like versions."""
    return f"{_ENTRY}{version.epoch:016x}/{version.seq:016x}"


def ack_row(accessory: AccessoryId) -> str:
    """Name the row of an accessory's ack."""
    return _ACK + accessory.hex()


def entries_of(rows: Mapping[str, bytes]) -> list[bytes]:
    """Give the entries of the rows in their order."""
    return [rows[key] for key in sorted(rows) if key.startswith(_ENTRY)]


def acks_of(rows: Mapping[str, bytes]) -> list[bytes]:
    """Give the acks of the rows."""
    return [rows[key] for key in sorted(rows) if key.startswith(_ACK)]


def encode_base(log: Log) -> bytes:
    """Give the row of the state right after a checkpoint."""
    grants: list[Value] = [grant.value() for grant in log.allowlist.ordered()]
    mark = log.tombstones.watermark
    return pack({1: grants, 2: log.tombstones.value(), 3: version_value(mark) if mark else None})


def decode_base(data: bytes) -> Base:
    """Read what `encode_base` gave. Raises Malformed."""
    fields = Fields(decode(data))
    try:
        grants = [Grant.read(item) for item in fields.list(1)]
    except NotUnderstood as error:
        raise Malformed("a grant that is not understood") from error
    tombstones = Tombstones.read(fields.value(2), fields.maybe(3, fields.version))
    fields.end()
    return Base(Allowlist({grant.kid: grant for grant in grants}), tombstones)
