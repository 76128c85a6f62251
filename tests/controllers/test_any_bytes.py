"""Whatever arrives on whatever topic: no actor raises, keeps a row, or forgets its deadline."""

from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accessory_emu.protocol.identifiers import AccessoryId, Version
from accessory_emu.protocol.ports import Delivery, Engine, Link
from controllers.member import Member
from controllers.owner import Owner
from controllers.sequencer import Sequencer
from tests.controllers.test_owner import House
from tests.controllers.village import key

NOW = 1_780_000_100_000


@cache
def traffic() -> tuple[list[tuple[str, bytes]], dict[str, dict[str, bytes]], bytes]:
    """Give what an honest home says, the rows of its actors, and its genesis."""
    house = House()
    lamp = house.paired("lamp")
    rosa = house.member("rosa")
    house.write(rosa, lamp)
    rows = {}
    for name in ("olga", "sequencer", "rosa"):
        house.world.nodes[name].store.apply(())
        rows[name] = house.world.nodes[name].store.load("")
    return [(each.topic, each.payload) for each in house.world.network.traffic], rows, house.genesis


def _owner() -> Engine:
    house = House()
    return Owner(house.owner.identity, house.world.topics, house.world.random, traffic()[1]["olga"])


def _sequencer() -> Engine:
    house = House()
    return Sequencer(key("sequencer"), house.world.topics, house.world.random, traffic()[1]["sequencer"])


def _rosa() -> Engine:
    house = House()
    engine = house.member("rosa").engine
    assert isinstance(engine, Member)
    return Member(engine.identity, house.world.topics, house.world.random, traffic()[1]["rosa"])


ACTORS: dict[str, Callable[[], Engine]] = {"owner": _owner, "sequencer": _sequencer, "member": _rosa}


@cache
def engine_of(name: str) -> Engine:
    """Give an actor that is connected, busy, and has nothing left to say."""
    engine = ACTORS[name]()
    engine.linked(Link(up=True), NOW)
    if isinstance(engine, Owner):
        engine.write(AccessoryId(key("lamp").kid), [(1, 10, True)], NOW)
        engine.pair(AccessoryId(b"nobody!!"), "203-45-171", NOW)
    for later in (0, 600, 700):
        engine.tick(NOW + later)
        _drain(engine)
    return engine


def _drain(engine: Engine) -> tuple[int, int]:
    rows = engine.writes()
    engine.committed()
    parcels = engine.outbox()
    while engine.next_event() is not None:
        pass
    engine.again()
    return len(rows), len(parcels)


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    """Give honest messages bent, cut, or on other topics; and bytes out of nothing."""
    said = traffic()[0]
    topic, _ = draw(st.sampled_from(said))
    _, payload = draw(st.sampled_from(said))
    match draw(st.integers(0, 3)):
        case 0:
            payload = draw(st.binary(max_size=80))
        case 1 if payload:
            at = draw(st.integers(0, len(payload) - 1))
            payload = payload[:at] + bytes([payload[at] ^ (1 << draw(st.integers(0, 7)))]) + payload[at + 1 :]
        case 2:
            payload = payload[: draw(st.integers(0, len(payload)))]
        case _:
            payload += draw(st.binary(min_size=1, max_size=3))
    topic = draw(
        st.one_of(st.just(topic), st.text(max_size=30), st.just(topic + "/x"), st.just("ae1/" + topic))
    )
    return Delivery(topic, payload, retained=draw(st.booleans()))


@pytest.mark.parametrize("name", ACTORS)
@settings(max_examples=400, deadline=None)
@given(delivery=deliveries())
def test_no_bytes_of_strangers_make_an_actor_raise_or_write(name: str, delivery: Delivery) -> None:
    engine = engine_of(name)
    engine.receive(delivery, NOW + 800)
    rows, _ = _drain(engine)
    if not _is_honest(delivery):
        assert rows == 0
    deadline = engine.deadline()
    assert deadline is None or deadline > NOW + 800


def _is_honest(delivery: Delivery) -> bool:
    """Tell whether these are the bytes of somebody of the home, perhaps on another topic."""
    return any(payload == delivery.payload for _, payload in traffic()[0])


@pytest.mark.parametrize("name", ACTORS)
def test_everything_honest_on_every_topic_in_any_order_does_no_harm(name: str) -> None:
    engine = engine_of(name)
    before = engine.view.version  # type: ignore[attr-defined]  # all three have one
    said = traffic()[0]
    topics = sorted({topic for topic, _ in said})
    for _, payload in reversed(said):
        for topic in topics:
            for retained in (False, True):
                engine.receive(Delivery(topic, payload, retained), NOW + 900)
        _drain(engine)
    assert engine.view.version == before  # type: ignore[attr-defined]
    assert before > Version(0, 0)
