"""A controller's verified view of a home: its log, and what its accessories and its sequencer say."""

from collections.abc import Mapping
from dataclasses import dataclass

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.envelope import Context, Envelope, parse, verify
from accessory_emu.protocol.errors import Malformed, ProtocolError, UnknownKey
from accessory_emu.protocol.exchanges.key_update import read_ack
from accessory_emu.protocol.exchanges.sync import read_head
from accessory_emu.protocol.identifiers import AccessoryId, PublicKey, Version
from accessory_emu.protocol.messages import Ack, Announce, Statement
from accessory_emu.protocol.ports import Write
from controllers import home_rows
from controllers.errors import StateDamaged
from controllers.invitation import Trust
from controllers.record import Record


@dataclass(frozen=True, slots=True)
class Heard:
    """The newest announcement of an accessory, and when it came (ms)."""

    announce: Announce
    raw: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Acked:
    """The newest ack of an enrolled accessory, and when it came (ms)."""

    ack: Ack
    raw: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Stated:
    """The newest head of the sequencer, and when it came (ms)."""

    statement: Statement
    at: int


class HomeView(Record):
    """One home as one controller knows it; arguments and errors as those of Record.

    Only enrolled accessories count (AE-TOP-016). The others that announce themselves are `strangers`: known
    by their own word alone, so that they can be paired.
    """

    def __init__(self, trust: Trust, rows: Mapping[str, bytes], *, durable: bool = False) -> None:
        self.announced: dict[AccessoryId, Heard] = {}
        self.strangers: dict[AccessoryId, Heard] = {}
        self.acks: dict[AccessoryId, Acked] = {}
        self.away: dict[AccessoryId, int] = {}  # not there since (ms), by the unsigned hint
        self.stated: Stated | None = None
        self._told: Version | None = None  # by the sequencer's answer to a request
        super().__init__(trust, rows, durable=durable)
        try:
            for raw in home_rows.acks_of(rows):
                self._restore_ack(parse(raw))
        except ProtocolError as error:
            raise StateDamaged(f"an ack does not read back: {error}") from error

    # what it shows

    def heard(self, accessory: AccessoryId) -> Announce | None:
        """Give the newest announcement of an accessory, enrolled or not."""
        found = self.announced.get(accessory) or self.strangers.get(accessory)
        return found.announce if found else None

    def key_of(self, accessory: AccessoryId) -> PublicKey | None:
        """Give the key of an accessory: as enrolled, else as it announces itself."""
        announce = self.heard(accessory)
        return self.roster.keys.get(accessory) or (announce.key if announce else None)

    def reachable(self, accessory: AccessoryId) -> bool:
        """Tell whether an accessory has announced itself and nobody says that it is away."""
        return self.heard(accessory) is not None and accessory not in self.away

    def shown_version(self, accessory: AccessoryId) -> Version | None:
        """Give the highest version that an enrolled accessory has shown by ack or announcement."""
        shown = []
        if (acked := self.acks.get(accessory)) is not None:
            shown.append(acked.ack.version)
        announce = self.heard(accessory)
        if announce is not None and announce.home == self.home:
            shown.append(announce.version)
        return max(shown, default=None)

    def at_head(self, accessory: AccessoryId) -> bool:
        """Tell whether an accessory has acknowledged exactly the log's version and head."""
        acked = self.acks.get(accessory)
        if acked is None or self.log is None:
            return False
        return acked.ack.version == self.log.version and acked.ack.head == self.log.head

    def behind(self) -> bool:
        """Tell whether a higher version is known than the log's."""
        if self.log is None or not self.ready:
            return True
        stated = self.stated.statement.version if self.stated else None
        known = [self.newest_future(), stated, self._told]
        return any(version is not None and version > self.log.version for version in known)

    # what it takes

    def hear_of(self, version: Version) -> None:
        """Learn from a verified answer of the sequencer that there is this version."""
        self._told = max(version, self._told or version)

    def hear_head(self, envelope: Envelope, now: int) -> Statement:
        """Hear a head of the sequencer.

        Raises:
            Forked: it gives a version that is held another head.
            ProtocolError: it does not verify.
        """
        if self.log is None:
            raise UnknownKey("no checkpoint yet")
        if envelope.context is not Context.HEAD:
            raise Malformed("no head")
        statement = read_head(envelope, self.log)
        self.check_fork(statement.version, statement.head, envelope.kid)
        newest = self.stated.statement if self.stated else None
        if newest is None or _order(statement) > _order(newest):
            self.stated = Stated(statement, now)
        return statement

    def take_ack(self, envelope: Envelope, now: int) -> AccessoryId | None:
        """Take the ack of an enrolled accessory; gives whose it is, None where it is not above the one held.

        Raises:
            ProtocolError: it does not verify, or the accessory is not enrolled.

        Spec: AE-LOG-060, AE-TOP-016.
        """
        accessory = AccessoryId(envelope.kid)
        key = self.roster.keys.get(accessory)
        if key is None:
            raise UnknownKey("not enrolled")
        held = self.acks.get(accessory)
        if held is not None and held.raw == envelope.raw:
            return None
        ack = read_ack(envelope, key, self.home)
        if held is not None and held.ack.version >= ack.version:
            return None
        self.acks[accessory] = Acked(ack, envelope.raw, now)
        self._writes.append(Write(home_rows.ack_row(accessory), envelope.raw, durable=False))
        return accessory

    def take_announce(self, envelope: Envelope, accessory: AccessoryId, now: int) -> Announce | None:
        """Take the announcement of an accessory; gives it where it says something new.

        Raises:
            ProtocolError: it is not this accessory's, or does not verify.

        Spec: AE-TOP-013, AE-MQ-013.
        """
        if envelope.context is not Context.ANNOUNCE or AccessoryId(envelope.kid) != accessory:
            raise Malformed("no announcement of this accessory")
        among = self.announced if accessory in self.roster else self.strangers
        held = among.get(accessory)
        if held is not None and held.raw == envelope.raw:
            return None
        announce = Announce.decode(envelope.payload)
        enrolled = self.roster.keys.get(accessory, announce.key)
        if AccessoryId(crypto.key_id(announce.key)) != accessory or announce.key != enrolled:
            raise UnknownKey("not the accessory's key")
        verify(envelope, announce.key, accessory=accessory)
        among[accessory] = Heard(announce, envelope.raw, now)
        if len(self.strangers) > limits.STRANGERS_KEPT:
            del self.strangers[next(iter(self.strangers))]
        return announce

    def note_available(self, accessory: AccessoryId, *, there: bool, now: int) -> None:
        """Note the unsigned hint that an accessory is there or away (AE-TOP-014)."""
        if there:
            self.away.pop(accessory, None)
        elif self.heard(accessory) is not None or accessory in self.roster:
            self.away.setdefault(accessory, now)

    def roster_moved(self) -> None:
        """Let an accessory that was enrolled be heard, and one that was released be a stranger."""
        for accessory in [name for name in self.announced if name not in self.roster]:
            self.strangers[accessory] = self.announced.pop(accessory)
        for accessory in [name for name in self.strangers if name in self.roster]:
            self.announced[accessory] = self.strangers.pop(accessory)
        if not self.roster_known:
            return
        for accessory in [name for name in self.acks if name not in self.roster]:
            del self.acks[accessory]
            self._writes.append(Write(home_rows.ack_row(accessory), None, durable=False))

    def _restore_ack(self, envelope: Envelope) -> None:
        key = self.roster.keys.get(AccessoryId(envelope.kid))
        if key is not None:
            ack = read_ack(envelope, key, self.home)
            self.acks[AccessoryId(envelope.kid)] = Acked(ack, envelope.raw, 0)


def _order(statement: Statement) -> tuple[Version, int]:
    return statement.version, statement.time or 0
