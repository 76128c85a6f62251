"""The single values of configuration files: ids, durations, instants, setup codes, addresses, secrets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema, model_validator

from accessory_emu.pairing.setup_payload import check_code
from accessory_emu.protocol.topics import Topics
from accessory_emu.runtime.yaml_file import FileError, FileErrors, Flaw, flawed, shown
from accessory_emu.storage.base import StoreError
from accessory_emu.storage.private import FILE_MODE, refuse_wider

_ID: Final = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"
_RESERVED: Final = frozenset({"all", "everything"})
_DURATION: Final = r"^([0-9]{1,9})(ms|s|m|h|d)$"
_UNITS_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_INSTANT: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$"
_NAME_SIZE: Final = 64
_SETUP_ID: Final = r"^[0-9A-Z]{4}$"
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_SECRET_SIZE: Final = 4096


class FilePart(BaseModel):
    """A part of a file: unknown keys are errors, and a value has exactly the type that it was written in."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )


def check_id(text: str) -> str:
    """Give an id back if it is one.

    Raises:
        ValueError: it is none, or a reserved word.
    """
    if not re.fullmatch(_ID, text):
        raise ValueError("an id has the letters a-z, digits and dashes inside, at most 32 characters")
    if text in _RESERVED:
        raise ValueError("this word is reserved; choose another id")
    return text


def parse_duration(text: object) -> int:
    """Read a duration such as 250ms, 2s, 15m, 24h or 7d; gives milliseconds.

    Raises:
        ValueError: no number with a unit.
    """
    found = re.fullmatch(_DURATION, text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("a duration is a number with a unit: 250ms, 2s, 15m, 24h, 7d")
    return int(found[1]) * _UNITS_MS[found[2]]


def parse_instant(text: object) -> int:
    """Read an instant such as 2026-01-01T00:00:00Z; gives unix seconds.

    Raises:
        ValueError: no date and time with an offset, or one before 1970.
    """
    example = "write date, time and offset, for example 2026-01-01T00:00:00Z"
    if not isinstance(text, str) or not re.fullmatch(_INSTANT, text):
        raise ValueError(example)
    try:
        seconds = int(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError):
        raise ValueError(f"there is no such day or time; {example}") from None
    if seconds < 0:
        raise ValueError("before 1970")
    return seconds


def _name(text: str) -> str:
    if not 1 <= len(text) <= _NAME_SIZE or not text.isprintable():
        raise ValueError(f"a name has 1 to {_NAME_SIZE} printable characters")
    return text


def _code(value: object) -> object:
    if isinstance(value, int):  # eight digits are a number to YAML, and may have lost their zeros
        raise ValueError("write the setup code with dashes, for example 203-45-171")  # noqa: TRY004 - pydantic
    return check_code(value) if isinstance(value, str) else value


def _setup_id(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError("is read as a number; put the setup id in quotes")  # noqa: TRY004 - pydantic's way
    if isinstance(value, str) and not re.fullmatch(_SETUP_ID, value):
        raise ValueError("a setup id is four characters 0-9 and A-Z")
    return value


def _prefix(text: str) -> str:
    return Topics(text).prefix


Id = Annotated[str, AfterValidator(check_id), WithJsonSchema({"type": "string", "pattern": _ID})]
Name = Annotated[
    str,
    AfterValidator(_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _NAME_SIZE}),
]
Duration = Annotated[
    int, BeforeValidator(parse_duration), WithJsonSchema({"type": "string", "pattern": _DURATION})
]
Instant = Annotated[
    int, BeforeValidator(parse_instant), WithJsonSchema({"type": "string", "pattern": _INSTANT})
]
Code = Annotated[
    str,
    BeforeValidator(_code),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{3}-[0-9]{2}-[0-9]{3}$"}),
]
SetupId = Annotated[str, BeforeValidator(_setup_id), WithJsonSchema({"type": "string", "pattern": _SETUP_ID})]
Prefix = Annotated[str, AfterValidator(_prefix)]


@dataclass(frozen=True, slots=True)
class MqttUrl:
    """The address of an MQTT broker."""

    host: str
    port: int
    tls: bool

    @property
    def loopback(self) -> bool:
        """Whether the address never leaves this machine."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine's loopback; a name other than localhost counts as not."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_mqtt_url(text: str) -> MqttUrl:
    """Read mqtt://host:port or mqtts://host:port.

    Raises:
        ValueError: another form, or one with a name or password in it.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("no address of an MQTT broker; write mqtt://host:port") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("names and passwords stand in a broker file, never in an address")
    plain = parts.path in {"", "/"} and not parts.query and not parts.fragment
    if parts.scheme not in _PORTS or not parts.hostname or not plain or port == 0:
        raise ValueError("no address of an MQTT broker; write mqtt://host:port or mqtts://host:port")
    return MqttUrl(parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "mqtts")


def _url(text: str) -> str:
    parse_mqtt_url(text)
    return text


Url = Annotated[str, AfterValidator(_url), WithJsonSchema({"type": "string", "pattern": "^mqtts?://"})]


class Secret(FilePart):
    """Where a password stands: in an environment variable, or in a file that is 0600."""

    env: str | None = None
    file: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _never_inline(cls, value: object) -> object:
        if not isinstance(value, dict):
            raise ValueError(  # noqa: TRY004 - pydantic's way
                "a password is never written into a file; use {env: NAME} or {file: PATH}"
            )
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise flawed(Flaw("give either env or file"))
        return self

    def read(self, folder: Path, environ: Mapping[str, str]) -> str:
        """Fetch the password; a path is relative to `folder`.

        Raises:
            FileErrors: the variable is not set; the file is missing, too long or open to others.
        """
        if self.env is not None:
            if self.env not in environ:
                name = shown(self.env)
                raise FileErrors([FileError("environment", 0, name, "is not set, and holds the password")])
            return environ[self.env]
        path = folder / str(self.file)
        try:
            refuse_wider(path, FILE_MODE)
            text = path.read_bytes()[: _SECRET_SIZE + 1].decode()
        except StoreError as error:
            raise FileErrors([FileError(shown(str(path), 200), 0, "", str(error))]) from error
        except (OSError, ValueError):
            raise FileErrors([FileError(shown(str(path), 200), 0, "", "can't be read")]) from None
        if len(text) > _SECRET_SIZE:
            raise FileErrors([FileError(shown(str(path), 200), 0, "", "is too long for a password")])
        return text.removesuffix("\n").removesuffix("\r")
