"""The embedded broker between its connections: sessions, routing, retained messages, wills and hooks."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from accessory_emu.protocol.ports import Parcel
from accessory_emu.transports.broker_config import NO_FAULT, BrokerConfig, BrokerHooks, Fault, MessageInfo
from accessory_emu.transports.broker_session import Entry, Message, Session, SessionLink
from accessory_emu.transports.packet_values import (
    Connect,
    MqttReason,
    Publish,
    Subscribe,
    Subscription,
    Unsubscribe,
    Version,
    Will,
)
from accessory_emu.transports.retained_tree import RetainedTree
from accessory_emu.transports.subscription_trie import SubscriptionTrie
from accessory_emu.transports.topic_filters import TopicError, check_filter, check_topic

P = ParamSpec("P")
T = TypeVar("T")
_SHARED: Final = "$share/"
_ONLY_NEW: Final = 1  # retain handling: retained messages only if the subscription did not exist
_NEVER: Final = 2


class BrokerCore:
    """What all connections share. Its calls come from one event loop and never wait.

    Spec: AE-MQ-020 (retained), AE-MQ-021 (wills), AE-MQ-022 (take-over), AE-MQ-023 (bounds).
    """

    def __init__(self, config: BrokerConfig, hooks: BrokerHooks, counters: Counter[str]) -> None:
        self.config = config
        self.hooks = hooks
        self.counters = counters
        self.retained: RetainedTree[Message] = RetainedTree()
        self._retained_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._sessions: dict[str, Session] = {}
        self._listeners: SubscriptionTrie[Session, Subscription] = SubscriptionTrie()
        self._away: dict[str, asyncio.TimerHandle] = {}  # sessions without a client, the longest away first
        self._late_wills: dict[str, tuple[asyncio.TimerHandle, Will]] = {}
        self._delayed: set[asyncio.TimerHandle] = set()
        self._named = 0

    # Clients come and go

    def admit(self, connect: Connect) -> MqttReason:
        """Judge a CONNECT; anything but SUCCESS is a refusal."""
        if connect.auth_method is not None:
            return MqttReason.BAD_AUTHENTICATION_METHOD
        if connect.version is Version.MQTT_311 and not connect.client_id and not connect.clean_start:
            return MqttReason.CLIENT_ID_NOT_VALID
        if connect.will is not None:
            try:
                check_topic(connect.will.topic)
            except TopicError:
                return MqttReason.TOPIC_NAME_INVALID
        authenticate = self.hooks.authenticate
        if authenticate is None or self._ask(
            authenticate, connect.client_id, connect.username, connect.password
        ):
            return MqttReason.SUCCESS
        return MqttReason.BAD_USER_NAME_OR_PASSWORD

    def attach(self, connect: Connect, link: SessionLink) -> tuple[Session, bool]:
        """Give a client its session, new or kept; whoever else had the client id is disconnected."""
        client_id = connect.client_id or self._new_name()
        session = self._sessions.get(client_id)
        if session is not None and session.link is not None:
            self.counters["takeovers"] += 1
            session.link.close(MqttReason.SESSION_TAKEN_OVER)
            session = self._sessions.get(client_id)
        present = session is not None and not connect.clean_start
        if session is not None and not present:
            self._end(session)
        if session is None or not present:
            session = self._sessions[client_id] = Session(client_id, self.config, self.counters)
        self._back(client_id)
        self._take_late_will(client_id)
        session.link = link
        session.will = connect.will
        session.expiry_s = min(connect.session_expiry, self.config.session_expiry_s)
        session.resume()
        return session, present

    def detach(self, session: Session, *, will: bool) -> None:
        """Let a client go; `will` says that it went without a word."""
        session.link = None
        left, session.will = session.will if will else None, None
        if session.expiry_s == 0:
            self._end(session)
        else:
            self._keep(session)
        if left is not None and left.delay_s and session.expiry_s:
            delay = min(left.delay_s, session.expiry_s)
            timer = self._loop.call_later(delay, self._late_will, session.client_id)
            self._late_wills[session.client_id] = (timer, left)
        elif left is not None:
            self._bequeath(session.client_id, left)

    def link_of(self, client_id: str) -> SessionLink | None:
        """Find the connection of a client."""
        session = self._sessions.get(client_id)
        return None if session is None else session.link

    def stop(self) -> None:
        """Forget all that would happen later."""
        late = [timer for timer, _ in self._late_wills.values()]
        for timer in (*self._away.values(), *late, *self._delayed):
            timer.cancel()

    # Messages

    def publish(self, packet: Publish, client_id: str | None = None) -> tuple[MqttReason, Fault]:
        """Take a message in; the reason goes into its acknowledgement.

        Raises:
            TopicError: nothing can be published to this topic.
        """
        check_topic(packet.topic)
        may = self.hooks.may_publish
        if may is not None and client_id is not None and not self._ask(may, client_id, packet.topic):
            self.counters["denied"] += 1
            return MqttReason.NOT_AUTHORIZED, NO_FAULT
        self.counters["published"] += 1
        if self.hooks.tap is not None:
            self._ask(self.hooks.tap, packet.topic, packet.payload, packet.retain)
        fault = self._fault(packet, client_id)
        if fault.drop:
            return MqttReason.SUCCESS, fault
        for _ in range(fault.copies):
            if fault.delay_s > 0:
                self._later(packet, client_id, fault)
            else:
                self._spread(packet, client_id, fault)
        return MqttReason.SUCCESS, fault

    def retain(self, parcels: list[Parcel]) -> None:
        """Retain messages that were kept elsewhere, without forwarding them."""
        for parcel in parcels:
            check_topic(parcel.topic)
            self._retain(Message(Publish(parcel.topic, parcel.payload, 1, retain=True), self._loop.time()))

    def subscribe(self, session: Session, packet: Subscribe) -> tuple[int, ...]:
        """Subscribe a client and give a reason for each filter; the retained messages wait in its session."""
        return tuple(self._subscribe(session, asked) for asked in packet.subscriptions)

    def unsubscribe(self, session: Session, packet: Unsubscribe) -> tuple[int, ...]:
        """End subscriptions of a client."""
        return tuple(self._unsubscribe(session, topic_filter) for topic_filter in packet.filters)

    # Inside

    def _subscribe(self, session: Session, asked: Subscription) -> int:
        reason = self._may_subscribe(session, asked.topic_filter)
        if reason is not MqttReason.SUCCESS:
            self.counters["denied"] += 1
            return reason
        new = self._listeners.put(asked.topic_filter, session, asked)
        session.subscriptions[asked.topic_filter] = asked
        self.counters["subscribed"] += 1
        granted = min(asked.qos, 1)
        if asked.retain_handling == _NEVER or (asked.retain_handling == _ONLY_NEW and not new):
            return granted
        now = self._loop.time()
        for topic, message in self.retained.find(asked.topic_filter):
            if message.expired(now):
                self._forget(topic)
            else:
                session.offer_retained(Entry(message, min(granted, message.packet.qos), flag=True))
        return granted

    def _may_subscribe(self, session: Session, topic_filter: str) -> MqttReason:
        try:
            check_filter(topic_filter)
        except TopicError:
            return MqttReason.TOPIC_FILTER_INVALID
        if topic_filter.startswith(_SHARED):
            return MqttReason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
        known = topic_filter in session.subscriptions
        if not known and len(session.subscriptions) >= self.config.subscriptions:
            return MqttReason.QUOTA_EXCEEDED
        may = self.hooks.may_subscribe
        if may is None or self._ask(may, session.client_id, topic_filter):
            return MqttReason.SUCCESS
        return MqttReason.NOT_AUTHORIZED

    def _unsubscribe(self, session: Session, topic_filter: str) -> int:
        if session.subscriptions.pop(topic_filter, None) is None:
            return MqttReason.NO_SUBSCRIPTION_EXISTED
        self._listeners.remove(topic_filter, session)
        return MqttReason.SUCCESS

    def _fault(self, packet: Publish, client_id: str | None) -> Fault:
        if self.hooks.on_message is None:
            return NO_FAULT
        info = MessageInfo(client_id, packet.topic, packet.payload, packet.qos, packet.retain)
        return self._ask(self.hooks.on_message, info) or NO_FAULT

    def _later(self, packet: Publish, client_id: str | None, fault: Fault) -> None:
        def act() -> None:
            self._delayed.discard(timer)
            self._spread(packet, client_id, fault)

        timer = self._loop.call_later(fault.delay_s, act)
        self._delayed.add(timer)

    def _spread(self, packet: Publish, client_id: str | None, fault: Fault) -> None:
        payload = packet.payload if fault.payload is None else fault.payload
        plain = Publish(packet.topic, payload, min(packet.qos, 1), packet.retain, hints=packet.hints)
        message = Message(plain, self._loop.time())
        if packet.retain:
            self._retain(message)
        for session, (qos, flag) in self._receivers(packet, client_id).items():
            forced = flag if fault.retained_flag is None else fault.retained_flag
            session.offer(Entry(message, qos, forced))

    def _receivers(self, packet: Publish, client_id: str | None) -> dict[Session, tuple[int, bool]]:
        """Give each receiver the QoS and the retained flag that the most generous of its filters asks for."""
        most = min(packet.qos, 1)
        receivers: dict[Session, tuple[int, bool]] = {}
        for holders in self._listeners.find(packet.topic):
            for session, asked in holders.items():
                if asked.no_local and session.client_id == client_id:
                    continue
                qos, flag = receivers.get(session, (0, False))
                asks_flag = packet.retain and asked.retain_as_published
                receivers[session] = (max(qos, min(most, asked.qos)), flag or asks_flag)
        return receivers

    def _retain(self, message: Message) -> None:
        topic = message.packet.topic
        old = self._forget(topic)
        if not message.packet.payload:
            return
        full = len(self.retained) >= self.config.retained
        if full or self._retained_bytes + message.size > self.config.retained_bytes:
            self.counters["retained_refused"] += 1
            if old is not None:  # an old value would be worse than none: it would be taken for the newest
                self.counters["retained_lost"] += 1
            return
        self.retained.put(topic, message)
        self._retained_bytes += message.size

    def _forget(self, topic: str) -> Message | None:
        old = self.retained.remove(topic)
        if old is not None:
            self._retained_bytes -= old.size
        return old

    def _keep(self, session: Session) -> None:
        timer = self._loop.call_later(session.expiry_s, self._end, session)
        self._away[session.client_id] = timer
        if len(self._away) > self.config.sessions:
            self._end(self._sessions[next(iter(self._away))])

    def _end(self, session: Session) -> None:
        """Forget a session; a will that waited for it is due."""
        self._back(session.client_id)
        del self._sessions[session.client_id]
        for topic_filter in session.subscriptions:
            self._listeners.remove(topic_filter, session)
        self._late_will(session.client_id)

    def _late_will(self, client_id: str) -> None:
        """Publish the will that waited for the client to come back, if there is one."""
        will = self._take_late_will(client_id)
        if will is not None:
            self._bequeath(client_id, will)

    def _take_late_will(self, client_id: str) -> Will | None:
        timer, will = self._late_wills.pop(client_id, (None, None))
        if timer is not None:
            timer.cancel()
        return will

    def _back(self, client_id: str) -> None:
        timer = self._away.pop(client_id, None)
        if timer is not None:
            timer.cancel()

    def _bequeath(self, client_id: str, will: Will) -> None:
        self.counters["wills"] += 1
        self.publish(Publish(will.topic, will.payload, will.qos, will.retain, hints=will.hints), client_id)

    def _new_name(self) -> str:
        while True:
            self._named += 1
            name = f"unnamed-{self._named}"
            if name not in self._sessions:
                return name

    def _ask(self, hook: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return hook(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a user's hook must not end a connection
            self.counters["hook_errors"] += 1
            self.hooks.error = error
            return None
