"""A home is founded, a lamp paired, adopted and commanded while clock, dice, files and sockets are traps.

`python -m tests.house.test_purity` plays it in a process of its own, because an audit hook stays for ever.
"""

import os
import random
import secrets
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import nacl.bindings
import nacl.utils
import pytest

from tests.hand import OFF, ON, Hand, key
from tests.world import World

HOUSE = Path(__file__).parents[2]
TRAPS = {
    time: ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"),
    os: ("urandom", "getrandom"),
    random: ("random", "randbytes", "randint", "getrandbits", "choice", "shuffle"),
    secrets: ("token_bytes", "token_hex", "randbits", "choice"),
    uuid: ("uuid1", "uuid4"),
    nacl.bindings: ("randombytes",),
    nacl.utils: ("random",),
}
DOORS = ("open", "socket.", "subprocess.", "os.system", "os.listdir", "os.mkdir", "os.remove", "os.rename")
STORIES: dict[str, Callable[[], object]] = {}


def story(act: Callable[[], object]) -> Callable[[], object]:
    """Make a story that the process below can be asked for by its name."""
    STORIES[act.__name__] = act
    return act


@story
def a_home_from_pairing_to_removal() -> None:
    world, rosa = World(), key("rosa")
    node, hand = world.accessory("lamp"), Hand(world)
    world.settle()
    hand.adopt(node)
    node.inbox(hand.entry(hand.add(rosa)))
    assert node.inbox(hand.command(node, rosa, ON)).fields["verdict"] == "accepted"
    assert node.inbox(hand.command(node, rosa, OFF)).fields["verdict"] == "accepted"
    assert node.inbox(hand.command(node, key("eve"), ON)).fields["verdict"] == "silent"
    world.advance(60_000)
    node.restart()


@story
def the_clock_is_read() -> None:
    time.time()


@story
def dice_are_thrown() -> None:
    os.urandom(8)


@story
def libsodium_throws_dice() -> None:
    nacl.utils.random(8)


@story
def a_file_is_opened() -> None:
    Path(__file__).read_bytes()


def trap(name: str) -> Callable[..., NoReturn]:
    """Make what stands in for a forbidden function."""

    def sprung(*_args: object, **_named: object) -> NoReturn:
        raise AssertionError(f"{name} was called")

    return sprung


def play(name: str) -> list[str]:
    """Play a story among traps; give what it touched."""
    touched: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event.startswith(DOORS):
            touched.append(f"{event} {arguments[:1]}")

    for module, names in TRAPS.items():
        for each in names:
            if hasattr(module, each):
                setattr(module, each, trap(f"{module.__name__}.{each}"))
    sys.addaudithook(watch)
    try:
        STORIES[name]()
    except AssertionError as error:
        touched.append(str(error))
    watching = False
    return touched


def played(name: str) -> str:
    """Play a story in a process of its own; give what is printed."""
    done = subprocess.run(  # noqa: S603 - this very file, and a name from the table above
        [sys.executable, "-m", "tests.house.test_purity", name],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_pure_rooms_touch_neither_clock_nor_dice_nor_files() -> None:
    assert played("a_home_from_pairing_to_removal") == "nothing"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("the_clock_is_read", "time.time was called"),
        ("dice_are_thrown", "os.urandom was called"),
        ("libsodium_throws_dice", "nacl.utils.random was called"),
        ("a_file_is_opened", "open ("),
    ],
)
def test_the_traps_spring(name: str, found: str) -> None:
    assert played(name).startswith(found)


if __name__ == "__main__":
    sys.stdout.write("; ".join(play(sys.argv[1])) or "nothing")
