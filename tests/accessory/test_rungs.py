"""The ladder: one fault at each rung, and two faults at each pair of neighbours; the earlier rung decides."""

from itertools import pairwise

import pytest

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import decode, encode
from accessory_emu.protocol.envelope import Context, parse
from accessory_emu.protocol.identifiers import Version
from accessory_emu.protocol.messages import Op
from accessory_emu.protocol.ports import Event
from tests.hand import ON, Hand, key
from tests.world import AccessoryNode, World

ROSA, EVE = key("rosa"), key("eve")
LADDER = {
    "size": ("silent", "too_large"),
    "grammar": ("silent", "malformed"),
    "key": ("silent", "unknown_key"),
    "signature": ("silent", "bad_signature"),
    "payload": ("refused", "malformed"),
    "boot": ("refused", "stale_boot"),
    "counter": ("refused", "replayed"),
    "log": ("refused", "acl_behind"),
    "sync": ("refused", "not_in_sync"),
    "expiry": ("refused", "expired"),
    "rights": ("refused", "forbidden"),
    "value": ("refused", "bad_value"),
}


def home(faults: frozenset[str]) -> tuple[Hand, AccessoryNode]:
    """Make a home whose lamp obeys rosa; with the fault `sync` it has missed an entry that it knows of."""
    world = World()
    hand, node = Hand(world), world.accessory("lamp")
    world.settle()
    hand.adopt(node)
    node.inbox(hand.entry(hand.add(ROSA)))
    node.inbox(hand.command(node, ROSA, op=Op.READ, args=[[1, 10]]))
    if "sync" in faults:
        hand.entry(hand.add(key("ben")))
        node.inbox(hand.head())
    return hand, node


def fields_of(node: AccessoryNode, faults: frozenset[str]) -> dict[str, object]:
    """Give the payload's fields of a write with these faults."""
    own = node.accessory.device.version()
    fields: dict[str, object] = {"version": own, "args": [[1, 10, "x" if "value" in faults else True]]}
    bent: dict[str, dict[str, object]] = {
        "rights": {"op": Op.LIST, "args": ["x"] if "value" in faults else []},
        "boot": {"boot": bytes(8)},
        "counter": {"ctr": 0},
        "log": {"version": Version(own.epoch, own.seq + 9)},
        "expiry": {"expires": 1},
    }
    for fault in faults & set(bent):
        fields |= bent[fault]
    return fields


def command(hand: Hand, node: AccessoryNode, faults: frozenset[str]) -> bytes:
    """Sign a write of rosa with these faults and no others."""
    signer = EVE if "key" in faults else ROSA
    raw = hand.command(node, signer, **fields_of(node, faults))  # type: ignore[arg-type]  # by name
    if "payload" in faults:
        payload = decode(parse(raw).payload, floats=True)
        assert isinstance(payload, dict)
        raw = hand.sign(signer, Context.COMMAND, encode({**payload, 99: 1}), node)
    if "signature" in faults:
        raw = raw[:-1] + bytes([raw[-1] ^ 1])
    if "grammar" in faults:
        raw += b"\x00"
    return raw.ljust(limits.CHECKPOINT_SIZE + 1, b"\x00") if "size" in faults else raw


def judged(*faults: str) -> Event:
    """Give the verdict on a command with these faults."""
    hand, node = home(frozenset(faults))
    before = node.state()
    verdict = node.inbox(command(hand, node, frozenset(faults)))
    if faults:
        assert node.state() == before
    return verdict


def test_without_a_fault_it_is_obeyed() -> None:
    assert judged().fields["verdict"] == "accepted"


@pytest.mark.parametrize("rung", LADDER)
def test_one_fault_has_the_reason_of_its_rung(rung: str) -> None:
    verdict = judged(rung)
    outcome, reason = LADDER[rung]
    assert (verdict.fields["verdict"], verdict.fields["check"], verdict.fields["reason"]) == (
        outcome,
        rung,
        reason,
    )
    assert verdict.fields["answered"] is (outcome == "refused")


@pytest.mark.parametrize(("first", "second"), list(pairwise(LADDER)))
def test_of_two_faults_the_earlier_rung_decides(first: str, second: str) -> None:
    verdict = judged(first, second)
    assert (verdict.fields["check"], verdict.fields["reason"]) == (first, LADDER[first][1])


def test_a_member_that_names_a_version_below_its_own_grant_is_stale() -> None:
    hand, node = home(frozenset())
    verdict = node.inbox(hand.command(node, ROSA, ON, version=Version(0, 0)))
    assert (verdict.fields["check"], verdict.fields["reason"]) == ("log", "stale_acl")


def test_an_op_that_nobody_knows_is_not_supported() -> None:
    hand, node = home(frozenset())
    verdict = node.inbox(hand.command(node, ROSA, op=99, args=[]))
    assert (verdict.fields["check"], verdict.fields["reason"]) == ("value", "not_supported")


def test_an_accessory_without_a_home_says_not_paired_to_its_trace_only() -> None:
    world = World()
    hand, node = Hand(world), world.accessory("lamp")
    world.settle()
    verdict = node.inbox(hand.command(node, ROSA, ON))
    assert (verdict.fields["verdict"], verdict.fields["check"]) == ("silent", "key")
    assert verdict.fields["reason"] == "not_paired"


@pytest.mark.parametrize(
    ("expires_in", "obeyed"),
    [
        (-1, False),
        (0, True),
        (limits.EXPIRY_AHEAD_S, True),
        (limits.EXPIRY_AHEAD_S + 1, False),
        (None, False),
    ],
)
def test_with_trusted_time_an_expiry_is_wanted_and_at_most_a_minute_ahead(
    expires_in: int | None,
    obeyed: bool,  # noqa: FBT001 - a column of the table
) -> None:
    hand, node = home(frozenset())
    expires = None if expires_in is None else hand.seconds + expires_in
    verdict = node.inbox(hand.command(node, ROSA, ON, expires=expires))
    assert (verdict.fields["verdict"] == "accepted") is obeyed
    if not obeyed:
        assert verdict.fields["reason"] == "expired"
