"""The types are HAP's, their words read and write, and what people call things stays out."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accessory_emu.accessory.catalogue import (
    IDENTIFY,
    INFORMATION,
    TYPES,
    AccessoryType,
    build,
    parse_assignment,
    to_wire,
    to_words,
)
from accessory_emu.accessory.model import Format, Model, Permission, Plain, Status
from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Value

SERIAL = "8899aabbccddeeff"
DAY = 86_400_000

# type: category, writable, read only, sync under a hub and under a device, values durable
SHEET: Mapping[str, tuple[int, tuple[str, ...], tuple[str, ...], int, int, bool]] = {
    "light": (5, ("on", "brightness"), (), DAY, 30 * DAY, False),
    "lock": (6, ("lock",), ("lock_state",), 0, 7 * DAY, True),
    "thermostat": (9, ("mode", "target", "units"), ("temperature", "mode_now"), DAY, 30 * DAY, False),
    "contact-sensor": (10, (), ("contact",), DAY, 30 * DAY, False),
}
# type: iid, HAP's short UUID, format, range or words, of what its own service has
HAP: Mapping[str, list[tuple[int, str, str, str]]] = {
    "light": [(10, "25", "bool", "true or false"), (11, "8", "int", "0 to 100 in steps of 1")],
    "lock": [
        (10, "1E", "uint8", "unlocked or locked"),
        (11, "1D", "uint8", "unlocked or locked or jammed or unknown"),
    ],
    "thermostat": [
        (10, "33", "uint8", "off or heat or cool or auto"),
        (11, "35", "float", "10 to 38 in steps of 0.1"),
        (12, "11", "float", "0 to 100 in steps of 0.1"),
        (13, "F", "uint8", "off or heat or cool"),
        (14, "36", "uint8", "celsius or fahrenheit"),
    ],
    "contact-sensor": [(10, "6A", "uint8", "closed or open")],
}

each_type = pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES)


def test_the_catalogue_is_the_sheet() -> None:
    assert {
        name: (
            kind.category,
            kind.writable,
            kind.read_only,
            kind.sync_hub_ms,
            kind.sync_device_ms,
            kind.durable,
        )
        for name, kind in TYPES.items()
    } == SHEET


@each_type
def test_the_own_service_follows_haps_tables(kind: AccessoryType) -> None:
    service = kind.accessory.services[-1]
    rows = [(each.iid, each.hap_type, each.format.value, each.allowed) for each in service.characteristics]
    assert rows == HAP[kind.name]


@each_type
def test_the_information_service_comes_first_and_its_places_are_fixed(kind: AccessoryType) -> None:
    information = kind.accessory.services[0]
    assert (information.iid, information.hap_type) == (1, INFORMATION)
    assert [(each.iid, each.hap_type, each.word) for each in information.characteristics] == [
        (2, "14", "identify"),
        (3, "20", "manufacturer"),
        (4, "21", "model"),
        (5, "23", "name"),
        (6, "30", "serial"),
        (7, "52", "firmware"),
    ]
    identify = kind.accessory.at(*IDENTIFY)
    assert identify is not None
    assert identify.permissions is Permission.WRITE


@each_type
def test_iids_and_words_are_unique_and_defaults_fit(kind: AccessoryType) -> None:
    words = [each.word for each in kind.accessory]
    iids = [each.iid for each in kind.accessory] + [each.iid for each in kind.accessory.services]
    assert len(set(words)) == len(words)
    assert len(set(iids)) == len(iids)
    for each in kind.accessory:
        assert repr(each.fit(each.default)) == repr(each.default)
        assert Permission.NOTIFY in each.permissions or each.permissions in (
            Permission.READ,
            Permission.WRITE,
        )


@each_type
def test_at_the_defaults_the_rules_are_at_rest(kind: AccessoryType) -> None:
    model = build(kind.name, {}, SERIAL)
    values = {each.word: model.values[each.iid] for each in kind.accessory if each.iid in model.values}
    assert all(rule.follow(values) == values[rule.target] for rule in kind.accessory.rules)


@each_type
def test_a_model_tells_type_and_serial_and_nothing_that_people_named(kind: AccessoryType) -> None:
    model = build(kind.name, {}, SERIAL)
    texts = {each.word: model.values[each.iid] for each in kind.accessory if each.format is Format.STRING}
    assert texts == {
        "manufacturer": "accessory-emu",
        "model": kind.name,
        "name": kind.name,
        "serial": SERIAL,
        "firmware": "1.0.0",
    }


def test_the_first_command_of_the_specification_lights_a_lamp() -> None:
    outcome = build("light", {}, SERIAL).write([(1, 10, True), (1, 11, 75)])
    assert outcome.changed == ((1, 10, True), (1, 11, 75))


STATES: Mapping[str, tuple[str, Mapping[str, object], Mapping[str, Plain]]] = {
    "a dimmed lamp": ("light", {"on": False, "brightness": 60}, {"brightness": 60}),
    "an open lock": ("lock", {"lock": "unlocked"}, {"lock": "unlocked", "lock_state": "unlocked"}),
    "a jammed lock": ("lock", {"lock_state": "jammed"}, {"lock_state": "jammed"}),
    "heating": (
        "thermostat",
        {"mode": "heat", "target": 20.5},
        {"mode": "heat", "target": 20.5, "mode_now": "heat"},
    ),
    "warm enough": ("thermostat", {"mode": "heat", "target": 19}, {"mode": "heat", "target": 19.0}),
    "cooling": (
        "thermostat",
        {"mode": "cool", "target": 18},
        {"mode": "cool", "target": 18.0, "mode_now": "cool"},
    ),
    "cool enough": ("thermostat", {"mode": "cool", "target": 22}, {"mode": "cool", "target": 22.0}),
    "automatic in the cold": (
        "thermostat",
        {"mode": "auto", "temperature": 15},
        {"mode": "auto", "temperature": 15.0, "mode_now": "heat"},
    ),
    "automatic in the heat": (
        "thermostat",
        {"mode": "auto", "temperature": 30},
        {"mode": "auto", "temperature": 30.0, "mode_now": "cool"},
    ),
    "automatic at rest": ("thermostat", {"mode": "auto"}, {"mode": "auto"}),
    "switched off in the cold": ("thermostat", {"temperature": 5}, {"temperature": 5.0}),
    "an open window": ("contact-sensor", {"contact": "open"}, {"contact": "open"}),
}


@pytest.mark.parametrize(("name", "state", "want"), STATES.values(), ids=STATES)
def test_a_model_starts_in_the_state_it_is_given(
    name: str, state: Mapping[str, object], want: Mapping[str, Plain]
) -> None:
    model = build(name, state, SERIAL)
    assert to_words(model.accessory, model.changes_since(build(name, {}, SERIAL))) == want


NO_STATES: Mapping[str, tuple[str, Mapping[str, object], str]] = {
    "an unknown type": (
        "lamp",
        {},
        "no type is called 'lamp'; there are light, lock, thermostat, contact-sensor",
    ),
    "an unknown word": ("light", {"brightnes": 1}, "light has no 'brightnes'; it has on, brightness"),
    "a name": ("light", {"name": "Hall lamp"}, "light has no 'name'; it has on, brightness"),
    "a serial": ("light", {"serial": "1"}, "light has no 'serial'; it has on, brightness"),
    "too bright": (
        "light",
        {"brightness": 140},
        "brightness: 140 is not allowed, only 0 to 100 in steps of 1",
    ),
    "a word as a boolean": ("light", {"on": "on"}, "on: 'on' is not allowed, only true or false"),
    "another word": ("lock", {"lock": "open"}, "lock: 'open' is not allowed, only unlocked or locked"),
    "a number as a word": ("lock", {"lock": 1}, "lock: 1 is not allowed, only unlocked or locked"),
    "a list": ("lock", {"lock": ["locked"]}, "lock: ['locked'] is not allowed, only unlocked or locked"),
    "nothing": ("light", {"on": None}, "on: None is not allowed, only true or false"),
}


@pytest.mark.parametrize(("name", "state", "says"), NO_STATES.values(), ids=NO_STATES)
def test_a_wrong_state_is_refused_with_what_exists(name: str, state: Mapping[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        build(name, state, SERIAL)


def test_a_serial_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="serial"):
        build("light", {}, "8" * (limits.STRING_SIZE + 1))


def test_a_lock_state_follows_the_lock_and_cannot_be_written() -> None:
    lock = build("lock", {}, SERIAL)
    outcome = lock.write(to_wire(lock.accessory, {"lock_state": "jammed", "lock": "unlocked"}))
    assert [status for _, _, status in outcome.results] == [Status.READ_ONLY, Status.SUCCESS]
    assert to_words(lock.accessory, outcome.changed) == {"lock": "unlocked", "lock_state": "unlocked"}


def test_words_go_to_the_wire_in_their_order() -> None:
    light = TYPES["light"].accessory
    assert to_wire(light, {"brightness": 40, "on": True}) == [(1, 11, 40), (1, 10, True)]
    assert to_wire(light, {"identify": True}) == [(*IDENTIFY, True)]
    with pytest.raises(ValueError, match=r"no value is called 'lock'; there are identify, .*on, brightness"):
        to_wire(light, {"lock": "locked"})
    with pytest.raises(ValueError, match="brightness: 101 is not allowed"):
        to_wire(light, {"brightness": 101})


def test_items_become_words_and_nothing_is_lost() -> None:
    lock = TYPES["lock"].accessory
    items: list[tuple[int, int, Value]] = [(1, 10, 0), (1, 11, 9), (1, 99, b"?"), (2, 10, 1)]
    assert to_words(lock, items) == {"lock": "unlocked", "lock_state": 9, "1.99": b"?", "2.10": 1}


ASSIGNMENTS: Mapping[str, tuple[str, str, tuple[str, Plain]]] = {
    "a boolean": ("light", "on=true", ("on", True)),
    "a number": ("light", "brightness=40", ("brightness", 40)),
    "a decimal": ("thermostat", "target=20.5", ("target", 20.5)),
    "a word": ("lock", "lock=unlocked", ("lock", "unlocked")),
    "a mode called off": ("thermostat", "mode=off", ("mode", "off")),
}
NO_ASSIGNMENTS: Mapping[str, tuple[str, str, str]] = {
    "no equals sign": ("light", "on", "'on' is no assignment; write WORD=VALUE, for example on=true"),
    "an unknown word": ("light", "hue=1", "no value is called 'hue'; there are .*on, brightness"),
    "no word": ("light", "=1", "no value is called ''"),
    "off is no boolean": ("light", "on=off", "on: 'off' is not allowed, only true or false"),
    "too much": ("light", "brightness=400", "brightness: 400 is not allowed, only 0 to 100 in steps of 1"),
    "two equals signs": ("light", "on=true=false", "on: 'true=false' is not allowed"),
}


@pytest.mark.parametrize(("name", "text", "want"), ASSIGNMENTS.values(), ids=ASSIGNMENTS)
def test_an_assignment_reads(name: str, text: str, want: tuple[str, Plain]) -> None:
    assert parse_assignment(TYPES[name].accessory, text) == want


@pytest.mark.parametrize(("name", "text", "says"), NO_ASSIGNMENTS.values(), ids=NO_ASSIGNMENTS)
def test_a_wrong_assignment_is_refused_with_what_is_allowed(name: str, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}"):
        parse_assignment(TYPES[name].accessory, text)


TEXTS = st.one_of(st.sampled_from(["on", "target", "lock", "true", "20.5", "locked"]), st.text(max_size=20))


@given(st.sampled_from([*TYPES.values()]), TEXTS, TEXTS)
@settings(max_examples=150)
def test_any_text_is_an_assignment_or_is_refused(kind: AccessoryType, word: str, value: str) -> None:
    try:
        read, given_ = parse_assignment(kind.accessory, f"{word}={value}")
    except ValueError:
        return
    assert to_words(kind.accessory, to_wire(kind.accessory, {read: given_})) == {read: given_}


VALUES = st.one_of(st.booleans(), st.integers(-1, 101), st.integers(95, 385).map(lambda tenth: tenth / 10))


@given(
    st.sampled_from([*TYPES.values()]),
    st.lists(st.lists(st.tuples(st.just(1), st.integers(1, 15), VALUES), max_size=6), max_size=4),
)
@settings(max_examples=150)
def test_after_any_writes_every_value_is_valid_and_is_kept(
    kind: AccessoryType, writes: list[list[tuple[int, int, Plain]]]
) -> None:
    new = model = build(kind.name, {}, SERIAL)
    for items in writes:
        model = model.write(items).model
    for each in kind.accessory:
        value = model.values.get(each.iid)
        assert value is None or repr(each.fit(value)) == repr(value)
    assert new.load(model.dump()) == model
    state = to_words(kind.accessory, model.changes_since(new))
    assert new.with_state(state) == model
    assert Model.of(kind.accessory).load(model.dump()).dump() == model.dump()
