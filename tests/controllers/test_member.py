"""A member's commands: tried again where the table allows it, and never done without a good answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.encoding import Value
from accessory_emu.protocol.envelope import Context, parse
from accessory_emu.protocol.identifiers import BootId, Version
from accessory_emu.protocol.messages import Fate, HintKey, Life, Op
from accessory_emu.protocol.reasons import Reason
from controllers.attempt import (
    AGAIN,
    Accepted,
    Act,
    BadReply,
    Manner,
    NotSent,
    Outcome,
    Refused,
    Silent,
)
from controllers.errors import Code
from controllers.member import Member
from tests.controllers.village import ROOM, Puppet, Village, key
from tests.world import Node

ON = [(1, 10, True)]


@dataclass
class Scene:
    """A resident, an accessory that says what it is told to, and the network between them."""

    village: Village
    node: Node
    puppet: Puppet
    since: int = 0

    @property
    def rosa(self) -> Member:
        """The member."""
        assert isinstance(self.node.engine, Member)
        return self.node.engine

    def write(self, manner: Manner | None = None) -> Act:
        """Write something, and let it arrive."""
        acts: list[Act] = []
        self.since = len(self.village.world.network.traffic)
        manner = manner or Manner()
        self.node.act(
            lambda: acts.append(self.rosa.write(self.puppet.id, ON, self.village.world.now, manner))
        )
        self.village.world.settle()
        return acts[0]

    def refuse(self, reason: Reason, hint: Mapping[int, Value] | None = None, **fields: object) -> None:
        """Answer the newest command."""
        name, _ = self.puppet.commands(self.since)[-1]
        self.puppet.respond(key("rosa").kid, name, reason, hint=hint, **fields)

    def accept(self, results: Value | None = None) -> None:
        """Answer the newest command with success."""
        name, _ = self.puppet.commands(self.since)[-1]
        self.puppet.respond(key("rosa").kid, name, results=results)


def scene(*, strict: bool = False, trusted: bool = True) -> Scene:
    """Set a scene."""
    village = Village()
    village.ask(village.adding("rosa"))
    puppet = village.puppet("lamp", capabilities=replace(ROOM, strict=strict, trusted_time=trusted))
    puppet.announce(
        capabilities=replace(ROOM, strict=strict, trusted_time=trusted),
        home=village.home,
        life=Life.MEMBER,
        version=village.sequencer.view.version,
    )
    node = village.member("rosa")
    village.world.settle()
    return Scene(village, node, puppet)


def test_an_answered_command_is_accepted_with_its_results() -> None:
    rosa = scene()
    act = rosa.write()
    (_, command), *_ = rosa.puppet.commands(rosa.since)
    assert (command.op, command.boot, command.args) == (Op.WRITE, rosa.puppet.boot, [[1, 10, True]])
    assert command.version == Version(0, 2)
    assert command.expires == (rosa.village.world.now + limits.COMMAND_LIFE_MS) // 1000
    assert command.ctr >= rosa.village.world.now * 1000
    rosa.accept([[1, 10, 0]])
    assert act.outcome == Accepted([[1, 10, 0]], Version(0, 2))
    assert act.command == rosa.puppet.commands(rosa.since)[0][0]
    assert [sent.raw for sent in act.sent] == [each.payload for each in rosa.puppet.inbox(rosa.since)]


HINTS: dict[Reason, Mapping[int, Value]] = {
    Reason.STALE_ACL: {int(HintKey.VERSION): [0, 7]},
    Reason.REPLAYED: {int(HintKey.LAST_COUNTER): 2**62, int(HintKey.FATE): int(Fate.NOT_EXECUTED)},
    Reason.EXPIRED: {int(HintKey.TIME): 1_000, int(HintKey.WHICH): "expiry past"},
}
TRIED_AGAIN = {
    (reason, strict): strict <= rule.strict for reason, rule in AGAIN.items() for strict in (False, True)
}


@pytest.mark.parametrize("strict", [False, True], ids=["ordinary", "strict"])
@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.word)
def test_a_refusal_is_final_or_tried_again_as_the_table_says(reason: Reason, *, strict: bool) -> None:
    rosa = scene(strict=strict)
    act = rosa.write()
    rosa.refuse(reason, HINTS.get(reason))
    rosa.village.world.advance(limits.RETRY_PAUSES_MS[0])
    commands = rosa.puppet.commands(rosa.since)
    if TRIED_AGAIN.get((reason, strict), False):
        assert len(commands) == 2
        assert commands[1][1].ctr > commands[0][1].ctr, "a repetition is a new command"
        rosa.accept()
        assert isinstance(act.outcome, Accepted)
    else:
        assert len(commands) == 1
        assert isinstance(act.outcome, Refused)
        assert act.outcome.reason is reason


@pytest.mark.parametrize("reason", AGAIN, ids=lambda reason: reason.word)
def test_it_is_tried_again_at_most_three_times(reason: Reason) -> None:
    rosa = scene()
    act = rosa.write()
    for pause in (*limits.RETRY_PAUSES_MS, 0):
        rosa.refuse(reason, HINTS.get(reason))
        rosa.village.world.advance(pause if AGAIN[reason].pause else 0)
    assert len(rosa.puppet.commands(rosa.since)) == limits.RETRIES + 1
    assert isinstance(act.outcome, Refused)
    assert act.outcome.reason is reason


@pytest.mark.parametrize("reason", AGAIN, ids=lambda reason: reason.word)
def test_no_retry_switches_it_off(reason: Reason) -> None:
    rosa = scene()
    act = rosa.write(Manner(retry=False))
    rosa.refuse(reason, HINTS.get(reason))
    rosa.village.world.advance(10_000)
    assert len(rosa.puppet.commands(rosa.since)) == 1
    assert isinstance(act.outcome, Refused)


def test_it_is_tried_again_only_while_the_first_expiry_runs() -> None:
    rosa = scene()
    act = rosa.write(Manner(life=1_000))
    rosa.refuse(Reason.NOT_IN_SYNC)
    rosa.village.world.advance(limits.RETRY_PAUSES_MS[0])
    rosa.refuse(Reason.NOT_IN_SYNC)  # the next pause would end after the expiry
    assert isinstance(act.outcome, Refused)
    assert len(rosa.puppet.commands(rosa.since)) == 2


def test_after_an_unknown_fate_a_strict_accessory_is_left_alone_and_another_is_not() -> None:
    hint = {int(HintKey.LAST_COUNTER): 2**62, int(HintKey.FATE): int(Fate.UNKNOWN)}
    for strict, commands in ((True, 1), (False, 2)):
        rosa = scene(strict=strict)
        rosa.write()
        rosa.refuse(Reason.REPLAYED, hint)
        assert len(rosa.puppet.commands(rosa.since)) == commands


def test_after_replayed_the_counter_lies_a_random_step_above_the_hint() -> None:
    rosa = scene()
    rosa.write()
    rosa.refuse(Reason.REPLAYED, HINTS[Reason.REPLAYED])
    _, command = rosa.puppet.commands(rosa.since)[-1]
    assert 2**62 < command.ctr <= 2**62 + limits.COUNTER_JITTER


def test_a_counter_at_its_end_is_a_refusal_and_no_crash() -> None:
    rosa = scene()
    act = rosa.write()
    end = {int(HintKey.LAST_COUNTER): limits.UINT64_MAX, int(HintKey.FATE): 0}
    rosa.refuse(Reason.REPLAYED, end)
    assert isinstance(act.outcome, Refused)


def test_after_stale_boot_the_answers_boot_is_used_and_beats_the_old_announcement() -> None:
    rosa = scene()
    rosa.write()
    old, rosa.puppet.boot = rosa.puppet.boot, BootId(b"puppet-2")
    rosa.refuse(Reason.STALE_BOOT)
    _, command = rosa.puppet.commands(rosa.since)[-1]
    assert command.boot == rosa.puppet.boot
    rosa.accept()
    rosa.puppet.announce(boot=old)  # an old announcement, kept by the broker
    rosa.village.world.settle()
    rosa.write()
    assert rosa.puppet.commands(rosa.since)[-1][1].boot == b"puppet-2"
    rosa.puppet.announce(boot=BootId(b"puppet-3"))
    rosa.village.world.settle()
    rosa.write()
    assert rosa.puppet.commands(rosa.since)[-1][1].boot == b"puppet-3", "a boot never seen before is news"


def test_after_expired_the_accessorys_time_is_kept_for_that_accessory() -> None:
    rosa = scene()
    rosa.write()
    theirs = rosa.village.world.now // 1000 + 5_000
    rosa.refuse(Reason.EXPIRED, {int(HintKey.TIME): theirs, int(HintKey.WHICH): "expiry past"})
    for _ in range(2):
        expires = rosa.puppet.commands(rosa.since)[-1][1].expires
        assert expires == theirs + limits.COMMAND_LIFE_MS // 1000
        rosa.accept()
        rosa.write()


def test_after_stale_acl_the_version_of_the_hint_is_named() -> None:
    rosa = scene()
    rosa.write()
    rosa.refuse(Reason.STALE_ACL, {int(HintKey.VERSION): [0, 7]})
    assert rosa.puppet.commands(rosa.since)[-1][1].version == Version(0, 7)


def test_after_acl_behind_what_the_accessory_lacks_is_carried_to_it_first() -> None:
    rosa = scene()
    rosa.write()
    rosa.refuse(Reason.ACL_BEHIND, {int(HintKey.VERSION): [0, 1]}, version=Version(0, 1))
    rosa.village.world.advance(limits.RETRY_PAUSES_MS[0])
    contexts = [parse(each.payload).context for each in rosa.puppet.inbox(rosa.since)]
    assert contexts == [Context.COMMAND, Context.ENTRY, Context.COMMAND]


# nonces


def test_a_strict_accessory_without_time_gets_its_nonce_up_front() -> None:
    rosa = scene(strict=True, trusted=False)
    act = rosa.write()
    assert [command.op for _, command in rosa.puppet.commands(rosa.since)] == [Op.PREPARE]
    rosa.accept({1: b"n" * 16})
    assert [command.op for _, command in rosa.puppet.commands(rosa.since)] == [Op.PREPARE, Op.WRITE]
    assert rosa.puppet.commands(rosa.since)[-1][1].nonce == b"n" * 16
    rosa.accept()
    assert isinstance(act.outcome, Accepted)


@pytest.mark.parametrize("word", ["nonce missing", "nonce too old", "nonce unknown or used"])
def test_a_nonce_that_is_asked_for_is_fetched(word: str) -> None:
    rosa = scene(strict=True)
    act = rosa.write()
    rosa.refuse(Reason.EXPIRED, {int(HintKey.WHICH): word})
    rosa.accept({1: b"n" * 16})
    assert [command.op for _, command in rosa.puppet.commands(rosa.since)] == [Op.WRITE, Op.PREPARE, Op.WRITE]
    rosa.accept()
    assert isinstance(act.outcome, Accepted)


@pytest.mark.parametrize("results", [None, {1: b"short"}, {2: b"n" * 16}, [b"n" * 16], 7])
def test_a_prepare_that_brings_no_nonce_is_a_bad_reply(results: Value | None) -> None:
    rosa = scene(strict=True, trusted=False)
    act = rosa.write()
    rosa.accept(results)
    assert isinstance(act.outcome, BadReply)


# silence


def test_without_an_answer_the_outcome_is_silence() -> None:
    rosa = scene()
    act = rosa.write()
    rosa.village.world.advance(limits.ANSWER_WAIT_MS - 1)
    assert not act.done
    rosa.village.world.advance(1)
    assert act.outcome == Silent(limits.ANSWER_WAIT_MS)


def test_who_is_silent_behind_the_own_grant_gets_the_entries_and_a_new_command() -> None:
    rosa = scene()
    rosa.village.ask(rosa.village.adding("gus"))
    node = rosa.village.member("gus")
    rosa.village.world.settle()
    gus = Scene(rosa.village, node, rosa.puppet)
    act = gus.write()
    assert len(gus.puppet.commands(gus.since)) == 1
    rosa.village.world.advance(limits.ANSWER_WAIT_MS)
    contexts = [parse(each.payload).context for each in gus.puppet.inbox(gus.since)]
    assert contexts == [Context.COMMAND, Context.ENTRY, Context.COMMAND]
    rosa.village.world.advance(limits.ANSWER_WAIT_MS)
    assert isinstance(act.outcome, Silent), "once is enough"


def test_an_accessory_that_was_never_heard_of_is_not_reachable() -> None:
    rosa = scene()
    acts: list[Act] = []
    nobody = Puppet(rosa.village, key("nobody"))
    rosa.node.act(lambda: acts.append(rosa.rosa.write(nobody.id, ON, rosa.village.world.now)))
    rosa.village.world.advance(limits.ANSWER_WAIT_MS)
    assert acts[0].outcome == NotSent(Code.ACCESSORY_NOT_REACHABLE)
    assert nobody.inbox() == []
    rosa.node.act(lambda: acts.append(rosa.rosa.write(nobody.id, ON, rosa.village.world.now)))
    nobody.announce()
    rosa.village.world.settle()
    assert len(nobody.inbox()) == 1, "it is sent as soon as the boot is known"


def test_without_a_connection_it_waits_for_one() -> None:
    rosa = scene()
    rosa.node.link.drop()
    rosa.village.world.settle()
    act = rosa.write()
    assert rosa.puppet.commands(rosa.since) == []
    rosa.node.link.restore()
    rosa.village.world.settle()
    assert len(rosa.puppet.commands(rosa.since)) == 1
    rosa.accept()
    assert isinstance(act.outcome, Accepted)


# bad replies


def _forged(rosa: Scene, name: bytes) -> None:
    Puppet(rosa.village, key("mallory"), rosa.puppet.boot).respond(key("rosa").kid, name)
    raw = rosa.village.world.network.traffic[-1].payload
    rosa.village.world.publish(rosa.village.world.topics.out(rosa.puppet.id, key("rosa").kid), raw)


def _bent(rosa: Scene, name: bytes) -> None:
    rosa.village.world.network.hold(lambda each: "/out/" in each.topic)
    rosa.puppet.respond(key("rosa").kid, name)
    (held,) = rosa.village.world.network.held
    rosa.village.world.network._holds.clear()  # noqa: SLF001 - the broker drops it and lies
    rosa.village.world.publish(held.topic, held.payload[:-1] + bytes([held.payload[-1] ^ 1]))


def _other_id(rosa: Scene, _name: bytes) -> None:
    rosa.puppet.respond(key("rosa").kid, bytes(16))


def _garbage(rosa: Scene, _name: bytes) -> None:
    rosa.village.world.publish(rosa.village.world.topics.out(rosa.puppet.id, key("rosa").kid), b"yes")


@pytest.mark.parametrize("lie", [_forged, _bent, _other_id, _garbage])
def test_an_answer_that_does_not_fit_is_never_success_and_does_not_end_the_wait(lie: object) -> None:
    for honest in (False, True):
        rosa = scene()
        act = rosa.write()
        name, _ = rosa.puppet.commands(rosa.since)[-1]
        assert callable(lie)
        lie(rosa, name)
        rosa.village.world.settle()
        assert not act.done
        if honest:
            rosa.accept()
        rosa.village.world.advance(limits.ANSWER_WAIT_MS)
        assert isinstance(act.outcome, Accepted if honest else BadReply)


def test_a_duplicate_of_an_answer_is_harmless() -> None:
    rosa = scene()
    first = rosa.write()
    rosa.accept()
    duplicate = rosa.village.world.network.traffic[-1]
    second = rosa.write()
    rosa.village.world.publish(duplicate.topic, duplicate.payload)
    rosa.village.world.advance(limits.ANSWER_WAIT_MS)
    assert isinstance(first.outcome, Accepted)
    assert isinstance(second.outcome, Silent), "neither success nor a bad reply"


def test_two_acts_at_once_get_their_own_answers() -> None:
    rosa = scene()
    first = rosa.write()
    begin = rosa.since
    second = rosa.write()
    (one, _), (two, _) = rosa.puppet.commands(begin)
    rosa.puppet.respond(key("rosa").kid, two, Reason.FORBIDDEN)
    rosa.puppet.respond(key("rosa").kid, one)
    outcomes: list[Outcome | None] = [first.outcome, second.outcome]
    assert isinstance(outcomes[0], Accepted)
    assert isinstance(outcomes[1], Refused)


@pytest.mark.parametrize(
    ("items", "manner"),
    [
        ([(1, 10, True)] * (limits.ITEMS_IN_COMMAND + 1), Manner()),
        ([(1, 10, "x" * limits.MESSAGE_SIZE)], Manner()),
        ([(1, 10, float("nan"))], Manner()),
        ([(-1, 10, None)], Manner()),
        ([(1, 10, True)], Manner(life=-1)),
    ],
    ids=["too many items", "too long", "no number", "no value", "over before it begins"],
)
def test_what_no_command_can_hold_is_refused_before_anything_happens(
    items: list[tuple[int, int, Value]], manner: Manner
) -> None:
    rosa = scene()
    before = len(rosa.village.world.network.traffic)
    with pytest.raises(ValueError, match=r"\w"):
        rosa.rosa.write(rosa.puppet.id, items, rosa.village.world.now, manner)
    rosa.village.world.advance(10_000)
    assert rosa.puppet.inbox(before) == []
    rosa.write()
    assert len(rosa.puppet.commands(rosa.since)) == 1, "and the next one goes its way"


def test_no_repr_shows_a_key() -> None:
    rosa = scene()
    seed = SigningKey(key("rosa").seed()).seed().hex()
    for each in (rosa.rosa.identity, rosa.rosa.identity.key, rosa.write()):
        assert seed not in repr(each)
        assert repr(key("rosa").seed()) not in repr(each)
