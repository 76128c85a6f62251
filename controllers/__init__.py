"""The public names of the controllers' side: owner, members, sequencer, and the client that pumps them."""

from controllers.asking import Wish
from controllers.attempt import Accepted, Act, BadReply, Manner, NotSent, Outcome, Refused, Silent
from controllers.client import Client
from controllers.errors import Code, ControllerError, StateDamaged
from controllers.home import HomeView
from controllers.identity import Identity
from controllers.invitation import Invitation, Trust, accept, trust_in
from controllers.member import Member
from controllers.owner import Owner
from controllers.pairing_flow import Failure, Pairing, Step
from controllers.results import Change, ChangeState, Row, RowState
from controllers.sequencer import Post, Sequencer

__all__ = [
    "Accepted",
    "Act",
    "BadReply",
    "Change",
    "ChangeState",
    "Client",
    "Code",
    "ControllerError",
    "Failure",
    "HomeView",
    "Identity",
    "Invitation",
    "Manner",
    "Member",
    "NotSent",
    "Outcome",
    "Owner",
    "Pairing",
    "Post",
    "Refused",
    "Row",
    "RowState",
    "Sequencer",
    "Silent",
    "StateDamaged",
    "Step",
    "Trust",
    "Wish",
    "accept",
    "trust_in",
]
