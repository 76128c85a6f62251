"""The numbers are those of the specification."""

import pytest

from accessory_emu.protocol import limits

SPECIFIED = {
    "MESSAGE_SIZE": 4_096,
    "ENTRY_SIZE": 16_384,
    "CHECKPOINT_SIZE": 65_536,
    "PROOF_SIZE": 32_769,
    "CBOR_DEPTH": 6,
    "ITEMS_IN_COMMAND": 32,
    "ANSWERS_KEPT": 16,
    "PREPARE_OPEN": 4,
    "PREPARE_LIFE_MS": 10_000,
    "EXPIRY_AHEAD_S": 60,
    "REQUESTS_IN_ENTRY": 32,
    "SCOPE_IDS": 128,
    "FUTURE_ENTRIES": 64,
    "NAMED_IN_ACK": 128,
    "REQUEST_LIFE_S": 24 * 3600,
    "REQUEST_LIFE_MAX_S": 30 * 24 * 3600,
    "GRANTS_HELD": 16,
    "TOMBSTONES_HELD": 256,
    "PAIR_MAX_TRIES": 100,
    "PAIR_TAKEOVER_MS": 30_000,
    "ADOPT_WITHIN_MS": 120_000,
    "ANSWER_WITHIN_MS": 10_000,
    "START_GRACE_MS": 5_000,
    "FRESH_MS": 3_600_000,
    "ASK_FIRST_MS": 1_000,
    "ASK_MOST_MS": 60_000,
    "ASK_GAP_MS": 5_000,
    "TIME_TRUSTED_MS": 24 * 3600 * 1000,
    "SYNC_HUB_MS": 24 * 3600 * 1000,
    "SYNC_HUB_STRICT_MS": 0,
    "SYNC_DEVICE_MS": 30 * 24 * 3600 * 1000,
    "SYNC_DEVICE_STRICT_MS": 7 * 24 * 3600 * 1000,
    "RESUBSCRIBE_GAP_MS": 30_000,
    "CONFLICT_GAP_MS": 5_000,
    "RETRIES": 3,
    "COUNTER_JITTER": 1_000,
}


@pytest.mark.parametrize("name", SPECIFIED)
def test_a_number_of_the_specification(name: str) -> None:
    assert getattr(limits, name) == SPECIFIED[name]
