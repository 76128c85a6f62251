"""What one emulated accessory is: its configuration, and the state that the handlers change.

Only the engine's handlers touch a Device, one turn at a time. What a turn changes may be believed at once,
because nothing leaves, and no other turn begins, before its durable rows are kept (S18).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from accessory_emu.accessory.catalogue import AccessoryType
from accessory_emu.accessory.model import Model
from accessory_emu.pairing.pair_setup import PairSetupAccessory
from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.envelope import GoodSignatures
from accessory_emu.protocol.exchanges.command import View
from accessory_emu.protocol.exchanges.joining import Joining
from accessory_emu.protocol.identifiers import AccessoryId, BootId, GrantId, ObjectId, PublicKey, Version
from accessory_emu.protocol.membership.freshness import Freshness, Place, Policy
from accessory_emu.protocol.membership.log import Log
from accessory_emu.protocol.ports import Random
from accessory_emu.protocol.reasons import Reason
from accessory_emu.protocol.replay import Replay
from accessory_emu.protocol.topics import Topics


class Label(Protocol):
    """The sticker: the one place that knows the setup code; the accessory keeps salt and verifier only."""

    def verifier(self, salt: bytes) -> bytes:
        """Give the SRP verifier of the setup code for a salt (AE-PAIR-053)."""
        ...


@dataclass(frozen=True, slots=True)
class Supplies:
    """What is handed in: dice, the sticker, and the good signatures that accessories of a process share."""

    random: Random
    label: Label
    memo: GoodSignatures = field(default_factory=GoodSignatures)


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """What is decided before the first start.

    `state` maps words to values for the first start; `durable_values` keeps values before the answer;
    `grants` and `tombstones` are the declared room.
    """

    kind: AccessoryType
    setup_id: str
    policy: Policy
    state: Mapping[str, object] = field(default_factory=dict)
    durable_values: bool = False
    grants: int = limits.GRANTS_HELD
    tombstones: int = limits.TOMBSTONES_HELD
    topics: Topics = field(default_factory=Topics)


class Standing(Enum):
    """Where an accessory stands; damage is never taken for "unpaired" (AE-PAIR-072)."""

    UNPAIRED = "unpaired"
    PAIRED = "paired"
    MEMBER = "member"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class Founding:
    """The identity that a factory reset renews: key, setup salt and verifier."""

    key: SigningKey
    salt: bytes
    verifier: bytes


@dataclass(frozen=True, slots=True)
class Membership:
    """The log as it stands, and the bytes that a sequencer that lost its store may ask for."""

    log: Log
    checkpoint_id: ObjectId
    checkpoint: bytes
    entry: bytes = b""
    refused: Sequence[tuple[GrantId, Reason]] = ()

    @property
    def place(self) -> Place:
        """Version, head and time, as freshness compares them."""
        return Place(self.log.version, self.log.head, self.log.time)


@dataclass(slots=True)
class Device:
    """One accessory's state; `paired` is the key of Pair-Setup while no home has adopted it."""

    config: DeviceConfig
    supplies: Supplies
    founding: Founding
    boot: BootId
    model: Model
    pairing: PairSetupAccessory
    freshness: Freshness
    started: int
    locked: str = ""
    tries: int = 0
    paired: PublicKey | None = None
    paired_at: int = 0
    member: Membership | None = None
    joining: Joining | None = None
    replay: Replay = field(default_factory=Replay)
    future: dict[Version, bytes] = field(default_factory=dict)
    answered: dict[ObjectId, None] = field(default_factory=dict)
    conflict_at: int | None = None
    resubscribed_at: int | None = None
    events_sent: int = 0
    refusals: Counter[Reason] = field(default_factory=Counter)
    online: bool = False

    @property
    def random(self) -> Random:
        """The dice."""
        return self.supplies.random

    @property
    def memo(self) -> GoodSignatures:
        """The good signatures that the process remembers."""
        return self.supplies.memo

    @property
    def id(self) -> AccessoryId:
        """The accessory's id, which is the id of its key."""
        return AccessoryId(self.founding.key.kid)

    @property
    def standing(self) -> Standing:
        """Where it stands."""
        if self.locked:
            return Standing.LOCKED
        if self.member is not None:
            return Standing.MEMBER
        return Standing.UNPAIRED if self.paired is None else Standing.PAIRED

    def view(self) -> View:
        """What it knows when it judges a command."""
        return View(
            accessory=self.id,
            boot=self.boot,
            log=self.member.log if self.member else None,
            freshness=self.freshness,
            replay=self.replay,
            strict=self.config.kind.strict,
            memo=self.memo,
        )

    def version(self) -> Version:
        """The own log version; 0.0 where there is none."""
        return self.member.log.version if self.member else Version(0, 0)
