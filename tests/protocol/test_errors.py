"""Every error says its reason, its rung and its clause; its branch says whether anybody is answered."""

import pytest

from accessory_emu.protocol.errors import (
    BadSignature,
    Malformed,
    NotPaired,
    ProtocolError,
    Refused,
    TooLarge,
    UnknownKey,
    Unproven,
)
from accessory_emu.protocol.reasons import Reason, Rung

SILENT = {
    TooLarge: (Reason.TOO_LARGE, Rung.SIZE),
    Malformed: (Reason.MALFORMED, Rung.GRAMMAR),
    UnknownKey: (Reason.UNKNOWN_KEY, Rung.KEY),
    NotPaired: (Reason.NOT_PAIRED, Rung.KEY),
    BadSignature: (Reason.BAD_SIGNATURE, Rung.SIGNATURE),
}


@pytest.mark.parametrize("kind", SILENT, ids=lambda kind: kind.__name__)
def test_who_is_not_proven_is_told_nothing(kind: type[Unproven]) -> None:
    error = kind()
    assert isinstance(error, Unproven)
    assert not isinstance(error, Refused)
    assert (error.reason, error.rung) == SILENT[kind]
    assert str(error) == error.reason.word
    assert str(kind("why")) == kind("why").detail == "why"


def test_the_silent_rungs_are_those_up_to_the_signature() -> None:
    ladder = list(Rung)
    assert max(ladder.index(rung) for _, rung in SILENT.values()) == ladder.index(Rung.SIGNATURE)


def test_a_refusal_carries_reason_rung_hint_and_clause() -> None:
    hint = {1: 7}
    error = Refused(Reason.REPLAYED, Rung.COUNTER, "late", hint, "AE-CMD-031")
    hint[1] = 8
    assert (error.reason, error.rung, error.hint, error.clause) == (
        Reason.REPLAYED,
        Rung.COUNTER,
        {1: 7},
        "AE-CMD-031",
    )
    assert str(error) == "late"


def test_a_refusal_without_detail_is_named_by_its_reason() -> None:
    error = Refused(Reason.EXPIRED, Rung.EXPIRY)
    assert (str(error), error.hint, error.clause) == ("expired", {}, "AE-CMD-012")
    assert not isinstance(error, Unproven)


@pytest.mark.parametrize("kind", [*SILENT, ProtocolError], ids=lambda kind: kind.__name__)
def test_every_error_is_a_protocol_error_with_a_clause(kind: type[ProtocolError]) -> None:
    assert kind.clause.startswith("AE-")
    assert issubclass(kind, ProtocolError)
