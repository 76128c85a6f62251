"""How an accessory begins, announces itself, joins and is reset."""

from dataclasses import replace

from accessory_emu.accessory.catalogue import build
from accessory_emu.accessory.device import Device, Founding, Membership, Standing, Supplies
from accessory_emu.accessory.snapshot import encode_mark, erase, keep_identity, keep_membership, keep_pairing
from accessory_emu.accessory.turn import Turn
from accessory_emu.pairing.pair_setup import PairSetupAccessory
from accessory_emu.pairing.setup_payload import setup_hash
from accessory_emu.protocol import limits
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.envelope import Context, seal
from accessory_emu.protocol.exchanges.key_update import make_ack
from accessory_emu.protocol.exchanges.sync import ask
from accessory_emu.protocol.identifiers import NO_HEAD, AccessoryId, BootId, hap_device_id
from accessory_emu.protocol.membership.freshness import Freshness
from accessory_emu.protocol.messages import Announce, Capabilities, Life
from accessory_emu.protocol.ports import Random
from accessory_emu.protocol.replay import Replay

SALT_SIZE = 16
ONLINE, OFFLINE = b"online", b"offline"
_LIVES = {
    Standing.UNPAIRED: Life.UNPAIRED,
    Standing.PAIRED: Life.PAIRED,
    Standing.MEMBER: Life.MEMBER,
}


def found(supplies: Supplies) -> Founding:
    """Make a new key, a new setup salt and its verifier: first start, or factory reset (AE-PAIR-070)."""
    random = supplies.random
    key, salt = SigningKey(random.bytes(limits.KEY_SIZE)), random.bytes(SALT_SIZE)
    return Founding(key, salt, supplies.label.verifier(salt))


def unknown(random: Random) -> Founding:
    """Give a locked accessory an identity that nobody knows and nobody is told."""
    return Founding(SigningKey(random.bytes(limits.KEY_SIZE)), bytes(SALT_SIZE), b"\x01")


def pairing_of(founding: Founding, random: Random) -> PairSetupAccessory:
    """Make the accessory's half of Pair-Setup."""
    device_id = hap_device_id(AccessoryId(founding.key.kid))
    return PairSetupAccessory(founding.key, device_id, founding.salt, founding.verifier, random)


def announce(device: Device, turn: Turn) -> None:
    """Publish the signed announcement, retained (AE-TOP-010); a locked accessory announces nothing."""
    if device.standing is Standing.LOCKED or not device.online:
        return
    config, log = device.config, device.member.log if device.member else None
    message = Announce(
        key=device.founding.key.public,
        boot=device.boot,
        life=_LIVES[device.standing],
        home=log.home if log else None,
        version=device.version(),
        head=log.head if log else NO_HEAD,
        category=config.kind.category,
        setup_hash=setup_hash(config.setup_id, hap_device_id(device.id)),
        capabilities=Capabilities(
            grants=config.grants,
            tombstones=config.tombstones,
            trusted_time=config.policy.keeps_time,
            strict=config.kind.strict,
            sync_hub_s=config.policy.hub_ms // 1000,
            sync_device_s=config.policy.device_ms // 1000,
            fresh_s=config.policy.fresh_ms // 1000,
        ),
        availability=config.topics.available(device.id),
    )
    sealed = seal(device.founding.key, Context.ANNOUNCE, message.encode(), accessory=device.id)
    turn.send(config.topics.announce(device.id), sealed.raw, retain=True)


def acknowledge(device: Device, turn: Turn) -> None:
    """Publish the signed ack of the own version, retained (AE-LOG-060)."""
    if device.member is None or not device.online:
        return
    sealed = make_ack(device.founding.key, device.member.log, device.member.refused)
    turn.send(device.config.topics.ack(device.member.log.home, device.id), sealed.raw, retain=True)


def came_online(device: Device, turn: Turn, now: int) -> None:
    """Say that it is there, where it stands, and ask whether that is current."""
    device.online = True
    device.freshness.linked(now)
    turn.send(device.config.topics.available(device.id), ONLINE, retain=True)
    announce(device, turn)
    acknowledge(device, turn)


def question(device: Device, turn: Turn, now: int) -> None:
    """Ask the sequencer, where a question is due (AE-SYN-014)."""
    if device.member is None or not device.freshness.question_due(now):
        return
    log, nonce = device.member.log, device.random.bytes(limits.NONCE_SIZE)
    device.freshness.ask(nonce, now)
    sealed = ask(device.founding.key, log, nonce)
    turn.send(device.config.topics.sync(log.home, device.id), sealed.raw)


def moved(device: Device, turn: Turn, member: Membership, *, checkpoint: bool) -> None:
    """Hold a new state of the log: kept, then acknowledged and announced."""
    before = device.member.log.allowlist if device.member else None
    device.member = member
    keep_membership(turn, member, checkpoint=checkpoint)
    for grant in before or ():
        now_held = member.log.allowlist.find(grant.kid)
        if now_held is None or now_held.id != grant.id:
            device.replay.forget_nonces(grant.kid)
    acknowledge(device, turn)
    announce(device, turn)


def joined(device: Device, turn: Turn, member: Membership, now: int) -> None:
    """Join a home: from here on authority is the log alone (AE-PAIR-048)."""
    device.joining, device.paired = None, None
    keep_pairing(turn, 0, None)
    moved(device, turn, member, checkpoint=True)
    device.freshness.adopted(member.place, now)


def note_synced(turn: Turn) -> None:
    """Keep that a question was answered since adoption (AE-SYN-024)."""
    turn.keep("synced", encode_mark())


def unpair(device: Device, turn: Turn) -> None:
    """Erase a pairing that no adoption followed (AE-PAIR-045)."""
    device.paired, device.joining = None, None
    keep_pairing(turn, device.tries, None)
    announce(device, turn)


def factory_reset(device: Device, turn: Turn, now: int) -> None:
    """Forget everything in one transaction: new key and id, new salt, empty store (AE-PAIR-070)."""
    old = device.id
    topics, home = device.config.topics, device.member.log.home if device.member else None
    founding = found(device.supplies)
    erase(turn)
    keep_identity(turn, founding)
    keep_pairing(turn, 0, None)
    turn.send(topics.announce(old), b"", retain=True)
    turn.send(topics.available(old), b"", retain=True)
    if home is not None:
        turn.send(topics.ack(home, old), b"", retain=True)
    device.founding = founding
    device.boot = BootId(device.random.bytes(limits.ID_SIZE))
    device.model = build(device.config.kind.name, device.config.state, device.id.hex())
    device.pairing = pairing_of(founding, device.random)
    device.locked, device.tries, device.paired, device.member, device.joining = "", 0, None, None, None
    device.replay, device.events_sent = Replay(), 0
    device.future.clear()
    device.answered.clear()
    device.freshness = replace_freshness(device, now)
    turn.send(topics.available(device.id), ONLINE, retain=True)
    announce(device, turn)
    turn.tell("reset", accessory_id=device.id.hex())


def replace_freshness(device: Device, now: int) -> Freshness:
    """Begin anew with what is known of being current, keeping the connection."""
    fresh = Freshness(device.config.policy, now)
    return replace(fresh, linked_at=now) if device.online else fresh
