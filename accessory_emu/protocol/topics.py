"""The address grammar: who writes where, who listens where.

Nothing that matters for security depends on a topic; a topic only says where bytes go (AE-TOP-001). Ids are
lower-case hex, numbers decimal.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from accessory_emu.protocol.identifiers import AccessoryId, HomeId, KeyId, Version

DEFAULT_PREFIX: Final = "ae1"
_ID = "[0-9a-f]{16}"
_NUMBER = "(?:0|[1-9][0-9]{0,19})"


class Channel(Enum):
    """What a topic carries."""

    ANNOUNCE = "announce"
    INBOX = "in"
    OUT = "out"
    EVENT = "event"
    AVAILABLE = "available"
    PAIR_REQUEST = "req"
    PAIR_RESPONSE = "res"
    LOG = "log"
    CHECKPOINT = "checkpoint"
    HEAD = "head"
    HUB_INBOX = "hub/in"
    SYNC = "sync"
    ROSTER = "roster"
    MEMBER = "to"
    ACK = "ack"


@dataclass(frozen=True, slots=True)
class Address:
    """A topic taken apart; the parts that a channel does not have are None."""

    channel: Channel
    accessory: AccessoryId | None = None
    home: HomeId | None = None
    kid: KeyId | None = None
    exchange: bytes | None = None


_PATTERNS: Final = [
    (Channel.ANNOUNCE, rf"a/(?P<accessory>{_ID})/announce"),
    (Channel.INBOX, rf"a/(?P<accessory>{_ID})/in"),
    (Channel.OUT, rf"a/(?P<accessory>{_ID})/out/(?P<kid>{_ID})"),
    (Channel.EVENT, rf"a/(?P<accessory>{_ID})/event"),
    (Channel.AVAILABLE, rf"a/(?P<accessory>{_ID})/available"),
    (Channel.PAIR_REQUEST, rf"a/(?P<accessory>{_ID})/pair/(?P<exchange>{_ID})/req"),
    (Channel.PAIR_RESPONSE, rf"a/(?P<accessory>{_ID})/pair/(?P<exchange>{_ID})/res"),
    (Channel.LOG, rf"h/(?P<home>{_ID})/log/{_NUMBER}/{_NUMBER}"),
    (Channel.CHECKPOINT, rf"h/(?P<home>{_ID})/checkpoint"),
    (Channel.HEAD, rf"h/(?P<home>{_ID})/head"),
    (Channel.HUB_INBOX, rf"h/(?P<home>{_ID})/hub/in"),
    (Channel.SYNC, rf"h/(?P<home>{_ID})/sync/(?P<accessory>{_ID})"),
    (Channel.ROSTER, rf"h/(?P<home>{_ID})/roster/[0-9a-f]{{64}}"),
    (Channel.MEMBER, rf"h/(?P<home>{_ID})/to/(?P<kid>{_ID})"),
    (Channel.ACK, rf"h/(?P<home>{_ID})/ack/(?P<accessory>{_ID})"),
]
_COMPILED: Final = [(channel, re.compile(pattern)) for channel, pattern in _PATTERNS]


class Topics:
    """The topics under one prefix."""

    def __init__(self, prefix: str = DEFAULT_PREFIX) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*", prefix) or len(prefix) > 64:  # noqa: PLR2004
            raise ValueError("a topic prefix has letters, digits, '_', '.', '-' and '/', at most 64")
        self.prefix = prefix

    def parse(self, topic: str) -> Address | None:
        """Take a topic apart; None for one that this protocol does not have."""
        if not topic.startswith(self.prefix + "/"):
            return None
        rest = topic[len(self.prefix) + 1 :]
        for channel, pattern in _COMPILED:
            if match := pattern.fullmatch(rest):
                parts = {name: bytes.fromhex(text) for name, text in match.groupdict().items()}
                return Address(
                    channel,
                    accessory=AccessoryId(parts["accessory"]) if "accessory" in parts else None,
                    home=HomeId(parts["home"]) if "home" in parts else None,
                    kid=KeyId(parts["kid"]) if "kid" in parts else None,
                    exchange=parts.get("exchange"),
                )
        return None

    def announce(self, accessory: AccessoryId | None = None) -> str:
        """Retained announcements; None gives the filter for all."""
        return f"{self.prefix}/a/{accessory.hex() if accessory else '+'}/announce"

    def inbox(self, accessory: AccessoryId) -> str:
        """The one inbox of an accessory: one, so order is kept and a test can fence (AE-TOP-003)."""
        return f"{self.prefix}/a/{accessory.hex()}/in"

    def out(self, accessory: AccessoryId | None, kid: KeyId) -> str:
        """Signed responses to one controller; None gives the filter for all accessories."""
        return f"{self.prefix}/a/{accessory.hex() if accessory else '+'}/out/{kid.hex()}"

    def event(self, accessory: AccessoryId) -> str:
        """Signed state changes."""
        return f"{self.prefix}/a/{accessory.hex()}/event"

    def available(self, accessory: AccessoryId) -> str:
        """The availability hint, written by the broker as last will; authority for nothing."""
        return f"{self.prefix}/a/{accessory.hex()}/available"

    def pair_request(self, accessory: AccessoryId, exchange: bytes | None = None) -> str:
        """Pair-Setup, controller to accessory; None gives the accessory's filter."""
        return f"{self.prefix}/a/{accessory.hex()}/pair/{exchange.hex() if exchange else '+'}/req"

    def pair_response(self, accessory: AccessoryId, exchange: bytes) -> str:
        """Pair-Setup, accessory to controller."""
        return f"{self.prefix}/a/{accessory.hex()}/pair/{exchange.hex()}/res"

    def log(self, home: HomeId, version: Version | None = None) -> str:
        """Retained entries; None gives the filter for all."""
        where = f"{version.epoch}/{version.seq}" if version else "+/+"
        return f"{self.prefix}/h/{home.hex()}/log/{where}"

    def checkpoint(self, home: HomeId) -> str:
        """The newest checkpoint, retained."""
        return f"{self.prefix}/h/{home.hex()}/checkpoint"

    def head(self, home: HomeId) -> str:
        """The newest signed head, retained."""
        return f"{self.prefix}/h/{home.hex()}/head"

    def hub_inbox(self, home: HomeId) -> str:
        """Signed requests to the sequencer."""
        return f"{self.prefix}/h/{home.hex()}/hub/in"

    def sync(self, home: HomeId, accessory: AccessoryId | None = None) -> str:
        """Signed sync questions; None gives the filter for all accessories."""
        return f"{self.prefix}/h/{home.hex()}/sync/{accessory.hex() if accessory else '+'}"

    def roster(self, home: HomeId, digest: bytes) -> str:
        """The enrolled accessories' keys, retained, named by the checkpoint's digest."""
        return f"{self.prefix}/h/{home.hex()}/roster/{digest.hex()}"

    def member(self, home: HomeId, kid: KeyId) -> str:
        """The sequencer's signed answers to one member."""
        return f"{self.prefix}/h/{home.hex()}/to/{kid.hex()}"

    def ack(self, home: HomeId, accessory: AccessoryId | None = None) -> str:
        """Signed acks, retained; None gives the filter for all accessories."""
        return f"{self.prefix}/h/{home.hex()}/ack/{accessory.hex() if accessory else '+'}"
