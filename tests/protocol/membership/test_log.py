"""The fold: what is taken moves the version, a refused request moves nothing else, and a removal wins."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey, admissible_key, sha256
from accessory_emu.protocol.encoding import encode, version_value
from accessory_emu.protocol.errors import Refused
from accessory_emu.protocol.identifiers import GrantId, HomeId, KeyId, ObjectId, PublicKey, Version, epoch_of
from accessory_emu.protocol.membership.checkpoint import Checkpoint, SequencerKind
from accessory_emu.protocol.membership.grant import (
    EDITOR_TERMS,
    OWNER_TERMS,
    RESIDENT_TERMS,
    Grant,
    owner_grant,
)
from accessory_emu.protocol.membership.log import Log, changed_roots, effective
from accessory_emu.protocol.membership.privileges import Role
from accessory_emu.protocol.membership.tombstones import Tombstones
from accessory_emu.protocol.reasons import Reason, Rung
from tests.protocol.papers import (
    EDDA,
    GINA,
    GUEST_TERMS,
    HUB,
    NINA,
    NOW,
    OLGA,
    ROSA,
    ZOE,
    Papers,
    key,
    peopled,
    stranger_grant,
)

WEAK = PublicKey(bytes(32))


def refusal(act: Callable[[], object]) -> Reason:
    with pytest.raises(Refused) as caught:
        act()
    assert caught.value.rung is Rung.LOG
    return caught.value.reason


# the beginning


def test_a_log_begins_with_a_checkpoint() -> None:
    papers = Papers()
    log = papers.log
    assert (log.version, log.head, log.home) == (Version(0, 0), papers.first.id, papers.home)
    assert (log.time, log.owner, log.sequencer, log.kind) == (NOW, OLGA.public, HUB.public, SequencerKind.HUB)
    assert log.allowlist.ordered() == [owner_grant(OLGA.public)]
    assert log.tombstones == Tombstones()
    assert (log.lease, log.only_owner, log.room) == (None, False, limits.GRANTS_HELD)


def test_it_knows_the_keys_of_members_and_of_the_sequencer() -> None:
    log = peopled().log
    assert log.sequencer_kid == HUB.kid
    assert [log.known_key(each.kid) for each in (OLGA, ROSA, HUB)] == [OLGA.public, ROSA.public, HUB.public]
    assert log.known_key(ZOE.kid) is None


# entries

ENTRIES: dict[str, tuple[dict[str, object], SigningKey, Reason | None]] = {
    "the next one": ({}, HUB, None),
    "at the time of the one before": ({"time": NOW}, HUB, None),
    "years later": ({"time": NOW + 10**9}, HUB, None),
    "by an editor": ({}, EDDA, Reason.FORBIDDEN),
    "by the owner's user key": ({}, OLGA, Reason.FORBIDDEN),
    "by a resident": ({}, ROSA, Reason.FORBIDDEN),
    "beyond a gap": ({"version": Version(0, 5)}, HUB, Reason.ACL_BEHIND),
    "far beyond a gap": ({"version": Version(0, 2**64 - 1)}, HUB, Reason.ACL_BEHIND),
    "of the next turn": ({"version": Version(epoch_of(0, 1, 0), 4)}, HUB, Reason.ACL_BEHIND),
    "of the same turn with another draw": ({"version": Version(1, 4)}, HUB, Reason.ACL_BEHIND),
    "of the next reign": ({"version": Version(epoch_of(1, 0, 0), 4)}, HUB, Reason.ACL_BEHIND),
    "on another head": ({"prev": ObjectId(b"o" * 32)}, HUB, Reason.CONFLICT),
    "on the head of the checkpoint": ({"prev": Papers().first.id}, HUB, Reason.CONFLICT),
    "on no head": ({"prev": ObjectId(bytes(32))}, HUB, Reason.CONFLICT),
    "a second earlier": ({"time": NOW - 1}, HUB, Reason.CONFLICT),
    "a year earlier": ({"time": NOW - 365 * 86_400}, HUB, Reason.CONFLICT),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_is_taken_only_in_its_place(name: str) -> None:
    changes, signer, reason = ENTRIES[name]
    papers = peopled()
    entry = papers.entry(papers.remove(ROSA), **changes)
    if reason is None:
        papers.log.check_entry(entry, signer.kid)
    else:
        assert refusal(lambda: papers.log.check_entry(entry, signer.kid)) is reason


TWO_FAULTS = {
    "another sequencer before a gap": ({"version": Version(0, 9)}, EDDA, Reason.FORBIDDEN),
    "a gap before another head": (
        {"version": Version(0, 9), "prev": ObjectId(b"o" * 32)},
        HUB,
        Reason.ACL_BEHIND,
    ),
    "a gap before an earlier time": ({"version": Version(0, 9), "time": 0}, HUB, Reason.ACL_BEHIND),
}


@pytest.mark.parametrize(("changes", "signer", "reason"), TWO_FAULTS.values(), ids=TWO_FAULTS)
def test_of_two_faults_of_an_entry_the_earlier_gives_the_reason(
    changes: dict[str, object], signer: SigningKey, reason: Reason
) -> None:
    papers = peopled()
    entry = papers.entry(papers.remove(ROSA), **changes)
    assert refusal(lambda: papers.log.check_entry(entry, signer.kid)) is reason


def test_a_proof_of_equivocation_refuses_no_entry_and_ends_with_a_higher_epoch() -> None:
    papers = peopled()
    papers.log = replace(papers.log, only_owner=True)
    papers.log.check_entry(papers.entry(papers.remove(ROSA)), HUB.kid)
    assert papers.play(papers.remove(ROSA)) == [None]
    assert papers.log.only_owner
    papers.take(papers.checkpoint())
    assert not papers.log.only_owner


def test_an_entry_moves_version_head_and_time() -> None:
    papers = peopled()
    before = papers.log
    entry = papers.entry(papers.remove(ROSA), time=NOW + 5)
    name = entry.sign(HUB, papers.home).id
    log, _ = papers.log.apply(entry, name)
    assert (log.version, log.head, log.time) == (Version(0, 4), name, NOW + 5)
    assert (before.version, before.allowlist.find(ROSA.kid) is None) == (Version(0, 3), False)
    assert log.allowlist.find(ROSA.kid) is None


def test_every_entry_moves_the_version_by_one_whatever_its_requests() -> None:
    papers = peopled()
    for seq in range(4, 9):
        assert papers.play(b"bad", b"") == [Reason.MALFORMED] * 2
        assert papers.log.version == Version(0, seq)


def test_the_room_is_judged_at_the_end() -> None:
    papers = Papers(room=2)
    assert papers.play(papers.add(ROSA), papers.add(GINA)) == [None, Reason.LIST_FULL]
    assert papers.play(papers.remove(ROSA), papers.add(GINA)) == [None, None]


# checkpoints

CHECKPOINTS: dict[str, tuple[dict[str, object], Reason | None]] = {
    "of the next turn": ({}, None),
    "a thousand turns on": ({"turn": 1000}, None),
    "of the last turn with the last draw": ({"version": Version(epoch_of(0, 2**32 - 1, 2**16 - 1), 0)}, None),
    "of the same turn with a higher draw": ({"turn": 0, "draw": 9}, None),
    "of the own epoch": ({"turn": 0, "draw": 8}, Reason.CONFLICT),
    "of the same turn with a lower draw": ({"turn": 0, "draw": 7}, Reason.CONFLICT),
    "of a former turn": ({"version": Version(epoch_of(0, 1, 2**16 - 1), 0)}, Reason.CONFLICT),
    "of genesis' epoch": ({"version": Version(1, 0)}, Reason.CONFLICT),
    "by another owner": ({"owner": EDDA.public}, Reason.FORBIDDEN),
    "of another home": ({"home": HomeId(b"elsehome")}, Reason.FORBIDDEN),
    "another genesis": ({"home": None}, Reason.FORBIDDEN),
    "with a reign change": ({"reigns": (b"reign",)}, Reason.NOT_SUPPORTED),
    "with a reign change, by another owner": (
        {"reigns": (b"reign",), "owner": EDDA.public},
        Reason.NOT_SUPPORTED,
    ),
    "by another owner, of a former turn": ({"owner": EDDA.public, "turn": 0}, Reason.FORBIDDEN),
}


def in_turn_two() -> Papers:
    papers = peopled()
    papers.take(papers.checkpoint(turn=2, draw=8))
    return papers


@pytest.mark.parametrize(("changes", "reason"), CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_a_checkpoint_is_taken_if_the_owner_raised_the_epoch(
    changes: dict[str, object], reason: Reason | None
) -> None:
    papers = in_turn_two()
    checkpoint = papers.checkpoint(**changes)  # type: ignore[arg-type]  # fields by name
    if reason is None:
        papers.take(checkpoint)
        assert papers.log.version == checkpoint.version
    else:
        before = papers.log
        assert refusal(lambda: papers.log.check_checkpoint(checkpoint)) is reason
        assert papers.log == before


def test_a_checkpoint_moves_what_it_names() -> None:
    papers = peopled()
    checkpoint = papers.checkpoint(
        sequencer=NINA.public,
        kind=SequencerKind.DEVICE,
        lease=60,
        time=NOW - 10**6,
        grants=(papers.grant(OLGA),),
    )
    name = checkpoint.sign(OLGA).id
    log, left_out = papers.log.take_checkpoint(checkpoint, name)
    assert (log.version, log.head, log.time) == (checkpoint.version, name, NOW - 10**6)
    assert (log.sequencer, log.kind, log.lease) == (NINA.public, SequencerKind.DEVICE, 60)
    assert (log.owner, log.home, log.room) == (OLGA.public, papers.home, papers.log.room)
    assert (len(log.allowlist), left_out) == (1, ())


def test_carried_over_nothing_changes_but_the_version() -> None:
    papers = peopled()
    before = papers.log
    assert papers.take(papers.checkpoint()) == ()
    assert papers.log.allowlist == before.allowlist
    assert papers.log.digest() == before.digest()


def test_only_the_sequencer_of_the_higher_draw_is_followed_in_whatever_order_they_come() -> None:
    low_first, high_first = peopled(), peopled()
    low = low_first.checkpoint(draw=1, sequencer=NINA.public)
    high = low_first.checkpoint(draw=2, sequencer=ZOE.public)
    low_first.take(low)
    low_first.take(high)
    high_first.take(high)
    assert refusal(lambda: high_first.log.check_checkpoint(low)) is Reason.CONFLICT
    assert low_first.log == high_first.log
    entry = low_first.entry(low_first.remove(ROSA))
    low_first.log.check_entry(entry, ZOE.kid)
    for former in (HUB, NINA):
        assert refusal(lambda: low_first.log.check_entry(entry, former.kid)) is Reason.FORBIDDEN  # noqa: B023 - called at once


# what a checkpoint brings in


def left_out(papers: Papers, *grants: Grant, **changes: object) -> dict[GrantId, Reason]:
    """Take a checkpoint with more grants; gives those that were left out."""
    carried = papers.checkpoint()
    return dict(papers.take(papers.checkpoint(grants=(*carried.grants, *grants), **changes)))  # type: ignore[arg-type]  # fields by name


def test_an_owner_may_bring_anybody_in() -> None:
    papers = peopled()
    assert left_out(papers, stranger_grant(NINA)) == {}
    assert papers.active(NINA)


def test_a_grant_or_root_that_was_removed_here_stays_out_and_is_named() -> None:
    papers = peopled()
    old = papers.grant(ROSA)
    assert papers.play(papers.remove(ROSA)) == [None]
    of_the_root = replace(stranger_grant(ROSA), root=old.root)
    assert left_out(papers, old) == {old.id: Reason.STALE_ACL}
    assert left_out(papers, of_the_root) == {of_the_root.id: Reason.STALE_ACL}
    assert not papers.active(ROSA)
    assert left_out(papers, replace(of_the_root, root=GrantId(b"n" * 16))) == {}
    assert papers.active(ROSA)


def test_a_grant_that_the_checkpoint_itself_buries_stays_out() -> None:
    papers = peopled()
    old = papers.grant(ROSA)
    stones = Tombstones({old.root: papers.log.version})
    assert dict(papers.take(papers.checkpoint(tombstones=stones))) == {old.id: Reason.STALE_ACL}
    assert old.root in papers.log.tombstones


def test_void_entries_leave_their_removals_behind() -> None:
    papers = peopled()
    made_before = papers.checkpoint()
    old = papers.grant(ROSA)
    assert papers.play(papers.remove(ROSA)) == [None]
    assert dict(papers.take(made_before)) == {old.id: Reason.STALE_ACL}
    assert not papers.active(ROSA)


def test_who_is_omitted_without_a_tombstone_may_be_submitted_again() -> None:
    papers = peopled()
    made_before, request = papers.checkpoint(), papers.add(NINA)
    assert papers.play(request) == [None]
    papers.take(made_before)
    assert not papers.active(NINA)
    assert papers.play(request) == [None]


def test_who_is_omitted_with_a_tombstone_may_not() -> None:
    papers = peopled()
    request = papers.add(NINA)
    assert papers.play(request) == [None]
    grants = [grant for grant in papers.log.allowlist.ordered() if grant.kid != NINA.kid]
    stones = Tombstones(dict.fromkeys([papers.grant(NINA).id, papers.grant(NINA).root], papers.log.version))
    papers.take(papers.checkpoint(grants=grants, tombstones=stones))
    assert papers.play(request) == [Reason.STALE_ACL]


def test_an_inadmissible_key_is_left_out_and_named() -> None:
    papers = peopled()
    weak = replace(stranger_grant(NINA), key=WEAK)
    assert left_out(papers, weak) == {weak.id: Reason.BAD_VALUE}
    assert papers.log.allowlist.by_id(weak.id) is None


def test_terms_that_are_not_understood_are_named() -> None:
    papers = peopled()
    checkpoint = papers.checkpoint(unsupported=(GrantId(b"u" * 16),))
    assert papers.take(checkpoint) == ((GrantId(b"u" * 16), Reason.NOT_SUPPORTED),)


def test_another_key_under_a_kid_that_is_taken_is_left_out() -> None:
    class Twin(Grant):
        """A grant whose key has rosa's kid, as no search has found one yet."""

        @property
        def kid(self) -> KeyId:
            return ROSA.kid

    papers = peopled()
    twin = Twin(*[getattr(stranger_grant(NINA), name) for name in Grant.__slots__])
    assert left_out(papers, twin) == {twin.id: Reason.CONFLICT}
    assert papers.grant(ROSA).key == ROSA.public


def test_more_grants_than_fit_are_taken_owner_first_then_as_listed() -> None:
    papers = Papers(room=4)
    people = [stranger_grant(key(f"crowd {number}")) for number in range(6)]
    checkpoint = papers.checkpoint(grants=(*people, papers.grant(OLGA)))
    refused = papers.take(checkpoint)
    assert [name for name, _ in refused] == [grant.id for grant in people[3:]]
    assert {reason for _, reason in refused} == {Reason.LIST_FULL}
    assert {grant.id for grant in papers.log.allowlist} == {grant.id for grant in people[:3]} | {
        papers.grant(OLGA).id
    }


def test_who_is_left_out_takes_no_room() -> None:
    papers = Papers(room=2)
    weak = replace(stranger_grant(NINA), key=WEAK)
    assert left_out(papers, weak, stranger_grant(ROSA)) == {weak.id: Reason.BAD_VALUE}
    assert papers.active(ROSA)


# the watermark


def flooded() -> Papers:
    """Give a home that has forgotten rosa's removal: watermark e0.4, own version e0.5."""
    papers = peopled(tombstones=2)
    assert papers.play(papers.remove(ROSA)) == [None]
    assert papers.play(papers.remove(GINA)) == [None]
    return papers


@pytest.mark.parametrize(("seq", "stays_out"), [(1, True), (4, True), (5, False)])
def test_a_checkpoint_brings_in_nothing_based_at_or_below_the_own_watermark(
    seq: int,
    stays_out: bool,  # noqa: FBT001 - of the table
) -> None:
    papers = flooded()
    grant = stranger_grant(NINA, base=Version(0, seq))
    assert left_out(papers, grant) == ({grant.id: Reason.STALE_ACL} if stays_out else {})
    assert papers.active(NINA) is not stays_out


def test_what_is_held_already_stays_however_old() -> None:
    papers = flooded()
    assert papers.grant(EDDA).base <= Version(0, 4)
    assert left_out(papers) == {}
    assert papers.active(EDDA)


def test_the_checkpoints_own_watermark_counts_from_the_next_paper_on() -> None:
    papers = peopled()
    high = Tombstones({}, Version(0, 3))
    assert dict(papers.take(papers.checkpoint(tombstones=high))) == {}
    assert papers.log.tombstones.watermark == Version(0, 3)
    request = papers.add(NINA, base=Version(0, 3))
    assert papers.play(request) == [Reason.STALE_ACL]
    assert papers.play(papers.add(NINA, base=papers.log.version)) == [None]


def test_a_lower_watermark_of_a_checkpoint_lowers_nothing() -> None:
    papers = flooded()
    papers.take(papers.checkpoint(tombstones=Tombstones({}, Version(0, 1))))
    assert papers.log.tombstones.watermark == Version(0, 4)


# digests


def test_the_digest_is_over_grants_tombstones_and_watermark() -> None:
    papers = flooded()
    log = papers.log
    grants = [grant.value() for grant in sorted(log.allowlist, key=lambda grant: grant.kid)]
    rows = [[name, version_value(log.tombstones.items[name])] for name in sorted(log.tombstones.items)]
    assert log.digest() == sha256(encode([grants, rows, [0, 4]]))  # type: ignore[list-item]  # values
    assert Papers().log.digest() == sha256(encode([[owner_grant(OLGA.public).value()], [], []]))


def test_equal_members_have_equal_digests_and_others_have_not() -> None:
    papers = peopled()
    digest = papers.log.digest()
    assert papers.play(b"bad") == [Reason.MALFORMED]
    assert papers.log.digest() == digest
    assert papers.play(papers.remove(ROSA)) == [None]
    assert papers.log.digest() != digest


# what changed


def test_whose_grant_ended_or_changed_is_named() -> None:
    papers = peopled()
    before = papers.log
    assert (
        papers.play(papers.remove(ROSA), papers.replace(GINA, RESIDENT_TERMS), papers.add(NINA)) == [None] * 3
    )
    assert changed_roots(before, papers.log) == {ROSA.kid, GINA.kid}
    assert changed_roots(papers.log, papers.log) == set()


def test_who_was_removed_and_added_anew_has_changed() -> None:
    papers = peopled()
    before = papers.log
    assert papers.play(papers.remove(ROSA), papers.add(ROSA)) == [None, None]
    assert changed_roots(before, papers.log) == {ROSA.kid}


def test_the_requests_with_an_effect_are_told_apart() -> None:
    papers = peopled()
    verdicts = papers.verdicts(papers.remove(ROSA), b"bad", papers.add(EDDA))
    assert effective(verdicts) == [(verdicts[0].request, verdicts[0])]


# histories: any sequence of honest and hostile papers keeps the invariants

PEOPLE = [EDDA, ROSA, GINA, NINA, ZOE]
people = st.sampled_from(PEOPLE)
authors = st.sampled_from([OLGA, OLGA, EDDA, ROSA, HUB, ZOE])
some_terms = st.sampled_from([RESIDENT_TERMS, GUEST_TERMS, EDITOR_TERMS, OWNER_TERMS])
Step = tuple[str, SigningKey, SigningKey, object]
steps = st.tuples(
    st.sampled_from(["add", "add", "replace", "remove", "remove", "weak", "again", "bad", "checkpoint"]),
    people,
    authors,
    some_terms,
)


class History:
    """Plays drawn steps and holds the invariants after each."""

    def __init__(self, room: int = 5, tombstones: int = 6) -> None:
        self.papers = Papers(room=room, tombstones=tombstones)
        self.old: list[bytes] = []  # every request that was signed
        self.made_before: list[Checkpoint] = []
        self.ended: set[GrantId] = set()  # ids and roots that were removed here

    def request(self, kind: str, person: SigningKey, author: SigningKey, terms: object) -> bytes:
        """Sign what was drawn, or take an old request again."""
        papers = self.papers
        grant = papers.log.allowlist.find(person.kid)
        if kind == "add" or (kind in ("replace", "remove") and grant is None):
            return papers.add(person, terms, author)  # type: ignore[arg-type]  # terms
        if kind == "replace":
            return papers.replace(person, terms, author)  # type: ignore[arg-type]  # terms
        if kind == "remove":
            return papers.remove(person, author)
        if kind == "again" and self.old:
            return self.old[len(terms.value()) * 7 % len(self.old)]  # type: ignore[attr-defined]  # any of them
        if kind == "weak":
            return papers.add(person, author=author, key=WEAK)
        return b"\xd2\x84" + bytes(author.kid)

    def step(self, *batch: Step) -> None:
        """Play an entry of drawn requests, or a checkpoint that was made before the last two."""
        papers, before = self.papers, self.papers.log
        if batch[0][0] == "checkpoint":
            self.made_before.append(papers.checkpoint(turn=len(self.made_before) + 1))
            if len(self.made_before) > 2:
                checkpoint = self.made_before.pop(0)
                if checkpoint.version.epoch > papers.log.version.epoch:
                    papers.take(checkpoint)
        else:
            requests = [self.request(*each) for each in batch]
            self.old += requests
            papers.play(*requests)
        self.hold(before)

    def hold(self, before: Log) -> None:
        """Assert what never may be otherwise."""
        log = self.papers.log
        assert log.version >= before.version, "S5"
        for grant in before.allowlist:
            if log.version.epoch == before.version.epoch and log.allowlist.by_id(grant.id) is None:
                self.ended.add(grant.id)
                if log.allowlist.by_root(grant.root) is None:
                    self.ended.add(grant.root)
        active = list(log.allowlist)
        assert not {each.id for each in active} & self.ended, "S9"
        assert not {each.root for each in active} & self.ended, "S9"
        assert not any(each.id in log.tombstones or each.root in log.tombstones for each in active), "S9"
        assert [each.key for each in active if each.role is Role.OWNER] == [OLGA.public], "S11"
        assert all(admissible_key(each.key) for each in active), "S16"
        assert len({each.kid for each in active}) == len(active) <= log.room
        assert len(log.tombstones.items) <= log.tombstones.room
        assert all(each.author in {OLGA.kid, EDDA.kid, *(p.kid for p in PEOPLE)} for each in active)


@settings(max_examples=60)
@given(st.lists(st.lists(steps, min_size=1, max_size=3), max_size=12))
def test_any_history_keeps_the_invariants(batches: list[list[Step]]) -> None:
    history = History()
    for batch in batches:
        history.step(*batch)


@settings(max_examples=40)
@given(
    st.lists(st.lists(steps, min_size=1, max_size=3), max_size=6),
    st.lists(steps, min_size=1, max_size=4),
    people,
)
def test_a_removal_behind_hostile_requests_is_applied(
    batches: list[list[Step]], hostile: list[Step], person: SigningKey
) -> None:
    """S23: in the same entry, and in the one behind."""
    history = History()
    for batch in batches:
        history.step(*batch)
    papers = history.papers
    papers.play(papers.add(person))
    if not papers.active(person):
        return  # there was no room
    requests = [history.request(*each) for each in hostile]
    for together in (True, False):
        other = copy(papers)
        removal = papers.remove(person)
        if together:
            reasons = other.play(*requests, removal)
        else:
            other.play(*requests)
            reasons = other.play(removal)
        assert reasons[-1] is None
        grant = other.log.allowlist.find(person.kid)
        assert grant is None or grant.root != papers.grant(person).root


@settings(max_examples=40)
@given(st.lists(st.lists(steps, min_size=1, max_size=3), max_size=8))
def test_equal_heads_mean_equal_members_up_to_what_was_reported_as_refused(batches: list[list[Step]]) -> None:
    """S10: two accessories of different room fold the same entries."""
    history = History(room=16)
    origin = history.papers
    small, _ = Log.start(origin.origin, origin.first.id, origin.home, 3, 6)
    refused: set[GrantId] = set()
    for batch in batches:
        papers = history.papers
        requests = [history.request(*each) for each in batch if each[0] != "checkpoint"]
        if not requests:
            continue
        history.old += requests
        entry = papers.entry(*requests)
        papers.play(*requests)
        small, verdicts = small.apply(entry, papers.log.head)
        refused |= {verdict.id for verdict in verdicts if verdict.reason}
        assert (small.version, small.head) == (papers.log.version, papers.log.head)
        ids = {grant.id for grant in papers.log.allowlist}
        assert {grant.id for grant in small.allowlist} <= ids | refused
        assert ids - {grant.id for grant in small.allowlist} <= refused
