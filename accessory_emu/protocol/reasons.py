"""Reason: the closed list of refusals, and Rung: the ladder of checks, in their order."""

from enum import Enum, IntEnum


class Reason(IntEnum):
    """Why a message or request was not obeyed; the number goes over the wire (AE-RSN-001)."""

    TOO_LARGE = 1
    MALFORMED = 2
    UNSUPPORTED_VERSION = 3
    UNKNOWN_KEY = 4
    BAD_SIGNATURE = 5
    STALE_BOOT = 6
    ACL_BEHIND = 7
    STALE_ACL = 8
    REPLAYED = 9
    EXPIRED = 10
    FORBIDDEN = 11
    BAD_VALUE = 12
    NOT_SUPPORTED = 13
    NOT_PAIRED = 14
    BUSY = 15
    UNAVAILABLE = 16
    MAX_TRIES = 17
    LIST_FULL = 18
    CONFLICT = 19
    ALREADY_MEMBER = 20
    NOT_IN_SYNC = 21

    @property
    def word(self) -> str:
        """The name as the specification, traces and files write it."""
        return self.name.lower()


class Rung(Enum):
    """The checks of a command in their fixed order (AE-CMD-010)."""

    SIZE = "size"
    GRAMMAR = "grammar"
    KEY = "key"
    SIGNATURE = "signature"
    PAYLOAD = "payload"
    BOOT = "boot"
    COUNTER = "counter"
    LOG = "log"
    SYNC = "sync"
    EXPIRY = "expiry"
    RIGHTS = "rights"
    VALUE = "value"
