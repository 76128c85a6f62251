"""Every number of the transports, with its reason. Pure."""

from typing import Final

# Topics
TOPIC_BYTES: Final = 65_535  # MQTT writes the length of a text into two bytes
TOPIC_LEVELS: Final = 200  # Mosquitto's own limit; keeps the walk through a tree of topics short

# Packets
PACKET_BYTES: Final = 1 << 20  # far above a checkpoint (64 KiB); a length of 256 MiB is legal MQTT
HEADER_BYTES: Final = 5  # the type, and at most four bytes of length

# Every client
INBOX_MESSAGES: Final = 1_024  # deliveries that wait for their reader; the oldest go first
KEEP_ALIVE_S: Final = 20  # a dead link is noticed inside 1.5 periods

# The client over aiomqtt
CONNECT_WITHIN_S: Final = 5.0  # an MQTT broker answers CONNECT at once, or it is not well
ACK_WITHIN_S: Final = 10.0  # a broker cluster may need this long to elect a new leader
TRIES: Final = 2  # publishes of one parcel; what must arrive is sent again by its engine
SHARE_WINDOW: Final = 1_024  # unacknowledged parcels one accessory may have; its next `send` waits
WINDOW: Final = 16_384  # the same for a whole connection; packet ids end at 65,535
BACKOFF_FIRST_S: Final = 0.1  # first pause after a lost connection: a restarted broker is back soon
BACKOFF_MOST_S: Final = 30.0  # pauses double up to this, each with jitter
STEADY_S: Final = 10.0  # a connection that held this long resets the backoff
REFUSED_PAUSE_S: Final = 5.0  # first pause before a refused subscription is tried again; doubles
CLOSE_WITHIN_S: Final = 2.0  # what is under way may still leave before a clean disconnect
FILTERS_AT_ONCE: Final = 100  # filters in one SUBSCRIBE: at most 6.5 MB would be legal, 10 kB is usual
