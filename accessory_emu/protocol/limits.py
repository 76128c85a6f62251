"""Every number of the specification, with its clause and its reason."""

from typing import Final

# Sizes, in bytes (AE-ENV-020): there is one inbox, so the largest is tested first, and the type's own
# limit once the grammar has shown the type.
MESSAGE_SIZE: Final = 4 * 1024  # commands, answers, sync: fits every MQTT client's default buffer
ENTRY_SIZE: Final = 16 * 1024  # an entry with about 30 additions of 450 bytes each
CHECKPOINT_SIZE: Final = 64 * 1024  # 256 tombstones and 250 grants; never fragmented
PROOF_SIZE: Final = 2 * ENTRY_SIZE + 1  # two entries of one version in one array (AE-LOG-050)

CBOR_DEPTH: Final = 6  # the deepest legal payload, a checkpoint's grant with its scope, needs 5
KEY_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64
ID_SIZE: Final = 8  # key ids, accessory ids, home ids, boot ids
GRANT_ID_SIZE: Final = 16  # the first half of an object id
NONCE_SIZE: Final = 16
HASH_SIZE: Final = 32
UINT64_MAX: Final = 2**64 - 1

# Commands
EXPIRY_AHEAD_S: Final = 60  # how long a broker may hold a command back (AE-CMD-040)
PREPARE_LIFE_MS: Final = 10_000  # HAP's timed write; long enough for a round trip, short for a thief
PREPARE_OPEN: Final = 4  # open nonces a key; a fifth drops the oldest
ANSWERS_KEPT: Final = 16  # cached answers a key, for duplicates of QoS 1 (AE-CMD-030)
LIST_PAGE: Final = 8  # grants a page of `list`: 8 of the largest fit into one message
ITEMS_IN_COMMAND: Final = 32  # what a command may read or write at once; the answer must fit a message

# Freshness
FRESH_MS: Final = 3_600_000  # an answered sync question counts this long (AE-SYN-010)
ANSWER_WITHIN_MS: Final = 10_000  # an answer later than this after its question does not put in sync
START_GRACE_MS: Final = 5_000  # after start and connect: wait so long for the first answer
ASK_FIRST_MS: Final = 1_000  # first repetition of an unanswered question
ASK_MOST_MS: Final = 60_000  # repetitions double up to this
ASK_GAP_MS: Final = 5_000  # least time between two questions that messages of others can cause
RESUBSCRIBE_GAP_MS: Final = 30_000  # least time between two subscriptions that refill a gap
TIME_TRUSTED_MS: Final = 86_400_000  # trusted time lasts this long after the last answered question
SYNC_HUB_MS: Final = 86_400_000  # under a hub, other types obey 24 h without being in sync
SYNC_HUB_STRICT_MS: Final = 0  # under a hub, locks, doors and alarms do not
SYNC_DEVICE_MS: Final = 30 * 86_400_000  # under a device of the owner
SYNC_DEVICE_STRICT_MS: Final = 7 * 86_400_000
CONFLICT_GAP_MS: Final = 5_000  # `conflict` to an owner's checkpoint at most this often

# Membership
GRANTS_HELD: Final = 16  # places an accessory has at least (AE-LOG-040)
TOMBSTONES_HELD: Final = 256  # tombstones an accessory holds at least
FUTURE_ENTRIES: Final = 64  # entries above the own version that are kept
REQUEST_LIFE_S: Final = 86_400  # how long a signed request may wait by default
REQUEST_LIFE_MAX_S: Final = 30 * 86_400
REQUESTS_IN_ENTRY: Final = 32  # bounds the verifications one entry can cause
SCOPE_IDS: Final = 128  # accessories in a scope: request and acceptance still fit a message (AE-LOG-023)
NAMED_IN_ACK: Final = 128  # refused requests or grants an ack names: it must fit a message (AE-LOG-060)
ACCEPTANCE_LIFE_S: Final = 7 * 86_400

# Pairing
PAIR_MAX_TRIES: Final = 100  # failed proofs until MaxTries, persisted (AE-PAIR-020)
PAIR_TAKEOVER_MS: Final = 30_000  # a stalled Pair-Setup may be taken over
ADOPT_WITHIN_MS: Final = 120_000  # a pairing that no adoption follows is erased
PAIR_IDENTIFIER_SIZE: Final = 36  # of a controller's HAP identifier: a UUID in text (AE-PAIR-030)
PAIR_DRAWS: Final = 64  # honest dice need more than two draws once in 100, and never so many

# Controllers
RETRIES: Final = 3  # automatic retries of one act (AE-CMD-050)
RETRY_WINDOW_S: Final = 60  # while the first expiry runs, else this long
COUNTER_JITTER: Final = 1_000  # a retried counter is drawn below this above the hint
REPUBLISH_GAP_MS: Final = 30_000  # a writer restores its retained topic at most this often
ANSWER_WAIT_MS: Final = 2_000  # how long a sender waits for a response before it calls it silence
COMMAND_LIFE_MS: Final = 30_000  # expires this far ahead: half of what is allowed, so clocks may differ by it
RETRY_PAUSES_MS: Final = (300, 1_500, 5_500)  # a round trip, a question's repetition, the gap of questions
REQUEST_WAIT_MS: Final = 10_000  # another device waits so long for the sequencer before it gives up
REQUEST_AGAIN_MS: Final = 1_000  # first repetition of a request; they double, and the id makes them harmless
PAIR_WAIT_MS: Final = 60_000  # a whole pairing: SRP on slow hardware takes seconds
PAIR_AGAIN_MS: Final = 2_000  # first repetition of a pairing message or an adoption; they double
MEMBER_PATIENCE_MS: Final = 3_000  # a member carries entries only where the sequencer has not done it
FILL_FIRST_MS: Final = 1_000  # a controller fills a gap first after this; its pauses double up to 30 s
VIEW_GRANTS: Final = 255  # places in a controller's own view: more than a checkpoint can carry
VIEW_FUTURE: Final = 1_024  # entries above its version that a view keeps: retained ones come in any order
STRANGERS_KEPT: Final = 1_024  # announcements of accessories that are not enrolled; anyone can make more

# The sequencer
LOOK_MS: Final = 500  # at start: how long retained objects of its own may take to arrive
LOOK_SHORT_MS: Final = 100  # once its own head was seen among them, the log comes with it
HEAD_EVERY_MS: Final = 60_000  # heartbeat (AE-SYN-006)
CARRY_GAP_MS: Final = 1_000  # least time between two deliveries of missing entries to one accessory
QUIET_MS: Final = 250  # no question for so long after a head: whoever wanted to ask has asked
EARLY_KEPT: Final = 64  # requests and questions that wait until a starting sequencer may sign
ANSWERS_OF_AUTHOR: Final = 256  # answers kept of one author, so nobody pushes out those of another

# The accessory model (AE-ACC-002)
STRING_SIZE: Final = 64  # bytes of UTF-8 in a text value: HAP's length where a characteristic names none
STEP_SLACK: Final = 0.001  # parts of a step that a float may miss it by: 20.1 in single precision counts
