"""One key behind one lock: gives requests their order, signs entries, heads and sync answers."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Self

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.envelope import Context, Envelope, parse, verify
from accessory_emu.protocol.errors import Malformed, ProtocolError, UnknownKey
from accessory_emu.protocol.exchanges import sync
from accessory_emu.protocol.exchanges.delegation import respond
from accessory_emu.protocol.identifiers import AccessoryId, GrantId, Version
from accessory_emu.protocol.membership.entry import Entry
from accessory_emu.protocol.membership.grant import Grant
from accessory_emu.protocol.membership.log import Log
from accessory_emu.protocol.membership.request import request_id
from accessory_emu.protocol.messages import Announce, HubResponse, HubStatus, Statement
from accessory_emu.protocol.ports import Delivery, Parcel, Random
from accessory_emu.protocol.reasons import Reason
from accessory_emu.protocol.topics import Address, Channel, Topics
from controllers import home_rows
from controllers.actor import earliest
from controllers.answers import Answers
from controllers.errors import StateDamaged
from controllers.following import Carrying, Follower
from controllers.home import HomeView
from controllers.invitation import Trust, trust_in
from controllers.ordering import judge_request, smallest
from controllers.record import Forked
from controllers.retained import Retained

_MS = 1000
_HEAD = "head"


class Post(Enum):
    """What a sequencer is doing."""

    LOOKING = "looking"  # for objects that it signed itself and does not hold
    SERVING = "serving"
    SUPERSEDED = "superseded"  # a newer checkpoint names another key
    BROKEN = "broken"  # it has signed two heads of one version: only a new epoch helps


class Sequencer(Follower):
    """Orders the changes of one home.

    The law, in the order of the code:

    1. It signs nothing before it has looked for what it signed itself, nothing below that, nothing without
       the roster, and nothing more once a newer checkpoint names another key (AE-LOG-076 to AE-LOG-078).
    2. A request gets one answer, kept before it leaves; a refusal stays the answer (AE-LOG-074).
    3. An entry is in the store before it is published, and is published before its head (AE-LOG-073).
    4. A question is answered, and what is missing follows, checkpoint first (AE-SYN-005).

    Args:
        key: the sequencing key; it holds no grant and commands nothing (AE-LOG-004).
        topics: the address grammar.
        random: dice.
        rows: what a store kept under this actor's prefix.

    Raises:
        StateDamaged: the rows are missing or do not read back.
    """

    view: HomeView

    def __init__(self, key: SigningKey, topics: Topics, random: Random, rows: Mapping[str, bytes]) -> None:
        view = _view(rows)
        super().__init__(topics, random, view)
        self.view = view
        self.key = key
        self.post = Post.LOOKING
        self.answered = 0  # questions of accessories
        self._answers = Answers(rows)
        self._retained = Retained()
        self._signed = _signed_head(rows, key, view)  # the newest head that left, or was about to
        self._look_until: int | None = None
        self._head_at: int | None = None
        self._early: list[tuple[Address, Delivery]] = []
        self._carrying = Carrying(self, limits.CARRY_GAP_MS)
        if view.log is not None and view.log.sequencer != key.public:
            self.post = Post.SUPERSEDED
        self._retained.become(self._standing(), set(), 0)
        if raw := rows.get(_HEAD):
            self._retained.put(topics.head(view.home), raw, 0)

    @classmethod
    def found(cls, key: SigningKey, topics: Topics, random: Random, genesis: bytes, now: int) -> Self:
        """Begin with the genesis checkpoint of a home; its rows are this first turn's.

        Raises:
            ProtocolError: it is no genesis checkpoint.
            ValueError: it names another sequencer.
        """
        trust = trust_in(genesis)
        sequencer = cls(key, topics, random, {home_rows.TRUST: trust.encode()})
        sequencer.keep(home_rows.TRUST, trust.encode())
        sequencer.take_object(sequencer.view, parse(genesis), now)
        if sequencer.post is Post.SUPERSEDED:
            raise ValueError("the checkpoint names another sequencer")
        sequencer.post = Post.SERVING  # a key that has signed nothing has nothing to look for
        return sequencer

    # what others may look at

    @property
    def may_sign(self) -> bool:
        """Whether it signs anything now (AE-LOG-076 to AE-LOG-078)."""
        view = self.view
        if self.post is not Post.SERVING or not view.roster_known or view.behind():
            return False
        return self._signed is None or view.version >= self._signed.version

    # Engine

    def filters(self) -> frozenset[str]:
        """Tell what to listen to: the home, requests, questions, and its own retained topics."""
        topics, home = self.topics, self.view.home
        filters = {topics.hub_inbox(home), topics.sync(home)}
        if self.view.checkpoint is not None and self.view.base_roster():
            filters.add(topics.roster(home, self.view.checkpoint.checkpoint.roster))
        return super().filters() | filters

    def routes(self) -> Mapping[Channel, Callable[[Address, Delivery, int], None]]:
        """Tell who takes what arrives on a channel."""
        mine = {Channel.HUB_INBOX: self._on_hub_inbox, Channel.SYNC: self._on_question}
        return {**super().routes(), **mine}

    def came_up(self, now: int) -> None:
        """Look at what stands on the own topics; what is missing is published when the look ends."""
        self._retained.connected()
        fresh = self.post is Post.SERVING and self._signed is None
        self._look_until = now if fresh else now + limits.LOOK_MS
        self._head_at = None

    def receive(self, data: Delivery, now: int) -> None:
        """Take one delivery in, and see whether it stands where an own object should stand."""
        super().receive(data, now)
        if self.post in (Post.LOOKING, Post.SERVING):
            self._retained.saw(data.topic, data.payload, now)

    def settle(self, now: int) -> None:
        """Do whatever is due: end the look, answer who waited, heartbeat, restore, carry."""
        super().settle(now)
        if not self.up:
            self._look_until = self._head_at = None
            self._early.clear()
            return
        if self._look_until is not None and now >= self._look_until:
            self._end_look(now)
        if self.may_sign and self._look_until is None:
            self._serve(now)

    def deadline(self) -> int | None:
        """Tell when `tick` is wanted."""
        if not self.up:
            return None
        due = earliest(super().deadline(), self._look_until)
        if not self.may_sign or self._look_until is not None:
            return due
        return earliest(due, self._head_at, self._retained.deadline(), self._carrying.deadline())

    # what follows from what arrives

    def moved(self, before: Version | None, now: int) -> None:
        """Publish what is new: entries, then the head; in a new epoch everything (AE-LOG-073)."""
        view, log = self.view, self.view.log
        if log is None:
            return
        if log.sequencer != self.key.public:
            if self.post is not Post.SUPERSEDED:
                self.post = Post.SUPERSEDED
                self.tell("superseded", version=log.version)
            return
        if before is None or before.epoch != log.version.epoch:
            self._new_epoch()
        self._stand(now)
        if self.may_sign:
            self._publish_head(now)
        elif not view.roster_known:
            self.tell("roster_missing", version=log.version)

    def acked(self, accessory: AccessoryId, now: int) -> None:
        """See whether an accessory lacks something."""
        self._carrying.showed(accessory, self.view, now)

    def announced(self, announce: Announce, accessory: AccessoryId, now: int) -> None:
        """See whether an accessory of this home lacks something."""
        if announce.home == self.view.home:
            self._carrying.showed(accessory, self.view, now)

    def forked(self, fork: Forked) -> None:
        """Stop: this key has signed two heads of one version (AE-LOG-050)."""
        if self.post is Post.SUPERSEDED:
            super().forked(fork)
            return
        self.post = Post.BROKEN
        self.tell("equivocated", version=fork.version)

    def take_object(self, view: HomeView, envelope: Envelope, now: int) -> None:
        """Take an object of the log; the own head at the own version ends the look early."""
        super().take_object(view, envelope, now)
        if envelope.context is Context.HEAD and self._look_until is not None and not view.behind():
            self._look_until = min(self._look_until, now + limits.LOOK_SHORT_MS)

    # requests

    def _on_hub_inbox(self, address: Address, data: Delivery, now: int) -> None:
        view = self.its_home(address)
        if data.retained:
            return
        envelope = parse(data.payload)
        if envelope.context is not Context.REQUEST:
            self.take_object(view, envelope, now)
            return
        name = request_id(envelope, view.home)
        known = self._answers.find(name)
        if known is not None and self.post in (Post.SERVING, Post.LOOKING):
            verify(envelope, known.author, view.home)
            self.send(self.topics.member(view.home, crypto.key_id(known.author)), known.raw)
            return
        author = view.grant(envelope.kid)
        if author is None or view.log is None:
            raise UnknownKey("not a member")
        verify(envelope, author.key, view.home)
        if self.may_sign:
            self._answer(envelope, name, author, view.log, now)
        else:
            self._wait(address, data)

    def _answer(self, envelope: Envelope, name: GrantId, author: Grant, log: Log, now: int) -> None:
        """Order a request, or refuse it; either is kept before anything leaves (AE-LOG-070 to AE-LOG-074)."""
        time = self._time(now)
        reason = judge_request(envelope.raw, envelope.payload, self.view, log, time)
        version = None
        if reason is None:
            version = Version(log.version.epoch, log.version.seq + 1)
            entry = Entry(version, log.head, (envelope.raw,), time)
            self.take_object(self.view, parse(entry.sign(self.key, log.home).raw), now)
            self.tell("ordered", request=name.hex(), version=version, author=author.kid.hex())
        else:
            what = smallest(self.view)[1] if reason is Reason.LIST_FULL else None
            self.tell("refused", request=name.hex(), reason=reason.word, accessory=what and what.hex())
        status = HubStatus.COMMITTED if reason is None else HubStatus.REFUSED
        response = HubResponse(name, status, time, reason, version)
        raw = respond(self.key, log.home, response).raw
        for row in self._answers.keep(name, author.key, raw, version):
            self.keep(row.key, row.value)
        self.send(self.topics.member(log.home, author.kid), raw)

    def _wait(self, address: Address, data: Delivery) -> None:
        """Keep a verified request or question until this sequencer may sign."""
        if self.post in (Post.LOOKING, Post.SERVING) and len(self._early) < limits.EARLY_KEPT:
            self._early.append((address, data))

    # questions

    def _on_question(self, address: Address, data: Delivery, now: int) -> None:
        view = self.its_home(address)
        key = view.roster.keys.get(address.accessory) if address.accessory else None
        if key is None or address.accessory is None:
            raise UnknownKey("not enrolled")
        if data.retained:
            return
        question = sync.read_question(parse(data.payload), key, view.home)
        if not self.may_sign or view.log is None:
            self._wait(address, data)
            return
        log, accessory = view.log, address.accessory
        if question.version == log.version and question.head != log.head:
            self.tell("fork", version=log.version, accessory=accessory.hex())
        statement = Statement(log.version, log.head, self._time(now), question.nonce)
        sealed = sync.answer(self.key, log.home, accessory, statement)
        self.send(self.topics.inbox(accessory), sealed.raw)
        self.answered += 1
        self._carrying.carry(accessory, question.version, view, now)

    # what is due

    def _end_look(self, now: int) -> None:
        self._look_until = None
        if self.post is Post.LOOKING:
            self.post = Post.SERVING
        if self.post is not Post.SERVING:
            return
        if not self.may_sign:
            self.tell("cannot_sign", version=self.view.version, roster=self.view.roster_known)
            return
        for parcel in self._retained.unseen(now):
            self._send(parcel)

    def _serve(self, now: int) -> None:
        if self._head_at is None or now >= self._head_at:
            self._publish_head(now)
        early, self._early = self._early, []
        for address, data in early:
            try:
                self.routes()[address.channel](address, data, now)
            except ProtocolError as error:
                self.skipped[error.reason] += 1
        for parcel in self._retained.overwritten(now):
            self._send(parcel)
        self._carrying.settle(self.view, now)

    def _publish_head(self, now: int) -> None:
        """Sign and publish a head: kept first, so that no later one states an earlier time (AE-SYN-006)."""
        log = self.view.log
        if log is None:
            return
        self._signed = Statement(log.version, log.head, self._time(now))
        raw = sync.head(self.key, log.home, self._signed).raw
        self.keep(_HEAD, raw)
        self._head_at = now + limits.HEAD_EVERY_MS
        self._send(self._retained.put(self.topics.head(log.home), raw, now))

    def _time(self, now: int) -> int:
        """Give the time to state: never before what this epoch has stated (AE-LOG-075)."""
        log, signed = self.view.log, self._signed
        same = log is not None and signed is not None and signed.version.epoch == log.version.epoch
        stated = (signed.time or 0) if same and signed is not None else 0
        return max(now // _MS, log.time if log else 0, stated)

    def _new_epoch(self) -> None:
        """Serve a new epoch that names this key; what it lacks is judged anew (AE-LOG-091)."""
        if self.post in (Post.SUPERSEDED, Post.BROKEN):
            self.post = Post.SERVING
        self._signed = None
        checkpoint = self.view.checkpoint.checkpoint if self.view.checkpoint else None
        if checkpoint is not None and checkpoint.prev is not None:
            for row in self._answers.forget_after(checkpoint.prev.version):
                self.keep(row.key, row.value)

    def _stand(self, now: int) -> None:
        """Publish what is new of the standing objects, and clear what was of an old epoch."""
        for parcel in self._retained.become(self._standing(), {self.topics.head(self.view.home)}, now):
            self._send(parcel)

    def _standing(self) -> dict[str, bytes]:
        """Tell what has to stand on retained topics, in the order of publishing."""
        view, topics, home = self.view, self.topics, self.view.home
        if view.checkpoint is None or self.post is Post.SUPERSEDED:
            return {}
        wanted = {topics.checkpoint(home): view.checkpoint.raw}
        if base := view.base_roster():
            wanted[topics.roster(home, view.checkpoint.checkpoint.roster)] = base
        return wanted | {topics.log(home, entry.version): entry.raw for entry in view.entries}

    def _send(self, parcel: Parcel) -> None:
        self.send(parcel.topic, parcel.payload, retain=parcel.retain)


def _view(rows: Mapping[str, bytes]) -> HomeView:
    if home_rows.TRUST not in rows:
        raise StateDamaged("a sequencer begins with `found`, or with its rows")
    try:
        trust = Trust.decode(rows[home_rows.TRUST])
    except Malformed as error:
        raise StateDamaged("where the home begins does not read back") from error
    return HomeView(trust, rows, durable=True)


def _signed_head(rows: Mapping[str, bytes], key: SigningKey, view: HomeView) -> Statement | None:
    try:
        if _HEAD not in rows:
            return None
        envelope = parse(rows[_HEAD])
        verify(envelope, key.public, view.home)
        return Statement.decode_head(envelope.payload)
    except ProtocolError as error:
        raise StateDamaged("the newest head does not read back") from error
