"""YAML 1.2 with line numbers; errors as file:line: path: message.

ruamel.yaml reads the events, and this module gives them their meaning by the core schema of YAML 1.2: `on`
and `12:00` are text. Nothing is guessed, so anchors, aliases, tags, duplicate keys and further documents are
refused. All errors of a file are told at once, in the order of the lines.
"""

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)
from ruamel.yaml.reader import ReaderError

Tree: TypeAlias = "bool | int | float | str | list[Tree] | dict[str, Tree] | None"
Place: TypeAlias = tuple[str | int, ...]  # the way to a value: keys, and positions from 0
Checked = TypeVar("Checked", bound=BaseModel)

FILE_SIZE: Final = 256 * 1024  # 3,000 accessories; more would take over a second to read
DEPTH: Final = 16  # the deepest legal file needs 7
_SHOWN: Final = 64  # characters of a file's own words in an error
_MESSAGE: Final = 300

_KINDS: Final = ("session", "fleet", "broker", "home")  # the first of these keys says what a file is

_NULL: Final = re.compile(r"~|null|Null|NULL|")
_BOOL: Final = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT: Final = re.compile(r"[-+]?[0-9]{1,400}")  # longer ones are no finite float either, so text
_OTHER_INT: Final = re.compile(r"0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_KIND_WANTED: Final = {
    "model_type": "must be a mapping, key: value",
    "dict_type": "must be a mapping, key: value",
    "list_type": "must be a list",
}
_CHOICE: Final = re.compile(r"'([^']*)'")


@dataclass(frozen=True, slots=True)
class FileError:
    """One mistake in a file; `line` counts from 1, and 0 means the file as a whole."""

    file: str
    line: int
    path: str
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        path = f" {self.path}:" if self.path else ""
        hint = f"; did you mean '{self.suggestion}'?" if self.suggestion else ""
        return f"{where}:{path} {self.message}{hint}"


class FileErrors(Exception):
    """All the mistakes of a file, in the order of its lines."""

    def __init__(self, errors: Sequence[FileError]) -> None:
        self.errors = tuple(sorted(errors, key=lambda error: error.line))
        super().__init__("\n".join(map(str, self.errors)))


@dataclass(frozen=True, slots=True)
class Flaw:
    """What a model finds wrong by itself: a message, and the way to it from the value that it checks."""

    message: str
    at: Place = ()
    suggestion: str | None = None


def flawed(*flaws: Flaw) -> PydanticCustomError:
    """Make the exception by which a validator tells one or more flaws."""
    return PydanticCustomError("flawed", "not allowed", {"flaws": flaws})


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read: its value, the line of every place in it, and what the syntax got wrong."""

    file: str
    value: Tree
    lines: Mapping[Place, int]
    errors: tuple[FileError, ...] = ()

    def path(self, place: Place) -> tuple[Place, int]:
        """Find the longest existing beginning of a place, and its line.

        Steps that a checker made up (the name of an alternative) are left out.
        """
        found: Place = ()
        for step in place:
            if (*found, step) in self.lines:
                found = (*found, step)
        return found, self.lines.get(found, 1)


def load(path: Path) -> Document:
    """Read a file.

    Raises:
        FileErrors: it can't be read, is too long, is not UTF-8 or not YAML.
    """
    file = shown(str(path), 200)
    try:
        if path.is_dir():
            raise FileErrors([FileError(file, 0, "", "is a folder")])
        if path.exists() and not path.is_file():
            raise FileErrors([FileError(file, 0, "", "is no plain file")])
        with path.open("rb") as stream:
            data = stream.read(FILE_SIZE + 1)
    except FileNotFoundError:
        raise FileErrors([FileError(file, 0, "", "there is no such file")]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileErrors([FileError(file, 0, "", f"can't be read: {reason}")]) from error
    return read(data, file)


def read(data: bytes, file: str) -> Document:
    """Read the bytes of a file.

    Raises:
        FileErrors: too long, not UTF-8 or not YAML.
    """
    if len(data) > FILE_SIZE:
        raise FileErrors([FileError(file, 0, "", f"is longer than {FILE_SIZE // 1024} KiB")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileErrors(
            [FileError(file, line, "", f"byte 0x{data[error.start]:02x} is not UTF-8")]
        ) from None
    builder = _Builder(file)
    try:
        value = builder.document(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = shown(error.problem or error.context or "can't be read", _MESSAGE)
        raise FileErrors(
            [FileError(file, mark.line + 1 if mark else 1, "", f"not YAML: {problem}")]
        ) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise FileErrors([FileError(file, line, "", "not YAML: a control character")]) from None
    except FileErrors:
        raise
    except Exception as error:  # ruamel meets some texts with IndexError and the like
        raise FileErrors([FileError(file, 1, "", f"not YAML ({type(error).__name__})")]) from error
    return Document(file, value, builder.lines, tuple(builder.errors))


@dataclass(slots=True)
class _Builder:
    """Makes a tree of ruamel's events, and notes every line and every mistake."""

    file: str
    lines: dict[Place, int] = field(default_factory=dict)
    errors: list[FileError] = field(default_factory=list)

    def document(self, events: Iterator[Event]) -> Tree:
        """Read the one document of a stream."""
        event = next(events)
        while not isinstance(event, NodeEvent):
            if isinstance(event, DocumentStartEvent) and event.version not in {None, (1, 2)}:
                raise self.refusal(event, (), "another version than YAML 1.2")
            if isinstance(event, StreamEndEvent):
                raise FileErrors([FileError(self.file, 0, "", "is empty")])
            event = next(events)
        value = self.node(event, events, ())
        for event in events:
            if isinstance(event, DocumentStartEvent):
                raise self.refusal(event, (), "a second document; only one may stand in a file")
        return value

    def node(self, event: Event, events: Iterator[Event], place: Place) -> Tree:
        """Read one value, whose first event is there."""
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            raise self.refusal(event, place, "anchors and aliases (& and *) are not used here")
        if getattr(event, "tag", None):
            raise self.refusal(event, place, "tags (!) are not used here")
        if len(place) > DEPTH:
            raise self.refusal(event, place[:DEPTH], "nested too deeply")
        self.lines.setdefault(place, event.start_mark.line + 1)
        if isinstance(event, ScalarEvent):
            return _scalar(event.value) if event.implicit[0] else str(event.value)
        if isinstance(event, MappingStartEvent):
            return self.mapping(events, place)
        return self.sequence(events, place)

    def sequence(self, events: Iterator[Event], place: Place) -> Tree:
        """Read a sequence, whose start is behind."""
        items: list[Tree] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            items.append(self.node(event, events, (*place, len(items))))
        return items

    def mapping(self, events: Iterator[Event], place: Place) -> Tree:
        """Read a mapping, whose start is behind; of two equal keys the first counts."""
        found: dict[str, Tree] = {}
        while isinstance(event := next(events), NodeEvent):
            if isinstance(event, CollectionStartEvent):
                raise self.refusal(event, place, "a key must be a single word")
            key = str(getattr(event, "value", ""))
            self.node(event, events, (*place, key))  # notes the line, refuses anchors and tags
            value = self.node(next(events), events, (*place, key))
            if key in found:
                first = self.lines[(*place, key)]
                self.errors.append(self.error(event, (*place, key), f"stands twice, first in line {first}"))
            found.setdefault(key, value)
        return found

    def error(self, event: Event, place: Place, message: str) -> FileError:
        """Make the error of an event."""
        return FileError(self.file, event.start_mark.line + 1, _path(place), message)

    def refusal(self, event: Event, place: Place, message: str) -> FileErrors:
        """Make the exception of an event after which reading makes no sense."""
        return FileErrors([self.error(event, place, message)])


def _scalar(text: str) -> Tree:
    """Give a plain scalar its meaning, by the core schema of YAML 1.2; infinities stay text."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text[0] in "tT"
    if _INT.fullmatch(text):
        return int(text)
    if _OTHER_INT.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def check(document: Document, model: type[Checked], context: object = None) -> Checked:
    """Check a document against a model, and give the model's value.

    Args:
        document: what `load` gave.
        model: forbids unknown keys; its validators may raise ValueError or `flawed`.
        context: handed to the validators, who find it as `info.context`.

    Raises:
        FileErrors: all that is wrong, syntax and content.
    """
    errors = list(document.errors)
    try:
        value = model.model_validate(document.value, context=context)
    except ValidationError as error:
        schema = model.model_json_schema()
        for details in error.errors(include_url=False):
            errors += _translated(document, schema, details)
    if errors:
        raise FileErrors(errors)
    return value


def refuse_other_kind(document: Document, wanted: str) -> None:
    """Refuse a file of another kind with one error, not with one for each of its keys.

    Raises:
        FileErrors: it is no mapping, or its key says that it is another kind of file.
    """
    tree = document.value
    if not isinstance(tree, Mapping):
        raise FileErrors([FileError(document.file, 1, "", f"is no file of a {wanted}")])
    found = next((kind for kind in _KINDS if kind in tree), wanted)
    if found != wanted:
        line = document.lines[(found,)]
        raise FileErrors([FileError(document.file, line, found, f"this describes a {found}, not a {wanted}")])


def did_you_mean(word: object, known: Iterable[str]) -> str | None:
    """Give the known word that is nearest to a wrong one."""
    return next(iter(difflib.get_close_matches(str(word)[:_SHOWN], list(known), 1)), None)


def shown(text: str, most: int = _SHOWN) -> str:
    """Give a file's own words as they may stand on a terminal: one line, cut off, no control characters."""
    cut = "..." if len(text) > most else ""
    signs = (sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text[:most])
    return "".join(signs) + cut


def _translated(document: Document, schema: Mapping[str, Any], details: ErrorDetails) -> Iterator[FileError]:
    """Turn one error of pydantic into ours."""
    place = details["loc"]
    if details["type"] == "flawed":
        for flaw in details["ctx"]["flaws"]:
            yield _located(document, (*place, *flaw.at), flaw.message, flaw.suggestion)
    elif details["type"] == "missing":
        found, line = document.path(place)
        yield FileError(document.file, line, _path((*found, place[-1])), "is missing")
    elif details["type"] == "extra_forbidden":
        hint = did_you_mean(place[-1], _known_keys(schema, place[:-1]))
        yield _located(document, place, "unknown key", hint)
    elif details["input"] is None:
        yield _located(document, place, "has no value; give it one or leave the key out")
    elif details["type"] == "string_type" and isinstance(details["input"], int | float):
        yield _located(document, place, "is read as a number or as true or false; put it in quotes")
    elif (message := _KIND_WANTED.get(details["type"])) is not None:
        yield _located(document, place, message)
    else:
        choices = _CHOICE.findall(details["msg"]) if details["type"] == "literal_error" else ()
        message = details["msg"].removeprefix("Value error, ")
        yield _located(document, place, message, did_you_mean(details["input"], choices))


def _located(document: Document, place: Place, message: str, suggestion: str | None = None) -> FileError:
    found, line = document.path(place)
    return FileError(document.file, line, _path(found), shown(message, _MESSAGE), suggestion)


def _path(place: Place) -> str:
    return ".".join(shown(str(step)) for step in place)


def _known_keys(schema: Mapping[str, Any], place: Place) -> list[str]:
    """Give the keys that a model's JSON schema knows at a place."""
    nodes = list(_alternatives(schema, schema))
    for step in place:
        inside = [node for each in nodes for node in _inside(each, step)]
        nodes = [plain for node in inside for plain in _alternatives(node, schema)] or nodes
    return sorted({key for node in nodes for key in node.get("properties", {})})


def _inside(node: Mapping[str, Any], step: str | int) -> Iterator[Mapping[str, Any]]:
    if isinstance(step, int):
        candidates = [node.get("items")]
    elif step in node.get("properties", {}):
        candidates = [node["properties"][step]]
    else:
        candidates = [node.get("additionalProperties"), *node.get("patternProperties", {}).values()]
    yield from (each for each in candidates if isinstance(each, Mapping))


def _alternatives(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Follow references and alternatives down to plain nodes."""
    if (name := node.get("$ref")) is not None:
        node = schema["$defs"][name.rpartition("/")[2]]
    inner = [each for kind in ("anyOf", "oneOf", "allOf") for each in node.get(kind, ())]
    if not inner:
        yield node
    for each in inner:
        yield from _alternatives(each, schema)
