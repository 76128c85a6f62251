"""The engine on its own: one reason a test, joined by the hand that can sign anything."""

import pytest

from accessory_emu.protocol import limits
from accessory_emu.protocol.identifiers import Version
from accessory_emu.protocol.membership.checkpoint import SequencerKind
from accessory_emu.protocol.messages import Op
from accessory_emu.protocol.ports import Event
from accessory_emu.protocol.reasons import Reason
from tests.hand import OFF, ON, Hand, key
from tests.world import World

ROSA, EVE, BEN = key("rosa"), key("eve"), key("ben")


class Scene:
    """A home with one lamp that obeys rosa."""

    def __init__(self, kind: str = "light", sequencer: SequencerKind = SequencerKind.DEVICE) -> None:
        self.world = World()
        self.hand = Hand(self.world, sequencer)
        self.node = self.world.accessory("lamp", kind)
        self.world.settle()
        self.hand.adopt(self.node)
        self.update(self.hand.entry(self.hand.add(ROSA)))

    def update(self, raw: bytes) -> Event:
        """Hand an object of the log to the inbox."""
        return self.node.inbox(raw)

    def is_on(self) -> bool:
        """Tell whether the lamp is on."""
        return self.node.accessory.device.model.read([(1, 10)])[0].value is True


@pytest.fixture
def scene() -> Scene:
    return Scene()


def says(event: Event) -> tuple[object, object, object, object]:
    return tuple(event.fields[name] for name in ("verdict", "check", "reason", "answered"))


OBEYED = ("accepted", None, None, True)


def refused(check: str, reason: str) -> tuple[str, str, str, bool]:
    return ("refused", check, reason, True)


def silent(check: str, reason: str) -> tuple[str, str, str, bool]:
    return ("silent", check, reason, False)


def test_a_resident_is_obeyed_and_the_answer_names_the_command(scene: Scene) -> None:
    assert says(scene.node.inbox(scene.hand.command(scene.node, ROSA, ON))) == OBEYED
    assert scene.is_on()
    assert scene.hand.last_answer(scene.node, ROSA).status is None


def test_an_outsider_meets_silence(scene: Scene) -> None:
    assert says(scene.node.inbox(scene.hand.command(scene.node, EVE, ON))) == silent("key", "unknown_key")
    assert not scene.is_on()


def test_the_same_command_again_gets_the_same_answer_and_no_second_act(scene: Scene) -> None:
    on = scene.hand.command(scene.node, ROSA, ON)
    scene.node.inbox(on)
    scene.node.inbox(scene.hand.command(scene.node, ROSA, OFF))
    assert says(scene.node.inbox(on)) == ("duplicate", None, None, True)
    assert not scene.is_on()


def test_a_refusal_is_final_for_its_bytes(scene: Scene) -> None:
    ahead = scene.hand.command(scene.node, ROSA, ON, version=Version(0, 99))
    assert says(scene.node.inbox(ahead)) == refused("log", "acl_behind")
    assert says(scene.node.inbox(ahead)) == ("duplicate", None, None, True)
    assert scene.hand.last_answer(scene.node, ROSA).status is Reason.ACL_BEHIND
    assert not scene.is_on()


def test_a_removal_bites_at_once_and_for_ever(scene: Scene) -> None:
    held_back = scene.hand.command(scene.node, ROSA, ON)
    assert says(scene.update(scene.hand.entry(scene.hand.remove(ROSA))))[0] == "applied"
    assert says(scene.node.inbox(held_back)) == silent("key", "unknown_key")
    scene.node.restart()
    scene.world.settle()
    assert says(scene.node.inbox(held_back)) == silent("key", "unknown_key")
    assert not scene.is_on()


def test_a_command_moved_to_another_accessory_does_not_verify(scene: Scene) -> None:
    other = scene.world.accessory("other")
    scene.world.settle()
    scene.hand.adopt(other)
    moved = scene.hand.command(scene.node, ROSA, ON)
    assert says(other.inbox(moved)) == silent("signature", "bad_signature")
    assert says(scene.node.inbox(moved)) == OBEYED


def test_a_retained_command_is_ignored(scene: Scene) -> None:
    on = scene.hand.command(scene.node, ROSA, ON)
    assert says(scene.node.inbox(on, retained=True)) == ("ignored", None, None, False)
    assert says(scene.node.inbox(on)) == OBEYED


def test_a_restart_makes_every_earlier_command_stale(scene: Scene) -> None:
    held_back = scene.hand.command(scene.node, ROSA, ON)
    scene.node.restart()
    scene.world.settle()
    scene.hand.sync(scene.node)
    assert says(scene.node.inbox(held_back)) == refused("boot", "stale_boot")
    assert says(scene.node.inbox(scene.hand.command(scene.node, ROSA, ON))) == OBEYED


def test_values_and_members_survive_a_restart(scene: Scene) -> None:
    scene.node.inbox(scene.hand.command(scene.node, ROSA, ON))
    scene.node.restart()
    scene.world.settle()
    assert scene.is_on()
    assert scene.node.accessory.device.version() == scene.hand.log.version


def test_after_a_start_members_wait_for_the_first_answer_and_the_owner_does_not(scene: Scene) -> None:
    scene.node.restart()
    scene.world.settle()
    early = scene.hand.command(scene.node, ROSA, ON)
    assert says(scene.node.inbox(early)) == refused("sync", "not_in_sync")
    assert says(scene.node.inbox(scene.hand.command(scene.node, scene.hand.owner, ON))) == OBEYED
    scene.hand.sync(scene.node)
    assert says(scene.node.inbox(scene.hand.command(scene.node, ROSA, OFF))) == OBEYED


def test_a_lock_without_trusted_time_wants_a_nonce_and_takes_each_once() -> None:
    scene = Scene("lock")
    scene.node.restart()
    scene.world.settle()
    scene.world.advance(limits.START_GRACE_MS)
    lock = (1, 10, 0)
    plain = scene.hand.command(scene.node, ROSA, lock)
    assert says(scene.node.inbox(plain)) == refused("expiry", "expired")
    scene.node.inbox(scene.hand.command(scene.node, ROSA, op=Op.PREPARE))
    results = scene.hand.last_answer(scene.node, ROSA).results
    nonce = results[1]  # type: ignore[index, call-overload]  # the shape of prepare's results
    assert says(scene.node.inbox(scene.hand.command(scene.node, ROSA, lock, nonce=nonce))) == OBEYED
    again = scene.hand.command(scene.node, ROSA, lock, nonce=nonce)
    assert says(scene.node.inbox(again)) == refused("expiry", "expired")


def test_an_accessory_that_is_behind_obeys_the_owner_only_until_it_has_caught_up(scene: Scene) -> None:
    missing = scene.hand.entry(scene.hand.add(BEN))
    scene.node.inbox(scene.hand.head())
    on = scene.hand.command(scene.node, ROSA, ON, version=Version(0, 1))
    assert says(scene.node.inbox(on)) == refused("sync", "not_in_sync")
    assert says(scene.update(missing))[0] == "applied"
    assert says(scene.node.inbox(scene.hand.command(scene.node, ROSA, ON))) == OBEYED


def test_a_future_entry_is_kept_and_applied_in_its_turn(scene: Scene) -> None:
    first, second = scene.hand.entry(scene.hand.add(BEN)), scene.hand.entry(scene.hand.remove(ROSA))
    assert says(scene.update(second)) == ("ignored", "log", "acl_behind", False)
    scene.update(first)
    assert scene.node.accessory.device.version() == scene.hand.log.version
    assert says(scene.node.inbox(scene.hand.command(scene.node, ROSA, ON))) == silent("key", "unknown_key")


def test_a_hostile_request_never_holds_up_the_removal_behind_it(scene: Scene) -> None:
    hostile = [b"no request", scene.hand.add(EVE, author=ROSA), scene.hand.add(EVE, expires=1)]
    verdict = scene.update(scene.hand.entry(*hostile, scene.hand.remove(ROSA)))
    reasons = [reason for _, reason in verdict.fields["refused"]]  # type: ignore[attr-defined]  # pairs
    assert reasons == ["malformed", "forbidden", "expired"]
    assert says(scene.node.inbox(scene.hand.command(scene.node, ROSA, ON))) == silent("key", "unknown_key")


def test_a_contradiction_of_the_sequencer_leaves_only_the_owner_obeyed(scene: Scene) -> None:
    honest = scene.hand.head()
    other = scene.hand.head(head=bytes(32))
    verdict = scene.node.inbox(b"\x82" + honest + other)
    assert says(verdict)[0] == "applied"
    assert says(scene.node.inbox(scene.hand.command(scene.node, ROSA, ON))) == refused("log", "conflict")
    assert says(scene.node.inbox(scene.hand.command(scene.node, scene.hand.owner, ON))) == OBEYED
    scene.node.restart(cut=True)
    scene.world.settle()
    scene.hand.sync(scene.node)
    assert says(scene.node.inbox(scene.hand.command(scene.node, ROSA, OFF))) == refused("log", "conflict")
    assert says(scene.update(scene.hand.next_checkpoint()))[0] == "applied"
    scene.world.settle()
    scene.hand.sync(scene.node)
    assert says(scene.node.inbox(scene.hand.command(scene.node, ROSA, OFF))) == OBEYED


def test_a_contradiction_of_the_sequencer_holds_up_no_removal(scene: Scene) -> None:
    scene.node.inbox(b"\x82" + scene.hand.head() + scene.hand.head(head=bytes(32)))
    assert says(scene.update(scene.hand.entry(scene.hand.remove(ROSA))))[0] == "applied"
    member = scene.node.accessory.device.member
    assert member is not None
    assert member.log.only_owner
    assert member.log.allowlist.find(ROSA.kid) is None


def test_the_same_head_twice_proves_nothing(scene: Scene) -> None:
    assert says(scene.node.inbox(b"\x82" + scene.hand.head() * 2))[0] == "ignored"
    assert says(scene.node.inbox(scene.hand.command(scene.node, ROSA, ON))) == OBEYED


def test_a_checkpoint_that_brings_a_removed_person_back_does_not(scene: Scene) -> None:
    grant = scene.hand.log.allowlist.find(ROSA.kid)
    assert grant is not None
    scene.update(scene.hand.entry(scene.hand.remove(ROSA)))
    grants = (*scene.hand.log.allowlist.ordered(), grant)
    verdict = scene.update(
        scene.hand.next_checkpoint(grants=grants, tombstones=type(scene.hand.log.tombstones)())
    )
    assert verdict.fields["refused"] == ((grant.id.hex(), "stale_acl"),)
    assert says(scene.node.inbox(scene.hand.command(scene.node, ROSA, ON))) == silent("key", "unknown_key")


def test_a_release_by_the_owner_is_a_factory_reset_and_others_may_not(scene: Scene) -> None:
    old = scene.node.id
    denied = scene.hand.command(scene.node, ROSA, op=Op.RELEASE)
    assert says(scene.node.inbox(denied)) == refused("rights", "forbidden")
    assert says(scene.node.inbox(scene.hand.command(scene.node, scene.hand.owner, op=Op.RELEASE))) == OBEYED
    assert scene.node.id != old
    assert scene.node.accessory.device.member is None
    assert scene.world.topics.announce(old) not in scene.world.network.retained()


def test_a_pairing_without_adoption_is_erased_after_two_minutes() -> None:
    world = World()
    hand, node = Hand(world), world.accessory("lamp")
    world.settle()
    hand.pair(node)
    world.advance(limits.ADOPT_WITHIN_MS - 1)
    assert node.accessory.device.paired is not None
    world.advance(1)
    assert node.accessory.device.paired is None


@pytest.mark.parametrize("cut", range(6))
def test_a_power_cut_at_any_write_leaves_the_old_list_or_the_new_one(cut: int) -> None:
    scene = Scene()
    before = scene.node.accessory.device.version()
    scene.node.store = scene.node.store.survivors(cut)
    removal = scene.hand.entry(scene.hand.remove(ROSA))
    scene.world.publish(scene.world.topics.inbox(scene.node.id), removal)
    scene.world.settle()
    acked = not scene.node.dead
    scene.node.restart(cut=True)
    scene.world.settle()
    now = scene.node.accessory.device.version()
    assert now in ({scene.hand.log.version} if acked else {before, scene.hand.log.version})
    assert scene.node.accessory.device.member is not None
