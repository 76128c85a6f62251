"""An accessory joins the home that the paired key names, at exactly the version and head it names."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.encoding import pack
from accessory_emu.protocol.envelope import Context, GoodSignatures, parse, seal
from accessory_emu.protocol.errors import BadSignature, Malformed, Refused, UnknownKey
from accessory_emu.protocol.exchanges.joining import Joining, Room, StaleAdoption, offer
from accessory_emu.protocol.identifiers import AccessoryId, BootId, HomeId, ObjectId, PublicKey, Version
from accessory_emu.protocol.membership.checkpoint import Checkpoint
from accessory_emu.protocol.membership.grant import EDITOR_TERMS, RESIDENT_TERMS
from accessory_emu.protocol.membership.log import Log
from accessory_emu.protocol.membership.privileges import Edit
from accessory_emu.protocol.messages import Adopt
from accessory_emu.protocol.reasons import Reason, Rung
from tests.protocol.papers import DOOR, EDDA, HUB, LAMP, NINA, OLGA, ROSA, ZOE, Papers, stranger_grant

BOOT = BootId(b"bootboot")
ELSEWHERE = HomeId(b"elsehome")
ROOM = Room(limits.GRANTS_HELD, limits.TOMBSTONES_HELD)
OTHER_HEAD = ObjectId(b"o" * 32)


@dataclass
class Offer:
    """A home with a log of three entries, and what its owner offers to a lamp that was just paired."""

    papers: Papers = field(default_factory=Papers)
    raws: list[bytes] = field(default_factory=list)
    paired: SigningKey = OLGA

    def __post_init__(self) -> None:
        self.checkpoint = self.papers.first
        for person, terms in ((EDDA, EDITOR_TERMS), (ROSA, RESIDENT_TERMS), (NINA, RESIDENT_TERMS)):
            self.play(self.papers.add(person, terms))

    def play(self, *requests: bytes) -> None:
        """Sign the next entry, and fold it."""
        entry = self.papers.entry(*requests)
        sealed = entry.sign(HUB, self.papers.home)
        self.papers.log, _ = self.papers.log.apply(entry, sealed.id)
        self.raws.append(sealed.raw)

    def adopt(self, **changes: object) -> Adopt:
        """Make the adopt message's payload."""
        log = self.papers.log
        honest = Adopt(self.papers.home, BOOT, self.checkpoint.id, log.version, log.head)
        return replace(honest, **changes)  # type: ignore[arg-type]  # fields by name

    def messages(self, **changes: object) -> list[bytes]:
        """Sign the adoption, in the order of the inbox."""
        return offer(self.paired, LAMP, self.adopt(**changes), self.checkpoint.raw, self.raws)

    def begin(self, raw: bytes) -> Joining:
        """Take the adopt message in."""
        return Joining.begin(parse(raw), PublicKey(self.paired.public), LAMP, BOOT)

    def join(self, messages: list[bytes]) -> Joining:
        """Take all messages in, then judge the paired key."""
        joining = self.begin(messages[0])
        for raw in messages[1:]:
            joining = take(joining, raw)
        joining.check_author(PublicKey(self.paired.public))
        return joining


def take(joining: Joining, raw: bytes, room: Room = ROOM) -> Joining:
    envelope = parse(raw)
    if envelope.context is Context.CHECKPOINT:
        return joining.take_checkpoint(envelope, room, GoodSignatures())
    return joining.take_entry(envelope, GoodSignatures())


def flipped(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


def refusal(act: Callable[[], object]) -> Reason:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value.reason


# what holds


def test_checkpoint_and_entries_give_the_named_version_and_head() -> None:
    given = Offer()
    messages = given.messages()
    joined = given.join(messages)
    assert joined.complete()
    assert joined.log == given.papers.log
    assert (joined.checkpoint, joined.entry) == (messages[1], messages[-1])
    assert joined.id == seal(OLGA, Context.ADOPT, given.adopt().encode(), given.papers.home, LAMP).id


def test_it_is_complete_with_the_last_entry_and_not_before() -> None:
    given = Offer()
    first, *others = given.messages()
    joining = given.begin(first)
    seen = [joining.complete()]
    for raw in others:
        joining = take(joining, raw)
        seen.append(joining.complete())
    assert seen == [False, False, False, False, True]


def test_a_genesis_alone_may_be_adopted() -> None:
    papers = Papers()
    adopt = Adopt(papers.home, BOOT, papers.first.id, papers.log.version, papers.log.head)
    first, checkpoint = offer(OLGA, LAMP, adopt, papers.first.raw, [])
    joining = take(Joining.begin(parse(first), PublicKey(OLGA.public), LAMP, BOOT), checkpoint)
    assert joining.complete()
    assert joining.log == papers.log
    joining.check_author(PublicKey(OLGA.public))


def with_checkpoint(given: Offer, signer: SigningKey = OLGA, **changes: object) -> Offer:
    """Let the owner make a checkpoint of the next turn, on which the log goes on."""
    checkpoint = given.papers.checkpoint(**changes)  # type: ignore[arg-type]  # fields by name
    given.checkpoint, given.raws = checkpoint.sign(signer), []
    given.papers.log, _ = given.papers.log.take_checkpoint(checkpoint, given.checkpoint.id)
    return given


def test_a_later_checkpoint_and_the_entries_after_it_may_be_adopted() -> None:
    given = with_checkpoint(Offer())
    given.play(given.papers.remove(ROSA))
    assert given.join(given.messages()).log == given.papers.log


@pytest.mark.parametrize("again", range(1, 5))
def test_a_message_that_is_delivered_twice_does_no_harm(again: int) -> None:
    """QoS 1: the checkpoint or an entry comes a second time, at once or after everything behind it."""
    given = Offer()
    messages = given.messages()
    for at in range(again + 1, len(messages) + 1):
        doubled = [*messages[:at], messages[again], *messages[at:]]
        assert given.join(doubled).log == given.papers.log


def test_what_had_no_effect_in_checkpoint_and_entries_is_named() -> None:
    given = Offer()
    unsupported = stranger_grant(ZOE)
    weak = replace(unsupported, key=PublicKey(bytes(32)))
    grants = (*given.papers.log.allowlist.ordered(), weak)
    with_checkpoint(given, grants=grants)
    given.play(b"bad", given.papers.remove(ROSA))
    given.play(given.papers.add(NINA))
    joined = given.join(given.messages())
    assert [reason for _, reason in joined.refused] == [
        Reason.BAD_VALUE,
        Reason.MALFORMED,
        Reason.ALREADY_MEMBER,
    ]
    assert joined.refused[0][0] == weak.id


def test_the_declared_room_is_kept() -> None:
    given = Offer()
    joining = given.begin(given.messages()[0])
    for raw in given.messages()[1:]:
        joining = take(joining, raw, Room(2, 9))
    assert joining.complete()
    assert joining.log is not None
    assert (len(joining.log.allowlist), joining.log.room, joining.log.tombstones.room) == (2, 2, 9)


# silence


def bent(given: Offer, signer: SigningKey = OLGA, accessory: AccessoryId = LAMP, **changes: object) -> bytes:
    """Sign an adopt message that is wrong; `home` is that of the signature."""
    home = changes.pop("for_home", given.papers.home)
    return seal(signer, Context.ADOPT, given.adopt(**changes).encode(), home, accessory).raw  # type: ignore[arg-type]  # a home


SILENT: dict[str, tuple[Callable[[Offer], bytes], type[Exception]]] = {
    "by another key": (lambda g: bent(g, EDDA), UnknownKey),
    "by another under the paired kid": (lambda g: bent(g, EDDA).replace(EDDA.kid, OLGA.kid, 1), BadSignature),
    "with a bit flipped": (lambda g: flipped(bent(g)), BadSignature),
    "for another accessory": (lambda g: bent(g, accessory=DOOR), BadSignature),
    "for no accessory": (lambda g: bent(g, accessory=AccessoryId(bytes(8))), BadSignature),
    "signed for another home than it names": (lambda g: bent(g, for_home=ELSEWHERE), BadSignature),
    "of another shape": (lambda g: seal(OLGA, Context.ADOPT, b"\xa0", g.papers.home, LAMP).raw, BadSignature),
    "of another type": (
        lambda g: seal(OLGA, Context.COMMAND, g.adopt().encode(), g.papers.home, LAMP).raw,
        Malformed,
    ),
}


@pytest.mark.parametrize(("make", "error"), SILENT.values(), ids=SILENT)
def test_what_the_paired_key_did_not_sign_for_this_accessory_gets_no_answer(
    make: Callable[[Offer], bytes], error: type[Exception]
) -> None:
    given = Offer()
    with pytest.raises(error):
        given.begin(make(given))


def test_another_boot_is_stale_and_named() -> None:
    given = Offer()
    raw = bent(given, boot=BootId(b"earlier."))
    with pytest.raises(StaleAdoption) as caught:
        given.begin(raw)
    assert (caught.value.reason, caught.value.rung) == (Reason.STALE_BOOT, Rung.BOOT)
    assert caught.value.home == given.papers.home
    other = given.adopt(boot=BootId(b"earlier."))
    assert caught.value.id == seal(OLGA, Context.ADOPT, other.encode(), given.papers.home, LAMP).id


# the checkpoint


def named(given: Offer, raw: bytes, name: ObjectId) -> list[bytes]:
    """Offer another checkpoint under its own id."""
    log = given.papers.log
    adopt = Adopt(given.papers.home, BOOT, name, log.version, log.head)
    return [seal(OLGA, Context.ADOPT, adopt.encode(), given.papers.home, LAMP).raw, raw]


def other_checkpoint(given: Offer, signer: SigningKey = OLGA, **changes: object) -> list[bytes]:
    """Offer a later checkpoint that is wrong in one thing, under its own id."""
    checkpoint: Checkpoint = given.papers.checkpoint(**changes)  # type: ignore[arg-type]  # fields by name
    sealed = checkpoint.sign(signer)
    return named(given, sealed.raw, sealed.id)


def of_payload(given: Offer, payload: bytes) -> list[bytes]:
    sealed = seal(OLGA, Context.CHECKPOINT, payload, given.papers.home)
    return named(given, sealed.raw, sealed.id)


def under_the_owners_kid(given: Offer) -> list[bytes]:
    """Offer a checkpoint whose header names the owner and whose signature is an editor's."""
    payload = parse(given.papers.checkpoint().sign(OLGA).raw).payload
    genuine = seal(OLGA, Context.CHECKPOINT, payload, given.papers.home)
    forged = seal(EDDA, Context.CHECKPOINT, payload, given.papers.home)
    return named(given, genuine.raw[:-64] + forged.raw[-64:], genuine.id)


CHECKPOINTS: dict[str, tuple[Callable[[Offer], list[bytes]], Reason]] = {
    "not readable": (lambda g: of_payload(g, b"\xa1\x02\x01"), Reason.MALFORMED),
    "of another protocol version": (lambda g: of_payload(g, pack({2: 2})), Reason.UNSUPPORTED_VERSION),
    "with reign changes": (
        lambda g: other_checkpoint(g, version=Version(1 << 48, 0), reigns=(b"reign",)),
        Reason.NOT_SUPPORTED,
    ),
    "another id": (
        lambda g: [g.messages()[0], g.papers.checkpoint().sign(OLGA).raw],
        Reason.CONFLICT,
    ),
    "of another home": (lambda g: other_checkpoint(g, home=ELSEWHERE), Reason.CONFLICT),
    "another genesis under its own id": (
        lambda g: named(g, second_genesis().first.raw, second_genesis().first.id),
        Reason.CONFLICT,
    ),
    "signed by an editor": (lambda g: other_checkpoint(g, EDDA), Reason.BAD_SIGNATURE),
    "signed by an editor under the owner's kid": (under_the_owners_kid, Reason.BAD_SIGNATURE),
    "with a bit flipped": (
        lambda g: [g.messages()[0], flipped(g.checkpoint.raw)],
        Reason.BAD_SIGNATURE,
    ),
    "of a version above the named one": (other_checkpoint, Reason.CONFLICT),
}


def second_genesis() -> Papers:
    """Make another home of the same owner."""
    papers = Papers()
    papers.origin = replace(papers.origin, time=1)
    papers.first = papers.origin.sign(OLGA)
    return papers


@pytest.mark.parametrize(("make", "reason"), CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_a_checkpoint_that_was_not_named_is_refused(
    make: Callable[[Offer], list[bytes]], reason: Reason
) -> None:
    given = Offer()
    first, checkpoint = make(given)
    joining = given.begin(first)
    assert refusal(lambda: take(joining, checkpoint)) is reason
    assert joining.log is None


def test_a_checkpoint_at_the_named_version_with_another_head_is_refused() -> None:
    given = Offer()
    first, checkpoint, *_ = given.messages(version=Version(0, 0), head=OTHER_HEAD)
    joining = given.begin(first)
    assert refusal(lambda: take(joining, checkpoint)) is Reason.CONFLICT


def test_another_checkpoint_after_the_named_one_is_refused() -> None:
    given = Offer()
    first, checkpoint, *_ = given.messages()
    joining = take(given.begin(first), checkpoint)
    assert refusal(lambda: take(joining, given.papers.checkpoint().sign(OLGA).raw)) is Reason.CONFLICT


# the entries


def bent_entry(given: Offer, at: int, **changes: object) -> list[bytes]:
    """Offer the adoption with one entry that is wrong; gives messages up to it."""
    messages = given.messages()
    log = replay(given, at)
    papers = replace_log(given, log)
    entry = papers.entry(papers.remove(OLGA), **changes)
    return [*messages[: 2 + at], entry.sign(HUB, given.papers.home).raw]


def replay(given: Offer, count: int) -> Log:
    """Fold the first entries."""
    joining = given.begin(given.messages()[0])
    for raw in given.messages()[1 : 2 + count]:
        joining = take(joining, raw)
    assert joining.log is not None
    return joining.log


def replace_log(given: Offer, log: Log) -> Papers:
    papers = Papers()
    papers.log, papers.home = log, given.papers.home
    return papers


ENTRIES: dict[str, tuple[Callable[[Offer], list[bytes]], Reason]] = {
    "before the checkpoint": (lambda g: [g.messages()[0], g.messages()[2]], Reason.CONFLICT),
    "beyond a gap": (lambda g: [*g.messages()[:2], g.messages()[3]], Reason.CONFLICT),
    "on another head": (lambda g: bent_entry(g, 1, prev=OTHER_HEAD), Reason.CONFLICT),
    "of an earlier time": (lambda g: bent_entry(g, 1, time=0), Reason.CONFLICT),
    "another at the named version": (lambda g: bent_entry(g, 2), Reason.CONFLICT),
    "not readable": (
        lambda g: [*g.messages()[:2], seal(HUB, Context.ENTRY, b"\xa0", g.papers.home).raw],
        Reason.MALFORMED,
    ),
}


@pytest.mark.parametrize(("make", "reason"), ENTRIES.values(), ids=ENTRIES)
def test_entries_that_do_not_give_the_named_version_are_refused(
    make: Callable[[Offer], list[bytes]], reason: Reason
) -> None:
    given = Offer()
    *good, bad = make(given)
    joining = given.begin(good[0])
    for raw in good[1:]:
        joining = take(joining, raw)
    assert refusal(lambda: take(joining, bad)) is reason


def test_an_entry_past_the_named_version_is_refused() -> None:
    given = Offer()
    before = given.papers.log
    given.play(given.papers.remove(ROSA))
    messages = given.messages(version=before.version, head=OTHER_HEAD)
    joining = given.begin(messages[0])
    for raw in messages[1:4]:
        joining = take(joining, raw)
    assert refusal(lambda: take(joining, messages[4])) is Reason.CONFLICT


@pytest.mark.parametrize(("signer", "error"), [(EDDA, UnknownKey), (OLGA, UnknownKey), (ZOE, UnknownKey)])
def test_an_entry_that_the_sequencer_did_not_sign_gets_no_answer(
    signer: SigningKey, error: type[Exception]
) -> None:
    given = Offer()
    first, checkpoint, *_ = given.messages()
    joining = take(given.begin(first), checkpoint)
    papers = replace_log(given, replay(given, 0))
    entry = papers.entry(papers.remove(OLGA))
    with pytest.raises(error):
        take(joining, entry.sign(signer, given.papers.home).raw)
    for raw in (flipped(given.raws[0]), entry.sign(HUB, ELSEWHERE).raw):
        with pytest.raises(BadSignature):
            take(joining, raw)
    assert take(joining, given.raws[0]).log == replay(given, 1)


@pytest.mark.parametrize(
    "context", [each for each in Context if each not in (Context.CHECKPOINT, Context.ENTRY)]
)
def test_a_message_of_another_type_is_neither_checkpoint_nor_entry(context: Context) -> None:
    given = Offer()
    joining = given.begin(given.messages()[0])
    for payload, signer in ((parse(given.checkpoint.raw).payload, OLGA), (parse(given.raws[0]).payload, HUB)):
        envelope = parse(seal(signer, context, payload, given.papers.home).raw)
        with pytest.raises(Malformed):
            joining.take_checkpoint(envelope, ROOM, None)
        with pytest.raises(Malformed):
            joining.take_entry(envelope, None)


# the author

AUTHORS: dict[str, tuple[SigningKey, Reason | None]] = {
    "the owner": (OLGA, None),
    "an editor of accessories": (EDDA, None),
    "a resident": (ROSA, Reason.FORBIDDEN),
    "a stranger": (ZOE, Reason.FORBIDDEN),
    "the sequencer, who is no member": (HUB, Reason.FORBIDDEN),
}


@pytest.mark.parametrize(("paired", "reason"), AUTHORS.values(), ids=AUTHORS)
def test_the_paired_key_may_edit_accessories_in_the_result(paired: SigningKey, reason: Reason | None) -> None:
    given = Offer(paired=paired)
    if reason is None:
        assert given.join(given.messages()).complete()
    else:
        assert refusal(lambda: given.join(given.messages())) is reason


def test_an_editor_of_people_may_not_adopt() -> None:
    given = Offer(paired=EDDA)
    people = replace(EDITOR_TERMS, edit=Edit.PEOPLE)
    given.play(given.papers.replace(EDDA, people))
    assert refusal(lambda: given.join(given.messages())) is Reason.FORBIDDEN


def test_an_editor_who_was_removed_meanwhile_may_not_adopt() -> None:
    given = Offer(paired=EDDA)
    given.play(given.papers.remove(EDDA))
    assert refusal(lambda: given.join(given.messages())) is Reason.FORBIDDEN


def test_without_a_log_nobody_may() -> None:
    given = Offer()
    joining = given.begin(given.messages()[0])
    assert not joining.complete()
    assert refusal(lambda: joining.check_author(PublicKey(OLGA.public))) is Reason.FORBIDDEN
