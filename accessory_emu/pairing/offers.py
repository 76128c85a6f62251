"""The sealed offers of M5 and M6: a key under its own signature over this exchange.

Both messages hold the same three items; labels and nonces keep the controller's offer and the accessory's
apart.
"""

from dataclasses import dataclass
from typing import Final

from accessory_emu.pairing import tlv8
from accessory_emu.pairing.tlv8 import ItemType
from accessory_emu.protocol import crypto, limits
from accessory_emu.protocol.crypto import SigningKey
from accessory_emu.protocol.identifiers import PublicKey


@dataclass(frozen=True, slots=True)
class Offer:
    """The labels of one side's offer: for what is signed beside the key, and the nonce (AE-PAIR-015)."""

    salt: bytes
    info: bytes
    nonce: bytes


M5: Final = Offer(
    b"Pair-Setup-Controller-Sign-Salt",
    b"Pair-Setup-Controller-Sign-Info",
    b"\0\0\0\0PS-Msg05",
)
M6: Final = Offer(
    b"Pair-Setup-Accessory-Sign-Salt",
    b"Pair-Setup-Accessory-Sign-Info",
    b"\0\0\0\0PS-Msg06",
)


def seal_key(offer: Offer, secret: bytes, identifier: bytes, key: SigningKey) -> bytes:
    """Offer a key to the other side.

    Args:
        offer: whose offer it is.
        secret: K, as both sides of SRP hold it.
        identifier: the controller's HAP identifier, or the accessory's HAP device id.
        key: what is offered, and signs.

    Spec: AE-PAIR-015, AE-PAIR-016, AE-PAIR-017.
    """
    signed = crypto.hkdf_sha512(secret, offer.salt, offer.info) + identifier + key.public
    plain = tlv8.encode(
        [
            (ItemType.IDENTIFIER, identifier),
            (ItemType.PUBLIC_KEY, key.public),
            (ItemType.SIGNATURE, key.sign(signed)),
        ],
    )
    return crypto.aead_seal(_sealing_key(secret), offer.nonce, plain)


def open_key(offer: Offer, secret: bytes, sealed: bytes) -> tuple[bytes, PublicKey] | None:
    """Give identifier and key of an offer that holds.

    None stands for whatever is wrong with it, so that nothing can tell a wrong tag from a wrong signature or
    an inadmissible key.

    Spec: AE-PAIR-016, AE-PAIR-017, AE-PAIR-022, AE-PAIR-030, AE-KEY-020.
    """
    plain = crypto.aead_open(_sealing_key(secret), offer.nonce, sealed)
    if plain is None:
        return None
    try:
        items = tlv8.decode_unique(plain)
    except tlv8.Tlv8Error:
        return None
    identifier, public = items.get(ItemType.IDENTIFIER, b""), items.get(ItemType.PUBLIC_KEY, b"")
    if not 0 < len(identifier) <= limits.PAIR_IDENTIFIER_SIZE or not crypto.admissible_key(public):
        return None
    signed = crypto.hkdf_sha512(secret, offer.salt, offer.info) + identifier + public
    if not crypto.verify(public, signed, items.get(ItemType.SIGNATURE, b"")):
        return None
    return identifier, PublicKey(public)


def _sealing_key(secret: bytes) -> bytes:
    return crypto.hkdf_sha512(secret, b"Pair-Setup-Encrypt-Salt", b"Pair-Setup-Encrypt-Info")
