"""The enrolled accessories and their digest: whose questions, acks, capacities and results count."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import AccessoryId, PublicKey


@dataclass(frozen=True, slots=True)
class Roster:
    """Accessory ids and their keys (AE-LOG-045)."""

    keys: Mapping[AccessoryId, PublicKey] = field(default_factory=dict)

    def __contains__(self, accessory: AccessoryId) -> bool:
        return accessory in self.keys

    def __len__(self) -> int:
        return len(self.keys)

    def enrolled(self, key: PublicKey) -> Self:
        """Add an accessory by its key."""
        return type(self)({**self.keys, AccessoryId(crypto.key_id(key)): key})

    def released(self, accessory: AccessoryId) -> Self:
        """Leave an accessory out."""
        return type(self)({name: key for name, key in self.keys.items() if name != accessory})

    def digest(self) -> bytes:
        """Hash the keys in ascending order, as checkpoints name the roster."""
        return crypto.sha256(self.encode())

    def encode(self) -> bytes:
        """Give the keys in ascending order, 32 bytes each."""
        return b"".join(sorted(self.keys.values()))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` gave. Raises Malformed."""
        size = limits.KEY_SIZE
        if len(data) % size:
            raise Malformed("a roster is keys of 32 bytes")
        keys = [PublicKey(data[at : at + size]) for at in range(0, len(data), size)]
        if keys != sorted(set(keys)):
            raise Malformed("the keys of a roster ascend")
        return cls.of(keys)

    @classmethod
    def of(cls, keys: Iterable[PublicKey]) -> Self:
        """Make a roster of keys."""
        return cls({AccessoryId(crypto.key_id(key)): key for key in keys})
