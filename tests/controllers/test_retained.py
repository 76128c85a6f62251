"""A writer's watch over its retained topics."""

from accessory_emu.protocol import limits
from accessory_emu.protocol.ports import Parcel
from controllers.retained import Retained

GAP = limits.REPUBLISH_GAP_MS


def _watch() -> Retained:
    retained = Retained()
    assert retained.become({"a": b"1", "b": b"2"}, (), 0) == [
        Parcel("a", b"1", retain=True),
        Parcel("b", b"2", retain=True),
    ]
    return retained


def test_only_what_changes_is_published_and_what_is_gone_is_cleared() -> None:
    retained = _watch()
    assert retained.become({"a": b"1", "c": b"3"}, (), 1) == [
        Parcel("b", b"", retain=True),
        Parcel("c", b"3", retain=True),
    ]
    assert retained.become({"a": b"1"}, {"c"}, 1) == [], "what stands besides is not touched"


def test_at_a_connection_what_was_not_seen_is_published_again() -> None:
    retained = _watch()
    retained.connected()
    retained.saw("a", b"1", 5)
    assert retained.unseen(6) == [Parcel("b", b"2", retain=True)]
    retained.saw("b", b"2", 7)
    assert retained.unseen(8) == []
    retained.connected()
    assert len(retained.unseen(9)) == 2


def test_what_is_overwritten_is_restored_once_in_thirty_seconds() -> None:
    retained = _watch()
    retained.saw("a", b"graffiti", 10)
    assert retained.deadline() == GAP
    assert retained.overwritten(GAP - 1) == []
    assert retained.overwritten(GAP) == [Parcel("a", b"1", retain=True)]
    assert retained.deadline() is None
    retained.saw("a", b"graffiti", GAP + 1)
    assert retained.deadline() == 2 * GAP
    retained.saw("a", b"graffiti", 3 * GAP)
    assert retained.deadline() == 2 * GAP, "the first of several counts"


def test_an_echo_that_was_under_way_is_no_overwriting() -> None:
    retained = _watch()
    retained.put("a", b"new", GAP)
    retained.saw("a", b"1", GAP + 1)
    retained.saw("a", b"new", GAP + 2)
    assert retained.deadline() is None


def test_other_topics_are_nobodys_business() -> None:
    retained = _watch()
    retained.saw("x", b"anything", 1)
    assert retained.deadline() is None
