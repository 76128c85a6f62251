"""Single values of configuration files: what is one, what is none, and what the error says."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from accessory_emu.runtime.config_values import (
    Code,
    Duration,
    Id,
    Instant,
    MqttUrl,
    Name,
    Prefix,
    Secret,
    SetupId,
    is_loopback,
    parse_duration,
    parse_instant,
    parse_mqtt_url,
)
from accessory_emu.runtime.yaml_file import FileErrors

RIGHT: list[tuple[object, object, object]] = [
    (Id, "a", "a"),
    (Id, "front-door-2", "front-door-2"),
    (Id, "9" * 32, "9" * 32),
    (Name, "Büro · 1", "Büro · 1"),
    (Name, "x" * 64, "x" * 64),
    (Duration, "0s", 0),
    (Duration, "250ms", 250),
    (Duration, "2s", 2_000),
    (Duration, "15m", 900_000),
    (Duration, "24h", 86_400_000),
    (Duration, "7d", 604_800_000),
    (Instant, "1970-01-01T00:00:00Z", 0),
    (Instant, "2026-01-01T00:00:00Z", 1_767_225_600),
    (Instant, "2026-01-01T02:00:00+02:00", 1_767_225_600),
    (Code, "203-45-171", "203-45-171"),
    (SetupId, "7K2P", "7K2P"),
    (SetupId, "0012", "0012"),
    (Prefix, "site-1/ae1", "site-1/ae1"),
]


@pytest.mark.parametrize(("kind", "text", "want"), RIGHT)
def test_a_right_value_is_taken(kind: object, text: object, want: object) -> None:
    assert TypeAdapter(kind).validate_python(text, strict=True) == want


WRONG: list[tuple[object, object, str]] = [
    (Id, "", "an id has"),
    (Id, "Hall", "an id has"),
    (Id, "-a", "an id has"),
    (Id, "a-", "an id has"),
    (Id, "a\n", "an id has"),
    (Id, "a/b", "an id has"),
    (Id, "a" * 33, "an id has"),
    (Id, "all", "reserved"),
    (Id, "everything", "reserved"),
    (Name, "", "1 to 64 printable"),
    (Name, "x" * 65, "1 to 64 printable"),
    (Name, "a\x1b[31m", "1 to 64 printable"),
    (Duration, 5, "a number with a unit"),
    (Duration, "5", "a number with a unit"),
    (Duration, "-5s", "a number with a unit"),
    (Duration, "1.5s", "a number with a unit"),
    (Duration, "5w", "a number with a unit"),
    (Duration, "\u0665s", "a number with a unit"),
    (Duration, "9999999999s", "a number with a unit"),
    (Instant, "2026-01-01", "write date, time and offset"),
    (Instant, "2026-01-01T00:00:00", "write date, time and offset"),
    (Instant, 2026, "write date, time and offset"),
    (Instant, "2026-02-30T00:00:00Z", "no such day"),
    (Instant, "2026-01-01T00:00:00+99:00", "no such day"),
    (Instant, "1969-12-31T23:59:59Z", "before 1970"),
    (Code, 20345171, "with dashes"),
    (Code, "20345171", "with dashes"),
    (Code, "203-45-17", "eight digits"),
    (Code, "111-11-111", "forbidden codes"),
    (Code, None, "valid string"),
    (SetupId, 12, "quotes"),
    (SetupId, 1e3, "quotes"),
    (SetupId, "7k2p", "four characters"),
    (SetupId, "7K2P7", "four characters"),
    (Prefix, "a/#", "a topic prefix has"),
]


@pytest.mark.parametrize(("kind", "text", "want"), WRONG)
def test_a_wrong_value_is_refused_in_words(kind: object, text: object, want: str) -> None:
    with pytest.raises(ValidationError, match=want):
        TypeAdapter(kind).validate_python(text, strict=True)


@pytest.mark.parametrize(("kind", "text", "want"), RIGHT)
def test_the_exported_pattern_takes_what_the_check_takes(kind: object, text: str, want: object) -> None:
    assert want is not None
    assert re.search(TypeAdapter(kind).json_schema().get("pattern", ""), text)


@given(text=st.text(max_size=12) | st.from_regex(r"[0-9]{1,11}(ms|s|m|h|d|w)"))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        assert parse_duration(text) >= 0
    except ValueError as error:
        assert "with a unit" in str(error)  # noqa: PT017 - either is right, this way round


@given(text=st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})"))
def test_any_text_of_the_right_form_is_an_instant_or_refused(text: str) -> None:
    try:
        assert 0 <= parse_instant(text) < 2**40
    except ValueError as error:
        assert str(error)  # noqa: PT017 - either is right, this way round


URLS = {
    "mqtt://127.0.0.1": MqttUrl("127.0.0.1", 1883, tls=False),
    "mqtt://localhost:1884/": MqttUrl("localhost", 1884, tls=False),
    "mqtts://broker.example": MqttUrl("broker.example", 8883, tls=True),
    "mqtts://[::1]:9": MqttUrl("::1", 9, tls=True),
}


@pytest.mark.parametrize(("text", "want"), URLS.items())
def test_an_address_is_taken_apart(text: str, want: MqttUrl) -> None:
    assert parse_mqtt_url(text) == want


@pytest.mark.parametrize(
    "text",
    [
        "http://x", "mqtt://", "mqtt:x", "x", "", "mqtt://x:0", "mqtt://x:65536", "mqtt://x:y", "mqtt://x/y",
        "mqtt://x?y", "mqtt://x#y", "mqtt://[x",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no address of an MQTT broker"):
        parse_mqtt_url(text)


@pytest.mark.parametrize("text", ["mqtt://me@x", "mqtt://me:secret@x", "mqtt://:secret@x"])
def test_an_address_holds_no_password_and_the_error_does_not_repeat_it(text: str) -> None:
    with pytest.raises(ValueError, match="never in an address") as caught:
        parse_mqtt_url(text)
    assert "secret" not in str(caught.value)


@given(text=st.text(max_size=20) | st.text(max_size=20).map("mqtt://".__add__))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        assert 0 < parse_mqtt_url(text).port < 65536
    except ValueError as error:
        assert "address" in str(error)  # noqa: PT017 - either is right, this way round


LOOPBACK = {"127.0.0.1": True, "127.9.9.9": True, "::1": True, "localhost": True,
            "0.0.0.0": False, "192.168.0.1": False, "localhost.example": False, "": False}  # fmt: skip  # noqa: S104


@pytest.mark.parametrize(("host", "want"), LOOPBACK.items())
def test_loopback_is_told_apart(host: str, *, want: bool) -> None:
    assert is_loopback(host) is want
    assert MqttUrl(host, 1, tls=False).loopback is want


# Secrets


def test_a_password_comes_from_the_environment_or_from_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("hunter2\r\n")
    path.chmod(0o600)
    assert Secret(file="password").read(tmp_path, {}) == "hunter2"
    assert Secret(file=str(path)).read(Path("/nowhere"), {}) == "hunter2"
    assert Secret(env="PW").read(tmp_path, {"PW": "hunter2\n"}) == "hunter2\n"


def test_a_password_that_is_not_there_or_not_private_is_refused_and_not_shown(tmp_path: Path) -> None:
    for name, data in {"wide": b"hunter2", "long": b"hunter2" * 999, "bytes": b"hunter2\xff"}.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o644 if name == "wide" else 0o600)
    cases = {
        Secret(env="PW"): "environment: PW: is not set",
        Secret(file="gone"): "can't be looked at",
        Secret(file="."): "no plain file",
        Secret(file="wide"): "chmod 600",
        Secret(file="long"): "too long",
        Secret(file="bytes"): "can't be read",
    }
    for secret, want in cases.items():
        with pytest.raises(FileErrors, match=want) as caught:
            secret.read(tmp_path, {})
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", ["hunter2", {}, {"env": "A", "file": "B"}, {"env": 1}, {"text": "x"}])
def test_a_secret_is_exactly_one_place_and_never_the_password_itself(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Secret.model_validate(value)
    assert "hunter2" not in str(caught.value)
