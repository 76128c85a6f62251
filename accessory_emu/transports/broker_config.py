"""What an embedded MQTT broker is told: its limits, its hooks, and the faults that a hook may ask for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from accessory_emu.transports import bounds
from accessory_emu.transports.packet_values import Version

BOTH: Final = frozenset((Version.MQTT_311, Version.MQTT_5))


class CannotListen(OSError):
    """The broker cannot listen there; the text carries the cure."""


class PortInUse(CannotListen):
    """Something else listens on this port."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"port {port} is in use; choose another port, or 0 for a free one, or use the MQTT broker that "
            "is running there"
        )
        self.port = port


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """Where the broker listens, and how much of everything it allows; it is no security boundary.

    `port` 0 takes any free port. Everything that a client can pile up has a cap here.
    """

    listen: str = "127.0.0.1"
    port: int = 0
    protocols: frozenset[Version] = BOTH
    max_packet: int = bounds.PACKET_BYTES
    connections: int = 16_384
    sessions: int = 1_024  # of clients that are away; the longest away goes first
    session_expiry_s: int = 3_600  # the longest a session waits for its client
    subscriptions: int = 100_000  # of one client: a fleet's connection has five for each accessory
    queue_messages: int = 4_096  # that wait for one client; the oldest go first
    queue_bytes: int = 4 << 20
    backlog_bytes: int = 1 << 20  # of answers that one client does not read: then it is cut off
    in_flight: int = 1_024  # QoS 1 messages that one client has not acknowledged
    retained: int = 100_000
    retained_bytes: int = 256 << 20
    connect_within_s: float = 10.0  # from the connection to CONNECT


@dataclass(frozen=True, slots=True)
class MessageInfo:
    """A message as it came in; `client_id` is None for the broker's own."""

    client_id: str | None
    topic: str
    payload: bytes = field(repr=False)
    qos: int
    retain: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """What shall happen to one message: the lies of a hostile broker, as values.

    `copies` forwards it so often, `delay_s` later; `retained_flag` sets the flag on live forwards; `payload`
    replaces the content; `withhold_ack` leaves its publisher without an answer.
    """

    drop: bool = False
    copies: int = 1
    delay_s: float = 0.0
    retained_flag: bool | None = None
    payload: bytes | None = field(default=None, repr=False)
    withhold_ack: bool = False


NO_FAULT: Final = Fault()

Authenticate: TypeAlias = Callable[[str, str | None, bytes | None], bool]
May: TypeAlias = Callable[[str, str], bool]
OnMessage: TypeAlias = Callable[[MessageInfo], Fault | None]
Tap: TypeAlias = Callable[[str, bytes, bool], None]


@dataclass(slots=True)
class BrokerHooks:
    """Callables that the broker asks; None allows everything. They may be exchanged at any time.

    A hook that raises counts as a no (`hook_errors`); the last exception is kept in `error`.

    Args:
        authenticate: (client id, user name, password) to whether the client may connect.
        may_publish: (client id, topic) to whether it may publish there.
        may_subscribe: (client id, filter) to whether it may subscribe to that.
        on_message: a message to the fault that shall happen to it.
        tap: sees topic, payload and retain of every message that is taken.
    """

    authenticate: Authenticate | None = None
    may_publish: May | None = None
    may_subscribe: May | None = None
    on_message: OnMessage | None = None
    tap: Tap | None = None
    error: Exception | None = None
