"""MQTT 3.1.1 and 5 packets to values and back: the one door to mqtt5; pure.

The codec speaks MQTT 5 only, so a 3.1.1 packet is written as the MQTT 5 packet of the same meaning before it
is read, and the other way round (`packet_grammar`). It panics on a text that is not UTF-8, so every packet is
walked through before it is handed over.

Spec: AE-MQ-001.
"""

from collections.abc import Callable, Mapping
from typing import Final, Never

import mqtt5

from accessory_emu.transports import packet_grammar, packet_values
from accessory_emu.transports.packet_values import (
    NEVER_EXPIRES,
    NO_HINTS,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Hints,
    Packet,
    PacketError,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Version,
    Will,
)

_FAILURE: Final = 128
_SHORT: Final = 4  # bytes of an ack that gives no reason
_PUBACK: Final = b"\x40\x02"
_ACKS: Final[Mapping[bytes, type[PubAck | PubRec | PubRel | PubComp]]] = {
    _PUBACK: PubAck,
    b"\x50\x02": PubRec,
    b"\x62\x02": PubRel,
    b"\x70\x02": PubComp,
}
_NOTHING: Final = (False, None, None, None, None, ())  # the fields of NO_HINTS
_MOST_IDS: Final = 0xFFFF


def read(frame: bytes, version: Version) -> Packet:
    """Read one whole packet.

    Raises:
        PacketError: the bytes are no packet of this version.
    """
    if len(frame) < len(_PUBACK):
        raise PacketError("a packet has at least two bytes")
    if len(frame) == _SHORT and (ack := _ACKS.get(frame[:2])) is not None and frame[2:] != b"\0\0":
        return ack(int.from_bytes(frame[2:]))  # the same in both protocols, and half of all packets
    if version is Version.MQTT_311:
        raised = packet_grammar.raised(frame)
    else:
        packet_grammar.check(frame)
        raised = frame
    packet = _decode(raised)
    return _READERS[type(packet)](packet, version)


def write(packet: Packet, version: Version) -> bytes:
    """Write one packet; on 3.1.1, properties and reasons that it cannot say stay behind.

    Raises:
        PacketError: the value has no form on the wire (a text too long, a number out of range, no packet id).
    """
    if type(packet) is PubAck and packet.reason == 0 and 0 < packet.packet_id <= _MOST_IDS:
        return _PUBACK + packet.packet_id.to_bytes(2)
    try:
        value = _WRITERS[type(packet)](packet, version)
        frame: bytes = value.write()
    except (ValueError, TypeError, OverflowError) as error:
        raise PacketError(f"a {type(packet).__name__} that cannot be written: {error}") from None
    except BaseException as error:  # noqa: BLE001 - the codec panics with a BaseException
        _only_panic(error)
    if version is Version.MQTT_311:
        return packet_grammar.lowered(frame)
    packet_grammar.check(frame)  # whatever is written can be read
    return frame


def split_publish(packet: Publish, version: Version) -> tuple[bytes, bytes]:
    """Write a PUBLISH of QoS 1 once for many receivers: what stands before and behind the packet id."""
    frame = write(packet, version)
    at = packet_grammar.packet_id_at(frame)
    return frame[:at], frame[at + 2 :]


def _decode(frame: bytes) -> mqtt5.Packet:
    try:
        packet, size = mqtt5.read(memoryview(frame))
    except (ValueError, IndexError) as error:
        raise PacketError(f"no MQTT packet: {error}") from None
    except BaseException as error:  # noqa: BLE001 - the codec panics with a BaseException
        _only_panic(error)
    if size != len(frame):
        raise PacketError("no MQTT packet: its fields and its length disagree")
    return packet


def _only_panic(error: BaseException) -> Never:
    """Turn a panic of the codec into a PacketError; let KeyboardInterrupt, SystemExit and all others pass."""
    if type(error).__name__ != "PanicException":
        raise error
    raise PacketError("the codec panics on this packet") from None


def _read_connect(packet: mqtt5.ConnectPacket, version: Version) -> Connect:
    expiry = packet.session_expiry_interval
    if version is Version.MQTT_311:
        expiry = 0 if packet.clean_start else NEVER_EXPIRES
    return Connect(
        client_id=packet.client_id,
        version=version,
        clean_start=packet.clean_start,
        keep_alive=packet.keep_alive,
        username=packet.username,
        password=packet.password,
        will=None if packet.will is None else _read_will(packet.will),
        session_expiry=expiry,
        receive_max=packet.receive_max,
        max_packet=packet.max_packet_size,
        auth_method=packet.authentication_method,
    )


def _read_will(will: mqtt5.Will) -> Will:
    return Will(
        will.topic,
        will.payload or b"",
        int(will.qos),
        will.retain,
        will.will_delay_interval,
        _read_hints(will),
    )


def _read_hints(packet: mqtt5.PublishPacket | mqtt5.Will) -> Hints:
    values = (
        bool(packet.payload_format_indicator),
        packet.message_expiry_interval,
        packet.content_type,
        packet.response_topic,
        packet.correlation_data,
        tuple(packet.user_properties),
    )
    return NO_HINTS if values == _NOTHING else Hints(*values)


def _read_connack(packet: mqtt5.ConnAckPacket, _version: Version) -> ConnAck:
    return ConnAck(
        packet.session_present,
        int(packet.reason_code),
        packet.session_expiry_interval,
        packet.assigned_client_id,
        packet.server_keep_alive,
        packet.receive_max,
        packet.max_packet_size,
        packet.subscription_id_available,
        packet.shared_subscription_available,
    )


def _read_publish(packet: mqtt5.PublishPacket, version: Version) -> Publish:
    return Publish(
        packet.topic,
        packet.payload,
        int(packet.qos),
        packet.retain,
        packet.packet_id,
        packet.duplicate,
        packet.topic_alias,
        NO_HINTS if version is Version.MQTT_311 else _read_hints(packet),
    )


def _read_subscribe(packet: mqtt5.SubscribePacket, _version: Version) -> Subscribe:
    asked = tuple(
        Subscription(
            entry.pattern,
            int(entry.max_qos),
            entry.no_local,
            entry.retain_as_published,
            int(entry.retain_handling),
        )
        for entry in packet.topic_filters
    )
    return Subscribe(packet.packet_id, asked, packet.subscription_id)


_READERS: Final[Mapping[type, Callable[..., Packet]]] = {
    mqtt5.ConnectPacket: _read_connect,
    mqtt5.ConnAckPacket: _read_connack,
    mqtt5.PublishPacket: _read_publish,
    mqtt5.PubAckPacket: lambda packet, _: PubAck(packet.packet_id, int(packet.reason_code)),
    mqtt5.PubRecPacket: lambda packet, _: PubRec(packet.packet_id, int(packet.reason_code)),
    mqtt5.PubRelPacket: lambda packet, _: PubRel(packet.packet_id, int(packet.reason_code)),
    mqtt5.PubCompPacket: lambda packet, _: PubComp(packet.packet_id, int(packet.reason_code)),
    mqtt5.SubscribePacket: _read_subscribe,
    mqtt5.SubAckPacket: lambda packet, _: SubAck(packet.packet_id, tuple(map(int, packet.reason_codes))),
    mqtt5.UnsubscribePacket: lambda packet, _: Unsubscribe(packet.packet_id, tuple(packet.patterns)),
    mqtt5.UnsubAckPacket: lambda packet, _: UnsubAck(packet.packet_id, tuple(map(int, packet.reason_codes))),
    mqtt5.PingReqPacket: lambda _packet, _: PingReq(),
    mqtt5.PingRespPacket: lambda _packet, _: PingResp(),
    mqtt5.DisconnectPacket: lambda packet, _: Disconnect(
        int(packet.reason_code), packet.session_expiry_interval
    ),
    mqtt5.AuthPacket: lambda packet, _: Auth(int(packet.reason_code)),
}


def _write_connect(packet: Connect, version: Version) -> mqtt5.ConnectPacket:
    rich = version is Version.MQTT_5
    return mqtt5.ConnectPacket(
        packet.client_id,
        username=packet.username,
        password=packet.password,
        clean_start=packet.clean_start,
        will=None if packet.will is None else _write_will(packet.will, rich=rich),
        keep_alive=packet.keep_alive,
        session_expiry_interval=packet.session_expiry if rich else 0,
        authentication_method=packet.auth_method if rich else None,
        receive_max=packet.receive_max if rich else 65_535,
        max_packet_size=packet.max_packet if rich else None,
    )


def _write_will(will: Will, *, rich: bool) -> mqtt5.Will:
    hints = will.hints if rich else NO_HINTS
    return mqtt5.Will(
        will.topic,
        payload=will.payload,
        qos=mqtt5.QoS(will.qos),
        retain=will.retain,
        payload_format_indicator=int(hints.text),
        message_expiry_interval=hints.expiry_s,
        content_type=hints.content_type,
        response_topic=hints.response_topic,
        correlation_data=hints.correlation,
        will_delay_interval=will.delay_s if rich else 0,
        user_properties=list(hints.user),
    )


def _write_connack(packet: ConnAck, version: Version) -> mqtt5.ConnAckPacket:
    reason = mqtt5.ConnAckReasonCode(packet.reason)
    if version is Version.MQTT_311:
        return mqtt5.ConnAckPacket(session_present=packet.session_present, reason_code=reason)
    return mqtt5.ConnAckPacket(
        session_present=packet.session_present,
        reason_code=reason,
        session_expiry_interval=packet.session_expiry,
        assigned_client_id=packet.assigned_client_id,
        server_keep_alive=packet.keep_alive,
        receive_max=packet.receive_max,
        max_packet_size=packet.max_packet,
        subscription_id_available=packet.subscription_ids,
        shared_subscription_available=packet.shared_subscriptions,
    )


def _write_publish(packet: Publish, version: Version) -> mqtt5.PublishPacket:
    rich = version is Version.MQTT_5
    hints = packet.hints if rich else NO_HINTS
    return mqtt5.PublishPacket(
        packet.topic,
        packet.payload,
        qos=mqtt5.QoS(packet.qos),
        retain=packet.retain,
        packet_id=packet.packet_id,
        duplicate=packet.duplicate,
        payload_format_indicator=int(hints.text),
        message_expiry_interval=hints.expiry_s,
        content_type=hints.content_type,
        response_topic=hints.response_topic,
        correlation_data=hints.correlation,
        topic_alias=packet.topic_alias if rich else None,
        user_properties=list(hints.user),
    )


def _write_subscribe(packet: Subscribe, version: Version) -> mqtt5.SubscribePacket:
    rich = version is Version.MQTT_5
    asked = [
        mqtt5.TopicFilter(
            entry.topic_filter,
            max_qos=mqtt5.QoS(entry.qos),
            no_local=rich and entry.no_local,
            retain_as_published=rich and entry.retain_as_published,
            retain_handling=mqtt5.RetainHandling(entry.retain_handling if rich else 0),
        )
        for entry in packet.subscriptions
    ]
    return mqtt5.SubscribePacket(packet.packet_id, asked, subscription_id=packet.identifier if rich else None)


def _write_suback(packet: SubAck, version: Version) -> mqtt5.SubAckPacket:
    plain = version is Version.MQTT_311
    reasons = [_FAILURE if plain and reason > _FAILURE else reason for reason in packet.reasons]
    return mqtt5.SubAckPacket(packet.packet_id, [mqtt5.SubAckReasonCode(reason) for reason in reasons])


def _write_unsuback(packet: UnsubAck, version: Version) -> mqtt5.UnsubAckPacket:
    reasons = packet.reasons if version is Version.MQTT_5 else ()
    return mqtt5.UnsubAckPacket(packet.packet_id, [mqtt5.UnsubAckReasonCode(reason) for reason in reasons])


def _write_disconnect(packet: Disconnect, version: Version) -> mqtt5.DisconnectPacket:
    if version is Version.MQTT_311:
        return mqtt5.DisconnectPacket()
    reason = mqtt5.DisconnectReasonCode(packet.reason)
    return mqtt5.DisconnectPacket(reason_code=reason, session_expiry_interval=packet.session_expiry)


def _write_auth(packet: Auth, version: Version) -> mqtt5.AuthPacket:
    if version is Version.MQTT_311:
        raise ValueError("3.1.1 has no AUTH")
    return mqtt5.AuthPacket(reason_code=mqtt5.AuthReasonCode(packet.reason))


def _reason(packet: PubAck | PubRec | PubRel | PubComp, version: Version) -> int:
    return packet.reason if version is Version.MQTT_5 else 0


_WRITERS: Final[Mapping[type, Callable[..., mqtt5.Packet]]] = {
    packet_values.Connect: _write_connect,
    packet_values.ConnAck: _write_connack,
    packet_values.Publish: _write_publish,
    packet_values.PubAck: lambda packet, version: mqtt5.PubAckPacket(
        packet.packet_id, reason_code=mqtt5.PubAckReasonCode(_reason(packet, version))
    ),
    packet_values.PubRec: lambda packet, version: mqtt5.PubRecPacket(
        packet.packet_id, reason_code=mqtt5.PubRecReasonCode(_reason(packet, version))
    ),
    packet_values.PubRel: lambda packet, version: mqtt5.PubRelPacket(
        packet.packet_id, reason_code=mqtt5.PubRelReasonCode(_reason(packet, version))
    ),
    packet_values.PubComp: lambda packet, version: mqtt5.PubCompPacket(
        packet.packet_id, reason_code=mqtt5.PubCompReasonCode(_reason(packet, version))
    ),
    packet_values.Subscribe: _write_subscribe,
    packet_values.SubAck: _write_suback,
    packet_values.Unsubscribe: lambda packet, _: mqtt5.UnsubscribePacket(
        packet.packet_id, list(packet.filters)
    ),
    packet_values.UnsubAck: _write_unsuback,
    packet_values.PingReq: lambda _packet, _: mqtt5.PingReqPacket(),
    packet_values.PingResp: lambda _packet, _: mqtt5.PingRespPacket(),
    packet_values.Disconnect: _write_disconnect,
    packet_values.Auth: _write_auth,
}
