"""Who may ask what, up to which ceiling, judged in the state that the request before left."""

from accessory_emu.protocol.identifiers import AccessoryId
from accessory_emu.protocol.membership.grant import Grant, Terms
from accessory_emu.protocol.membership.privileges import Edit, Privilege, Role
from accessory_emu.protocol.membership.request import RequestOp
from accessory_emu.protocol.messages import Op

PRIVILEGE_OF_OP = {
    Op.READ: Privilege.VIEW,
    Op.STATUS: Privilege.VIEW,
    Op.PREPARE: Privilege.VIEW,
    Op.WRITE: Privilege.OPERATE,
    Op.IDENTIFY: Privilege.OPERATE,
    Op.LIST: Privilege.ADMINISTER,
    Op.RELEASE: Privilege.ADMINISTER,  # and the role of owner
}
_OWNERS_BUSINESS = (Role.OWNER, Role.EDITOR, Role.HUB)


def may_ask(author: Grant, op: int, target: Grant | None, terms: Terms | None) -> bool:
    """Tell whether a member may make a request.

    Args:
        author: the grant of the request's author, in the state before.
        op: a RequestOp, or a number that nobody knows.
        target: the grant that a replace or remove names, None where it is not held.
        terms: the terms of an add or replace, None where they are not understood.

    Spec: AE-LOG-035 to AE-LOG-038.
    """
    if op in (RequestOp.ENROL, RequestOp.RELEASE):
        return bool(author.terms.edit & Edit.ACCESSORIES)
    if target is not None and target.role is Role.OWNER:
        return False  # the owner changes only by a reign change
    if op == RequestOp.REMOVE and target is not None and target.root == author.root:
        return True  # a member may always leave
    if not author.terms.edit & Edit.PEOPLE:
        return False
    if target is not None and target.role in _OWNERS_BUSINESS and author.role is not Role.OWNER:
        return False
    return terms is None or _may_give(author, terms)


def _may_give(author: Grant, terms: Terms) -> bool:
    """Nobody grants above the own ceiling; only the owner makes editors and hubs; nobody makes an owner."""
    if terms.role is Role.OWNER:
        return False
    if author.role is Role.OWNER:
        return True
    ceiling = author.ceiling()
    below = terms.privilege <= ceiling.privilege and terms.scope.within(ceiling.scope)
    return below and terms.role not in _OWNERS_BUSINESS


def permits(
    grant: Grant,
    op: Op,
    accessory: AccessoryId,
    time: int | None,
    stated: int | None,
    default_lease: int | None,
) -> str:
    """Tell whether a command is within its sender's rights: "" if so, else what does not allow it.

    Args:
        grant: the sender's grant.
        op: what the command asks for.
        accessory: the accessory that judges.
        time: trusted time in ms, None while it is unknown (then windows and leases deny).
        stated: the time of the newest entry, head or answer at the own version and head, in ms.
        default_lease: the home's lease in seconds, for residents and guests that have none of their own.

    Spec: AE-CMD-045 to AE-CMD-048.
    """
    terms = grant.terms
    if terms.privilege < PRIVILEGE_OF_OP[op] or (op is Op.RELEASE and grant.role is not Role.OWNER):
        return "privilege"
    if not terms.scope.covers(accessory):
        return "scope"
    if terms.window is not None:
        after, before = terms.window
        if time is None or not after * 1000 <= time < before * 1000:
            return "window"
    lease = terms.lease
    if lease is None and grant.role in (Role.RESIDENT, Role.GUEST):
        lease = default_lease
    if lease is not None and (time is None or stated is None or time - stated > lease * 1000):
        return "lease"
    return ""
