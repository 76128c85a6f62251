"""A controller's key, its counters, and what it knows of each accessory.

A key belongs to a person, not to a device: counters begin at the microseconds since the Unix epoch, so the
devices of one person need no shared state (AE-CMD-023).
"""

from dataclasses import dataclass, field

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.identifiers import AccessoryId, BootId, KeyId, PublicKey, Version
from accessory_emu.protocol.ports import Random

_US_PER_MS = 1_000
_COUNTER_MOST = 2**63  # far above every clock, and far enough from the end of 64 bits to count on
_BOOTS_OVER = 16  # boots of one accessory that are known to be over


@dataclass(slots=True)
class Known:
    """What is known of one accessory in its present boot; a new boot begins with none of it (AE-CMD-054).

    `last` is the counter used last; `offset_ms` is the accessory's time less the own clock; `version` is
    where its own answer put it.
    """

    boot: BootId
    last: int = 0
    offset_ms: int = 0
    version: Version | None = None


@dataclass(slots=True)
class _Accessory:
    known: Known | None = None
    over: list[BootId] = field(default_factory=list)


class Identity:
    """One person on this device: name and key; the name is never sent anywhere."""

    def __init__(self, name: str, key: SigningKey) -> None:
        self.name = name
        self.key = key
        self._accessories: dict[AccessoryId, _Accessory] = {}

    def __repr__(self) -> str:
        return f"Identity(name={self.name!r}, kid={self.kid.hex()})"

    @property
    def kid(self) -> KeyId:
        """The key id."""
        return self.key.kid

    @property
    def public(self) -> PublicKey:
        """The public key."""
        return self.key.public

    # what is known of accessories

    def known(self, accessory: AccessoryId) -> Known | None:
        """Give what is known of an accessory's present boot."""
        found = self._accessories.get(accessory)
        return found.known if found else None

    def announced(self, accessory: AccessoryId, boot: BootId) -> None:
        """Learn a boot from a verified announcement, unless an own answer has shown that it is over.

        Spec: AE-TOP-015.
        """
        found = self._accessories.setdefault(accessory, _Accessory())
        if boot in found.over or (found.known and found.known.boot == boot):
            return
        found.known = Known(boot)

    def answered(self, accessory: AccessoryId, boot: BootId, version: Version) -> Known:
        """Learn boot and version from a verified answer to an own command; it beats every announcement."""
        found = self._accessories.setdefault(accessory, _Accessory())
        if found.known is None or found.known.boot != boot:
            if found.known is not None:
                found.over = [*found.over, found.known.boot][-_BOOTS_OVER:]
            if boot in found.over:
                found.over.remove(boot)
            found.known = Known(boot)
        found.known.version = version
        return found.known


def next_counter(known: Known, now: int) -> int:
    """Use the next counter: the greater of the last plus 1 and the microseconds (AE-CMD-023)."""
    known.last = max(known.last + 1, now * _US_PER_MS)
    return known.last


def counter_after(known: Known, hint: int, now: int, random: Random) -> int | None:
    """Use a counter after a refusal whose hint names the last one (AE-CMD-052).

    The random distance keeps two devices that were refused at once from meeting again. None where somebody
    has pushed the counter towards its end: only a restart of the accessory helps then.
    """
    if hint >= _COUNTER_MOST:
        return None
    jitter = int.from_bytes(random.bytes(4)) % limits.COUNTER_JITTER
    known.last = max(known.last + 1, now * _US_PER_MS, hint + 1 + jitter)
    return known.last
