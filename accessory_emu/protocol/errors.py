"""ProtocolError tree: each class has its reason, clause and hint.

ProtocolError
├── Unproven      nobody is answered: the sender is not known (AE-CMD-011)
│   ├── TooLarge, Malformed, UnknownKey, NotPaired, BadSignature
└── Refused       the signature held: a signed response names the reason (AE-CMD-012)
"""

from collections.abc import Mapping
from typing import TypeAlias

from accessory_emu.protocol.reasons import Reason, Rung

Hint: TypeAlias = int | str | tuple[int, ...]


class ProtocolError(Exception):
    """A message that is not obeyed; `reason` and `rung` say why, `clause` where that is written."""

    reason: Reason = Reason.MALFORMED
    rung: Rung = Rung.GRAMMAR
    clause = "AE-CMD-010"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.reason.word)
        self.detail = detail


class Unproven(ProtocolError):
    """The sender is not proven: counted, traced, and nobody is answered."""


class TooLarge(Unproven):
    """The message is longer than its kind may be."""

    reason = Reason.TOO_LARGE
    rung = Rung.SIZE
    clause = "AE-ENV-020"


class Malformed(Unproven):
    """The bytes do not follow the grammar, or are not deterministic CBOR of the right shape."""

    reason = Reason.MALFORMED
    rung = Rung.GRAMMAR
    clause = "AE-ENV-001"


class UnknownKey(Unproven):
    """No listed key has this key id."""

    reason = Reason.UNKNOWN_KEY
    rung = Rung.KEY
    clause = "AE-CMD-011"


class NotPaired(Unproven):
    """The accessory belongs to no home, so nobody can command it."""

    reason = Reason.NOT_PAIRED
    rung = Rung.KEY
    clause = "AE-CMD-011"


class BadSignature(Unproven):
    """The signature does not fit key, context, home, accessory and bytes."""

    reason = Reason.BAD_SIGNATURE
    rung = Rung.SIGNATURE
    clause = "AE-ENV-010"


class Refused(ProtocolError):
    """A proven sender is refused: a signed response carries `reason` and `hint`.

    `hint` maps the hint keys of AE-RSP-003 to their values.
    """

    def __init__(
        self,
        reason: Reason,
        rung: Rung,
        detail: str = "",
        hint: Mapping[int, Hint] | None = None,
        clause: str = "AE-CMD-012",
    ) -> None:
        self.reason = reason
        super().__init__(detail)
        self.rung = rung
        self.hint = dict(hint or {})
        self.clause = clause
