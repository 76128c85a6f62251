"""What one turn gives: rows to keep, parcels to send, events to tell; and exactly one verdict a message."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from accessory_emu.protocol.errors import ProtocolError
from accessory_emu.protocol.identifiers import GrantId, KeyId
from accessory_emu.protocol.ports import Event, Parcel, Write
from accessory_emu.protocol.reasons import Reason, Rung


class Outcome(Enum):
    """The word of a verdict line in the trace."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    SILENT = "silent"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    APPLIED = "applied"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What became of one message; `kind` is message, pairing or log, `what` a short text without names."""

    outcome: Outcome
    what: str
    kind: str = "message"
    kid: KeyId | None = None
    reason: Reason | None = None
    rung: Rung | None = None
    answered: bool = False
    refused: Sequence[tuple[GrantId, Reason]] = ()

    @classmethod
    def against(cls, error: ProtocolError, what: str, kid: KeyId | None = None) -> Self:
        """Rule that nobody is answered, for the error's reason."""
        told = what if error.detail in ("", error.reason.word) else f"{what}: {error.detail}"
        return cls(Outcome.SILENT, told, kid=kid, reason=error.reason, rung=error.rung)


@dataclass(slots=True)
class Turn:
    """Collects; the engine hands it over in the order that the driver's turn prescribes."""

    writes: list[Write] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    again: set[str] = field(default_factory=set)

    def keep(self, key: str, value: bytes | None, *, durable: bool = True) -> None:
        """Keep a row, or delete it."""
        self.writes.append(Write(key, value, durable))

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send a parcel once the durable rows are kept."""
        self.parcels.append(Parcel(topic, payload, retain))

    def tell(self, name: str, **fields: object) -> None:
        """Tell an event."""
        self.events.append(Event(name, fields))
