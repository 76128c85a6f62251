"""Invitation and acceptance: how a person comes to a home, out of band.

The invitation says where a newcomer's view of the home begins, so that nobody can start it on an older one
(AE-LOG-094). The acceptance proves that the newcomer holds the key, bound to inviter, terms and expiry.
"""

from dataclasses import dataclass
from typing import Self

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Fields, Value, decode, pack, version_value
from accessory_emu.protocol.envelope import Context, Sealed, parse, verify
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import HomeId, KeyId, ObjectId, PublicKey, Version
from accessory_emu.protocol.membership.acceptance import Acceptance
from accessory_emu.protocol.membership.checkpoint import Checkpoint, checkpoint_home
from accessory_emu.protocol.membership.grant import NotUnderstood, Terms
from accessory_emu.protocol.ports import Random
from controllers.errors import Code, ControllerError
from controllers.identity import Identity


@dataclass(frozen=True, slots=True)
class Trust:
    """Where a view begins: the home, its owner's key, and the oldest version and head that count."""

    home: HomeId
    owner: PublicKey
    version: Version
    head: ObjectId

    def encode(self) -> bytes:
        """Give the bytes of a row."""
        return pack({1: self.home, 2: self.owner, 3: version_value(self.version), 4: self.head})

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` gave. Raises Malformed."""
        fields = Fields(decode(data))
        trust = cls.read(fields)
        fields.end()
        return trust

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read the four fields. Raises Malformed."""
        return cls(
            home=HomeId(fields.octets(1, limits.ID_SIZE)),
            owner=PublicKey(fields.octets(2, limits.KEY_SIZE)),
            version=fields.version(3),
            head=ObjectId(fields.octets(4, limits.HASH_SIZE)),
        )


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an inviter hands over: the home, who invites, on which terms, until when (unix s)."""

    trust: Trust
    inviter: KeyId
    terms: Terms
    expires: int

    def encode(self) -> bytes:
        """Give the bytes of an invitation file."""
        trust, terms = self.trust, self.terms.value()
        version: Value = version_value(trust.version)
        return pack(
            {
                1: trust.home,
                2: trust.owner,
                3: version,
                4: trust.head,
                5: self.inviter,
                6: terms,
                7: self.expires,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read an invitation file. Raises Malformed."""
        fields = Fields(decode(data))
        trust = Trust.read(fields)
        try:
            terms = Terms.read(fields.value(6))
        except NotUnderstood as error:
            raise Malformed("terms that are not understood here") from error
        invitation = cls(trust, KeyId(fields.octets(5, limits.ID_SIZE)), terms, fields.uint(7))
        fields.end()
        return invitation


def accept(invitation: Invitation, identity: Identity, random: Random, now: int) -> Sealed:
    """Sign the answer of the invited person (AE-LOG-030).

    Raises:
        ControllerError: invite_expired.
    """
    if invitation.expires * 1000 < now:
        raise ControllerError(Code.INVITE_EXPIRED)
    acceptance = Acceptance(
        home=invitation.trust.home,
        key=identity.public,
        nonce=random.bytes(limits.NONCE_SIZE),
        inviter=invitation.inviter,
        terms=invitation.terms.digest(),
        expires=invitation.expires,
    )
    return acceptance.sign(identity.key)


def trust_in(genesis: bytes) -> Trust:
    """Give where a home begins that its owner has just founded.

    Raises:
        ProtocolError: these are not the bytes of a genesis checkpoint.

    Spec: AE-LOG-048.
    """
    envelope = parse(genesis)
    checkpoint = Checkpoint.decode(envelope.payload) if envelope.context is Context.CHECKPOINT else None
    if checkpoint is None or checkpoint.home is not None:
        raise Malformed("no genesis checkpoint")
    name = verify(envelope, checkpoint.owner)
    return Trust(checkpoint_home(envelope, checkpoint)[1], checkpoint.owner, checkpoint.version, name)
