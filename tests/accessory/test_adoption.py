"""Adoption, checkpoints, factory reset and damage: what joins, what does not, and what is never unpaired."""

import pytest

from accessory_emu.accessory.device import Standing
from accessory_emu.accessory.engine import AccessoryEngine
from accessory_emu.protocol import limits
from accessory_emu.protocol.identifiers import Version
from tests.hand import ON, Hand, key
from tests.world import AccessoryNode, World

ROSA, EVE = key("rosa"), key("eve")


@pytest.fixture
def hand() -> Hand:
    return Hand(World())


@pytest.fixture
def node(hand: Hand) -> AccessoryNode:
    lamp = hand.world.accessory("lamp")
    hand.world.settle()
    return lamp


def play(hand: Hand, node: AccessoryNode, **fields: object) -> list[object]:
    return [node.inbox(raw).fields["reason"] for raw in hand.offer(node, **fields)]


def test_an_adoption_that_gives_what_it_names_joins(hand: Hand, node: AccessoryNode) -> None:
    hand.entry(hand.add(ROSA))
    hand.pair(node)
    assert play(hand, node) == [None, None, None]
    assert node.accessory.device.standing is Standing.MEMBER
    assert node.accessory.device.version() == hand.log.version


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"boot": bytes(8)}, "stale_boot"),
        ({"checkpoint": bytes(32)}, "conflict"),
        ({"head": bytes(32)}, "conflict"),
        ({"version": Version(0, 0)}, "conflict"),
    ],
)
def test_one_that_does_not_is_refused_and_nothing_is_kept(
    fields: dict[str, object], reason: str, hand: Hand, node: AccessoryNode
) -> None:
    hand.entry(hand.add(ROSA))
    hand.pair(node)
    assert reason in play(hand, node, **fields)
    assert node.accessory.device.standing is Standing.PAIRED
    assert "log" not in node.store.load("")
    assert play(hand, node) == [None, None, None]


def test_a_key_that_may_not_edit_accessories_adopts_nothing(hand: Hand, node: AccessoryNode) -> None:
    hand.entry(hand.add(ROSA))
    hand.pair(node, ROSA)
    reasons = [node.inbox(raw).fields["reason"] for raw in hand.offer(node, ROSA)]
    assert reasons[-1] == "forbidden"
    assert node.accessory.device.standing is Standing.PAIRED


def test_an_adoption_by_another_key_meets_silence(hand: Hand, node: AccessoryNode) -> None:
    hand.pair(node)
    verdict = node.inbox(hand.offer(node, EVE)[0])
    assert (verdict.fields["verdict"], verdict.fields["reason"]) == ("silent", "unknown_key")


def test_nobody_but_the_owner_is_obeyed_before_the_first_answer_even_after_a_restart(
    hand: Hand, node: AccessoryNode
) -> None:
    hand.entry(hand.add(ROSA))
    hand.pair(node)
    play(hand, node)
    node.restart()
    hand.world.advance(limits.START_GRACE_MS)
    assert node.inbox(hand.command(node, ROSA, ON)).fields["reason"] == "not_in_sync"
    assert node.inbox(hand.command(node, hand.owner, ON)).fields["verdict"] == "accepted"
    hand.sync(node)
    assert node.inbox(hand.command(node, ROSA, ON)).fields["verdict"] == "accepted"


def test_an_owners_checkpoint_that_is_not_higher_is_a_conflict(hand: Hand, node: AccessoryNode) -> None:
    hand.adopt(node)
    assert node.inbox(hand.next_checkpoint(draw=9)).fields["verdict"] == "applied"
    before = node.accessory.device.version()
    lower = hand.next_checkpoint(version=Version(before.epoch - 1, 0))
    verdict = node.inbox(lower)
    assert (verdict.fields["verdict"], verdict.fields["reason"]) == ("refused", "conflict")
    assert node.accessory.device.version() == before


def test_a_factory_reset_forgets_everything_also_on_disk(hand: Hand, node: AccessoryNode) -> None:
    hand.adopt(node)
    old = node.id
    node.act(lambda: node.accessory.factory_reset(hand.world.now))
    assert node.id != old
    assert set(node.store.load("")) == {"identity", "pairing"}
    node.restart()
    assert node.accessory.device.standing is Standing.UNPAIRED


TORN = ["identity", "pairing", "log"]  # the bytes of checkpoint and entry are kept as they came
DAMAGES = [(row, "gone") for row in (*TORN, "checkpoint", "entry")] + [(row, "torn") for row in TORN]


@pytest.mark.parametrize(("row", "damage"), DAMAGES)
def test_damage_locks_and_never_unpairs(row: str, damage: str, hand: Hand, node: AccessoryNode) -> None:
    hand.adopt(node)
    rows = node.store.load("")
    if damage == "gone":
        del rows[row]
    else:
        rows[row] = rows[row][:-1]
    damaged = node.build(rows)
    assert isinstance(damaged, AccessoryEngine)
    assert damaged.device.standing is Standing.LOCKED
