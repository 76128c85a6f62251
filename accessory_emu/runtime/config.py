"""configs/homes as checked values, and where the files that ship are.

What a file may say is all here, and what this version cannot do yet is refused by name, never ignored. The
models check one value at a time; what spans a file (a room that is not there, an id that stands twice) is
looked up in `_Cast`, which is made from the file beforehand, so that all errors are told at once.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from accessory_emu.accessory.catalogue import TYPES, AccessoryType
from accessory_emu.protocol import limits
from accessory_emu.runtime.config_values import (
    Code,
    Duration,
    FilePart,
    Id,
    Instant,
    Name,
    SetupId,
    check_id,
    parse_mqtt_url,
)
from accessory_emu.runtime.yaml_file import (
    Document,
    FileError,
    FileErrors,
    Flaw,
    check,
    did_you_mean,
    flawed,
    load,
    refuse_other_kind,
)

_NOT_YET: Final = "is not supported yet"
_PACKAGE: Final = Path(__file__).parents[1]


@dataclass(slots=True)
class _Cast:
    """Who and what a home's file names, as far as it can be read."""

    rooms: frozenset[str]
    accessories: frozenset[str]
    met: set[str] = field(default_factory=set)
    owner_met: bool = False

    @classmethod
    def of(cls, document: Document) -> Self:
        tree = document.value if isinstance(document.value, dict) else {}
        rooms, accessories = tree.get("rooms"), tree.get("accessories")
        items = accessories if isinstance(accessories, list) else []
        ids = (item.get("id") for item in items if isinstance(item, dict))
        return cls(
            frozenset(rooms if isinstance(rooms, dict) else ()),
            frozenset(each for each in ids if isinstance(each, str)),
        )


class Sync(FilePart):
    """How long an accessory obeys while it is not in sync, in ms, by the kind of its sequencer."""

    hub: Duration | None = None
    device: Duration | None = None


class AccessoryItem(FilePart):
    """One accessory of a home; what its type decides is in the properties."""

    id: Id
    type: str = Field(json_schema_extra={"enum": list(TYPES)})
    room: str
    name: Name | None = None
    code: Code | None = Field(default=None, repr=False)
    setup_id: SetupId | None = None
    state: dict[str, object] = Field(default_factory=dict)
    keys: int = Field(default=limits.GRANTS_HELD, ge=limits.GRANTS_HELD, le=255)
    sync: Sync = Sync()
    fresh: Duration = limits.FRESH_MS
    values: Literal["behind", "durable"] | None = None
    clock: Literal["trusted", "none"] = "trusted"
    faults: list[object] = Field(default_factory=list)

    @property
    def kind(self) -> AccessoryType:
        """What all accessories of this type share."""
        return TYPES[self.type]

    @property
    def sync_hub_ms(self) -> int:
        """How long it obeys while not in sync, where a hub is the sequencer."""
        return self.kind.sync_hub_ms if self.sync.hub is None else self.sync.hub

    @property
    def sync_device_ms(self) -> int:
        """How long it obeys while not in sync, where a device of the owner is the sequencer."""
        return self.kind.sync_device_ms if self.sync.device is None else self.sync.device

    @property
    def durable(self) -> bool:
        """Whether values are on disk before the answer."""
        return self.kind.durable if self.values is None else self.values == "durable"

    @field_validator("id")
    @classmethod
    def _once(cls, value: str, info: ValidationInfo) -> str:
        if isinstance(info.context, _Cast):
            if value in info.context.met:
                raise ValueError("another accessory has this id")
            info.context.met.add(value)
        return value

    @field_validator("type")
    @classmethod
    def _exists(cls, value: str) -> str:
        if value not in TYPES:
            raise flawed(
                Flaw(f"there is no such type; there are {', '.join(TYPES)}", (), did_you_mean(value, TYPES))
            )
        return value

    @field_validator("room")
    @classmethod
    def _is_there(cls, value: str, info: ValidationInfo) -> str:
        if isinstance(info.context, _Cast) and value not in info.context.rooms:
            raise flawed(Flaw("there is no such room", (), did_you_mean(value, info.context.rooms)))
        return value

    @field_validator("state")
    @classmethod
    def _fits(cls, value: dict[str, object], info: ValidationInfo) -> dict[str, object]:
        if (kind := TYPES.get(info.data.get("type", ""))) is not None:
            flaws = tuple(flaw for word, given in value.items() for flaw in _misfit(kind, word, given))
            if flaws:
                raise flawed(*flaws)
        return value

    @field_validator("faults")
    @classmethod
    def _none_yet(cls, value: list[object]) -> list[object]:
        if value:
            raise ValueError(_NOT_YET)
        return value


def _misfit(kind: AccessoryType, word: str, given: object) -> tuple[Flaw, ...]:
    """Tell what is wrong with one value of a state."""
    known = kind.writable + kind.read_only
    found = kind.accessory.named(word) if word in known else None
    if found is None:
        text = f"a {kind.name} has no such value; it has {', '.join(known)}"
        return (Flaw(text, (word,), did_you_mean(word, known)),)
    try:
        found.from_word(given)
    except ValueError:
        return (Flaw(f"not allowed here, only {found.allowed}", (word,)),)
    return ()


class Window(FilePart):
    """From when until when a guest is let in, in unix seconds, as a grant has it."""

    after: Instant
    before: Instant

    @model_validator(mode="before")
    @classmethod
    def _no_hours(cls, value: object) -> object:
        if isinstance(value, dict) and not {"days", "from", "until"}.isdisjoint(value):
            raise ValueError("weekly hours: not supported yet; give after and before")
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.after >= self.before:
            raise flawed(Flaw("must be later than after", ("before",)))
        return self


When: TypeAlias = Annotated[
    Annotated[Literal["always"], Tag("always")] | Annotated[Window, Tag("window")],
    Discriminator(lambda value: "window" if isinstance(value, dict | Window) else "always"),
]
Scope: TypeAlias = Annotated[
    Annotated[Literal["everything"], Tag("everything")] | Annotated[list[str], Tag("list")],
    Discriminator(lambda value: "list" if isinstance(value, list) else "everything"),
]


class PersonItem(FilePart):
    """One person of a home."""

    role: Literal["owner", "editor", "resident", "guest"]
    name: Name | None = None
    edit: list[Literal["people", "accessories", "scenes"]] | None = None
    scope: Scope | None = None
    when: When | None = None
    lease: Duration | None = None

    @field_validator("role")
    @classmethod
    def _one_owner(cls, value: str, info: ValidationInfo) -> str:
        if value == "owner" and isinstance(info.context, _Cast):
            if info.context.owner_met:
                raise ValueError("another person is the owner; a home has exactly one")
            info.context.owner_met = True
        return value

    @field_validator("scope")
    @classmethod
    def _are_there(cls, value: Scope | None, info: ValidationInfo) -> Scope | None:
        if isinstance(value, list) and isinstance(info.context, _Cast):
            known = info.context.accessories
            unknown = [(at, each) for at, each in enumerate(value) if each not in known]
            if unknown:
                text = "there is no such accessory"
                raise flawed(*(Flaw(text, (at,), did_you_mean(each, known)) for at, each in unknown))
        return value

    @field_validator("lease")
    @classmethod
    def _no_lease(cls, value: int | None) -> int | None:
        if value is not None:
            raise ValueError(_NOT_YET)
        return value

    @model_validator(mode="after")
    def _fits_role(self) -> Self:
        guest, editor = self.role == "guest", self.role == "editor"
        flaws = [Flaw("only guests have it", (key,)) for key in self._given("scope", "when") if not guest]
        flaws += [Flaw("only editors have it", (key,)) for key in self._given("edit") if not editor]
        missing = {"scope", "when"} - set(self._given("scope", "when")) if guest else ()
        flaws += [Flaw(f"a guest needs {key}") for key in sorted(missing)]
        if flaws:
            raise flawed(*flaws)
        return self

    def _given(self, *keys: str) -> list[str]:
        return [key for key in keys if getattr(self, key) is not None]


class HubItem(FilePart):
    """One hub of a home."""

    name: Name | None = None


class HomeFile(FilePart):
    """A home: configs/homes."""

    home: Id
    seed: int | None = Field(default=None, ge=0)
    mqtt: str = "embedded"
    start: Literal["unpaired", "paired"] = "unpaired"
    connections: Literal["own", "shared"] = "own"
    without_hub: Literal["refuse", "queue"] = "refuse"
    lease: Duration | None = None
    time_zone: str = "UTC"
    rooms: dict[Id, Name]
    accessories: list[AccessoryItem]
    people: dict[Id, PersonItem] = Field(default_factory=dict)
    hubs: dict[Id, HubItem] = Field(default_factory=dict)

    def notices(self) -> tuple[str, ...]:
        """Give what the file asks for and this version leaves out, a sentence each."""
        if not self.hubs:
            return ()
        return (f"hubs are not run yet; left out: {', '.join(self.hubs)}",)

    @field_validator("mqtt")
    @classmethod
    def _stays_here(cls, value: str, info: ValidationInfo) -> str:
        if not value:
            raise ValueError("write embedded, mqtt://host:port or the path of a broker file")
        if "://" in value and not parse_mqtt_url(value).loopback and info.data.get("seed") is not None:
            raise ValueError(
                "a home with a seed has test keys, and stays on this machine: use mqtt://127.0.0.1"
            )
        return value

    @field_validator("start", "without_hub", "lease", "time_zone")
    @classmethod
    def _later(cls, value: str | int | None) -> str | int | None:
        if value not in {"unpaired", "refuse", "UTC", None}:
            raise ValueError(f"{value} {_NOT_YET}" if isinstance(value, str) else _NOT_YET)
        return value

    @field_validator("people")
    @classmethod
    def _has_owner(cls, value: dict[str, PersonItem]) -> dict[str, PersonItem]:
        if value and not any(person.role == "owner" for person in value.values()):
            raise ValueError("nobody is the owner; with people, a home has exactly one")
        return value


def load_home(path: Path) -> HomeFile:
    """Read the file of a home. Raises FileErrors."""
    document = load(path)
    refuse_other_kind(document, "home")
    return check(document, HomeFile, _Cast.of(document))


def bundled(kind: str) -> dict[str, Path]:
    """Give the files that ship, by name; `kind` is `homes` or `brokers`."""
    inside, beside = _PACKAGE / "_configs" / kind, _PACKAGE.parent / "configs" / kind
    folder = inside if inside.is_dir() else beside
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_config(name: str, kind: str = "homes") -> Path:
    """Give the file that a bundled name means (`flat`); whatever is no id is a path already.

    Raises:
        FileErrors: no file of this name ships.
    """
    try:
        check_id(name)
    except ValueError:
        return Path(name)
    known = bundled(kind)
    if name not in known:
        text = f"no file of this name ships; there are {', '.join(known)}"
        raise FileErrors([FileError(name, 0, "", text, did_you_mean(name, known))])
    return known[name]
