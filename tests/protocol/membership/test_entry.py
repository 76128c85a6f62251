"""An entry holds whole requests in their place, signed by the sequencer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Value, encode
from accessory_emu.protocol.envelope import Context, parse, verify
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import HomeId, ObjectId, Version
from accessory_emu.protocol.membership.entry import Entry
from tests.protocol.papers import HUB, NOW, key, peopled
from tests.protocol.shapes import assert_shape, fields_of
from tests.strategies import heads, uints, versions

HOME = HomeId(b"homehome")
ENTRY = Entry(Version(65_536, 4), ObjectId(b"p" * 32), (b"one", b"two"), NOW)
ENVELOPE = parse(ENTRY.sign(HUB, HOME).raw)


def test_it_is_signed_by_the_sequencer_for_the_home_and_read_again() -> None:
    assert (ENVELOPE.context, ENVELOPE.kid) == (Context.ENTRY, HUB.kid)
    assert verify(ENVELOPE, HUB.public, HOME) == ENTRY.sign(HUB, HOME).id
    assert Entry.decode(ENVELOPE.payload) == ENTRY


@given(versions, heads, st.lists(st.binary(max_size=30), min_size=1, max_size=32).map(tuple), uints)
def test_any_entry_is_written_and_read(
    version: Version, prev: ObjectId, requests: tuple[bytes, ...], time: int
) -> None:
    one = Entry(version, prev, requests, time)
    assert Entry.decode(parse(one.sign(HUB, HOME).raw).payload) == one


def test_it_has_exactly_its_fields() -> None:
    assert_shape(Entry.decode, ENVELOPE.payload)


@pytest.mark.parametrize("requests", [[], ["text"], [1], [True], [[]], [{}], [b"one", "two"], [b"x"] * 33])
def test_its_requests_are_1_to_32_byte_strings(requests: Value) -> None:
    fields = fields_of(ENVELOPE.payload)
    with pytest.raises(Malformed):
        Entry.decode(encode({**fields, 3: requests}))
    assert Entry.decode(encode({**fields, 3: [b"x"] * 32})).requests == (b"x",) * 32


@pytest.mark.parametrize("part", [-1, True, 1.0, "1"])
def test_epoch_and_seq_are_unsigned_integers(part: Value) -> None:
    fields = fields_of(ENVELOPE.payload)
    for version in ([part, 1], [1, part]):
        with pytest.raises(Malformed):
            Entry.decode(encode({**fields, 1: version}))


def test_an_entry_of_thirty_additions_fits() -> None:
    papers = peopled()
    entry = papers.entry(*(papers.add(key(f"person {number}")) for number in range(30)))
    assert len(entry.sign(HUB, papers.home).raw) <= limits.ENTRY_SIZE
