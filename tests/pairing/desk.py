"""An accessory and controllers at one table: what is kept durable, and a clock by hand."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from accessory_emu.pairing import srp, tlv8
from accessory_emu.pairing.pair_setup import ControllerKey, Outcome, PairSetupAccessory, PairSetupController
from accessory_emu.pairing.srp import make_verifier
from accessory_emu.pairing.tlv8 import ItemType, TlvError
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.identifiers import AccessoryId, hap_device_id
from accessory_emu.runtime.clock import SeededRandom

CODE, OTHER_CODE = "203-45-171", "318-62-904"
SALT = bytes(range(16))
ACCESSORY_KEY = SigningKey(b"\1" * 32)
ACCESSORY = AccessoryId(ACCESSORY_KEY.kid)
DEVICE_ID = hap_device_id(ACCESSORY)
CONTROLLER_KEY = SigningKey(b"\2" * 32)
NAME = b"8a7d1a8e-4a1f-4f3f-9e0e-2f8d3f3c9b11"
HERE, THERE = b"exchange", b"another!"
M1 = tlv8.encode([(ItemType.STATE, b"\1"), (ItemType.METHOD, b"\0")])


@cache
def verifier_of(code: str = CODE) -> bytes:
    return make_verifier(code, SALT)


def controller(code: str = CODE, seed: int = 1, meant: AccessoryId | None = ACCESSORY) -> PairSetupController:
    return PairSetupController(code, NAME, CONTROLLER_KEY, SeededRandom(seed), meant)


def error(step: int, kind: TlvError) -> bytes:
    return tlv8.encode([(ItemType.STATE, bytes((step,))), (ItemType.ERROR, bytes((kind,)))])


@dataclass
class Desk:
    """The accessory, and what is kept for it: wrong tries and the pairing."""

    tries: int = 0
    now: int = 0
    seed: int = 7
    paired: ControllerKey | None = None
    accessory: PairSetupAccessory = field(init=False)

    def __post_init__(self) -> None:
        dice = SeededRandom(self.seed)
        self.accessory = PairSetupAccessory(ACCESSORY_KEY, DEVICE_ID, SALT, verifier_of(), dice)

    def ask(self, data: bytes, exchange: bytes = HERE) -> Outcome:
        """Hand a message over, and keep what must be kept."""
        paired = self.paired is not None
        outcome = self.accessory.receive(exchange, data, paired=paired, tries=self.tries, now=self.now)
        self.tries, self.paired = outcome.tries, outcome.paired or self.paired
        return outcome

    def reply(self, data: bytes, exchange: bytes = HERE) -> bytes:
        """Hand a message over that must be answered."""
        reply = self.ask(data, exchange).reply
        assert reply is not None
        return reply

    def up_to(self, step: int, code: str = CODE, exchange: bytes = HERE) -> tuple[PairSetupController, bytes]:
        """Walk on until message M3 or M5 (or M1) is ready to be sent; give the controller and the message."""
        other = controller(code)
        data = other.start()
        for _ in range(1, step, 2):
            answer = other.receive(self.reply(data, exchange))
            assert isinstance(answer, bytes)
            data = answer
        return other, data


def rewrite(data: bytes, *changes: tuple[int, bytes | None]) -> bytes:
    """Write a message anew with other values; None leaves an item out."""
    items = tlv8.decode_unique(data) | dict(changes)
    kept: Sequence[tuple[int, bytes]] = [(kind, value) for kind, value in items.items() if value is not None]
    return tlv8.encode(kept)


def public_key(data: bytes) -> bytes:
    return tlv8.decode_unique(data).get(ItemType.PUBLIC_KEY, b"")


def vectors() -> tuple[dict[str, dict[str, Any]], dict[str, bytes]]:
    """Give the SRP vectors of Pair-Setup by name, and the degenerate values of A."""
    text = (Path(srp.__file__).parents[1] / "spec" / "vectors" / "srp.json").read_text()
    cases = {case["id"]: case for case in json.loads(text)["cases"]}
    valid = {name: case for name, case in cases.items() if case.get("name") == "Pair-Setup"}
    bad = {
        name: bytes.fromhex(case["A"])
        for name, case in cases.items()
        if case["result"] == "invalid" and "A" in case
    }
    return valid, bad
