"""The prose, the data and the code speak of the same clauses and reasons.

`python -m tests.house.test_clauses` writes clauses.toml anew from the prose.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from accessory_emu import spec
from accessory_emu.protocol.reasons import Reason, Rung

HOUSE = Path(__file__).parents[2]
CHAPTERS = sorted((HOUSE / "docs" / "spec").glob("[0-9][0-9]-*.md"))
DATA = HOUSE / "accessory_emu" / "spec" / "clauses.toml"
AREAS = {
    1: {"KEY", "ENV"},
    2: {"TOP", "MQ"},
    3: {"PAIR"},
    4: {"CMD", "RSP", "RSN", "ACC"},
    5: {"LOG", "SYN"},
}
CLAUSE = re.compile(r"\*\*(AE-[A-Z]+-\d{3})\*\* (.+)")
CITED = re.compile(r"AE-[A-Z]+-\d{3}(?!\d)")
LEVEL = re.compile(r"\b(MUST|SHOULD|MAY)\b")
OTHER_WORDS = re.compile(r"\b(SHALL|REQUIRED|RECOMMENDED|OPTIONAL)\b")
HEAD = """\
# The clauses of docs/spec, word for word; written by `python -m tests.house.test_clauses`.
# An id keeps its meaning for ever. A new one comes with prose, code, test and case.
"""


def read_prose() -> Iterator[spec.Clause]:
    """Give the clauses as the chapters have them; one line each."""
    for chapter, path in enumerate(CHAPTERS, 1):
        for line in path.read_text(encoding="utf-8").splitlines():
            if match := CLAUSE.fullmatch(line):
                name, text = match.groups()
                levels = set(LEVEL.findall(text))
                assert len(levels) == 1, f"{name} holds one level: {sorted(levels)}"
                yield spec.Clause(name, spec.Level(levels.pop()), chapter, text)


def as_toml(clauses: Iterator[spec.Clause]) -> str:
    """Write clauses as TOML; JSON's strings are TOML's too."""
    rows = [
        f'[{each.id}]\nlevel = "{each.level.value}"\nchapter = {each.chapter}\n'
        f"text = {json.dumps(each.text, ensure_ascii=False)}\n"
        for each in clauses
    ]
    return "\n".join([HEAD, *rows])


def cited(*folders: str) -> dict[str, list[str]]:
    """Give every clause id that stands in a text file of these folders, with the files."""
    found: dict[str, list[str]] = {}
    for folder in folders:
        for path in sorted((HOUSE / folder).rglob("*")):
            if path.suffix in {".py", ".md", ".toml", ".json", ".yaml"} and path.is_file():
                for name in set(CITED.findall(path.read_text(encoding="utf-8"))):
                    found.setdefault(name, []).append(str(path.relative_to(HOUSE)))
    return found


def test_prose_and_data_hold_the_same_clauses_word_for_word() -> None:
    assert {each.id: each for each in read_prose()} == dict(spec.clauses()), (
        "run python -m tests.house.test_clauses"
    )


def test_the_data_file_is_written_in_its_one_form() -> None:
    assert DATA.read_text(encoding="utf-8") == as_toml(read_prose()), "run python -m tests.house.test_clauses"


def test_no_id_is_given_twice() -> None:
    counts = Counter(each.id for each in read_prose())
    assert not [name for name, count in counts.items() if count > 1]


def test_each_area_stands_in_one_chapter() -> None:
    by_chapter: dict[int, set[str]] = {}
    for each in read_prose():
        by_chapter.setdefault(each.chapter, set()).add(each.area)
    assert by_chapter == AREAS


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.name)
def test_what_binds_stands_in_clauses_only(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    loose = [line for line in lines if LEVEL.search(line) and not CLAUSE.fullmatch(line)]
    allowed = ["MUST (also as MUST NOT), SHOULD or MAY, as in RFC 2119."] if path == CHAPTERS[0] else []
    assert [line for line in loose if not any(line.startswith(start) for start in allowed)] == []
    assert not [line for line in lines if OTHER_WORDS.search(line)]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.name)
def test_a_bold_id_begins_a_clause_that_ends_as_a_sentence(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("**AE-"):
            match = CLAUSE.fullmatch(line)
            assert match, line
            assert match.group(2).rstrip("`").endswith((".", ":")), line


def test_every_clause_that_is_cited_exists() -> None:
    known = set(spec.clauses())
    unknown = {
        name: files
        for name, files in cited("accessory_emu", "controllers", "tests", "docs").items()
        if name not in known
    }
    assert unknown == {}


def test_reasons_in_the_data_are_the_reasons_of_the_wire() -> None:
    assert {word: text.number for word, text in spec.reasons().items()} == {
        reason.word: int(reason) for reason in Reason
    }
    assert [text.number for text in spec.reasons().values()] == sorted(Reason)


def test_reasons_in_the_prose_are_the_reasons_of_the_wire() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", CHAPTERS[3].read_text(encoding="utf-8"), re.MULTILINE)
    assert {word: int(number) for number, word in rows} == {reason.word: int(reason) for reason in Reason}


def test_every_reason_says_where_it_arises_and_who_hears_it() -> None:
    checks = {rung.value for rung in Rung} | {"entry", "pairing"}
    for text in spec.reasons().values():
        assert text.check, text.word
        assert set(text.check) <= checks, text.word
        assert text.told_to, text.word
        assert set(text.told_to) <= {"trace", "sender", "ack", "peer"}, text.word
        assert text.meaning, text.word
        assert text.cure.endswith("."), text.word


def test_the_rungs_in_the_prose_are_those_of_the_code_in_their_order() -> None:
    text = CHAPTERS[3].read_text(encoding="utf-8")
    table = text[text.index("| rung |") :].split("\n\n")[0].splitlines()[2:]
    assert [row.split("|")[1].strip() for row in table] == [rung.value for rung in Rung]


if __name__ == "__main__":
    DATA.write_text(as_toml(read_prose()), encoding="utf-8")
