"""Bytes as they come to packets: one reader a connection; pure."""

from typing import Final

from accessory_emu.transports import bounds, packet_grammar, packets
from accessory_emu.transports.packet_values import MqttReason, Packet, PacketError, Version

_CONNECT: Final = 0x10  # the first byte of a connection: who speaks no MQTT is not waited for
_COMPACT_AT: Final = 65_536  # read bytes that are kept before the buffer is moved up


class PacketReader:
    """Takes the bytes of one connection as they come, and gives its packets.

    `version` is None on the broker's side: the first packet, CONNECT, tells it. After a PacketError the
    reader stays broken: where the next packet would begin is not known.
    """

    def __init__(self, version: Version | None = None, max_size: int = bounds.PACKET_BYTES) -> None:
        self.version = version
        self._max_size = max_size
        self._data = bytearray()
        self._start = 0
        self._size: int | None = None
        self._broken: PacketError | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes in; at most one packet and what arrived with it is kept."""
        if self._broken is None:
            self._data += data

    def next(self) -> Packet | None:
        """Give the next packet; None while it is not whole.

        Raises:
            PacketError: the bytes are no MQTT, or the packet is too large.
        """
        if self._broken is not None:
            raise self._broken
        try:
            frame = self._frame()
            if frame is None:
                return None
            if self.version is None:
                self.version = packet_grammar.version_of(frame)
            return packets.read(frame, self.version)
        except PacketError as error:
            self._broken = error
            self._data = bytearray()
            raise

    def _frame(self) -> bytes | None:
        if self.version is None and len(self._data) > self._start and self._data[self._start] != _CONNECT:
            raise PacketError("the first packet is CONNECT", MqttReason.PROTOCOL_ERROR)
        if self._size is None:
            self._size = packet_grammar.frame_size(self._data, self._start, self._max_size)
        if self._size is None or len(self._data) < self._start + self._size:
            return None
        end = self._start + self._size
        frame = bytes(self._data[self._start : end])
        self._start, self._size = end, None
        if end == len(self._data):
            self._data.clear()
            self._start = 0
        elif end > _COMPACT_AT:
            del self._data[:end]
            self._start = 0
        return frame
