"""The owner with real accessories: founding, pairing, commanding, removing; and what can go wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from accessory_emu.accessory.device import Standing
from accessory_emu.pairing.setup_payload import BadSetupCode
from accessory_emu.protocol import limits
from accessory_emu.protocol.exchanges.command import respond
from accessory_emu.protocol.identifiers import NO_HOME, AccessoryId, Version
from accessory_emu.protocol.membership.grant import RESIDENT_TERMS
from accessory_emu.protocol.messages import Op, Response
from accessory_emu.protocol.ports import Engine, Parcel
from accessory_emu.protocol.reasons import Reason
from controllers.attempt import Accepted, Act, Silent
from controllers.errors import Code, ControllerError
from controllers.invitation import Trust
from controllers.member import Member
from controllers.owner import Owner
from controllers.pairing_flow import Pairing, Step
from controllers.results import Change, ChangeState, RowState
from controllers.sequencer import Sequencer
from tests.controllers.village import key, person
from tests.world import CODE, AccessoryNode, Node, World


@dataclass
class House:
    """A home that its owner founds, with real accessories."""

    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        self.node = self.world.add("olga", self._owner)
        self.world.settle()
        founded: list[bytes] = []
        self.node.act(lambda: founded.append(self.owner.create_home(key("sequencer").public, self.world.now)))
        self.genesis = founded[0]
        self.sequencing = self.world.add("sequencer", self._sequencer)
        self.world.advance(1000)

    def _owner(self, rows: Mapping[str, bytes]) -> Engine:
        return Owner(person("olga"), self.world.topics, self.world.random.child("olga"), rows)

    def _sequencer(self, rows: Mapping[str, bytes]) -> Engine:
        topics, random = self.world.topics, self.world.random.child("sequencer")
        if rows:
            return Sequencer(key("sequencer"), topics, random, rows)
        return Sequencer.found(key("sequencer"), topics, random, self.genesis, self.world.now)

    @property
    def owner(self) -> Owner:
        """The owner's actor."""
        assert isinstance(self.node.engine, Owner)
        return self.node.engine

    def accessory(self, name: str, kind: str = "light") -> AccessoryNode:
        """Plug an accessory in."""
        node = self.world.accessory(name, kind)
        self.world.settle()
        return node

    def pair(self, accessory: AccessoryId, code: str = CODE, replaces: AccessoryId | None = None) -> Pairing:
        """Begin a pairing and give it time."""
        pairings: list[Pairing] = []
        self.node.act(lambda: pairings.append(self.owner.pair(accessory, code, self.world.now, replaces)))
        self.world.advance(5_000)
        return pairings[0]

    def paired(self, name: str, kind: str = "light") -> AccessoryNode:
        """Plug an accessory in and pair it."""
        node = self.accessory(name, kind)
        assert self.pair(node.id).step is Step.DONE
        return node

    def change(self, verb: Callable[[Owner, int], Change]) -> Change:
        """Let the owner change something."""
        changes: list[Change] = []
        self.node.act(lambda: changes.append(verb(self.owner, self.world.now)))
        self.world.advance(1000)
        return changes[0]

    def member(self, name: str) -> Node:
        """Add a resident and plug their device in."""
        self.change(lambda owner, now: owner.add_local(person(name), RESIDENT_TERMS, now))
        log = self.owner.view.log if self.owner.view else None
        assert log is not None
        trust = Trust(log.home, log.owner, log.version, log.head)

        def build(rows: Mapping[str, bytes]) -> Engine:
            return Member(person(name), self.world.topics, self.world.random.child(name), rows, trust)

        node = self.world.add(name, build)
        self.world.advance(100)
        return node

    def write(self, node: Node, accessory: AccessoryNode) -> Act:
        """Let somebody write something."""
        assert isinstance(node.engine, Member)
        who, acts = node.engine, []
        node.act(lambda: acts.append(who.write(accessory.id, [(1, 10, True)], self.world.now)))
        self.world.advance(limits.ANSWER_WAIT_MS + 500)
        act: Act = acts[0]
        return act


def test_a_person_is_silence_before_obeyed_after_and_silence_when_removed() -> None:
    house = House()
    lamp = house.paired("lamp")
    rosa = house.member("rosa")
    assert isinstance(house.write(rosa, lamp).outcome, Accepted)
    assert house.owner.view is not None
    grant = house.owner.view.grant(key("rosa").kid)
    assert grant is not None
    change = house.change(lambda owner, now: owner.remove_user(grant.root, now, "rosa"))
    assert change.state is ChangeState.COMMITTED
    states = [row.state for row in change.table.rows(house.owner.view, house.world.now)]
    assert states == [RowState.COMMITTED]
    assert isinstance(house.write(rosa, lamp).outcome, Silent)
    assert isinstance(house.write(house.node, lamp).outcome, Accepted), "the owner is obeyed"


@pytest.mark.parametrize("kind", ["light", "lock", "thermostat"])
def test_pairing_enrols_pairs_and_adopts(kind: str) -> None:
    house = House()
    node = house.accessory("it", kind)
    assert house.owner.unpaired() == [node.id]
    pairing = house.pair(node.id)
    assert (pairing.step, pairing.failure, pairing.version) == (Step.DONE, None, Version(0, 1))
    assert node.accessory.device.standing is Standing.MEMBER
    assert house.owner.view is not None
    assert house.owner.view.at_head(node.id)
    assert house.owner.unpaired() == []
    member = node.accessory.device.member
    assert member is not None
    assert node.accessory.device.freshness.in_sync(member.log.version, house.world.now)


def test_an_accessory_is_found_by_the_setup_id_of_its_label() -> None:
    house = House()
    node = house.accessory("lamp")
    assert house.owner.find("7K2P") == [node.id]
    assert house.owner.find("0000") == []


def test_a_wrong_code_ends_with_a_release() -> None:
    house = House()
    node = house.accessory("lamp")
    pairing = house.pair(node.id, "203-45-172")
    assert pairing.step is Step.FAILED
    assert pairing.failure is not None
    assert (pairing.failure.step, pairing.failure.reason) == (Step.PAIRING, Reason.BAD_SIGNATURE)
    assert pairing.failure.tlv_error == 2
    assert house.owner.view is not None
    assert house.owner.view.version == Version(0, 2), "enrolled, then released"
    assert node.id not in house.owner.view.roster
    assert house.pair(node.id).step is Step.DONE, "and with the right one it comes in"


def test_a_code_that_no_accessory_may_have_is_refused_at_once() -> None:
    house = House()
    node = house.accessory("lamp")
    before = len(house.world.network.traffic)
    with pytest.raises(BadSetupCode):
        house.pair(node.id, "111-11-111")
    assert len(house.world.network.traffic) == before


def test_an_accessory_that_nobody_hears_is_not_reachable() -> None:
    house = House()
    pairing = house.pair(AccessoryId(b"nobody!!"))
    house.world.advance(limits.PAIR_WAIT_MS)
    assert pairing.step is Step.FAILED
    assert pairing.failure is not None
    assert pairing.failure.code is Code.ACCESSORY_NOT_REACHABLE
    assert house.owner.view is not None
    assert house.owner.view.version == Version(0, 0), "nothing was enrolled"


def test_an_accessory_that_falls_silent_is_released_after_the_time() -> None:
    house = House()
    node = house.accessory("lamp")
    node.dead = True
    pairing = house.pair(node.id)
    assert pairing.step is Step.PAIRING
    house.world.advance(limits.PAIR_WAIT_MS)
    assert pairing.step is Step.FAILED
    assert pairing.failure is not None
    assert pairing.failure.code is Code.TIMED_OUT_WAITING_FOR_ACCESSORY
    assert house.owner.view is not None
    assert node.id not in house.owner.view.roster


def test_pairing_twice_changes_nothing() -> None:
    house = House()
    node = house.paired("lamp")
    pairing = house.pair(node.id)
    assert pairing.failure is not None
    assert pairing.failure.reason is Reason.UNAVAILABLE
    assert house.owner.view is not None
    assert node.id in house.owner.view.roster, "its enrolment was not this pairing's"


def test_without_a_sequencer_nothing_is_paired() -> None:
    house = House()
    node = house.accessory("lamp")
    house.sequencing.dead = True
    pairing = house.pair(node.id)
    house.world.advance(limits.REQUEST_WAIT_MS)
    assert pairing.failure is not None
    assert (pairing.failure.step, pairing.failure.code) == (Step.ENROLLING, Code.NO_REPLY)
    assert node.accessory.device.standing is Standing.UNPAIRED


def test_lost_messages_of_pairing_and_adoption_are_sent_again() -> None:
    house = House()
    node = house.accessory("lamp")
    dropped: set[str] = set()

    def first_of_each(parcel: Parcel) -> bool:
        kind = parcel.topic.rsplit("/", 1)[-1]
        if kind in ("req", "res", "in") and kind not in dropped:
            dropped.add(kind)
            return True
        return False

    house.world.network.hold(first_of_each)
    pairing = house.pair(node.id)
    house.world.advance(20_000)
    assert dropped == {"req", "res", "in"}
    assert pairing.step is Step.DONE


def test_a_restart_between_pairing_and_adoption_is_survived() -> None:
    house = House()
    node = house.accessory("lamp")
    house.world.network.hold(lambda each: each.topic.endswith("/in") and "/a/" in each.topic)
    pairing = house.pair(node.id)
    assert pairing.step is Step.ADOPTING
    node.restart()
    house.world.network.release()
    house.world.advance(10_000)
    assert pairing.step is Step.DONE


def _adopting(house: House) -> tuple[AccessoryNode, Pairing]:
    """Stop a pairing when its adoption is on the way."""
    node = house.accessory("lamp")
    house.world.network.hold(lambda each: each.topic.endswith("/in") and "/a/" in each.topic)
    pairing = house.pair(node.id)
    assert pairing.step is Step.ADOPTING
    return node, pairing


def _answer(house: House, node: AccessoryNode, pairing: Pairing, reason: Reason, to: bytes = b"") -> None:
    """Let the accessory answer the adoption, signed."""
    device = node.accessory.device
    home = house.owner.view.home if house.owner.view else NO_HOME
    response = Response(device.boot, to or pairing.adopt, reason, Version(0, 0))
    raw = respond(device.founding.key, home, response).raw
    house.world.publish(house.world.topics.out(node.id, key("olga").kid), raw)
    house.world.settle()


@pytest.mark.parametrize("reason", [Reason.FORBIDDEN, Reason.BAD_SIGNATURE, Reason.NOT_SUPPORTED])
def test_an_adoption_that_is_refused_ends_with_a_release(reason: Reason) -> None:
    house = House()
    node, pairing = _adopting(house)
    _answer(house, node, pairing, reason, bytes(16))
    assert not pairing.done, "another message's answer"
    _answer(house, node, pairing, reason)
    assert pairing.step is Step.FAILED
    assert pairing.failure is not None
    assert (pairing.failure.step, pairing.failure.reason) == (Step.ADOPTING, reason)
    assert house.owner.view is not None
    assert node.id not in house.owner.view.roster


@pytest.mark.parametrize("reason", [Reason.STALE_BOOT, Reason.CONFLICT])
def test_an_adoption_is_begun_anew_five_times_and_then_given_up(reason: Reason) -> None:
    house = House()
    node, pairing = _adopting(house)
    for offers in range(2, 7):
        _answer(house, node, pairing, reason)
        assert (pairing.step, pairing.offers) == (Step.ADOPTING, offers)
    _answer(house, node, pairing, reason)
    assert pairing.step is Step.FAILED


def test_a_change_during_the_pairing_does_not_stop_it() -> None:
    house = House()
    node = house.accessory("lamp")
    house.world.network.hold(lambda each: each.topic.endswith("/in") and "/a/" in each.topic)
    pairing = house.pair(node.id)
    house.change(lambda owner, now: owner.add_local(person("rosa"), RESIDENT_TERMS, now))
    house.world.network.release()
    house.world.advance(10_000)
    assert pairing.step is Step.DONE
    assert house.owner.view is not None
    assert house.owner.view.at_head(node.id)


def test_a_device_that_was_reset_takes_the_place_of_its_former_self() -> None:
    house = House()
    node = house.paired("lamp")
    old = node.id
    node.act(lambda: node.accessory.factory_reset(house.world.now))
    house.world.settle()
    assert node.id != old
    assert house.pair(node.id, replaces=old).step is Step.DONE
    assert house.owner.view is not None
    assert set(house.owner.view.roster.keys) == {node.id}


def test_release_resets_the_accessory_and_ends_its_enrolment() -> None:
    house = House()
    node = house.paired("lamp")
    old, acts = node.id, []
    house.node.act(lambda: acts.append(house.owner.command(old, Op.RELEASE, house.world.now)))
    house.world.advance(100)
    assert isinstance(acts[0].outcome, Accepted)
    change = house.change(lambda owner, now: owner.end_enrolment(old, now))
    assert change.state is ChangeState.COMMITTED
    assert change.table.pending() == []
    assert node.accessory.device.standing is Standing.UNPAIRED


def test_there_is_one_home_an_owner() -> None:
    house = House()
    with pytest.raises(ControllerError) as failed:
        house.owner.create_home(key("x").public, house.world.now)
    assert failed.value.code is Code.OWNERSHIP_FAILURE


def test_before_a_home_is_founded_nothing_can_be_paired() -> None:
    world = World()
    owner = Owner(person("olga"), world.topics, world.random, {})
    with pytest.raises(ControllerError) as failed:
        owner.pair(AccessoryId(bytes(8)), CODE, world.now)
    assert failed.value.code is Code.HOME_NOT_KNOWN
    assert owner.unpaired() == []
    assert owner.find("7K2P") == []
    assert owner.grant is None
    assert owner.foreseen(world.now) is None


def test_owner_and_sequencer_go_on_after_a_restart() -> None:
    house = House()
    lamp = house.paired("lamp")
    house.node.restart(cut=True)
    house.sequencing.restart(cut=True)
    house.world.advance(2000)
    assert isinstance(house.write(house.node, lamp).outcome, Accepted)
    rosa = house.member("rosa")
    assert isinstance(house.write(rosa, lamp).outcome, Accepted)


def test_an_accessory_that_was_away_catches_up_without_anybody_acting() -> None:
    house = House()
    lamp, door = house.paired("lamp"), house.paired("door", "lock")
    lamp.link.drop()
    change = house.change(lambda owner, now: owner.add_local(person("rosa"), RESIDENT_TERMS, now))
    assert change.table.pending() == [lamp.id]
    house.world.network.forget_retained()
    lamp.link.restore()
    house.world.advance(3_000)
    assert change.table.pending() == []
    assert house.owner.view is not None
    assert all(house.owner.view.at_head(each.id) for each in (lamp, door))
