"""Counters, the last 16 answers of a key, and prepare nonces; all in memory, for one boot.

No command needs a durable write: a new boot id makes every earlier command void (AE-CMD-030 to AE-CMD-044).
A key's counter and answers outlive its grant until the restart, so adding it anew opens no replay.
"""

from dataclasses import dataclass, field

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.errors import Refused
from accessory_emu.protocol.identifiers import KeyId, ObjectId
from accessory_emu.protocol.messages import Fate, HintKey
from accessory_emu.protocol.ports import Random
from accessory_emu.protocol.reasons import Reason, Rung


@dataclass(frozen=True, slots=True)
class Kept:
    """A command that was judged in this boot, and the signed answer it got."""

    ctr: int
    command: ObjectId
    answer: bytes


@dataclass(slots=True)
class _Key:
    last: int = -1
    kept: list[Kept] = field(default_factory=list)
    forgot: bool = False  # an answer had to make room, so an old counter's fate may be unknown
    nonces: dict[bytes, int] = field(default_factory=dict)  # nonce -> handed out at (ms)


class Replay:
    """What one accessory remembers of the keys that were verified in this boot."""

    def __init__(self) -> None:
        self._keys: dict[KeyId, _Key] = {}

    def cached(self, kid: KeyId, command: ObjectId) -> bytes | None:
        """Give the answer to the same command, if it is among the key's last 16 (AE-CMD-030)."""
        key = self._keys.get(kid)
        kept = key.kept if key else []
        return next((item.answer for item in kept if crypto.equal(item.command, command)), None)

    def use_counter(self, kid: KeyId, ctr: int) -> None:
        """Use a counter up, whatever follows.

        Raises:
            Refused: replayed; the hint gives the last counter and what became of these bytes (AE-CMD-031).
        """
        key = self._keys.setdefault(kid, _Key())
        if ctr <= key.last:
            oldest = min((item.ctr for item in key.kept), default=key.last)
            unknown = key.forgot and ctr < oldest
            hint = {
                int(HintKey.LAST_COUNTER): key.last,
                int(HintKey.FATE): int(Fate.UNKNOWN if unknown else Fate.NOT_EXECUTED),
            }
            raise Refused(Reason.REPLAYED, Rung.COUNTER, hint=hint, clause="AE-CMD-031")
        key.last = ctr

    def keep(self, kid: KeyId, command: ObjectId, answer: bytes) -> None:
        """Keep the answer to the command whose counter was used last; the oldest of 17 goes."""
        key = self._keys.setdefault(kid, _Key())
        key.kept.append(Kept(key.last, command, answer))
        if len(key.kept) > limits.ANSWERS_KEPT:
            del key.kept[0]
            key.forgot = True

    # prepare

    def prepare(self, kid: KeyId, random: Random, now: int) -> bytes:
        """Hand out a nonce for one key, one use, 10 s; a fifth open one drops the oldest (AE-CMD-042)."""
        nonces = self._keys.setdefault(kid, _Key()).nonces
        nonce = random.bytes(limits.NONCE_SIZE)
        nonces[nonce] = now
        if len(nonces) > limits.PREPARE_OPEN:
            del nonces[min(nonces, key=lambda name: nonces[name])]
        return nonce

    def use_nonce(self, kid: KeyId, nonce: bytes, now: int) -> str:
        """Use a nonce up: "" if it was good, else what is wrong with it."""
        key = self._keys.get(kid)
        at = key.nonces.pop(nonce, None) if key else None
        if at is None:
            return "nonce unknown or used"
        return "nonce too old" if now - at > limits.PREPARE_LIFE_MS else ""

    def forget_nonces(self, kid: KeyId) -> None:
        """Drop the open nonces of a key that was removed or changed (AE-CMD-043)."""
        if key := self._keys.get(kid):
            key.nonces.clear()
