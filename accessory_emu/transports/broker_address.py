"""Where an MQTT broker is and how to enter it, as a checked value; and why it cannot be reached."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal, Self, TypeAlias, get_args
from urllib.parse import urlsplit

Protocol: TypeAlias = Literal["auto", "5", "3.1.1"]

_PORTS: Final[Mapping[str, int]] = {"mqtt": 1883, "mqtts": 8883}


class BadAddress(ValueError):
    """The text is no address of an MQTT broker; the message says how one looks."""


class Trouble(Enum):
    """Why a connection did not come about or was lost; the value is what to do about it."""

    NOBODY = "start an MQTT broker there, or use the embedded one"
    NAME = "check the host name"
    TLS = "check the CA file, and that the port speaks TLS (usually 8883)"
    CREDENTIALS = "check user name and password"
    VERSION = "let protocol be auto, or name the one that the MQTT broker speaks"
    NO_ANSWER = "check that the port is that of an MQTT broker"
    REFUSED = "look into the MQTT broker's log"
    LOST = "the connection is made again by itself"


class WireError(Exception):
    """A connection to an MQTT broker failed."""

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(detail)
        self.trouble = trouble


class BrokerUnreachable(ConnectionError):
    """No connection came about in time; the text carries the reason and the cure."""

    def __init__(self, address: str, trouble: Trouble, detail: str) -> None:
        super().__init__(f"no MQTT broker at {address}: {detail}; {trouble.value}")
        self.address = address
        self.trouble = trouble

    @property
    def cure(self) -> str:
        """What to do about it."""
        return self.trouble.value


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """An MQTT broker. `ca` is the path of a PEM file; without it the system's authorities count."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None
    protocol: Protocol = "auto"

    def __post_init__(self) -> None:
        if self.protocol not in get_args(Protocol):
            raise BadAddress(f"protocol {self.protocol!r}; write auto, 5 or 3.1.1")
        if self.password is not None and self.username is None:
            raise BadAddress("a password without a user name; give both")
        if self.ca is not None and not self.tls:
            raise BadAddress("a CA file without TLS; write mqtts://host:port")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    @classmethod
    def parse(
        cls,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        ca: str | None = None,
        protocol: Protocol = "auto",
    ) -> Self:
        """Read mqtt://host:port or mqtts://host:port; the port may be left out.

        Raises:
            BadAddress: another form, or one with a name or a password in it.
        """
        wanted = "write mqtt://host:port or mqtts://host:port"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise BadAddress(f"no address of an MQTT broker; {wanted}") from None
        if parts.username is not None or parts.password is not None:
            raise BadAddress("names and passwords stand in a broker file, never in an address")
        plain = parts.path in {"", "/"} and not parts.query and not parts.fragment
        if parts.scheme not in _PORTS or not parts.hostname or not plain or port == 0:
            raise BadAddress(f"no address of an MQTT broker; {wanted}")
        return cls(
            parts.hostname,
            port or _PORTS[parts.scheme],
            parts.scheme == "mqtts",
            username,
            password,
            ca,
            protocol,
        )
