"""The new person's proof of possession, bound to inviter, terms and expiry; its id is the grant's root."""

from dataclasses import dataclass
from typing import Self

from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.encoding import Fields, decode, pack
from accessory_emu.protocol.envelope import Context, Envelope, Sealed, object_id, seal
from accessory_emu.protocol.identifiers import GrantId, HomeId, KeyId, PublicKey


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What the new person signs; `terms` is the digest of the grant's terms, `expires` unix s. AE-LOG-030."""

    home: HomeId
    key: PublicKey
    nonce: bytes
    inviter: KeyId
    terms: bytes
    expires: int

    def sign(self, key: crypto.SigningKey) -> Sealed:
        """Sign with the key that is to be added."""
        payload = pack(
            {1: self.home, 2: self.key, 3: self.nonce, 4: self.inviter, 5: self.terms, 6: self.expires}
        )
        return seal(key, Context.ACCEPTANCE, payload, self.home)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a payload. Raises Malformed."""
        fields = Fields(decode(payload))
        acceptance = cls(
            home=HomeId(fields.octets(1, limits.ID_SIZE)),
            key=PublicKey(fields.octets(2, limits.KEY_SIZE)),
            nonce=fields.octets(3, limits.NONCE_SIZE),
            inviter=KeyId(fields.octets(4, limits.ID_SIZE)),
            terms=fields.octets(5, limits.HASH_SIZE),
            expires=fields.uint(6),
        )
        fields.end()
        return acceptance


def root_of(envelope: Envelope, home: HomeId) -> GrantId:
    """Name the root that an acceptance makes: the first half of its object id (AE-LOG-026)."""
    return GrantId(object_id(envelope, home)[: limits.GRANT_ID_SIZE])
