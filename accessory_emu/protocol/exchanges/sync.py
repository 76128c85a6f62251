"""Catching up: a question with the own version, the sequencer's answer and what is missing.

Retained topics only speed this up and decide nothing (AE-SYN-015).
"""

from accessory_emu.protocol import crypto
from accessory_emu.protocol.envelope import Context, Envelope, Sealed, seal, verify
from accessory_emu.protocol.errors import Malformed, UnknownKey
from accessory_emu.protocol.identifiers import AccessoryId, HomeId, PublicKey
from accessory_emu.protocol.membership.log import Log
from accessory_emu.protocol.messages import Statement


def ask(key: crypto.SigningKey, log: Log, nonce: bytes) -> Sealed:
    """Sign a question as accessory (AE-SYN-002)."""
    question = Statement(log.version, log.head, nonce=nonce)
    return seal(key, Context.SYNC, question.encode_sync(), log.home, AccessoryId(key.kid))


def read_question(envelope: Envelope, public: PublicKey, home: HomeId) -> Statement:
    """Verify and read a question of an enrolled accessory. Raises BadSignature, Malformed."""
    if envelope.context is not Context.SYNC or envelope.kid != crypto.key_id(public):
        raise Malformed("no question of this accessory")
    verify(envelope, public, home, AccessoryId(envelope.kid))
    return Statement.decode_sync(envelope.payload)


def answer(
    sequencer: crypto.SigningKey, home: HomeId, accessory: AccessoryId, statement: Statement
) -> Sealed:
    """Sign an answer: the question's nonce, the newest version and head, the time (AE-SYN-003)."""
    return seal(sequencer, Context.SYNC_ANSWER, statement.encode_answer(), home, accessory)


def head(sequencer: crypto.SigningKey, home: HomeId, statement: Statement) -> Sealed:
    """Sign a head as sequencer (AE-SYN-001)."""
    return seal(sequencer, Context.HEAD, statement.encode_head(), home)


def read_answer(envelope: Envelope, log: Log, accessory: AccessoryId) -> Statement:
    """Verify and read an answer of the active sequencer. Raises UnknownKey, BadSignature, Malformed."""
    if envelope.context is not Context.SYNC_ANSWER:
        raise Malformed("no sync answer")
    if envelope.kid != log.sequencer_kid:
        raise UnknownKey("not the active sequencer")
    verify(envelope, log.sequencer, log.home, accessory)
    return Statement.decode_answer(envelope.payload)


def read_head(envelope: Envelope, log: Log) -> Statement:
    """Verify and read a head of the active sequencer. Raises UnknownKey, BadSignature, Malformed."""
    if envelope.context is not Context.HEAD:
        raise Malformed("no head")
    if envelope.kid != log.sequencer_kid:
        raise UnknownKey("not the active sequencer")
    verify(envelope, log.sequencer, log.home)
    return Statement.decode_head(envelope.payload)
