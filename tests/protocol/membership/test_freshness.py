"""In sync, obeying without it, asking, and trusted time: every sentence of the rules as a timeline."""

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import sha256
from accessory_emu.protocol.errors import Refused
from accessory_emu.protocol.identifiers import ObjectId, Version, epoch_of
from accessory_emu.protocol.membership.checkpoint import SequencerKind
from accessory_emu.protocol.membership.freshness import Freshness, Place, Policy
from accessory_emu.protocol.messages import Statement
from accessory_emu.protocol.reasons import Reason, Rung

HUB, DEVICE = SequencerKind
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
UNIX = 1_780_000_000  # unix s at the start
LAMP = Policy()
LOCK = Policy(hub_ms=limits.SYNC_HUB_STRICT_MS, device_ms=limits.SYNC_DEVICE_STRICT_MS, strict=True)


def head_of(version: Version) -> ObjectId:
    return ObjectId(sha256(str(version).encode()))


class Timeline:
    """One accessory's freshness, a clock that is set by hand, and a sequencer that tells the truth."""

    def __init__(self, policy: Policy = LAMP, *, synced_once: bool = True) -> None:
        self.now = 0
        self.fresh = Freshness(policy, started=0, synced_once=synced_once)
        self.place = Place(Version(0, 5), head_of(Version(0, 5)), UNIX)
        self.asked: list[bytes] = []

    @property
    def unix(self) -> int:
        """The true time, unix s."""
        return UNIX + self.now // 1000

    def at(self, now: int) -> "Timeline":
        """Set the clock."""
        self.now = now
        return self

    def link(self) -> None:
        """The connection comes up."""
        self.fresh.linked(self.now)

    def unlink(self) -> None:
        """The connection is lost."""
        self.fresh.unlinked(self.now)

    def ask(self) -> bytes:
        """Ask; gives the nonce."""
        nonce = len(self.asked).to_bytes(16)
        self.asked.append(nonce)
        self.fresh.ask(nonce, self.now)
        return nonce

    def answer(self, **changes: object) -> bool:
        """Answer the newest question."""
        nonce = self.asked[-1] if self.asked else b""
        honest = Statement(self.place.version, self.place.head, self.unix, nonce)
        return self.fresh.answered(replace(honest, **changes), self.place, self.now)  # type: ignore[arg-type]  # by name

    def head(self, **changes: object) -> None:
        """Hear a head."""
        honest = Statement(self.place.version, self.place.head, self.unix)
        self.fresh.heard_head(replace(honest, **changes), self.place, self.now)  # type: ignore[arg-type]  # by name

    def sync(self) -> None:
        """Ask and be answered."""
        self.ask()
        assert self.answer()

    def entry(self) -> None:
        """Apply the next entry."""
        version = Version(self.place.version.epoch, self.place.version.seq + 1)
        self.fresh.saw(version, self.place.version, self.now)
        self.place = Place(version, head_of(version), self.unix)
        self.fresh.moved(self.place, self.now)

    def checkpoint(self) -> None:
        """Take a checkpoint of the next turn."""
        version = Version(epoch_of(0, self.place.version.turn + 1, 7), 0)
        self.place = Place(version, head_of(version), self.unix)
        self.fresh.new_epoch(self.place, self.now)

    def later(self, entries: int = 1) -> Version:
        """Give a version above the own."""
        return Version(self.place.version.epoch, self.place.version.seq + entries)

    def learn(self, entries: int = 1) -> None:
        """Learn of a higher version from a head."""
        self.head(version=self.later(entries), head=head_of(self.later(entries)))

    @property
    def in_sync(self) -> bool:
        """Tell whether it is in sync now."""
        return self.fresh.in_sync(self.place.version, self.now)

    def obeys(self, kind: SequencerKind = HUB) -> bool:
        """Tell whether members are obeyed above view now."""
        return self.fresh.obeys(self.place.version, kind, self.now)

    @property
    def time(self) -> int | None:
        """Give the trusted time now, in ms."""
        return self.fresh.trusted_time(self.now)

    @property
    def due(self) -> bool:
        """Tell whether a question is due now."""
        return self.fresh.question_due(self.now)


def synced(policy: Policy = LAMP) -> Timeline:
    """Give an accessory that linked and was answered at once, at 0."""
    line = Timeline(policy)
    line.link()
    line.sync()
    return line


def refusal(line: Timeline, **changes: object) -> Reason:
    with pytest.raises(Refused) as caught:
        line.answer(**changes)
    assert caught.value.rung is Rung.SYNC
    return caught.value.reason


# in sync begins


def test_an_answer_with_exactly_the_own_version_and_head_begins_it() -> None:
    line = Timeline()
    line.link()
    line.ask()
    assert not line.in_sync
    assert line.answer()
    assert line.in_sync


NOT_EXACT = {
    "another head": {"head": head_of(Version(9, 9))},
    "one version below": {"version": Version(0, 4)},
    "one version above": {"version": Version(0, 6)},
    "another epoch": {"version": Version(epoch_of(0, 1, 0), 5)},
}


@pytest.mark.parametrize("changes", NOT_EXACT.values(), ids=NOT_EXACT)
def test_an_answer_with_another_version_or_head_does_not(changes: dict[str, object]) -> None:
    line = Timeline()
    line.link()
    line.ask()
    assert not line.answer(**changes)
    assert not line.in_sync


@pytest.mark.parametrize(
    ("after", "begins"), [(0, True), (9 * SECOND, True), (10 * SECOND, True), (10_001, False)]
)
def test_the_answer_comes_within_ten_seconds_of_its_question(after: int, begins: bool) -> None:  # noqa: FBT001 - of the table
    line = Timeline()
    line.link()
    line.ask()
    line.at(after)
    if begins:
        assert line.answer()
    else:
        assert refusal(line) is Reason.EXPIRED
    assert line.in_sync is begins


def test_a_nonce_counts_once() -> None:
    line = synced()
    assert refusal(line) is Reason.EXPIRED
    assert line.in_sync


def test_a_nonce_is_used_up_by_an_answer_that_does_not_fit() -> None:
    line = Timeline()
    line.link()
    line.ask()
    assert not line.answer(version=Version(0, 4))
    assert refusal(line) is Reason.EXPIRED
    assert not line.in_sync


@pytest.mark.parametrize("nonce", [b"x" * 16, None, b""])
def test_an_answer_without_the_nonce_of_an_open_question_counts_for_nothing(nonce: bytes | None) -> None:
    line = Timeline()
    line.link()
    line.ask()
    assert refusal(line, nonce=nonce) is Reason.EXPIRED
    assert not line.in_sync
    assert line.time is None


def test_several_questions_may_be_open_and_each_answer_counts_from_its_own() -> None:
    line = Timeline()
    line.link()
    first = line.ask()
    line.at(4 * SECOND).ask()
    line.at(9 * SECOND)
    assert line.answer(nonce=first)
    assert line.at(HOUR - 1).in_sync
    assert not line.at(HOUR).in_sync


def test_a_question_of_a_former_connection_is_void() -> None:
    line = Timeline()
    line.link()
    line.ask()
    line.at(SECOND).unlink()
    line.link()
    assert refusal(line) is Reason.EXPIRED


def test_an_old_question_is_forgotten_when_the_next_is_asked() -> None:
    line = Timeline()
    line.link()
    for number in range(50):
        line.at(number * 11 * SECOND).ask()
    line.at(50 * 11 * SECOND).ask()
    assert refusal(line, nonce=line.asked[0]) is Reason.EXPIRED
    assert line.answer()


# in sync ends


@pytest.mark.parametrize("asked_at", [0, 7 * SECOND])
def test_it_ends_an_hour_after_the_question(asked_at: int) -> None:
    line = Timeline()
    line.link()
    line.at(asked_at).ask()
    line.at(asked_at + 5 * SECOND).answer()
    assert line.at(asked_at + HOUR - 1).in_sync
    assert not line.at(asked_at + HOUR).in_sync


def test_it_ends_after_the_declared_span() -> None:
    line = synced(Policy(fresh_ms=30 * SECOND))
    assert line.at(30 * SECOND - 1).in_sync
    assert not line.at(30 * SECOND).in_sync


def test_it_ends_with_the_connection_and_a_reconnect_does_not_bring_it_back() -> None:
    line = synced()
    line.at(SECOND).unlink()
    assert not line.in_sync
    line.link()
    assert not line.in_sync
    line.sync()
    assert line.in_sync


def test_it_ends_when_a_connection_comes_up_whose_loss_nobody_told() -> None:
    line = synced()
    line.at(SECOND).link()
    assert not line.in_sync


def test_a_restart_begins_anew() -> None:
    line = Timeline()
    assert not line.in_sync
    assert line.time is None
    assert line.fresh.stated_ms() is None


def test_a_change_of_epoch_ends_it() -> None:
    line = synced()
    line.at(SECOND).checkpoint()
    assert not line.in_sync
    line.sync()
    assert line.in_sync


def test_a_question_of_the_former_epoch_is_void() -> None:
    line = Timeline()
    line.link()
    line.ask()
    line.checkpoint()
    assert refusal(line) is Reason.EXPIRED


LEARNED = {
    "a head": lambda line: line.learn(),
    "an answer": lambda line: (line.ask(), line.answer(version=line.later(), head=head_of(line.later()))),
    "an entry": lambda line: line.fresh.saw(line.later(), line.place.version, line.now),
    "a head of a higher epoch": lambda line: line.head(version=Version(epoch_of(0, 9, 0), 0)),
}


@pytest.mark.parametrize("name", LEARNED)
def test_a_higher_version_suspends_it(name: str) -> None:
    line = synced()
    line.at(SECOND)
    LEARNED[name](line)
    assert line.fresh.behind(line.place.version)
    assert not line.in_sync


def test_catching_up_resumes_it_within_the_hour_of_the_question() -> None:
    line = synced()
    line.at(SECOND).learn(2)
    line.entry()
    assert not line.in_sync
    line.entry()
    assert line.in_sync
    assert line.at(HOUR - 1).in_sync
    assert not line.at(HOUR).in_sync


def test_an_applied_entry_alone_does_not_end_it() -> None:
    line = synced()
    line.at(SECOND).entry()
    assert line.in_sync


@pytest.mark.parametrize("version", [Version(0, 0), Version(0, 4), Version(0, 5)])
def test_an_older_or_equal_version_suspends_nothing(version: Version) -> None:
    line = synced()
    line.at(SECOND).head(version=version, head=head_of(version))
    line.fresh.saw(version, line.place.version, line.now)
    assert line.in_sync


def test_the_highest_version_that_was_seen_counts() -> None:
    line = synced()
    line.learn(3)
    line.learn(1)
    line.entry()
    assert not line.in_sync
    line.entry()
    line.entry()
    assert line.in_sync


def test_a_lie_about_a_far_version_ends_with_the_epoch() -> None:
    line = synced()
    line.head(version=Version(2**64 - 1, 2**64 - 1))
    line.entry()
    assert not line.obeys()
    line.checkpoint()
    line.sync()
    assert line.obeys()


# obeying without being in sync

SPANS = {
    "a lamp under a hub": (LAMP, HUB, DAY),
    "a lamp under a device": (LAMP, DEVICE, 30 * DAY),
    "a lock under a hub": (LOCK, HUB, 0),
    "a lock under a device": (LOCK, DEVICE, 7 * DAY),
    "a declared span under a hub": (Policy(hub_ms=MINUTE), HUB, MINUTE),
    "a declared span under a device": (Policy(device_ms=MINUTE), DEVICE, MINUTE),
}


@pytest.mark.parametrize(("policy", "kind", "span"), SPANS.values(), ids=SPANS)
def test_the_span_counts_from_the_last_moment_in_sync(policy: Policy, kind: SequencerKind, span: int) -> None:
    line = synced(policy)
    assert line.at(HOUR - 1).obeys(kind)
    assert line.at(HOUR + span - 1).obeys(kind)
    assert not line.at(HOUR + span).obeys(kind)


@pytest.mark.parametrize(("policy", "kind", "span"), SPANS.values(), ids=SPANS)
def test_without_any_answer_the_span_counts_from_the_start(
    policy: Policy, kind: SequencerKind, span: int
) -> None:
    line = Timeline(policy)
    assert not line.at(limits.START_GRACE_MS - 1).obeys(kind)
    if span > limits.START_GRACE_MS:
        assert line.at(limits.START_GRACE_MS).obeys(kind)
        assert line.at(span - 1).obeys(kind)
    assert not line.at(max(span, limits.START_GRACE_MS)).obeys(kind)


def test_a_loss_of_the_connection_begins_the_span() -> None:
    line = synced()
    line.at(MINUTE).unlink()
    assert line.at(MINUTE + DAY - 1).obeys()
    assert not line.at(MINUTE + DAY).obeys()


def test_a_reconnect_renews_nothing() -> None:
    line = synced()
    for hour in range(1, 24):
        line.at(hour * HOUR).link()
        assert not line.obeys()
        assert line.at(hour * HOUR + limits.START_GRACE_MS).obeys()
    line.at(DAY + HOUR).link()
    assert not line.at(DAY + HOUR + MINUTE).obeys()


def test_a_restart_renews_the_span() -> None:
    line = synced()
    assert not line.at(3 * DAY).obeys()
    again = Timeline()
    assert again.at(MINUTE).obeys()


@pytest.mark.parametrize(("policy", "kind", "span"), SPANS.values(), ids=SPANS)
def test_what_was_learned_while_in_sync_begins_the_span(
    policy: Policy, kind: SequencerKind, span: int
) -> None:
    """The last moment in sync is when it learned of a higher version, if it caught up too late."""
    line = synced(policy)
    line.at(MINUTE).learn()
    line.at(2 * HOUR).entry()
    expected = MINUTE + span > 2 * HOUR
    assert line.obeys(kind) is expected
    if expected:
        assert line.at(MINUTE + span - 1).obeys(kind)
    assert not line.at(max(MINUTE + span, 2 * HOUR)).obeys(kind)


def test_a_connection_that_is_lost_while_behind_does_not_move_the_last_moment() -> None:
    line = synced()
    line.at(MINUTE).learn()
    line.at(30 * MINUTE).unlink()
    line.link()
    line.at(31 * MINUTE).entry()
    assert line.at(MINUTE + DAY - 1).obeys()
    assert not line.at(MINUTE + DAY).obeys()


def test_nobody_is_obeyed_while_a_higher_version_is_known() -> None:
    line = synced()
    line.at(SECOND).learn()
    assert not line.obeys(HUB)
    assert not line.obeys(DEVICE)
    line.entry()
    assert line.obeys(HUB)


def test_from_adoption_to_the_first_answer_nobody_is_obeyed() -> None:
    line = Timeline(synced_once=False)
    line.link()
    line.fresh.adopted(line.place, line.now)
    assert not line.at(DAY - 1).obeys(DEVICE)
    line.sync()
    assert line.obeys()
    line.at(3 * DAY)
    assert not line.obeys(HUB)
    assert line.obeys(DEVICE)


def test_that_it_was_answered_once_is_known_and_survives_an_epoch_but_no_adoption() -> None:
    line = Timeline(synced_once=False)
    line.link()
    line.ask()
    assert not line.answer(version=Version(0, 4))
    assert not line.fresh.synced_once
    line.sync()
    assert line.fresh.synced_once
    line.checkpoint()
    assert line.fresh.synced_once
    line.fresh.adopted(line.place, line.now)
    assert not line.fresh.synced_once


# the moment after start and connect

GRACE = limits.START_GRACE_MS


def test_after_a_connect_nobody_is_obeyed_until_the_first_answer_or_five_seconds() -> None:
    line = synced()
    line.at(MINUTE).unlink()
    line.at(2 * MINUTE).link()
    assert not line.obeys()
    assert not line.at(2 * MINUTE + GRACE - 1).obeys()
    assert line.at(2 * MINUTE + GRACE).obeys()


def test_an_answer_of_this_connection_ends_the_wait_also_one_that_does_not_fit() -> None:
    line = synced()
    line.at(2 * MINUTE).link()
    line.ask()
    assert not line.answer(head=head_of(Version(9, 9)))
    assert line.obeys()


def test_an_answer_of_the_former_connection_does_not() -> None:
    line = synced()
    line.at(2 * MINUTE).link()
    line.at(2 * MINUTE + SECOND).link()
    assert not line.obeys()


def test_the_wait_after_a_start_counts_without_a_connection_too() -> None:
    line = Timeline()
    assert not line.at(GRACE - 1).obeys()
    assert line.at(GRACE).obeys()


def test_a_strict_type_under_a_hub_obeys_only_in_sync() -> None:
    line = Timeline(LOCK)
    line.link()
    assert not line.at(GRACE).obeys(HUB)
    line.sync()
    assert line.obeys(HUB)


# questions


def asked_at(line: Timeline, until: int) -> list[int]:
    """Let the accessory ask whenever it is due, and nobody answer; gives when it asked."""
    times = []
    while (due := line.fresh.deadline()) is not None and due <= until:
        line.at(max(due, line.now))
        assert line.due
        line.ask()
        times.append(line.now)
    return times


def test_it_asks_at_connect_and_then_after_1_s_doubling_to_60_s() -> None:
    line = Timeline()
    line.link()
    assert asked_at(line, 5 * MINUTE) == [
        second * SECOND for second in (0, 1, 3, 7, 15, 31, 63, 123, 183, 243)
    ]


def test_without_a_connection_it_does_not_ask() -> None:
    line = Timeline()
    assert not line.due
    assert line.fresh.deadline() is None
    line.fresh.want(0)
    assert not line.due
    line.link()
    line.unlink()
    assert not line.due
    line.checkpoint()
    assert not line.due


def test_in_sync_it_asks_every_third_of_fresh_after_the_question() -> None:
    line = Timeline()
    line.link()
    line.ask()
    line.at(9 * SECOND).answer()
    assert line.fresh.deadline() == HOUR // 3
    line.at(HOUR // 3).sync()
    assert line.fresh.deadline() == 2 * HOUR // 3
    line.at(2 * HOUR // 3).ask()
    assert line.fresh.deadline() == 2 * HOUR // 3 + SECOND


@pytest.mark.parametrize("cause", [*LEARNED, "a command", "a change of epoch", "an adoption"])
def test_it_asks_when_it_has_cause(cause: str) -> None:
    line = synced()
    line.at(MINUTE)
    assert not line.due
    causes = {
        **LEARNED,
        "a command": lambda each: each.fresh.want(each.now),
        "a change of epoch": lambda each: each.checkpoint(),
        "an adoption": lambda each: each.fresh.adopted(each.place, each.now),
    }
    causes[cause](line)
    if cause == "an answer":
        line.at(MINUTE + limits.ASK_GAP_MS)
    assert line.due


def test_what_others_cause_makes_at_most_one_question_in_five_seconds() -> None:
    line = synced()
    times = []
    for now in range(MINUTE, 2 * MINUTE, 500):
        line.at(now)
        line.fresh.want(now)
        line.head(version=line.later(now), head=head_of(line.later(now)))
        if line.due:
            line.ask()
            line.fresh._ask_at = None  # noqa: SLF001 - leaves out the repetitions that nobody causes
            times.append(now)
    assert times[0] == MINUTE
    assert {later - earlier for earlier, later in pairwise(times)} == {limits.ASK_GAP_MS}


def test_heads_while_in_sync_cause_no_question_and_while_not_in_sync_they_do() -> None:
    line = synced()
    line.at(MINUTE).head()
    assert not line.due
    line.at(HOUR).head()
    assert line.due


def test_a_want_never_delays_a_question_that_is_due_before() -> None:
    line = Timeline()
    line.link()
    line.ask()
    line.at(500).fresh.want(500)
    assert line.fresh.deadline() == SECOND


def test_an_applied_entry_outside_in_sync_is_cause_to_ask_once_nothing_is_missing() -> None:
    line = Timeline()
    line.link()
    line.ask()
    line.at(HOUR)
    line.fresh._ask_at = None  # noqa: SLF001 - leaves out the repetition that is due
    line.learn(2)
    line.ask()
    line.fresh._ask_at = None  # noqa: SLF001 - as above
    line.at(HOUR + MINUTE).entry()
    assert line.fresh.deadline() is None
    line.entry()
    assert line.due


def test_after_a_change_of_epoch_the_pauses_begin_anew() -> None:
    line = Timeline()
    line.link()
    asked_at(line, MINUTE)
    line.at(MINUTE).checkpoint()
    assert asked_at(line, MINUTE + 4 * SECOND) == [MINUTE, MINUTE + SECOND, MINUTE + 3 * SECOND]


def test_after_an_answer_the_pauses_begin_anew() -> None:
    line = Timeline()
    line.link()
    asked_at(line, MINUTE)
    line.at(MINUTE).sync()
    assert asked_at(line, MINUTE + HOUR // 3 + 4 * SECOND) == [
        MINUTE + HOUR // 3 + more * SECOND for more in (0, 1, 3)
    ]


# trusted time


def test_an_answered_question_sets_trusted_time_and_it_runs() -> None:
    line = synced()
    assert line.time == UNIX * 1000
    assert line.at(1234).time == UNIX * 1000 + 1234


def test_an_answer_that_does_not_put_in_sync_sets_it_too() -> None:
    line = Timeline()
    line.link()
    line.ask()
    line.answer(version=line.later(), head=head_of(line.later()))
    assert line.time == UNIX * 1000


def test_a_head_raises_it_and_never_sets_it() -> None:
    line = Timeline()
    line.link()
    line.head(time=UNIX + 500)
    assert line.time is None
    line.sync()
    line.at(SECOND).head(time=UNIX + 500)
    assert line.time == (UNIX + 500) * 1000
    assert line.at(2 * SECOND).time == (UNIX + 501) * 1000


def test_neither_a_head_nor_an_answer_lowers_it() -> None:
    line = synced()
    line.at(MINUTE).head(time=UNIX)
    assert line.time == UNIX * 1000 + MINUTE
    line.ask()
    line.answer(time=UNIX)
    assert line.time == UNIX * 1000 + MINUTE


def test_it_is_unknown_24_hours_after_the_last_answer_whatever_heads_say() -> None:
    line = synced()
    line.at(DAY - 1).head()
    assert line.time == UNIX * 1000 + DAY - 1
    assert line.at(DAY).time is None
    line.head()
    assert line.time is None


def test_it_never_falls_within_an_epoch_also_after_it_lapsed() -> None:
    line = synced()
    line.head(time=UNIX + 10 * 86_400)
    ahead = (UNIX + 10 * 86_400) * 1000
    assert line.time == ahead
    assert line.at(DAY).time is None
    line.link()
    line.sync()
    assert line.time == ahead + DAY


def test_a_loss_of_the_connection_does_not_end_it() -> None:
    line = synced()
    line.at(MINUTE).unlink()
    assert line.time == UNIX * 1000 + MINUTE
    line.link()
    assert line.time == UNIX * 1000 + MINUTE


def test_a_change_of_epoch_ends_it_and_the_next_sequencer_may_state_an_earlier_one() -> None:
    line = synced()
    line.head(time=UNIX + 70 * 365 * 86_400)
    line.at(MINUTE).checkpoint()
    assert line.time is None
    line.sync()
    assert line.time == UNIX * 1000 + MINUTE


def test_an_accessory_that_keeps_no_time_has_none() -> None:
    line = synced(Policy(keeps_time=False))
    assert line.in_sync
    assert line.time is None


@pytest.mark.parametrize("statement", ["head", "answer"])
def test_a_statement_older_than_the_newest_entry_is_refused_and_has_no_effect(statement: str) -> None:
    line = Timeline()
    line.link()
    line.at(MINUTE).entry()
    nonce = line.ask()
    with pytest.raises(Refused) as caught:
        getattr(line, statement)(version=line.later(), time=line.place.time - 1)
    assert (caught.value.reason, caught.value.rung) == (Reason.EXPIRED, Rung.SYNC)
    assert not line.fresh.behind(line.place.version)
    assert line.time is None
    assert not line.in_sync
    if statement == "head":
        assert line.answer(nonce=nonce, time=line.place.time)


@pytest.mark.parametrize("stated", [2**64 - 1, 2**64 - 2])
def test_the_last_second_of_64_bits_stays_one_that_a_hint_can_carry(stated: int) -> None:
    line = Timeline()
    line.link()
    line.ask()
    line.answer(time=stated)
    line.at(DAY - 1)
    assert line.time is not None
    assert line.time // 1000 <= limits.UINT64_MAX


# leases


def test_the_newest_time_stated_at_the_own_version_and_head_counts() -> None:
    line = Timeline()
    line.link()
    line.entry()
    assert line.fresh.stated_ms() == UNIX * 1000
    line.at(MINUTE).head()
    assert line.fresh.stated_ms() == UNIX * 1000 + MINUTE
    line.at(2 * MINUTE).sync()
    assert line.fresh.stated_ms() == UNIX * 1000 + 2 * MINUTE
    line.head(time=UNIX)
    assert line.fresh.stated_ms() == UNIX * 1000 + 2 * MINUTE
    line.at(3 * MINUTE).entry()
    assert line.fresh.stated_ms() == UNIX * 1000 + 3 * MINUTE
    line.at(4 * MINUTE).checkpoint()
    assert line.fresh.stated_ms() == UNIX * 1000 + 4 * MINUTE


@pytest.mark.parametrize("changes", NOT_EXACT.values(), ids=NOT_EXACT)
def test_what_was_stated_of_another_version_or_head_does_not(changes: dict[str, object]) -> None:
    line = synced()
    line.at(MINUTE).head(**changes)
    line.ask()
    line.answer(**changes)
    assert line.fresh.stated_ms() == UNIX * 1000


# any order of events

EVENTS = ["link", "unlink", "ask", "answer", "late", "head", "learn", "entry", "checkpoint"]


@given(
    st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 20 * MINUTE)), max_size=30),
    st.sampled_from([LAMP, LOCK]),
)
def test_whatever_happens(events: list[tuple[str, int]], policy: Policy) -> None:
    line = Timeline(policy)
    for name, pause in events:
        line.at(line.now + pause)
        time, epoch = line.time, line.place.version.epoch
        happen(line, name)
        hold(line, strict=policy is LOCK)
        if None not in (time, line.time) and epoch == line.place.version.epoch:
            assert line.time >= time  # type: ignore[operator]  # neither is None


def happen(line: Timeline, name: str) -> None:
    """Let an event happen where it can."""
    if name not in ("answer", "late"):
        getattr(line, name)()
    elif line.asked and line.fresh.linked_at is not None:
        line.at(line.now + (11 * SECOND if name == "late" else 0))
        with suppress(Refused):
            line.answer()


def hold(line: Timeline, *, strict: bool) -> None:
    """Assert what never may be otherwise."""
    behind = line.fresh.behind(line.place.version)
    if line.in_sync:
        assert line.fresh.linked_at is not None
        assert not behind
        assert line.fresh.synced_once
        assert line.obeys(HUB)
    if behind:
        assert not line.obeys(DEVICE)
    if strict and line.obeys(HUB):
        assert line.in_sync
