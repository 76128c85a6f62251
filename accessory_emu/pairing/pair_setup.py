"""Pair-Setup, M1 to M6, both halves.

HAP's way to get the first key onto an accessory: SRP-6a proves that both sides know the setup code, then each
offers its Ed25519 key, sealed with what SRP gave. Bytes in, bytes out: the accessory's durable facts (wrong
tries, whether it is paired) are handed in with each message and handed out in the outcome.
"""

from dataclasses import dataclass, field, replace
from typing import Final, Never

from accessory_emu.pairing import srp
from accessory_emu.pairing.messages import METHOD, REASONS, read_message, write_message
from accessory_emu.pairing.offers import M5, M6, open_key, seal_key
from accessory_emu.pairing.setup_payload import check_code
from accessory_emu.pairing.state import PAIR_SETUP, OutOfTurn, Setup, SetupEvent, step
from accessory_emu.pairing.tlv8 import ItemType, TlvError
from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey, equal, key_id
from accessory_emu.protocol.identifiers import AccessoryId, PublicKey, hap_device_id
from accessory_emu.protocol.ports import Random
from accessory_emu.protocol.reasons import Reason

# The accessory's half


@dataclass(frozen=True, slots=True)
class ControllerKey:
    """The first key of an accessory: the controller's HAP identifier, as it was sent, and its Ed25519 key."""

    identifier: bytes
    key: PublicKey


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one message came to.

    `tries`, and `paired` where it is set, must be durable before `reply` leaves (AE-PAIR-021, AE-PAIR-032).
    `reply` is None where nobody is answered. `reason`, `step` ("" for bytes that name no step) and `detail`
    are for the trace; `repeated` tells that the last message came again and got the same reply, without any
    other effect.
    """

    reply: bytes | None
    tries: int
    paired: ControllerKey | None = None
    reason: Reason | None = None
    step: str = ""
    detail: str = ""
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class _Call:
    """One message with what the caller knows."""

    exchange: bytes
    data: bytes
    paired: bool
    tries: int
    now: int


@dataclass(slots=True)
class _Running:
    """The exchange in progress, with its last message and the reply to it."""

    exchange: bytes
    since: int  # when it last moved on; to begin again is no progress
    state: Setup
    server: srp.Server = field(repr=False)
    secret: bytes = field(default=b"", repr=False)
    asked: bytes = field(default=b"", repr=False)
    answer: Outcome | None = field(default=None, repr=False)


class _Refusal(Exception):
    """The message is answered with an error, and its exchange ends."""

    def __init__(self, error: TlvError, detail: str, *, counts: bool = False) -> None:
        super().__init__(detail)
        self.error = error
        self.detail = detail
        self.counts = counts


class PairSetupAccessory:
    """Pair-Setup as an accessory sees it: one exchange at a time, none of it kept over a restart.

    The checks come in this order (AE-PAIR-006):

    1. too long, no TLV8, or no step that a controller sends: not answered
    2. already paired: Unavailable
    3. M1: an unknown method: Unknown; 100 wrong tries: MaxTries; another exchange that moved in the last 30
       seconds: Busy
    4. M3, M5: not this exchange's turn, or an item missing or of the wrong length: Unknown; M3 again: 100
       wrong tries: MaxTries
    5. A a multiple of N, wrong proof, wrong tag, wrong signature, inadmissible key: Authentication, and
       nothing tells them apart (AE-PAIR-022); a wrong proof alone is a wrong try (AE-PAIR-020)

    Each of these ends the exchange that the message belongs to, and no other (AE-PAIR-005). The last message
    of an exchange, again byte for byte, gets the same reply again ("a duplicate be harmless", AE-MQ-002);
    so a flood of one M1 costs one B.
    """

    __slots__ = ("_device_id", "_key", "_random", "_running", "_salt", "_verifier")

    def __init__(self, key: SigningKey, device_id: str, salt: bytes, verifier: bytes, random: Random) -> None:
        self._key = key
        self._device_id = device_id
        self._salt = salt
        self._verifier = verifier
        self._random = random
        self._running: _Running | None = None

    def receive(self, exchange: bytes, data: bytes, *, paired: bool, tries: int, now: int) -> Outcome:
        """Take one message of a controller.

        Args:
            exchange: the controller's name for this exchange, from the topic.
            data: the message as it came.
            paired: whether the accessory has a pairing, or a home.
            tries: wrong proofs since the last right one.
            now: ms since the Unix epoch.

        Spec: AE-PAIR-003 to AE-PAIR-007, AE-PAIR-014, AE-PAIR-020 to AE-PAIR-022.
        """
        running = self._running
        if running and (running.state is Setup.DONE) is not paired:
            running = self._running = None  # what it led to is gone, or came about in another way
        if running and running.answer and (running.exchange, running.asked) == (exchange, data):
            return replace(running.answer, tries=tries, repeated=True)
        call = _Call(exchange, data, paired, tries, now)
        try:
            event, items = read_message(data)
        except ValueError as error:
            return self._silence(call, str(error))
        if event not in {SetupEvent.M1, SetupEvent.M3, SetupEvent.M5}:
            return self._silence(call, "no step that a controller sends")
        return self._answer(call, event, items)

    def _silence(self, call: _Call, detail: str) -> Outcome:
        self._end(call.exchange)
        too_large = len(call.data) > limits.MESSAGE_SIZE
        reason = Reason.TOO_LARGE if too_large else Reason.MALFORMED
        return Outcome(None, call.tries, reason=reason, detail=detail)

    def _end(self, exchange: bytes) -> None:
        if self._running and self._running.exchange == exchange:
            self._running = None

    def _answer(self, call: _Call, event: SetupEvent, items: dict[int, bytes]) -> Outcome:
        """Let the step judge the message, and put a refusal into words."""
        try:
            return self._judge(call, event, items)
        except _Refusal as refusal:
            self._end(call.exchange)
            error = (ItemType.ERROR, bytes((refusal.error,)))
            return Outcome(
                write_message(SetupEvent(event.value + 1), error),
                call.tries + refusal.counts,
                reason=REASONS[refusal.error],
                step=event.name,
                detail=refusal.detail,
            )

    def _judge(self, call: _Call, event: SetupEvent, items: dict[int, bytes]) -> Outcome:
        if call.paired:
            raise _Refusal(TlvError.UNAVAILABLE, "already paired")
        if event is SetupEvent.M1:
            return self._start(call, items)
        running = self._turn(call, event)
        if event is SetupEvent.M3:
            return _prove(call, running, items)
        return self._offer(call, running, items)

    def _start(self, call: _Call, items: dict[int, bytes]) -> Outcome:
        """M1 to M2: a fresh B (AE-PAIR-006, AE-PAIR-007)."""
        if items.get(ItemType.METHOD) != METHOD:
            raise _Refusal(TlvError.UNKNOWN, "not the method of Pair-Setup")
        if call.tries >= limits.PAIR_MAX_TRIES:
            raise _Refusal(TlvError.MAX_TRIES, "too many wrong setup codes")
        before, since = Setup.IDLE, call.now
        if self._running and call.now - self._running.since < limits.PAIR_TAKEOVER_MS:
            if self._running.exchange != call.exchange:
                raise _Refusal(TlvError.BUSY, "another controller is pairing")
            # were this progress, an M1 every 29 seconds would hold the accessory for ever
            before, since = self._running.state, self._running.since
        server = srp.Server.draw(self._salt, self._verifier, self._random)
        self._running = _Running(call.exchange, since, step(PAIR_SETUP, before, SetupEvent.M1), server)
        challenge = ((ItemType.SALT, self._salt), (ItemType.PUBLIC_KEY, server.public))
        return _reply(call, self._running, SetupEvent.M2, *challenge)

    def _turn(self, call: _Call, event: SetupEvent) -> _Running:
        """Give the running exchange if it is this message's turn in it (AE-PAIR-003, AE-PAIR-004)."""
        running = self._running
        if running is None or running.exchange != call.exchange:
            raise _Refusal(TlvError.UNKNOWN, "no such exchange is running")
        try:
            running.state = step(PAIR_SETUP, running.state, event)
        except OutOfTurn as error:
            raise _Refusal(TlvError.UNKNOWN, str(error)) from None
        return running

    def _offer(self, call: _Call, running: _Running, items: dict[int, bytes]) -> Outcome:
        """M5 to M6: the controller's key for the accessory's (AE-PAIR-016, AE-PAIR-017)."""
        opened = open_key(M5, running.secret, items.get(ItemType.ENCRYPTED_DATA, b""))
        if opened is None:
            raise _Refusal(TlvError.AUTHENTICATION, "tag, signature, key or identifier does not hold")
        sealed = seal_key(M6, running.secret, self._device_id.encode(), self._key)
        running.secret = b""
        outcome = _reply(call, running, SetupEvent.M6, (ItemType.ENCRYPTED_DATA, sealed))
        return replace(outcome, paired=ControllerKey(*opened))


def _prove(call: _Call, running: _Running, items: dict[int, bytes]) -> Outcome:
    """M3 to M4: the code is right, or this was a try (AE-PAIR-014, AE-PAIR-020)."""
    public, proof = items.get(ItemType.PUBLIC_KEY, b""), items.get(ItemType.PROOF, b"")
    if not 0 < len(public) <= srp.PAIR_SETUP.size or len(proof) != srp.PROOF_SIZE:
        raise _Refusal(TlvError.UNKNOWN, "public key or proof missing or of a wrong length")
    if call.tries >= limits.PAIR_MAX_TRIES:
        raise _Refusal(TlvError.MAX_TRIES, "too many wrong setup codes")
    try:
        agreed = running.server.check(public, proof)
    except srp.BadPublicKey:
        # no proof was checked, and nothing about the code was learnt
        raise _Refusal(TlvError.AUTHENTICATION, "the public key is a multiple of N") from None
    if agreed is None:
        raise _Refusal(TlvError.AUTHENTICATION, "wrong proof: another setup code", counts=True)
    running.secret, running.since = agreed.key, call.now
    return replace(_reply(call, running, SetupEvent.M4, (ItemType.PROOF, agreed.answer)), tries=0)


def _reply(call: _Call, running: _Running, event: SetupEvent, *items: tuple[ItemType, bytes]) -> Outcome:
    """Move the exchange on, and keep the reply for the case that the message comes again."""
    running.state = step(PAIR_SETUP, running.state, event)
    running.asked = call.data
    running.answer = Outcome(write_message(event, *items), call.tries, step=SetupEvent(event.value - 1).name)
    return running.answer


# The controller's half


@dataclass(frozen=True, slots=True)
class Paired:
    """The accessory that was paired: its HAP device id, as it was sent, and its Ed25519 key."""

    identifier: bytes
    key: PublicKey


class PairingFailed(Exception):
    """The pairing came to nothing; a new attempt begins with M1, under a new exchange id.

    `step` names the accessory's message at which it ended; `tlv_error` is the accessory's error, None where
    the controller refused; `reason` says the same in the specification's words.
    """

    def __init__(self, event: SetupEvent, tlv_error: int | None, reason: Reason, detail: str) -> None:
        super().__init__(f"{event.name}: {detail}")
        self.step = event.name
        self.tlv_error = tlv_error
        self.reason = reason


_REFUSED: Final = {
    Reason.BAD_SIGNATURE: "the accessory refuses the proof: is this its setup code?",
    Reason.BUSY: "another controller is pairing; one that stands still can be taken over after 30 s",
    Reason.MAX_TRIES: "too many wrong setup codes; reset the accessory by hand",
    Reason.UNAVAILABLE: "the accessory is already paired",
    Reason.LIST_FULL: "the accessory has no place left",
}
_ANSWERS: Final = {Setup.STARTED: SetupEvent.M2, Setup.PROVED: SetupEvent.M4, Setup.OFFERED: SetupEvent.M6}


class PairSetupController:
    """Pair-Setup as a controller sees it: `start` once, then `receive` for each answer (AE-PAIR-003)."""

    __slots__ = ("_answer", "_code", "_expected", "_identifier", "_key", "_random", "_secret", "_state")

    def __init__(
        self,
        code: str,
        identifier: bytes,
        key: SigningKey,
        random: Random,
        expected_accessory_id: AccessoryId | None,
    ) -> None:
        """Make ready to pair.

        Args:
            code: the accessory's setup code, XXX-XX-XXX.
            identifier: the HAP identifier of this controller, 1 to 36 bytes.
            key: what the accessory will know this controller by.
            random: the dice.
            expected_accessory_id: whom the messages are addressed to; None for an accessory of HAP alone,
                whose id does not follow from its key.

        Raises:
            BadSetupCode: no accessory may have this code.
            ValueError: the identifier is empty or too long.
        """
        if not 0 < len(identifier) <= limits.PAIR_IDENTIFIER_SIZE:
            raise ValueError("the identifier of a controller has 1 to 36 bytes")
        self._code = check_code(code)
        self._identifier = identifier
        self._key = key
        self._random = random
        self._expected = expected_accessory_id
        self._secret = self._answer = b""
        self._state = Setup.IDLE

    def start(self) -> bytes:
        """Give M1.

        Raises:
            OutOfTurn: it was started before.
        """
        self._state = step(PAIR_SETUP, self._state, SetupEvent.M1)
        return write_message(SetupEvent.M1, (ItemType.METHOD, METHOD))

    def receive(self, data: bytes) -> bytes | Paired:
        """Take M2, M4 or M6; give what to send next, or who is paired.

        Raises:
            OutOfTurn: none was asked for, or an earlier one came again; drop it, nothing has changed.
            PairingFailed: the accessory refused, or its answer does not hold; this attempt is over.
        """
        expected = _ANSWERS.get(self._state)
        if expected is None:
            raise OutOfTurn(f"an answer in {self._state.name}")
        try:
            event, items = read_message(data)
        except ValueError as error:
            self._fail(expected, None, Reason.MALFORMED, str(error))
        if event is not expected:
            raise OutOfTurn(f"{event.name} in {self._state.name}")
        if ItemType.ERROR in items:
            number = int.from_bytes(items[ItemType.ERROR], "big")
            reason = REASONS.get(number, Reason.MALFORMED)
            self._fail(event, number, reason, _REFUSED.get(reason, f"the accessory gives error {number}"))
        match event:
            case SetupEvent.M2:
                return self._prove(items)
            case SetupEvent.M4:
                return self._offer(items)
            case _:
                return self._finish(items)

    def _prove(self, items: dict[int, bytes]) -> bytes:
        """M2 to M3: prove the code to whoever has its verifier (AE-PAIR-011, AE-PAIR-013)."""
        salt, server = items.get(ItemType.SALT, b""), items.get(ItemType.PUBLIC_KEY, b"")
        if len(salt) != srp.SALT_SIZE:
            self._fail(SetupEvent.M2, None, Reason.MALFORMED, "the salt is missing or of a wrong length")
        try:
            client = srp.Client.draw(self._code, salt, server, self._random)
        except srp.BadPublicKey as error:
            self._fail(SetupEvent.M2, None, Reason.BAD_VALUE, str(error))
        self._secret, self._answer = client.agreed.key, client.agreed.answer
        proof = ((ItemType.PUBLIC_KEY, client.public), (ItemType.PROOF, client.agreed.proof))
        return self._reply(SetupEvent.M2, SetupEvent.M3, *proof)

    def _offer(self, items: dict[int, bytes]) -> bytes:
        """M4 to M5: offer the own key to an accessory that knows the code too (AE-PAIR-031)."""
        if not equal(items.get(ItemType.PROOF, b""), self._answer):
            self._fail(
                SetupEvent.M4, None, Reason.BAD_SIGNATURE, "the accessory does not know the setup code"
            )
        sealed = seal_key(M5, self._secret, self._identifier, self._key)
        return self._reply(SetupEvent.M4, SetupEvent.M5, (ItemType.ENCRYPTED_DATA, sealed))

    def _finish(self, items: dict[int, bytes]) -> Paired:
        """M6: the accessory's key, and whether it is the accessory that was meant (AE-PAIR-031)."""
        opened = open_key(M6, self._secret, items.get(ItemType.ENCRYPTED_DATA, b""))
        if opened is None:
            detail = "tag, signature, key or identifier does not hold"
            self._fail(SetupEvent.M6, None, Reason.BAD_SIGNATURE, detail)
        identifier, key = opened
        if self._expected is not None and not _is(self._expected, identifier, key):
            self._fail(SetupEvent.M6, None, Reason.UNKNOWN_KEY, "another accessory than the one addressed")
        self._state = step(PAIR_SETUP, self._state, SetupEvent.M6)
        return Paired(identifier, key)

    def _reply(self, taken: SetupEvent, sent: SetupEvent, *items: tuple[ItemType, bytes]) -> bytes:
        self._state = step(PAIR_SETUP, step(PAIR_SETUP, self._state, taken), sent)
        return write_message(sent, *items)

    def _fail(self, event: SetupEvent, tlv_error: int | None, reason: Reason, detail: str) -> Never:
        self._state = step(PAIR_SETUP, self._state, SetupEvent.ERROR)
        raise PairingFailed(event, tlv_error, reason, detail)


def _is(accessory: AccessoryId, identifier: bytes, key: PublicKey) -> bool:
    """Tell whether the offer is that of the accessory that was meant: its id follows from its key."""
    own = AccessoryId(key_id(key))
    return own == accessory and identifier == hap_device_id(own).encode()
