"""The demo: what README shows of it is what it prints, and a fault that is planted makes it fail."""

import re
from pathlib import Path

import pytest

from accessory_emu.cli.options import Common
from accessory_emu.cli.story import play
from accessory_emu.transports.broker_config import BrokerHooks, Fault, MessageInfo

README = Path(__file__).parents[2] / "README.md"


def steps_in_readme() -> list[str]:
    """Give the lines of the first console block."""
    block = re.search(
        r"^```console\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert block is not None
    return block[1].splitlines()


def test_what_readme_shows_is_what_the_demo_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert play(Common()) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if re.match(r"^[ 1-9][0-9]  ", line)] == steps_in_readme()


def test_with_a_planted_fault_the_demo_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def as_retained(message: MessageInfo) -> Fault | None:
        return Fault(retained_flag=True) if b"ae-cmd" in message.payload else None

    assert play(Common(), BrokerHooks(on_message=as_retained)) == 1
    printed = capsys.readouterr().out
    assert "expected: accepted, signed answer" in printed
    assert "a bug of ours" in printed
