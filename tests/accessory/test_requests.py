"""Requests inside an entry: each reason once, in the order of the table, and the twin that has its effect."""

from collections.abc import Callable

import pytest

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Value
from accessory_emu.protocol.identifiers import Version
from accessory_emu.protocol.membership.grant import EDITOR_TERMS, RESIDENT_TERMS, Ceiling, Terms
from accessory_emu.protocol.membership.privileges import EVERYTHING, Edit, Privilege, Role, Scope
from accessory_emu.protocol.membership.request import RequestOp
from tests.hand import Hand, key
from tests.world import AccessoryNode, World

ROSA, EVE, BEN, NEW = key("rosa"), key("eve"), key("ben"), key("new")
LOW = Terms(Role.EDITOR, Privilege.VIEW, EVERYTHING, Edit.PEOPLE, Ceiling(Privilege.VIEW, EVERYTHING))
GUEST = Terms(Role.GUEST, Privilege.OPERATE, Scope.of([]))
UNKNOWN_TERMS: dict[int, Value] = {1: 3, 2: 2, 3: True, 9: 1}


@pytest.fixture
def hand() -> Hand:
    return Hand(World())


@pytest.fixture
def node(hand: Hand) -> AccessoryNode:
    lamp = hand.world.accessory("lamp", grants=limits.GRANTS_HELD)
    hand.world.settle()
    hand.adopt(lamp)
    for request in (hand.add(ROSA), hand.add(BEN, EDITOR_TERMS)):
        lamp.inbox(hand.entry(request))
    return lamp


def tampered(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


def far(hand: Hand) -> int:
    return hand.seconds + limits.REQUEST_LIFE_MAX_S


def other_terms(hand: Hand) -> bytes:
    return hand.add(NEW, acceptance=hand.acceptance(NEW, hand.owner, GUEST).raw)


def other_inviter(hand: Hand) -> bytes:
    return hand.add(NEW, acceptance=hand.acceptance(NEW, BEN, RESIDENT_TERMS).raw)


REFUSED: dict[str, tuple[Callable[[Hand], bytes], str]] = {
    "it does not parse": (lambda _: b"\xd2\x84", "malformed"),
    "another protocol version": (
        lambda h: h.request(h.owner, RequestOp.ADD, version=2),
        "unsupported_version",
    ),
    "an unknown author": (lambda h: h.add(NEW, author=EVE), "forbidden"),
    "a signature that does not hold": (lambda h: tampered(h.add(NEW)), "bad_signature"),
    "past its expiry": (lambda h: h.add(NEW, expires=h.seconds - 1), "expired"),
    "an expiry too far ahead": (lambda h: h.add(NEW, expires=far(h) + 1), "expired"),
    "a base above the version before": (lambda h: h.add(NEW, base=Version(0, 3)), "stale_acl"),
    "a base below the author's since": (lambda h: h.add(NEW, author=BEN, base=Version(0, 1)), "stale_acl"),
    "an author without the edit bit": (lambda h: h.add(NEW, author=ROSA), "forbidden"),
    "above the author's ceiling": (
        lambda h: h.add(NEW, Terms(Role.EDITOR, Privilege.MANAGE, EVERYTHING, Edit.PEOPLE), author=BEN),
        "forbidden",
    ),
    "an editor removes an editor": (lambda h: h.remove(h.owner, author=BEN), "forbidden"),
    "the owner is removed": (lambda h: h.remove(h.owner), "forbidden"),
    "enrol without the edit bit": (
        lambda h: h.request(ROSA, RequestOp.ENROL, key=NEW.public),
        "forbidden",
    ),
    "an unknown op": (lambda h: h.request(h.owner, 99), "not_supported"),
    "terms that nobody knows": (lambda h: h.add(NEW, terms_raw=UNKNOWN_TERMS), "not_supported"),
    "a weak key": (lambda h: h.add(NEW, key=bytes(32)), "bad_value"),
    "an acceptance of somebody else": (
        lambda h: h.add(NEW, acceptance=h.acceptance(EVE, h.owner).raw),
        "bad_signature",
    ),
    "an acceptance of other terms": (other_terms, "bad_signature"),
    "an acceptance for another inviter": (other_inviter, "bad_signature"),
    "an acceptance past its expiry": (
        lambda h: h.add(NEW, acceptance=h.acceptance(NEW, h.owner, expires=h.seconds - 1).raw),
        "expired",
    ),
    "a target that is not held": (
        lambda h: h.request(BEN, RequestOp.REMOVE, target=bytes(16)),
        "conflict",
    ),
    "the active sequencer's key": (lambda h: h.add(h.sequencer), "conflict"),
    "a member already": (lambda h: h.add(ROSA), "already_member"),
}
TAKEN: dict[str, Callable[[Hand], bytes]] = {
    "the owner adds": lambda h: h.add(NEW),
    "an editor adds": lambda h: h.add(NEW, author=BEN),
    "at the last moment": lambda h: h.add(NEW, expires=h.seconds),
    "as far ahead as may be": lambda h: h.add(NEW, expires=far(h)),
    "a member leaves": lambda h: h.remove(ROSA, author=ROSA),
    "the owner removes": lambda h: h.remove(ROSA),
    "an editor removes a resident": lambda h: h.remove(ROSA, author=BEN),
    "the owner enrols": lambda h: h.request(h.owner, RequestOp.ENROL, key=NEW.public),
    "the owner removes who is not held": lambda h: h.request(h.owner, RequestOp.REMOVE, target=bytes(16)),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_request_that_fails_has_no_effect_and_the_ack_names_it(
    why: str, hand: Hand, node: AccessoryNode
) -> None:
    make, reason = REFUSED[why]
    before = node.accessory.device.member
    assert before is not None
    verdict = node.inbox(hand.entry(make(hand)))
    assert verdict.fields["verdict"] == "applied"
    assert [word for _, word in verdict.fields["refused"]] == [reason]  # type: ignore[attr-defined]  # pairs
    after = node.accessory.device.member
    assert after is not None
    assert after.log.digest() == before.log.digest()
    assert after.log.version > before.log.version


@pytest.mark.parametrize("what", TAKEN)
def test_its_twin_has_its_effect(what: str, hand: Hand, node: AccessoryNode) -> None:
    verdict = node.inbox(hand.entry(TAKEN[what](hand)))
    assert (verdict.fields["verdict"], verdict.fields["refused"]) == ("applied", ())


def test_a_removed_root_and_a_base_below_the_watermark_are_stale(hand: Hand) -> None:
    lamp = hand.world.accessory("small", tombstones=2)
    hand.world.settle()
    hand.adopt(lamp)
    acceptance = hand.acceptance(ROSA, hand.owner).raw
    old = hand.add(BEN)
    lamp.inbox(hand.entry(hand.add(ROSA, acceptance=acceptance)))
    lamp.inbox(hand.entry(hand.remove(ROSA)))
    again = lamp.inbox(hand.entry(hand.add(ROSA, acceptance=acceptance)))
    assert [word for _, word in again.fields["refused"]] == ["stale_acl"]  # type: ignore[attr-defined]  # pairs
    lamp.inbox(hand.entry(hand.add(NEW)))
    lamp.inbox(hand.entry(hand.remove(NEW)))
    late = lamp.inbox(hand.entry(old))
    assert [word for _, word in late.fields["refused"]] == ["stale_acl"]  # type: ignore[attr-defined]  # pairs
    fresh = lamp.inbox(hand.entry(hand.add(EVE)))
    assert fresh.fields["refused"] == ()


def test_a_full_list_says_so_and_a_removal_is_applied_as_ever(hand: Hand, node: AccessoryNode) -> None:
    for number in range(limits.GRANTS_HELD - 3):
        assert node.inbox(hand.entry(hand.add(key(f"p{number}")))).fields["refused"] == ()
    full = node.inbox(hand.entry(hand.add(NEW)))
    assert [word for _, word in full.fields["refused"]] == ["list_full"]  # type: ignore[attr-defined]  # pairs
    assert node.inbox(hand.entry(hand.remove(ROSA))).fields["refused"] == ()


@pytest.mark.parametrize(
    ("fields", "signer", "check", "reason"),
    [
        ({"prev": bytes(32)}, None, "log", "conflict"),
        ({"time": 1}, None, "log", "conflict"),
        ({}, BEN, "log", "forbidden"),
    ],
)
def test_an_entry_out_of_place_is_refused_and_changes_nothing(
    fields: dict[str, object], signer: object, check: str, reason: str, hand: Hand, node: AccessoryNode
) -> None:
    before = node.state()
    raw = hand.entry(hand.add(NEW), signer=signer, **fields)  # type: ignore[arg-type]  # a column of the table
    verdict = node.inbox(raw)
    assert (verdict.fields["verdict"], verdict.fields["check"], verdict.fields["reason"]) == (
        "refused",
        check,
        reason,
    )
    assert node.state() == before
    assert node.inbox(raw).fields["answered"] is False  # once per boot
