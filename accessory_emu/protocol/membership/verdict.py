"""The judgement of one request inside an entry; the rows stand in the order of checking (AE-LOG-013)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.envelope import Context, Envelope, GoodSignatures, parse, verify
from accessory_emu.protocol.errors import BadSignature, Malformed, ProtocolError, TooLarge, Unproven
from accessory_emu.protocol.identifiers import GrantId, HomeId, KeyId, PublicKey, Version
from accessory_emu.protocol.membership.acceptance import Acceptance, root_of
from accessory_emu.protocol.membership.allowlist import Allowlist
from accessory_emu.protocol.membership.authority import may_ask
from accessory_emu.protocol.membership.checkpoint import SequencerKind
from accessory_emu.protocol.membership.grant import Grant, NotUnderstood, Terms, terms_digest
from accessory_emu.protocol.membership.privileges import Role
from accessory_emu.protocol.membership.request import Request, RequestOp, request_id, unreadable_id
from accessory_emu.protocol.membership.tombstones import Tombstones
from accessory_emu.protocol.messages import PROTOCOL_VERSION
from accessory_emu.protocol.reasons import Reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a request: `reason` None means that it had its effect.

    `id` names it in acks; `request` and `author` are None where it could not be read.
    """

    id: GrantId
    reason: Reason | None
    request: Request | None = None
    author: KeyId | None = None


class Skipped(Exception):
    """The request has no effect, for this reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.word)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Case:
    """One request under judgement, and the state that the one before left."""

    id: GrantId
    envelope: Envelope
    request: Request
    author: Grant
    allowlist: Allowlist
    tombstones: Tombstones
    target: Grant | None
    terms: Terms | None
    acceptance: Envelope | None


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges the requests of one entry.

    Args:
        home: whose log it is.
        before: the version before the entry; no base may lie above it.
        version: the entry's version, which becomes the `since` of what it grants.
        time: the entry's time, unix s.
        sequencer: the active sequencer, whose grant no entry ends.
        room: how many grants fit.
        memo: good signatures remembered by the process.
        kind: of the active sequencer; a hub's key may be added as a hub, a device's key never.
    """

    home: HomeId
    before: Version
    version: Version
    time: int
    sequencer: PublicKey
    room: int
    memo: GoodSignatures | None = None
    kind: SequencerKind = SequencerKind.HUB

    def apply(
        self, raw: bytes, allowlist: Allowlist, tombstones: Tombstones
    ) -> tuple[Verdict, Allowlist, Tombstones]:
        """Judge a request and fold it in; without effect, both lists come back as they were."""
        try:
            envelope, request = _read(raw)
        except (Malformed, TooLarge):
            return Verdict(unreadable_id(raw), Reason.MALFORMED), allowlist, tombstones
        name = request_id(envelope, self.home)
        try:
            case = self._case(name, envelope, request, allowlist, tombstones)
            for check in _CHECKS:
                check(self, case)
            allowlist, tombstones = _EFFECTS[RequestOp(request.op)](self, case)
        except Skipped as skipped:
            return Verdict(name, skipped.reason, request, envelope.kid), allowlist, tombstones
        return Verdict(name, None, request, envelope.kid), allowlist, tombstones

    def _case(
        self,
        name: GrantId,
        envelope: Envelope,
        request: Request,
        allowlist: Allowlist,
        tombstones: Tombstones,
    ) -> _Case:
        if request.version != PROTOCOL_VERSION:
            raise Skipped(Reason.UNSUPPORTED_VERSION)
        author = allowlist.find(envelope.kid)
        if author is None:
            raise Skipped(Reason.FORBIDDEN)
        try:
            verify(envelope, author.key, self.home, memo=self.memo)
        except BadSignature:
            raise Skipped(Reason.BAD_SIGNATURE) from None
        return _Case(
            id=name,
            envelope=envelope,
            request=request,
            author=author,
            allowlist=allowlist,
            tombstones=tombstones,
            target=_target(request, allowlist),
            terms=_terms(request),
            acceptance=_acceptance(request),
        )


def _expiry(judge: Judge, case: _Case) -> None:
    if not judge.time <= case.request.expires <= judge.time + limits.REQUEST_LIFE_MAX_S:
        raise Skipped(Reason.EXPIRED)


def _base(judge: Judge, case: _Case) -> None:
    if not case.author.since <= case.request.base <= judge.before:
        raise Skipped(Reason.STALE_ACL)


def _not_removed(judge: Judge, case: _Case) -> None:
    """Remove-wins: what carries a tombstone, or may carry one that had to go, is not granted anew."""
    if case.request.op not in (RequestOp.ADD, RequestOp.REPLACE):
        return
    if case.tombstones.below_watermark(case.request.base):
        raise Skipped(Reason.STALE_ACL)
    root = root_of(case.acceptance, judge.home) if case.acceptance else None
    if case.id in case.tombstones or (root is not None and root in case.tombstones):
        raise Skipped(Reason.STALE_ACL)


def _rights(_: Judge, case: _Case) -> None:
    if not may_ask(case.author, case.request.op, case.target, case.terms):
        raise Skipped(Reason.FORBIDDEN)


def _understood(_: Judge, case: _Case) -> None:
    wants_terms = case.request.op in (RequestOp.ADD, RequestOp.REPLACE)
    if case.request.op not in list(RequestOp) or (wants_terms and case.terms is None):
        raise Skipped(Reason.NOT_SUPPORTED)


def _admissible(_: Judge, case: _Case) -> None:
    if case.request.key is not None and not crypto.admissible_key(case.request.key):
        raise Skipped(Reason.BAD_VALUE)


def _accepted(judge: Judge, case: _Case) -> None:
    """The new person holds the key, and said yes to this home, inviter and these terms."""
    request = case.request
    if request.op != RequestOp.ADD or request.key is None or request.terms is None:
        return
    if case.acceptance is None or case.acceptance.kid != crypto.key_id(request.key):
        raise Skipped(Reason.BAD_SIGNATURE)
    try:
        verify(case.acceptance, request.key, judge.home, memo=judge.memo)
        acceptance = Acceptance.decode(case.acceptance.payload)
    except Unproven:
        raise Skipped(Reason.BAD_SIGNATURE) from None
    named = (acceptance.home, acceptance.key, acceptance.inviter, acceptance.terms)
    if named != (judge.home, request.key, case.envelope.kid, terms_digest(request.terms)):
        raise Skipped(Reason.BAD_SIGNATURE)
    if acceptance.expires < judge.time:
        raise Skipped(Reason.EXPIRED)


def _no_conflict(judge: Judge, case: _Case) -> None:
    request = case.request
    if request.op in (RequestOp.REPLACE, RequestOp.REMOVE):
        removes_unseen = request.op == RequestOp.REMOVE and case.author.role is Role.OWNER
        if case.target is None and not removes_unseen:
            raise Skipped(Reason.CONFLICT)
        if case.target is not None and case.target.key == judge.sequencer:
            raise Skipped(Reason.CONFLICT)
    if request.op == RequestOp.ADD and request.key is not None:
        kid = crypto.key_id(request.key)
        held = case.allowlist.find(kid)
        if held is not None and held.key != request.key:
            raise Skipped(Reason.CONFLICT)
        if kid == crypto.key_id(judge.sequencer) and held is None and not _joins_as_hub(judge, case):
            raise Skipped(Reason.CONFLICT)


def _joins_as_hub(judge: Judge, case: _Case) -> bool:
    """A sequencing hub gets its grant by an entry like everybody; a device's sequencing key holds none."""
    is_hub = case.terms is not None and case.terms.role is Role.HUB
    return is_hub and judge.kind is SequencerKind.HUB and case.request.key == judge.sequencer


def _no_member(_: Judge, case: _Case) -> None:
    request = case.request
    adds = request.op == RequestOp.ADD and request.key is not None
    if adds and case.allowlist.find(crypto.key_id(request.key or b"")) is not None:
        raise Skipped(Reason.ALREADY_MEMBER)


def _room(judge: Judge, case: _Case) -> None:
    if case.request.op == RequestOp.ADD and len(case.allowlist) >= judge.room:
        raise Skipped(Reason.LIST_FULL)


# effects


def _add(judge: Judge, case: _Case) -> tuple[Allowlist, Tombstones]:
    request = case.request
    if request.key is None or case.terms is None or case.acceptance is None:
        raise Skipped(Reason.MALFORMED)
    grant = Grant(
        id=case.id,
        root=root_of(case.acceptance, judge.home),
        key=request.key,
        terms=case.terms,
        base=request.base,
        since=judge.version,
        author=case.envelope.kid,
    )
    return case.allowlist.with_grant(grant), case.tombstones


def _replace(judge: Judge, case: _Case) -> tuple[Allowlist, Tombstones]:
    if case.target is None or case.terms is None:
        raise Skipped(Reason.CONFLICT)
    grant = Grant(
        id=case.id,
        root=case.target.root,
        key=case.target.key,
        terms=case.terms,
        base=case.request.base,
        since=judge.version,
        author=case.envelope.kid,
    )
    return case.allowlist.with_grant(grant), case.tombstones.with_removed([case.target.id], judge.version)


def _remove(judge: Judge, case: _Case) -> tuple[Allowlist, Tombstones]:
    root = case.request.target_grant
    if case.target is None:
        return case.allowlist, case.tombstones.with_removed([root], judge.version)
    names = [root, case.target.id]
    return case.allowlist.without(case.target.kid), case.tombstones.with_removed(names, judge.version)


def _nothing(_: Judge, case: _Case) -> tuple[Allowlist, Tombstones]:
    """Enrol and release: an accessory judges them like any request and then only advances over them."""
    return case.allowlist, case.tombstones


_CHECKS: Final[tuple[Callable[[Judge, _Case], None], ...]] = (
    _expiry,
    _base,
    _not_removed,
    _rights,
    _understood,
    _admissible,
    _accepted,
    _no_conflict,
    _no_member,
    _room,
)
_EFFECTS: Final[dict[RequestOp, Callable[[Judge, _Case], tuple[Allowlist, Tombstones]]]] = {
    RequestOp.ADD: _add,
    RequestOp.REPLACE: _replace,
    RequestOp.REMOVE: _remove,
    RequestOp.ENROL: _nothing,
    RequestOp.RELEASE: _nothing,
}


def _read(raw: bytes) -> tuple[Envelope, Request]:
    envelope = parse(raw)
    if envelope.context is not Context.REQUEST:
        raise Malformed("no request")
    return envelope, Request.decode(envelope.payload)


def _target(request: Request, allowlist: Allowlist) -> Grant | None:
    if request.op == RequestOp.REPLACE:
        return allowlist.by_id(request.target_grant)
    if request.op == RequestOp.REMOVE:
        return allowlist.by_root(request.target_grant)
    return None


def _terms(request: Request) -> Terms | None:
    if request.terms is None:
        return None
    try:
        return Terms.read(request.terms)
    except NotUnderstood:
        return None


def _acceptance(request: Request) -> Envelope | None:
    if request.acceptance is None:
        return None
    try:
        envelope = parse(request.acceptance)
    except ProtocolError:
        return None
    return envelope if envelope.context is Context.ACCEPTANCE else None
