"""The owner: founds the home, pairs, asks, commands; never signs entries, heads or answers."""

from collections.abc import Callable, Mapping

from accessory_emu.pairing.setup_payload import setup_hash
from accessory_emu.protocol import limits
from accessory_emu.protocol.envelope import parse
from accessory_emu.protocol.identifiers import AccessoryId, PublicKey, hap_device_id
from accessory_emu.protocol.membership.checkpoint import SequencerKind, genesis
from accessory_emu.protocol.messages import Life
from accessory_emu.protocol.ports import Delivery, Random
from accessory_emu.protocol.topics import Address, Channel, Topics
from controllers import home_rows
from controllers.actor import earliest
from controllers.errors import Code, ControllerError
from controllers.home import HomeView
from controllers.identity import Identity
from controllers.invitation import Trust, trust_in
from controllers.member import Member
from controllers.pairing_flow import Pairing, PairingFlow

_MS = 1000


class Owner(Member):
    """The home's owner on this device; several devices may hold the same key.

    Arguments and errors are those of Member. It meets the sequencer on the wire only, also where both share a
    process: the owner's key never signs what a sequencer signs (AE-LOG-003).
    """

    def __init__(
        self,
        identity: Identity,
        topics: Topics,
        random: Random,
        rows: Mapping[str, bytes],
        trust: Trust | None = None,
    ) -> None:
        super().__init__(identity, topics, random, rows, trust)
        self._pairings = PairingFlow(self, identity, self._asking)

    def create_home(self, sequencer: PublicKey, now: int) -> bytes:
        """Found the home with a sequencer on this device; gives the genesis checkpoint for it.

        Raises:
            ControllerError: ownership_failure where this owner has a home already.
        """
        if self.view is not None:
            raise ControllerError(Code.OWNERSHIP_FAILURE, "this owner has a home already")
        _, sealed, _ = genesis(self.identity.key, sequencer, SequencerKind.DEVICE, now // _MS)
        trust = trust_in(sealed.raw)
        self.view = HomeView(trust, {})
        self.keep(home_rows.TRUST, trust.encode())
        self.subscribe_again(self.topics.announce())
        self.take_object(self.view, parse(sealed.raw), now)
        return sealed.raw

    # pairing

    def unpaired(self) -> list[AccessoryId]:
        """Name the accessories that announce themselves as not paired."""
        heard = self.view.strangers if self.view else {}
        return sorted(name for name, each in heard.items() if each.announce.life is Life.UNPAIRED)

    def find(self, setup_id: str) -> list[AccessoryId]:
        """Name the accessories whose announcement fits the setup id of a label (AE-PAIR-052)."""
        known = {**self.view.strangers, **self.view.announced} if self.view else {}
        return sorted(
            name
            for name, each in known.items()
            if each.announce.setup_hash == setup_hash(setup_id, hap_device_id(name))
        )

    def pair(
        self,
        accessory: AccessoryId,
        code: str,
        now: int,
        replaces: AccessoryId | None = None,
        wait: int = limits.PAIR_WAIT_MS,
    ) -> Pairing:
        """Bring an accessory into the home: enrol it, pair it with its setup code, adopt it.

        `replaces` names an accessory whose enrolment ends by it: the same device before a factory reset.

        Raises:
            BadSetupCode: no accessory may have this code.
            ControllerError: home_not_known.
        """
        self._known()
        return self._pairings.begin(accessory, code, replaces, now, now + wait)

    # Engine

    def filters(self) -> frozenset[str]:
        """Tell what to listen to: as a member, and the answers of Pair-Setup."""
        return super().filters() | self._pairings.filters()

    def routes(self) -> Mapping[Channel, Callable[[Address, Delivery, int], None]]:
        """Tell who takes what arrives on a channel."""
        return {**super().routes(), Channel.PAIR_RESPONSE: self._on_pair_response}

    def settle(self, now: int) -> None:
        """Do whatever is due."""
        super().settle(now)
        self._pairings.settle(self.view, now)

    def deadline(self) -> int | None:
        """Tell when `tick` is wanted."""
        return earliest(super().deadline(), self._pairings.deadline())

    def take_answer(self, view: HomeView, accessory: AccessoryId, data: bytes, now: int) -> None:
        """Take an accessory's answer, to an adoption or to a command. Raises ProtocolError."""
        if not self._pairings.took_answer(accessory, data, view, now):
            super().take_answer(view, accessory, data, now)

    def _on_pair_response(self, address: Address, data: Delivery, now: int) -> None:
        if self.view is not None and address.accessory and address.exchange and not data.retained:
            self._pairings.took_response(address.accessory, address.exchange, data.payload, self.view, now)
