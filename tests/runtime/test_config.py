"""Home files: the one that ships, every rule with its line, and mutations of all kinds."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accessory_emu.accessory.catalogue import TYPES
from accessory_emu.runtime.config import HomeFile, bundled, find_config, load_home
from accessory_emu.runtime.yaml_file import FileErrors

FLAT = find_config("flat").read_text()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home.yaml"


def loaded(path: Path, text: str) -> HomeFile:
    path.write_text(text)
    return load_home(path)


def mistakes(path: Path, text: str) -> list[str]:
    with pytest.raises(FileErrors) as caught:
        loaded(path, text)
    return str(caught.value).replace(f"{path}:", "").split("\n")


# The home that ships


def test_the_home_that_ships_is_read_whole() -> None:
    home = load_home(find_config("flat"))
    assert [item.id for item in home.accessories] == [
        "front-door", "hall-lamp", "lamp-1", "thermostat", "bed-lamp", "window",
    ]  # fmt: skip
    assert list(home.people) == ["olga", "ben", "rosa", "gus"]
    assert home.notices() == ("hubs are not run yet; left out: hub",)
    assert "203-45-171" not in repr(home)


def test_defaults_follow_from_the_type_and_can_be_set(path: Path) -> None:
    text = FLAT.replace("clock: none", "values: durable, sync: {hub: 1h, device: 0s}, fresh: 60s, keys: 20")
    door, *_, window = loaded(path, text).accessories
    assert (door.durable, door.sync_hub_ms, door.sync_device_ms) == (True, 0, 604_800_000)
    assert (door.fresh, door.keys, door.clock) == (3_600_000, 16, "trusted")
    assert (window.durable, window.sync_hub_ms, window.sync_device_ms) == (True, 3_600_000, 0)
    assert (window.fresh, window.keys) == (60_000, 20)


def test_a_guest_has_a_scope_and_a_window(path: Path) -> None:
    gus = loaded(path, FLAT).people["gus"]
    assert gus.scope == ["front-door"]
    assert gus.when
    assert gus.when != "always"
    assert (gus.when.after, gus.when.before) == (1_767_225_600, 1_798_761_600)


def test_the_smallest_home_is_read(path: Path) -> None:
    home = loaded(path, "home: x\nrooms: {}\naccessories: []")
    assert (home.mqtt, home.people, home.seed, home.notices()) == ("embedded", {}, None, ())


def test_every_type_of_the_catalogue_can_be_written(path: Path) -> None:
    items = [f"{{id: a-{name}, type: {name}, room: r}}" for name in TYPES]
    home = loaded(path, f"home: x\nrooms: {{r: R}}\naccessories: [{', '.join(items)}]")
    assert [item.kind.name for item in home.accessories] == list(TYPES)


# Rules

RULES = {
    "a type that does not exist": (
        "type: contact-sensor", "type: contact",
        [("16: accessories.5.type: there is no such type; there are light, lock, thermostat, contact-sensor;"
          " did you mean 'contact-sensor'?")],
    ),
    "a room that does not exist": (
        "room: bedroom, name: Window", "room: bedrom, name: Window",
        ["16: accessories.5.room: there is no such room; did you mean 'bedroom'?"],
    ),
    "an id that stands twice": (
        "id: bed-lamp", "id: hall-lamp", ["15: accessories.4.id: another accessory has this id"],
    ),
    "an id out of a reserved word": (
        "id: bed-lamp", "id: all", ["15: accessories.4.id: this word is reserved; choose another id"],
    ),
    "a code without dashes": (
        "318-62-904", "31862904",
        ["12: accessories.1.code: write the setup code with dashes, for example 203-45-171"],
    ),
    "a forbidden code": (
        "318-62-904", "123-45-678",
        [("12: accessories.1.code: this setup code is on HomeKit's list of forbidden codes;"
            " choose another one")],
    ),
    "a setup id that is a number": (
        "7K2P", "7222", ["11: accessories.0.setup_id: is read as a number; put the setup id in quotes"],
    ),
    "a value that the type does not have": (
        "brightness: 60", "brightnes: 60",
        [("13: accessories.2.state.brightnes: a light has no such value; it has on, brightness;"
            " did you mean 'brightness'?")],
    ),
    "values that are not allowed": (
        "on: false, brightness: 60", "on: 0, brightness: 101",
        [
            "13: accessories.2.state.on: not allowed here, only true or false",
            "13: accessories.2.state.brightness: not allowed here, only 0 to 100 in steps of 1",
        ],
    ),
    "a mode that YAML 1.1 would read as false": (
        "mode: heat", "mode: false",
        ["14: accessories.3.state.mode: not allowed here, only off or heat or cool or auto"],
    ),
    "too few and too many places": (
        "clock: none", "keys: 256", ["16: accessories.5.keys: Input should be less than or equal to 255"],
    ),
    "faults": ("clock: none", "faults: [{is: deaf}]", ["16: accessories.5.faults: is not supported yet"]),
    "a paired start": ("start: unpaired", "start: paired", ["4: start: paired is not supported yet"]),
    "a queue": ("without_hub: refuse", "without_hub: queue", ["5: without_hub: queue is not supported yet"]),
    "a lease": ("without_hub: refuse", "lease: 1h", ["5: lease: is not supported yet"]),
    "a time zone": (
        "without_hub: refuse", "time_zone: Europe/Berlin",
        ["5: time_zone: Europe/Berlin is not supported yet"],
    ),
    "test keys on another machine": (
        "mqtt: embedded", "mqtt: mqtt://10.0.0.1\nseed: 7",
        ["3: mqtt: a home with a seed has test keys, and stays on this machine: use mqtt://127.0.0.1"],
    ),
    "a wrong address": (
        "mqtt: embedded", "mqtt: http://x",
        ["3: mqtt: no address of an MQTT broker; write mqtt://host:port or mqtts://host:port"],
    ),
    "no broker at all": (
        "mqtt: embedded", "mqtt: ''",
        ["3: mqtt: write embedded, mqtt://host:port or the path of a broker file"],
    ),
    "a negative seed": (
        "without_hub: refuse", "seed: -1", ["5: seed: Input should be greater than or equal to 0"],
    ),
    "a second owner": (
        "role: editor", "role: owner",
        ["19: people.ben.role: another person is the owner; a home has exactly one"],
    ),
    "no owner": (
        "role: owner", "role: editor",
        ["17: people: nobody is the owner; with people, a home has exactly one"],
    ),
    "a role that does not exist": (
        "role: resident", "role: residant",
        [("20: people.rosa.role: Input should be 'owner', 'editor', 'resident' or 'guest';"
            " did you mean 'resident'?")],
    ),
    "a guest without scope": ("    scope: [front-door]\n", "", ["21: people.gus: a guest needs scope"]),
    "a guest for an accessory that does not exist": (
        "[front-door]", "[window, front-dor]",
        ["24: people.gus.scope.1: there is no such accessory; did you mean 'front-door'?"],
    ),
    "a scope that is no list": (
        "[front-door]", "front-door", ["24: people.gus.scope: Input should be 'everything'"],
    ),
    "weekly hours": (
        "{after: 2026-01-01T00:00:00Z, before: 2027-01-01T00:00:00Z}", "{days: [mon], from: 08:00}",
        ["25: people.gus.when: weekly hours: not supported yet; give after and before"],
    ),
    "a window that ends before it begins": (
        "before: 2027", "before: 2025", ["25: people.gus.when.before: must be later than after"],
    ),
    "half a window": (", before: 2027-01-01T00:00:00Z", "", ["25: people.gus.when.before: is missing"]),
    "a window for a resident": (
        "{role: resident, name: Rosa}", "{role: resident, when: always, scope: everything}",
        ["20: people.rosa.scope: only guests have it", "20: people.rosa.when: only guests have it"],
    ),
    "rights to edit for a resident": (
        "name: Rosa}", "edit: [people]}", ["20: people.rosa.edit: only editors have it"],
    ),
    "a person's lease": ("name: Rosa}", "lease: 1h}", ["20: people.rosa.lease: is not supported yet"]),
    "a hub without a value": ("hub: {name: Hall hub}", "hub:",
        ["27: hubs.hub: has no value; give it one or leave the key out"]),
    "a room without a name": ("hall: Hall", "hall: ''",
        ["7: rooms.hall: a name has 1 to 64 printable characters"]),
    "a fleet": ("home: flat", "fleet: flat", ["2: fleet: this describes a fleet, not a home"]),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "want"), RULES.values(), ids=RULES)
def test_a_broken_rule_is_told_with_its_line(path: Path, old: str, new: str, want: list[str]) -> None:
    assert FLAT.count(old) == 1
    assert mistakes(path, FLAT.replace(old, new)) == want


ALLOWED = {
    "a guest for everything and always": ("[front-door]", "everything"),
    "a guest for nothing": ("[front-door]", "[]"),
    "always": ("{after: 2026-01-01T00:00:00Z, before: 2027-01-01T00:00:00Z}", "always"),
    "an editor of one kind": ("name: Ben}", "edit: [accessories]}"),
    "a broker elsewhere": ("mqtt: embedded", "mqtt: mqtts://broker.example"),
    "a broker file": ("mqtt: embedded", "mqtt: ../brokers/mosquitto.yaml"),
    "test keys on this machine": ("mqtt: embedded", "mqtt: mqtt://localhost:1884\nseed: 0"),
    "one connection for all": ("start: unpaired", "connections: shared"),
    "no faults": ("clock: none", "faults: []"),
    "UTC": ("without_hub: refuse", "time_zone: UTC"),
    "a setup id in quotes": ("7K2P", "'7222'"),
    "a sensor's state": ("clock: none", "state: {contact: open}"),
}


@pytest.mark.parametrize(("old", "new"), ALLOWED.values(), ids=ALLOWED)
def test_what_is_close_to_a_rule_is_taken(path: Path, old: str, new: str) -> None:
    assert FLAT.count(old) == 1
    loaded(path, FLAT.replace(old, new))


def test_all_mistakes_come_at_once_and_the_codes_are_in_none_of_them(path: Path) -> None:
    text = FLAT.replace("home: flat", "home: Flat").replace("room: hall", "room: hal", 1)
    text = text.replace("role: editor", "role: owner").replace("318-62-904", "318-62-90")
    text = text.replace("hubs:", "hub:").replace("[front-door]", "[front]")
    found = mistakes(path, text)
    assert [line.split(":")[:2] for line in found] == [
        ["2", " home"],
        ["11", " accessories.0.room"],
        ["12", " accessories.1.code"],
        ["19", " people.ben.role"],
        ["24", " people.gus.scope.0"],
        ["26", " hub"],
    ]
    assert "318-62" not in "".join(found)


# Names of files that ship


def test_a_bundled_name_means_the_file_that_ships_and_a_path_itself() -> None:
    assert find_config("flat") == bundled("homes")["flat"]
    assert find_config("mosquitto", "brokers").name == "mosquitto.yaml"
    assert find_config("configs/homes/flat.yaml") == Path("configs/homes/flat.yaml")
    assert find_config("./flat") == Path("flat")
    with pytest.raises(FileErrors, match=r"flt: no file of this name ships; there are .*did you mean 'flat'"):
        find_config("flt")
    with pytest.raises(FileErrors, match="there are embedded, mosquitto"):
        find_config("flat", "brokers")


# Whatever comes

pieces = st.sampled_from([*FLAT.splitlines(keepends=True), *FLAT.split(" "), *FLAT.split(": ")])
edits = st.lists(
    st.tuples(st.integers(0, len(FLAT)), st.integers(0, 40), st.text(max_size=3) | pieces), max_size=6
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=edits)
def test_any_mutation_of_the_home_is_read_or_refused(path: Path, edits: list[tuple[int, int, str]]) -> None:
    text = FLAT
    for at, gone, new in edits:
        text = text[:at] + new + text[at + gone :]
    path.write_bytes(text.encode())
    errors: list[str] = []
    try:
        load_home(path)
    except FileErrors as error:
        errors += str(error).split("\n")
    assert all(line.startswith(str(path)) and line.isprintable() for line in errors)


tree = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(0, 1)
    | st.sampled_from(["hall", "lock", "7d", "all"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "type", "room", "state", "role", "after", "hub", "x"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(sorted(HomeFile.model_fields)), value=tree)
def test_any_value_under_any_key_is_read_or_refused(path: Path, key: str, value: object) -> None:
    whole = {"home": "x", "rooms": {"hall": "Hall"}, "accessories": [], key: value}
    path.write_text("\n".join(f"{name}: {flow(each)}" for name, each in whole.items()))
    try:
        load_home(path)
    except FileErrors as error:
        assert all(each.line for each in error.errors)  # noqa: PT017 - either is right, this way round


def flow(value: object) -> str:
    """Write a value as YAML's flow style has it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return (
        {None: "null", True: "true", False: "false"}.get(value, str(value))
        if not isinstance(value, float)
        else f"{value:f}"
    )
