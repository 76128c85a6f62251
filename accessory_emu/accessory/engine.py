"""Delivery and now in; writes, parcels, events and a deadline out.

The engine routes; `on_command`, `on_log` and `on_pairing` act; `lifecycle` begins and ends. Every inbound
message gets exactly one verdict event. Nothing leaves before the durable rows of its turn are kept.
"""

from collections.abc import Callable, Mapping
from typing import Final

from accessory_emu.accessory import lifecycle, snapshot
from accessory_emu.accessory.catalogue import build
from accessory_emu.accessory.device import Device, DeviceConfig, Membership, Standing, Supplies
from accessory_emu.accessory.on_command import on_command
from accessory_emu.accessory.on_log import (
    fill_gap,
    on_answer,
    on_checkpoint,
    on_entry,
    on_head,
    on_pair_of_objects,
)
from accessory_emu.accessory.on_pairing import on_adopt, on_joining, on_pair_setup
from accessory_emu.accessory.turn import Outcome, Ruling, Turn
from accessory_emu.protocol import limits
from accessory_emu.protocol.envelope import Context, Envelope, parse
from accessory_emu.protocol.errors import Malformed, NotPaired, Unproven
from accessory_emu.protocol.identifiers import AccessoryId, BootId
from accessory_emu.protocol.membership.freshness import Freshness
from accessory_emu.protocol.ports import Delivery, Event, Link, Parcel, Write
from accessory_emu.protocol.reasons import Reason, Rung
from accessory_emu.protocol.topics import Address, Channel

_LOG_ROUTES: Final[Mapping[Context, Callable[[Device, Turn, Membership, Envelope, int], Ruling]]] = {
    Context.ENTRY: on_entry,
    Context.CHECKPOINT: on_checkpoint,
    Context.HEAD: on_head,
    Context.SYNC_ANSWER: on_answer,
}
_HOME_CHANNELS: Final = (Channel.LOG, Channel.CHECKPOINT, Channel.HEAD)
_PROOF = b"\x82"


class AccessoryEngine:
    """One emulated accessory; an Engine of ports.py.

    Args:
        config: what is decided before the first start.
        supplies: dice, the sticker, and the good signatures that accessories of one process share.
        rows: what the store holds under this accessory's prefix; empty for one that was never started.
        now: the running clock, in ms.

    Rows that do not read back make it a locked accessory, which obeys nobody and answers nothing until a
    factory reset; never an unpaired one.
    """

    def __init__(self, config: DeviceConfig, supplies: Supplies, rows: Mapping[str, bytes], now: int) -> None:
        self._turn = Turn()
        self._device = _start(config, supplies, rows, now, self._turn)
        self._open = any(write.durable for write in self._turn.writes)
        self._turn.tell("boot", boot=self._device.boot.hex(), locked=self._device.locked)

    # what others may look at

    @property
    def id(self) -> AccessoryId:
        """The accessory's id; a factory reset changes it."""
        return self._device.id

    @property
    def device(self) -> Device:
        """The state, to look at."""
        return self._device

    # Engine

    def receive(self, data: Delivery, now: int) -> None:
        """Take one delivery in; it gets exactly one verdict."""
        address = self._device.config.topics.parse(data.topic)
        ruling = self._route(data, address, now)
        self._rule(data, ruling)
        self._close(now)

    def linked(self, link: Link, now: int) -> None:
        """Learn that the connection came up or went down."""
        if link.up:
            lifecycle.came_online(self._device, self._turn, now)
        else:
            self._device.online = False
            self._device.freshness.unlinked(now)
        self._close(now)

    def tick(self, now: int) -> None:
        """Ask, fill a gap, or give a pairing up."""
        if self._device.standing is Standing.PAIRED and now >= self._adopt_by():
            lifecycle.unpair(self._device, self._turn)
        self._close(now)

    def factory_reset(self, now: int) -> None:
        """Do what a person does with the reset button (AE-PAIR-070)."""
        lifecycle.factory_reset(self._device, self._turn, now)
        self._close(now)

    def writes(self) -> tuple[Write, ...]:
        """Hand over the rows of this turn."""
        rows, self._turn.writes = tuple(self._turn.writes), []
        return rows

    def committed(self) -> None:
        """Learn that the rows are kept."""
        self._open = False

    def outbox(self) -> tuple[Parcel, ...]:
        """Hand over what is ready to leave."""
        if self._open:
            return ()
        parcels, self._turn.parcels = tuple(self._turn.parcels), []
        return parcels

    def next_event(self) -> Event | None:
        """Hand over one event, oldest first."""
        return self._turn.events.pop(0) if self._turn.events else None

    def filters(self) -> frozenset[str]:
        """Tell what to listen to: the one inbox, pairing, and the log of the own home."""
        topics, device = self._device.config.topics, self._device
        filters = {topics.inbox(device.id), topics.pair_request(device.id)}
        if device.member is not None:
            home = device.member.log.home
            filters |= {topics.log(home), topics.checkpoint(home), topics.head(home)}
        return frozenset(filters)

    def again(self) -> frozenset[str]:
        """Tell which filters to subscribe anew in this turn."""
        again, self._turn.again = frozenset(self._turn.again), set()
        return again

    def deadline(self) -> int | None:
        """Tell when `tick` is wanted: the next question, or the end of the wait for an adoption."""
        device = self._device
        if device.standing is Standing.MEMBER:
            return device.freshness.deadline()
        return self._adopt_by() if device.standing is Standing.PAIRED else None

    # inside

    def _adopt_by(self) -> int:
        return max(self._device.paired_at, self._device.started) + limits.ADOPT_WITHIN_MS

    def _close(self, now: int) -> None:
        """End a turn: ask if a question is due; hold the outbox while durable rows are open."""
        lifecycle.question(self._device, self._turn, now)
        member = self._device.member
        if member is not None and self._device.freshness.behind(member.log.version):
            fill_gap(self._device, self._turn, now)
        self._open = self._open or any(write.durable for write in self._turn.writes)

    def _route(self, data: Delivery, address: Address | None, now: int) -> Ruling:
        device, turn = self._device, self._turn
        channel = address.channel if address else None
        if address is None or channel not in (Channel.INBOX, Channel.PAIR_REQUEST, *_HOME_CHANNELS):
            return Ruling(Outcome.IGNORED, "not a topic of this accessory")
        if data.retained and channel not in _HOME_CHANNELS:
            return Ruling(Outcome.IGNORED, "retained")
        if device.standing is Standing.LOCKED:
            return Ruling(
                Outcome.SILENT, "locked: its store is damaged", reason=Reason.UNAVAILABLE, rung=Rung.KEY
            )
        if channel is Channel.PAIR_REQUEST:
            return on_pair_setup(device, turn, address.exchange or b"", data.payload, now)
        return self._judge(data.payload, now)

    def _judge(self, payload: bytes, now: int) -> Ruling:
        """Judge what came through the inbox or the topics of the home."""
        device, turn = self._device, self._turn
        envelope: Envelope | None = None
        try:
            if payload[:1] == _PROOF:
                if device.member is None:
                    raise NotPaired
                return on_pair_of_objects(device, turn, device.member, payload)
            envelope = parse(payload)
            return self._dispatch(envelope, now)
        except Unproven as error:
            device.refusals[error.reason] += 1
            return Ruling.against(error, "message", envelope.kid if envelope else None)

    def _dispatch(self, envelope: Envelope, now: int) -> Ruling:
        device, turn = self._device, self._turn
        if envelope.context is Context.COMMAND:
            return on_command(device, turn, envelope, now)
        if envelope.context is Context.ADOPT:
            return on_adopt(device, turn, envelope)
        handler = _LOG_ROUTES.get(envelope.context)
        if handler is None:
            raise Malformed("no message for an accessory")
        joins = envelope.context in (Context.CHECKPOINT, Context.ENTRY)
        if device.joining is not None and joins:
            return on_joining(device, turn, device.joining, envelope, now)
        if device.member is None:
            raise NotPaired
        return handler(device, turn, device.member, envelope, now)

    def _rule(self, data: Delivery, ruling: Ruling) -> None:
        self._turn.tell(
            "verdict",
            topic=data.topic,
            event=ruling.kind,
            kid=ruling.kid.hex() if ruling.kid else None,
            verdict=ruling.outcome.value,
            check=ruling.rung.value if ruling.rung else None,
            reason=ruling.reason.word if ruling.reason else None,
            answered=ruling.answered,
            version=self._device.version(),
            raw=None if ruling.kind == "pairing" else data.payload,
            bytes=len(data.payload),
            what=ruling.what,
            refused=tuple((name.hex(), reason.word) for name, reason in ruling.refused),
        )


def _start(
    config: DeviceConfig, supplies: Supplies, rows: Mapping[str, bytes], now: int, turn: Turn
) -> Device:
    """Begin, or begin again with what was kept."""
    random, locked, kept = supplies.random, "", None
    try:
        kept = snapshot.restore(rows, config)
    except Malformed as error:
        locked = error.detail
    if kept is not None:
        founding = kept.founding
    elif locked:
        founding = lifecycle.unknown(random)
    else:
        founding = lifecycle.found(supplies)
        snapshot.keep_identity(turn, founding)
        snapshot.keep_pairing(turn, 0, None)
    model = build(config.kind.name, config.state, AccessoryId(founding.key.kid).hex())
    if kept is not None and kept.values is not None:
        try:
            model = model.load(kept.values)
        except Malformed as error:
            locked = f"values: {error.detail}"
    return Device(
        config=config,
        supplies=supplies,
        founding=founding,
        boot=BootId(random.bytes(limits.ID_SIZE)),
        model=model,
        pairing=lifecycle.pairing_of(founding, random),
        freshness=Freshness(config.policy, now, synced_once=bool(kept and kept.synced)),
        started=now,
        locked=locked,
        tries=kept.tries if kept else 0,
        paired=kept.paired if kept else None,
        paired_at=now,
        member=kept.member if kept else None,
    )
