"""One person's right: key, role, scope, edit bits, ceiling, window, lease; id, root, base, since."""

from dataclasses import dataclass
from typing import Final, Self

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.encoding import (
    Fields,
    Value,
    as_list,
    as_uint,
    encode,
    version_value,
)
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import FIRST, GrantId, KeyId, PublicKey, Version
from accessory_emu.protocol.membership.privileges import EVERYTHING, Edit, Enforcer, Privilege, Role, Scope

_ALL_EDITS: Final = Edit.PEOPLE | Edit.ACCESSORIES | Edit.SCENES


class NotUnderstood(Exception):
    """The terms hold a field or value that this version does not know: not granted (AE-LOG-024)."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that an editor's `people` bit may give."""

    privilege: Privilege = Privilege.OPERATE
    scope: Scope = EVERYTHING


@dataclass(frozen=True, slots=True)
class Terms:
    """What a grant gives; `window` is (after, before) in unix seconds, `lease` in seconds (AE-LOG-024).

    `enforced_by` is for limits that an accessory cannot check; what it can check it checks anyway.
    """

    role: Role
    privilege: Privilege
    scope: Scope
    edit: Edit = Edit.NONE
    ceiling: Ceiling | None = None
    window: tuple[int, int] | None = None
    lease: int | None = None
    enforced_by: Enforcer = Enforcer.ACCESSORY

    def value(self) -> Value:
        """Give the map that goes over the wire."""
        fields: dict[int, Value] = {1: int(self.role), 2: int(self.privilege), 3: self.scope.value()}
        if self.edit:
            fields[4] = int(self.edit)
        if self.ceiling:
            fields[5] = [int(self.ceiling.privilege), self.ceiling.scope.value()]
        if self.window:
            fields[6] = list(self.window)
        if self.lease is not None:
            fields[7] = self.lease
        if self.enforced_by:
            fields[8] = int(self.enforced_by)
        return fields

    def digest(self) -> bytes:
        """Hash the terms, as an acceptance names them."""
        return terms_digest(self.value())

    @classmethod
    def read(cls, value: Value) -> Self:
        """Read terms.

        Raises:
            NotUnderstood: an unknown field or value, or one that the role cannot have.
        """
        try:
            terms = cls._read(Fields(value))
        except (Malformed, ValueError) as error:
            raise NotUnderstood(str(error)) from None
        if not _consistent(terms) or encode(terms.value()) != encode(value):
            raise NotUnderstood("the role cannot have these terms")
        return terms

    @classmethod
    def _read(cls, fields: Fields) -> Self:
        role, privilege = Role(fields.uint(1)), Privilege(fields.uint(2))
        scope = Scope.read(fields.value(3))
        bits = fields.maybe(4, fields.uint) or 0
        if bits & ~int(_ALL_EDITS):
            raise Malformed("an unknown edit bit")
        terms = cls(
            role=role,
            privilege=privilege,
            scope=scope,
            edit=Edit(bits),
            ceiling=None if (found := fields.maybe(5, fields.value)) is None else _read_ceiling(found),
            window=None if (found := fields.maybe(6, fields.value)) is None else _read_window(found),
            lease=fields.maybe(7, fields.uint),
            enforced_by=Enforcer(fields.maybe(8, fields.uint) or 0),
        )
        fields.end()
        return terms


def terms_digest(value: Value) -> bytes:
    """Hash terms as they stand, understood or not: SHA-256 of their encoding (AE-LOG-031)."""
    return crypto.sha256(encode(value))


def _read_ceiling(value: Value) -> Ceiling:
    items = as_list(value, 2)
    if len(items) != 2:  # noqa: PLR2004 - a pair
        raise Malformed("a ceiling is [privilege, scope]")
    return Ceiling(Privilege(as_uint(items[0])), Scope.read(items[1]))


def _read_window(value: Value) -> tuple[int, int]:
    items = as_list(value, 2)
    if len(items) != 2:  # noqa: PLR2004 - a pair
        raise Malformed("a window is [after, before]")
    return as_uint(items[0]), as_uint(items[1])


def _consistent(terms: Terms) -> bool:
    """Tell whether the role can have these terms (AE-LOG-025); what is not listed here it cannot."""
    limited = terms.window is not None or terms.lease is not None
    edits = bool(terms.edit or terms.ceiling)
    match terms.role:
        case Role.OWNER:
            whole = terms.privilege is Privilege.ADMINISTER and terms.edit == _ALL_EDITS
            return whole and terms.scope == EVERYTHING and terms.ceiling is None and not limited
        case Role.EDITOR:
            return bool(terms.edit) and terms.privilege <= Privilege.MANAGE and not limited
        case Role.RESIDENT:
            everything = terms.privilege is Privilege.OPERATE and terms.scope == EVERYTHING
            return everything and not edits and terms.window is None
        case Role.GUEST:
            return terms.privilege <= Privilege.OPERATE and not edits
        case Role.HUB:
            return (
                terms.privilege is Privilege.VIEW and terms.scope == EVERYTHING and not edits and not limited
            )


OWNER_TERMS: Final = Terms(Role.OWNER, Privilege.ADMINISTER, EVERYTHING, _ALL_EDITS)
EDITOR_TERMS: Final = Terms(Role.EDITOR, Privilege.MANAGE, EVERYTHING, _ALL_EDITS, Ceiling())
RESIDENT_TERMS: Final = Terms(Role.RESIDENT, Privilege.OPERATE, EVERYTHING)
HUB_TERMS: Final = Terms(Role.HUB, Privilege.VIEW, EVERYTHING)


@dataclass(frozen=True, slots=True)
class Grant:
    """What is active for one key: its id is its request's, its root its acceptance's (AE-LOG-026)."""

    id: GrantId
    root: GrantId
    key: PublicKey
    terms: Terms
    base: Version
    since: Version
    author: KeyId

    @property
    def kid(self) -> KeyId:
        """The id of the key."""
        return crypto.key_id(self.key)

    @property
    def role(self) -> Role:
        """The role in the home."""
        return self.terms.role

    def ceiling(self) -> Ceiling:
        """The most that this member may give to others."""
        if self.role is Role.OWNER:
            return Ceiling(Privilege.ADMINISTER, EVERYTHING)
        return self.terms.ceiling or Ceiling()

    def value(self) -> Value:
        """Give the map that goes over the wire."""
        return {
            1: self.id,
            2: self.root,
            3: self.key,
            4: self.terms.value(),
            5: version_value(self.base),
            6: version_value(self.since),
            7: self.author,
        }

    @classmethod
    def read(cls, value: Value) -> Self:
        """Read a grant of a checkpoint or a list.

        Raises:
            Malformed: not the shape of a grant.
            NotUnderstood: the shape holds, the terms are not known here.
        """
        fields = Fields(value)
        terms_value = fields.value(4)
        parts = (
            GrantId(fields.octets(1, limits.GRANT_ID_SIZE)),
            GrantId(fields.octets(2, limits.GRANT_ID_SIZE)),
            PublicKey(fields.octets(3, limits.KEY_SIZE)),
        )
        base, since, author = fields.version(5), fields.version(6), KeyId(fields.octets(7, limits.ID_SIZE))
        fields.end()
        return cls(*parts, Terms.read(terms_value), base, since, author)


def owner_grant(owner: PublicKey) -> Grant:
    """Make the owner's grant of the genesis checkpoint; it comes from no request (AE-LOG-027)."""
    name = GrantId(crypto.sha256(b"owner\x00" + owner)[: limits.GRANT_ID_SIZE])
    return Grant(name, name, owner, OWNER_TERMS, FIRST, FIRST, crypto.key_id(owner))
