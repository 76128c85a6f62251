"""The owner's signed summary, always a new epoch: grants, tombstones, roster digest, sequencer, owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.encoding import (
    Fields,
    Value,
    as_bytes,
    as_uint,
    decode,
    pack,
    version_value,
)
from accessory_emu.protocol.envelope import Context, Envelope, Sealed, object_id, seal
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import FIRST, NO_HOME, GrantId, HomeId, ObjectId, PublicKey, Version
from accessory_emu.protocol.membership.grant import Grant, NotUnderstood, owner_grant
from accessory_emu.protocol.membership.privileges import Role
from accessory_emu.protocol.membership.roster import Roster
from accessory_emu.protocol.membership.tombstones import Tombstones
from accessory_emu.protocol.messages import PROTOCOL_VERSION


class SequencerKind(IntEnum):
    """Whether the sequencer is always there, or at times (AE-LOG-046)."""

    HUB = 1
    DEVICE = 2


@dataclass(frozen=True, slots=True)
class Previous:
    """The version and head that a checkpoint was made from."""

    version: Version
    head: ObjectId


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The owner's summary; `home` and `prev` are None in genesis, `time` is unix seconds (AE-LOG-047).

    `unsupported` names the grants whose terms this version does not understand: they are not granted.
    """

    home: HomeId | None
    version: Version
    prev: Previous | None
    time: int
    grants: Sequence[Grant]
    tombstones: Tombstones
    roster: bytes
    sequencer: PublicKey
    kind: SequencerKind
    owner: PublicKey
    recovery: Sequence[PublicKey] = ()
    reigns: Sequence[bytes] = ()
    lease: int | None = None
    unsupported: Sequence[GrantId] = ()

    def sign(self, owner: crypto.SigningKey) -> Sealed:
        """Sign as owner; genesis is signed for no home, for its home is named after it."""
        watermark, prev = self.tombstones.watermark, self.prev
        grants: list[Value] = [grant.value() for grant in self.grants]
        payload = pack(
            {
                1: self.home,
                2: PROTOCOL_VERSION,
                3: version_value(self.version),
                4: [*version_value(prev.version), prev.head] if prev else None,
                5: self.time,
                6: grants,
                7: self.tombstones.value(),
                8: version_value(watermark) if watermark else None,
                9: self.roster,
                10: self.sequencer,
                11: int(self.kind),
                12: self.owner,
                13: list(self.recovery),
                14: list(self.reigns),
                15: self.lease,
            }
        )
        return seal(owner, Context.CHECKPOINT, payload, self.home or NO_HOME)

    @classmethod
    def decode(cls, payload: bytes) -> Self | None:
        """Read a payload; None for one of another protocol version. Raises Malformed."""
        fields = Fields(decode(payload))
        if fields.uint(2) != PROTOCOL_VERSION:
            return None
        grants, unsupported, keys = _read_grants(fields.list(6))
        home = fields.maybe_octets(1, limits.ID_SIZE)
        prev = fields.maybe(4, fields.list)
        checkpoint = cls(
            home=None if home is None else HomeId(home),
            version=fields.version(3),
            prev=None if prev is None else _read_prev(prev),
            time=fields.uint(5),
            grants=grants,
            tombstones=Tombstones.read(fields.value(7), fields.maybe(8, fields.version)),
            roster=fields.octets(9, limits.HASH_SIZE),
            sequencer=PublicKey(fields.octets(10, limits.KEY_SIZE)),
            kind=_read_kind(fields.uint(11)),
            owner=PublicKey(fields.octets(12, limits.KEY_SIZE)),
            recovery=tuple(PublicKey(as_bytes(key, limits.KEY_SIZE)) for key in fields.list(13, 8)),
            reigns=tuple(_read_reign(item) for item in fields.list(14)),
            lease=fields.maybe(15, fields.uint),
            unsupported=unsupported,
        )
        fields.end()
        _check(checkpoint, keys)
        return checkpoint

    def owners(self) -> list[Grant]:
        """Give the grants of role owner; a checkpoint in order has exactly one."""
        return [grant for grant in self.grants if grant.role is Role.OWNER]


def genesis(
    owner: crypto.SigningKey, sequencer: PublicKey, kind: SequencerKind, time: int
) -> tuple[Checkpoint, Sealed, HomeId]:
    """Make the first checkpoint of a home; the home id is the first 8 bytes of its object id (AE-KEY-004)."""
    checkpoint = Checkpoint(
        home=None,
        version=FIRST,
        prev=None,
        time=time,
        grants=(owner_grant(owner.public),),
        tombstones=Tombstones(),
        roster=Roster().digest(),
        sequencer=sequencer,
        kind=kind,
        owner=owner.public,
    )
    sealed = checkpoint.sign(owner)
    return checkpoint, sealed, HomeId(sealed.id[: limits.ID_SIZE])


def checkpoint_home(envelope: Envelope, checkpoint: Checkpoint) -> tuple[HomeId, HomeId]:
    """Tell which home a checkpoint is signed for, and which home it makes or continues (AE-LOG-048)."""
    if checkpoint.home is None:
        return NO_HOME, HomeId(object_id(envelope, NO_HOME)[: limits.ID_SIZE])
    return checkpoint.home, checkpoint.home


def _read_grants(items: Sequence[Value]) -> tuple[tuple[Grant, ...], tuple[GrantId, ...], list[bytes]]:
    grants: list[Grant] = []
    unsupported: list[GrantId] = []
    keys: list[bytes] = []
    for item in items:
        try:
            grant = Grant.read(item)
        except NotUnderstood:
            fields = Fields(item)
            unsupported.append(GrantId(fields.octets(1, limits.GRANT_ID_SIZE)))
            keys.append(fields.octets(3, limits.KEY_SIZE))
        else:
            grants.append(grant)
            keys.append(grant.key)
    return tuple(grants), tuple(unsupported), keys


def _read_prev(items: Sequence[Value]) -> Previous:
    if len(items) != 3:  # noqa: PLR2004 - epoch, seq, head
        raise Malformed("prev is [epoch, seq, head]")
    return Previous(
        Version(as_uint(items[0]), as_uint(items[1])), ObjectId(as_bytes(items[2], limits.HASH_SIZE))
    )


def _read_kind(number: int) -> SequencerKind:
    if number not in list(SequencerKind):
        raise Malformed("an unknown kind of sequencer")
    return SequencerKind(number)


def _read_reign(item: Value) -> bytes:
    if not isinstance(item, bytes):
        raise Malformed("a reign change is a byte string")
    return item


def _check(checkpoint: Checkpoint, keys: Sequence[bytes]) -> None:
    """Refuse what no owner's tool writes (AE-LOG-048, AE-LOG-049)."""
    version, genesis = checkpoint.version, checkpoint.home is None
    by_device = checkpoint.kind is SequencerKind.DEVICE
    named = (checkpoint.owner, checkpoint.sequencer, *checkpoint.recovery)
    faults = (
        (len(set(keys)) != len(keys), "two grants for one key"),
        ([grant.key for grant in checkpoint.owners()] != [checkpoint.owner], "not exactly one owner"),
        (version.seq != 0, "a checkpoint has seq 0"),
        (genesis != (version == FIRST), "only genesis names no home, and it has the first version"),
        (genesis != (checkpoint.prev is None), "only genesis is made from nothing"),
        (version.reign != len(checkpoint.reigns), "another reign than the number of its reign changes"),
        (by_device and checkpoint.sequencer in keys, "a device's sequencing key holds no grant"),
        (checkpoint.sequencer == checkpoint.owner, "the owner's user key sequences nothing"),
        (not all(map(crypto.admissible_key, named)), "a key that is not admissible"),
    )
    for wrong, detail in faults:
        if wrong:
            raise Malformed(detail)
