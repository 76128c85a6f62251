"""What crosses the wall is a value, and an engine is whatever has its verbs."""

import dataclasses

import pytest

from accessory_emu.protocol.ports import Delivery, Engine, Event, Link, Parcel, Write

VALUES = {
    "delivery": (
        Delivery("t", b"p"),
        Delivery("t", b"p", retained=False),
        Delivery("t", b"p", retained=True),
    ),
    "link": (Link(up=True), Link(up=True), Link(up=False)),
    "parcel": (Parcel("t", b"p"), Parcel("t", b"p", retain=False), Parcel("t", b"p", retain=True)),
    "write": (Write("k", None), Write("k", None, durable=True), Write("k", None, durable=False)),
    "event": (Event("n"), Event("n", {}), Event("n", {"a": 1})),
}


@pytest.mark.parametrize(("one", "same", "other"), VALUES.values(), ids=VALUES)
def test_a_value_equals_its_like_and_is_never_changed(one: object, same: object, other: object) -> None:
    assert one == same != other
    name = dataclasses.fields(one)[0].name  # type: ignore[arg-type]  # each is a dataclass
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(one, name, None)


def test_a_turn_has_these_verbs() -> None:
    verbs = {name for name in vars(Engine) if not name.startswith("_")}
    assert verbs >= {
        "receive",
        "linked",
        "tick",
        "writes",
        "committed",
        "outbox",
        "next_event",
        "filters",
        "again",
        "deadline",
    }
