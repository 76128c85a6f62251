"""Topics and filters: MQTT's own examples, and the limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accessory_emu.transports.topic_filters import (
    TopicError,
    check_filter,
    check_topic,
    has_wildcard,
    matches,
)

TAKES = [
    ("a/b", "a/b"),
    ("a/+", "a/b"),
    ("a/+", "a/"),
    ("+/+", "/finance"),
    ("/+", "/finance"),
    ("+", "a"),
    ("#", "a"),
    ("#", "a/b/c"),
    ("a/#", "a"),
    ("a/#", "a/b/c"),
    ("a/+/c/#", "a/b/c"),
    ("$SYS/#", "$SYS/broker/version"),
    ("$SYS/+/version", "$SYS/broker/version"),
    ("a/+/c", "a/$b/c"),
]
LEAVES = [
    ("a/b", "a/b/c"),
    ("a/b", "A/b"),
    ("a/b", "a/b/"),
    ("a/+", "a"),
    ("a/+", "a/b/c"),
    ("+", "/finance"),
    ("a/#", "ab"),
    ("a/+/c/#", "a/b"),
    ("#", "$SYS/broker/version"),
    ("+/broker/version", "$SYS/broker/version"),
    ("+/#", "$SYS/broker"),
]
BAD_TOPICS = ["", "a+", "+", "a/#", "a\0", "\ud800", "a" * 65_536, "ä" * 32_768, "/" * 200]
BAD_FILTERS = ["", "a+", "a/b+/c", "#/a", "a/#/b", "a#", "##", "++", "a\0", "\udfff", "a" * 65_536, "/" * 200]


@pytest.mark.parametrize(("topic_filter", "topic"), TAKES)
def test_a_filter_takes_a_topic(topic_filter: str, topic: str) -> None:
    assert matches(topic_filter, topic)


@pytest.mark.parametrize(("topic_filter", "topic"), LEAVES)
def test_a_filter_leaves_a_topic(topic_filter: str, topic: str) -> None:
    assert not matches(topic_filter, topic)


@pytest.mark.parametrize("topic", BAD_TOPICS)
def test_what_is_no_topic_is_refused(topic: str) -> None:
    with pytest.raises(TopicError):
        check_topic(topic)


@pytest.mark.parametrize("topic_filter", BAD_FILTERS)
def test_what_is_no_filter_is_refused(topic_filter: str) -> None:
    with pytest.raises(TopicError):
        check_filter(topic_filter)


@pytest.mark.parametrize("topic", ["a", "/", "a b/ü", "$SYS/x", "a" * 65_535, "/" * 199, "%s/{0}"])
def test_a_topic_passes(topic: str) -> None:
    check_topic(topic)
    check_filter(topic)
    assert not has_wildcard(topic)
    assert matches(topic, topic)


@pytest.mark.parametrize("topic_filter", ["#", "+", "+/+", "a/+/#", "/+", "$share/g/a/+"])
def test_a_filter_with_wildcards_passes(topic_filter: str) -> None:
    check_filter(topic_filter)
    assert has_wildcard(topic_filter)


@given(st.text(st.sampled_from("a/+#$\0\ud800"), max_size=12))
def test_any_text_is_judged_with_a_topic_error_or_none(text: str) -> None:
    for check in (check_topic, check_filter):
        try:
            check(text)
        except TopicError:
            continue
        assert text
        assert "\0" not in text
