"""What an author asks for (add, replace, remove, enrol, release), with base and expiry."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.encoding import Fields, Value, decode, pack, version_value
from accessory_emu.protocol.envelope import Context, Envelope, Sealed, object_id, seal
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import AccessoryId, GrantId, HomeId, PublicKey, Version
from accessory_emu.protocol.messages import PROTOCOL_VERSION


class RequestOp(IntEnum):
    """What a request changes (AE-LOG-032)."""

    ADD = 1
    REPLACE = 2
    REMOVE = 3
    ENROL = 4
    RELEASE = 5


_TARGET_SIZE: Final = {
    RequestOp.REPLACE: limits.GRANT_ID_SIZE,
    RequestOp.REMOVE: limits.GRANT_ID_SIZE,
    RequestOp.RELEASE: limits.ID_SIZE,
}


@dataclass(frozen=True, slots=True)
class Request:
    """One change that its author signs; which fields stand in it depends on `op` (AE-LOG-033).

    `terms` is kept as it stands: whether it is understood is judged in its turn. `version` is the protocol's.
    An `op` that is not known keeps none of the other fields.
    """

    nonce: bytes
    base: Version
    expires: int
    op: int
    key: PublicKey | None = None
    acceptance: bytes | None = None
    terms: Value | None = None
    target: bytes | None = None
    version: int = PROTOCOL_VERSION

    def sign(self, key: crypto.SigningKey, home: HomeId) -> Sealed:
        """Sign as author."""
        payload = pack(
            {
                1: self.version,
                2: self.nonce,
                3: version_value(self.base),
                4: self.expires,
                5: self.op,
                6: self.key,
                7: self.acceptance,
                8: self.terms,
                9: self.target,
            }
        )
        return seal(key, Context.REQUEST, payload, home)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a payload; of another protocol version only that number is read. Raises Malformed."""
        fields = Fields(decode(payload))
        version = fields.uint(1)
        if version != PROTOCOL_VERSION:
            return cls(bytes(limits.NONCE_SIZE), Version(0, 0), 0, 0, version=version)
        nonce, base = fields.octets(2, limits.NONCE_SIZE), fields.version(3)
        expires, op = fields.uint(4), fields.uint(5)
        if op not in list(RequestOp):
            return cls(nonce, base, expires, op)
        adds, terms = op == RequestOp.ADD, op in (RequestOp.ADD, RequestOp.REPLACE)
        keyed = op in (RequestOp.ADD, RequestOp.ENROL)
        request = cls(
            nonce,
            base,
            expires,
            RequestOp(op),
            key=PublicKey(fields.octets(6, limits.KEY_SIZE)) if keyed else None,
            acceptance=fields.blob(7, limits.MESSAGE_SIZE) if adds else None,
            terms=fields.value(8) if terms else None,
            target=fields.octets(9, _TARGET_SIZE[RequestOp(op)]) if op in _TARGET_SIZE else None,
        )
        fields.end()
        return request

    @property
    def target_grant(self) -> GrantId:
        """The grant id (replace) or root (remove) that is meant."""
        if self.target is None:
            raise Malformed("the request has no target")
        return GrantId(self.target)

    @property
    def target_accessory(self) -> AccessoryId:
        """The accessory that is released."""
        if self.target is None:
            raise Malformed("the request has no target")
        return AccessoryId(self.target)


def request_id(envelope: Envelope, home: HomeId) -> GrantId:
    """Name a request: the first half of its object id, which is also the id of its grant (AE-LOG-026)."""
    return GrantId(object_id(envelope, home)[: limits.GRANT_ID_SIZE])


def unreadable_id(raw: bytes) -> GrantId:
    """Name a request that does not parse: the first half of SHA-256 of its bytes (AE-LOG-061)."""
    return GrantId(crypto.sha256(raw)[: limits.GRANT_ID_SIZE])
