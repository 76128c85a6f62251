"""Who holds a key of the home may sign anything: no actor raises, and no actor spins."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.encoding import Value, decode, encode
from accessory_emu.protocol.envelope import Context, parse, seal
from accessory_emu.protocol.identifiers import NO_ACCESSORY, NO_HOME, AccessoryId, Version
from accessory_emu.protocol.messages import HintKey, Response
from accessory_emu.protocol.ports import Delivery, Engine, Link
from accessory_emu.protocol.reasons import Reason
from controllers.attempt import AGAIN
from controllers.member import Member
from tests.controllers.test_owner import House
from tests.controllers.village import ROOM, Puppet, Village, key, person

HOME_OBJECTS = (Context.REQUEST, Context.ENTRY, Context.CHECKPOINT, Context.HEAD, Context.HUB_RESPONSE)
OF_BOTH = (Context.RESPONSE, Context.ACK, Context.SYNC, Context.EVENT)

numbers = st.one_of(st.integers(0, 3), st.integers(0, limits.UINT64_MAX))
scalars = st.one_of(st.booleans(), numbers, st.binary(max_size=40), st.text(max_size=8))
values: st.SearchStrategy[Value] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(numbers, inner, max_size=5)),
    max_leaves=8,
)


edges = st.sampled_from([0, 1, 2**63, limits.UINT64_MAX])
hints = st.dictionaries(st.sampled_from(HintKey), st.one_of(edges, edges, values), min_size=1)


@cache
def scene() -> tuple[House, SigningKey, dict[Context, bytes]]:
    """Give a busy home, its accessory's key, and one honest payload of each kind."""
    house = House()
    lamp = house.paired("lamp")
    rosa = house.member("rosa")
    house.write(rosa, lamp)
    payloads: dict[Context, bytes] = {}
    for each in house.world.network.traffic:
        if each.payload[:2] == b"\xd2\x84":
            envelope = parse(each.payload)
            payloads.setdefault(envelope.context, envelope.payload)
    return house, lamp.accessory.device.founding.key, payloads


def _signers(house: House, lamp: SigningKey) -> dict[Context, SigningKey]:
    owner, sequencer = house.owner.identity.key, key("sequencer")
    of_sequencer = (Context.ENTRY, Context.HEAD, Context.HUB_RESPONSE)
    mine = dict.fromkeys(of_sequencer, sequencer)
    return (
        {Context.REQUEST: owner, Context.CHECKPOINT: owner}
        | mine
        | dict.fromkeys((*OF_BOTH, Context.ANNOUNCE), lamp)
    )


def _topics(house: House, lamp: SigningKey) -> dict[Context, list[str]]:
    topics, home = house.world.topics, house.owner.view.home if house.owner.view else NO_HOME
    accessory = AccessoryId(lamp.kid)
    log = [
        topics.log(home, Version(0, 1)),
        topics.head(home),
        topics.checkpoint(home),
        topics.hub_inbox(home),
    ]
    out = [topics.out(accessory, key("olga").kid), topics.out(accessory, key("rosa").kid)]
    return {
        Context.REQUEST: [topics.hub_inbox(home)],
        Context.ENTRY: log,
        Context.HEAD: log,
        Context.CHECKPOINT: log,
        Context.HUB_RESPONSE: [topics.member(home, key("olga").kid)],
        Context.ACK: [topics.ack(home, accessory)],
        Context.SYNC: [topics.sync(home, accessory)],
        Context.ANNOUNCE: [topics.announce(accessory)],
        Context.RESPONSE: out,
        Context.EVENT: out,
    }


@st.composite
def nonsense(draw: st.DrawFn) -> tuple[Delivery, Context]:
    """Give a message that verifies: an honest payload with fields exchanged, or any value at all."""
    house, lamp, payloads = scene()
    context = draw(st.sampled_from([*HOME_OBJECTS, *OF_BOTH, Context.ANNOUNCE]))
    payload = payloads.get(context, b"\xa0")
    honest = decode(payload, floats=True)
    value: Value = draw(values)
    if isinstance(honest, dict) and honest and draw(st.booleans()):
        value = {**honest, draw(st.sampled_from(sorted(honest))): value}
    if draw(st.integers(0, 9)) == 0 and isinstance(honest, dict):
        value = {name: item for name, item in honest.items() if draw(st.booleans())}
    home = house.owner.view.home if house.owner.view else NO_HOME
    for_home = home if context in (*HOME_OBJECTS, *OF_BOTH) else NO_HOME
    accessory = AccessoryId(lamp.kid) if context in (*OF_BOTH, Context.ANNOUNCE) else NO_ACCESSORY
    try:
        raw = encode(value)
    except ValueError:
        raw = payload  # nested too deeply
    sealed = seal(_signers(house, lamp)[context], context, raw, for_home, accessory)
    topic = draw(st.sampled_from(_topics(house, lamp)[context]))
    return Delivery(topic, sealed.raw, retained=draw(st.booleans())), context


def _again(name: str) -> Engine:
    """Start an actor anew from what its store holds, connected and busy."""
    house, lamp, _ = scene()
    node = house.world.nodes[name]
    node.store.apply(())
    engine = node.build(node.store.load(""))
    engine.linked(Link(up=True), house.world.now)
    engine.tick(house.world.now + limits.LOOK_MS)
    if isinstance(engine, Member):
        engine.write(AccessoryId(lamp.kid), [(1, 10, True)], house.world.now)
    engine.writes()
    engine.committed()
    return engine


@pytest.mark.parametrize("name", ["olga", "rosa", "sequencer"])
@settings(max_examples=100, deadline=None)
@given(batch=st.lists(nonsense(), min_size=1, max_size=4))
def test_no_signed_nonsense_makes_an_actor_raise_or_spin(
    name: str, batch: list[tuple[Delivery, Context]]
) -> None:
    now = scene()[0].world.now + limits.LOOK_MS
    engine = _again(name)
    for delivery, _ in batch:
        engine.receive(delivery, now)
        engine.writes()
        engine.committed()
        engine.outbox()
    for _ in range(50):
        deadline = engine.deadline()
        if deadline is None:
            return
        assert deadline > now, "a deadline that has passed was dealt with"
        now = deadline
        engine.tick(now)
        engine.writes()
        engine.committed()
        engine.outbox()


@settings(max_examples=100, deadline=None)
@given(
    statuses=st.lists(
        st.tuples(st.sampled_from([None, *AGAIN, *AGAIN, *Reason]), hints, values),
        min_size=1,
        max_size=4,
    ),
    strict=st.booleans(),
)
def test_whatever_an_accessory_answers_an_act_ends(
    statuses: list[tuple[Reason | None, dict[HintKey, Value], Value]], *, strict: bool
) -> None:
    village, lamp, rosa = _pair(strict=strict)
    act = rosa.write(lamp.id, [(1, 10, True)], village.world.now)
    now = village.world.now
    for status, hint, results in statuses:
        if act.done or not act.sent:
            break
        response = Response(
            lamp.boot,
            act.sent[-1].id,
            status,
            Version(0, 1),
            results,
            {int(name): item for name, item in hint.items()},
        )
        try:
            raw = seal(lamp.key, Context.RESPONSE, response.encode(), village.home, lamp.id).raw
        except ValueError:
            continue  # nested too deeply to be sent
        rosa.receive(Delivery(village.world.topics.out(lamp.id, rosa.identity.kid), raw), now)
    for _ in range(20):
        deadline = rosa.deadline()
        if deadline is None:
            break
        assert deadline > now
        now = deadline
        rosa.tick(now)
    assert act.done
    assert len(act.sent) <= 2 * (limits.RETRIES + 1)


@cache
def _village() -> tuple[Village, Puppet]:
    village = Village()
    village.ask(village.adding("rosa"))
    return village, village.puppet("lamp")


def _pair(*, strict: bool) -> tuple[Village, Puppet, Member]:
    village, lamp = _village()
    rosa = Member(person("rosa"), village.world.topics, village.world.random, {}, village.trust)
    rosa.linked(Link(up=True), village.world.now)
    lamp.announce(capabilities=replace(ROOM, strict=strict))
    for topic, payload in village.world.network.retained().items():
        rosa.receive(Delivery(topic, payload, retained=True), village.world.now)
    assert rosa.identity.known(lamp.id) is not None
    return village, lamp, rosa
