"""The store that forgets: what every cut leaves, and that a batch is never halved."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol.ports import Write
from accessory_emu.storage.base import StoreError
from accessory_emu.storage.memory import MemoryStore

A, B, C = Write("a", b"1"), Write("b", b"2"), Write("c", b"3")
NO_B = Write("b", None)
BATCHES: Sequence[Sequence[Write]] = ((A, B), (C,), (NO_B, Write("a", b"9"), Write("d", b"4")))
LATE = Write("late", b"5", durable=False)

CUTS = {  # after so many row writes: what is left, and how many batches their writers believe to be kept
    0: ({}, 0),
    1: ({}, 0),
    2: ({"a": b"1", "b": b"2"}, 0),  # kept, but the power went before anybody learned of it
    3: ({"a": b"1", "b": b"2", "c": b"3"}, 1),
    4: ({"a": b"1", "b": b"2", "c": b"3"}, 2),
    5: ({"a": b"1", "b": b"2", "c": b"3"}, 2),
    6: ({"a": b"9", "c": b"3", "d": b"4"}, 2),
    7: ({"a": b"9", "c": b"3", "d": b"4"}, 3),
}


@pytest.mark.parametrize(("cut_at", "left"), CUTS.items())
def test_a_cut_leaves_whole_batches_only(cut_at: int, left: tuple[dict[str, bytes], int]) -> None:
    store, acknowledged = MemoryStore(cut_at), 0
    for batch in BATCHES:
        try:
            store.apply(batch)
        except StoreError:
            break
        acknowledged += 1
    assert (store.survivors().load(""), acknowledged) == left


def test_without_a_cut_everything_is_kept() -> None:
    store = MemoryStore()
    for batch in BATCHES:
        asyncio.run(store.commit(batch))
    assert store.load("") == {"a": b"9", "c": b"3", "d": b"4"}
    assert store.survivors().load("") == store.load("")


CALLS = {
    "load": lambda store: store.load(""),
    "apply": lambda store: store.apply((A,)),
    "commit": lambda store: asyncio.run(store.commit((A,))),
    "behind": lambda store: store.behind((LATE,)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_after_the_cut_every_call_is_refused(call: Callable[[MemoryStore], None]) -> None:
    store = MemoryStore(cut_at=1)
    with pytest.raises(StoreError, match="power cut"):
        store.apply((A,))
    with pytest.raises(StoreError, match="power cut"):
        call(store)
    call(store.survivors())


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_after_closing_every_call_is_refused(call: Callable[[MemoryStore], None]) -> None:
    store = MemoryStore()
    asyncio.run(store.close())
    asyncio.run(store.close())
    with pytest.raises(StoreError, match="closed"):
        call(store)


def test_rows_behind_are_read_at_once_and_lost_in_a_cut() -> None:
    store = MemoryStore()
    store.apply((A,))
    store.behind((LATE, Write("a", None, durable=False)))
    assert store.load("") == {"late": b"5"}
    assert store.survivors().load("") == {"a": b"1"}


def test_rows_behind_are_kept_with_the_next_batch_or_at_close() -> None:
    store = MemoryStore()
    store.behind((LATE,))
    store.apply((A,))
    assert store.survivors().load("") == {"a": b"1", "late": b"5"}
    store.behind((Write("late", b"6"),))
    asyncio.run(store.close())
    assert store.survivors().load("late") == {"late": b"6"}


def test_rows_behind_count_as_the_first_writes_of_their_batch() -> None:
    store = MemoryStore(cut_at=2)
    store.behind((Write("late", b"4"), LATE))
    with pytest.raises(StoreError, match="power cut"):
        store.apply((A,))
    assert store.survivors().load("") == {"a": b"1", "late": b"5"}


def test_a_later_batch_wins_over_a_row_behind() -> None:
    store = MemoryStore()
    store.behind((Write("a", b"old"),))
    store.apply((A,))
    assert store.load("a") == {"a": b"1"}


def test_survivors_can_be_cut_again_and_know_nothing_of_the_old_store() -> None:
    store = MemoryStore()
    store.apply((A,))
    second = store.survivors(cut_at=1)
    store.apply((B,))
    with pytest.raises(StoreError, match="power cut"):
        second.apply((C, B))
    assert second.survivors().load("") == {"a": b"1"}


def test_load_gives_the_rows_of_a_prefix_in_order() -> None:
    store = MemoryStore()
    store.apply((Write("b/2", b"2"), Write("b/1", b"1"), Write("c/1", b"3"), Write("b", b"0")))
    assert list(store.load("b/").items()) == [("b/1", b"1"), ("b/2", b"2")]


rows = st.lists(
    st.builds(Write, st.sampled_from("abc"), st.none() | st.binary(max_size=2), st.booleans()), max_size=4
)


@given(batches=st.lists(rows, max_size=5), cut_at=st.integers(0, 20))
def test_any_cut_leaves_the_state_after_some_whole_batch(batches: list[list[Write]], cut_at: int) -> None:
    whole, store = MemoryStore(), MemoryStore(cut_at)
    states = [whole.load("")]
    acknowledged = 0
    try:
        for batch in batches:
            whole.apply(batch)
            states.append(whole.load(""))
            store.apply(batch)
            acknowledged += 1
    except StoreError:
        pass
    left = store.survivors().load("")
    assert left in states[acknowledged : acknowledged + 2]
