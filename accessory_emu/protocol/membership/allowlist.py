"""The fold as an accessory reads it: key id -> grant."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from accessory_emu.protocol.identifiers import GrantId, KeyId
from accessory_emu.protocol.membership.grant import Grant
from accessory_emu.protocol.membership.privileges import Role


@dataclass(frozen=True, slots=True)
class Allowlist:
    """The active grants by key id; at most one a key, exactly one owner (S11)."""

    grants: Mapping[KeyId, Grant] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Grant]:
        return iter(self.grants.values())

    def __len__(self) -> int:
        return len(self.grants)

    def find(self, kid: KeyId) -> Grant | None:
        """Find the grant of a key id."""
        return self.grants.get(kid)

    def by_id(self, name: GrantId) -> Grant | None:
        """Find a grant by its id."""
        return next((grant for grant in self if grant.id == name), None)

    def by_root(self, root: GrantId) -> Grant | None:
        """Find the grant of a root."""
        return next((grant for grant in self if grant.root == root), None)

    def owner(self) -> Grant:
        """Give the owner's grant."""
        return next(grant for grant in self if grant.role is Role.OWNER)

    def with_grant(self, grant: Grant) -> Self:
        """Add a grant, or put it in the place of its key's former one."""
        return type(self)({**self.grants, grant.kid: grant})

    def without(self, kid: KeyId) -> Self:
        """Leave a key out."""
        return type(self)({name: grant for name, grant in self.grants.items() if name != kid})

    def ordered(self) -> list[Grant]:
        """Give the grants in ascending order of key id."""
        return [self.grants[kid] for kid in sorted(self.grants)]
