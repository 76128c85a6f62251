"""YAML files: what is read, what is refused, and that every mistake has its line."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator

from accessory_emu.runtime.yaml_file import (
    FILE_SIZE,
    FileError,
    FileErrors,
    Flaw,
    check,
    flawed,
    load,
    read,
    refuse_other_kind,
    shown,
)


def mistakes(data: bytes | str) -> list[str]:
    """Read what must be wrong, and give the errors as they are printed."""
    with pytest.raises(FileErrors) as caught:
        check(read(data.encode() if isinstance(data, str) else data, "f"), Shelf)
    assert str(caught.value) == "\n".join(map(str, caught.value.errors))
    return list(map(str, caught.value.errors))


def value(text: str) -> object:
    return read(text.encode(), "f").value


# What is read

SCALARS = {
    "on": "on", "off": "off", "yes": "yes", "12:00": "12:00", "2026-01-01": "2026-01-01", "1_000": "1_000",
    "203-45-171": "203-45-171", "true": True, "False": False, "~": None, "null": None, "": None,
    "12": 12, "-7": -7, "007": 7, "0o17": 15, "0xff": 255, "1.5": 1.5, "1e3": 1000.0, "-.5": -0.5,
    ".inf": ".inf", ".nan": ".nan", "1e999": "1e999", "9" * 50: int("9" * 50), "9" * 5000: "9" * 5000,
    "'12'": "12", '"true"': "true", "''": "", "0b1": "0b1", "=": "=", "<<": "<<", "ä": "ä",
}  # fmt: skip


@pytest.mark.parametrize(("text", "want"), SCALARS.items())
def test_scalars_mean_what_the_core_schema_of_yaml_1_2_says(text: str, want: object) -> None:
    found = value(f"a: {text}")
    assert repr(found) == repr({"a": want})


def test_collections_keep_their_order_and_their_lines() -> None:
    document = read(b"\xef\xbb\xbf# a comment\na: [1, {b: 2}]\non:\n  - x\n  -\n   1: |\n    y\n", "f")
    assert document.value == {"a": [1, {"b": 2}], "on": ["x", {"1": "y\n"}]}
    assert document.lines == {
        (): 2, ("a",): 2, ("a", 0): 2, ("a", 1): 2, ("a", 1, "b"): 2,
        ("on",): 3, ("on", 0): 4, ("on", 1): 6, ("on", 1, "1"): 6,
    }  # fmt: skip


# What is refused

WRONG = {
    "an empty file": ("", "f: is empty"),
    "only comments": ("# x\n# y\n", "f: is empty"),
    "an empty document": ("# x\n---\n# y\n", "f:4: has no value; give it one or leave the key out"),
    "a tab": ("a:\n\t- b", "f:2: not YAML: "),
    "an open bracket": ("a: [1,\nb: 2", "f:2: not YAML: "),
    "a value in a value": ("a: b: c", "f:1: not YAML: mapping values are not allowed here"),
    "a control character": ("a: 1\nb: \x1b[31m", "f:2: not YAML: a control character"),
    "a null byte": ("a: 1\n\0", "f:2: not YAML: a control character"),
    "an anchor": ("a: &x 1", "f:1: a: anchors and aliases (& and *) are not used here"),
    "an anchor on a key": ("&x a: 1", "f:1: a: anchors and aliases (& and *) are not used here"),
    "an alias": ("a: *x", "f:1: a: anchors and aliases (& and *) are not used here"),
    "an alias as key": ("*x : 1", "f:1: anchors and aliases"),
    "a tag": ("a:\n- !!python/object x", "f:2: a.0: tags (!) are not used here"),
    "a tag on a mapping": ("!!map {a: 1}", "f:1: tags (!) are not used here"),
    "a second document": ("a: 1\n---\nb: 2", "f:2: a second document; only one may stand in a file"),
    "YAML 1.1": ("%YAML 1.1\n---\na: on", "f:2: another version than YAML 1.2"),
    "another YAML": ("%YAML 9.9\n---\na: on", "f:1: not YAML"),
    "a list as key": ("a: 1\n[b]: 2", "f:2: a key must be a single word"),
    "deep nesting": ("[" * 100_000, "f:1: 0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0: nested too deeply"),
    "deep mappings": ("{a: " * 17, "f:1: a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a: nested too deeply"),
    "bytes that are no UTF-8": (b"a: 1\nb: \xff\xfe", "f:2: byte 0xff is not UTF-8"),
    "UTF-16": ("a: 1".encode("utf-16"), "f:1: byte 0xff is not UTF-8"),
    "a long file": (b"#" * (FILE_SIZE + 1), "f: is longer than 256 KiB"),
    "a list": ("- 1", "f:1: must be a mapping, key: value"),
}


@pytest.mark.parametrize(("data", "want"), WRONG.values(), ids=WRONG)
def test_what_is_no_plain_yaml_is_refused_with_its_line(data: bytes | str, want: str) -> None:
    (found,) = mistakes(data)
    assert found.startswith(want)


def test_the_longest_file_is_read() -> None:
    assert value("a: 1\n#" + "x" * (FILE_SIZE - 6)) == {"a": 1}


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    cases = {
        tmp_path: "is a folder",
        tmp_path / "gone": "there is no such file",
        tmp_path / "pipe": "is no plain file",
        tmp_path / "file" / "below": "can't be read: Not a directory",
        tmp_path / ("x" * 300): "can't be read: File name too long",
        Path("a\0b"): "can't be read: embedded null byte",
    }
    for path, want in cases.items():
        with pytest.raises(FileErrors) as caught:
            load(path)
        (error,) = caught.value.errors
        assert (error.line, error.message) == (0, want)
    (tmp_path / "file").write_text("a: 1")
    assert load(tmp_path / "file").value == {"a": 1}


# Checking against a model


class Book(BaseModel):
    """A model of the test's own."""

    model_config = ConfigDict(extra="forbid", strict=True)
    title: str
    pages: int = 1

    @field_validator("pages")
    @classmethod
    def _some(cls, pages: int) -> int:
        if pages == 13:
            raise ValueError("not thirteen")
        return pages


class Shelf(BaseModel):
    """A model that holds books in every way."""

    model_config = ConfigDict(extra="forbid", strict=True)
    a: object = None
    books: list[Book] = Field(default_factory=list)
    by_name: dict[str, Book] = Field(default_factory=dict)
    best: Book | None = None
    marks: dict[str, int] = Field(default_factory=dict)

    @field_validator("marks")
    @classmethod
    def _small(cls, marks: dict[str, int]) -> dict[str, int]:
        flaws = [Flaw("too big", (key,), "9") for key, mark in marks.items() if mark > 9]
        if flaws:
            raise flawed(*flaws)
        return marks


CONTENT = {
    "an unknown key with its neighbour": ("bokks: []", ["f:1: bokks: unknown key; did you mean 'books'?"]),
    "an unknown key without one": ("zzz: []", ["f:1: zzz: unknown key"]),
    "unknown keys further in": (
        "books:\n- {title: A, page: 2}\nby_name:\n  x: {title: A, titel: B}\nbest: {title: A, pags: 1}",
        [
            "f:2: books.0.page: unknown key; did you mean 'pages'?",
            "f:4: by_name.x.titel: unknown key; did you mean 'title'?",
            "f:5: best.pags: unknown key; did you mean 'pages'?",
        ],
    ),
    "a missing key": ("books:\n\n- {pages: 2}", ["f:3: books.0.title: is missing"]),
    "a key without a value": ("books:", ["f:1: books: has no value; give it one or leave the key out"]),
    "a number where text belongs": (
        "best: {title: 12}",
        ["f:1: best.title: is read as a number or as true or false; put it in quotes"],
    ),
    "text where a number belongs": (
        "best: {title: A, pages: '3'}", ["f:1: best.pages: Input should be a valid integer"]
    ),
    "a list where a mapping belongs": ("best: []", ["f:1: best: must be a mapping, key: value"]),
    "a mapping where a list belongs": ("books: {}", ["f:1: books: must be a list"]),
    "a rule of the model": ("books: [{title: A, pages: 13}]", ["f:1: books.0.pages: not thirteen"]),
    "several flaws of one value": (
        "marks:\n  x: 10\n  y: 9\n  z: 11",
        ["f:2: marks.x: too big; did you mean '9'?", "f:4: marks.z: too big; did you mean '9'?"],
    ),
    "a key that stands twice, and more": (
        "a: 1\nmarks: {x: 10}\na: 2\nb: 3",
        [
            "f:2: marks.x: too big; did you mean '9'?",
            "f:3: a: stands twice, first in line 1",
            "f:4: b: unknown key",
        ],
    ),
    "a terminal's control characters": (
        '"\\e[31mred\\u202e": 1', ["f:1: \\x1b[31mred\\u202e: unknown key"]
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "want"), CONTENT.values(), ids=CONTENT)
def test_all_mistakes_of_a_file_are_told_in_the_order_of_the_lines(text: str, want: list[str]) -> None:
    assert mistakes(text) == want


def test_what_is_right_comes_back_as_the_model() -> None:
    text = b"books: [{title: A, pages: 2}]\nmarks: {x: 9}"
    assert check(read(text, "f"), Shelf) == Shelf(books=[Book(title="A", pages=2)], marks={"x": 9})


def test_an_error_keeps_its_parts_apart() -> None:
    with pytest.raises(FileErrors) as caught:
        check(read(b"\nbokks: []", "f"), Shelf)
    assert caught.value.errors == (FileError("f", 2, "bokks", "unknown key", "books"),)


def test_a_file_of_another_kind_gets_one_error() -> None:
    document = read(b"broker: x\nhome: y", "f")
    refuse_other_kind(document, "broker")
    with pytest.raises(FileErrors, match="f:1: broker: this describes a broker, not a home"):
        refuse_other_kind(document, "home")
    with pytest.raises(FileErrors, match="f:1: is no file of a home"):
        refuse_other_kind(read(b"7", "f"), "home")


def test_words_of_a_file_are_shown_in_one_short_line() -> None:
    assert shown("a\nb\x1b") == "a\\nb\\x1b"
    assert shown("x" * 99) == "x" * 64 + "..."


# Whatever comes


def survives(data: bytes) -> None:
    """Read and check anything: a model, or errors that can be printed."""
    errors: list[str] = []
    try:
        check(read(data, "f"), Shelf)
    except FileErrors as error:
        errors += str(error).split("\n")
    assert all(line.startswith("f:") and line.isprintable() and len(line) < 2000 for line in errors)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    survives(data)


YAML_SIGNS = [
    "a", "books", "marks", "title", "1", " ", "  ", "\n", "\n  ", ": ", "- ", "[", "]", "{", "}", ",", "&x ",
    "*x", "!", "!!str ", "|\n", ">\n", "'", '"', "#", "%", "---\n", "...\n", "? ", "~", "\\", "\t", "\x00",
    "\x85", "\u2028", "\ufeff", "\ud7ff", "%YAML 1.2\n", "%TAG ! x\n", "<<: ", "@", "`",
]  # fmt: skip


@given(signs=st.lists(st.sampled_from(YAML_SIGNS), max_size=30))
def test_any_mixture_of_yamls_own_signs_is_read_or_refused(signs: list[str]) -> None:
    survives("".join(signs).encode())
