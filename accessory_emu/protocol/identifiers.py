"""Typed ids: home, accessory, key, grant, boot; epoch (reign, turn, draw) and version (epoch, seq)."""

from dataclasses import dataclass
from typing import Final, NewType

from accessory_emu.protocol import limits

HomeId = NewType("HomeId", bytes)
AccessoryId = NewType("AccessoryId", bytes)
KeyId = NewType("KeyId", bytes)
GrantId = NewType("GrantId", bytes)  # a grant's id, or a root: 16 bytes
BootId = NewType("BootId", bytes)
PublicKey = NewType("PublicKey", bytes)
ObjectId = NewType("ObjectId", bytes)  # SHA-256 of signed bytes

NO_HOME: Final = HomeId(bytes(limits.ID_SIZE))
NO_ACCESSORY: Final = AccessoryId(bytes(limits.ID_SIZE))
NO_HEAD: Final = ObjectId(bytes(limits.HASH_SIZE))


def epoch_of(reign: int, turn: int, draw: int) -> int:
    """Pack an epoch: reign (16 bits), turn (32), draw (16).

    Raises:
        ValueError: a part does not fit.

    Spec: AE-LOG-002.
    """
    if not (0 <= reign < 1 << 16 and 0 <= turn < 1 << 32 and 0 <= draw < 1 << 16):
        raise ValueError("reign, turn and draw have 16, 32 and 16 bits")
    return reign << 48 | turn << 16 | draw


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A place in the membership log, ordered by epoch, then seq (AE-LOG-002)."""

    epoch: int
    seq: int

    @property
    def reign(self) -> int:
        """The number of reign changes."""
        return self.epoch >> 48

    @property
    def turn(self) -> int:
        """The number of checkpoints in this reign."""
        return self.epoch >> 16 & 0xFFFFFFFF

    @property
    def draw(self) -> int:
        """What tells simultaneous epochs of one turn apart."""
        return self.epoch & 0xFFFF

    def __str__(self) -> str:
        reign = f"{self.reign}/" if self.reign else ""
        return f"e{reign}{self.turn}.{self.seq}"


FIRST: Final = Version(0, 0)


def hap_device_id(accessory: AccessoryId) -> str:
    """Give the HAP device id, `XX:XX:XX:XX:XX:XX`: the first six bytes of the accessory id (AE-KEY-003)."""
    return ":".join(f"{byte:02X}" for byte in accessory[:6])
