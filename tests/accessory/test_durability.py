"""S18: no ack leaves before the rows it speaks of are kept."""

from accessory_emu.protocol.ports import Delivery
from tests.hand import Hand, key
from tests.world import World


def test_nothing_leaves_while_durable_rows_are_open() -> None:
    world = World()
    hand, node = Hand(world), world.accessory("lamp")
    world.settle()
    hand.adopt(node)
    entry = hand.entry(hand.add(key("rosa")))
    engine = node.engine
    engine.receive(Delivery(world.topics.inbox(node.id), entry), world.now)
    rows = engine.writes()
    assert any(row.durable for row in rows)
    assert engine.outbox() == ()
    engine.committed()
    topics = [parcel.topic for parcel in engine.outbox()]
    assert world.topics.ack(hand.home, node.id) in topics
