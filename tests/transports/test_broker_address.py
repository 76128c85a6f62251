"""Addresses of MQTT brokers: what is one, and what is not says how one looks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.transports.broker_address import BadAddress, BrokerAddress, BrokerUnreachable, Trouble

GOOD = {
    "mqtt://127.0.0.1:1884": ("127.0.0.1", 1884, False),
    "mqtt://broker.example": ("broker.example", 1883, False),
    "mqtts://broker.example/": ("broker.example", 8883, True),
    "mqtts://[::1]:18883": ("::1", 18883, True),
}


@pytest.mark.parametrize(("url", "parts"), GOOD.items())
def test_an_address_is_read_and_written_whole(url: str, parts: tuple[str, int, bool]) -> None:
    address = BrokerAddress.parse(url)
    assert (address.host, address.port, address.tls) == parts
    assert BrokerAddress.parse(str(address)) == address


BAD = [
    "",
    "broker.example",
    "broker.example:1883",
    "http://broker.example",
    "mqtt://",
    "mqtt://:1883",
    "mqtt://broker.example:0",
    "mqtt://broker.example:65536",
    "mqtt://broker.example:x",
    "mqtt://broker.example/path",
    "mqtt://broker.example?x",
    "mqtt://[::1",
    "mqtt://anna@broker.example",
    "mqtt://anna:secret@broker.example",
]


@pytest.mark.parametrize("url", BAD)
def test_what_is_no_address_says_what_to_write(url: str) -> None:
    with pytest.raises(BadAddress, match=r"write mqtt://|broker file") as caught:
        BrokerAddress.parse(url)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=30) | st.text(max_size=20).map("mqtt://".__add__))
def test_any_text_is_an_address_or_a_bad_address(url: str) -> None:
    try:
        address = BrokerAddress.parse(url)
    except BadAddress:
        return
    assert address.host
    assert 0 < address.port < 65_536


@pytest.mark.parametrize(
    ("options", "cure"),
    [
        ({"password": "x"}, "user name"),
        ({"ca": "ca.pem"}, "mqtts"),
        ({"protocol": "3.1"}, "auto, 5 or 3.1.1"),
    ],
)
def test_options_that_do_not_fit_say_why(options: dict[str, str], cure: str) -> None:
    with pytest.raises(BadAddress, match=cure):
        BrokerAddress.parse("mqtt://broker.example", **options)  # type: ignore[arg-type]


def test_a_password_shows_in_no_text() -> None:
    word = "hunter2"
    address = BrokerAddress.parse("mqtts://broker.example", username="anna", password=word, ca="ca.pem")
    assert word not in f"{address!r} {address}"


def test_what_cannot_be_reached_carries_its_cure() -> None:
    error = BrokerUnreachable("mqtt://127.0.0.1:1", Trouble.NOBODY, "connection refused")
    assert str(error) == f"no MQTT broker at mqtt://127.0.0.1:1: connection refused; {error.cure}"
    assert "start an MQTT broker" in error.cure
