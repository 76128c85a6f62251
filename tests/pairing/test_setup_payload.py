"""Setup codes, setup ids, setup hashes."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.pairing.setup_payload import (
    FORBIDDEN,
    BadSetupCode,
    check_code,
    draw_code,
    draw_setup_id,
    setup_hash,
)
from accessory_emu.runtime.clock import SeededRandom
from tests.pairing.dice import Dice

TRIVIAL = [
    *("000-00-000", "111-11-111", "222-22-222", "333-33-333", "444-44-444", "555-55-555"),
    *("666-66-666", "777-77-777", "888-88-888", "999-99-999", "123-45-678", "876-54-321"),
]

OTHER_FORMS = {
    "20345171": "with dashes",
    "": "eight digits",
    "203-45-17": "eight digits",
    "203-45-1711": "eight digits",
    "2034-5-171": "eight digits",
    "203 45 171": "eight digits",
    "203-45-171\n": "eight digits",
    " 203-45-171": "eight digits",
    "203-45-17a": "eight digits",
    "\u0662\u0660\u0663-\u0664\u0665-\u0661\u0667\u0661": "eight digits",
    "\u0662\u0660\u0663\u0664\u0665\u0661\u0667\u0661": "eight digits",
}


@pytest.mark.parametrize("code", ["203-45-171", "123-45-679", "000-00-001", "876-54-320"])
def test_a_code_comes_back_as_it_was(code: str) -> None:
    assert check_code(code) == code


@pytest.mark.parametrize("code", TRIVIAL)
def test_the_twelve_trivial_codes_are_refused(code: str) -> None:
    with pytest.raises(BadSetupCode, match="list of forbidden codes"):
        check_code(code)
    assert len(TRIVIAL) == len(FORBIDDEN) == 12


@pytest.mark.parametrize(("text", "hint"), OTHER_FORMS.items(), ids=map(repr, OTHER_FORMS))
def test_another_form_is_refused_and_the_message_says_how_to_write_it(text: str, hint: str) -> None:
    with pytest.raises(BadSetupCode, match=f"{hint}.*203-45-171"):
        check_code(text)


@given(st.text(max_size=12) | st.from_regex(r"[0-9]{3}-?[0-9]{2}-?[0-9]{3}"))
def test_a_text_is_a_code_or_refused(text: str) -> None:
    try:
        code = check_code(text)
    except BadSetupCode:
        return
    assert code == text
    assert re.fullmatch("[0-9]{3}-[0-9]{2}-[0-9]{3}", code)


@pytest.mark.parametrize("text", ["31862904", "318-62-9044", "777-77-777"])
def test_a_refusal_does_not_quote_the_code(text: str) -> None:
    with pytest.raises(BadSetupCode) as caught:
        check_code(text)
    assert text not in str(caught.value)


def test_drawn_codes_are_allowed_and_all_over_the_range() -> None:
    dice = SeededRandom(1)
    codes = [check_code(draw_code(dice)) for _ in range(2000)]
    assert len(set(codes)) > 1990
    assert all(100 < count < 300 for count in Counter(code[0] for code in codes).values())


def test_a_code_is_drawn_again_while_it_is_forbidden_or_likelier_than_others() -> None:
    first_too_many = 42 * 10**8
    throws = [0, 12345678, 87654321, first_too_many, 2**32 - 1, first_too_many - 1, 20345171]
    dice = Dice(*(number.to_bytes(4, "big") for number in throws))
    assert draw_code(dice) == "203-45-171"


def test_a_setup_id_has_four_characters_each_as_likely_as_the_others() -> None:
    dice = SeededRandom(2)
    ids = [draw_setup_id(dice) for _ in range(2000)]
    assert all(re.fullmatch("[0-9A-Z]{4}", text) for text in ids)
    counts = Counter("".join(ids))
    assert len(counts) == 36
    assert all(150 < count < 300 for count in counts.values())
    assert draw_setup_id(Dice(b"\xfc", b"\0", b"\xff", b"\x09", b"\x0a", b"\xfb")) == "09AZ"


@pytest.mark.parametrize("draw", [lambda: draw_code(Dice(bytes(4))), lambda: draw_setup_id(Dice(b"\xff"))])
def test_dice_that_repeat_themselves_do_not_hang(draw: object) -> None:
    assert callable(draw)
    with pytest.raises(RuntimeError):
        draw()


def test_the_setup_hash_is_the_published_one() -> None:
    assert setup_hash("7K2P", "12:34:56:78:9A:BC").hex() == "7c84f0b7"
    assert setup_hash("7K2Q", "12:34:56:78:9A:BC").hex() != "7c84f0b7"
