"""Accessory, service, characteristic as values; what a write changes.

The words are HAP's: an accessory (aid) has services, a service has characteristics (iid), a characteristic
has one value with a format, a range and permissions. The description is shared by every accessory of one
type; a `Model` adds the values. Nothing changes in place.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, Flag, IntEnum, auto
from types import MappingProxyType
from typing import Final, TypeAlias

from accessory_emu.protocol import encoding, limits
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.reasons import Reason

Plain: TypeAlias = bool | int | float | str  # what a characteristic can hold
Place: TypeAlias = tuple[int, int]  # aid, iid
Item: TypeAlias = tuple[int, int, Plain]  # aid, iid, value


class Format(Enum):
    """HAP's formats of a value; its data and TLV8 formats are not used here."""

    BOOL = "bool"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    INT = "int"
    FLOAT = "float"
    STRING = "string"


RANGES: Final[Mapping[Format, tuple[float, float]]] = {
    Format.UINT8: (0, 2**8 - 1),
    Format.UINT16: (0, 2**16 - 1),
    Format.UINT32: (0, 2**32 - 1),
    Format.UINT64: (0, 2**64 - 1),
    Format.INT: (-(2**31), 2**31 - 1),
    Format.FLOAT: (-3.4e38, 3.4e38),  # HAP's floats are single precision
}


class Permission(Flag):
    """What a controller may do with a characteristic; whatever can change can be notified."""

    READ = auto()
    WRITE = auto()
    NOTIFY = auto()


class Status(IntEnum):
    """HAP's status codes for one item; they go over the wire (AE-ACC-011)."""

    SUCCESS = 0
    UNABLE = -70402
    READ_ONLY = -70404
    WRITE_ONLY = -70405
    OUT_OF_RESOURCES = -70407
    DOES_NOT_EXIST = -70409
    INVALID_VALUE = -70410


_NOT_OFFERED: Final = frozenset({Status.READ_ONLY, Status.WRITE_ONLY, Status.DOES_NOT_EXIST})
_NUMBER: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One value of a service and what it may be (AE-ACC-002).

    `hap_type` is HAP's short UUID, `word` our name for it; `words` names the values of an enumeration, which
    are then the only valid ones. Without `low`, `high` and `step` the format's range holds.
    """

    iid: int
    hap_type: str
    word: str
    format: Format
    permissions: Permission
    default: Plain
    low: float | None = None
    high: float | None = None
    step: float | None = None
    words: Mapping[str, int] | None = None

    @property
    def allowed(self) -> str:
        """What the value may be, as error messages say it."""
        if self.format is Format.BOOL:
            return "true or false"
        if self.format is Format.STRING:
            return f"text of at most {limits.STRING_SIZE} bytes"
        if self.words:
            return " or ".join(self.words)
        low, high = self._range()
        return f"{low} to {high}" + (f" in steps of {self.step}" if self.step else "")

    def fit(self, value: object) -> Plain | None:
        """Give the value in its one form, or None where it is not allowed.

        A boolean is no number and a number is no boolean, although HAP's JSON also writes 0 and 1: CBOR has
        booleans. A float characteristic takes integers too, and what is near a step becomes that step.

        Spec: AE-ACC-002.
        """
        if self.format is Format.BOOL:
            return value if isinstance(value, bool) else None
        if self.format is Format.STRING:
            return value if isinstance(value, str) and _is_text(value) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        low, high = self._range()
        if not low <= value <= high:  # neither NaN nor an infinity is in any range
            return None
        return self._fit_float(value, low) if self.format is Format.FLOAT else self._fit_int(value, low)

    def _fit_int(self, value: float, low: float) -> int | None:
        if not isinstance(value, int) or (self.words and value not in self.words.values()):
            return None
        return None if self.step and (value - low) % self.step else value

    def _fit_float(self, value: float, low: float) -> float | None:
        if not self.step:
            return float(value) + 0.0  # turns -0.0 into 0.0
        near = low + round((value - low) / self.step) * self.step
        if abs(near - value) > self.step * limits.STEP_SLACK:
            return None
        return round(near, 6) + 0.0

    def _range(self) -> tuple[float, float]:
        low, high = RANGES[self.format]
        return (low if self.low is None else self.low, high if self.high is None else self.high)

    def from_word(self, given: object) -> Plain:
        """Give the wire's value for what people write: the word of an enumeration, else the value itself.

        Raises:
            ValueError: not allowed; the message says what is.
        """
        if self.words:
            value: Plain | None = self.words.get(given) if isinstance(given, str) else None
        else:
            value = self.fit(given)
        if value is None:
            raise ValueError(f"{self.word}: {given!r} is not allowed, only {self.allowed}")
        return value

    def to_word(self, value: encoding.Value) -> encoding.Value:
        """Give what people read for the wire's value; a number without a word stays a number."""
        for word, number in (self.words or {}).items():
            if number == value and not isinstance(value, bool):
                return word
        return value

    def parse(self, text: str) -> Plain:
        """Read what stands on a command line: `true`, `40`, `20.5`, `unlocked`.

        Raises:
            ValueError: not allowed; the message says what is.
        """
        given: Plain = text
        if self.format is Format.BOOL:
            given = {"true": True, "false": False}.get(text, text)
        elif self.format is not Format.STRING and not self.words and _NUMBER.fullmatch(text):
            given = float(text) if "." in text else int(text)
        self.from_word(given)
        return given


def _is_text(value: str) -> bool:
    """Tell whether a text is short enough, has no NUL (firmware ends there) and can be written as UTF-8."""
    try:
        return len(value.encode()) <= limits.STRING_SIZE and "\0" not in value
    except UnicodeEncodeError:
        return False


@dataclass(frozen=True, slots=True)
class Service:
    """A function of an accessory: its iid, HAP's short UUID and its characteristics."""

    iid: int
    hap_type: str
    characteristics: tuple[Characteristic, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """The characteristic `target` follows as soon as one of `sources` is written.

    `follow` takes the accessory's values by word, as the wire has them, and gives the target's.
    """

    sources: frozenset[str]
    target: str
    follow: Callable[[Mapping[str, Plain]], Plain]


@dataclass(frozen=True, slots=True)
class Accessory:
    """What an accessory offers, without its values; words are unique in it (AE-ACC-001)."""

    aid: int
    services: tuple[Service, ...]
    rules: tuple[Rule, ...] = ()

    def __iter__(self) -> Iterator[Characteristic]:
        for service in self.services:
            yield from service.characteristics

    def at(self, aid: int, iid: int) -> Characteristic | None:
        """Find a characteristic by its place."""
        return next((each for each in self if (self.aid, each.iid) == (aid, iid)), None)

    def named(self, word: str) -> Characteristic | None:
        """Find a characteristic by its word."""
        return next((each for each in self if each.word == word), None)


@dataclass(frozen=True, slots=True)
class ReadResult:
    """One item of a read; `value` is None unless the status is SUCCESS."""

    aid: int
    iid: int
    status: Status
    value: Plain | None = None


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """What a write led to.

    `model` is the model afterwards; `results` has one (aid, iid, status) an item, in the order of the items;
    `changed` are the values that are now different, those that followed by a rule included; `acts` are the
    accepted items that leave no value behind, such as identify.
    """

    model: "Model"
    results: tuple[tuple[int, int, Status], ...]
    changed: tuple[Item, ...]
    acts: tuple[Item, ...] = ()

    def reason(self) -> Reason | None:
        """Tell why the write as a whole is refused; None once an item succeeded, or if there was none."""
        return reason_of([status for _, _, status in self.results])


def reason_of(statuses: Sequence[Status]) -> Reason | None:
    """Tell why a command is refused whose items came out like this.

    One success makes it obeyed, the statuses then tell the rest. Else it is NOT_SUPPORTED where nothing that
    was asked for is offered, and BAD_VALUE where anything is.

    Spec: AE-ACC-012.
    """
    if not statuses or Status.SUCCESS in statuses:
        return None
    return Reason.NOT_SUPPORTED if _NOT_OFFERED.issuperset(statuses) else Reason.BAD_VALUE


@dataclass(frozen=True, slots=True)
class Model:
    """An accessory with its values, by iid and as the wire has them; write-only characteristics have none."""

    accessory: Accessory
    values: Mapping[int, Plain]

    @classmethod
    def of(cls, accessory: Accessory) -> "Model":
        """Give the accessory its default values."""
        readable = (each for each in accessory if Permission.READ in each.permissions)
        return cls(accessory, MappingProxyType({each.iid: each.default for each in readable}))

    def read(self, items: Sequence[Place]) -> list[ReadResult]:
        """Read items, each judged for itself; more than ITEMS_IN_COMMAND are all refused.

        Spec: AE-ACC-010, AE-ACC-011.
        """
        if len(items) > limits.ITEMS_IN_COMMAND:
            return [ReadResult(aid, iid, Status.OUT_OF_RESOURCES) for aid, iid in items]
        return [self._read(aid, iid) for aid, iid in items]

    def _read(self, aid: int, iid: int) -> ReadResult:
        if self.accessory.at(aid, iid) is None:
            return ReadResult(aid, iid, Status.DOES_NOT_EXIST)
        if iid not in self.values:
            return ReadResult(aid, iid, Status.WRITE_ONLY)
        return ReadResult(aid, iid, Status.SUCCESS, self.values[iid])

    def write(self, items: Sequence[tuple[int, int, encoding.Value]]) -> WriteOutcome:
        """Write items one after the other; one that fails leaves the others in force, as in HAP.

        Of two items for one place the later wins. More than ITEMS_IN_COMMAND are all refused.

        Spec: AE-ACC-010, AE-ACC-011.
        """
        if len(items) > limits.ITEMS_IN_COMMAND:
            refused = tuple((aid, iid, Status.OUT_OF_RESOURCES) for aid, iid, _ in items)
            return WriteOutcome(self, refused, ())
        results: list[tuple[int, int, Status]] = []
        written: dict[int, Plain] = {}
        acts: list[Item] = []
        for aid, iid, given in items:
            status, value = self._judge(aid, iid, given)
            results.append((aid, iid, status))
            if value is None:
                continue
            if iid in self.values:
                written[iid] = value
            else:
                acts.append((aid, iid, value))
        model = self._with(written)
        return WriteOutcome(model, tuple(results), model.changes_since(self), tuple(acts))

    def _judge(self, aid: int, iid: int, given: encoding.Value) -> tuple[Status, Plain | None]:
        """Give the status of one written item and, on success, the value in its one form."""
        characteristic = self.accessory.at(aid, iid)
        if characteristic is None:
            return Status.DOES_NOT_EXIST, None
        if Permission.WRITE not in characteristic.permissions:
            return Status.READ_ONLY, None
        value = characteristic.fit(given)
        return (Status.INVALID_VALUE if value is None else Status.SUCCESS), value

    def with_state(self, state: Mapping[str, object]) -> "Model":
        """Set values from inside the device, read-only ones too: word to value, as people write them.

        Rules move what the state does not name itself.

        Raises:
            ValueError: an unknown word, or a value that is not allowed; the message says what exists.
        """
        written: dict[int, Plain] = {}
        for word, given in state.items():
            characteristic = self.accessory.named(word)
            if characteristic is None or characteristic.iid not in self.values:
                raise ValueError(f"no value is called {word!r}")
            written[characteristic.iid] = characteristic.from_word(given)
        return self._with(written)

    def changes_since(self, before: "Model") -> tuple[Item, ...]:
        """Give the values that differ from an earlier model of the same accessory, by rising iid."""
        aid = self.accessory.aid
        now = sorted(self.values.items())
        return tuple((aid, iid, value) for iid, value in now if before.values.get(iid) != value)

    def dump(self) -> bytes:
        """Write what can change as deterministic CBOR: {aid: {iid: value}} (AE-ACC-020)."""
        kept = {each.iid: self.values[each.iid] for each in self.accessory if _is_kept(each)}
        return encoding.encode({self.accessory.aid: kept})

    def load(self, data: bytes) -> "Model":
        """Take dumped values in; places that are unknown (by now) are dropped, missing ones keep their value.

        Raises:
            Malformed: damaged bytes, or a value that its characteristic does not allow.

        Spec: AE-ACC-020.
        """
        rows = _as_map(_as_map(encoding.decode(data, floats=True)).get(self.accessory.aid, {}))
        values = dict(self.values)
        for each in self.accessory:
            if _is_kept(each) and each.iid in rows:
                value = each.fit(rows[each.iid])
                if value is None:
                    raise Malformed(f"the kept value of {each.word} is not allowed")
                values[each.iid] = value
        return replace(self, values=MappingProxyType(values))

    def _with(self, written: Mapping[int, Plain]) -> "Model":
        """Set values, then let the rules move what was not set itself."""
        values = {**self.values, **written}
        words = {each.word: each for each in self.accessory}
        moved = {word for word, each in words.items() if each.iid in written}
        for rule in self.accessory.rules:
            if rule.target not in moved and rule.sources & moved:
                by_word = {word: values[each.iid] for word, each in words.items() if each.iid in values}
                values[words[rule.target].iid] = rule.follow(by_word)
                moved.add(rule.target)
        return replace(self, values=MappingProxyType(values))


def _is_kept(characteristic: Characteristic) -> bool:
    return Permission.NOTIFY in characteristic.permissions


def _as_map(value: encoding.Value) -> encoding.Map:
    if not isinstance(value, Mapping):
        raise Malformed("kept values are no map of maps")
    return value
