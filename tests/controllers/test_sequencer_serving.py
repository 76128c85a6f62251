"""The sequencer at work: questions, heads, retained topics, its start, and its end."""

import pytest

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.envelope import Context, parse
from accessory_emu.protocol.identifiers import Version, epoch_of
from accessory_emu.protocol.membership.checkpoint import Checkpoint, Previous, SequencerKind
from accessory_emu.protocol.membership.grant import owner_grant
from accessory_emu.protocol.membership.roster import Roster
from accessory_emu.protocol.membership.tombstones import Tombstones
from accessory_emu.protocol.messages import HubStatus, Life, Statement
from accessory_emu.protocol.ports import Delivery
from controllers.errors import StateDamaged
from controllers.sequencer import Post, Sequencer
from tests.controllers.village import Puppet, Village, key

# questions


def test_a_question_is_answered_with_nonce_version_head_and_time() -> None:
    village = Village()
    puppet = village.puppet("lamp")
    at = village.sequencer.view.version
    parcels = puppet.ask(at, village.head, b"n" * 16)
    answer = puppet.answer_of(parcels)
    assert (answer.nonce, answer.version, answer.head) == (b"n" * 16, at, village.head)
    assert answer.time == village.world.now // 1000
    assert len(parcels) == 1, "nothing is missing"


def test_what_is_missing_follows_the_answer_in_order() -> None:
    village = Village()
    puppet = village.puppet("lamp")
    for name in ("ben", "gus"):
        village.ask(village.adding(name))
    contexts = [parse(each.payload).context for each in puppet.ask(Version(0, 1))]
    assert contexts == [Context.SYNC_ANSWER, Context.ENTRY, Context.ENTRY]


def test_who_stands_in_another_epoch_gets_the_checkpoint_first() -> None:
    village = Village()
    puppet = village.puppet("lamp")
    roster = Roster.of([puppet.key.public])
    _take_over(village, village.key, roster=roster)
    village.ask(village.adding("rosa"))
    contexts = [parse(each.payload).context for each in puppet.ask(Version(0, 1))]
    assert contexts == [Context.SYNC_ANSWER, Context.CHECKPOINT, Context.ENTRY]


def test_what_is_missing_is_sent_to_one_accessory_at_most_once_a_second() -> None:
    village = Village()
    puppet = village.puppet("lamp")
    village.ask(village.adding("ben"))
    assert len(puppet.ask(Version(0, 1))) == 2
    assert len(puppet.ask(Version(0, 1))) == 1, "answered, and no entry again"
    since = len(village.world.network.traffic)
    village.world.advance(1000)
    puppet.ack(Version(0, 1))
    village.world.advance(1000)
    assert len(puppet.inbox(since)) == 1


def test_questions_of_strangers_and_retained_ones_are_not_answered() -> None:
    village = Village()
    stranger = Puppet(village, key("stranger"))
    assert stranger.ask(Version(0, 0)) == []
    lamp = village.puppet("lamp")
    village.world.network.deliver(
        "sequencer", _retained(village.world.topics.sync(village.home, lamp.id), lamp.question(Version(0, 1)))
    )
    village.world.settle()
    assert lamp.inbox() == []
    assert len(lamp.ask(Version(0, 1))) == 1


def _retained(topic: str, payload: bytes) -> Delivery:
    return Delivery(topic, payload, retained=True)


def test_an_ack_or_announcement_below_the_head_brings_what_is_missing() -> None:
    village = Village()
    puppet = village.puppet("lamp")
    village.ask(village.adding("ben"))
    since = len(village.world.network.traffic)
    puppet.ack(Version(0, 1))
    village.world.advance(limits.CARRY_GAP_MS)
    assert [parse(each.payload).context for each in puppet.inbox(since)] == [Context.ENTRY]
    other = village.puppet("door")
    village.ask(village.adding("gus"))
    since = len(village.world.network.traffic)
    other.announce(home=village.home, life=Life.MEMBER, version=Version(0, 2))
    village.world.advance(limits.CARRY_GAP_MS)
    assert [parse(each.payload).context for each in other.inbox(since)] == [Context.ENTRY] * 2


def test_who_catches_up_within_a_second_is_sent_nothing() -> None:
    village = Village()
    puppet = village.puppet("lamp")
    village.ask(village.adding("ben"))
    since = len(village.world.network.traffic)
    puppet.ack(Version(0, 1))
    puppet.ack(Version(0, 2))
    village.world.advance(5000)
    assert puppet.inbox(since) == []


# heads and retained topics


def test_a_head_is_the_heartbeat_and_states_a_time_that_never_falls() -> None:
    village = Village()
    topic = village.world.topics.head(village.home)
    village.world.advance(3 * limits.HEAD_EVERY_MS)
    times = [_head_time(each.payload) for each in village.world.network.traffic if each.topic == topic]
    assert len(times) == 4
    assert times == sorted(times)


def _head_time(raw: bytes) -> int:
    return Statement.decode_head(parse(raw).payload).time or 0


def test_a_clock_that_went_back_over_a_restart_does_not_set_the_stated_time_back() -> None:
    village = Village()
    first = _head_time(village.world.network.retained()[village.world.topics.head(village.home)])
    village.world.clock._now -= 3_600_000  # noqa: SLF001 - the wall's clock was set back
    village.node.restart()
    village.world.advance(1000)
    again = _head_time(village.world.network.retained()[village.world.topics.head(village.home)])
    assert again >= first


def test_what_the_broker_has_lost_is_published_again_at_the_next_connection() -> None:
    village = Village()
    village.ask(village.adding("rosa"))
    before = village.world.network.retained()
    village.world.network.forget_retained()
    village.node.link.drop()
    village.node.link.restore()
    village.world.advance(limits.LOOK_MS)
    after = village.world.network.retained()
    assert set(after) == set(before)
    log = village.world.topics.log(village.home, Version(0, 1))
    assert after[log] == before[log]


def test_what_somebody_overwrites_is_restored_at_most_every_30_seconds() -> None:
    village = Village()
    village.ask(village.adding("rosa"))
    topic = village.world.topics.log(village.home, Version(0, 1))
    good = village.world.network.retained()[topic]
    village.world.advance(limits.REPUBLISH_GAP_MS)
    for _ in range(3):
        village.world.publish(topic, b"graffiti", retain=True)
        village.world.advance(2000)
    written = [each for each in village.world.network.traffic if each.topic == topic and each.payload == good]
    assert len(written) == 2, "the first publication, and one of three overwritten ones so far"
    village.world.advance(limits.REPUBLISH_GAP_MS)
    assert village.world.network.retained()[topic] == good


# start, recovery, take-over


def test_a_sequencer_signs_nothing_before_it_has_looked() -> None:
    village = Village()
    village.node.restart()
    village.world.network.forget_retained()
    village.world.settle()
    assert village.sequencer.post is Post.LOOKING
    request = village.adding("rosa")
    assert village.ask(request) is None
    village.world.advance(limits.LOOK_MS)
    assert village.words()[-1].status is HubStatus.COMMITTED, "who asked meanwhile is answered now"


def test_a_store_from_yesterday_recovers_what_stands_on_the_retained_topics() -> None:
    village = Village()
    village.ask(village.adding("rosa"))
    yesterday = village.node.store.survivors()
    village.ask(village.adding("ben"))
    village.ask(village.adding("gus"))
    village.node.link.close()
    village.node.store = yesterday
    village.node.start()
    village.world.advance(1000)
    assert village.sequencer.view.version == Version(0, 3)
    village.ask(village.adding("eve"))
    _no_version_has_two_entries(village)


def test_without_the_retained_topics_it_waits_for_what_accessories_hand_back() -> None:
    village = Village()
    village.ask(village.adding("rosa"))
    yesterday = village.node.store.survivors()
    village.ask(village.adding("ben"))
    (_, lost) = village.published_entries()[-1]
    head = village.world.network.retained()[village.world.topics.head(village.home)]
    village.node.link.close()
    village.node.store = yesterday
    village.world.network.forget_retained()
    village.world.publish(village.world.topics.head(village.home), head, retain=True)
    village.node.start()
    village.world.advance(1000)
    assert not village.sequencer.may_sign, "its own head tells of an entry that it does not hold"
    assert any(event.name == "cannot_sign" for event in village.node.events)
    assert village.ask(village.adding("eve")) is None
    village.hand_in(lost)
    assert village.sequencer.may_sign
    assert village.sequencer.view.version == Version(0, 3), "recovered, then eve"
    _no_version_has_two_entries(village)


def test_one_version_with_two_entries_of_its_own_stops_it_for_good() -> None:
    village = Village()
    village.ask(village.adding("rosa"))
    other = village.sign_entry(Version(0, 1), village.trust.head, village.adding("ben").raw)
    village.hand_in(other)
    assert village.sequencer.post is Post.BROKEN
    assert village.ask(village.adding("gus")) is None
    assert [event.name for event in village.node.events if event.name == "equivocated"] == ["equivocated"]


def _take_over(
    village: Village, sequencer: SigningKey, roster: Roster | None = None, turn: int = 1
) -> Checkpoint:
    """Publish an owner's checkpoint of the next turn that names a sequencer."""
    view = village.sequencer.view
    assert view.log is not None
    checkpoint = Checkpoint(
        home=village.home,
        version=Version(epoch_of(0, turn, 7), 0),
        prev=Previous(view.log.version, view.log.head),
        time=village.world.now // 1000,
        grants=(owner_grant(village.owner.public),),
        tombstones=Tombstones(),
        roster=(roster or Roster()).digest(),
        sequencer=sequencer.public,
        kind=SequencerKind.DEVICE,
        owner=village.owner.public,
    )
    topic = village.world.topics.checkpoint(village.home)
    village.world.publish(topic, checkpoint.sign(village.owner).raw, retain=True)
    village.world.settle()
    return checkpoint


def test_a_checkpoint_that_names_another_ends_it_over_a_restart_too() -> None:
    village = Village()
    puppet = village.puppet("lamp")
    _take_over(village, key("another"))
    assert village.sequencer.post is Post.SUPERSEDED
    since = len(village.world.network.traffic)
    assert village.ask(village.adding("rosa")) is None
    assert puppet.ask(Version(0, 1)) == []
    village.node.restart(cut=True)
    village.world.advance(2 * limits.HEAD_EVERY_MS)
    assert village.sequencer.post is Post.SUPERSEDED
    signed = [
        each for each in village.world.network.traffic[since:] if _signer(each.payload) == village.key.kid
    ]
    assert signed == []


def _signer(raw: bytes) -> bytes:
    return parse(raw).kid if raw[:2] == b"\xd2\x84" else b""


def test_a_new_epoch_that_names_it_is_served_and_the_old_topics_are_cleared() -> None:
    village = Village()
    village.ask(village.adding("rosa"))
    _take_over(village, village.key)
    retained = village.world.network.retained()
    assert village.world.topics.log(village.home, Version(0, 1)) not in retained
    word = village.ask(village.adding("ben"))
    assert word is not None
    assert word.version == Version(epoch_of(0, 1, 7), 1)


def test_a_checkpoint_of_somebody_else_changes_nothing() -> None:
    village = Village()
    honest, village.owner = village.owner, key("mallory")
    _take_over(village, key("another"))
    village.owner = honest
    assert village.sequencer.post is Post.SERVING
    assert village.ask(village.adding("rosa")) is not None


def test_without_the_roster_of_the_checkpoint_it_signs_nothing() -> None:
    village = Village()
    roster = Roster.of([key("lamp").public])
    checkpoint = _take_over(village, village.key, roster=roster)
    assert village.sequencer.post is Post.SERVING
    assert village.ask(village.adding("rosa")) is None
    assert any(event.name == "roster_missing" for event in village.node.events)
    village.world.publish(
        village.world.topics.roster(village.home, checkpoint.roster), b"x" * 32, retain=True
    )
    village.world.settle()
    assert village.ask(village.adding("ben")) is None
    topic = village.world.topics.roster(village.home, checkpoint.roster)
    village.world.publish(topic, roster.encode(), retain=True)
    village.world.settle()
    assert village.ask(village.adding("gus")) is not None
    assert set(village.sequencer.view.roster.keys.values()) == {key("lamp").public}


def test_what_was_committed_in_an_epoch_that_the_next_one_lacks_is_judged_anew() -> None:
    village = Village()
    early = village.sequencer.view
    assert early.log is not None
    request = village.adding("rosa")
    village.ask(request)
    lacking = Checkpoint(
        home=village.home,
        version=Version(epoch_of(0, 1, 7), 0),
        prev=Previous(Version(0, 0), village.trust.head),
        time=village.world.now // 1000,
        grants=(owner_grant(village.owner.public),),
        tombstones=Tombstones(),
        roster=Roster().digest(),
        sequencer=village.key.public,
        kind=SequencerKind.DEVICE,
        owner=village.owner.public,
    )
    village.hand_in(lacking.sign(village.owner).raw)
    word = village.ask(request)
    assert word is not None
    assert word.version == Version(epoch_of(0, 1, 7), 1)


def _no_version_has_two_entries(village: Village) -> None:
    by_version: dict[Version, set[bytes]] = {}
    for version, raw in village.published_entries():
        by_version.setdefault(version, set()).add(raw)
    assert all(len(raws) == 1 for raws in by_version.values()), by_version.keys()


def test_damaged_rows_are_a_clear_error_and_never_an_empty_state() -> None:
    village = Village()
    village.ask(village.adding("rosa"))
    rows = village.node.store.load("")
    topics, random = village.world.topics, village.world.random
    assert isinstance(Sequencer(village.key, topics, random, rows), Sequencer)
    for name in rows:
        for damage in (b"", rows[name][:-1], rows[name] + b"\0", b"\xff" + rows[name][1:]):
            with pytest.raises(StateDamaged):
                Sequencer(village.key, topics, random, {**rows, name: damage})
    for name in ("trust", "checkpoint", "entry/0000000000000000/0000000000000001", "head"):
        bent = rows[name][:-1] + bytes([rows[name][-1] ^ 1])
        with pytest.raises(StateDamaged):
            Sequencer(village.key, topics, random, {**rows, name: bent})
    with pytest.raises(StateDamaged):
        Sequencer(village.key, topics, random, {})


def test_a_genesis_that_names_another_key_is_no_home_to_serve() -> None:
    village = Village()
    with pytest.raises(ValueError, match="another sequencer"):
        Sequencer.found(key("other"), village.world.topics, village.world.random, village.genesis, 0)
