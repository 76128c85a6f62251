"""The retained messages of a broker: one a topic, found by filter. Pure."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

V = TypeVar("V")


@dataclass(slots=True)
class _Node(Generic[V]):
    """One level of the topics; `value` is what is retained on the topic that ends here."""

    below: dict[str, "_Node[V]"] = field(default_factory=dict)
    topic: str = ""
    value: V | None = None


class RetainedTree(Generic[V]):
    """At most one value a topic; None stands for nothing."""

    def __init__(self) -> None:
        self._root: _Node[V] = _Node()
        self._held: dict[str, V] = {}

    def __len__(self) -> int:
        return len(self._held)

    def get(self, topic: str) -> V | None:
        """Give what is retained on a topic."""
        return self._held.get(topic)

    def topics(self) -> list[str]:
        """Give the topics that hold something, in the order in which they began to."""
        return list(self._held)

    def put(self, topic: str, value: V) -> None:
        """Retain a value in place of the one before."""
        self._held[topic] = value
        node = self._root
        for level in topic.split("/"):
            node = node.below.setdefault(level, _Node())
        node.topic, node.value = topic, value

    def remove(self, topic: str) -> V | None:
        """Forget a topic; the answer is what it held."""
        value = self._held.pop(topic, None)
        if value is None:
            return None
        levels = topic.split("/")
        path = [self._root]
        for level in levels:
            path.append(path[-1].below[level])
        path[-1].value = None
        for level in reversed(levels):
            leaf = path.pop()
            if leaf.value is not None or leaf.below:
                break
            del path[-1].below[level]
        return value

    def find(self, topic_filter: str) -> list[tuple[str, V]]:
        """Give topics and values that a valid filter takes, in the order of the tree. Spec: AE-MQ-011."""
        nodes = [self._root]
        for depth, want in enumerate(topic_filter.split("/")):
            if want == "#":
                return [found for node in nodes for found in _all(node, hidden=depth == 0)]
            nodes = [below for node in nodes for below in _step(node, want, hidden=depth == 0)]
        return [(node.topic, node.value) for node in nodes if node.value is not None]


def _step(node: _Node[V], want: str, *, hidden: bool) -> list[_Node[V]]:
    """Go down one level; with `hidden`, a wildcard takes nothing that begins with `$`."""
    if want != "+":
        return [node.below[want]] if want in node.below else []
    return [below for level, below in node.below.items() if not (hidden and level.startswith("$"))]


def _all(top: _Node[V], *, hidden: bool) -> list[tuple[str, V]]:
    """Give everything at and below a node, the node itself first."""
    found = [] if top.value is None else [(top.topic, top.value)]
    waiting = _step(top, "+", hidden=hidden)[::-1]
    while waiting:
        node = waiting.pop()
        if node.value is not None:
            found.append((node.topic, node.value))
        waiting.extend(reversed(node.below.values()))
    return found
