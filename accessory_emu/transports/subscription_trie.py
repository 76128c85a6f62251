"""Who listens to a topic: exact filters in a dictionary, wildcards in a trie. Pure."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from accessory_emu.transports.topic_filters import has_wildcard

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class _Node(Generic[K, V]):
    """One level of the filters with wildcards; `held` are those that end here."""

    below: dict[str, "_Node[K, V]"] = field(default_factory=dict)
    held: dict[K, V] = field(default_factory=dict)


class SubscriptionTrie(Generic[K, V]):
    """Valid filters, each with its holders and what each of them wants to keep there."""

    def __init__(self) -> None:
        self._exact: dict[str, dict[K, V]] = {}
        self._root: _Node[K, V] = _Node()

    def put(self, topic_filter: str, key: K, value: V) -> bool:
        """Let `key` hold the filter with this value; True if it did not hold it before."""
        if has_wildcard(topic_filter):
            node = self._root
            for level in topic_filter.split("/"):
                node = node.below.setdefault(level, _Node())
            held = node.held
        else:
            held = self._exact.setdefault(topic_filter, {})
        new = key not in held
        held[key] = value
        return new

    def remove(self, topic_filter: str, key: K) -> bool:
        """Let `key` hold the filter no longer; False if it did not."""
        if has_wildcard(topic_filter):
            return self._remove_wildcard(topic_filter.split("/"), key)
        held = self._exact.get(topic_filter, {})
        if key not in held:
            return False
        del held[key]
        if not held:
            del self._exact[topic_filter]
        return True

    def holders(self, topic_filter: str) -> Mapping[K, V]:
        """Give the holders of exactly this filter."""
        if not has_wildcard(topic_filter):
            return self._exact.get(topic_filter, {})
        node = self._root
        for level in topic_filter.split("/"):
            if level not in node.below:
                return {}
            node = node.below[level]
        return node.held

    def find(self, topic: str) -> list[Mapping[K, V]]:
        """Give the holders of every filter that takes the topic, filter by filter. Spec: AE-MQ-011."""
        exact = self._exact.get(topic)
        found: list[Mapping[K, V]] = [] if exact is None else [exact]
        if not self._root.below:
            return found
        nodes = [self._root]
        wild = not topic.startswith("$")  # a wildcard in the first level takes no `$` topic
        for level in topic.split("/"):
            if wild:
                found += _rest(nodes)
            steps = (level, "+") if wild else (level,)
            nodes = [node.below[step] for node in nodes for step in steps if step in node.below]
            wild = True
        return found + [node.held for node in nodes if node.held] + _rest(nodes)  # `a/#` takes `a` too

    def _remove_wildcard(self, levels: list[str], key: K) -> bool:
        path = [self._root]
        for level in levels:
            if level not in path[-1].below:
                return False
            path.append(path[-1].below[level])
        if key not in path[-1].held:
            return False
        del path[-1].held[key]
        for level in reversed(levels):  # branches that hold nothing any more go
            leaf = path.pop()
            if leaf.held or leaf.below:
                break
            del path[-1].below[level]
        return True


def _rest(nodes: list[_Node[K, V]]) -> list[Mapping[K, V]]:
    return [node.below["#"].held for node in nodes if "#" in node.below]
