"""The loader of the specification's data."""

import pytest

from accessory_emu import spec


def test_a_clause_is_found_by_its_id() -> None:
    clause = spec.clauses()["AE-KEY-001"]
    assert (clause.id, clause.area, clause.chapter, clause.level) == ("AE-KEY-001", "KEY", 1, spec.Level.MUST)
    assert clause.text.startswith("The id of a key")


def test_a_reason_is_found_by_its_word() -> None:
    text = spec.reasons()["stale_boot"]
    assert (text.number, text.check, text.told_to) == (6, ("boot",), ("sender",))


def test_the_data_is_read_once_and_cannot_be_changed() -> None:
    assert spec.clauses() is spec.clauses()
    with pytest.raises(TypeError):
        spec.reasons()["new"] = spec.reasons()["busy"]  # type: ignore[index]  # the point of the test


@pytest.mark.parametrize("read", [spec._Row.text, spec._Row.number, spec._Row.words])  # noqa: SLF001 - the reader itself
def test_a_field_of_another_type_is_an_error(read: object) -> None:
    assert callable(read)
    with pytest.raises(TypeError):
        read(spec._Row({"field": 1.5}), "field")  # noqa: SLF001 - the reader itself
    with pytest.raises(KeyError):
        read(spec._Row({}), "field")  # noqa: SLF001 - the reader itself
