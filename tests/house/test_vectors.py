"""Each vector file says where it comes from, what it serves, and who else has checked it."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from accessory_emu import spec

HOUSE = Path(__file__).parents[2]
VECTORS = HOUSE / "accessory_emu" / "spec" / "vectors"
FILES = sorted(VECTORS.rglob("*.json"))
HEAD = {"vectors", "spec", "clauses", "source", "made_by", "checked_by", "licence", "cases"}
CASE = {"id", "result", "why"}


def faults(content: Mapping[str, object]) -> list[str]:
    """Tell what a vector file lacks."""
    found = sorted(HEAD - set(content))
    if found:
        return found
    clauses, cases = content["clauses"], content["cases"]
    assert isinstance(clauses, list)
    assert isinstance(cases, list)
    found += [name for name in clauses if name not in spec.clauses()]
    found += [f"{case.get('id')}: {key}" for case in cases for key in sorted(CASE - set(case))]
    found += [f"{case['id']}: result" for case in cases if case.get("result") not in {"valid", "invalid"}]
    names = [case.get("id") for case in cases]
    return found + ([] if cases and len(names) == len(set(names)) else ["cases"])


def test_there_are_vectors() -> None:
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_vector_file_has_its_head(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    assert faults(content) == []
    assert content["spec"] == spec.SPEC_VERSION
    assert content["vectors"] == path.relative_to(VECTORS).with_suffix("").as_posix() or content[
        "vectors"
    ].endswith(f"/{path.stem}")
    maker = content["made_by"].split()[0]
    assert (HOUSE / maker).is_file(), "the maker of the vectors is in the tree"


@pytest.mark.parametrize("key", sorted(HEAD))
def test_a_vector_file_without_a_line_of_its_head_is_refused(key: str) -> None:
    content = json.loads(FILES[0].read_text(encoding="utf-8"))
    del content[key]
    assert faults(content) == [key]


def test_a_clause_that_does_not_exist_is_found() -> None:
    content = json.loads(FILES[0].read_text(encoding="utf-8"))
    assert faults(content | {"clauses": ["AE-" + "KEY-999"]}) == ["AE-" + "KEY-999"]
