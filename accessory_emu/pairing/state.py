"""Pair-Setup as a table.

Everything that moves an exchange is here, and this file knows no role: both halves walk the same table, each
taking and making the messages in turn. A missing cell is the rule, and `step` is the only way to move.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeVar

State = TypeVar("State", bound=Enum)
Happening = TypeVar("Happening", bound=Enum)


class OutOfTurn(Exception):
    """The event does not belong into the state; whoever holds the state has not moved."""


class Setup(Enum):
    """How far a Pair-Setup is: the last message that was sent or taken."""

    IDLE = "idle"
    STARTED = "started"
    CHALLENGED = "challenged"
    PROVED = "proved"
    CONFIRMED = "confirmed"
    OFFERED = "offered"
    DONE = "done"
    ENDED = "ended"


class SetupEvent(Enum):
    """A message of Pair-Setup; an error takes the place of M2, M4 or M6."""

    M1 = 1
    M2 = 2
    M3 = 3
    M4 = 4
    M5 = 5
    M6 = 6
    ERROR = 7


PAIR_SETUP: Final[Mapping[tuple[Setup, SetupEvent], Setup]] = {
    (Setup.IDLE, SetupEvent.M1): Setup.STARTED,
    (Setup.STARTED, SetupEvent.M2): Setup.CHALLENGED,
    (Setup.CHALLENGED, SetupEvent.M3): Setup.PROVED,
    (Setup.PROVED, SetupEvent.M4): Setup.CONFIRMED,
    (Setup.CONFIRMED, SetupEvent.M5): Setup.OFFERED,
    (Setup.OFFERED, SetupEvent.M6): Setup.DONE,
    # an answer may be an error: that is the end
    (Setup.STARTED, SetupEvent.ERROR): Setup.ENDED,
    (Setup.PROVED, SetupEvent.ERROR): Setup.ENDED,
    (Setup.OFFERED, SetupEvent.ERROR): Setup.ENDED,
    # the controller may begin again while it is its turn
    (Setup.CHALLENGED, SetupEvent.M1): Setup.STARTED,
    (Setup.CONFIRMED, SetupEvent.M1): Setup.STARTED,
}


def step(table: Mapping[tuple[State, Happening], State], state: State, event: Happening) -> State:
    """Move: the one way from a state to the next.

    Raises:
        OutOfTurn: the table has no such cell; the text names event and state.

    Spec: AE-PAIR-003.
    """
    try:
        return table[state, event]
    except KeyError:
        raise OutOfTurn(f"{event.name} in {state.name}") from None
