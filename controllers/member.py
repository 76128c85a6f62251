"""Editor, resident, guest: commands to accessories; an editor also sends requests."""

from collections.abc import Callable, Mapping, Sequence

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Value
from accessory_emu.protocol.envelope import parse
from accessory_emu.protocol.errors import Malformed, ProtocolError
from accessory_emu.protocol.exchanges.command import read_items, write_items
from accessory_emu.protocol.identifiers import AccessoryId, GrantId, Version
from accessory_emu.protocol.membership.acceptance import Acceptance
from accessory_emu.protocol.membership.checkpoint import SequencerKind
from accessory_emu.protocol.membership.grant import Grant, Terms
from accessory_emu.protocol.membership.log import Log
from accessory_emu.protocol.membership.request import RequestOp
from accessory_emu.protocol.messages import Announce, Op
from accessory_emu.protocol.ports import Delivery, Random
from accessory_emu.protocol.topics import Address, Channel, Topics
from controllers import home_rows
from controllers.actor import earliest
from controllers.asking import Asking, What, Wish
from controllers.attempt import Act, Manner
from controllers.commanding import Commanding
from controllers.errors import Code, ControllerError, StateDamaged
from controllers.following import Carrying, Follower
from controllers.home import HomeView
from controllers.identity import Identity
from controllers.invitation import Invitation, Trust, accept
from controllers.results import Change

_MS = 1000
_USUAL = Manner()
_WISH = Wish()


class Member(Follower):
    """One person on this device.

    Args:
        identity: name and key.
        topics: the address grammar.
        random: dice.
        rows: what a store kept under this actor's prefix.
        trust: where the view of the home begins, for a member that has no rows yet: the invitation's.

    Raises:
        StateDamaged: the rows do not read back.
    """

    def __init__(
        self,
        identity: Identity,
        topics: Topics,
        random: Random,
        rows: Mapping[str, bytes],
        trust: Trust | None = None,
    ) -> None:
        kept = read_trust(rows)
        begins = kept or trust
        super().__init__(topics, random, HomeView(begins, rows) if begins else None)
        self.identity = identity
        self._commanding = Commanding(self, identity)
        self._asking = Asking(self, identity)
        self._carrying = Carrying(self, limits.MEMBER_PATIENCE_MS)
        if trust is not None and kept is None:
            self.keep(home_rows.TRUST, trust.encode())

    # what others may look at

    @property
    def changes(self) -> Mapping[GrantId, Change]:
        """The changes that this person asked for since the start."""
        return self._asking.changes

    @property
    def grant(self) -> Grant | None:
        """The own active grant."""
        return self.view.grant(self.identity.kid) if self.view else None

    def foreseen(self, now: int) -> Log | None:
        """Give the log as it will be if everything that was asked is committed."""
        log = self.view.log if self.view else None
        return self._asking.foreseen(log, now) if log else None

    # commands

    def command(
        self,
        accessory: AccessoryId,
        op: Op,
        now: int,
        args: Sequence[Value] = (),
        manner: Manner = _USUAL,
    ) -> Act:
        """Send a command of any kind."""
        act = self._commanding.begin(accessory, op, args, manner, now)
        self._commanding.settle(self.view, now)
        return act

    def write(
        self,
        accessory: AccessoryId,
        items: Sequence[tuple[int, int, Value]],
        now: int,
        manner: Manner = _USUAL,
    ) -> Act:
        """Write values: (aid, iid, value) each."""
        return self.command(accessory, Op.WRITE, now, write_items(items), manner)

    def read(
        self, accessory: AccessoryId, items: Sequence[tuple[int, int]], now: int, manner: Manner = _USUAL
    ) -> Act:
        """Read values: (aid, iid) each."""
        return self.command(accessory, Op.READ, now, read_items(items), manner)

    # requests

    def invite(self, terms: Terms, now: int, life: int = limits.ACCEPTANCE_LIFE_S) -> Invitation:
        """Make an invitation, good for `life` seconds; it touches no accessory and no log.

        Raises:
            ControllerError: home_not_known.
        """
        view, log = self._known()
        trust = Trust(view.home, log.owner, log.version, log.head)
        return Invitation(trust, self.identity.kid, terms, now // _MS + life)

    def add_user(
        self, acceptance: bytes, terms: Terms, now: int, subject: str = "", wish: Wish = _WISH
    ) -> Change:
        """Ask to add the person who signed an acceptance of these terms.

        Raises:
            ControllerError: home_not_known; user_management_failed for bytes that are no acceptance.
        """
        try:
            key = Acceptance.decode(parse(acceptance).payload).key
        except ProtocolError as error:
            raise ControllerError(Code.USER_MANAGEMENT_FAILED, "no acceptance") from error
        what = What(RequestOp.ADD, subject, key=key, acceptance=acceptance, terms=terms.value())
        return self._asking.ask(what, self.view, wish, now)

    def add_local(self, person: Identity, terms: Terms, now: int, wish: Wish = _WISH) -> Change:
        """Add a person of this device: invitation and acceptance in one go."""
        acceptance = accept(self.invite(terms, now), person, self.random, now)
        return self.add_user(acceptance.raw, terms, now, person.name, wish)

    def set_role(
        self, grant: GrantId, terms: Terms, now: int, subject: str = "", wish: Wish = _WISH
    ) -> Change:
        """Ask to replace a grant, named by its id: new terms, same root.

        Raises:
            ControllerError: home_not_known; ownership_failure for the owner's grant.
        """
        self._spare_owner(grant, wish)
        what = What(RequestOp.REPLACE, subject, terms=terms.value(), target=grant)
        return self._asking.ask(what, self.view, wish, now)

    def remove_user(self, root: GrantId, now: int, subject: str = "", wish: Wish = _WISH) -> Change:
        """Ask to remove a person, named by the root of the grant; removal wins.

        Raises:
            ControllerError: home_not_known; ownership_failure for the owner.
        """
        self._spare_owner(root, wish)
        return self._asking.ask(What(RequestOp.REMOVE, subject, target=root), self.view, wish, now)

    def leave(self, now: int, wish: Wish = _WISH) -> Change:
        """Ask for the own removal.

        Raises:
            ControllerError: home_not_known, ownership_failure, user_management_failed (no member).
        """
        self._known()
        if self.grant is None:
            raise ControllerError(Code.USER_MANAGEMENT_FAILED, "not a member")
        return self.remove_user(self.grant.root, now, self.identity.name, wish)

    def end_enrolment(
        self, accessory: AccessoryId, now: int, subject: str = "", wish: Wish = _WISH
    ) -> Change:
        """Ask to release an accessory in the log; the command `release` resets the accessory itself."""
        return self._asking.ask(What(RequestOp.RELEASE, subject, target=accessory), self.view, wish, now)

    # Engine

    def filters(self) -> frozenset[str]:
        """Tell what to listen to: the home, answers of accessories, and answers of the sequencer."""
        kid, view = self.identity.kid, self.view
        filters = {self.topics.out(None, kid)}
        if view is not None:
            filters.add(self.topics.member(view.home, kid))
        return super().filters() | filters

    def routes(self) -> Mapping[Channel, Callable[[Address, Delivery, int], None]]:
        """Tell who takes what arrives on a channel."""
        mine = {Channel.OUT: self._on_answer, Channel.MEMBER: self._on_word}
        return {**super().routes(), **mine}

    def came_up(self, now: int) -> None:
        """Send again what may have been lost."""
        self._asking.came_up(now)

    def settle(self, now: int) -> None:
        """Do whatever is due."""
        super().settle(now)
        self._commanding.settle(self.view, now)
        self._asking.settle(self.view, now)
        if self.view is not None and self.up:
            self._carrying.settle(self.view, now)

    def deadline(self) -> int | None:
        """Tell when `tick` is wanted."""
        carries = self._carrying.deadline() if self.up else None
        mine = earliest(self._commanding.deadline(), self._asking.deadline(), carries)
        return earliest(super().deadline(), mine)

    # what follows from what arrives

    def moved(self, before: Version | None, now: int) -> None:
        """Follow the own changes in the log."""
        if self.view is not None:
            self._asking.moved(before, self.view, now)

    def acked(self, accessory: AccessoryId, now: int) -> None:
        """Follow the own changes at an accessory."""
        if self.view is not None:
            self._asking.acked(accessory, self.view, now)
            self._showed(accessory, self.view, now)

    def announced(self, announce: Announce, accessory: AccessoryId, now: int) -> None:
        """Learn an accessory's boot."""
        self.identity.announced(accessory, announce.boot)
        if self.view is not None and announce.home == self.view.home:
            self._showed(accessory, self.view, now)

    def _on_answer(self, address: Address, data: Delivery, now: int) -> None:
        if self.view is not None and address.accessory and address.kid == self.identity.kid:
            self.take_answer(self.view, address.accessory, data.payload, now)

    def take_answer(self, view: HomeView, accessory: AccessoryId, data: bytes, now: int) -> None:
        """Take what arrived as an answer of one accessory. Raises ProtocolError."""
        self._commanding.answered(accessory, data, view, now)

    def _on_word(self, address: Address, data: Delivery, now: int) -> None:
        view = self.its_home(address)
        self._asking.answered(parse(data.payload), view, now)

    # inside

    def _showed(self, accessory: AccessoryId, view: HomeView, now: int) -> None:
        """Step in where the sequencer is a device, which may be away (AE-TOP-022)."""
        if view.log is not None and view.log.kind is SequencerKind.DEVICE:
            self._carrying.showed(accessory, view, now)

    def _known(self) -> tuple[HomeView, Log]:
        if self.view is None or self.view.log is None or not self.view.ready:
            raise ControllerError(Code.HOME_NOT_KNOWN)
        return self.view, self.view.log

    def _spare_owner(self, name: GrantId, wish: Wish) -> None:
        """Stop before anything is sent: the owner changes only by a transfer (AE-LOG-036)."""
        _, log = self._known()
        owner = log.allowlist.owner()
        if name in (owner.id, owner.root) and not wish.bypass:
            raise ControllerError(Code.OWNERSHIP_FAILURE)


def read_trust(rows: Mapping[str, bytes]) -> Trust | None:
    """Read where a view begins; None where nothing was kept.

    Raises:
        StateDamaged: the row does not read back, or is missing while others are there.
    """
    if home_rows.TRUST not in rows:
        if rows:
            raise StateDamaged("where the home begins is missing, other rows are there")
        return None
    try:
        return Trust.decode(rows[home_rows.TRUST])
    except Malformed as error:
        raise StateDamaged("where the home begins does not read back") from error
