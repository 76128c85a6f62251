"""The inbox drops the oldest deliveries and never hides that the link was lost."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol.ports import Delivery, Link
from accessory_emu.transports.inbox import Deliveries, Inbox

UP, DOWN = Link(up=True), Link(up=False)


def message(number: int) -> Delivery:
    return Delivery(f"t/{number}", b"")


def emptied(inbox: Inbox) -> list[Delivery | Link]:
    items = []
    while (item := inbox.take()) is not None:
        items.append(item)
    return items


def test_items_come_out_in_order_of_arrival() -> None:
    inbox = Inbox(5)
    for item in (UP, message(1), DOWN, UP, message(2)):
        inbox.put(item)
    assert len(inbox) == 2
    assert emptied(inbox) == [UP, message(1), DOWN, UP, message(2)]
    assert inbox.take() is None


def test_the_oldest_delivery_goes_when_there_is_no_room() -> None:
    inbox = Inbox(2)
    for item in (UP, message(1), DOWN, UP, message(2), message(3), message(4)):
        inbox.put(item)
    assert emptied(inbox) == [DOWN, UP, message(3), message(4)]
    assert inbox.dropped == 2


@pytest.mark.parametrize(
    ("links", "kept"),
    [
        ([UP, UP], [UP]),
        ([UP, DOWN, UP, DOWN], [UP, DOWN]),
        ([UP, DOWN, UP, DOWN, UP], [UP, DOWN, UP]),
        ([DOWN, UP, DOWN, DOWN, UP], [DOWN, UP]),
    ],
)
def test_a_flapping_link_is_a_loss_and_a_return(links: list[Link], kept: list[Link]) -> None:
    inbox = Inbox(1)
    for link in links:
        inbox.put(link)
    assert emptied(inbox) == kept


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 4))
def test_the_reader_sees_every_loss_and_the_queue_stays_small(steps: list[int], limit: int) -> None:
    inbox, up, losses, sent = Inbox(limit), True, 0, 0
    inbox.put(UP)
    for step in steps:
        if step == 0:
            up = not up
            inbox.put(Link(up=up))
            losses += not up
        else:
            sent += 1
            inbox.put(message(sent))
    items = emptied(inbox)
    links = [item for item in items if isinstance(item, Link)]
    numbers = [item for item in items if isinstance(item, Delivery)]
    assert numbers == [message(number) for number in range(1, sent + 1)][-limit:]
    assert inbox.dropped == sent - len(numbers)
    assert links[-1] == Link(up=up)
    assert all(first != second for first, second in itertools.pairwise(links))
    assert (DOWN in links) == bool(losses)
    assert len(links) <= 2 * (limit + 1) + 1


def test_a_closed_inbox_gives_what_it_has_and_takes_nothing() -> None:
    inbox = Inbox(1)
    inbox.put(message(1))
    inbox.close()
    inbox.put(message(2))
    assert emptied(inbox) == [message(1)]


def test_an_inbox_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Inbox(0)


def test_a_reader_waits_for_what_comes_and_ends_with_the_inbox() -> None:
    async def play() -> list[Delivery | Link]:
        inbox = Inbox(5)
        reader = asyncio.create_task(read_all(Deliveries(inbox)))
        for step in (lambda: inbox.put(UP), lambda: inbox.put(message(1)), inbox.close):
            asyncio.get_running_loop().call_soon(step)
        return await reader

    async def read_all(deliveries: Deliveries) -> list[Delivery | Link]:
        return [item async for item in deliveries]

    assert asyncio.run(play()) == [UP, message(1)]
