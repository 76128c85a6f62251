"""The sequencer answers a member's request, and the member believes the sequencer alone."""

import pytest

from accessory_emu.protocol.envelope import Context, parse, seal
from accessory_emu.protocol.errors import BadSignature, Malformed, UnknownKey
from accessory_emu.protocol.exchanges.delegation import read_response, respond
from accessory_emu.protocol.identifiers import GrantId, HomeId, PublicKey, Version
from accessory_emu.protocol.messages import HubResponse, HubStatus
from accessory_emu.protocol.reasons import Reason
from tests.protocol.papers import HUB, NINA, NOW

HOME = HomeId(b"homehome")
REQUEST = GrantId(b"r" * 16)
ANSWERS = {
    "committed": HubResponse(REQUEST, HubStatus.COMMITTED, NOW, version=Version(65_536, 4)),
    "ready": HubResponse(REQUEST, HubStatus.READY, NOW),
    "refused": HubResponse(REQUEST, HubStatus.REFUSED, NOW, Reason.FORBIDDEN),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_signed_and_read(answer: HubResponse) -> None:
    envelope = parse(respond(HUB, HOME, answer).raw)
    assert (envelope.context, envelope.kid) == (Context.HUB_RESPONSE, HUB.kid)
    assert read_response(envelope, PublicKey(HUB.public), HOME) == answer


BENT = {
    "by somebody else": (respond(NINA, HOME, ANSWERS["ready"]).raw, UnknownKey),
    "by somebody else under the sequencer's kid": (
        respond(NINA, HOME, ANSWERS["ready"]).raw.replace(NINA.kid, HUB.kid),
        BadSignature,
    ),
    "of another home": (respond(HUB, HomeId(b"elsehome"), ANSWERS["ready"]).raw, BadSignature),
    "of another type": (seal(HUB, Context.HEAD, ANSWERS["ready"].encode(), HOME).raw, Malformed),
    "of another shape": (seal(HUB, Context.HUB_RESPONSE, b"\xa0", HOME).raw, Malformed),
}


@pytest.mark.parametrize(("raw", "error"), BENT.values(), ids=BENT)
def test_anything_else_is_no_answer(raw: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_response(parse(raw), PublicKey(HUB.public), HOME)
