"""A request inside an entry: one reason a row, the earlier of two faults, no effect of a refused one."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from nacl.bindings import crypto_core_ed25519_add

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.encoding import pack
from accessory_emu.protocol.envelope import Context, GoodSignatures, parse, seal
from accessory_emu.protocol.identifiers import GrantId, HomeId, PublicKey, Version
from accessory_emu.protocol.membership.allowlist import Allowlist
from accessory_emu.protocol.membership.checkpoint import SequencerKind
from accessory_emu.protocol.membership.grant import (
    EDITOR_TERMS,
    HUB_TERMS,
    OWNER_TERMS,
    RESIDENT_TERMS,
    Ceiling,
)
from accessory_emu.protocol.membership.privileges import EVERYTHING, Edit, Privilege
from accessory_emu.protocol.membership.request import RequestOp, request_id, unreadable_id
from accessory_emu.protocol.membership.verdict import Judge
from accessory_emu.protocol.reasons import Reason
from tests.protocol.papers import (
    DOOR,
    EDDA,
    GINA,
    GUEST_TERMS,
    HUB,
    LAMP,
    NINA,
    OLGA,
    ROSA,
    ZOE,
    Papers,
    key,
    peopled,
    stranger_grant,
    terms_map,
)

ADD, REPLACE, REMOVE, ENROL, RELEASE = RequestOp
Make = Callable[[Papers], bytes]
WEAK = bytes(32)
MIXED = crypto_core_ed25519_add(
    NINA.public, bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
)
ELSEWHERE = HomeId(b"elsehome")
FAR = Version(2**64 - 1, 0)


def tampered(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


def after(papers: Papers, **changes: object) -> Papers:
    """Play something first, given as keyword: removed=person, and so on; gives the papers back."""
    for name, value in changes.items():
        assert papers.play(getattr(papers, name)(value)) == [None]
    return papers


def by_weak_editor(p: Papers, make: Callable[[], bytes]) -> bytes:
    """Let edda's grant be limited before she signs."""
    limited = replace(EDITOR_TERMS, ceiling=Ceiling(Privilege.VIEW, EVERYTHING))
    assert p.play(p.replace(EDDA, limited)) == [None]
    return make()


def removed_acceptance(p: Papers) -> bytes:
    """Give an acceptance whose person was added with it and removed since."""
    acceptance = p.acceptance(NINA).raw
    assert p.play(p.add(NINA, acceptance=acceptance)) == [None]
    assert p.play(p.remove(NINA)) == [None]
    return acceptance


def replayed(p: Papers, request: bytes) -> bytes:
    """Play a request, then remove its person; gives the request again."""
    assert p.play(request) == [None]
    assert p.play(p.remove(NINA)) == [None]
    return request


def replaced_twice(p: Papers) -> bytes:
    """Replace a grant by a request, and that grant by another; gives the first request again."""
    first = p.replace(ROSA, GUEST_TERMS)
    assert p.play(first) == [None]
    assert p.play(p.replace(ROSA, RESIDENT_TERMS)) == [None]
    return first


def with_hub_member(p: Papers) -> Papers:
    assert p.play(p.add(HUB, HUB_TERMS)) == [None]
    return p


def no_request(p: Papers) -> bytes:
    return seal(OLGA, Context.HEAD, parse(p.remove(ROSA)).payload, p.home).raw


def crooked(p: Papers, author: SigningKey = OLGA) -> bytes:
    return seal(author, Context.REQUEST, pack({1: 1, 2: b"short"}), p.home).raw


def too_long(p: Papers) -> bytes:
    raw = p.remove(ROSA)
    head, payload, tail = raw[:26], parse(raw).payload, raw[-66:]
    at = raw.index(payload)
    longer = payload + bytes(5000)
    return head[: at - 2] + b"\x59" + len(longer).to_bytes(2) + longer + tail


ROWS: dict[str, tuple[Reason, Make, Make]] = {
    # malformed
    "no message": (Reason.MALFORMED, lambda _: b"", lambda p: p.remove(ROSA)),
    "bytes": (Reason.MALFORMED, lambda _: b"\xd2\x84", lambda p: p.remove(ROSA)),
    "a message of another type": (Reason.MALFORMED, no_request, lambda p: p.remove(ROSA)),
    "a message that is too long": (Reason.MALFORMED, too_long, lambda p: p.remove(ROSA)),
    "a payload of another shape": (Reason.MALFORMED, crooked, lambda p: p.remove(ROSA)),
    "a byte after the end": (Reason.MALFORMED, lambda p: p.remove(ROSA) + b"\0", lambda p: p.remove(ROSA)),
    # unsupported_version
    "protocol version 2": (
        Reason.UNSUPPORTED_VERSION,
        lambda p: p.remove(ROSA, version=2),
        lambda p: p.remove(ROSA, version=1),
    ),
    # the author's key
    "an unknown author": (Reason.FORBIDDEN, lambda p: p.add(NINA, author=ZOE), lambda p: p.add(NINA)),
    "an author who was removed": (
        Reason.FORBIDDEN,
        lambda p: after(p, remove=EDDA).add(NINA, author=EDDA, base=Version(0, 3)),
        lambda p: p.add(NINA, author=EDDA),
    ),
    "the sequencer, who is no member": (
        Reason.FORBIDDEN,
        lambda p: p.add(NINA, author=HUB),
        lambda p: p.add(NINA, author=OLGA),
    ),
    # the signature
    "a bit flipped in the signature": (
        Reason.BAD_SIGNATURE,
        lambda p: tampered(p.remove(ROSA)),
        lambda p: p.remove(ROSA),
    ),
    "a request for another home": (
        Reason.BAD_SIGNATURE,
        lambda p: p.remove(ROSA, home=ELSEWHERE),
        lambda p: p.remove(ROSA),
    ),
    "signed by another under the owner's kid": (
        Reason.BAD_SIGNATURE,
        lambda p: p.remove(ROSA, author=ZOE).replace(ZOE.kid, OLGA.kid),
        lambda p: p.remove(ROSA),
    ),
    # expired
    "past its expiry": (
        Reason.EXPIRED,
        lambda p: p.remove(ROSA, expires=p.time - 1),
        lambda p: p.remove(ROSA, expires=p.time),
    ),
    "more than thirty days ahead": (
        Reason.EXPIRED,
        lambda p: p.remove(ROSA, expires=p.time + limits.REQUEST_LIFE_MAX_S + 1),
        lambda p: p.remove(ROSA, expires=p.time + limits.REQUEST_LIFE_MAX_S),
    ),
    # stale_acl
    "a base above the version before": (
        Reason.STALE_ACL,
        lambda p: p.remove(ROSA, base=Version(0, p.log.version.seq + 1)),
        lambda p: p.remove(ROSA, base=p.log.version),
    ),
    "a base of the next epoch": (
        Reason.STALE_ACL,
        lambda p: p.remove(ROSA, base=FAR),
        lambda p: p.remove(ROSA, base=Version(0, 0)),
    ),
    "a base below the author's since": (
        Reason.STALE_ACL,
        lambda p: p.add(NINA, author=EDDA, base=Version(0, 0)),
        lambda p: p.add(NINA, author=EDDA, base=Version(0, 1)),
    ),
    "an add that was removed since": (
        Reason.STALE_ACL,
        lambda p: replayed(p, p.add(NINA)),
        lambda p: p.add(NINA),
    ),
    "an acceptance whose root was removed": (
        Reason.STALE_ACL,
        lambda p: p.add(NINA, acceptance=removed_acceptance(p)),
        lambda p: p.add(NINA, acceptance=p.acceptance(NINA).raw),
    ),
    "a replacement that was replaced since": (
        Reason.STALE_ACL,
        replaced_twice,
        lambda p: p.replace(ROSA, GUEST_TERMS),
    ),
    # forbidden
    "a resident adds": (
        Reason.FORBIDDEN,
        lambda p: p.add(NINA, author=ROSA),
        lambda p: p.add(NINA, author=EDDA),
    ),
    "a guest removes another": (
        Reason.FORBIDDEN,
        lambda p: p.remove(ROSA, author=GINA),
        lambda p: p.remove(GINA, author=GINA),
    ),
    "an editor adds an editor": (
        Reason.FORBIDDEN,
        lambda p: p.add(NINA, EDITOR_TERMS, author=EDDA),
        lambda p: p.add(NINA, EDITOR_TERMS),
    ),
    "an editor adds a hub": (
        Reason.FORBIDDEN,
        lambda p: p.add(NINA, HUB_TERMS, author=EDDA),
        lambda p: p.add(NINA, HUB_TERMS),
    ),
    "the owner adds an owner": (
        Reason.FORBIDDEN,
        lambda p: p.add(NINA, OWNER_TERMS),
        lambda p: p.add(NINA, EDITOR_TERMS),
    ),
    "an editor above the own ceiling": (
        Reason.FORBIDDEN,
        lambda p: by_weak_editor(p, lambda: p.add(NINA, author=EDDA)),
        lambda p: by_weak_editor(
            p, lambda: p.add(NINA, replace(GUEST_TERMS, privilege=Privilege.VIEW), author=EDDA)
        ),
    ),
    "an editor replaces itself": (
        Reason.FORBIDDEN,
        lambda p: p.replace(EDDA, RESIDENT_TERMS, author=EDDA),
        lambda p: p.replace(EDDA, RESIDENT_TERMS),
    ),
    "a resident replaces itself": (
        Reason.FORBIDDEN,
        lambda p: p.replace(ROSA, GUEST_TERMS, author=ROSA),
        lambda p: p.replace(ROSA, GUEST_TERMS, author=EDDA),
    ),
    "an editor removes the owner": (
        Reason.FORBIDDEN,
        lambda p: p.remove(OLGA, author=EDDA),
        lambda p: p.remove(EDDA, author=EDDA),
    ),
    "the owner leaves": (Reason.FORBIDDEN, lambda p: p.remove(OLGA), lambda p: p.remove(EDDA)),
    "the owner steps down": (
        Reason.FORBIDDEN,
        lambda p: p.replace(OLGA, EDITOR_TERMS),
        lambda p: p.replace(ROSA, EDITOR_TERMS),
    ),
    "a resident enrols": (
        Reason.FORBIDDEN,
        lambda p: p.enrol(key("lamp"), author=ROSA),
        lambda p: p.enrol(key("lamp"), author=EDDA),
    ),
    "an editor of people releases": (
        Reason.FORBIDDEN,
        lambda p: after_replace(p).release(LAMP, author=EDDA),
        lambda p: p.release(LAMP, author=EDDA),
    ),
    # not_supported
    "op 0": (Reason.NOT_SUPPORTED, lambda p: p.request(OLGA, 0).raw, lambda p: p.remove(ROSA)),
    "op 6": (Reason.NOT_SUPPORTED, lambda p: p.request(OLGA, 6).raw, lambda p: p.remove(ROSA)),
    "terms with an unknown field": (
        Reason.NOT_SUPPORTED,
        lambda p: p.add(NINA, terms_value=terms_map(RESIDENT_TERMS, f9=1)),
        lambda p: p.add(NINA),
    ),
    "terms with an unknown role": (
        Reason.NOT_SUPPORTED,
        lambda p: p.add(NINA, terms_value=terms_map(RESIDENT_TERMS, f1=6)),
        lambda p: p.add(NINA),
    ),
    "an editor with a window": (
        Reason.NOT_SUPPORTED,
        lambda p: p.add(NINA, terms_value=terms_map(EDITOR_TERMS, f6=[1, 2])),
        lambda p: p.add(NINA, EDITOR_TERMS),
    ),
    "a hub with a lease": (
        Reason.NOT_SUPPORTED,
        lambda p: p.add(NINA, terms_value=terms_map(HUB_TERMS, f7=60)),
        lambda p: p.add(NINA, HUB_TERMS),
    ),
    "a replacement with unknown terms": (
        Reason.NOT_SUPPORTED,
        lambda p: p.replace(ROSA, GUEST_TERMS, terms_value={}),
        lambda p: p.replace(ROSA, GUEST_TERMS),
    ),
    # bad_value
    "a weak key": (Reason.BAD_VALUE, lambda p: p.add(NINA, key=WEAK), lambda p: p.add(NINA)),
    "a key of mixed order": (Reason.BAD_VALUE, lambda p: p.add(NINA, key=MIXED), lambda p: p.add(NINA)),
    "a weak accessory": (
        Reason.BAD_VALUE,
        lambda p: p.enrol(NINA, key=WEAK),
        lambda p: p.enrol(NINA),
    ),
    # the acceptance
    "an empty acceptance": (
        Reason.BAD_SIGNATURE,
        lambda p: p.request(OLGA, ADD, key=NINA.public, acceptance=b"", terms=RESIDENT_TERMS.value()).raw,
        lambda p: p.add(NINA),
    ),
    "an acceptance of another type": (
        Reason.BAD_SIGNATURE,
        lambda p: p.add(NINA, acceptance=seal(NINA, Context.HEAD, b"\xa0", p.home).raw),
        lambda p: p.add(NINA),
    ),
    "an acceptance of another shape": (
        Reason.BAD_SIGNATURE,
        lambda p: p.add(NINA, acceptance=seal(NINA, Context.ACCEPTANCE, b"\xa0", p.home).raw),
        lambda p: p.add(NINA),
    ),
    "an acceptance with a bit flipped": (
        Reason.BAD_SIGNATURE,
        lambda p: p.add(NINA, acceptance=tampered(p.acceptance(NINA).raw)),
        lambda p: p.add(NINA),
    ),
    "an acceptance that the author signed": (
        Reason.BAD_SIGNATURE,
        lambda p: p.add(NINA, acceptance=p.acceptance(NINA, signer=OLGA).raw),
        lambda p: p.add(NINA),
    ),
    "an acceptance that the author signed under the person's kid": (
        Reason.BAD_SIGNATURE,
        lambda p: p.add(NINA, acceptance=p.acceptance(NINA, signer=OLGA).raw.replace(OLGA.kid, NINA.kid, 1)),
        lambda p: p.add(NINA),
    ),
    "somebody else's acceptance": (
        Reason.BAD_SIGNATURE,
        lambda p: p.add(NINA, acceptance=p.acceptance(ZOE).raw),
        lambda p: p.add(NINA),
    ),
    "an acceptance that names another key": (
        Reason.BAD_SIGNATURE,
        lambda p: p.add(NINA, acceptance=p.acceptance(NINA, key=ZOE.public).raw),
        lambda p: p.add(NINA),
    ),
    "an acceptance for another home": (
        Reason.BAD_SIGNATURE,
        lambda p: p.add(NINA, acceptance=p.acceptance(NINA, home=ELSEWHERE).raw),
        lambda p: p.add(NINA),
    ),
    "an acceptance for another inviter": (
        Reason.BAD_SIGNATURE,
        lambda p: p.add(NINA, acceptance=p.acceptance(NINA, inviter=EDDA).raw),
        lambda p: p.add(NINA, author=EDDA, acceptance=p.acceptance(NINA, inviter=EDDA).raw),
    ),
    "an acceptance of other terms": (
        Reason.BAD_SIGNATURE,
        lambda p: p.add(NINA, acceptance=p.acceptance(NINA, GUEST_TERMS).raw),
        lambda p: p.add(NINA, GUEST_TERMS, acceptance=p.acceptance(NINA, GUEST_TERMS).raw),
    ),
    "an acceptance past its expiry": (
        Reason.EXPIRED,
        lambda p: p.add(NINA, acceptance=p.acceptance(NINA, expires=p.time - 1).raw),
        lambda p: p.add(NINA, acceptance=p.acceptance(NINA, expires=p.time).raw),
    ),
    # conflict
    "an editor removes who is not held": (
        Reason.CONFLICT,
        lambda p: p.remove(ROSA, author=EDDA, target=b"r" * 16),
        lambda p: p.remove(ROSA, target=b"r" * 16),
    ),
    "a removal that names the grant's id": (
        Reason.CONFLICT,
        lambda p: p.remove(ROSA, author=EDDA, target=p.grant(ROSA).id),
        lambda p: p.remove(ROSA, author=EDDA, target=p.grant(ROSA).root),
    ),
    "a replacement of what is not held": (
        Reason.CONFLICT,
        lambda p: p.replace(ROSA, GUEST_TERMS, target=b"r" * 16),
        lambda p: p.replace(ROSA, GUEST_TERMS),
    ),
    "a replacement that names the root": (
        Reason.CONFLICT,
        lambda p: p.replace(ROSA, GUEST_TERMS, target=p.grant(ROSA).root),
        lambda p: p.replace(ROSA, GUEST_TERMS, target=p.grant(ROSA).id),
    ),
    "the active sequencer is removed": (
        Reason.CONFLICT,
        lambda p: with_hub_member(p).remove(HUB),
        lambda p: with_hub_member(p).remove(ROSA),
    ),
    "the active sequencer leaves": (
        Reason.CONFLICT,
        lambda p: with_hub_member(p).remove(HUB, author=HUB),
        lambda p: with_hub_member(p).remove(ROSA, author=ROSA),
    ),
    "the active sequencer is replaced": (
        Reason.CONFLICT,
        lambda p: with_hub_member(p).replace(HUB, GUEST_TERMS),
        lambda p: with_hub_member(p).replace(ROSA, GUEST_TERMS),
    ),
    "the active sequencer is added, not as a hub": (
        Reason.CONFLICT,
        lambda p: p.add(HUB),
        lambda p: p.add(HUB, HUB_TERMS),
    ),
    # already_member
    "a member is added again": (Reason.ALREADY_MEMBER, lambda p: p.add(ROSA), lambda p: p.add(NINA)),
    "the owner is added as a guest": (
        Reason.ALREADY_MEMBER,
        lambda p: p.add(OLGA, GUEST_TERMS),
        lambda p: p.add(NINA, GUEST_TERMS),
    ),
    # list_full
    "there is no room": (
        Reason.LIST_FULL,
        lambda p: crowded(p, limits.GRANTS_HELD).add(NINA),
        lambda p: crowded(p, limits.GRANTS_HELD - 1).add(NINA),
    ),
}


def after_replace(p: Papers) -> Papers:
    """Leave edda the edit bit of people alone."""
    assert p.play(p.replace(EDDA, replace(EDITOR_TERMS, edit=Edit.PEOPLE))) == [None]
    return p


def after_adding_an_editor(p: Papers) -> Papers:
    """Make nina an editor as well."""
    assert p.play(p.add(NINA, EDITOR_TERMS)) == [None]
    return p


def crowded(p: Papers, grants: int) -> Papers:
    """Fill the list up to a number of grants."""
    while len(p.log.allowlist) < grants:
        assert p.play(p.add(key(f"crowd {len(p.log.allowlist)}"))) == [None]
    return p


@pytest.mark.parametrize("row", ROWS)
def test_a_request_that_fails_has_its_reason_and_no_effect(row: str) -> None:
    reason, make, _ = ROWS[row]
    papers = peopled()
    raw = make(papers)
    before = papers.log
    verdict = papers.verdicts(raw)[0]
    assert verdict.reason is reason
    assert (papers.log.allowlist, papers.log.tombstones) == (before.allowlist, before.tombstones)
    assert papers.log.version == Version(0, before.version.seq + 1)


@pytest.mark.parametrize("row", ROWS)
def test_its_twin_has_its_effect(row: str) -> None:
    papers = peopled()
    assert papers.play(ROWS[row][2](papers)) == [None]


@pytest.mark.parametrize("row", ROWS)
def test_it_holds_up_nothing_behind_it(row: str) -> None:
    """S23: a removal behind it, in the same entry and in the next, is applied."""
    papers = peopled()
    raw = ROWS[row][1](papers)
    stay = [person for person in (ROSA, GINA) if papers.active(person)]
    assert papers.play(raw, papers.remove(GINA))[1] is None
    assert not papers.active(GINA)
    assert papers.play(raw, papers.remove(ROSA))[1] is None
    assert not papers.active(ROSA)
    assert stay == [ROSA, GINA]


# two faults: the earlier reason


def kid_taken(p: Papers, raw: bytes) -> bytes:
    """Let another key stand under nina's kid, as no search has found one yet."""
    grants = {**p.log.allowlist.grants, NINA.kid: stranger_grant(ZOE)}
    p.log = replace(p.log, allowlist=Allowlist(grants))
    return raw


PAIRS: dict[str, tuple[Reason, Make]] = {
    "malformed before unsupported_version": (Reason.MALFORMED, lambda p: p.remove(ROSA, version=2) + b"\0"),
    "unsupported_version before an unknown author": (
        Reason.UNSUPPORTED_VERSION,
        lambda p: p.remove(ROSA, author=ZOE, version=2),
    ),
    "an unknown author before a bad signature": (
        Reason.FORBIDDEN,
        lambda p: tampered(p.remove(ROSA, author=ZOE)),
    ),
    "a bad signature before expired": (
        Reason.BAD_SIGNATURE,
        lambda p: tampered(p.remove(ROSA, expires=p.time - 1)),
    ),
    "expired before a stale base": (
        Reason.EXPIRED,
        lambda p: p.remove(ROSA, expires=p.time - 1, base=FAR),
    ),
    "a stale base before a removed root": (
        Reason.STALE_ACL,
        lambda p: p.add(NINA, acceptance=removed_acceptance(p), base=FAR),
    ),
    "a stale base before forbidden": (Reason.STALE_ACL, lambda p: p.add(NINA, author=ROSA, base=FAR)),
    "a removed root before forbidden": (
        Reason.STALE_ACL,
        lambda p: p.add(NINA, author=ROSA, acceptance=removed_acceptance(p)),
    ),
    "forbidden before an unknown op": (Reason.FORBIDDEN, lambda p: p.request(ROSA, 99).raw),
    "forbidden before unknown terms": (
        Reason.FORBIDDEN,
        lambda p: p.add(NINA, author=ROSA, terms_value={}),
    ),
    "forbidden before a target that is not held": (
        Reason.FORBIDDEN,
        lambda p: p.remove(ROSA, author=GINA, target=b"r" * 16),
    ),
    "unknown terms before a weak key": (
        Reason.NOT_SUPPORTED,
        lambda p: p.add(NINA, key=WEAK, terms_value={}),
    ),
    "unknown terms before a target that is not held": (
        Reason.NOT_SUPPORTED,
        lambda p: p.replace(ROSA, GUEST_TERMS, target=b"r" * 16, terms_value={}),
    ),
    "a weak key before a bad acceptance": (
        Reason.BAD_VALUE,
        lambda p: p.add(NINA, key=WEAK, acceptance=b"none"),
    ),
    "a bad acceptance before an expired one": (
        Reason.BAD_SIGNATURE,
        lambda p: p.add(NINA, acceptance=p.acceptance(NINA, inviter=EDDA, expires=p.time - 1).raw),
    ),
    "an expired acceptance before a conflict": (
        Reason.EXPIRED,
        lambda p: p.add(HUB, acceptance=p.acceptance(HUB, expires=p.time - 1).raw),
    ),
    "an expired acceptance before already_member": (
        Reason.EXPIRED,
        lambda p: p.add(ROSA, acceptance=p.acceptance(ROSA, expires=p.time - 1).raw),
    ),
    "another key under this kid before already_member": (
        Reason.CONFLICT,
        lambda p: kid_taken(p, p.add(NINA)),
    ),
    "already_member before list_full": (
        Reason.ALREADY_MEMBER,
        lambda p: crowded(p, limits.GRANTS_HELD).add(ROSA),
    ),
    "a conflict before list_full": (
        Reason.CONFLICT,
        lambda p: crowded(p, limits.GRANTS_HELD).add(HUB),
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_of_two_faults_the_earlier_gives_the_reason(pair: str) -> None:
    reason, make = PAIRS[pair]
    papers = peopled()
    raw = make(papers)
    assert papers.play(raw) == [reason]


# one by one


@dataclass(frozen=True)
class Story:
    """Requests of one entry, and what becomes of each."""

    make: Callable[[Papers], list[bytes]]
    reasons: list[Reason | None]
    members: set[str]


BASE = {"edda", "rosa", "gina"}
STORIES = {
    "an editor who was removed in the request before": Story(
        lambda p: [p.remove(EDDA), p.add(NINA, author=EDDA)], [None, Reason.FORBIDDEN], {"rosa", "gina"}
    ),
    "an editor who is removed in the request behind": Story(
        lambda p: [p.add(NINA, author=EDDA), p.remove(EDDA)], [None, None], {"rosa", "gina", "nina"}
    ),
    "an editor who was made one in the request before knows an older list": Story(
        lambda p: [p.replace(ROSA, EDITOR_TERMS), p.add(NINA, author=ROSA)], [None, Reason.STALE_ACL], BASE
    ),
    "one key twice": Story(
        lambda p: [p.add(NINA), p.add(NINA)], [None, Reason.ALREADY_MEMBER], BASE | {"nina"}
    ),
    "one request twice": Story(lambda p: [p.add(NINA)] * 2, [None, Reason.ALREADY_MEMBER], BASE | {"nina"}),
    "one removal twice, by the owner": Story(lambda p: [p.remove(ROSA)] * 2, [None, None], {"edda", "gina"}),
    "one removal twice, by an editor": Story(
        lambda p: [p.remove(ROSA, author=EDDA)] * 2, [None, Reason.CONFLICT], {"edda", "gina"}
    ),
    "two editors remove each other": Story(
        lambda p: [
            after_adding_an_editor(p).remove(EDDA, author=NINA, base=Version(0, 4)),
            p.remove(NINA, author=EDDA),
        ],
        [Reason.FORBIDDEN, Reason.FORBIDDEN],
        BASE | {"nina"},
    ),
    "added, removed, added anew": Story(
        lambda p: [one := p.add(NINA), p.remove(NINA, target=root_in(p, one)), p.add(NINA)],
        [None, None, None],
        BASE | {"nina"},
    ),
    "a removal that comes before what it removes": Story(
        lambda p: [p.remove(NINA, target=root_in(p, one := p.add(NINA))), one], [None, Reason.STALE_ACL], BASE
    ),
    "good, bad, good": Story(
        lambda p: [p.remove(ROSA), b"bad", p.add(NINA)],
        [None, Reason.MALFORMED, None],
        {"edda", "gina", "nina"},
    ),
}


def root_in(p: Papers, raw: bytes) -> GrantId:
    """Give the root that an add would make."""
    trial = replace(p.log)
    fold, _ = trial.apply(p.entry(raw), trial.head)
    grant = fold.allowlist.find(NINA.kid)
    assert grant is not None
    return grant.root


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_each_request_is_judged_in_the_state_that_the_one_before_left(story: Story) -> None:
    papers = peopled()
    requests = story.make(papers)
    assert papers.play(*requests) == story.reasons
    people = {"edda": EDDA, "rosa": ROSA, "gina": GINA, "nina": NINA, "zoe": ZOE}
    assert {name for name, person in people.items() if papers.active(person)} == story.members


# effects


def test_an_add_makes_a_grant_named_by_its_papers() -> None:
    papers = peopled()
    acceptance = papers.acceptance(NINA, GUEST_TERMS, EDDA)
    request = papers.request(
        EDDA, ADD, key=NINA.public, acceptance=acceptance.raw, terms=GUEST_TERMS.value(), base=Version(0, 2)
    )
    assert papers.play(request.raw) == [None]
    grant = papers.grant(NINA)
    assert (grant.id, grant.root) == (request.id[:16], acceptance.id[:16])
    assert (grant.key, grant.terms, grant.author) == (NINA.public, GUEST_TERMS, EDDA.kid)
    assert (grant.base, grant.since) == (Version(0, 2), papers.log.version)


def test_a_replace_keeps_root_and_key_and_leaves_a_tombstone_for_the_old_id() -> None:
    papers = peopled()
    old = papers.grant(ROSA)
    request = papers.request(OLGA, REPLACE, target=old.id, terms=GUEST_TERMS.value())
    assert papers.play(request.raw) == [None]
    new = papers.grant(ROSA)
    assert (new.id, new.root, new.key, new.terms) == (request.id[:16], old.root, old.key, GUEST_TERMS)
    assert (new.since, new.author) == (papers.log.version, OLGA.kid)
    assert dict(papers.log.tombstones.items) == {old.id: papers.log.version}


def test_a_replacement_needs_no_room() -> None:
    papers = crowded(peopled(), limits.GRANTS_HELD)
    assert papers.play(papers.replace(ROSA, GUEST_TERMS)) == [None]


def test_a_remove_leaves_tombstones_for_root_and_id_whichever_grant_of_the_root_is_active() -> None:
    papers = peopled()
    signed_before = papers.remove(ROSA)
    assert papers.play(papers.replace(ROSA, GUEST_TERMS)) == [None]
    last = papers.grant(ROSA)
    assert papers.play(signed_before) == [None]
    assert not papers.active(ROSA)
    stones = papers.log.tombstones.items
    assert stones[last.id] == stones[last.root] == papers.log.version


def test_removing_who_is_not_held_leaves_a_tombstone_only_for_the_owner() -> None:
    papers = peopled()
    root = GrantId(b"r" * 16)
    assert papers.play(papers.remove(ROSA, author=EDDA, target=root)) == [Reason.CONFLICT]
    assert root not in papers.log.tombstones
    assert papers.play(papers.remove(ROSA, target=root)) == [None]
    assert dict(papers.log.tombstones.items) == {root: papers.log.version}


def test_enrol_and_release_change_nothing_at_an_accessory() -> None:
    papers = peopled()
    before = papers.log
    assert papers.play(papers.enrol(key("lamp")), papers.release(DOOR), papers.release(LAMP)) == [None] * 3
    assert (papers.log.allowlist, papers.log.tombstones) == (before.allowlist, before.tombstones)


def test_a_devices_sequencing_key_is_never_added() -> None:
    papers = Papers(kind=SequencerKind.DEVICE)
    assert papers.play(papers.add(HUB, HUB_TERMS)) == [Reason.CONFLICT]
    assert papers.play(papers.add(HUB)) == [Reason.CONFLICT]
    assert papers.play(papers.add(NINA, HUB_TERMS)) == [None]


# the watermark


def flooded() -> Papers:
    """Give a home whose table of two tombstones has forgotten rosa's removal, at version e0.5."""
    papers = peopled(tombstones=2)
    assert papers.play(papers.remove(ROSA)) == [None]
    assert papers.play(papers.remove(GINA)) == [None]
    assert papers.log.tombstones.watermark == Version(0, 4)
    return papers


@pytest.mark.parametrize(("seq", "reason"), [(1, Reason.STALE_ACL), (4, Reason.STALE_ACL), (5, None)])
def test_nothing_based_at_or_below_the_watermark_is_granted(seq: int, reason: Reason | None) -> None:
    papers = flooded()
    assert papers.play(papers.add(NINA, base=Version(0, seq))) == [reason]
    other = flooded()
    assert other.play(other.replace(EDDA, GUEST_TERMS, base=Version(0, seq))) == [reason]


def test_an_old_request_of_a_removed_person_stays_dead_when_its_tombstone_is_gone() -> None:
    papers = Papers(tombstones=2)
    old = papers.add(NINA)
    assert papers.play(old) == [None]
    assert papers.play(papers.remove(NINA)) == [None]
    for number in range(3):
        assert papers.play(papers.remove(NINA, target=bytes([number]) * 16)) == [None]
    assert papers.play(old) == [Reason.STALE_ACL]
    assert papers.play(papers.add(NINA)) == [None]


@pytest.mark.parametrize("author", [OLGA, EDDA])
def test_a_removal_may_be_based_below_the_watermark(author: SigningKey) -> None:
    papers = flooded()
    assert papers.play(papers.add(NINA)) == [None]
    assert papers.play(papers.remove(NINA, author=author, base=Version(0, 1))) == [None]
    assert not papers.active(NINA)


# names and memory


def test_a_verdict_names_request_and_author() -> None:
    papers = peopled()
    raw = papers.add(NINA, author=ROSA)
    verdict = papers.verdicts(raw)[0]
    assert verdict.id == request_id(parse(raw), papers.home)
    assert verdict.author == ROSA.kid
    assert verdict.request is not None
    assert verdict.request.op == ADD


def test_what_does_not_parse_is_named_by_its_bytes_and_has_no_author() -> None:
    verdict = peopled().verdicts(b"bad")[0]
    assert (verdict.id, verdict.request, verdict.author) == (unreadable_id(b"bad"), None, None)


def test_good_signatures_are_shared_and_no_judgement_is() -> None:
    memo = GoodSignatures()
    papers, other = peopled(), peopled()
    raw = papers.add(NINA)
    for home, author, expected in (
        (papers, None, None),
        (papers, ROSA.kid, Reason.FORBIDDEN),
        (other, None, None),
    ):
        log = (
            home.log if author is None else replace(home.log, allowlist=home.log.allowlist.without(OLGA.kid))
        )
        judge = Judge(
            home=home.home,
            before=home.log.version,
            version=Version(0, home.log.version.seq + 1),
            time=home.time,
            sequencer=PublicKey(HUB.public),
            room=16,
            memo=memo,
        )
        verdict, _, _ = judge.apply(raw, log.allowlist, log.tombstones)
        assert verdict.reason is expected
        verdict, _, _ = judge.apply(tampered(raw), log.allowlist, log.tombstones)
        assert verdict.reason is (Reason.BAD_SIGNATURE if author is None else Reason.FORBIDDEN)
