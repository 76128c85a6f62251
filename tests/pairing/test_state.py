"""Pair-Setup's table: every cell, legal or not."""

from itertools import product

import pytest

from accessory_emu.pairing.state import PAIR_SETUP, OutOfTurn, Setup, SetupEvent, step

LEGAL = {
    "IDLE M1 STARTED",
    "STARTED M2 CHALLENGED",
    "CHALLENGED M3 PROVED",
    "PROVED M4 CONFIRMED",
    "CONFIRMED M5 OFFERED",
    "OFFERED M6 DONE",
    "STARTED ERROR ENDED",
    "PROVED ERROR ENDED",
    "OFFERED ERROR ENDED",
    "CHALLENGED M1 STARTED",
    "CONFIRMED M1 STARTED",
}


@pytest.mark.parametrize(("state", "event"), list(product(Setup, SetupEvent)))
def test_every_cell(state: Setup, event: SetupEvent) -> None:
    goals = [line.split()[2] for line in LEGAL if line.split()[:2] == [state.name, event.name]]
    if goals:
        assert step(PAIR_SETUP, state, event).name == goals[0]
    else:
        with pytest.raises(OutOfTurn, match=f"^{event.name} in {state.name}$"):
            step(PAIR_SETUP, state, event)


def test_the_six_messages_in_their_order_lead_to_the_end() -> None:
    state = Setup.IDLE
    for event in list(SetupEvent)[:6]:
        state = step(PAIR_SETUP, state, event)
    assert state is Setup.DONE
