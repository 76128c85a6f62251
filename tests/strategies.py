"""What property tests draw from: values of the encoding, ids, terms, grants, and messages."""

from collections.abc import Callable

from hypothesis import strategies as st

from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey, sha256
from accessory_emu.protocol.encoding import Value
from accessory_emu.protocol.identifiers import (
    AccessoryId,
    BootId,
    GrantId,
    HomeId,
    KeyId,
    ObjectId,
    PublicKey,
    Version,
)
from accessory_emu.protocol.membership.grant import (
    EDITOR_TERMS,
    HUB_TERMS,
    OWNER_TERMS,
    RESIDENT_TERMS,
    Ceiling,
    Grant,
    Terms,
)
from accessory_emu.protocol.membership.privileges import EVERYTHING, Edit, Enforcer, Privilege, Role, Scope
from accessory_emu.protocol.membership.tombstones import Tombstones
from accessory_emu.protocol.messages import (
    Ack,
    Adopt,
    Announce,
    Capabilities,
    Command,
    HubResponse,
    HubStatus,
    Life,
    Response,
    StateEvent,
    Statement,
)
from accessory_emu.protocol.reasons import Reason

KEYS = [SigningKey(sha256(bytes([number]))) for number in range(12)]


def shallow(value: Value, depth: int = limits.CBOR_DEPTH - 1) -> Value:
    """Cut a value down to a depth, so that it fits below a payload's own map."""
    if isinstance(value, list):
        return [shallow(item, depth - 1) for item in value] if depth else 0
    if isinstance(value, dict):
        return {key: shallow(item, depth - 1) for key, item in value.items()} if depth else 0
    return value


uints = st.integers(0, limits.UINT64_MAX) | st.integers(0, 300)
ints = st.integers(-(2**64), limits.UINT64_MAX) | st.integers(-300, 300)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
floats = st.floats(allow_nan=False, allow_infinity=False)


def values(*, floating: bool = True) -> st.SearchStrategy[Value]:
    """Give values of the encoding, nested as deep as it allows."""
    scalars = st.booleans() | ints | st.binary(max_size=40) | texts
    if floating:
        scalars = scalars | floats
    found: st.SearchStrategy[Value] = scalars
    for _ in range(limits.CBOR_DEPTH):
        found = scalars | st.lists(found, max_size=3) | st.dictionaries(uints, found, max_size=3)
    return found


def octets(size: int, name: Callable[[bytes], bytes] = bytes) -> st.SearchStrategy[bytes]:
    """Give byte strings of one size, under one of the names that ids have."""
    return st.binary(min_size=size, max_size=size).map(name)


homes = octets(8, HomeId)
accessories = octets(8, AccessoryId)
kids = octets(8, KeyId)
boots = octets(8, BootId)
names = octets(16, GrantId)
heads = octets(32, ObjectId)
public_keys = st.sampled_from([PublicKey(key.public) for key in KEYS])
versions = st.builds(Version, uints, uints)
reasons = st.sampled_from(Reason)

scopes = st.just(EVERYTHING) | st.lists(accessories, max_size=3).map(Scope.of)
_windows = st.none() | st.tuples(uints, uints)
_ceilings = st.none() | st.builds(Ceiling, st.sampled_from(Privilege), scopes)
_some_edits = st.integers(1, 7).map(Edit)
_leases = st.none() | uints
_enforcers = st.sampled_from(Enforcer)
terms = st.one_of(
    st.sampled_from([OWNER_TERMS, EDITOR_TERMS, RESIDENT_TERMS, HUB_TERMS]),
    st.builds(
        Terms,
        st.just(Role.EDITOR),
        st.sampled_from([Privilege.VIEW, Privilege.OPERATE, Privilege.MANAGE]),
        scopes,
        _some_edits,
        _ceilings,
        enforced_by=_enforcers,
    ),
    st.builds(
        Terms,
        st.just(Role.GUEST),
        st.sampled_from([Privilege.VIEW, Privilege.OPERATE]),
        scopes,
        window=_windows,
        lease=_leases,
        enforced_by=_enforcers,
    ),
    st.builds(Terms, st.just(Role.RESIDENT), st.just(Privilege.OPERATE), st.just(EVERYTHING), lease=_leases),
)
grants = st.builds(Grant, names, names, public_keys, terms, versions, versions, kids)
tombstones = st.builds(
    Tombstones,
    st.dictionaries(names, versions, max_size=5),
    st.none() | versions,
)

commands = st.builds(
    Command,
    boots,
    uints,
    versions,
    uints,
    st.lists(values(), max_size=2).map(shallow),
    st.none() | uints,
    st.none() | octets(16),
)
responses = st.builds(
    Response,
    boots,
    octets(16),
    st.none() | reasons,
    versions,
    st.none() | ints | st.lists(ints, max_size=3),
    st.none() | st.dictionaries(st.integers(1, 5), ints | texts, min_size=1, max_size=3),
)
events = st.builds(
    StateEvent,
    boots,
    uints,
    st.lists(st.tuples(uints, uints, ints | floats | texts | st.booleans()).map(list), max_size=3),
    versions,
)
capabilities = st.builds(Capabilities, uints, uints, st.booleans(), st.booleans(), uints, uints, uints)
announcements = st.builds(
    Announce,
    public_keys,
    boots,
    st.sampled_from(Life),
    st.none() | homes,
    versions,
    heads,
    st.integers(0, 0xFFFF),
    octets(4),
    capabilities,
    texts,
)
adoptions = st.builds(Adopt, homes, boots, heads, versions, heads)
acks = st.builds(Ack, versions, heads, octets(32), st.lists(st.tuples(names, reasons), max_size=4).map(tuple))
head_statements = st.builds(Statement, versions, heads, uints)
questions = st.builds(Statement, versions, heads, st.none(), octets(16))
answers = st.builds(Statement, versions, heads, uints, octets(16))
hub_responses = st.builds(
    HubResponse, names, st.sampled_from(HubStatus), uints, st.none() | reasons, st.none() | versions
)
