"""Every signed payload outside the membership log, a frozen dataclass each.

`encode` gives the payload's bytes; `decode` reads them and raises Malformed for anything that is not exactly
this shape. The integer keys are the table in chapter 1 of the specification (AE-ENV-040).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import (
    Fields,
    Value,
    as_bytes,
    as_list,
    as_uint,
    decode,
    pack,
    version_value,
)
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import BootId, GrantId, HomeId, ObjectId, PublicKey, Version
from accessory_emu.protocol.reasons import Reason

PROTOCOL_VERSION = 1


class Op(IntEnum):
    """What a command asks for (AE-CMD-002)."""

    READ = 1
    WRITE = 2
    IDENTIFY = 3
    LIST = 4
    STATUS = 5
    PREPARE = 6
    RELEASE = 7


class HintKey(IntEnum):
    """The keys of a refusal's hint (AE-RSP-003)."""

    LAST_COUNTER = 1
    FATE = 2  # see Fate
    TIME = 3  # the accessory's trusted time, unix seconds
    WHICH = 4  # a word: which of several checks failed
    VERSION = 5  # the accessory's [epoch, seq]


class Fate(IntEnum):
    """What became of the bytes of a replayed counter (AE-CMD-031)."""

    NOT_EXECUTED = 0
    UNKNOWN = 1


class Life(IntEnum):
    """The state that an accessory announces (AE-TOP-010)."""

    UNPAIRED = 0
    PAIRED = 1
    MEMBER = 2


@dataclass(frozen=True, slots=True)
class Command:
    """One signed command; `expires` is unix seconds, `nonce` one that `prepare` handed out (AE-CMD-001)."""

    boot: BootId
    ctr: int
    version: Version
    op: int
    args: Sequence[Value] = ()
    expires: int | None = None
    nonce: bytes | None = None

    def encode(self) -> bytes:
        """Give the payload."""
        return pack(
            {
                1: self.boot,
                2: self.ctr,
                3: version_value(self.version),
                4: self.expires,
                5: self.op,
                6: list(self.args),
                7: self.nonce,
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a payload; the op may be one that nobody knows."""
        fields = Fields(decode(payload, floats=True))
        message = cls(
            boot=BootId(fields.octets(1, limits.ID_SIZE)),
            ctr=fields.uint(2),
            version=fields.version(3),
            expires=fields.maybe(4, fields.uint),
            op=fields.uint(5),
            args=fields.list(6, limits.ITEMS_IN_COMMAND),
            nonce=fields.maybe_octets(7, limits.NONCE_SIZE),
        )
        fields.end()
        return message


@dataclass(frozen=True, slots=True)
class Response:
    """The accessory's signed answer; `to` is the first half of the object id it answers (AE-RSP-001).

    `status` is None for "done", else the reason; `results` depend on the op; `hint` maps HintKey to values.
    """

    boot: BootId
    to: bytes
    status: Reason | None
    version: Version
    results: Value | None = None
    hint: Mapping[int, Value] | None = None

    def encode(self) -> bytes:
        """Give the payload."""
        return pack(
            {
                1: self.boot,
                2: self.to,
                3: int(self.status or 0),
                4: self.results,
                5: version_value(self.version),
                6: self.hint or None,
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a payload."""
        fields = Fields(decode(payload, floats=True))
        hint = fields.maybe(6, fields.value)
        if hint is not None and (not isinstance(hint, Mapping) or not hint):
            raise Malformed("the hint is no map, or empty")
        message = cls(
            boot=BootId(fields.octets(1, limits.ID_SIZE)),
            to=fields.octets(2, limits.GRANT_ID_SIZE),
            status=read_reason(fields.uint(3)),
            results=fields.maybe(4, fields.value),
            version=fields.version(5),
            hint=hint,
        )
        fields.end()
        return message


@dataclass(frozen=True, slots=True)
class StateEvent:
    """A signed state change: rising number per boot, changed items [aid, iid, value] (AE-ACC-030)."""

    boot: BootId
    number: int
    changes: Sequence[Value]
    version: Version

    def encode(self) -> bytes:
        """Give the payload."""
        return pack({1: self.boot, 2: self.number, 3: list(self.changes), 4: version_value(self.version)})

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a payload."""
        fields = Fields(decode(payload, floats=True))
        message = cls(
            boot=BootId(fields.octets(1, limits.ID_SIZE)),
            number=fields.uint(2),
            changes=[_change(item) for item in fields.list(3)],
            version=fields.version(4),
        )
        fields.end()
        return message


def _change(item: Value) -> Value:
    parts = as_list(item, 3)
    if len(parts) != 3:  # noqa: PLR2004 - aid, iid, value
        raise Malformed("a change is [aid, iid, value]")
    return [as_uint(parts[0]), as_uint(parts[1]), parts[2]]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an accessory declares of its choices and room (AE-TOP-012); spans in seconds."""

    grants: int
    tombstones: int
    trusted_time: bool
    strict: bool
    sync_hub_s: int
    sync_device_s: int
    fresh_s: int

    def value(self) -> Mapping[int, Value]:
        """Give the map that goes over the wire."""
        return {
            1: self.grants,
            2: self.tombstones,
            3: int(self.trusted_time),
            4: int(self.strict),
            5: self.sync_hub_s,
            6: self.sync_device_s,
            7: self.fresh_s,
        }

    @classmethod
    def read(cls, value: Value) -> Self:
        """Read the map."""
        fields = Fields(value)
        capabilities = cls(
            grants=fields.uint(1),
            tombstones=fields.uint(2),
            trusted_time=bool(fields.uint(3, 1)),
            strict=bool(fields.uint(4, 1)),
            sync_hub_s=fields.uint(5),
            sync_device_s=fields.uint(6),
            fresh_s=fields.uint(7),
        )
        fields.end()
        return capabilities


@dataclass(frozen=True, slots=True)
class Announce:
    """What an accessory says of itself, retained (AE-TOP-010)."""

    key: PublicKey
    boot: BootId
    life: Life
    home: HomeId | None
    version: Version
    head: ObjectId
    category: int
    setup_hash: bytes
    capabilities: Capabilities
    availability: str

    def encode(self) -> bytes:
        """Give the payload."""
        return pack(
            {
                1: PROTOCOL_VERSION,
                2: self.key,
                3: self.boot,
                4: int(self.life),
                5: self.home,
                6: version_value(self.version),
                7: self.head,
                8: self.category,
                9: self.setup_hash,
                10: self.capabilities.value(),
                11: self.availability,
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a payload; another protocol version is malformed to a reader of this one."""
        fields = Fields(decode(payload))
        if fields.uint(1) != PROTOCOL_VERSION:
            raise Malformed("an announcement of another protocol version")
        message = cls(
            key=PublicKey(fields.octets(2, limits.KEY_SIZE)),
            boot=BootId(fields.octets(3, limits.ID_SIZE)),
            life=Life(fields.uint(4, len(Life) - 1)),
            home=None if (home := fields.maybe_octets(5, limits.ID_SIZE)) is None else HomeId(home),
            version=fields.version(6),
            head=ObjectId(fields.octets(7, limits.HASH_SIZE)),
            category=fields.uint(8, 0xFFFF),
            setup_hash=fields.octets(9, 4),
            capabilities=Capabilities.read(fields.value(10)),
            availability=fields.text(11),
        )
        fields.end()
        return message


@dataclass(frozen=True, slots=True)
class Adopt:
    """The paired key's one act: which version checkpoint and entries must give (AE-PAIR-040).

    The home stands here as well as in external_aad: an accessory that has none yet cannot know it otherwise.
    """

    home: HomeId
    boot: BootId
    checkpoint: ObjectId
    version: Version
    head: ObjectId

    def encode(self) -> bytes:
        """Give the payload."""
        return pack(
            {1: self.boot, 2: self.checkpoint, 3: version_value(self.version), 4: self.head, 5: self.home}
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a payload."""
        fields = Fields(decode(payload))
        message = cls(
            boot=BootId(fields.octets(1, limits.ID_SIZE)),
            checkpoint=ObjectId(fields.octets(2, limits.HASH_SIZE)),
            version=fields.version(3),
            head=ObjectId(fields.octets(4, limits.HASH_SIZE)),
            home=HomeId(fields.octets(5, limits.ID_SIZE)),
        )
        fields.end()
        return message


@dataclass(frozen=True, slots=True)
class Ack:
    """An accessory's word that it is at this version, and which requests had no effect (AE-LOG-060)."""

    version: Version
    head: ObjectId
    digest: bytes
    refused: Sequence[tuple[GrantId, Reason]] = ()

    def encode(self) -> bytes:
        """Give the payload."""
        refused: list[Value] = [[name, int(reason)] for name, reason in self.refused]
        return pack({1: version_value(self.version), 2: self.head, 3: self.digest, 4: refused})

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a payload."""
        fields = Fields(decode(payload))
        message = cls(
            version=fields.version(1),
            head=ObjectId(fields.octets(2, limits.HASH_SIZE)),
            digest=fields.octets(3, limits.HASH_SIZE),
            refused=tuple(_refused(item) for item in fields.list(4)),
        )
        fields.end()
        return message


def _refused(item: Value) -> tuple[GrantId, Reason]:
    pair = as_list(item, 2)
    if len(pair) != 2:  # noqa: PLR2004 - a pair
        raise Malformed("a refused request is [id, reason]")
    return GrantId(as_bytes(pair[0], limits.GRANT_ID_SIZE)), _some_reason(as_uint(pair[1]))


def _some_reason(number: int) -> Reason:
    reason = read_reason(number)
    if reason is None:
        raise Malformed("what is refused has a reason")
    return reason


@dataclass(frozen=True, slots=True)
class Statement:
    """A version, its head and, where the sequencer states it, the time (unix s): head, sync, sync-answer."""

    version: Version
    head: ObjectId
    time: int | None = None
    nonce: bytes | None = None

    def encode_head(self) -> bytes:
        """Give the payload of a head (AE-SYN-001)."""
        return pack({1: version_value(self.version), 2: self.head, 3: self.time})

    def encode_sync(self) -> bytes:
        """Give the payload of a sync question (AE-SYN-002)."""
        return pack({1: self.nonce, 2: version_value(self.version), 3: self.head})

    def encode_answer(self) -> bytes:
        """Give the payload of a sync answer (AE-SYN-003)."""
        return pack({1: self.nonce, 2: version_value(self.version), 3: self.head, 4: self.time})

    @classmethod
    def decode_head(cls, payload: bytes) -> Self:
        """Read a head."""
        fields = Fields(decode(payload))
        message = cls(
            version=fields.version(1), head=ObjectId(fields.octets(2, limits.HASH_SIZE)), time=fields.uint(3)
        )
        fields.end()
        return message

    @classmethod
    def decode_sync(cls, payload: bytes) -> Self:
        """Read a sync question."""
        fields = Fields(decode(payload))
        message = cls(
            nonce=fields.octets(1, limits.NONCE_SIZE),
            version=fields.version(2),
            head=ObjectId(fields.octets(3, limits.HASH_SIZE)),
        )
        fields.end()
        return message

    @classmethod
    def decode_answer(cls, payload: bytes) -> Self:
        """Read a sync answer."""
        fields = Fields(decode(payload))
        message = cls(
            nonce=fields.octets(1, limits.NONCE_SIZE),
            version=fields.version(2),
            head=ObjectId(fields.octets(3, limits.HASH_SIZE)),
            time=fields.uint(4),
        )
        fields.end()
        return message


class HubStatus(IntEnum):
    """The sequencer's word on a request (AE-LOG-071)."""

    COMMITTED = 0
    READY = 1
    REFUSED = 2


@dataclass(frozen=True, slots=True)
class HubResponse:
    """The sequencer's signed answer to a member's request; `time` is unix seconds (AE-LOG-070)."""

    request: GrantId
    status: HubStatus
    time: int
    reason: Reason | None = None
    version: Version | None = None

    def encode(self) -> bytes:
        """Give the payload."""
        return pack(
            {
                1: self.request,
                2: int(self.status),
                3: None if self.reason is None else int(self.reason),
                4: None if self.version is None else version_value(self.version),
                5: self.time,
            }
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a payload."""
        fields = Fields(decode(payload))
        message = cls(
            request=GrantId(fields.octets(1, limits.GRANT_ID_SIZE)),
            status=HubStatus(fields.uint(2, len(HubStatus) - 1)),
            reason=None if (number := fields.maybe(3, fields.uint)) is None else _some_reason(number),
            version=fields.maybe(4, fields.version),
            time=fields.uint(5),
        )
        fields.end()
        return message


def read_reason(number: int) -> Reason | None:
    """Read a reason's number; 0 is "none", an unknown one is malformed in this version (AE-RSN-001)."""
    if number == 0:
        return None
    try:
        return Reason(number)
    except ValueError:
        raise Malformed("an unknown reason") from None
