"""MQTT packets as values, the same for 3.1.1 and 5. Pure.

Reasons are MQTT 5's numbers throughout; what 3.1.1 cannot say is left out when a packet is written.
"""

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Final, TypeAlias

NEVER_EXPIRES: Final = 0xFFFF_FFFF  # a session expiry that stands for "keep it for ever"


class Version(Enum):
    """The two protocols spoken here; the value is the level in CONNECT."""

    MQTT_311 = 4
    MQTT_5 = 5


class MqttReason(IntEnum):
    """The reason codes that are used here (MQTT 5, section 2.4); from 128 on they are failures."""

    SUCCESS = 0
    GRANTED_QOS_1 = 1
    DISCONNECT_WITH_WILL = 4
    NO_SUBSCRIPTION_EXISTED = 17
    UNSPECIFIED_ERROR = 128
    MALFORMED_PACKET = 129
    PROTOCOL_ERROR = 130
    UNSUPPORTED_PROTOCOL_VERSION = 132
    CLIENT_ID_NOT_VALID = 133
    BAD_USER_NAME_OR_PASSWORD = 134
    NOT_AUTHORIZED = 135
    SERVER_UNAVAILABLE = 136
    SERVER_SHUTTING_DOWN = 139
    BAD_AUTHENTICATION_METHOD = 140
    KEEP_ALIVE_TIMEOUT = 141
    SESSION_TAKEN_OVER = 142
    TOPIC_FILTER_INVALID = 143
    TOPIC_NAME_INVALID = 144
    PACKET_ID_NOT_FOUND = 146
    RECEIVE_MAX_EXCEEDED = 147
    TOPIC_ALIAS_INVALID = 148
    PACKET_TOO_LARGE = 149
    QUOTA_EXCEEDED = 151
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 158
    SUBSCRIPTION_IDS_NOT_SUPPORTED = 161


class PacketError(ValueError):
    """The bytes are no MQTT packet, or the value is none; `reason` is what MQTT 5 calls it."""

    def __init__(self, detail: str, reason: MqttReason = MqttReason.MALFORMED_PACKET) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Hints:
    """MQTT 5 properties that travel with a message; authority for nothing.

    `expiry_s` counts from the publish; `text` says that the payload is UTF-8.
    """

    text: bool = False
    expiry_s: int | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation: bytes | None = None
    user: tuple[tuple[str, str], ...] = ()


NO_HINTS: Final = Hints()


@dataclass(frozen=True, slots=True)
class Will:
    """What the MQTT broker publishes when the connection ends without DISCONNECT, `delay_s` later."""

    topic: str
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    delay_s: int = 0
    hints: Hints = NO_HINTS


@dataclass(frozen=True, slots=True)
class Connect:
    """A client asks for a connection; `max_packet` None means any size."""

    client_id: str
    version: Version
    clean_start: bool = True
    keep_alive: int = 0
    username: str | None = None
    password: bytes | None = field(default=None, repr=False)
    will: Will | None = None
    session_expiry: int = 0
    receive_max: int = 65_535
    max_packet: int | None = None
    auth_method: str | None = None


@dataclass(frozen=True, slots=True)
class ConnAck:
    """The broker's answer to CONNECT; on MQTT 5 with its limits."""

    session_present: bool = False
    reason: int = 0
    session_expiry: int | None = None
    assigned_client_id: str | None = None
    keep_alive: int | None = None
    receive_max: int = 65_535
    max_packet: int | None = None
    subscription_ids: bool = True
    shared_subscriptions: bool = True


@dataclass(frozen=True, slots=True)
class Publish:
    """One message; `packet_id` is None for QoS 0. An empty topic needs an alias (MQTT 5 only)."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    packet_id: int | None = None
    duplicate: bool = False
    topic_alias: int | None = None
    hints: Hints = NO_HINTS


@dataclass(frozen=True, slots=True)
class PubAck:
    """QoS 1: the message has arrived."""

    packet_id: int
    reason: int = 0


@dataclass(frozen=True, slots=True)
class PubRec:
    """QoS 2, second step: received."""

    packet_id: int
    reason: int = 0


@dataclass(frozen=True, slots=True)
class PubRel:
    """QoS 2, third step: the packet id is let go."""

    packet_id: int
    reason: int = 0


@dataclass(frozen=True, slots=True)
class PubComp:
    """QoS 2, last step: complete."""

    packet_id: int
    reason: int = 0


@dataclass(frozen=True, slots=True)
class Subscription:
    """One filter as it was asked for; `retain_handling` 0 always, 1 only if new, 2 never sends retained."""

    topic_filter: str
    qos: int = 1
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A client asks for at least one subscription."""

    packet_id: int
    subscriptions: tuple[Subscription, ...]
    identifier: int | None = None


@dataclass(frozen=True, slots=True)
class SubAck:
    """One reason for each subscription: the QoS that is granted, or from 128 on a refusal."""

    packet_id: int
    reasons: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """A client gives up at least one filter."""

    packet_id: int
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnsubAck:
    """One reason for each filter; none on 3.1.1."""

    packet_id: int
    reasons: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PingReq:
    """The client is alive."""


@dataclass(frozen=True, slots=True)
class PingResp:
    """So is the broker."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """A clean end; on MQTT 5 with a reason, and from either side."""

    reason: int = 0
    session_expiry: int | None = None


@dataclass(frozen=True, slots=True)
class Auth:
    """A step of extended authentication (MQTT 5 only), which nobody here offers."""

    reason: int = 0


Packet: TypeAlias = (
    Connect
    | ConnAck
    | Publish
    | PubAck
    | PubRec
    | PubRel
    | PubComp
    | Subscribe
    | SubAck
    | Unsubscribe
    | UnsubAck
    | PingReq
    | PingResp
    | Disconnect
    | Auth
)
