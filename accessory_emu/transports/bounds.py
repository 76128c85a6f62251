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

# The client over aiomqtt
TRIES: Final = 2  # publishes of one parcel; what must arrive is sent again by its engine
SHARE_WINDOW: Final = 1_024  # unacknowledged parcels one accessory may have; its next `send` waits
WINDOW: Final = 16_384  # the same for a whole connection; packet ids end at 65,535
FILTERS_AT_ONCE: Final = 100  # filters in one SUBSCRIBE: at most 6.5 MB would be legal, 10 kB is usual
