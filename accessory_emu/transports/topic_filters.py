"""Topics and filters by MQTT's rules: which are valid, and which filter takes which topic.

`+` stands for one level, `#` for all that follow, and a wildcard in the first level takes no topic that
begins with `$` (MQTT 3.1.1 and 5, section 4.7). Pure.
"""

from accessory_emu.transports import bounds


class TopicError(ValueError):
    """The text is no topic or no filter: empty, too long, not UTF-8, with NUL, a wildcard out of place."""


def check_topic(topic: str) -> None:
    """Let pass what a message may be published to.

    Raises:
        TopicError: the text is no topic name.

    Spec: AE-MQ-010.
    """
    _check_text(topic)
    if "+" in topic or "#" in topic:
        raise TopicError("a topic holds no wildcard")


def check_filter(topic_filter: str) -> None:
    """Let pass what may be subscribed to.

    Raises:
        TopicError: the text is no topic filter.

    Spec: AE-MQ-010.
    """
    _check_text(topic_filter)
    if "+" not in topic_filter and "#" not in topic_filter:
        return
    levels = topic_filter.split("/")
    if any(len(level) > 1 and ("+" in level or "#" in level) for level in levels):
        raise TopicError("a wildcard fills its level")
    if "#" in levels[:-1]:
        raise TopicError("`#` stands only at the end")


def has_wildcard(topic_filter: str) -> bool:
    """Tell whether a valid filter takes more than one topic."""
    return "+" in topic_filter or topic_filter.endswith("#")


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether a valid filter takes a valid topic. Spec: AE-MQ-011."""
    if topic.startswith("$") and topic_filter[0] in "+#":
        return False
    wanted = topic_filter.split("/")
    levels = topic.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        if len(levels) < len(wanted):
            return False
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(
        want in ("+", level) for want, level in zip(wanted, levels, strict=True)
    )


def _check_text(text: str) -> None:
    if not text:
        raise TopicError("a topic is never empty")
    if "\0" in text:
        raise TopicError("a topic holds no NUL")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise TopicError("a topic is UTF-8 text") from None
    if size > bounds.TOPIC_BYTES:
        raise TopicError(f"a topic has at most {bounds.TOPIC_BYTES} bytes, not {size}")
    if text.count("/") >= bounds.TOPIC_LEVELS:
        raise TopicError(f"a topic has at most {bounds.TOPIC_LEVELS} levels")
