"""A controller's view of a home: what gets in, what does not, and what a store gives back."""

import pytest

from accessory_emu.protocol import limits
from accessory_emu.protocol.envelope import parse
from accessory_emu.protocol.errors import BadSignature, Malformed, ProtocolError, Refused, UnknownKey
from accessory_emu.protocol.identifiers import AccessoryId, ObjectId, Version
from accessory_emu.protocol.membership.checkpoint import SequencerKind, genesis
from accessory_emu.protocol.membership.request import RequestOp
from accessory_emu.protocol.messages import Life
from accessory_emu.protocol.reasons import Reason
from controllers.errors import StateDamaged
from controllers.home import HomeView
from controllers.invitation import Trust
from controllers.record import Forked
from tests.controllers.village import Puppet, Village, key


def _village() -> Village:
    """Give a home with a resident, an accessory, a guest's place, and one more entry."""
    village = Village()
    village.ask(village.adding("rosa"))
    village.puppet("lamp")
    village.ask(village.adding("ben"))
    return village


def _fill(view: HomeView, village: Village) -> None:
    view.take_checkpoint(parse(village.genesis))
    for _, raw in village.published_entries():
        view.take_entry(parse(raw))


def test_a_view_is_the_same_fold_as_the_sequencers() -> None:
    village = _village()
    view = HomeView(village.trust, {})
    _fill(view, village)
    own = village.sequencer.view
    assert view.log is not None
    assert own.log is not None
    assert (view.log.version, view.log.head, view.log.digest()) == (
        own.log.version,
        own.log.head,
        own.log.digest(),
    )
    assert view.roster == own.roster
    assert set(view.roster.keys) == {key("lamp").kid}


def test_entries_may_come_in_any_order_and_twice() -> None:
    village = _village()
    view = HomeView(village.trust, {})
    view.take_checkpoint(parse(village.genesis))
    entries = [raw for _, raw in village.published_entries()]
    moved = [view.take_entry(parse(raw)) for raw in [*reversed(entries), *entries]]
    assert moved == [False, False, True, False, False, False]
    assert view.version == Version(0, 3)
    assert not view.behind()


def test_an_entry_before_the_checkpoint_is_skipped() -> None:
    village = _village()
    with pytest.raises(UnknownKey):
        HomeView(village.trust, {}).take_entry(parse(village.published_entries()[0][1]))


def test_a_view_knows_that_it_is_behind_until_the_entries_have_come() -> None:
    village = _village()
    view = HomeView(village.trust, {})
    assert view.behind()
    view.take_checkpoint(parse(village.genesis))
    assert not view.behind()
    head = village.world.network.retained()[village.world.topics.head(village.home)]
    view.hear_head(parse(head), 7)
    assert view.behind()
    for _, raw in village.published_entries():
        view.take_entry(parse(raw))
    assert not view.behind()
    assert view.stated is not None
    assert (view.stated.statement.version, view.stated.at) == (Version(0, 3), 7)


def test_an_invitation_takes_no_older_view_and_no_other_head() -> None:
    village = _village()
    own = village.sequencer.view.log
    assert own is not None
    entries = [raw for _, raw in village.published_entries()]
    trust = Trust(village.home, village.owner.public, own.version, own.head)
    view = HomeView(trust, {})
    view.take_checkpoint(parse(village.genesis))
    for raw in entries[:-1]:
        view.take_entry(parse(raw))
    assert not view.ready
    assert view.version == own.version, "what the invitation says is known"
    view.take_entry(parse(entries[-1]))
    assert view.ready
    other = HomeView(Trust(village.home, village.owner.public, own.version, ObjectId(bytes(32))), {})
    other.take_checkpoint(parse(village.genesis))
    for raw in entries[:-1]:
        other.take_entry(parse(raw))
    with pytest.raises(Refused) as refused:
        other.take_entry(parse(entries[-1]))
    assert refused.value.clause == "AE-LOG-094"
    assert other.version == own.version
    later = HomeView(Trust(village.home, village.owner.public, Version(1 << 16, 0), own.head), {})
    with pytest.raises(Refused) as refused:
        later.take_checkpoint(parse(village.genesis))
    assert refused.value.reason is Reason.STALE_ACL


def test_two_entries_of_one_version_are_a_fork() -> None:
    village = _village()
    view = HomeView(village.trust, {})
    _fill(view, village)
    other = village.sign_entry(Version(0, 1), village.trust.head, village.adding("eve").raw)
    with pytest.raises(Forked):
        view.take_entry(parse(other))
    stranger = village.sign_entry(Version(0, 1), village.trust.head, village.adding("eve").raw, key("rosa"))
    assert view.take_entry(parse(stranger)) is False, "a member's word proves nothing"


def test_entries_that_others_sign_or_that_are_bent_are_skipped() -> None:
    village = _village()
    view = HomeView(village.trust, {})
    view.take_checkpoint(parse(village.genesis))
    good = village.published_entries()[0][1]
    with pytest.raises(BadSignature):
        view.take_entry(parse(good[:-1] + bytes([good[-1] ^ 1])))
    strange = village.sign_entry(Version(0, 1), village.trust.head, village.adding("eve").raw, key("mallory"))
    with pytest.raises(UnknownKey):
        view.take_entry(parse(strange))
    assert view.take_entry(parse(good)) is True


def test_what_is_missing_begins_with_the_checkpoint_of_another_epoch() -> None:
    village = _village()
    view = village.sequencer.view
    entries = [raw for _, raw in village.published_entries()]
    assert view.missing(Version(0, 3)) == []
    assert view.missing(Version(0, 9)) == []
    assert view.missing(Version(0, 1)) == entries[1:]
    assert HomeView(village.trust, {}).missing(Version(0, 0)) == []


def test_a_store_gives_back_the_same_view() -> None:
    village = _village()
    lamp = Puppet(village, key("lamp"))
    node = village.member("rosa")
    village.world.settle()
    lamp.ack(Version(0, 3))
    before = node.engine.view  # type: ignore[attr-defined]  # a member
    node.store.apply(())
    again = HomeView(village.trust, node.store.load(""))
    assert again.log == before.log
    assert again.roster == before.roster
    assert [each.ack.version for each in again.acks.values()] == [Version(0, 3)]
    assert again.entries == before.entries


def test_rows_that_do_not_read_back_are_a_clear_error() -> None:
    village = _village()
    node = village.member("rosa")
    village.world.settle()
    node.store.apply(())
    rows = {name: row for name, row in node.store.load("").items() if name != "trust"}
    assert len(rows) == 5
    for name, row in rows.items():
        for damage in (b"", row[:-1], row + b"\0"):
            with pytest.raises(StateDamaged):
                HomeView(village.trust, {**rows, name: damage})
    for missing in ("checkpoint", "base", "entry/0000000000000000/0000000000000002"):
        with pytest.raises(StateDamaged):
            HomeView(village.trust, {name: row for name, row in rows.items() if name != missing})


def test_an_announcement_counts_only_under_its_own_key_and_topic() -> None:
    village = _village()
    puppet = Puppet(village, key("door"))
    puppet.announce()
    raw = village.world.network.retained()[village.world.topics.announce(puppet.id)]
    view = HomeView(village.trust, {})
    with pytest.raises(Malformed):
        view.take_announce(parse(raw), AccessoryId(key("lamp").kid), 0)
    with pytest.raises(BadSignature):
        view.take_announce(parse(raw[:-1] + bytes([raw[-1] ^ 1])), puppet.id, 0)
    assert view.take_announce(parse(raw), puppet.id, 0) is not None
    assert view.take_announce(parse(raw), puppet.id, 0) is None, "nothing new"
    assert puppet.id in view.strangers
    assert view.heard(puppet.id) is not None


def test_acks_count_from_enrolled_accessories_only_and_never_go_back() -> None:
    village = _village()
    view = HomeView(village.trust, {})
    _fill(view, village)
    lamp, stranger = Puppet(village, key("lamp")), Puppet(village, key("stranger"))
    acks = {}
    for version in (Version(0, 2), Version(0, 3)):
        lamp.ack(version)
        acks[version] = village.world.network.retained()[village.world.topics.ack(village.home, lamp.id)]
    stranger.ack(Version(0, 3))
    strange = village.world.network.retained()[village.world.topics.ack(village.home, stranger.id)]
    assert view.take_ack(parse(acks[Version(0, 3)]), 1) == lamp.id
    assert view.take_ack(parse(acks[Version(0, 2)]), 2) is None
    assert view.acks[lamp.id].ack.version == Version(0, 3)
    with pytest.raises(UnknownKey):
        view.take_ack(parse(strange), 3)


def test_who_is_released_counts_no_longer_and_is_a_stranger() -> None:
    village = _village()
    lamp = Puppet(village, key("lamp"))
    lamp.ack(Version(0, 3))
    view = village.sequencer.view
    assert lamp.id in view.acks
    assert lamp.id in view.announced
    village.ask(village.request(village.owner, RequestOp.RELEASE, target=lamp.id))
    assert lamp.id not in view.roster
    assert lamp.id not in view.acks
    assert lamp.id in view.strangers
    assert lamp.ask(Version(0, 3)) == []


def test_strangers_are_bounded() -> None:
    village = Village()
    view = village.sequencer.view
    first = Puppet(village, key("stranger 0"))
    first.announce()
    village.world.settle()
    assert first.id in view.strangers
    heard = view.strangers.pop(first.id)
    for number in range(limits.STRANGERS_KEPT):
        view.strangers[AccessoryId(number.to_bytes(8))] = heard
    Puppet(village, key("one more")).announce()
    village.world.settle()
    assert len(view.strangers) == limits.STRANGERS_KEPT


def test_availability_is_a_hint_about_known_accessories() -> None:
    village = _village()
    lamp = Puppet(village, key("lamp"))
    view = village.sequencer.view
    assert view.reachable(lamp.id)
    village.world.publish(village.world.topics.available(lamp.id), b"offline", retain=True)
    village.world.publish(village.world.topics.available(AccessoryId(b"nobody!!")), b"offline", retain=True)
    village.world.settle()
    assert not view.reachable(lamp.id)
    assert list(view.away) == [lamp.id]
    village.world.publish(village.world.topics.available(lamp.id), b"online", retain=True)
    village.world.settle()
    assert view.reachable(lamp.id)


def test_what_an_accessory_has_shown_is_the_higher_of_ack_and_announcement() -> None:
    village = _village()
    lamp, view = Puppet(village, key("lamp")), village.sequencer.view
    assert view.shown_version(lamp.id) is None
    lamp.announce(home=village.home, life=Life.MEMBER, version=Version(0, 2))
    village.world.settle()
    assert view.shown_version(lamp.id) == Version(0, 2)
    lamp.ack(Version(0, 3))
    assert view.shown_version(lamp.id) == Version(0, 3)
    assert not view.at_head(lamp.id), "this puppet's head is another"


def test_only_the_owners_checkpoint_of_this_home_is_taken() -> None:
    village = Village()
    view = HomeView(village.trust, {})
    _, by_another, _ = genesis(key("mallory"), village.key.public, SequencerKind.DEVICE, 1)
    _, another_home, _ = genesis(village.owner, village.key.public, SequencerKind.DEVICE, 1)
    for raw in (by_another.raw, another_home.raw, village.sign_entry(Version(0, 1), village.head, b"x")):
        with pytest.raises(ProtocolError):
            view.take_checkpoint(parse(raw))
    assert view.take_checkpoint(parse(village.genesis)) is True
    assert view.take_checkpoint(parse(village.genesis)) is False
