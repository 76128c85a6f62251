"""Two heads of one version by the active sequencer are proof; nothing else is."""

from dataclasses import replace

import pytest

from accessory_emu.protocol.envelope import Context, GoodSignatures, parse, parse_pair, seal
from accessory_emu.protocol.errors import BadSignature, Malformed, UnknownKey
from accessory_emu.protocol.exchanges import sync
from accessory_emu.protocol.identifiers import HomeId, ObjectId, Version
from accessory_emu.protocol.membership.equivocation import Claim, claim_of, is_proof
from accessory_emu.protocol.messages import Statement
from tests.protocol.papers import DOOR, EDDA, HUB, LAMP, NINA, NOW, OLGA, ROSA, Papers, peopled

PAPERS = peopled()
LOG = PAPERS.log
NEXT = Version(0, 4)
ONE = PAPERS.entry(PAPERS.remove(ROSA))
TWO = PAPERS.entry(PAPERS.remove(EDDA))
HEAD = Statement(NEXT, ObjectId(b"1" * 32), NOW)
OTHER_HEAD = replace(HEAD, head=ObjectId(b"2" * 32))


def entry_raw(entry: object, signer: object = HUB, home: HomeId = PAPERS.home) -> bytes:
    return entry.sign(signer, home).raw  # type: ignore[attr-defined]  # an entry


def head_raw(statement: Statement) -> bytes:
    return sync.head(HUB, PAPERS.home, statement).raw


def answer_raw(statement: Statement, nonce: bytes = b"n" * 16) -> bytes:
    return sync.answer(HUB, PAPERS.home, LAMP, replace(statement, nonce=nonce)).raw


def proves(first: bytes, second: bytes, papers: Papers = PAPERS) -> bool:
    claims = [claim_of(each, papers.log, LAMP) for each in parse_pair(b"\x82" + first + second)]
    return is_proof(claims[0], claims[1], papers.log)


PROOFS = {
    "two entries": (entry_raw(ONE), entry_raw(TWO)),
    "two heads": (head_raw(HEAD), head_raw(OTHER_HEAD)),
    "two answers": (answer_raw(HEAD), answer_raw(OTHER_HEAD, b"m" * 16)),
    "an entry and a head": (entry_raw(ONE), head_raw(HEAD)),
    "a head and an answer": (head_raw(HEAD), answer_raw(OTHER_HEAD)),
    "an answer and an entry": (answer_raw(HEAD), entry_raw(ONE)),
    "of a version far below": (
        head_raw(replace(HEAD, version=Version(0, 1))),
        head_raw(replace(OTHER_HEAD, version=Version(0, 1))),
    ),
    "of a version far above": (
        head_raw(replace(HEAD, version=Version(0, 99))),
        head_raw(replace(OTHER_HEAD, version=Version(0, 99))),
    ),
}


@pytest.mark.parametrize(("first", "second"), PROOFS.values(), ids=PROOFS)
def test_two_heads_of_one_version_are_proof_in_either_order(first: bytes, second: bytes) -> None:
    assert proves(first, second)
    assert proves(second, first)


NO_PROOFS = {
    "the same entry twice": (entry_raw(ONE), entry_raw(ONE)),
    "the same head at two times": (head_raw(HEAD), head_raw(replace(HEAD, time=NOW + 60))),
    "an entry and its own head": (
        entry_raw(ONE),
        head_raw(replace(HEAD, head=ONE.sign(HUB, PAPERS.home).id)),
    ),
    "two versions": (head_raw(HEAD), head_raw(replace(OTHER_HEAD, version=Version(0, 5)))),
    "two epochs": (head_raw(HEAD), head_raw(replace(OTHER_HEAD, version=Version(1, 4)))),
    "another epoch than the own": (
        head_raw(replace(HEAD, version=Version(1, 4))),
        head_raw(replace(OTHER_HEAD, version=Version(1, 4))),
    ),
}


@pytest.mark.parametrize(("first", "second"), NO_PROOFS.values(), ids=NO_PROOFS)
def test_what_can_both_be_honest_is_no_proof(first: bytes, second: bytes) -> None:
    assert not proves(first, second)


def test_a_proof_of_a_former_epoch_proves_nothing() -> None:
    papers = peopled()
    first, second = PROOFS["two heads"]
    assert proves(first, second, papers)
    papers.take(papers.checkpoint())
    assert not proves(first, second, papers)


NOT_ITS_OWN = {
    "signed by an editor": (entry_raw(TWO, EDDA), UnknownKey),
    "signed by the owner": (entry_raw(TWO, OLGA), UnknownKey),
    "signed by a stranger": (entry_raw(TWO, NINA), UnknownKey),
    "with a bit flipped": (entry_raw(TWO)[:-1] + b"\x00", BadSignature),
    "of another home": (entry_raw(TWO, HUB, HomeId(b"elsehome")), BadSignature),
    "an answer for another accessory": (
        sync.answer(HUB, PAPERS.home, DOOR, replace(OTHER_HEAD, nonce=b"n" * 16)).raw,
        BadSignature,
    ),
    "a message of another type": (
        seal(HUB, Context.HUB_RESPONSE, OTHER_HEAD.encode_head(), PAPERS.home).raw,
        Malformed,
    ),
    "an entry of another shape": (seal(HUB, Context.ENTRY, b"\xa0", PAPERS.home).raw, Malformed),
    "a head of another shape": (seal(HUB, Context.HEAD, b"\xa0", PAPERS.home).raw, Malformed),
    "an answer of another shape": (
        seal(HUB, Context.SYNC_ANSWER, b"\xa0", PAPERS.home, LAMP).raw,
        Malformed,
    ),
}


@pytest.mark.parametrize(("raw", "error"), NOT_ITS_OWN.values(), ids=NOT_ITS_OWN)
def test_what_the_active_sequencer_did_not_sign_is_no_claim(raw: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        claim_of(parse(raw), LOG, LAMP, GoodSignatures())


def test_the_head_of_an_entry_is_its_object_id() -> None:
    sealed = ONE.sign(HUB, PAPERS.home)
    assert claim_of(parse(sealed.raw), LOG, LAMP) == Claim(NEXT, sealed.id)


def test_a_former_sequencer_claims_nothing() -> None:
    papers = peopled()
    papers.take(papers.checkpoint(sequencer=NINA.public))
    with pytest.raises(UnknownKey):
        claim_of(parse(head_raw(HEAD)), papers.log, LAMP)
