"""The reasons are a closed list of numbers, the rungs a ladder in fixed order."""

from accessory_emu.protocol.reasons import Reason, Rung

WORDS = (
    "too_large malformed unsupported_version unknown_key bad_signature stale_boot acl_behind stale_acl "
    "replayed expired forbidden bad_value not_supported not_paired busy unavailable max_tries list_full "
    "conflict already_member not_in_sync"
)
LADDER = "size grammar key signature payload boot counter log sync expiry rights value"


def test_each_reason_keeps_its_word_and_its_number() -> None:
    assert [(reason.word, int(reason)) for reason in Reason] == [
        (word, number) for number, word in enumerate(WORDS.split(), 1)
    ]


def test_zero_is_no_reason_for_it_means_done() -> None:
    assert 0 not in list(Reason)


def test_the_rungs_stand_in_the_order_of_checking() -> None:
    assert [rung.value for rung in Rung] == LADDER.split()
