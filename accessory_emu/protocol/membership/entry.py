"""Requests in their place, signed by the sequencer, chained to the entry before: a key update."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.encoding import Fields, Value, decode, pack, version_value
from accessory_emu.protocol.envelope import Context, Sealed, seal
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import HomeId, ObjectId, Version


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of the log; `requests` are whole signed messages, `time` unix seconds (AE-LOG-010)."""

    version: Version
    prev: ObjectId
    requests: Sequence[bytes]
    time: int

    def sign(self, sequencer: crypto.SigningKey, home: HomeId) -> Sealed:
        """Sign as sequencer."""
        requests: list[Value] = list(self.requests)
        payload = pack({1: version_value(self.version), 2: self.prev, 3: requests, 4: self.time})
        return seal(sequencer, Context.ENTRY, payload, home)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a payload; what the requests say is not looked at here. Raises Malformed."""
        fields = Fields(decode(payload))
        requests: list[bytes] = []
        version, prev = fields.version(1), ObjectId(fields.octets(2, limits.HASH_SIZE))
        for item in fields.list(3, limits.REQUESTS_IN_ENTRY):
            if not isinstance(item, bytes):
                raise Malformed("a request is a byte string")
            requests.append(item)
        if not requests:
            raise Malformed("an entry has at least one request")
        entry = cls(version, prev, tuple(requests), fields.uint(4))
        fields.end()
        return entry
