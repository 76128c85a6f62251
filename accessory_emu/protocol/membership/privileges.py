"""Roles and privileges: view < operate < manage < administer; edit bits; scopes."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final, Self

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Value, as_bytes, as_list
from accessory_emu.protocol.identifiers import AccessoryId


class Role(IntEnum):
    """What a member is in the home (AE-LOG-020)."""

    OWNER = 1
    EDITOR = 2
    RESIDENT = 3
    GUEST = 4
    HUB = 5


class Privilege(IntEnum):
    """What a member may do with an accessory; each includes those before it (AE-LOG-021)."""

    VIEW = 1
    OPERATE = 2
    MANAGE = 3
    ADMINISTER = 4


class Edit(IntFlag):
    """What a member may edit in the home (AE-LOG-022)."""

    NONE = 0
    PEOPLE = 1
    ACCESSORIES = 2
    SCENES = 4


class Enforcer(IntEnum):
    """Who enforces the limits of a grant that an accessory cannot check (AE-LOG-025)."""

    ACCESSORY = 0
    HUB = 1


@dataclass(frozen=True, slots=True)
class Scope:
    """Which accessories: `accessories` None means everything, an empty set means nothing (AE-LOG-023)."""

    accessories: frozenset[AccessoryId] | None

    @classmethod
    def of(cls, accessories: Iterable[AccessoryId]) -> Self:
        """Make a scope of the named accessories."""
        return cls(frozenset(accessories))

    def covers(self, accessory: AccessoryId) -> bool:
        """Tell whether an accessory is inside."""
        return self.accessories is None or accessory in self.accessories

    def within(self, other: "Scope") -> bool:
        """Tell whether this scope gives nothing that the other does not."""
        if other.accessories is None:
            return True
        return self.accessories is not None and self.accessories <= other.accessories

    def value(self) -> Value:
        """Give what goes over the wire: true, or the ids in ascending order."""
        return True if self.accessories is None else sorted(self.accessories)

    @classmethod
    def read(cls, value: Value) -> Self:
        """Read a scope. Raises Malformed."""
        if value is True:
            return cls(None)
        ids = [AccessoryId(as_bytes(item, limits.ID_SIZE)) for item in as_list(value, limits.SCOPE_IDS)]
        return cls(frozenset(ids))


EVERYTHING: Final = Scope(None)
