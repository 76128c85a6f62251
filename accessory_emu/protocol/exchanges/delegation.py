"""A member's request to the sequencer and the signed answer."""

from accessory_emu.protocol import crypto
from accessory_emu.protocol.envelope import Context, Envelope, Sealed, seal, verify
from accessory_emu.protocol.errors import Malformed, UnknownKey
from accessory_emu.protocol.identifiers import HomeId, PublicKey
from accessory_emu.protocol.messages import HubResponse


def respond(sequencer: crypto.SigningKey, home: HomeId, response: HubResponse) -> Sealed:
    """Sign an answer to a request as sequencer (AE-LOG-070)."""
    return seal(sequencer, Context.HUB_RESPONSE, response.encode(), home)


def read_response(envelope: Envelope, sequencer: PublicKey, home: HomeId) -> HubResponse:
    """Verify and read an answer of the sequencer. Raises UnknownKey, BadSignature, Malformed."""
    if envelope.context is not Context.HUB_RESPONSE:
        raise Malformed("no answer of a sequencer")
    if envelope.kid != crypto.key_id(sequencer):
        raise UnknownKey("not the sequencer")
    verify(envelope, sequencer, home)
    return HubResponse.decode(envelope.payload)
