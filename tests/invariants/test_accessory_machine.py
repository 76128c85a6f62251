"""S1-S5, S9, S11-S14, S16, S18, S19, S21 and S23 over the real engine, on the in-memory network.

The broker is the enemy: whatever was ever published may come again, changed or not, at any time. The rules
below are its moves and the home's; the invariants hold after each of them.
"""

from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from accessory_emu.accessory.engine import AccessoryEngine
from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey, admissible_key
from accessory_emu.protocol.envelope import Context, GoodSignatures, object_id, parse
from accessory_emu.protocol.errors import ProtocolError
from accessory_emu.protocol.exchanges.key_update import read_ack
from accessory_emu.protocol.identifiers import FIRST, AccessoryId, GrantId, PublicKey, Version
from accessory_emu.protocol.membership.grant import RESIDENT_TERMS, Terms
from accessory_emu.protocol.membership.privileges import EVERYTHING, Privilege, Role, Scope
from accessory_emu.protocol.messages import Command, Op
from accessory_emu.protocol.ports import Event
from tests.hand import OFF, ON, Hand, key
from tests.world import World

PEOPLE = {name: key(name) for name in ("rosa", "ben", "gus", "vera")}
TERMS = {
    "rosa": RESIDENT_TERMS,
    "ben": RESIDENT_TERMS,
    "gus": Terms(Role.GUEST, Privilege.OPERATE, Scope.of([])),  # a scope of nothing
    "vera": Terms(Role.GUEST, Privilege.VIEW, EVERYTHING),
}
EVE = key("eve")
WEAK = PublicKey(bytes(32))
NAMES = st.sampled_from(sorted(PEOPLE))
ITEMS = st.sampled_from([ON, OFF])


class Counting(GoodSignatures):
    """Counts verifications; remembers nothing, so that each one is seen."""

    count = 0

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Verify, and count."""
        self.count += 1
        return super().verify(public, message, signature)


class Home(RuleBasedStateMachine):
    """One lamp, one home, one hostile broker."""

    @initialize(kind=st.sampled_from(["light", "lock"]))
    def begin(self, kind: str) -> None:
        """Found the home, bring the accessory in."""
        self.world = World(5)
        self.memo = Counting(1)
        self.world.memo = self.memo
        self.hand = Hand(self.world)
        self.node = self.world.accessory("device", kind)
        self.values = (ON, OFF) if kind == "light" else ((1, 10, 0), (1, 10, 1))
        self.world.settle()
        self.hand.adopt(self.node)
        self.sent: list[bytes] = [self.hand.checkpoint_raw]
        self.executed: set[tuple[bytes, bytes, int]] = set()
        self.removed: set[GrantId] = set()
        self.version, self.floor, self.acked = self.hand.log.version, self.hand.log.version, FIRST
        self.life = self.node.id
        self.judged = len(self.node.verdicts)

    # what the home does

    def _say(self, raw: bytes, *, deliver: bool) -> None:
        self.sent.append(raw)
        if deliver:
            self._deliver(raw)

    def _entry(self, requests: Sequence[bytes], *, deliver: bool) -> None:
        self._say(self.hand.entry(*requests), deliver=deliver)

    @rule(name=NAMES, deliver=st.booleans())
    def add(self, name: str, deliver: bool) -> None:  # noqa: FBT001 - hypothesis gives it by name
        """The owner adds somebody, or tries again."""
        self._entry([self.hand.add(PEOPLE[name], TERMS[name])], deliver=deliver)

    @rule(name=NAMES, deliver=st.booleans(), hostile=st.booleans())
    def remove(self, name: str, deliver: bool, hostile: bool) -> None:  # noqa: FBT001 - as above
        """The owner removes somebody; hostile requests may stand in front of it."""
        if self.hand.log.allowlist.find(PEOPLE[name].kid) is None:
            return
        bad = [b"junk", self.hand.add(EVE, author=EVE), self.hand.add(key("mal"), author=PEOPLE[name])]
        requests = [*(bad if hostile else []), self.hand.remove(PEOPLE[name])]
        self._entry(requests, deliver=deliver)

    @rule(deliver=st.booleans())
    def add_weak_key(self, deliver: bool) -> None:  # noqa: FBT001 - as above
        """Somebody puts a key of small order into a request."""
        self._entry([self.hand.add(EVE, key=WEAK)], deliver=deliver)

    @rule(deliver=st.booleans(), draw=st.integers(0, 3))
    def checkpoint(self, deliver: bool, draw: int) -> None:  # noqa: FBT001 - as above
        """The owner opens a new epoch."""
        self._say(self.hand.next_checkpoint(draw=draw), deliver=deliver)

    @rule()
    def head(self) -> None:
        """The sequencer's heartbeat."""
        self._say(self.hand.head(), deliver=True)

    @precondition(lambda self: self.node.accessory.device.member is not None)
    @rule()
    def answer(self) -> None:
        """The sequencer answers the newest question."""
        self._say(self.hand.answer(self.node), deliver=True)

    @rule(name=NAMES, first=st.booleans(), deliver=st.booleans(), stale=st.booleans())
    def command(self, name: str, first: bool, deliver: bool, stale: bool) -> None:  # noqa: FBT001 - above
        """A member, or somebody who was one, sends a command."""
        fields = {"version": FIRST} if stale else {}
        value = self.values[0 if first else 1]
        self._say(self.hand.command(self.node, PEOPLE[name], value, **fields), deliver=deliver)

    @rule(name=NAMES)
    def read(self, name: str) -> None:
        """S19: what only looks changes nothing."""
        before = self.node.state()
        self._deliver(self.hand.command(self.node, PEOPLE[name], op=Op.READ, args=[[1, 10]]))
        assert self.node.state() == before

    # what the enemy does

    @rule(pick=st.integers(0, 10_000))
    def again(self, pick: int) -> None:
        """Whatever was sent comes again."""
        self._deliver(self.sent[pick % len(self.sent)])

    @rule(pick=st.integers(0, 10_000), at=st.integers(0, 10_000), bit=st.integers(0, 7))
    def changed(self, pick: int, at: int, bit: int) -> None:
        """S14: one bit is changed; no state changes, nobody is answered, one verification at most."""
        raw = bytearray(self.sent[pick % len(self.sent)])
        raw[at % len(raw)] ^= 1 << bit
        self._silent(bytes(raw))

    @rule(junk=st.binary(max_size=80))
    def junk(self, junk: bytes) -> None:
        """S14: bytes that mean nothing."""
        self._silent(junk)

    @rule()
    def stranger(self) -> None:
        """S14: a stranger signs what would be right of a member."""
        self._silent(self.hand.command(self.node, EVE, self.values[0]))

    def _silent(self, raw: bytes) -> None:
        before, count, sent = self.node.state(), self.memo.count, len(self.world.network.traffic)
        self._deliver(raw)
        assert self.node.state() == before
        assert self.memo.count - count <= 1
        own = [parcel for parcel in self.world.network.traffic[sent + 1 :] if "/sync/" not in parcel.topic]
        assert own == []

    # what happens to the device

    @rule(cut=st.booleans())
    def restart(self, cut: bool) -> None:  # noqa: FBT001 - as above
        """It restarts, or the power is cut."""
        self.node.restart(cut=cut)
        self.world.settle()

    @rule(ms=st.sampled_from([0, 1_000, 6_000, 61_000, limits.FRESH_MS]))
    def wait(self, ms: int) -> None:
        """Time goes by."""
        self.world.advance(ms)

    @rule()
    def reset(self) -> None:
        """S12: after a factory reset nothing earlier counts; then it is paired again."""
        engine = self.node.engine
        assert isinstance(engine, AccessoryEngine)
        self.node.act(lambda: engine.factory_reset(self.world.now))
        self.world.settle()
        assert self.node.accessory.device.member is None
        for raw in self.sent[-12:]:
            self.node.inbox(raw)
        assert self.node.accessory.device.member is None
        self.judged = len(self.node.verdicts)
        self.hand.adopt(self.node)
        self.life, self.removed = self.node.id, set()
        self.version = self.floor = self.hand.log.version
        self.acked = FIRST
        self.judged = len(self.node.verdicts)

    @rule()
    def catch_up(self) -> None:
        """L1, S23: with everything delivered in order, it is at the head, whatever stood in the log."""
        self._deliver(self.hand.checkpoint_raw)
        for raw in self.hand.entries:
            self._deliver(raw)
        log = self.node.accessory.device.member
        assert log is not None
        assert log.log.version == self.hand.log.version
        assert set(log.log.allowlist.grants) == set(self.hand.log.allowlist.grants)

    # how a message arrives, and what is held against the verdicts

    def _deliver(self, raw: bytes) -> None:
        before = self.node.accessory.device.member
        self.world.publish(self.world.topics.inbox(self.node.id), raw)
        self.world.settle()
        for verdict in self.node.verdicts[self.judged :]:
            if verdict.fields["verdict"] == "accepted" and before is not None:
                self._executed(verdict, before.log.allowlist.grants)
        self.judged = len(self.node.verdicts)

    def _executed(self, verdict: Event, grants: object) -> None:
        """S1 to S4, S21: who was obeyed had the right, here, in this boot, once; and the answer names it."""
        raw = verdict.fields["raw"]
        assert isinstance(raw, bytes)
        envelope = parse(raw)
        assert envelope.context is Context.COMMAND
        assert isinstance(grants, dict)
        assert envelope.kid in grants  # S1
        name = object_id(envelope, self.hand.home, self.node.id)
        command = Command.decode(envelope.payload)
        assert raw in self.sent or command.op == Op.READ  # S1: exactly what was signed
        assert command.boot == self.node.accessory.device.boot  # S2
        once = (envelope.kid, command.boot, command.ctr)
        assert once not in self.executed  # S3
        self.executed.add(once)
        person = next(one for one in PEOPLE.values() if one.kid == envelope.kid)
        if command.op == Op.WRITE:  # S4
            assert person not in (PEOPLE["gus"], PEOPLE["vera"])
        assert command.version >= grants[envelope.kid].since
        assert self.hand.last_answer(self.node, person).to == name[:16]  # S21

    # invariants

    @invariant()
    def versions_never_fall(self) -> None:
        """S5, S13: between factory resets the version never falls, nor below the floor."""
        if not hasattr(self, "node") or self.node.id != self.life:
            return
        now = self.node.accessory.device.version()
        assert now >= self.version
        assert now >= self.floor
        self.version = now

    @invariant()
    def what_was_acknowledged_is_kept(self) -> None:
        """S18: no ack that left is ever taken back, power cuts included."""
        if not hasattr(self, "node"):
            return
        topic = self.world.topics.ack(self.hand.home, self.node.id)
        raw = self.world.network.retained().get(topic)
        if raw:
            public = self.node.accessory.device.founding.key.public
            try:
                self.acked = max(self.acked, read_ack(parse(raw), public, self.hand.home).version)
            except ProtocolError:
                return
        assert self.node.accessory.device.version() >= self.acked

    @invariant()
    def members_are_in_order(self) -> None:
        """S9, S11, S16: the removed stay out, one owner, admissible keys only."""
        if not hasattr(self, "node"):
            return
        member = self.node.accessory.device.member
        assert member is not None
        self.removed |= set(member.log.tombstones.items)
        for grant in member.log.allowlist:
            assert grant.root not in self.removed
            assert grant.id not in self.removed
            assert admissible_key(grant.key)
        assert [grant.role for grant in member.log.allowlist].count(Role.OWNER) == 1


Home.TestCase.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestHome = Home.TestCase


def test_the_machine_speaks_of_real_people() -> None:
    assert isinstance(PEOPLE["rosa"], SigningKey)
    assert Version(0, 0) == FIRST
    assert len({person.kid for person in PEOPLE.values()} | {AccessoryId(EVE.kid)}) == len(PEOPLE) + 1
