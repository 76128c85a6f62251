"""Following one home from its topics, and carrying to accessories what they lack."""

from collections.abc import Callable, Mapping

from accessory_emu.protocol import limits
from accessory_emu.protocol.envelope import Context, Envelope, parse
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import NO_ACCESSORY, AccessoryId, Version
from accessory_emu.protocol.messages import Announce
from accessory_emu.protocol.ports import Delivery, Random
from accessory_emu.protocol.topics import Address, Channel, Topics
from controllers.actor import Actor, earliest
from controllers.home import HomeView
from controllers.record import Forked

_AWAY = b"offline"


class Carrying:
    """Watches what accessories show, and carries to those that do not catch up by themselves (AE-SYN-005).

    A part of an actor. `patience` is how long an accessory may stay behind after it has shown it (ms): the
    sequencer waits a moment, a member longer, so that it only steps in where the sequencer is away.
    """

    def __init__(self, actor: Actor, patience: int) -> None:
        self._actor = actor
        self._patience = patience
        self._lagging: dict[AccessoryId, int] = {}  # when to carry (ms)
        self._carried: dict[AccessoryId, int] = {}

    def showed(self, accessory: AccessoryId, view: HomeView, now: int) -> None:
        """See whether an accessory that has acknowledged or announced itself is behind."""
        shown = view.shown_version(accessory)
        if accessory in view.roster and shown is not None and shown < view.version:
            self._lagging.setdefault(accessory, now + self._patience)

    def carry(self, accessory: AccessoryId, version: Version, view: HomeView, now: int) -> None:
        """Send what is missing above `version`, to one accessory at most once a second."""
        missing = view.missing(version)
        again = self._carried.get(accessory, now - limits.CARRY_GAP_MS) + limits.CARRY_GAP_MS
        if not missing:
            return
        if now < again:
            self._lagging.setdefault(accessory, again)
            return
        self._carried[accessory] = now
        for raw in missing:
            self._actor.send(self._actor.topics.inbox(accessory), raw)

    def settle(self, view: HomeView, now: int) -> None:
        """Carry to whoever is still behind."""
        for accessory in [name for name, due in self._lagging.items() if now >= due]:
            del self._lagging[accessory]
            shown = view.shown_version(accessory)
            if shown is not None and accessory in view.roster:
                self.carry(accessory, shown, view, now)

    def deadline(self) -> int | None:
        """Tell when somebody is due."""
        return earliest(*self._lagging.values())


class Follower(Actor):
    """An actor with a view of a home; None until there is a home to follow.

    `moved` is called whenever the log, the roster or an ack has moved.
    """

    def __init__(self, topics: Topics, random: Random, view: HomeView | None) -> None:
        super().__init__(topics, random)
        self.view = view
        self._fill_at: int | None = None  # when the gap is filled next (ms), None while there is none
        self._fill_pause = limits.FILL_FIRST_MS

    def filters(self) -> frozenset[str]:
        """Tell what to listen to: announcements, and the topics of the own home."""
        topics, view = self.topics, self.view
        filters = {topics.announce(), f"{topics.prefix}/a/+/available"}
        if view is not None:
            home = view.home
            filters |= {topics.checkpoint(home), topics.head(home), topics.log(home), topics.ack(home)}
            if view.checkpoint is not None and not view.roster_known:
                filters.add(topics.roster(home, view.checkpoint.checkpoint.roster))
        return frozenset(filters)

    def routes(self) -> Mapping[Channel, Callable[[Address, Delivery, int], None]]:
        """Tell who takes what arrives on a channel."""
        return {
            Channel.ANNOUNCE: self._on_announce,
            Channel.AVAILABLE: self._on_available,
            Channel.CHECKPOINT: self._on_log_topic,
            Channel.LOG: self._on_log_topic,
            Channel.HEAD: self._on_log_topic,
            Channel.ROSTER: self._on_roster,
            Channel.ACK: self._on_ack,
        }

    # what an actor adds

    def moved(self, before: Version | None, now: int) -> None:
        """Do what follows when the log has moved."""

    def acked(self, accessory: AccessoryId, now: int) -> None:
        """Do what follows from a new ack."""

    def announced(self, announce: Announce, accessory: AccessoryId, now: int) -> None:
        """Do what follows from a new announcement."""

    def forked(self, fork: Forked) -> None:
        """Do what follows when the sequencer contradicts itself."""
        self.tell("fork", version=fork.version)

    # the routes

    def its_home(self, address: Address) -> HomeView:
        """Give the view, if the topic is of its home. Raises Malformed."""
        if self.view is None or address.home != self.view.home:
            raise Malformed("another home's topic")
        return self.view

    def take_object(self, view: HomeView, envelope: Envelope, now: int) -> None:
        """Take a checkpoint, an entry or a head, whoever carried it (AE-LOG-005)."""
        before = view.log.version if view.log else None
        try:
            match envelope.context:
                case Context.CHECKPOINT:
                    view.take_checkpoint(envelope)
                case Context.ENTRY:
                    view.take_entry(envelope)
                case Context.HEAD:
                    view.hear_head(envelope, now)
                case _:
                    raise Malformed("no object of the log")
        except Forked as fork:
            self.forked(fork)
            raise
        finally:
            self.note_moved(view, before, now)

    def note_moved(self, view: HomeView, before: Version | None, now: int) -> None:
        """Hand on the rows of a view, and say where it has moved to."""
        self.keep_rows(view)
        after = view.log.version if view.log else None
        if after == before:
            return
        if before is None or after is None or after.epoch != before.epoch:
            self.subscribe_again(self.topics.log(view.home))  # entries may have come before their checkpoint
        self.tell("moved", version=after)
        self.moved(before, now)

    def keep_rows(self, view: HomeView) -> None:
        """Hand on the rows of a view."""
        for row in view.take_writes():
            self.keep(row.key, row.value, durable=row.durable)

    def settle(self, now: int) -> None:
        """Subscribe to the log again while a gap remains, with pauses that double to 30 s (AE-SYN-017)."""
        view = self.view
        if view is None or not self.up or not view.behind():
            self._fill_at, self._fill_pause = None, limits.FILL_FIRST_MS
            return
        if self._fill_at is None:
            self._fill_at = now + self._fill_pause  # what is missing may be on its way
        elif now >= self._fill_at:
            self._fill_pause = min(self._fill_pause * 2, limits.RESUBSCRIBE_GAP_MS)
            self._fill_at = now + self._fill_pause
            self.subscribe_again(self.topics.checkpoint(view.home), self.topics.log(view.home))

    def deadline(self) -> int | None:
        """Tell when a gap is filled next."""
        return self._fill_at

    def _on_log_topic(self, address: Address, data: Delivery, now: int) -> None:
        view = self.its_home(address)
        self.take_object(view, parse(data.payload), now)

    def _on_roster(self, address: Address, data: Delivery, now: int) -> None:
        view = self.its_home(address)
        if view.take_roster(data.payload):
            self.keep_rows(view)
            self.moved(view.version, now)

    def _on_ack(self, address: Address, data: Delivery, now: int) -> None:
        view = self.its_home(address)
        accessory = view.take_ack(parse(data.payload), now)
        if accessory is not None:
            self.keep_rows(view)
            self.acked(accessory, now)

    def _on_announce(self, address: Address, data: Delivery, now: int) -> None:
        accessory = address.accessory or NO_ACCESSORY
        if self.view is None:
            return
        announce = self.view.take_announce(parse(data.payload), accessory, now)
        if announce is not None:
            self.announced(announce, accessory, now)

    def _on_available(self, address: Address, data: Delivery, now: int) -> None:
        if self.view is not None and address.accessory is not None:
            self.view.note_available(address.accessory, there=data.payload != _AWAY, now=now)
