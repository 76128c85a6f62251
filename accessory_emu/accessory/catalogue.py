"""Light, lock, thermostat, contact sensor: ready models, and the words people use for their values.

Types, formats and ranges are those of HAP's tables. No name that people give, of a home, a room or an
accessory, is ever part of a model: the answers pass an MQTT broker that can read them (AE-ACC-041).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from accessory_emu.accessory.model import (
    Accessory,
    Characteristic,
    Format,
    Item,
    Model,
    Permission,
    Place,
    Plain,
    Rule,
    Service,
)
from accessory_emu.protocol import encoding, limits

AID: Final = 1  # no accessory here is a bridge
IDENTIFY: Final[Place] = (AID, 2)  # a written true asks the accessory to show itself
INFORMATION: Final = "3E"  # HAP's service for what an accessory is; always at iid 1
MANUFACTURER: Final = "accessory-emu"
FIRMWARE: Final = "1.0.0"  # of the emulated devices, not of this distribution

_FIXED: Final = Permission.READ
_SENSED: Final = Permission.READ | Permission.NOTIFY
_SET: Final = Permission.READ | Permission.WRITE | Permission.NOTIFY

_OFF, _HEAT, _COOL, _AUTO = range(4)


@dataclass(frozen=True, slots=True)
class AccessoryType:
    """What all accessories of one type share (AE-ACC-040).

    `category` is HAP's number. `strict` types guard a way in: they stop at once when not in sync under a hub,
    and their values are durable before the answer.
    """

    name: str
    category: int
    accessory: Accessory
    strict: bool = False

    @property
    def sync_hub_ms(self) -> int:
        """How long it obeys by default while not in sync, where a hub is the sequencer."""
        return limits.SYNC_HUB_STRICT_MS if self.strict else limits.SYNC_HUB_MS

    @property
    def sync_device_ms(self) -> int:
        """How long it obeys by default while not in sync, where a device of the owner is the sequencer."""
        return limits.SYNC_DEVICE_STRICT_MS if self.strict else limits.SYNC_DEVICE_MS

    @property
    def durable(self) -> bool:
        """Whether values are on disk before the answer by default, else they are written behind."""
        return self.strict

    @property
    def writable(self) -> tuple[str, ...]:
        """The words that controllers may write; identify is not counted."""
        return tuple(each.word for each in self._offered() if Permission.WRITE in each.permissions)

    @property
    def read_only(self) -> tuple[str, ...]:
        """The words that controllers may only read."""
        return tuple(each.word for each in self._offered() if Permission.WRITE not in each.permissions)

    def _offered(self) -> Iterable[Characteristic]:
        services = (each for each in self.accessory.services if each.hap_type != INFORMATION)
        return (each for service in services for each in service.characteristics)


def _text(iid: int, hap_type: str, word: str, text: str) -> Characteristic:
    return Characteristic(iid, hap_type, word, Format.STRING, _FIXED, text)


def _accessory(type_name: str, service: Service, *rules: Rule) -> Accessory:
    identify = Characteristic(2, "14", "identify", Format.BOOL, Permission.WRITE, default=False)
    information = Service(
        1,
        INFORMATION,
        (
            identify,
            _text(3, "20", "manufacturer", MANUFACTURER),
            _text(4, "21", "model", type_name),
            _text(5, "23", "name", type_name),
            _text(6, "30", "serial", ""),
            _text(7, "52", "firmware", FIRMWARE),
        ),
    )
    return Accessory(AID, (information, service), rules)


def _heating(values: Mapping[str, Plain]) -> Plain:
    """Tell what a thermostat does, from its mode, target and temperature."""
    missing = float(values["target"]) - float(values["temperature"])
    if missing > 0 and values["mode"] in (_HEAT, _AUTO):
        return _HEAT
    return _COOL if missing < 0 and values["mode"] in (_COOL, _AUTO) else _OFF


_LIGHT = Service(
    9,
    "43",
    (
        Characteristic(10, "25", "on", Format.BOOL, _SET, default=False),
        Characteristic(11, "8", "brightness", Format.INT, _SET, 100, 0, 100, 1),
    ),
)
_BOLT = {"unlocked": 0, "locked": 1}
_LOCK = Service(
    9,
    "45",
    (
        Characteristic(10, "1E", "lock", Format.UINT8, _SET, 1, words=_BOLT),
        Characteristic(
            11, "1D", "lock_state", Format.UINT8, _SENSED, 1, words={**_BOLT, "jammed": 2, "unknown": 3}
        ),
    ),
)
_MODES = {"off": _OFF, "heat": _HEAT, "cool": _COOL}
_THERMOSTAT = Service(
    9,
    "4A",
    (
        Characteristic(10, "33", "mode", Format.UINT8, _SET, _OFF, words={**_MODES, "auto": _AUTO}),
        Characteristic(11, "35", "target", Format.FLOAT, _SET, 20.0, 10, 38, 0.1),
        Characteristic(12, "11", "temperature", Format.FLOAT, _SENSED, 20.0, 0, 100, 0.1),
        Characteristic(13, "F", "mode_now", Format.UINT8, _SENSED, _OFF, words=_MODES),
        Characteristic(14, "36", "units", Format.UINT8, _SET, 0, words={"celsius": 0, "fahrenheit": 1}),
    ),
)
_CONTACT = Service(
    9,
    "80",
    (Characteristic(10, "6A", "contact", Format.UINT8, _SENSED, 0, words={"closed": 0, "open": 1}),),
)

_LOCK_FOLLOWS: Final = Rule(frozenset({"lock"}), "lock_state", lambda values: values["lock"])
_HEATING_FOLLOWS: Final = Rule(frozenset({"mode", "target", "temperature"}), "mode_now", _heating)

TYPES: Final[Mapping[str, AccessoryType]] = {
    each.name: each
    for each in (
        AccessoryType("light", 5, _accessory("light", _LIGHT)),
        AccessoryType("lock", 6, _accessory("lock", _LOCK, _LOCK_FOLLOWS), strict=True),
        AccessoryType("thermostat", 9, _accessory("thermostat", _THERMOSTAT, _HEATING_FOLLOWS)),
        AccessoryType("contact-sensor", 10, _accessory("contact-sensor", _CONTACT)),
    )
}


def build(type_name: str, state: Mapping[str, object], serial: str) -> Model:
    """Give a new accessory's model.

    Args:
        type_name: a key of TYPES.
        state: word to value, as people write them; what is missing has its default.
        serial: the accessory id in hex.

    Raises:
        ValueError: an unknown type or word, or a value that is not allowed; the message says what exists.
    """
    kind = TYPES.get(type_name)
    if kind is None:
        raise ValueError(f"no type is called {type_name!r}; there are {', '.join(TYPES)}")
    known = kind.writable + kind.read_only
    for word in state:
        if word not in known:
            raise ValueError(f"{type_name} has no {word!r}; it has {', '.join(known)}")
    return Model.of(kind.accessory).with_state({**state, "serial": serial})


def to_wire(accessory: Accessory, state: Mapping[str, object]) -> list[Item]:
    """Give the items of a write for words and values, read-only ones too: the accessory is who judges.

    Raises:
        ValueError: an unknown word, or a value that is not allowed; the message says what exists.
    """
    found = [(_named(accessory, word), given) for word, given in state.items()]
    return [(accessory.aid, each.iid, each.from_word(given)) for each, given in found]


def to_words(
    accessory: Accessory, items: Iterable[tuple[int, int, encoding.Value]]
) -> dict[str, encoding.Value]:
    """Give words and values for items; what has no word appears as `aid.iid` or with its number."""
    words: dict[str, encoding.Value] = {}
    for aid, iid, value in items:
        each = accessory.at(aid, iid)
        words[each.word if each else f"{aid}.{iid}"] = each.to_word(value) if each else value
    return words


def parse_assignment(accessory: Accessory, text: str) -> tuple[str, Plain]:
    """Read `brightness=40`: a word, and its value as people write it.

    Booleans are `true` and `false` and nothing else: `off` is a mode of a thermostat.

    Raises:
        ValueError: no assignment, an unknown word, or a value that is not allowed; the message says what is.
    """
    word, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is no assignment; write WORD=VALUE, for example on=true")
    return word, _named(accessory, word).parse(value)


def _named(accessory: Accessory, word: str) -> Characteristic:
    found = accessory.named(word)
    if found is None:
        raise ValueError(
            f"no value is called {word!r}; there are {', '.join(each.word for each in accessory)}"
        )
    return found
