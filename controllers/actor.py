"""What all actors share: the books of a turn, and following one home from its topics."""

from collections import Counter, deque
from collections.abc import Callable, Mapping

from accessory_emu.protocol.errors import ProtocolError
from accessory_emu.protocol.ports import Delivery, Event, Link, Parcel, Random, Write
from accessory_emu.protocol.reasons import Reason
from accessory_emu.protocol.topics import Address, Channel, Topics


class Actor:
    """The books of a turn: rows to keep, parcels to send, events to tell; an Engine of ports.py.

    Nothing leaves while durable rows are open. Input that does not verify is skipped and counted in `skipped`
    by its reason; whatever arrives, nothing is raised.
    """

    def __init__(self, topics: Topics, random: Random) -> None:
        self.topics = topics
        self.random = random
        self.up = False
        self.skipped: Counter[Reason] = Counter()
        self._writes: list[Write] = []
        self._parcels: list[Parcel] = []
        self._events: deque[Event] = deque()
        self._again: set[str] = set()
        self._open = False

    # what the parts of an actor call

    def keep(self, key: str, value: bytes | None, *, durable: bool = True) -> None:
        """Keep a row, or delete it."""
        self._writes.append(Write(key, value, durable))
        self._open = self._open or durable

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send a parcel once the durable rows are kept."""
        self._parcels.append(Parcel(topic, payload, retain))

    def tell(self, name: str, **fields: object) -> None:
        """Tell an event."""
        self._events.append(Event(name, fields))

    def subscribe_again(self, *filters: str) -> None:
        """Have retained messages come again."""
        self._again.update(filters)

    # Engine

    def receive(self, data: Delivery, now: int) -> None:
        """Take one delivery in; what does not hold is skipped."""
        address = self.topics.parse(data.topic)
        handler = self.routes().get(address.channel) if address else None
        if address is None or handler is None or not data.payload:
            return
        try:
            handler(address, data, now)
        except ProtocolError as error:
            self.skipped[error.reason] += 1
        self.settle(now)

    def linked(self, link: Link, now: int) -> None:
        """Learn that the connection came up or went down."""
        self.up = link.up
        if link.up:
            self.came_up(now)
        self.settle(now)

    def tick(self, now: int) -> None:
        """Do what the deadline asked for."""
        self.settle(now)

    def writes(self) -> tuple[Write, ...]:
        """Hand over the rows of this turn."""
        rows, self._writes = tuple(self._writes), []
        return rows

    def committed(self) -> None:
        """Learn that the rows are kept."""
        self._open = any(row.durable for row in self._writes)

    def outbox(self) -> tuple[Parcel, ...]:
        """Hand over what is ready to leave."""
        if self._open:
            return ()
        parcels, self._parcels = tuple(self._parcels), []
        return parcels

    def next_event(self) -> Event | None:
        """Hand over one event, oldest first."""
        return self._events.popleft() if self._events else None

    def again(self) -> frozenset[str]:
        """Tell which filters to subscribe anew in this turn."""
        again, self._again = frozenset(self._again), set()
        return again & self.filters()

    def filters(self) -> frozenset[str]:
        """Tell what to listen to."""
        return frozenset()

    def deadline(self) -> int | None:
        """Tell when `tick` is wanted."""
        return None

    # what an actor adds

    def routes(self) -> Mapping[Channel, Callable[[Address, Delivery, int], None]]:
        """Tell who takes what arrives on a channel."""
        return {}

    def came_up(self, now: int) -> None:
        """Do what a new connection asks for."""

    def settle(self, now: int) -> None:
        """Do at the end of a turn whatever is due."""


def earliest(*moments: int | None) -> int | None:
    """Give the first of several deadlines; None stands for never."""
    return min((moment for moment in moments if moment is not None), default=None)
