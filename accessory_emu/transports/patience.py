"""How long a client of an MQTT broker waits for what, with the reasons; pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds; pauses double up to their limit and are drawn with jitter."""

    connect_within_s: float = 5.0  # an MQTT broker answers CONNECT at once, or it is not well
    ack_within_s: float = 10.0  # a cluster may need this long to elect a new leader
    keep_alive_s: int = 20  # a dead link is noticed inside 1.5 of these
    backoff_first_s: float = 0.1  # a restarted broker is back soon
    backoff_most_s: float = 30.0
    steady_s: float = 10.0  # a connection that held this long begins again with the first pause
    refused_first_s: float = 5.0  # until a refused subscription is asked for again
    close_within_s: float = 2.0  # what is on its way may still leave before a clean disconnect


PATIENT = Patience()
