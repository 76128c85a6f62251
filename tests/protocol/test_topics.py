"""What a topic says is where bytes go; nothing else is an address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.protocol.identifiers import AccessoryId, HomeId, KeyId, Version
from accessory_emu.protocol.topics import Address, Channel, Topics

TOPICS = Topics()
ACCESSORY = AccessoryId(bytes.fromhex("8899aabbccddeeff"))
HOME = HomeId(bytes.fromhex("0011223344556677"))
KID = KeyId(bytes.fromhex("39f713d0a644253f"))
EXCHANGE = bytes.fromhex("0102030405060708")
A, H = "8899aabbccddeeff", "0011223344556677"

ADDRESSES = {
    f"a/{A}/announce": (TOPICS.announce(ACCESSORY), Address(Channel.ANNOUNCE, ACCESSORY)),
    f"a/{A}/in": (TOPICS.inbox(ACCESSORY), Address(Channel.INBOX, ACCESSORY)),
    f"a/{A}/out/39f713d0a644253f": (
        TOPICS.out(ACCESSORY, KID),
        Address(Channel.OUT, ACCESSORY, kid=KID),
    ),
    f"a/{A}/event": (TOPICS.event(ACCESSORY), Address(Channel.EVENT, ACCESSORY)),
    f"a/{A}/available": (TOPICS.available(ACCESSORY), Address(Channel.AVAILABLE, ACCESSORY)),
    f"a/{A}/pair/0102030405060708/req": (
        TOPICS.pair_request(ACCESSORY, EXCHANGE),
        Address(Channel.PAIR_REQUEST, ACCESSORY, exchange=EXCHANGE),
    ),
    f"a/{A}/pair/0102030405060708/res": (
        TOPICS.pair_response(ACCESSORY, EXCHANGE),
        Address(Channel.PAIR_RESPONSE, ACCESSORY, exchange=EXCHANGE),
    ),
    f"h/{H}/log/0/0": (TOPICS.log(HOME, Version(0, 0)), Address(Channel.LOG, home=HOME)),
    f"h/{H}/log/18446744073709551615/18446744073709551615": (
        TOPICS.log(HOME, Version(2**64 - 1, 2**64 - 1)),
        Address(Channel.LOG, home=HOME),
    ),
    f"h/{H}/checkpoint": (TOPICS.checkpoint(HOME), Address(Channel.CHECKPOINT, home=HOME)),
    f"h/{H}/head": (TOPICS.head(HOME), Address(Channel.HEAD, home=HOME)),
    f"h/{H}/hub/in": (TOPICS.hub_inbox(HOME), Address(Channel.HUB_INBOX, home=HOME)),
    f"h/{H}/sync/{A}": (TOPICS.sync(HOME, ACCESSORY), Address(Channel.SYNC, ACCESSORY, HOME)),
    f"h/{H}/roster/{'ab' * 32}": (
        TOPICS.roster(HOME, b"\xab" * 32),
        Address(Channel.ROSTER, home=HOME),
    ),
    f"h/{H}/to/39f713d0a644253f": (TOPICS.member(HOME, KID), Address(Channel.MEMBER, home=HOME, kid=KID)),
    f"h/{H}/ack/{A}": (TOPICS.ack(HOME, ACCESSORY), Address(Channel.ACK, ACCESSORY, HOME)),
}


@pytest.mark.parametrize("topic", ADDRESSES)
def test_a_topic_is_built_and_taken_apart(topic: str) -> None:
    built, address = ADDRESSES[topic]
    assert built == f"ae1/{topic}"
    assert TOPICS.parse(built) == address


def test_every_channel_has_a_row() -> None:
    assert {address.channel for _, address in ADDRESSES.values()} == set(Channel)


FILTERS = {
    "ae1/a/+/announce": TOPICS.announce(),
    "ae1/a/+/out/39f713d0a644253f": TOPICS.out(None, KID),
    f"ae1/a/{A}/pair/+/req": TOPICS.pair_request(ACCESSORY),
    f"ae1/h/{H}/log/+/+": TOPICS.log(HOME),
    f"ae1/h/{H}/sync/+": TOPICS.sync(HOME),
    f"ae1/h/{H}/ack/+": TOPICS.ack(HOME),
}


@pytest.mark.parametrize("expected", FILTERS)
def test_a_filter_is_no_topic(expected: str) -> None:
    assert FILTERS[expected] == expected
    assert TOPICS.parse(expected) is None


NO_ADDRESS = [
    "",
    "ae1",
    "ae1/",
    f"ae2/a/{A}/in",
    f"ae1x/a/{A}/in",
    f"AE1/a/{A}/in",
    f"/ae1/a/{A}/in",
    f"ae1//a/{A}/in",
    f"ae1/a/{A}/in/",
    f"ae1/a/{A}/in\n",
    f"ae1/a/{A.upper()}/in",
    f"ae1/a/{A[1:]}/in",
    f"ae1/a/{A}0/in",
    f"ae1/a/{A[:-1]}g/in",
    f"ae1/a/{A[:-1]}\u0661/in",
    f"ae1/a/0x{A[2:]}/in",
    f"ae1/a/{A}/IN",
    f"ae1/a/{A}/unknown",
    f"ae1/a/{A}",
    f"ae1/a/{A}/out",
    f"ae1/a/{A}/out/{A}/more",
    f"ae1/a/{A}/pair/{A}/other",
    f"ae1/h/{H}/log/1",
    f"ae1/h/{H}/log/01/1",
    f"ae1/h/{H}/log/1/-1",
    f"ae1/h/{H}/log/1/1a",
    f"ae1/h/{H}/log/1/\u0661",
    f"ae1/h/{H}/log/1/{'1' * 21}",
    f"ae1/h/{H}/roster/{'ab' * 31}",
    f"ae1/h/{H}/roster/{'AB' * 32}",
    f"ae1/h/{H}/hub",
    f"ae1/h/{H}/data/x",
    f"ae1/h/{A}/in",
    f"ae1/a/{A}/head",
]


@pytest.mark.parametrize("topic", NO_ADDRESS)
def test_what_does_not_follow_the_grammar_is_no_address(topic: str) -> None:
    assert TOPICS.parse(topic) is None


@given(st.text(max_size=60))
def test_arbitrary_text_is_no_address(topic: str) -> None:
    assert TOPICS.parse(topic) is None
    assert TOPICS.parse(f"ae1/{topic}") is None


@pytest.mark.parametrize("prefix", ["ae1", "x", "a/b", "My.Home_1-2", "a" * 64])
def test_another_prefix_moves_every_topic(prefix: str) -> None:
    topics = Topics(prefix)
    assert topics.parse(topics.inbox(ACCESSORY)) == Address(Channel.INBOX, ACCESSORY)
    assert topics.parse(TOPICS.inbox(ACCESSORY)) == (
        None if prefix != "ae1" else Address(Channel.INBOX, ACCESSORY)
    )


@pytest.mark.parametrize(
    "prefix", ["", "/", "a/", "/a", "a//b", "a+", "#", "a/#", "$SYS", "a b", "ä", "a" * 65, "a\n"]
)
def test_a_prefix_with_other_characters_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        Topics(prefix)
