"""configs/brokers as checked values: the MQTT broker, embedded or somebody else's."""

from pathlib import Path
from typing import Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from accessory_emu.protocol import limits
from accessory_emu.protocol.topics import DEFAULT_PREFIX
from accessory_emu.runtime.config_values import FilePart, MqttUrl, Prefix, Secret, Url, parse_mqtt_url
from accessory_emu.runtime.yaml_file import (
    FileError,
    FileErrors,
    Flaw,
    check,
    did_you_mean,
    flawed,
    load,
    refuse_other_kind,
)


class Tls(FilePart):
    """How the MQTT broker's certificate is judged; `ca` is relative to the file."""

    ca: str | None = None


class ExternalBroker(FilePart):
    """An MQTT broker that somebody else runs."""

    broker: Literal["external"]
    url: Url
    protocol: Literal["auto", "3.1.1", "5"] = "auto"
    username: str | None = None
    password: Secret | None = None
    tls: Tls | None = None
    topic_prefix: Prefix = DEFAULT_PREFIX

    @property
    def address(self) -> MqttUrl:
        """The address, taken apart."""
        return parse_mqtt_url(self.url)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        flaws: list[Flaw] = []
        if self.password is not None and self.username is None:
            flaws.append(Flaw("a password needs a username", ("password",)))
        if self.tls is not None and not self.address.tls:
            flaws.append(Flaw("TLS needs an address that begins with mqtts://", ("tls",)))
        if flaws:
            raise flawed(*flaws)
        return self


class EmbeddedBroker(FilePart):
    """The MQTT broker that runs in this process."""

    broker: Literal["embedded"] = "embedded"
    listen: str = "127.0.0.1"
    port: int = Field(default=1883, ge=0, le=65535)
    protocols: list[Literal["3.1.1", "5"]] = Field(default=["3.1.1", "5"])
    retained: Literal["memory", "file"] = "memory"
    max_packet: int = Field(default=1024 * 1024, ge=limits.CHECKPOINT_SIZE + 1024, le=256 * 1024 * 1024 - 1)
    users: dict[str, Secret] = Field(default_factory=dict)

    @field_validator("protocols")
    @classmethod
    def _some(cls, value: list[str]) -> list[str]:
        if not value:
            raise ValueError("name at least one")
        return value

    @field_validator("retained")
    @classmethod
    def _later(cls, value: str) -> str:
        if value != "memory":
            raise ValueError("is not supported yet")
        return value


Broker: TypeAlias = EmbeddedBroker | ExternalBroker


def load_broker(path: Path) -> Broker:
    """Read a description of an MQTT broker. Raises FileErrors."""
    document = load(path)
    refuse_other_kind(document, "broker")
    tree = document.value if isinstance(document.value, dict) else {}
    if (kind := tree.get("broker")) == "external":
        return check(document, ExternalBroker)
    if kind == "embedded":
        return check(document, EmbeddedBroker)
    hint = did_you_mean(kind, ("embedded", "external"))
    text = "must be embedded or external"
    raise FileErrors([FileError(document.file, document.lines[("broker",)], "broker", text, hint)])


def broker_of(mqtt: str, folder: Path) -> Broker:
    """Give the MQTT broker that a word means: `embedded`, an address, or a file relative to `folder`.

    Raises:
        FileErrors: the file is missing or wrong.
        ValueError: the address is wrong.
    """
    if mqtt == "embedded":
        return EmbeddedBroker()
    if "://" in mqtt:
        parse_mqtt_url(mqtt)
        return ExternalBroker(broker="external", url=mqtt)
    return load_broker(folder / mqtt)
