"""Local codes (no_home_hub, accessory_not_reachable, ...); they never go over the wire."""

from enum import Enum


class Code(Enum):
    """What went wrong on the controllers' side, in the style of the wire's reasons, each with its cure."""

    NO_HOME_HUB = "no_home_hub"
    ACCESSORY_NOT_REACHABLE = "accessory_not_reachable"
    TIMED_OUT_WAITING_FOR_ACCESSORY = "timed_out_waiting_for_accessory"
    OWNERSHIP_FAILURE = "ownership_failure"
    USER_MANAGEMENT_FAILED = "user_management_failed"
    INVITE_EXPIRED = "invite_expired"
    HOME_NOT_KNOWN = "home_not_known"
    NO_REPLY = "no_reply"
    BAD_REPLY = "bad_reply"
    STATE_DAMAGED = "state_damaged"

    @property
    def cure(self) -> str:
        """What a person can do about it."""
        return _CURES[self]


_CURES = {
    Code.NO_HOME_HUB: "start the hub, let the request wait for it, or let the owner make the change",
    Code.ACCESSORY_NOT_REACHABLE: "switch the accessory on and check that it reaches the MQTT broker",
    Code.TIMED_OUT_WAITING_FOR_ACCESSORY: "look at the accessory, then try again",
    Code.OWNERSHIP_FAILURE: "nobody can remove or demote the owner of a home",
    Code.USER_MANAGEMENT_FAILED: "look at the people of the home: is this person a member?",
    Code.INVITE_EXPIRED: "ask for a new invitation",
    Code.HOME_NOT_KNOWN: "wait until the home's checkpoint and log have arrived, or create the home first",
    Code.NO_REPLY: "ask the owner or an editor to add this key; for a change, start the sequencer",
    Code.BAD_REPLY: "somebody else answers in the accessory's name: look at the MQTT broker's access rules",
    Code.STATE_DAMAGED: "restore the state from a backup, or start again from a fresh invitation",
}


class ControllerError(Exception):
    """A verb that cannot be done here and now; nothing was sent."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(f"{code.value}: {detail or code.cure}")
        self.code = code
        self.detail = detail


class StateDamaged(ControllerError):
    """Rows of the store do not read back; they are never taken for an empty state."""

    def __init__(self, detail: str) -> None:
        super().__init__(Code.STATE_DAMAGED, detail)
