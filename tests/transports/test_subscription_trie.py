"""The trie of filters and the tree of topics find what `matches` says, and forget without a trace."""

from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.transports.retained_tree import RetainedTree
from accessory_emu.transports.subscription_trie import SubscriptionTrie
from accessory_emu.transports.topic_filters import TopicError, check_filter, matches

LEVEL = st.sampled_from(["a", "b", "", "$x", "ab"])
TOPICS = st.lists(LEVEL, min_size=1, max_size=4).map("/".join).filter(bool)
FILTERS = st.lists(LEVEL | st.sampled_from(["+", "#"]), min_size=1, max_size=4).map("/".join).filter(bool)


def valid(topic_filter: str) -> bool:
    try:
        check_filter(topic_filter)
    except TopicError:
        return False
    return True


HELD = st.dictionaries(st.tuples(FILTERS.filter(valid), st.integers(0, 2)), st.integers())


@given(HELD, TOPICS)
def test_the_trie_finds_what_matches(held: dict[tuple[str, int], int], topic: str) -> None:
    trie: SubscriptionTrie[int, int] = SubscriptionTrie()
    for (topic_filter, key), value in held.items():
        assert trie.put(topic_filter, key, value)
    found = sorted(pair for holders in trie.find(topic) for pair in holders.items())
    assert found == sorted((key, value) for (want, key), value in held.items() if matches(want, topic))


@given(HELD, TOPICS)
def test_what_is_removed_is_found_no_more(held: dict[tuple[str, int], int], topic: str) -> None:
    trie: SubscriptionTrie[int, int] = SubscriptionTrie()
    for (topic_filter, key), value in held.items():
        trie.put(topic_filter, key, value)
    for topic_filter, key in held:
        assert trie.remove(topic_filter, key)
        assert not trie.remove(topic_filter, key)
        assert key not in trie.holders(topic_filter)
    assert trie.find(topic) == []
    assert vars(trie) == {"_exact": {}, "_root": type(trie._root)()}  # noqa: SLF001 - no branch is left behind


def test_a_filter_is_held_by_many_and_put_twice_changes_its_value() -> None:
    trie: SubscriptionTrie[str, int] = SubscriptionTrie()
    for topic_filter in ("a/+", "a/b"):
        assert trie.put(topic_filter, "ben", 0)
        assert not trie.put(topic_filter, "ben", 1)
        assert trie.put(topic_filter, "anna", 1)
        assert trie.holders(topic_filter) == {"ben": 1, "anna": 1}
        assert not trie.remove("a/c", "ben")
        assert not trie.remove("x/+/y", "ben")
    assert trie.holders("x/+") == {}


@given(st.dictionaries(TOPICS, st.integers()), FILTERS.filter(valid))
def test_the_tree_finds_what_matches(retained: dict[str, int], topic_filter: str) -> None:
    tree: RetainedTree[int] = RetainedTree()
    for topic, value in retained.items():
        tree.put(topic, 7)
        tree.put(topic, value)
        assert tree.get(topic) == value
    assert len(tree) == len(retained)
    assert tree.topics() == list(retained)
    found = sorted(tree.find(topic_filter))
    assert found == sorted(
        (topic, value) for topic, value in retained.items() if matches(topic_filter, topic)
    )
    for topic, value in retained.items():
        assert tree.remove(topic) == value
        assert tree.remove(topic) is None
    assert tree.find("#") + tree.find("$x/#") == []
    assert vars(tree) == {"_held": {}, "_root": type(tree._root)()}  # noqa: SLF001 - no branch is left behind
