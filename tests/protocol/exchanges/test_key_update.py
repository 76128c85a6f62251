"""Entries and checkpoints are proven before they are read; acks are believed from their accessory alone."""

from collections.abc import Callable

import pytest

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import pack
from accessory_emu.protocol.envelope import Context, GoodSignatures, parse, seal
from accessory_emu.protocol.errors import BadSignature, Malformed, UnknownKey
from accessory_emu.protocol.exchanges.key_update import (
    ProvenCheckpoint,
    ProvenEntry,
    RefusedObject,
    make_ack,
    prove_checkpoint,
    prove_entry,
    read_ack,
)
from accessory_emu.protocol.identifiers import AccessoryId, GrantId, HomeId, PublicKey
from accessory_emu.protocol.messages import Ack
from accessory_emu.protocol.reasons import Reason, Rung
from tests.protocol.papers import EDDA, HUB, OLGA, ROSA, ZOE, key, peopled

PAPERS = peopled()
LOG, HOME = PAPERS.log, PAPERS.home
ELSEWHERE = HomeId(b"elsehome")
ENTRY = PAPERS.entry(PAPERS.remove(ROSA))
CHECKPOINT = PAPERS.checkpoint()
LAMP_KEY, DOOR_KEY = key("lamp"), key("door")

Prove = Callable[[bytes], object]


def entry(raw: bytes) -> ProvenEntry:
    return prove_entry(parse(raw), LOG, GoodSignatures())


def checkpoint(raw: bytes) -> ProvenCheckpoint:
    return prove_checkpoint(parse(raw), LOG)


def test_an_entry_of_the_sequencer_is_proven() -> None:
    sealed = ENTRY.sign(HUB, HOME)
    assert entry(sealed.raw) == ProvenEntry(ENTRY, sealed.id)


@pytest.mark.parametrize("signer", [OLGA, EDDA, ROSA])
def test_an_entry_of_a_member_is_proven_and_left_to_the_log(signer: object) -> None:
    assert entry(ENTRY.sign(signer, HOME).raw).entry == ENTRY  # type: ignore[arg-type]  # a key


def test_a_checkpoint_of_the_owner_is_proven() -> None:
    sealed = CHECKPOINT.sign(OLGA)
    assert checkpoint(sealed.raw) == ProvenCheckpoint(CHECKPOINT, sealed.id)


def flipped(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


SILENT: dict[str, tuple[Prove, bytes, type[Exception]]] = {
    "an entry of a stranger": (entry, ENTRY.sign(ZOE, HOME).raw, UnknownKey),
    "an entry with a bit flipped": (entry, flipped(ENTRY.sign(HUB, HOME).raw), BadSignature),
    "an entry of another home": (entry, ENTRY.sign(HUB, ELSEWHERE).raw, BadSignature),
    "a checkpoint of a stranger": (checkpoint, CHECKPOINT.sign(ZOE).raw, UnknownKey),
    "a checkpoint with a bit flipped": (checkpoint, flipped(CHECKPOINT.sign(OLGA).raw), BadSignature),
    "a checkpoint of another home": (
        checkpoint,
        PAPERS.checkpoint(home=ELSEWHERE).sign(OLGA).raw,
        BadSignature,
    ),
    "a genesis": (checkpoint, PAPERS.first.raw, BadSignature),
}


@pytest.mark.parametrize(("prove", "raw", "error"), SILENT.values(), ids=SILENT)
def test_what_is_not_proven_gets_no_answer(prove: Prove, raw: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        prove(raw)


REFUSED: dict[str, tuple[Prove, bytes, Reason, Rung]] = {
    "an entry of another shape": (
        entry,
        seal(HUB, Context.ENTRY, b"\xa0", HOME).raw,
        Reason.MALFORMED,
        Rung.PAYLOAD,
    ),
    "an entry without a request": (
        entry,
        PAPERS.entry().sign(HUB, HOME).raw,
        Reason.MALFORMED,
        Rung.PAYLOAD,
    ),
    "a checkpoint of an editor": (checkpoint, CHECKPOINT.sign(EDDA).raw, Reason.FORBIDDEN, Rung.LOG),
    "a checkpoint of the sequencer": (checkpoint, CHECKPOINT.sign(HUB).raw, Reason.FORBIDDEN, Rung.LOG),
    "a checkpoint of another shape": (
        checkpoint,
        seal(OLGA, Context.CHECKPOINT, b"\xa1\x02\x01", HOME).raw,
        Reason.MALFORMED,
        Rung.PAYLOAD,
    ),
    "a checkpoint without an owner": (
        checkpoint,
        PAPERS.checkpoint(grants=()).sign(OLGA).raw,
        Reason.MALFORMED,
        Rung.PAYLOAD,
    ),
    "a checkpoint of another protocol version": (
        checkpoint,
        seal(OLGA, Context.CHECKPOINT, pack({2: 2}), HOME).raw,
        Reason.UNSUPPORTED_VERSION,
        Rung.PAYLOAD,
    ),
    "of another shape, by an editor": (
        checkpoint,
        seal(EDDA, Context.CHECKPOINT, b"\xa0", HOME).raw,
        Reason.FORBIDDEN,
        Rung.LOG,
    ),
}


@pytest.mark.parametrize(("prove", "raw", "reason", "rung"), REFUSED.values(), ids=REFUSED)
def test_what_is_proven_and_refused_is_named_with_its_reason(
    prove: Prove, raw: bytes, reason: Reason, rung: Rung
) -> None:
    with pytest.raises(RefusedObject) as caught:
        prove(raw)
    assert (caught.value.reason, caught.value.rung) == (reason, rung)
    envelope = parse(raw)
    trusted = {OLGA.kid: OLGA, EDDA.kid: EDDA, HUB.kid: HUB}[envelope.kid]
    again = seal(trusted, envelope.context, envelope.payload, HOME)
    assert (again.raw, again.id) == (raw, caught.value.id)


READERS: dict[str, tuple[Prove, Context, bytes, object]] = {
    "an entry": (entry, Context.ENTRY, parse(ENTRY.sign(HUB, HOME).raw).payload, HUB),
    "a checkpoint": (checkpoint, Context.CHECKPOINT, parse(CHECKPOINT.sign(OLGA).raw).payload, OLGA),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("context", Context)
def test_a_payload_signed_in_another_context_is_refused(name: str, context: Context) -> None:
    prove, own, payload, signer = READERS[name]
    raw = seal(signer, context, payload, HOME).raw  # type: ignore[arg-type]  # a key
    if context is own:
        prove(raw)
    else:
        with pytest.raises(Malformed):
            prove(raw)


# acks


def test_an_ack_names_version_head_digest_and_what_had_no_effect() -> None:
    refused = [(GrantId(b"a" * 16), Reason.FORBIDDEN), (GrantId(b"b" * 16), Reason.LIST_FULL)]
    envelope = parse(make_ack(LAMP_KEY, LOG, refused).raw)
    assert (envelope.context, envelope.kid) == (Context.ACK, LAMP_KEY.kid)
    assert read_ack(envelope, PublicKey(LAMP_KEY.public), HOME) == Ack(
        LOG.version, LOG.head, LOG.digest(), tuple(refused)
    )


@pytest.mark.parametrize("count", [0, 127, 128, 129, 1000])
def test_an_ack_names_the_first_128(count: int) -> None:
    refused = [(GrantId(number.to_bytes(16)), Reason.LIST_FULL) for number in range(count)]
    ack = read_ack(parse(make_ack(LAMP_KEY, LOG, refused).raw), PublicKey(LAMP_KEY.public), HOME)
    assert list(ack.refused) == refused[: limits.NAMED_IN_ACK]


GOOD = make_ack(LAMP_KEY, LOG, ())
ACKS: dict[str, tuple[bytes, type[Exception]]] = {
    "of another accessory": (make_ack(DOOR_KEY, LOG, ()).raw, Malformed),
    "of another under its kid": (
        make_ack(DOOR_KEY, LOG, ()).raw.replace(DOOR_KEY.kid, LAMP_KEY.kid, 1),
        BadSignature,
    ),
    "with a bit flipped": (flipped(GOOD.raw), BadSignature),
    "for another accessory": (
        seal(LAMP_KEY, Context.ACK, parse(GOOD.raw).payload, HOME, AccessoryId(DOOR_KEY.kid)).raw,
        BadSignature,
    ),
    "of another type": (
        seal(LAMP_KEY, Context.SYNC, parse(GOOD.raw).payload, HOME, AccessoryId(LAMP_KEY.kid)).raw,
        Malformed,
    ),
    "of another shape": (
        seal(LAMP_KEY, Context.ACK, b"\xa0", HOME, AccessoryId(LAMP_KEY.kid)).raw,
        Malformed,
    ),
}


@pytest.mark.parametrize(("raw", "error"), ACKS.values(), ids=ACKS)
def test_anything_else_is_no_ack(raw: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_ack(parse(raw), PublicKey(LAMP_KEY.public), HOME)


def test_an_ack_of_another_home_is_no_ack() -> None:
    with pytest.raises(BadSignature):
        read_ack(parse(GOOD.raw), PublicKey(LAMP_KEY.public), ELSEWHERE)
