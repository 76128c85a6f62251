"""The memory network: an MQTT broker's rules, seeded faults, and the enemy's powers."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol.ports import Delivery, Link, Parcel
from accessory_emu.transports.memory import MemoryLink, MemoryNetwork, MemoryTransport
from accessory_emu.transports.topic_filters import TopicError
from tests.transports.dice import SeededDice

UP, DOWN = Link(up=True), Link(up=False)


def network(seed: int = 0, inbox: int = 100) -> MemoryNetwork:
    return MemoryNetwork(SeededDice(seed), inbox=inbox)


def listener(
    net: MemoryNetwork, *filters: str, client_id: str = "ear", will: Parcel | None = None
) -> MemoryLink:
    link = net.attach(client_id, will)
    link.listen(filters)
    return link


def taken(link: MemoryLink) -> list[Delivery | Link]:
    items = []
    while (item := link.take()) is not None:
        items.append(item)
    return items


def payloads(link: MemoryLink) -> list[bytes]:
    return [item.payload for item in taken(link) if isinstance(item, Delivery)]


def test_the_first_item_is_the_link_and_retained_messages_follow() -> None:
    net = network()
    net.inject(Parcel("a/b", b"old", retain=True))
    link = net.attach("ear")
    assert taken(link) == []
    link.listen(["a/#"])
    assert taken(link) == [UP, Delivery("a/b", b"old", retained=True)]


def test_a_live_forward_carries_no_retained_flag() -> None:
    net = network()
    link = listener(net, "a/#")
    net.inject(Parcel("a/b", b"new", retain=True))
    assert taken(link) == [UP, Delivery("a/b", b"new", retained=False)]
    assert net.retained() == {"a/b": b"new"}


def test_an_empty_retained_message_clears_and_is_forwarded() -> None:
    net = network()
    net.inject(Parcel("a", b"old", retain=True))
    link = listener(net, "a")
    net.inject(Parcel("a", b"", retain=True))
    assert payloads(link) == [b"old", b""]
    assert net.retained() == {}
    assert payloads(listener(net, "a", client_id="late")) == []


def test_overlapping_filters_bring_one_copy_and_the_sender_hears_itself() -> None:
    link = listener(network(), "a/+", "a/#", "a/b")
    link.publish(Parcel("a/b", b"x"))
    assert payloads(link) == [b"x"]


def test_a_changed_set_drops_the_old_filters_and_asks_anew() -> None:
    net = network()
    for topic in ("a", "b", "c"):
        net.inject(Parcel(topic, topic.encode(), retain=True))
    link = listener(net, "a", "b")
    assert payloads(link) == [b"a", b"b"]
    link.listen({"b", "c"}, again={"b"})
    assert payloads(link) == [b"b", b"c"]
    link.listen({"b", "c"})
    net.inject(Parcel("a", b"not heard"))
    assert taken(link) == []


@pytest.mark.parametrize("bad", ["", "a/#/b", "\ud800"])
def test_what_is_no_topic_is_refused_and_changes_nothing(bad: str) -> None:
    net = network()
    link = listener(net, "a")
    with pytest.raises(TopicError):
        link.listen(["b", bad])
    for attempt in (lambda: link.publish(Parcel(bad, b"")), lambda: net.attach("x", Parcel(bad, b""))):
        with pytest.raises(TopicError):
            attempt()
    link.drop()
    with pytest.raises(TopicError):
        link.publish(Parcel(bad, b""))
    link.restore()
    net.inject(Parcel("a", b"x"))
    assert payloads(link) == [b"x"]


def test_a_lost_link_publishes_the_will_and_a_closed_one_does_not() -> None:
    net = network()
    ear = listener(net, "will/#")
    will = Parcel("will/a", b"gone", retain=True)
    net.attach("a", will).close()
    assert taken(ear) == [UP]
    link = net.attach("a", will)
    link.drop()
    link.drop()
    assert taken(ear) == [Delivery("will/a", b"gone")]


def test_a_lost_link_comes_back_with_its_subscriptions_and_the_retained() -> None:
    net = network()
    link = listener(net, "a/#")
    link.drop()
    net.inject(Parcel("a/live", b"missed"))
    net.inject(Parcel("a/kept", b"kept", retain=True))
    link.publish(Parcel("a/live", b"unsent"))
    link.listen(["a/#", "b"])
    link.restore()
    link.restore()
    net.inject(Parcel("b", b"after"))
    assert taken(link) == [UP, DOWN, UP, Delivery("a/kept", b"kept", retained=True), Delivery("b", b"after")]
    assert link.unsent == 1


def test_a_client_id_belongs_to_the_newest_link() -> None:
    net = network()
    ear = listener(net, "will")
    old = listener(net, "a", client_id="same", will=Parcel("will", b"old is gone"))
    new = listener(net, "a", client_id="same")
    net.inject(Parcel("a", b"x"))
    assert taken(old) == [UP, DOWN]
    assert payloads(new) == [b"x"]
    assert payloads(ear) == [b"old is gone"]
    old.restore()
    net.inject(Parcel("a", b"y"))
    assert taken(new) == [DOWN]
    assert payloads(old) == [b"y"]


def test_a_closed_link_does_nothing_any_more() -> None:
    net = network()
    link = listener(net, "a")
    net.inject(Parcel("a", b"before"))
    link.close()
    link.close()
    link.restore()
    link.listen(["a"])
    link.publish(Parcel("a", b"unsent"))
    net.inject(Parcel("a", b"after"))
    assert payloads(link) == [b"before"]


def test_a_full_inbox_drops_the_oldest() -> None:
    net = network(inbox=2)
    link = listener(net, "a")
    for number in range(4):
        net.inject(Parcel("a", bytes((number,))))
    assert payloads(link) == [b"\2", b"\3"]
    assert link.inbox.dropped == 2


def test_without_faults_no_dice_roll_and_order_is_kept() -> None:
    dice = SeededDice()
    net = MemoryNetwork(dice)
    link = listener(net, "#")
    for number in range(50):
        net.inject(Parcel(f"a/{number % 7}", bytes((number,))))
    assert payloads(link) == [bytes((number,)) for number in range(50)]
    assert dice.rolled == 0


def faulty(seed: int, *, loss: float = 0, duplicate: float = 0, reorder: float = 0) -> list[bytes]:
    net = network(seed)
    net.loss, net.duplicate, net.reorder = loss, duplicate, reorder
    link = listener(net, "a")
    for number in range(40):
        net.inject(Parcel("a", bytes((number,))))
    return payloads(link)


ALL = [bytes((number,)) for number in range(40)]


@given(st.integers())
def test_loss_takes_away_and_adds_nothing(seed: int) -> None:
    got = faulty(seed, loss=0.5)
    assert got == sorted(set(got))
    assert 0 < len(got) < 40


@given(st.integers())
def test_duplicates_add_and_take_nothing_away(seed: int) -> None:
    got = faulty(seed, duplicate=0.5)
    assert got == sorted(got)
    assert sorted(set(got)) == ALL
    assert 40 < len(got) < 80


@given(st.integers())
def test_reordering_loses_nothing_and_is_bounded(seed: int) -> None:
    got = faulty(seed, reorder=0.5)
    assert sorted(got) == ALL
    assert got != ALL
    assert all(abs(got.index(payload) - place) <= 16 for place, payload in enumerate(ALL))


@given(st.integers())
def test_the_same_seed_gives_the_same_deliveries(seed: int) -> None:
    odds = {"loss": 0.2, "duplicate": 0.2, "reorder": 0.3}
    assert faulty(seed, **odds) == faulty(seed, **odds)
    assert faulty(seed, **odds) != faulty(seed + 1, **odds)


@pytest.mark.parametrize(("fault", "got"), [("loss", []), ("duplicate", [b"x", b"x"]), ("reorder", [b"x"])])
def test_a_certain_fault_is_certain(fault: str, got: list[bytes]) -> None:
    net = network()
    setattr(net, fault, 1.0)
    link = listener(net, "a")
    net.inject(Parcel("a", b"x"))
    assert payloads(link) == got
    assert net.lost == (fault == "loss")


def test_held_messages_come_late_and_in_order() -> None:
    net = network()
    link = listener(net, "#")
    net.hold(lambda parcel: parcel.topic == "slow")
    for topic, payload in (("slow", b"1"), ("fast", b"2"), ("slow", b"3")):
        net.inject(Parcel(topic, payload, retain=True))
    assert net.held == (Parcel("slow", b"1", retain=True), Parcel("slow", b"3", retain=True))
    assert net.retained() == {"fast": b"2"}
    net.release()
    net.inject(Parcel("slow", b"4"))
    assert payloads(link) == [b"2", b"1", b"3", b"4"]


def test_the_enemy_reads_all_traffic_forgets_and_lies() -> None:
    net = network()
    link = listener(net, "a")
    link.publish(Parcel("b", b"1", retain=True))
    net.inject(Parcel("a", b"2"))
    net.record = False
    net.inject(Parcel("a", b"3"))
    assert net.traffic == [Parcel("b", b"1", retain=True), Parcel("a", b"2")]
    net.forget_retained()
    assert net.retained() == {}
    lie = Delivery("not/listened/to", b"4", retained=True)
    net.deliver("ear", lie)
    net.deliver("nobody", lie)
    assert taken(link)[-1] == lie


def test_the_record_of_traffic_is_bounded() -> None:
    net = network()
    net.traffic_limit = 10
    for number in range(25):
        net.inject(Parcel("a", bytes((number,))))
    assert len(net.traffic) <= 10
    assert net.traffic[-1] == Parcel("a", bytes((24,)))


def test_the_transport_waits_for_what_arrives() -> None:
    async def play() -> list[Delivery | Link]:
        net = network()
        transport = MemoryTransport(net.attach("ear"))
        net.reorder = 1.0
        items = []
        loop = asyncio.get_running_loop()
        await transport.listen(["a"])
        loop.call_soon(net.inject, Parcel("a", b"1"))
        async for item in transport.deliveries():
            items.append(item)
            if item == Delivery("a", b"1"):
                await transport.send(Parcel("a", b"2"))
                await transport.close()
        return items

    # `close` came before the reader took "2", which was on its way and late
    assert asyncio.run(play()) == [UP, Delivery("a", b"1")]
