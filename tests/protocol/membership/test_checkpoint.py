"""A checkpoint is the owner's whole word; one that no owner's tool writes is malformed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import sha256
from accessory_emu.protocol.encoding import Value, encode
from accessory_emu.protocol.envelope import Context, object_id, parse, verify
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import FIRST, NO_HOME, GrantId, HomeId, PublicKey, Version, epoch_of
from accessory_emu.protocol.membership.checkpoint import (
    Checkpoint,
    Previous,
    SequencerKind,
    checkpoint_home,
    genesis,
)
from accessory_emu.protocol.membership.grant import EDITOR_TERMS, OWNER_TERMS, owner_grant
from accessory_emu.protocol.membership.privileges import Role
from accessory_emu.protocol.membership.roster import Roster
from accessory_emu.protocol.membership.tombstones import Tombstones
from tests import strategies
from tests.protocol.papers import (
    EDDA,
    GUEST_TERMS,
    HUB,
    NOW,
    OLGA,
    ROSA,
    Papers,
    key,
    peopled,
    stranger_grant,
    terms_map,
)
from tests.protocol.shapes import assert_shape, fields_of, refuses

WEAK = PublicKey(bytes(32))
PAPERS = peopled()
FULL = PAPERS.checkpoint(
    tombstones=Tombstones({GrantId(b"t" * 16): Version(0, 2)}, Version(0, 1)),
    recovery=(key("recovery").public,),
    lease=3600,
)
PAYLOAD = parse(FULL.sign(OLGA).raw).payload
FIELDS = fields_of(PAYLOAD)


def read(checkpoint: Checkpoint) -> Checkpoint | None:
    return Checkpoint.decode(parse(checkpoint.sign(OLGA).raw).payload)


def test_it_is_signed_by_the_owner_for_the_home_and_read_again() -> None:
    sealed = FULL.sign(OLGA)
    envelope = parse(sealed.raw)
    assert (envelope.context, envelope.kid) == (Context.CHECKPOINT, OLGA.kid)
    assert verify(envelope, OLGA.public, PAPERS.home) == sealed.id
    assert read(FULL) == FULL
    assert checkpoint_home(envelope, FULL) == (PAPERS.home, PAPERS.home)


def test_it_has_exactly_its_fields() -> None:
    assert_shape(Checkpoint.decode, PAYLOAD, optional={8, 15}, free={2})


def test_the_genesis_is_signed_for_no_home_and_names_the_home() -> None:
    checkpoint, sealed, home = genesis(OLGA, HUB.public, SequencerKind.HUB, NOW)
    envelope = parse(sealed.raw)
    assert home == sealed.id[:8] == object_id(envelope)[:8]
    assert verify(envelope, OLGA.public, NO_HOME) == sealed.id
    assert checkpoint_home(envelope, checkpoint) == (NO_HOME, home)
    assert read(checkpoint) == checkpoint
    assert (checkpoint.version, checkpoint.home, checkpoint.prev) == (FIRST, None, None)
    assert checkpoint.grants == (owner_grant(OLGA.public),)
    assert checkpoint.roster == Roster().digest()


def test_two_homes_of_one_owner_have_two_ids() -> None:
    homes = {genesis(OLGA, HUB.public, SequencerKind.HUB, NOW + more)[2] for more in range(3)}
    assert len(homes) == 3


@given(
    st.lists(strategies.grants, max_size=4, unique_by=lambda grant: grant.key).filter(
        lambda grants: all(grant.role is not Role.OWNER for grant in grants)
    ),
    strategies.tombstones,
    st.none() | strategies.uints,
    strategies.uints,
    strategies.octets(32),
)
def test_any_checkpoint_is_written_and_read(
    grants: list, tombstones: Tombstones, lease: int | None, time: int, roster: bytes
) -> None:
    checkpoint = replace(
        FULL,
        grants=(*grants, owner_grant(OLGA.public)),
        tombstones=tombstones,
        lease=lease,
        time=time,
        roster=roster,
    )
    assert read(checkpoint) == checkpoint


@pytest.mark.parametrize("version", [0, 2, 2**64 - 1])
def test_of_another_protocol_version_nothing_more_is_read(version: int) -> None:
    assert Checkpoint.decode(encode({2: version, 99: "later"})) is None
    assert refuses(Checkpoint.decode, {**FIELDS, 2: "1"})


OWNER = owner_grant(OLGA.public)
ROSAS, OTHER_OF_ROSA = stranger_grant(ROSA), replace(stranger_grant(ROSA), id=GrantId(b"o" * 16))
EPOCH = FULL.version.epoch
FAULTS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "two grants for one key": ({"grants": (OWNER, ROSAS, OTHER_OF_ROSA)}, {"grants": (OWNER, ROSAS)}),
    "no owner": ({"grants": (ROSAS,)}, {"grants": (ROSAS, OWNER)}),
    "no grant at all": ({"grants": ()}, {"grants": (OWNER,)}),
    "two owners": (
        {"grants": (OWNER, stranger_grant(EDDA, OWNER_TERMS))},
        {"grants": (OWNER, stranger_grant(EDDA, EDITOR_TERMS))},
    ),
    "an owner's grant for another key": (
        {"grants": (owner_grant(EDDA.public),)},
        {"grants": (owner_grant(EDDA.public),), "owner": EDDA.public},
    ),
    "a seq above 0": ({"version": Version(EPOCH, 1)}, {"version": Version(EPOCH + 1, 0)}),
    "the version of genesis with a home": ({"version": FIRST}, {}),
    "no home in a later epoch": ({"home": None, "prev": None}, {}),
    "no prev in a later epoch": ({"prev": None}, {}),
    "genesis with a prev": (
        {"home": None, "version": FIRST},
        {"home": None, "version": FIRST, "prev": None},
    ),
    "a reign without its reign change": (
        {"version": Version(epoch_of(1, 1, 0), 0)},
        {"version": Version(epoch_of(1, 1, 0), 0), "reigns": (b"reign",)},
    ),
    "a reign change without its reign": ({"reigns": (b"reign",)}, {}),
    "a device's sequencing key with a grant": (
        {"kind": SequencerKind.DEVICE, "grants": (OWNER, stranger_grant(HUB))},
        {"kind": SequencerKind.HUB, "grants": (OWNER, stranger_grant(HUB))},
    ),
    "the owner's key as sequencer": ({"sequencer": OLGA.public}, {"sequencer": EDDA.public}),
    "a weak key as sequencer": ({"sequencer": WEAK}, {"sequencer": EDDA.public}),
    "a weak key as owner": ({"owner": WEAK, "grants": (owner_grant(WEAK),)}, {}),
    "a weak key for recovery": ({"recovery": (EDDA.public, WEAK)}, {"recovery": (EDDA.public, ROSA.public)}),
}


@pytest.mark.parametrize(("wrong", "right"), FAULTS.values(), ids=FAULTS)
def test_what_no_owners_tool_writes_is_malformed(wrong: dict[str, object], right: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        read(replace(FULL, **wrong))  # type: ignore[arg-type]  # fields by name
    twin = replace(FULL, **right)  # type: ignore[arg-type]  # fields by name
    assert read(twin) == twin


SHAPES: dict[str, dict[int, Value]] = {
    "a prev of two parts": {4: [1, 2]},
    "a prev of four parts": {4: [1, 2, b"h" * 32, 1]},
    "a prev with a short head": {4: [1, 2, b"h" * 31]},
    "a prev with a negative seq": {4: [1, -2, b"h" * 32]},
    "kind 0": {11: 0},
    "kind 3": {11: 3},
    "a reign change that is no byte string": {14: ["reign"]},
    "a recovery key of 31 bytes": {13: [b"k" * 31]},
    "nine recovery keys": {13: [bytes([number]) * 32 for number in range(9)]},
    "a grant that is no map": {6: [[1]]},
    "a grant without a key": {6: [{1: b"i" * 16}]},
    "a tombstone twice": {7: [[b"t" * 16, [1, 1]], [b"t" * 16, [1, 2]]]},
    "a watermark of one part": {8: [1]},
}


@pytest.mark.parametrize("changes", SHAPES.values(), ids=SHAPES)
def test_a_part_of_another_shape_is_malformed(changes: dict[int, Value]) -> None:
    assert refuses(Checkpoint.decode, {**FIELDS, **changes})


def with_terms(terms: Value) -> dict[int, Value]:
    grants = [*FIELDS[6]]  # type: ignore[misc]  # an array
    number = next(at for at, grant in enumerate(grants) if grant[3] == ROSA.public)
    grants[number] = {**grants[number], 4: terms}
    return {**FIELDS, 6: grants}


@pytest.mark.parametrize("terms", [{}, terms_map(GUEST_TERMS, f9=1), terms_map(GUEST_TERMS, f1=6)])
def test_a_grant_whose_terms_are_not_understood_is_named_and_left_out(terms: Value) -> None:
    checkpoint = Checkpoint.decode(encode(with_terms(terms)))
    assert checkpoint is not None
    assert checkpoint.unsupported == (PAPERS.grant(ROSA).id,)
    assert ROSA.public not in [grant.key for grant in checkpoint.grants]
    assert len(checkpoint.grants) == len(FULL.grants) - 1


def test_such_a_grant_still_counts_as_one_for_its_key() -> None:
    fields = with_terms({})
    grants = [*fields[6]]  # type: ignore[misc]  # an array
    assert refuses(Checkpoint.decode, {**fields, 6: [*grants, stranger_grant(ROSA).value()]})


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_no_checkpoint(data: bytes) -> None:
    with pytest.raises(Malformed):
        Checkpoint.decode(data)


def test_250_grants_and_256_tombstones_fit() -> None:
    last = Version(2**64 - 1, 2**64 - 1)
    grants = [
        replace(stranger_grant(key(f"person {number}")), base=last, since=last) for number in range(249)
    ]
    stones = Tombstones({GrantId(number.to_bytes(16)): last for number in range(256)}, last)
    large = replace(FULL, grants=(OWNER, *grants), tombstones=stones)
    assert len(large.sign(OLGA).raw) <= limits.CHECKPOINT_SIZE
    assert read(large) == large


def test_prev_says_what_it_was_made_from() -> None:
    papers = Papers()
    checkpoint = papers.checkpoint()
    assert checkpoint.prev == Previous(papers.log.version, papers.log.head)
    assert sha256(b"") == Roster().digest() == checkpoint.roster
    assert read(replace(checkpoint, home=HomeId(b"elsehome"))) != checkpoint
