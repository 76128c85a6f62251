"""The sequencer: one order, one answer a request, one head a version."""

from collections.abc import Callable

import pytest

from accessory_emu.protocol import limits
from accessory_emu.protocol.envelope import Sealed
from accessory_emu.protocol.identifiers import Version
from accessory_emu.protocol.membership.grant import EDITOR_TERMS, RESIDENT_TERMS
from accessory_emu.protocol.membership.request import RequestOp
from accessory_emu.protocol.messages import HubStatus
from accessory_emu.protocol.ports import Delivery
from accessory_emu.protocol.reasons import Reason
from tests.controllers.village import Village, acceptance, key


def test_an_entry_is_published_before_its_head_and_both_before_the_answer() -> None:
    village = Village()
    before = len(village.world.network.traffic)
    word = village.ask(village.adding("rosa"))
    assert word is not None
    assert (word.status, word.version, word.reason) == (HubStatus.COMMITTED, Version(0, 1), None)
    topics = [each.topic.split("/", 3)[3] for each in village.world.network.traffic[before:]]
    assert topics == ["hub/in", "log/0/1", "head", f"to/{village.owner.kid.hex()}"]


def test_nothing_leaves_while_durable_rows_are_open() -> None:
    village = Village()
    sequencer, now = village.sequencer, village.world.now
    topic = village.world.topics.hub_inbox(village.home)
    sequencer.receive(Delivery(topic, village.adding("rosa").raw), now)
    rows = sequencer.writes()
    assert any(row.durable for row in rows)
    assert sequencer.outbox() == ()
    sequencer.committed()
    assert len(sequencer.outbox()) == 3


# each makes a request that is refused for one reason


def _twice(village: Village) -> Sealed:
    village.ask(village.adding("rosa"))
    return village.adding("rosa")


def _by_editor(village: Village) -> Sealed:
    village.ask(village.adding("ben", terms=EDITOR_TERMS))
    return village.adding("eve", key("ben"), EDITOR_TERMS)


def _enrolled(village: Village) -> Sealed:
    puppet = village.puppet("lamp")
    return village.request(village.owner, RequestOp.ENROL, key=puppet.key.public)


def _full(village: Village) -> Sealed:
    village.puppet("lamp")
    for number in range(limits.GRANTS_HELD - 1):
        village.ask(village.adding(f"person {number}"))
    return village.adding("one more")


def _inadmissible(village: Village) -> Sealed:
    return village.request(village.owner, RequestOp.ENROL, key=bytes(32))


def _late(village: Village) -> Sealed:
    return village.request(village.owner, RequestOp.ENROL, key=key("a").public, expires=1)


def _ahead(village: Village) -> Sealed:
    return village.request(village.owner, RequestOp.ENROL, key=key("a").public, base=Version(0, 9))


def _other_terms(village: Village) -> Sealed:
    raw = acceptance(village.home, key("rosa"), village.owner.kid, EDITOR_TERMS, village.world.now)
    terms = RESIDENT_TERMS.value()
    return village.request(village.owner, RequestOp.ADD, key=key("rosa").public, acceptance=raw, terms=terms)


def _unknown_target(village: Village) -> Sealed:
    terms = RESIDENT_TERMS.value()
    return village.request(village.owner, RequestOp.REPLACE, target=bytes(16), terms=terms)


def _not_enrolled(village: Village) -> Sealed:
    return village.request(village.owner, RequestOp.RELEASE, target=bytes(8))


def _unknown_op(village: Village) -> Sealed:
    return village.request(village.owner, 77)


def _other_version(village: Village) -> Sealed:
    return village.request(village.owner, RequestOp.ENROL, key=key("a").public, version=2)


def _removed_root(village: Village) -> Sealed:
    adding = village.adding("rosa")
    village.ask(adding)
    grant = village.sequencer.view.grant(key("rosa").kid)
    assert grant is not None
    village.ask(village.request(village.owner, RequestOp.REMOVE, target=grant.root))
    raw = acceptance(
        village.home, key("rosa"), village.owner.kid, RESIDENT_TERMS, village.world.now // 1000 + 3600
    )
    terms = RESIDENT_TERMS.value()
    return village.request(village.owner, RequestOp.ADD, key=key("rosa").public, acceptance=raw, terms=terms)


REFUSALS: dict[str, tuple[Callable[[Village], Sealed], Reason]] = {
    "a member is added again": (_twice, Reason.ALREADY_MEMBER),
    "an editor makes an editor": (_by_editor, Reason.FORBIDDEN),
    "an accessory is enrolled twice": (_enrolled, Reason.ALREADY_MEMBER),
    "the smallest accessory is full": (_full, Reason.LIST_FULL),
    "a key of small order is enrolled": (_inadmissible, Reason.BAD_VALUE),
    "the request has expired": (_late, Reason.EXPIRED),
    "the base lies ahead": (_ahead, Reason.STALE_ACL),
    "the acceptance names other terms": (_other_terms, Reason.BAD_SIGNATURE),
    "the target is not held": (_unknown_target, Reason.CONFLICT),
    "an accessory is released that is not enrolled": (_not_enrolled, Reason.CONFLICT),
    "the op is unknown": (_unknown_op, Reason.NOT_SUPPORTED),
    "another protocol version": (_other_version, Reason.UNSUPPORTED_VERSION),
    "an acceptance is used again after the removal": (_removed_root, Reason.STALE_ACL),
}


@pytest.mark.parametrize(("make", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_a_request_that_every_accessory_would_refuse_is_refused_with_its_reason(
    make: Callable[[Village], Sealed], reason: Reason
) -> None:
    village = Village()
    request = make(village)
    version = village.sequencer.view.version
    word = village.ask(request)
    assert word is not None
    assert (word.status, word.reason, word.version) == (HubStatus.REFUSED, reason, None)
    assert village.sequencer.view.version == version, "a refusal makes no entry"


def test_a_request_of_a_stranger_gets_no_word() -> None:
    village = Village()
    request = village.adding("rosa", author=key("mallory"))
    assert village.ask(request) is None
    assert village.sequencer.skipped[Reason.UNKNOWN_KEY] == 1


def test_a_request_with_a_bad_signature_or_for_another_home_gets_no_word() -> None:
    village = Village()
    good = village.adding("rosa")
    village.hand_in(good.raw[:-1] + bytes([good.raw[-1] ^ 1]))
    elsewhere = village.request(village.owner, RequestOp.ENROL, key=key("a").public, home=bytes(8))
    village.hand_in(elsewhere.raw)
    assert village.words() == []
    assert village.sequencer.skipped[Reason.BAD_SIGNATURE] == 2
    assert village.ask(good) is not None, "the same, untouched"


def test_the_same_request_gets_one_entry_and_the_same_bytes_as_answer() -> None:
    village = Village()
    request = village.adding("rosa")
    village.ask(request)
    village.world.advance(5000)
    village.ask(request)
    topic = village.world.topics.member(village.home, village.owner.kid)
    answers = [each.payload for each in village.world.network.traffic if each.topic == topic]
    assert len(answers) == 2
    assert len(set(answers)) == 1
    assert village.sequencer.view.version == Version(0, 1)


def test_a_refusal_stays_the_answer_whatever_changes_and_over_a_restart() -> None:
    village = Village()
    request = village.request(village.owner, RequestOp.RELEASE, target=key("lamp").kid)
    first = village.ask(request)
    village.puppet("lamp")  # now it could be released
    assert village.ask(request) == first
    village.node.restart(cut=True)
    village.world.advance(1000)
    assert village.ask(request) == first
    word = village.ask(village.request(village.owner, RequestOp.RELEASE, target=key("lamp").kid))
    assert word is not None
    assert word.status is HubStatus.COMMITTED, "a new request is judged anew"


def test_a_member_that_has_left_still_gets_the_answer_to_its_leaving() -> None:
    village = Village()
    village.ask(village.adding("rosa"))
    grant = village.sequencer.view.grant(key("rosa").kid)
    assert grant is not None
    leaving = village.request(key("rosa"), RequestOp.REMOVE, target=grant.root)
    first = village.ask(leaving)
    assert first is not None
    assert first.status is HubStatus.COMMITTED
    assert village.ask(leaving) == first
    assert village.ask(village.adding("eve", author=key("rosa"))) is None, "and nothing else"


def test_entries_of_one_member_push_out_no_answer_of_another() -> None:
    village = Village()
    kept = village.request(village.owner, RequestOp.RELEASE, target=bytes(8))
    village.ask(kept)
    village.ask(village.adding("rosa"))
    for _ in range(limits.ANSWERS_OF_AUTHOR + 1):
        village.hand_in(village.request(key("rosa"), RequestOp.RELEASE, target=bytes(8)).raw)
    before = village.sequencer.view.version
    first = village.ask(kept)
    assert first is not None
    assert first.reason is Reason.CONFLICT
    assert village.sequencer.view.version == before
