"""Changes: asked until answered, shown at once, and followed to every accessory."""

from collections.abc import Callable

import pytest

from accessory_emu.protocol import limits
from accessory_emu.protocol.identifiers import GrantId, Version, epoch_of
from accessory_emu.protocol.membership.checkpoint import Checkpoint, Previous, SequencerKind
from accessory_emu.protocol.membership.grant import EDITOR_TERMS, OWNER_TERMS, RESIDENT_TERMS, owner_grant
from accessory_emu.protocol.membership.privileges import Role
from accessory_emu.protocol.membership.roster import Roster
from accessory_emu.protocol.membership.tombstones import Tombstones
from accessory_emu.protocol.ports import Delivery, Parcel
from accessory_emu.protocol.reasons import Reason
from controllers.asking import Wish
from controllers.errors import Code, ControllerError
from controllers.member import Member
from controllers.owner import Owner
from controllers.results import Change, ChangeState, Row, RowState
from tests.controllers.village import Puppet, Village, key, person
from tests.world import Node


def do(node: Node, verb: Callable[[], Change]) -> Change:
    """Let an actor ask for a change, and let it arrive."""
    changes: list[Change] = []
    node.act(lambda: changes.append(verb()))
    node.world.settle()
    return changes[0]


def member(node: Node) -> Member:
    """Give the member of a node."""
    assert isinstance(node.engine, Member)
    return node.engine


def owners(village: Village) -> tuple[Node, Owner]:
    """Put the owner's device into the village."""
    node = village.owners_device()
    village.world.settle()
    assert isinstance(node.engine, Owner)
    return node, node.engine


def add(node: Node, name: str) -> Change:
    """Add a resident."""
    who = member(node)
    return do(node, lambda: who.add_local(person(name), RESIDENT_TERMS, node.world.now))


def row(node: Node, change: Change, puppet: Puppet) -> Row:
    """Give an accessory's row."""
    view = member(node).view
    assert view is not None
    return next(each for each in change.table.rows(view, node.world.now) if each.accessory == puppet.id)


def test_a_change_has_one_row_per_enrolled_accessory_and_each_moves_for_itself() -> None:
    village = Village()
    lamp, door = village.puppet("lamp"), village.puppet("door")
    Puppet(village, key("stranger")).announce()
    node, _ = owners(village)
    change = add(node, "rosa")
    assert (change.state, change.version, change.subject) == (ChangeState.COMMITTED, Version(0, 3), "rosa")
    assert [row(node, change, each).state for each in (lamp, door)] == [RowState.PENDING] * 2
    assert sorted(change.table.pending()) == sorted([lamp.id, door.id])
    asked = village.world.now
    village.world.advance(700)
    lamp.ack(Version(0, 3))
    assert row(node, change, lamp) == Row(lamp.id, RowState.COMMITTED, asked + 700)
    assert row(node, change, door).state is RowState.PENDING
    door.ack(Version(0, 3), ((change.id, Reason.LIST_FULL),))
    assert row(node, change, door) == Row(door.id, RowState.REFUSED, asked + 700, Reason.LIST_FULL)
    door.ack(Version(0, 4))
    assert row(node, change, door).state is RowState.REFUSED, (
        "a later ack names the refusals of its own entry"
    )


@pytest.mark.parametrize(
    ("version", "state"),
    [
        (Version(0, 2), RowState.PENDING),
        (Version(0, 3), RowState.COMMITTED),
        (Version(0, 4), RowState.COMMITTED),
    ],
)
def test_only_an_ack_that_covers_the_entry_commits_a_row(version: Version, state: RowState) -> None:
    village = Village()
    lamp = village.puppet("lamp")
    node, _ = owners(village)
    add(node, "ben")
    change = add(node, "rosa")
    assert change.version == Version(0, 3)
    lamp.ack(version)
    assert row(node, change, lamp).state is state


def test_an_ack_that_comes_before_the_answer_counts() -> None:
    village = Village()
    lamp = village.puppet("lamp")
    node, _ = owners(village)
    village.world.network.hold(lambda each: "/to/" in each.topic or "/log/" in each.topic)
    change = add(node, "rosa")
    assert change.state is ChangeState.WAITING
    lamp.ack(Version(0, 2))
    village.world.network.release()
    village.world.settle()
    assert row(node, change, lamp).state is RowState.COMMITTED


def test_a_pending_row_says_who_cannot_be_reached_and_since_when() -> None:
    village = Village()
    lamp = village.puppet("lamp")
    node, _ = owners(village)
    village.world.publish(village.world.topics.available(lamp.id), b"offline", retain=True)
    village.world.settle()
    gone = village.world.now
    village.world.advance(500)
    change = add(node, "rosa")
    assert row(node, change, lamp) == Row(lamp.id, RowState.PENDING, gone, cause=Code.ACCESSORY_NOT_REACHABLE)
    village.world.publish(village.world.topics.available(lamp.id), b"online", retain=True)
    village.world.settle()
    assert row(node, change, lamp).cause is None
    village.world.advance(limits.ANSWER_WAIT_MS)
    assert row(node, change, lamp).cause is Code.ACCESSORY_NOT_REACHABLE, "it says nothing"


def test_who_is_enrolled_later_has_no_row_and_who_is_released_has_none_any_more() -> None:
    village = Village()
    lamp = village.puppet("lamp")
    node, owner = owners(village)
    change = add(node, "rosa")
    village.puppet("door")
    assert change.table.pending() == [lamp.id]
    do(node, lambda: owner.end_enrolment(lamp.id, village.world.now))
    assert change.table.pending() == []


# what is known beforehand


def test_what_every_accessory_would_refuse_is_refused_before_anything_is_sent() -> None:
    village = Village()
    node, _ = owners(village)
    add(node, "rosa")
    before = len(village.world.network.traffic)
    again = add(node, "rosa")
    assert (again.state, again.reason) == (ChangeState.REFUSED, Reason.ALREADY_MEMBER)
    assert len(village.world.network.traffic) == before
    who = member(node)
    bypassed = do(
        node,
        lambda: who.add_local(person("rosa"), RESIDENT_TERMS, village.world.now, Wish(bypass=True)),
    )
    assert (bypassed.state, bypassed.reason) == (ChangeState.REFUSED, Reason.ALREADY_MEMBER)
    assert len(village.world.network.traffic) > before, "a bypass asks the sequencer"


@pytest.mark.parametrize("verb", ["remove", "demote", "leave"])
def test_nobody_removes_or_demotes_the_owner(verb: str) -> None:
    village = Village()
    node, owner = owners(village)
    grant = owner.grant
    assert grant is not None
    before = len(village.world.network.traffic)
    verbs: dict[str, Callable[[], Change]] = {
        "remove": lambda: owner.remove_user(grant.root, village.world.now),
        "demote": lambda: owner.set_role(grant.id, RESIDENT_TERMS, village.world.now),
        "leave": lambda: owner.leave(village.world.now),
    }
    with pytest.raises(ControllerError) as failed:
        node.act(verbs[verb])  # type: ignore[arg-type]  # it raises
    assert failed.value.code is Code.OWNERSHIP_FAILURE
    assert len(village.world.network.traffic) == before


def test_before_the_home_is_known_nothing_can_be_asked() -> None:
    village = Village()
    village.world.network.hold(lambda _: True)
    node = village.member("rosa")
    with pytest.raises(ControllerError) as failed:
        member(node).invite(RESIDENT_TERMS, 0)
    assert failed.value.code is Code.HOME_NOT_KNOWN
    with pytest.raises(ControllerError) as failed:
        member(node).leave(0)
    assert failed.value.code is Code.HOME_NOT_KNOWN


def test_bytes_that_are_no_acceptance_add_nobody() -> None:
    village = Village()
    node, owner = owners(village)
    for raw in (b"", b"x", village.genesis, b"\xd2" * 70_000):
        with pytest.raises(ControllerError) as failed:
            owner.add_user(raw, RESIDENT_TERMS, village.world.now)
        assert failed.value.code is Code.USER_MANAGEMENT_FAILED
    assert node.engine.filters()


# without a hub


def editor(village: Village) -> Node:
    """Put an editor into the village."""
    village.ask(village.adding("ben", terms=EDITOR_TERMS))
    node = village.member("ben")
    village.world.settle()
    return node


def test_an_editors_change_needs_a_hub() -> None:
    village = Village()
    node = editor(village)
    before = len(village.world.network.traffic)
    change = add(node, "rosa")
    assert (change.state, change.outcome) == (ChangeState.FAILED, "no_home_hub")
    assert len(village.world.network.traffic) == before, "no accessory and no log was touched"
    who = member(node)
    queued = do(
        node, lambda: who.add_local(person("rosa"), RESIDENT_TERMS, village.world.now, Wish(queue=True))
    )
    assert queued.state is ChangeState.COMMITTED, "queued, it is ordered as soon as somebody orders"


def test_with_a_hub_an_editors_change_is_one_request_and_nothing_else() -> None:
    village = Village(kind=SequencerKind.HUB)
    node = editor(village)
    before = len(village.world.network.traffic)
    change = add(node, "rosa")
    assert change.state is ChangeState.COMMITTED
    sent = [each for each in village.world.network.traffic[before:] if each.payload == change.raw]
    assert [each.topic for each in sent] == [village.world.topics.hub_inbox(village.home)]
    beyond = do(node, lambda: member(node).add_local(person("eve"), EDITOR_TERMS, village.world.now))
    assert beyond.reason is Reason.FORBIDDEN, "only the owner makes editors"


def test_a_hub_that_is_away_is_no_home_hub() -> None:
    village = Village(kind=SequencerKind.HUB)
    node = editor(village)
    village.node.dead = True
    change = add(node, "rosa")
    village.world.advance(limits.REQUEST_WAIT_MS)
    assert change.outcome == "no_home_hub"


def test_a_member_may_leave_a_home_without_a_hub() -> None:
    village = Village()
    village.ask(village.adding("rosa"))
    node = village.member("rosa")
    village.world.settle()
    rosa = member(node)
    assert rosa.grant is not None
    change = do(node, lambda: rosa.leave(village.world.now))
    assert change.state is ChangeState.COMMITTED
    assert rosa.grant is None
    with pytest.raises(ControllerError) as failed:
        rosa.leave(village.world.now)
    assert failed.value.code is Code.USER_MANAGEMENT_FAILED


# asked again


def test_a_request_is_repeated_until_it_is_answered_and_has_one_effect() -> None:
    village = Village()
    node, _ = owners(village)
    village.world.network.hold(lambda each: "/hub/in" in each.topic)
    change = add(node, "rosa")
    village.world.advance(3_500)
    assert [each.payload for each in village.world.network.held] == [change.raw] * 3, "at 0, 1 and 3 s"
    village.world.network.release()
    village.world.settle()
    assert change.state is ChangeState.COMMITTED
    assert village.sequencer.view.version == Version(0, 1)


def test_nobody_waits_longer_than_the_limit_and_a_late_entry_still_counts() -> None:
    village = Village()
    node, _ = owners(village)
    village.world.network.hold(lambda each: "/hub/in" in each.topic)
    change = add(node, "rosa")
    village.world.advance(limits.REQUEST_WAIT_MS)
    assert (change.state, change.outcome) == (ChangeState.FAILED, "no_reply")
    village.world.network.release()
    village.world.settle()
    assert (change.state, change.outcome) == (ChangeState.COMMITTED, "committed")


def test_after_a_lost_connection_the_request_is_sent_again_at_once() -> None:
    village = Village()
    node, _ = owners(village)
    node.link.drop()
    village.world.settle()
    change = add(node, "rosa")
    assert change.state is ChangeState.WAITING
    node.link.restore()
    village.world.settle()
    assert change.state is ChangeState.COMMITTED


def test_the_own_copy_changes_at_once_and_rolls_back_on_a_refusal() -> None:
    village = Village()
    puppet = village.puppet("lamp")
    node, owner = owners(village)
    for number in range(limits.GRANTS_HELD - 1):
        village.ask(village.adding(f"person {number}"))
    village.world.network.hold(lambda each: "/hub/in" in each.topic)
    change = add(node, "one more")
    foreseen = owner.foreseen(village.world.now)
    assert foreseen is not None
    assert foreseen.allowlist.find(key("one more").kid) is not None
    assert owner.view is not None
    assert owner.view.grant(key("one more").kid) is None
    village.world.network.release()
    village.world.settle()
    assert change.reason is Reason.LIST_FULL, f"{puppet.id.hex()} holds no more"
    foreseen = owner.foreseen(village.world.now)
    assert foreseen is not None
    assert foreseen.allowlist.find(key("one more").kid) is None


def test_a_forged_answer_ends_nothing() -> None:
    village = Village()
    node, owner = owners(village)
    village.world.network.hold(lambda each: "/to/" in each.topic or "/log/" in each.topic)
    change = add(node, "rosa")
    (word,) = [each for each in village.world.network.held if "/to/" in each.topic]
    village.world.network.deliver("olga", _delivery(word, bend=True))
    village.world.settle()
    assert change.state is ChangeState.WAITING
    assert owner.skipped[Reason.BAD_SIGNATURE] == 1
    village.world.network.deliver("olga", _delivery(word, bend=False))
    village.world.settle()
    assert change.state is ChangeState.COMMITTED


def _delivery(parcel: Parcel, *, bend: bool) -> Delivery:
    raw = parcel.payload
    return Delivery(parcel.topic, raw[:-1] + bytes([raw[-1] ^ 1]) if bend else raw)


# roles, and a new epoch


def test_set_role_keeps_the_root_and_needs_no_acceptance() -> None:
    village = Village()
    node, owner = owners(village)
    add(node, "rosa")
    assert owner.view is not None
    before = owner.view.grant(key("rosa").kid)
    assert before is not None
    do(node, lambda: owner.set_role(before.id, EDITOR_TERMS, village.world.now))
    after = owner.view.grant(key("rosa").kid)
    assert after is not None
    assert (after.role, after.root) == (Role.EDITOR, before.root)
    assert after.id != before.id
    unknown = do(node, lambda: owner.set_role(GrantId(bytes(16)), EDITOR_TERMS, village.world.now))
    assert unknown.reason is Reason.CONFLICT
    beyond = do(node, lambda: owner.set_role(after.id, OWNER_TERMS, village.world.now))
    assert beyond.reason is Reason.FORBIDDEN


def _checkpoint(village: Village, previous: Previous, roster: Roster) -> None:
    checkpoint = Checkpoint(
        home=village.home,
        version=Version(epoch_of(0, 1, 7), 0),
        prev=previous,
        time=village.world.now // 1000,
        grants=(owner_grant(village.owner.public),),
        tombstones=Tombstones(),
        roster=roster.digest(),
        sequencer=village.key.public,
        kind=SequencerKind.DEVICE,
        owner=village.owner.public,
    )
    village.world.publish(
        village.world.topics.checkpoint(village.home), checkpoint.sign(village.owner).raw, retain=True
    )
    village.world.settle()


def test_a_request_that_a_new_epoch_lacks_is_pending_again_and_asked_again() -> None:
    village = Village()
    lamp = village.puppet("lamp")
    log = village.sequencer.view.log
    assert log is not None
    node, _ = owners(village)
    change = add(node, "rosa")
    lamp.ack(Version(0, 2))
    assert row(node, change, lamp).state is RowState.COMMITTED
    _checkpoint(village, Previous(log.version, log.head), Roster.of([lamp.key.public]))
    assert change.version == Version(epoch_of(0, 1, 7), 1), "asked again, unchanged, and ordered"
    assert row(node, change, lamp).state is RowState.PENDING
    lamp.ack(Version(epoch_of(0, 1, 7), 1))
    assert row(node, change, lamp).state is RowState.COMMITTED


def test_a_request_inside_a_new_checkpoint_stays_committed() -> None:
    village = Village()
    lamp = village.puppet("lamp")
    node, _ = owners(village)
    change = add(node, "rosa")
    log = village.sequencer.view.log
    assert log is not None
    _checkpoint(village, Previous(log.version, log.head), Roster.of([lamp.key.public]))
    assert (change.state, change.version) == (ChangeState.COMMITTED, Version(0, 2))
    assert row(node, change, lamp).state is RowState.PENDING
    lamp.ack(Version(epoch_of(0, 1, 7), 0))
    assert row(node, change, lamp).state is RowState.COMMITTED, "its ack covers the checkpoint, so the entry"
