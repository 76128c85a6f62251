"""Setup codes, setup ids and the setup hash of an announcement.

No error here quotes the code it speaks of: setup codes stand on labels, never in logs or reports.
"""

import re
from typing import Final

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import sha512
from accessory_emu.protocol.ports import Random

# AE-PAIR-051: the twelve trivial ones; controllers that check refuse an accessory with one of them.
FORBIDDEN: Final = frozenset(
    {f"{digit * 3}-{digit * 2}-{digit * 3}" for digit in "0123456789"} | {"123-45-678", "876-54-321"},
)
SETUP_HASH_SIZE: Final = 4

_CODES: Final = 10**8
_CODE_FORM: Final = re.compile(r"[0-9]{3}-[0-9]{2}-[0-9]{3}")
_WITHOUT_DASHES: Final = re.compile(r"[0-9]{8}")
_ID_SIGNS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ID_SIZE: Final = 4


class BadSetupCode(ValueError):
    """The text is no setup code that an accessory may have; the message says what to write instead."""


def check_code(text: str) -> str:
    """Give a setup code back if an accessory may have it.

    Args:
        text: as on the label, XXX-XX-XXX; the dashes are part of what is hashed.

    Raises:
        BadSetupCode: another form, or one of the twelve forbidden codes.

    Spec: AE-PAIR-050, AE-PAIR-051.
    """
    if _WITHOUT_DASHES.fullmatch(text):
        raise BadSetupCode("write the setup code with dashes, for example 203-45-171")
    if not _CODE_FORM.fullmatch(text):
        raise BadSetupCode("a setup code is eight digits with dashes, for example 203-45-171")
    if text in FORBIDDEN:
        raise BadSetupCode("this setup code is on HomeKit's list of forbidden codes; choose another one")
    return text


def draw_code(random: Random) -> str:
    """Draw a setup code, each allowed one with the same probability (AE-PAIR-050)."""
    for _ in range(limits.PAIR_DRAWS):
        number = int.from_bytes(random.bytes(4), "big")
        digits = f"{number % _CODES:08d}"
        code = f"{digits[:3]}-{digits[3:5]}-{digits[5:]}"
        # the last, incomplete run of all codes would make its codes likelier than the others
        if number < 2**32 // _CODES * _CODES and code not in FORBIDDEN:
            return code
    raise RuntimeError("the dice repeat themselves")


def draw_setup_id(random: Random) -> str:
    """Draw a setup id: four characters of 0-9 and A-Z, each with the same probability (AE-PAIR-052)."""
    signs = ""
    for _ in range(limits.PAIR_DRAWS):
        number = random.bytes(1)[0]
        if number < 256 // len(_ID_SIGNS) * len(_ID_SIGNS):
            signs += _ID_SIGNS[number % len(_ID_SIGNS)]
        if len(signs) == _ID_SIZE:
            return signs
    raise RuntimeError("the dice repeat themselves")


def setup_hash(setup_id: str, device_id: str) -> bytes:
    """Give the 4 bytes by which a label is found among announced accessories.

    Args:
        setup_id: the label's four characters.
        device_id: the HAP device id, XX:XX:XX:XX:XX:XX.

    Spec: AE-PAIR-052.
    """
    return sha512((setup_id + device_id).encode())[:SETUP_HASH_SIZE]
