"""Broker files: the two that ship, and what is refused with its line."""

from pathlib import Path

import pytest

from accessory_emu.runtime.config import find_config
from accessory_emu.runtime.config_broker import EmbeddedBroker, ExternalBroker, broker_of, load_broker
from accessory_emu.runtime.config_values import Secret
from accessory_emu.runtime.yaml_file import FileErrors


def test_the_embedded_broker_that_ships_is_the_default() -> None:
    assert (
        load_broker(find_config("embedded", "brokers")) == EmbeddedBroker() == broker_of("embedded", Path())
    )


def test_the_external_broker_that_ships_is_read() -> None:
    broker = load_broker(find_config("mosquitto", "brokers"))
    assert isinstance(broker, ExternalBroker)
    assert (broker.address.host, broker.address.port, broker.address.tls) == ("broker.example", 8883, True)
    assert broker.password == Secret(env="ACCESSORY_EMU_MQTT_PASSWORD")


WRONG = {
    "broker: mosquito\nurl: x": ["1: broker: must be embedded or external"],
    "broker: embeded": ["1: broker: must be embedded or external; did you mean 'embedded'?"],
    "broker:": ["1: broker: must be embedded or external"],
    "home: x": ["1: home: this describes a home, not a broker"],
    "broker: external": ["1: url: is missing"],
    "broker: external\nurl: http://x": [
        "2: url: no address of an MQTT broker; write mqtt://host:port or mqtts://host:port"
    ],
    "broker: external\nurl: mqtt://u:p@x": [
        "2: url: names and passwords stand in a broker file, never in an address"
    ],
    "broker: external\nurl: mqtt://x\npassword: hunter2\ntopic_prefix: '#'": [
        "3: password: a password is never written into a file; use {env: NAME} or {file: PATH}",
        "4: topic_prefix: a topic prefix has letters, digits, '_', '.', '-' and '/', at most 64",
    ],
    "broker: external\nurl: mqtt://x\npassword: {env: A}\ntls: {ca: x}": [
        "3: password: a password needs a username",
        "4: tls: TLS needs an address that begins with mqtts://",
    ],
    "broker: external\nurl: mqtt://x\nprotocol: 5": [
        "3: protocol: Input should be 'auto', '3.1.1' or '5'; did you mean '5'?"
    ],
    "broker: external\nurl: mqtt://x\nport: 1": ["3: port: unknown key"],
    "broker: embedded\nport: 65536": ["2: port: Input should be less than or equal to 65535"],
    "broker: embedded\nretained: file": ["2: retained: is not supported yet"],
    "broker: embedded\nprotocols: []": ["2: protocols: name at least one"],
    "broker: embedded\nmax_packet: 1000": ["2: max_packet: Input should be greater than or equal to 66560"],
    "broker: embedded\nusers: {ben: hunter2}": [
        "2: users.ben: a password is never written into a file; use {env: NAME} or {file: PATH}"
    ],
}


@pytest.mark.parametrize(("text", "want"), WRONG.items())
def test_a_wrong_broker_file_is_refused_with_its_lines(tmp_path: Path, text: str, want: list[str]) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(text)
    with pytest.raises(FileErrors) as caught:
        load_broker(path)
    assert str(caught.value).replace(f"{path}:", "").split("\n") == want
    assert "hunter2" not in str(caught.value)


def test_a_broker_is_found_by_address_or_beside_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("broker: embedded\nport: 0")
    assert broker_of("b.yaml", tmp_path) == EmbeddedBroker(port=0)
    assert broker_of("mqtt://x", tmp_path) == ExternalBroker(broker="external", url="mqtt://x")
    with pytest.raises(FileErrors, match="there is no such file"):
        broker_of("c.yaml", tmp_path)
    with pytest.raises(ValueError, match="no address"):
        broker_of("http://x", tmp_path)
