"""Duplicates, lost connections and a network that loses things: everything comes right in the end."""

import pytest

from accessory_emu.protocol import limits
from accessory_emu.protocol.envelope import Context, parse
from accessory_emu.protocol.identifiers import Version
from accessory_emu.protocol.membership.checkpoint import SequencerKind
from accessory_emu.protocol.membership.grant import RESIDENT_TERMS
from controllers.attempt import Accepted
from controllers.results import ChangeState
from tests.controllers.test_owner import House
from tests.controllers.village import Village, person
from tests.world import World


@pytest.mark.parametrize("seed", range(1, 6))
def test_duplicates_of_everything_change_nothing(seed: int) -> None:
    house = House(World(seed))
    house.world.network.duplicate = 0.5
    lamp, door = house.paired("lamp"), house.paired("door")
    rosa = house.member("rosa")
    assert isinstance(house.write(rosa, lamp).outcome, Accepted)
    assert isinstance(house.write(rosa, door).outcome, Accepted)
    view = house.owner.view
    assert view is not None
    assert view.version == Version(0, 3), "two accessories and a person, each once"
    assert all(view.at_head(each.id) for each in (lamp, door))


@pytest.mark.parametrize("seed", range(1, 9))
def test_what_is_lost_on_the_way_arrives_in_the_end(seed: int) -> None:
    house = House(World(seed))
    nodes = [house.paired(name) for name in ("lamp", "door", "bell")]
    house.world.network.loss, house.world.network.reorder = 0.2, 0.2
    changes = [
        house.change(lambda owner, now, name=name: owner.add_local(person(name), RESIDENT_TERMS, now))
        for name in ("rosa", "ben", "gus")
    ]
    house.world.advance(2 * limits.HEAD_EVERY_MS)
    house.world.network.loss = house.world.network.reorder = 0.0
    house.world.advance(2 * limits.HEAD_EVERY_MS)
    assert [change.state for change in changes] == [ChangeState.COMMITTED] * 3
    heads = {node.accessory.device.member and node.accessory.device.member.log.head for node in nodes}
    assert len(heads) == 1, "every accessory is at the same head"
    view = house.owner.view
    assert view is not None
    assert view.version == Version(0, 6)
    assert not view.behind()


@pytest.mark.parametrize("seed", range(1, 6))
def test_connections_that_come_and_go_lose_no_change(seed: int) -> None:
    house = House(World(seed))
    nodes = [house.paired(name) for name in ("lamp", "door")]
    everybody = [house.node, house.sequencing, *nodes]
    changes = []
    for number, name in enumerate(("rosa", "ben", "gus", "eve")):
        gone = everybody[(number + seed) % 4]
        gone.link.drop()
        changes.append(
            house.change(lambda owner, now, name=name: owner.add_local(person(name), RESIDENT_TERMS, now))
        )
        gone.link.restore()
        house.world.advance(3_000)
    house.world.advance(limits.HEAD_EVERY_MS)
    view = house.owner.view
    assert view is not None
    assert [change.state for change in changes] == [ChangeState.COMMITTED] * 4
    assert [change.table.pending() for change in changes] == [[]] * 4
    assert all(view.at_head(node.id) for node in nodes)


def test_where_the_sequencer_is_a_device_that_is_away_a_member_carries_the_entries() -> None:
    for kind, carried in ((SequencerKind.DEVICE, 1), (SequencerKind.HUB, 0)):
        village = Village(kind=kind)
        lamp = village.puppet("lamp")
        village.ask(village.adding("rosa"))
        village.member("rosa")
        village.world.settle()
        village.node.dead = True
        since = len(village.world.network.traffic)
        lamp.ack(Version(0, 1))
        village.world.advance(limits.MEMBER_PATIENCE_MS - 1)
        assert lamp.inbox(since) == [], "the sequencer may still do it"
        village.world.advance(1)
        assert [parse(each.payload).context for each in lamp.inbox(since)] == [Context.ENTRY] * carried


def test_a_gap_in_the_log_is_filled_from_the_retained_topics() -> None:
    village = Village()
    node = village.member("rosa")
    village.world.settle()
    log = village.world.topics.log(village.home, Version(0, 1))
    village.world.network.hold(lambda each: each.topic == log)
    village.ask(village.adding("rosa"))
    view = node.engine.view  # type: ignore[attr-defined]  # a member
    assert view.version == Version(0, 0)
    assert view.behind(), "the head tells of an entry"
    village.world.network.release()
    village.world.advance(limits.FILL_FIRST_MS)
    assert view.version == Version(0, 1)
    assert not view.behind()
