"""A command passes the rungs in their order; the first that it fails gives the reason."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.encoding import Value
from accessory_emu.protocol.envelope import Context, GoodSignatures, parse, seal
from accessory_emu.protocol.errors import BadSignature, Malformed, NotPaired, Refused, UnknownKey
from accessory_emu.protocol.exchanges.command import (
    Accepted,
    Duplicate,
    View,
    judge,
    make_command,
    prove,
    read_items,
    read_response,
    respond,
    write_items,
)
from accessory_emu.protocol.identifiers import AccessoryId, BootId, HomeId, PublicKey, Version
from accessory_emu.protocol.membership.freshness import Freshness, Place, Policy
from accessory_emu.protocol.membership.grant import HUB_TERMS, RESIDENT_TERMS
from accessory_emu.protocol.membership.privileges import Privilege, Scope
from accessory_emu.protocol.messages import Command, Fate, HintKey, Op, Response, Statement
from accessory_emu.protocol.reasons import Reason, Rung
from accessory_emu.protocol.replay import Replay
from tests.protocol.papers import (
    DOOR,
    EDDA,
    GINA,
    GUEST_TERMS,
    HUB,
    LAMP,
    NINA,
    NOW,
    OLGA,
    ROSA,
    Papers,
    key,
    peopled,
)

BOOT, OTHER_BOOT = BootId(b"bootboot"), BootId(b"earlier.")
LAMP_KEY = key("lamp")
ELSEWHERE = HomeId(b"elsehome")
START = NOW * 1000
NONE = object()  # a field that stays absent


class Dice:
    """Dice that count."""

    def __init__(self) -> None:
        self.rolled = 0

    def bytes(self, size: int) -> bytes:
        """Give the next number."""
        self.rolled += 1
        return self.rolled.to_bytes(size)


@dataclass
class Lamp:
    """An accessory of the home, as far as the judge knows it; in sync and with trusted time by default."""

    strict: bool = False
    synced: bool = True
    keeps_time: bool = True

    def __post_init__(self) -> None:
        self.papers: Papers = peopled()
        assert self.papers.play(self.papers.add(HUB, HUB_TERMS)) == [None]
        self.replay, self.dice, self.now, self.ctr = Replay(), Dice(), START, 100
        spans = Policy(hub_ms=0, device_ms=0, strict=self.strict, keeps_time=self.keeps_time)
        self.freshness = Freshness(spans, START, synced_once=True)
        self.freshness.linked(START)
        if self.synced:
            self.sync()

    def sync(self) -> None:
        """Be in sync at the present version."""
        log = self.papers.log
        self.freshness.ask(b"n" * 16, self.now)
        stated = Statement(log.version, log.head, self.now // 1000, b"n" * 16)
        self.freshness.answered(stated, Place(log.version, log.head, log.time), self.now)

    def view(self) -> View:
        """Give what it knows."""
        return View(LAMP, BOOT, self.papers.log, self.freshness, self.replay, self.strict, GoodSignatures())

    def sign(self, person: SigningKey = ROSA, **changes: object) -> bytes:
        """Sign a command; what is not given has its honest value."""
        self.ctr += 1
        log = self.papers.log
        honest = Command(BOOT, self.ctr, log.version, Op.WRITE, [[1, 10, True]], self.now // 1000 + 10)
        given = {name: None if value is NONE else value for name, value in changes.items()}
        return make_command(person, self.papers.home, LAMP, replace(honest, **given)).raw  # type: ignore[arg-type]  # by name

    def hear(self, raw: bytes) -> Accepted | Duplicate:
        """Prove and judge."""
        return judge(prove(parse(raw), self.view()), self.view(), self.now)

    def refusal(self, raw: bytes) -> Refused:
        """Prove and judge what is refused."""
        with pytest.raises(Refused) as caught:
            self.hear(raw)
        return caught.value

    def prepare(self, person: SigningKey = ROSA) -> bytes:
        """Hand out a nonce."""
        return self.replay.prepare(person.kid, self.dice, self.now)


def payload_of(person: SigningKey, payload: bytes, lamp: Lamp) -> bytes:
    return seal(person, Context.COMMAND, payload, lamp.papers.home, LAMP).raw


def flipped(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


def test_an_honest_command_is_accepted_with_its_sender() -> None:
    lamp = Lamp()
    raw = lamp.sign()
    accepted = lamp.hear(raw)
    assert isinstance(accepted, Accepted)
    assert accepted.command == Command.decode(parse(raw).payload)
    assert accepted.proven.grant == lamp.papers.grant(ROSA)
    assert accepted.proven.envelope == parse(raw)
    assert accepted.proven.to == accepted.proven.id[:16]


# the rungs whose sender hears nothing

SILENT: dict[str, tuple[Callable[[Lamp], bytes], type[Exception]]] = {
    "an unknown key": (lambda a: a.sign(NINA), UnknownKey),
    "the accessory's own key": (lambda a: a.sign(LAMP_KEY), UnknownKey),
    "a bit flipped": (lambda a: flipped(a.sign()), BadSignature),
    "another member's signature": (lambda a: a.sign(EDDA).replace(EDDA.kid, ROSA.kid, 1), BadSignature),
    "for another accessory": (
        lambda a: make_command(ROSA, a.papers.home, DOOR, Command(BOOT, 1, Version(0, 0), 1)).raw,
        BadSignature,
    ),
    "for another home": (
        lambda _: make_command(ROSA, ELSEWHERE, LAMP, Command(BOOT, 1, Version(0, 0), 1)).raw,
        BadSignature,
    ),
}


@pytest.mark.parametrize(("make", "error"), SILENT.values(), ids=SILENT)
def test_who_is_not_proven_is_silent_and_moves_no_counter(
    make: Callable[[Lamp], bytes], error: type[Exception]
) -> None:
    lamp = Lamp()
    raw = make(lamp)
    with pytest.raises(error):
        lamp.hear(raw)
    lamp.ctr = 0
    assert isinstance(lamp.hear(lamp.sign()), Accepted)


@pytest.mark.parametrize("context", [each for each in Context if each is not Context.COMMAND])
def test_a_payload_signed_in_another_context_is_no_command(context: Context) -> None:
    lamp = Lamp()
    payload = parse(lamp.sign()).payload
    with pytest.raises(Malformed):
        prove(parse(seal(ROSA, context, payload, lamp.papers.home, LAMP).raw), lamp.view())


def test_an_accessory_without_a_home_obeys_nobody() -> None:
    lamp = Lamp()
    with pytest.raises(NotPaired):
        prove(parse(lamp.sign(OLGA)), replace(lamp.view(), log=None))


def test_an_unknown_key_before_a_bad_signature() -> None:
    lamp = Lamp()
    with pytest.raises(UnknownKey):
        lamp.hear(flipped(lamp.sign(NINA)))


def test_who_was_removed_is_unknown_also_to_the_cache() -> None:
    lamp = Lamp()
    raw = lamp.sign()
    lamp.replay.keep(ROSA.kid, lamp.hear(raw).proven.id, b"answer")
    assert lamp.papers.play(lamp.papers.remove(ROSA)) == [None]
    with pytest.raises(UnknownKey):
        lamp.hear(raw)


# the rungs whose sender is answered


def behind(lamp: Lamp) -> None:
    log = lamp.papers.log
    lamp.freshness.saw(Version(0, 99), log.version, lamp.now)


def convicted(lamp: Lamp) -> None:
    lamp.papers.log = replace(lamp.papers.log, only_owner=True)


def scoped(lamp: Lamp, scope: Scope) -> None:
    assert lamp.papers.play(lamp.papers.replace(GINA, replace(GUEST_TERMS, scope=scope))) == [None]


def second(lamp: Lamp, **changes: object) -> bytes:
    """Use a counter, then sign other bytes with the same one."""
    first = lamp.sign()
    lamp.hear(first)
    return lamp.sign(
        **{"ctr": Command.decode(parse(first).payload).ctr, "op": Op.IDENTIFY, "args": [], **changes}
    )


@dataclass(frozen=True)
class Fault:
    """A way to fail a rung, and the twin that passes it."""

    make: Callable[[Lamp], bytes]
    rung: Rung
    reason: Reason
    twin: Callable[[Lamp], bytes] = lambda lamp: lamp.sign()


AHEAD = limits.EXPIRY_AHEAD_S
FAULTS = {
    "an empty payload": Fault(lambda a: payload_of(ROSA, b"", a), Rung.PAYLOAD, Reason.MALFORMED),
    "a payload of another shape": Fault(
        lambda a: payload_of(ROSA, b"\xa0", a), Rung.PAYLOAD, Reason.MALFORMED
    ),
    "bytes after the payload": Fault(
        lambda a: payload_of(ROSA, parse(a.sign()).payload + b"\x00", a), Rung.PAYLOAD, Reason.MALFORMED
    ),
    "another boot": Fault(lambda a: a.sign(boot=OTHER_BOOT), Rung.BOOT, Reason.STALE_BOOT),
    "no boot": Fault(lambda a: a.sign(boot=BootId(bytes(8))), Rung.BOOT, Reason.STALE_BOOT),
    "a counter that was used": Fault(second, Rung.COUNTER, Reason.REPLAYED),
    "a version above the own": Fault(
        lambda a: a.sign(version=Version(0, 5)),
        Rung.LOG,
        Reason.ACL_BEHIND,
        lambda a: a.sign(version=Version(0, 4)),
    ),
    "a version of a far epoch": Fault(
        lambda a: a.sign(version=Version(2**64 - 1, 0)), Rung.LOG, Reason.ACL_BEHIND
    ),
    "a version below the sender's since": Fault(
        lambda a: a.sign(version=Version(0, 1)),
        Rung.LOG,
        Reason.STALE_ACL,
        lambda a: a.sign(version=Version(0, 2)),
    ),
    "a sequencer that contradicted itself": Fault(
        lambda a: (convicted(a), a.sign())[1],
        Rung.LOG,
        Reason.CONFLICT,
        lambda a: (convicted(a), a.sign(OLGA))[1],
    ),
    "a higher version is known": Fault(
        lambda a: (behind(a), a.sign())[1],
        Rung.SYNC,
        Reason.NOT_IN_SYNC,
        lambda a: (behind(a), a.sign(OLGA))[1],
    ),
    "no expiry": Fault(lambda a: a.sign(expires=NONE), Rung.EXPIRY, Reason.EXPIRED),
    "an expiry a second ago": Fault(
        lambda a: a.sign(expires=NOW - 1), Rung.EXPIRY, Reason.EXPIRED, lambda a: a.sign(expires=NOW)
    ),
    "an expiry too far ahead": Fault(
        lambda a: a.sign(expires=NOW + AHEAD + 1),
        Rung.EXPIRY,
        Reason.EXPIRED,
        lambda a: a.sign(expires=NOW + AHEAD),
    ),
    "an unknown nonce": Fault(
        lambda a: a.sign(nonce=b"x" * 16),
        Rung.EXPIRY,
        Reason.EXPIRED,
        lambda a: a.sign(nonce=a.prepare()),
    ),
    "somebody else's nonce": Fault(lambda a: a.sign(nonce=a.prepare(EDDA)), Rung.EXPIRY, Reason.EXPIRED),
    "a hub that acts": Fault(
        lambda a: a.sign(HUB), Rung.RIGHTS, Reason.FORBIDDEN, lambda a: a.sign(HUB, op=Op.READ)
    ),
    "a resident who lists": Fault(lambda a: a.sign(op=Op.LIST), Rung.RIGHTS, Reason.FORBIDDEN),
    "an editor who releases": Fault(
        lambda a: a.sign(EDDA, op=Op.RELEASE),
        Rung.RIGHTS,
        Reason.FORBIDDEN,
        lambda a: a.sign(OLGA, op=Op.RELEASE),
    ),
    "a guest outside the scope": Fault(
        lambda a: (scoped(a, Scope.of([DOOR])), a.sync(), a.sign(GINA))[2],
        Rung.RIGHTS,
        Reason.FORBIDDEN,
        lambda a: (scoped(a, Scope.of([LAMP])), a.sync(), a.sign(GINA))[2],
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_the_first_rung_that_fails_gives_the_reason_and_its_twin_passes(fault: Fault) -> None:
    refused = Lamp()
    error = refused.refusal(fault.make(refused))
    assert (error.reason, error.rung) == (fault.reason, fault.rung)
    passing = Lamp()
    assert isinstance(passing.hear(fault.twin(passing)), Accepted)


def test_every_reason_of_the_judge_has_a_row() -> None:
    assert {fault.reason for fault in FAULTS.values()} == {
        Reason.MALFORMED,
        Reason.STALE_BOOT,
        Reason.REPLAYED,
        Reason.ACL_BEHIND,
        Reason.STALE_ACL,
        Reason.CONFLICT,
        Reason.NOT_IN_SYNC,
        Reason.EXPIRED,
        Reason.FORBIDDEN,
    }


# two faults

PAIRS: dict[str, tuple[Callable[[Lamp], bytes], Rung]] = {
    "payload before boot": (
        lambda a: payload_of(ROSA, parse(a.sign(boot=OTHER_BOOT)).payload + b"\x00", a),
        Rung.PAYLOAD,
    ),
    "boot before counter": (lambda a: second(a, boot=OTHER_BOOT), Rung.BOOT),
    "counter before a version above": (lambda a: second(a, version=Version(0, 99)), Rung.COUNTER),
    "counter before a version below": (lambda a: second(a, version=Version(0, 1)), Rung.COUNTER),
    "a version above before sync": (
        lambda a: (behind(a), a.sign(version=Version(0, 99)))[1],
        Rung.LOG,
    ),
    "a version below before sync": (lambda a: (behind(a), a.sign(version=Version(0, 1)))[1], Rung.LOG),
    "a contradiction before sync": (lambda a: (convicted(a), behind(a), a.sign())[2], Rung.LOG),
    "sync before an expiry": (lambda a: (behind(a), a.sign(expires=NOW - 1))[1], Rung.SYNC),
    "sync before a nonce": (lambda a: (behind(a), a.sign(nonce=b"x" * 16))[1], Rung.SYNC),
    "sync before rights": (lambda a: (behind(a), a.sign(op=Op.LIST))[1], Rung.SYNC),
    "an expiry before rights": (lambda a: a.sign(HUB, op=Op.READ, expires=NOW - 1), Rung.EXPIRY),
    "a nonce before rights": (lambda a: a.sign(op=Op.LIST, nonce=b"x" * 16), Rung.EXPIRY),
    "an expiry before an op that nobody knows": (lambda a: a.sign(op=99, expires=NONE), Rung.EXPIRY),
}


@pytest.mark.parametrize(("make", "rung"), PAIRS.values(), ids=PAIRS)
def test_of_two_faults_the_earlier_rung_gives_the_reason(make: Callable[[Lamp], bytes], rung: Rung) -> None:
    lamp = Lamp()
    assert lamp.refusal(make(lamp)).rung is rung


def test_a_contradiction_before_a_version_above_and_that_before_one_below() -> None:
    lamp = Lamp()
    convicted(lamp)
    assert lamp.refusal(lamp.sign(version=Version(0, 99))).reason is Reason.CONFLICT
    assert lamp.refusal(lamp.sign(OLGA, version=Version(0, 99))).reason is Reason.ACL_BEHIND


# hints


def test_a_version_above_is_told_the_own_and_one_below_the_since() -> None:
    lamp = Lamp()
    assert lamp.refusal(lamp.sign(version=Version(0, 99))).hint == {HintKey.VERSION: (0, 4)}
    assert lamp.refusal(lamp.sign(version=Version(0, 1))).hint == {HintKey.VERSION: (0, 2)}


def test_a_replayed_counter_is_told_the_last_one_and_its_fate() -> None:
    lamp = Lamp()
    lamp.hear(lamp.sign(ctr=500))
    hint = lamp.refusal(lamp.sign(ctr=500, op=Op.IDENTIFY, args=[])).hint
    assert hint == {HintKey.LAST_COUNTER: 500, HintKey.FATE: Fate.NOT_EXECUTED}


WHICH: dict[str, tuple[Callable[[Lamp], bytes], str]] = {
    "no expiry": (lambda a: a.sign(expires=NONE), "expiry missing"),
    "past": (lambda a: a.sign(expires=NOW - 1), "expiry past"),
    "too far": (lambda a: a.sign(expires=NOW + 10**9), "expiry too far ahead"),
    "unknown nonce": (lambda a: a.sign(nonce=b"x" * 16), "nonce unknown or used"),
}


@pytest.mark.parametrize(("make", "which"), WHICH.values(), ids=WHICH)
def test_what_has_expired_is_told_which_and_the_time(make: Callable[[Lamp], bytes], which: str) -> None:
    lamp = Lamp()
    assert lamp.refusal(make(lamp)).hint == {HintKey.WHICH: which, HintKey.TIME: NOW}


def test_without_trusted_time_the_hint_has_none() -> None:
    lamp = Lamp(strict=True, keeps_time=False)
    assert lamp.refusal(lamp.sign()).hint == {HintKey.WHICH: "nonce missing"}


def test_who_has_no_right_is_told_which() -> None:
    lamp = Lamp()
    assert lamp.refusal(lamp.sign(op=Op.LIST)).hint == {HintKey.WHICH: "privilege"}


def test_every_hint_fits_a_response_also_at_the_last_second_of_64_bits() -> None:
    lamp = Lamp(synced=False)
    log = lamp.papers.log
    lamp.freshness.ask(b"n" * 16, lamp.now)
    stated = Statement(log.version, log.head, 2**64 - 1, b"n" * 16)
    lamp.freshness.answered(stated, Place(log.version, log.head, log.time), lamp.now)
    lamp.now += 3_600_000 - 1
    hint = lamp.refusal(lamp.sign(expires=NONE)).hint
    assert Response.decode(Response(BOOT, bytes(16), Reason.EXPIRED, log.version, hint=hint).encode())


# counters


def test_a_refusal_uses_its_counter_up() -> None:
    for make in (
        lambda a: a.sign(ctr=500, version=Version(0, 99)),
        lambda a: (behind(a), a.sign(ctr=500))[1],
        lambda a: a.sign(ctr=500, expires=NONE),
        lambda a: a.sign(ctr=500, op=Op.LIST),
    ):
        lamp = Lamp()
        raw = make(lamp)
        assert lamp.refusal(raw).reason is not Reason.REPLAYED
        assert lamp.refusal(raw).reason is Reason.REPLAYED


@pytest.mark.parametrize("changes", [{"boot": OTHER_BOOT}, {}])
def test_what_fails_before_the_counter_uses_none_up(changes: dict[str, object]) -> None:
    lamp = Lamp()
    if changes:
        lamp.refusal(lamp.sign(ctr=10**6, **changes))
    else:
        lamp.refusal(payload_of(ROSA, parse(lamp.sign(ctr=10**6)).payload + b"\x00", lamp))
    assert isinstance(lamp.hear(lamp.sign(ctr=1)), Accepted)


def test_the_same_bytes_get_the_same_answer_and_are_not_accepted_again() -> None:
    lamp = Lamp()
    raw = lamp.sign()
    first = lamp.hear(raw)
    lamp.replay.keep(ROSA.kid, first.proven.id, b"the answer")
    again = lamp.hear(raw)
    assert again == Duplicate(first.proven, b"the answer")


def test_the_same_bytes_get_the_same_answer_whatever_changed_meanwhile() -> None:
    lamp = Lamp()
    raw = lamp.sign()
    lamp.replay.keep(ROSA.kid, lamp.hear(raw).proven.id, b"the answer")
    behind(lamp)
    lamp.now += 10**9
    assert isinstance(lamp.hear(raw), Duplicate)


def test_one_payload_under_two_algorithms_acts_once() -> None:
    lamp = Lamp()
    raw = lamp.sign()
    first = lamp.hear(raw)
    lamp.replay.keep(ROSA.kid, first.proven.id, b"the answer")
    protected = raw[3:24].replace(b"\x01\x32", b"\x01\x27")
    payload = parse(raw).payload
    external = b"accessory-emu/1/command\x00" + lamp.papers.home + LAMP
    signed = (
        b"\x84\x6aSignature1\x55"
        + protected
        + b"\x58\x28"
        + external
        + b"\x58"
        + bytes([len(payload)])
        + payload
    )
    other = raw[:3] + protected + raw[24:-64] + ROSA.sign(signed)
    assert lamp.refusal(other).reason is Reason.REPLAYED


def test_a_person_who_is_added_anew_keeps_the_counter_and_older_commands_stay_dead() -> None:
    lamp = Lamp()
    old = lamp.sign(ctr=10**6)
    lamp.hear(old)
    held_back = lamp.sign(ctr=10**6 + 5)
    papers = lamp.papers
    assert papers.play(papers.remove(ROSA), papers.add(ROSA)) == [None, None]
    lamp.sync()
    assert lamp.refusal(held_back).reason is Reason.STALE_ACL
    assert lamp.refusal(lamp.sign(ctr=10**6)).reason is Reason.REPLAYED
    assert isinstance(lamp.hear(lamp.sign(ctr=10**6 + 6)), Accepted)


# sync: whom it lets pass


@pytest.mark.parametrize("op", [Op.READ, Op.STATUS, Op.PREPARE, 99])
def test_while_not_in_sync_what_may_be_viewed_passes_and_so_does_an_op_that_nobody_knows(op: int) -> None:
    lamp = Lamp()
    behind(lamp)
    assert isinstance(lamp.hear(lamp.sign(op=op)), Accepted)


@pytest.mark.parametrize("op", Op)
def test_while_not_in_sync_the_owner_passes(op: Op) -> None:
    lamp = Lamp()
    behind(lamp)
    assert isinstance(lamp.hear(lamp.sign(OLGA, op=op)), Accepted)


@pytest.mark.parametrize("op", [Op.WRITE, Op.IDENTIFY, Op.LIST, Op.RELEASE])
def test_while_not_in_sync_nothing_above_view_passes(op: Op) -> None:
    lamp = Lamp()
    behind(lamp)
    assert lamp.refusal(lamp.sign(EDDA, op=op)).reason is Reason.NOT_IN_SYNC


@pytest.mark.parametrize("op", [0, 8, 99, 2**64 - 1])
def test_an_op_that_nobody_knows_is_left_to_the_value_rung(op: int) -> None:
    lamp = Lamp()
    accepted = lamp.hear(lamp.sign(HUB, op=op))
    assert isinstance(accepted, Accepted)
    assert accepted.command.op == op


# nonces and expiry


def untimed(*, strict: bool = True) -> Lamp:
    """Give an accessory without trusted time."""
    return Lamp(strict=strict, keeps_time=False)


@pytest.mark.parametrize("op", [Op.WRITE, Op.IDENTIFY, Op.RELEASE])
@pytest.mark.parametrize("person", [OLGA])
def test_a_strict_type_without_trusted_time_needs_a_nonce_for_every_act_of_anybody(
    op: Op, person: SigningKey
) -> None:
    lamp = untimed()
    assert lamp.refusal(lamp.sign(person, op=op)).reason is Reason.EXPIRED
    nonce = lamp.prepare(person)
    assert isinstance(lamp.hear(lamp.sign(person, op=op, nonce=nonce, expires=NONE)), Accepted)
    assert lamp.refusal(lamp.sign(person, op=op, nonce=nonce)).hint[HintKey.WHICH] == "nonce unknown or used"


@pytest.mark.parametrize("op", [Op.READ, Op.STATUS, Op.PREPARE, Op.LIST])
def test_what_does_not_act_needs_none(op: Op) -> None:
    lamp = untimed()
    assert isinstance(lamp.hear(lamp.sign(OLGA, op=op, expires=NONE)), Accepted)


def test_other_types_obey_without_time_and_without_a_nonce() -> None:
    lamp = untimed(strict=False)
    assert isinstance(lamp.hear(lamp.sign(expires=NONE)), Accepted)
    assert isinstance(lamp.hear(lamp.sign(expires=1)), Accepted)


def test_a_strict_type_with_trusted_time_needs_no_nonce_but_its_expiry_always() -> None:
    lamp = Lamp(strict=True)
    assert isinstance(lamp.hear(lamp.sign()), Accepted)
    assert lamp.refusal(lamp.sign(nonce=lamp.prepare(), expires=NONE)).hint[HintKey.WHICH] == "expiry missing"


@pytest.mark.parametrize(
    ("after", "passes"), [(9_000, True), (10_000, True), (10_001, False), (11_000, False)]
)
def test_a_nonce_lapses_after_ten_seconds(after: int, passes: bool) -> None:  # noqa: FBT001 - of the table
    lamp = untimed()
    nonce = lamp.prepare()
    lamp.now += after
    raw = lamp.sign(nonce=nonce)
    if passes:
        assert isinstance(lamp.hear(raw), Accepted)
    else:
        assert lamp.refusal(raw).hint[HintKey.WHICH] == "nonce too old"


USED: dict[str, tuple[Callable[[Lamp, bytes], bytes], bool]] = {
    "refused for its rights": (lambda a, nonce: a.sign(op=Op.LIST, nonce=nonce), True),
    "refused for its expiry": (lambda a, nonce: a.sign(expires=NONE, nonce=nonce), True),
    "refused for its version": (lambda a, nonce: a.sign(version=Version(0, 99), nonce=nonce), False),
    "refused for its boot": (lambda a, nonce: a.sign(boot=OTHER_BOOT, nonce=nonce), False),
}


@pytest.mark.parametrize(("make", "used"), USED.values(), ids=USED)
def test_a_nonce_is_used_up_once_the_expiry_rung_is_reached(
    make: Callable[[Lamp, bytes], bytes],
    used: bool,  # noqa: FBT001 - of the table
) -> None:
    lamp = Lamp()
    nonce = lamp.prepare()
    lamp.refusal(make(lamp, nonce))
    raw = lamp.sign(nonce=nonce)
    if used:
        assert lamp.refusal(raw).reason is Reason.EXPIRED
    else:
        assert isinstance(lamp.hear(raw), Accepted)


@pytest.mark.parametrize(
    ("milliseconds", "expires", "passes"),
    [(0, 0, True), (1, 0, False), (999, 1, True), (1, 60, True), (999, 61, False), (0, 61, False)],
)
def test_the_expiry_is_kept_to_the_millisecond(
    milliseconds: int,
    expires: int,
    passes: bool,  # noqa: FBT001 - of the table
) -> None:
    lamp = Lamp()
    lamp.now += milliseconds
    raw = lamp.sign(expires=NOW + expires)
    if passes:
        assert isinstance(lamp.hear(raw), Accepted)
    else:
        assert lamp.refusal(raw).reason is Reason.EXPIRED


def test_a_default_lease_and_a_window_are_judged_by_trusted_time() -> None:
    lamp = Lamp()
    lamp.papers.log = replace(lamp.papers.log, lease=60)
    assert isinstance(lamp.hear(lamp.sign()), Accepted)
    lamp.now += 60_001
    assert lamp.refusal(lamp.sign()).hint == {HintKey.WHICH: "lease"}
    assert isinstance(lamp.hear(lamp.sign(EDDA)), Accepted)


def test_view_and_operate_are_told_apart() -> None:
    lamp = Lamp()
    viewer = replace(GUEST_TERMS, privilege=Privilege.VIEW)
    assert lamp.papers.play(lamp.papers.replace(GINA, viewer)) == [None]
    lamp.sync()
    assert isinstance(lamp.hear(lamp.sign(GINA, op=Op.READ)), Accepted)
    assert lamp.refusal(lamp.sign(GINA)).reason is Reason.FORBIDDEN
    assert lamp.papers.play(lamp.papers.replace(GINA, RESIDENT_TERMS)) == [None]
    lamp.sync()
    assert isinstance(lamp.hear(lamp.sign(GINA)), Accepted)


# responses

HOME = HomeId(b"homehome")
ANSWER = Response(BOOT, b"c" * 16, Reason.EXPIRED, Version(0, 4), hint={3: NOW})


def test_an_answer_is_signed_by_the_accessory_and_read() -> None:
    envelope = parse(respond(LAMP_KEY, HOME, ANSWER).raw)
    assert (envelope.context, envelope.kid) == (Context.RESPONSE, LAMP_KEY.kid)
    assert read_response(envelope, PublicKey(LAMP_KEY.public), HOME, LAMP) == ANSWER


RESPONSES: dict[str, tuple[bytes, type[Exception]]] = {
    "by another accessory": (respond(key("door"), HOME, ANSWER).raw, Malformed),
    "by another under its kid": (
        respond(key("door"), HOME, ANSWER).raw.replace(key("door").kid, LAMP_KEY.kid, 1),
        BadSignature,
    ),
    "of another home": (respond(LAMP_KEY, ELSEWHERE, ANSWER).raw, BadSignature),
    "with a bit flipped": (flipped(respond(LAMP_KEY, HOME, ANSWER).raw), BadSignature),
    "of another type": (seal(LAMP_KEY, Context.EVENT, ANSWER.encode(), HOME, LAMP).raw, Malformed),
    "of another shape": (seal(LAMP_KEY, Context.RESPONSE, b"\xa0", HOME, LAMP).raw, Malformed),
    "for another accessory": (
        seal(LAMP_KEY, Context.RESPONSE, ANSWER.encode(), HOME, AccessoryId(DOOR)).raw,
        BadSignature,
    ),
}


@pytest.mark.parametrize(("raw", "error"), RESPONSES.values(), ids=RESPONSES)
def test_anything_else_is_no_answer(raw: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_response(parse(raw), PublicKey(LAMP_KEY.public), HOME, LAMP)


def test_the_arguments_of_reads_and_writes() -> None:
    places: list[Value] = [[1, 10], [1, 11]]
    assert read_items([(1, 10), (1, 11)]) == places
    assert write_items([(1, 10, True), (1, 11, 20.5)]) == [[1, 10, True], [1, 11, 20.5]]
