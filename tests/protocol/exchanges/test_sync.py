"""A question names the own version, an answer the sequencer's; each is believed from one signer alone."""

from collections.abc import Callable

import pytest

from accessory_emu.protocol.envelope import Context, Sealed, parse, seal
from accessory_emu.protocol.errors import BadSignature, Malformed, UnknownKey
from accessory_emu.protocol.exchanges.sync import answer, ask, head, read_answer, read_head, read_question
from accessory_emu.protocol.identifiers import AccessoryId, HomeId, ObjectId, PublicKey, Version
from accessory_emu.protocol.messages import Statement
from tests.protocol.papers import DOOR, EDDA, HUB, LAMP, NOW, OLGA, Papers, key, peopled

LAMP_KEY, DOOR_KEY = key("lamp"), key("door")
PAPERS = peopled()
LOG, HOME = PAPERS.log, PAPERS.home
ELSEWHERE = HomeId(b"elsehome")
NONCE = b"n" * 16
STATED = Statement(LOG.version, LOG.head, NOW, NONCE)
HEAD = Statement(LOG.version, LOG.head, NOW)


def test_a_question_carries_the_own_version_and_head() -> None:
    envelope = parse(ask(LAMP_KEY, LOG, NONCE).raw)
    assert (envelope.context, envelope.kid) == (Context.SYNC, LAMP_KEY.kid)
    question = read_question(envelope, PublicKey(LAMP_KEY.public), HOME)
    assert question == Statement(LOG.version, LOG.head, nonce=NONCE)


def test_an_answer_and_a_head_are_signed_and_read() -> None:
    assert read_answer(parse(answer(HUB, HOME, LAMP, STATED).raw), LOG, LAMP) == STATED
    assert read_head(parse(head(HUB, HOME, HEAD).raw), LOG) == HEAD


def renamed(sealed: Sealed, old: bytes, new: bytes) -> bytes:
    return sealed.raw.replace(old, new, 1)


QUESTIONS: dict[str, tuple[bytes, type[Exception]]] = {
    "by another accessory": (ask(DOOR_KEY, LOG, NONCE).raw, Malformed),
    "by another under its kid": (
        renamed(ask(DOOR_KEY, LOG, NONCE), DOOR_KEY.kid, LAMP_KEY.kid),
        BadSignature,
    ),
    "of another home": (ask(LAMP_KEY, Papers(time=1).log, NONCE).raw[:-1] + b"\x00", BadSignature),
    "of another type": (seal(LAMP_KEY, Context.ACK, STATED.encode_sync(), HOME, LAMP).raw, Malformed),
    "of another shape": (seal(LAMP_KEY, Context.SYNC, b"\xa0", HOME, LAMP).raw, Malformed),
}


@pytest.mark.parametrize(("raw", "error"), QUESTIONS.values(), ids=QUESTIONS)
def test_anything_else_is_no_question(raw: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_question(parse(raw), PublicKey(LAMP_KEY.public), HOME)


def test_a_question_of_another_home_is_no_question() -> None:
    with pytest.raises(BadSignature):
        read_question(parse(ask(LAMP_KEY, LOG, NONCE).raw), PublicKey(LAMP_KEY.public), ELSEWHERE)


ANSWERS: dict[str, tuple[bytes, type[Exception]]] = {
    "by an editor": (answer(EDDA, HOME, LAMP, STATED).raw, UnknownKey),
    "by the owner's user key": (answer(OLGA, HOME, LAMP, STATED).raw, UnknownKey),
    "under the sequencer's kid": (renamed(answer(EDDA, HOME, LAMP, STATED), EDDA.kid, HUB.kid), BadSignature),
    "for another accessory": (answer(HUB, HOME, DOOR, STATED).raw, BadSignature),
    "for no accessory": (answer(HUB, HOME, AccessoryId(bytes(8)), STATED).raw, BadSignature),
    "of another home": (answer(HUB, ELSEWHERE, LAMP, STATED).raw, BadSignature),
    "of another shape": (seal(HUB, Context.SYNC_ANSWER, HEAD.encode_head(), HOME, LAMP).raw, Malformed),
}


@pytest.mark.parametrize(("raw", "error"), ANSWERS.values(), ids=ANSWERS)
def test_anything_else_is_no_answer(raw: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_answer(parse(raw), LOG, LAMP)


HEADS: dict[str, tuple[bytes, type[Exception]]] = {
    "by an editor": (head(EDDA, HOME, HEAD).raw, UnknownKey),
    "by the owner's user key": (head(OLGA, HOME, HEAD).raw, UnknownKey),
    "under the sequencer's kid": (renamed(head(EDDA, HOME, HEAD), EDDA.kid, HUB.kid), BadSignature),
    "of another home": (head(HUB, ELSEWHERE, HEAD).raw, BadSignature),
    "of another shape": (seal(HUB, Context.HEAD, b"\xa0", HOME).raw, Malformed),
}


@pytest.mark.parametrize(("raw", "error"), HEADS.values(), ids=HEADS)
def test_anything_else_is_no_head(raw: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_head(parse(raw), LOG)


READERS: dict[str, tuple[Callable[[bytes], object], Context, bytes]] = {
    "an answer": (
        lambda raw: read_answer(parse(raw), LOG, LAMP),
        Context.SYNC_ANSWER,
        STATED.encode_answer(),
    ),
    "a head": (lambda raw: read_head(parse(raw), LOG), Context.HEAD, HEAD.encode_head()),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("context", Context)
def test_a_payload_signed_in_another_context_is_refused(name: str, context: Context) -> None:
    read, own, payload = READERS[name]
    accessory = LAMP if own is Context.SYNC_ANSWER else AccessoryId(bytes(8))
    raw = seal(HUB, context, payload, HOME, accessory).raw
    if context is own:
        read(raw)
    else:
        with pytest.raises(Malformed):
            read(raw)


def test_a_former_sequencer_states_nothing() -> None:
    papers = peopled()
    papers.take(papers.checkpoint(sequencer=EDDA.public))
    stated = Statement(Version(0, 9), ObjectId(b"h" * 32), NOW, NONCE)
    with pytest.raises(UnknownKey):
        read_answer(parse(answer(HUB, papers.home, LAMP, stated).raw), papers.log, LAMP)
    with pytest.raises(UnknownKey):
        read_head(parse(head(HUB, papers.home, stated).raw), papers.log)
    assert read_head(parse(head(EDDA, papers.home, HEAD).raw), papers.log) == HEAD
