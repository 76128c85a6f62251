"""Power cuts at every write of a sequencer: never two entries of one version, every request ends once."""

import pytest

from accessory_emu.protocol.envelope import Context, Sealed, parse
from accessory_emu.protocol.identifiers import Version
from accessory_emu.protocol.membership.request import RequestOp
from accessory_emu.protocol.messages import HubStatus, Statement
from accessory_emu.storage.memory import MemoryStore
from tests.controllers.village import Village, key


def _requests(village: Village) -> list[Sealed]:
    """Give a history: two people, a refusal, an accessory, a removal that must find its target."""
    return [
        village.adding("rosa"),
        village.request(village.owner, RequestOp.RELEASE, target=bytes(8)),
        village.request(village.owner, RequestOp.ENROL, key=key("lamp").public),
        village.adding("gus"),
    ]


def _begin(cut_at: int | None) -> tuple[Village, list[Sealed]]:
    """Start a home whose sequencer's store will be cut after so many rows from now on."""
    village = Village()
    requests = _requests(village)
    village.node.store = village.node.store.survivors(cut_at)
    for request in requests:
        village.hand_in(request.raw)
    return village, requests


def _rows_written() -> int:
    """Count the rows that the history writes."""
    village, _ = _begin(None)
    for count in range(1, 200):
        tried, _ = _begin(count)
        if not tried.node.dead:
            return count
    raise AssertionError(f"a history of {len(village.words())} words writes more than 200 rows")


ROWS = _rows_written()


def test_the_history_writes_what_a_cut_can_hit() -> None:
    assert ROWS > 4


@pytest.mark.parametrize("cut_at", range(ROWS + 1))
def test_after_a_cut_at_any_write_every_request_ends_exactly_once(cut_at: int) -> None:
    village, requests = _begin(cut_at)
    village.node.link.drop()
    village.node.store = village.node.store.survivors()
    village.node.start()
    village.world.advance(1000)
    for request in requests:  # who got no answer asks again, and who got one too
        village.hand_in(request.raw)
    entries: dict[Version, set[bytes]] = {}
    for version, raw in village.published_entries():
        entries.setdefault(version, set()).add(raw)
    assert sorted(entries) == [Version(0, seq) for seq in (1, 2, 3)]
    assert all(len(raws) == 1 for raws in entries.values())
    for request in requests:
        words = {word for word in village.words() if word.request == request.id[:16]}
        assert len(words) == 1, "however often it was asked"
    states = [word.status for word in sorted(set(village.words()), key=lambda word: word.request)]
    assert sorted(states) == [HubStatus.COMMITTED] * 3 + [HubStatus.REFUSED]
    view = village.sequencer.view
    assert len(view.roster) == 1
    assert view.grant(key("rosa").kid) is not None


@pytest.mark.parametrize("cut_at", range(ROWS + 1))
def test_no_head_that_ever_left_contradicts_another(cut_at: int) -> None:
    village, requests = _begin(cut_at)
    village.node.link.drop()
    village.node.store = village.node.store.survivors()
    village.node.start()
    village.world.advance(1000)
    for request in reversed(requests):  # another order than before the cut
        village.hand_in(request.raw)
    heads: dict[Version, set[bytes]] = {}
    for each in village.world.network.traffic:
        if each.payload[:2] == b"\xd2\x84" and (envelope := parse(each.payload)).context is Context.HEAD:
            statement = Statement.decode_head(envelope.payload)
            heads.setdefault(statement.version, set()).add(statement.head)
    assert all(len(each) == 1 for each in heads.values())


def test_a_commit_that_fails_lets_nothing_leave() -> None:
    village = Village()
    village.node.store = MemoryStore.survivors(village.node.store, 0)
    before = len(village.world.network.traffic)
    village.hand_in(village.adding("rosa").raw)
    assert village.node.dead
    assert [each.topic for each in village.world.network.traffic[before:]] == [
        village.world.topics.hub_inbox(village.home)
    ]
