"""Signed heads and the sync answer: in sync, leases, and the only source of trusted time.

All of this lives in memory: it begins anew with each start, and most of it with each connection. Times are
milliseconds of the accessory's running clock unless they say `stated`.
"""

from dataclasses import dataclass, field

from accessory_emu.protocol import limits
from accessory_emu.protocol.errors import Refused
from accessory_emu.protocol.identifiers import ObjectId, Version
from accessory_emu.protocol.membership.checkpoint import SequencerKind
from accessory_emu.protocol.messages import Statement
from accessory_emu.protocol.reasons import Reason, Rung

_MS = 1000


@dataclass(frozen=True, slots=True)
class Policy:
    """How long an accessory obeys without being in sync, and whether it keeps time (AE-SYN-020); in ms."""

    hub_ms: int = limits.SYNC_HUB_MS
    device_ms: int = limits.SYNC_DEVICE_MS
    fresh_ms: int = limits.FRESH_MS
    strict: bool = False
    keeps_time: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """Where an accessory stands: version, head, and the time of the newest entry or checkpoint (unix s)."""

    version: Version
    head: ObjectId
    time: int


@dataclass(slots=True)
class Freshness:
    """What one accessory knows of how current it is.

    `synced_once` is durable: it says whether any question was answered since adoption (AE-SYN-024).
    """

    policy: Policy
    started: int
    synced_once: bool = False
    linked_at: int | None = None
    _asked: dict[bytes, int] = field(default_factory=dict)  # open nonces and when they were asked
    _last_ask: int | None = None
    _ask_at: int | None = None
    _pause: int = limits.ASK_FIRST_MS
    _answered: bool = False  # any question of this connection
    _synced_until: int | None = None  # in sync, unless behind
    _last_in_sync: int | None = None
    _lagging: bool = False  # from learning of a higher version until it is reached: in sync is suspended
    _known: Version | None = None  # the highest version that anybody proved
    _time: tuple[int, int] | None = None  # trusted ms, at this running ms
    _time_until: int = 0
    _stated: int | None = None  # unix s, stated for exactly the own version and head

    # what happened

    def linked(self, now: int) -> None:
        """The connection came up: ask at once, obey nobody above view for a moment (AE-SYN-022)."""
        self.unlinked(now)
        self.linked_at, self._ask_at = now, now

    def unlinked(self, now: int) -> None:
        """The connection is lost: in sync ends with it, and its questions are void (AE-SYN-012)."""
        self._end_sync(now)
        self._asked.clear()
        self.linked_at, self._ask_at, self._answered = None, None, False
        self._pause = limits.ASK_FIRST_MS

    def moved(self, place: Place, now: int) -> None:
        """An entry was applied: the own version is higher by one."""
        self._stated = place.time
        if self.behind(place.version):
            return
        self._lagging = False
        if not self.in_sync(place.version, now):
            self._synced_until = None  # it ended while behind, and the moment that counts is when that began
            self._want(now)

    def new_epoch(self, place: Place, now: int) -> None:
        """A checkpoint was taken: nothing known of the old epoch counts (AE-SYN-012, AE-SYN-032)."""
        self._end_sync(now)
        self._asked.clear()
        self._lagging = False
        self._time, self._known, self._stated = None, None, place.time
        self._pause = limits.ASK_FIRST_MS
        if self.linked_at is not None:
            self._ask_at = now

    def adopted(self, place: Place, now: int) -> None:
        """The accessory joined a home: nobody above view until the first answer (AE-SYN-024)."""
        self.synced_once = False
        self.new_epoch(place, now)

    def saw(self, version: Version, own: Version, now: int) -> None:
        """A verified head, answer or entry above the own version: in sync ends until caught up."""
        if version <= own:
            return
        if not self._lagging:
            self._last_in_sync, self._lagging = self._last_moment(now), True
        if self._known is None or version > self._known:
            self._known = version
            self._want(now)

    # questions

    def question_due(self, now: int) -> bool:
        """Tell whether a question should be asked now."""
        return self.linked_at is not None and self._ask_at is not None and now >= self._ask_at

    def deadline(self) -> int | None:
        """Tell when the next question is due (ms)."""
        return self._ask_at if self.linked_at is not None else None

    def ask(self, nonce: bytes, now: int) -> None:
        """Note a question; its nonce is single-use and good for 10 s (AE-SYN-011)."""
        for old in [old for old, at in self._asked.items() if now - at > limits.ANSWER_WITHIN_MS]:
            del self._asked[old]
        self._asked[nonce] = now
        self._last_ask, self._ask_at = now, now + self._pause
        self._pause = min(self._pause * 2, limits.ASK_MOST_MS)

    def want(self, now: int) -> None:
        """Ask soon, at most once in 5 s: a command or a head gave cause (AE-SYN-014)."""
        self._want(now)

    def _want(self, now: int) -> None:
        if self.linked_at is None:
            return
        earliest = now if self._last_ask is None else max(now, self._last_ask + limits.ASK_GAP_MS)
        self._ask_at = earliest if self._ask_at is None else min(self._ask_at, earliest)

    # statements of the sequencer

    def answered(self, answer: Statement, place: Place, now: int) -> bool:
        """Take an answer whose signature held; gives whether it puts the accessory in sync.

        Raises:
            Refused: expired (no open question has this nonce, or it is too old), or the answer is older than
                the newest applied entry or checkpoint.

        Spec: AE-SYN-010, AE-SYN-030.
        """
        version, head, stated = answer.version, answer.head, answer.time or 0
        asked = self._asked.pop(answer.nonce or b"", None)
        if asked is None or now - asked > limits.ANSWER_WITHIN_MS:
            raise Refused(Reason.EXPIRED, Rung.SYNC, "nonce", clause="AE-SYN-011")
        if stated < place.time:
            raise Refused(Reason.EXPIRED, Rung.SYNC, "older than the newest entry", clause="AE-SYN-031")
        self._answered = True
        self._set_time(stated, now)
        self.saw(version, place.version, now)
        if version != place.version or head != place.head:
            return False
        self._stated = max(stated, self._stated or 0)
        self._synced_until = asked + self.policy.fresh_ms
        self.synced_once = True
        self._pause = limits.ASK_FIRST_MS
        self._ask_at = asked + self.policy.fresh_ms // 3
        return True

    def heard_head(self, statement: Statement, place: Place, now: int) -> None:
        """Take a head whose signature held; it raises trusted time and never sets it.

        Raises:
            Refused: the head is older than the newest applied entry or checkpoint.

        Spec: AE-SYN-031, AE-SYN-033.
        """
        version, head, stated = statement.version, statement.head, statement.time or 0
        if stated < place.time:
            raise Refused(Reason.EXPIRED, Rung.SYNC, "older than the newest entry", clause="AE-SYN-031")
        trusted = self.trusted_time(now)
        if trusted is not None and stated * _MS > trusted:
            self._time = (stated * _MS, now)
        self.saw(version, place.version, now)
        if version == place.version and head == place.head:
            self._stated = max(stated, self._stated or 0)
        if not self.in_sync(place.version, now):
            self._want(now)

    # what follows

    def behind(self, own: Version) -> bool:
        """Tell whether a higher version is known."""
        return self._known is not None and self._known > own

    def in_sync(self, own: Version, now: int) -> bool:
        """Tell whether the own version is known to be the sequencer's (AE-SYN-010)."""
        return self._synced_until is not None and now < self._synced_until and not self.behind(own)

    def obeys(self, own: Version, kind: SequencerKind, now: int) -> bool:
        """Tell whether members other than the owner are obeyed above view (AE-SYN-020 to AE-SYN-024)."""
        if self.behind(own) or not self.synced_once:
            return False
        if self.in_sync(own, now):
            return True
        since = max(self.started, self.linked_at or self.started)
        if not self._answered and now < since + limits.START_GRACE_MS:
            return False
        allowed = self.policy.hub_ms if kind is SequencerKind.HUB else self.policy.device_ms
        return now - self._last_moment(now) < allowed

    def trusted_time(self, now: int) -> int | None:
        """Give the trusted time in ms, None while it is unknown (AE-SYN-032)."""
        if not self.policy.keeps_time or self._time is None or now >= self._time_until:
            return None
        return self._running(self._time, now)

    def stated_ms(self) -> int | None:
        """Give the newest time stated for the own version and head, for leases (AE-SYN-040)."""
        return None if self._stated is None else self._stated * _MS

    @staticmethod
    def _running(time: tuple[int, int], now: int) -> int:
        """Run a stated time on, at most to the last second of 64 bits, which a hint can still carry."""
        stated, at = time
        return min(stated + now - at, limits.UINT64_MAX * _MS)

    def _last_moment(self, now: int) -> int:
        counts = self._synced_until is not None and not self._lagging
        running = [min(now, self._synced_until or now)] if counts else []
        return max([self.started, self._last_in_sync or self.started, *running])

    def _end_sync(self, now: int) -> None:
        self._last_in_sync = self._last_moment(now)
        self._synced_until = None

    def _set_time(self, stated: int, now: int) -> None:
        known = 0 if self._time is None else self._running(self._time, now)  # lapsed or not: it never falls
        self._time = (max(stated * _MS, known), now)
        self._time_until = now + limits.TIME_TRUSTED_MS
