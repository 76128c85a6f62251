"""One suite for every way to travel: memory network, embedded broker and Mosquitto, MQTT 5 and 3.1.1."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeAlias

import pytest

from accessory_emu.protocol.ports import Delivery, Parcel
from accessory_emu.transports.topic_filters import TopicError
from tests.transports.rigs import Ear, Rig, clients, embedded_rig, memory_rig, mosquitto_rig

Play: TypeAlias = Callable[[Callable[[Rig], Coroutine[None, None, None]]], None]


@pytest.fixture(
    params=[
        "memory",
        "embedded 5",
        "embedded 3.1.1",
        pytest.param("mosquitto 5", marks=pytest.mark.mosquitto),
        pytest.param("mosquitto 3.1.1", marks=pytest.mark.mosquitto),
    ]
)
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Play a coroutine on one kind of broker."""
    kind, _, version = str(request.param).partition(" ")
    protocol = "5" if version == "5" else "3.1.1"

    def run(scene: Callable[[Rig], Coroutine[None, None, None]]) -> None:
        async def on_a_rig() -> None:
            if kind == "memory":
                rig = memory_rig()
            elif kind == "embedded":
                rig = embedded_rig(protocol)
            else:
                rig = mosquitto_rig(tmp_path, protocol)
            async with rig as ready:
                await scene(ready)

        asyncio.run(on_a_rig())

    return run


async def listening(ear: Ear, *filters: str) -> None:
    await ear.transport.listen(filters)
    await ear.link(up=True)


def contents(messages: list[Delivery]) -> list[tuple[str, bytes, bool]]:
    return [(message.topic, message.payload, message.retained) for message in messages]


def test_the_link_comes_first_and_messages_follow_in_order(play: Play) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "ear", "mouth") as (ear, mouth):
            await listening(ear, "a/#")
            await listening(mouth)
            for number in range(200):
                await mouth.transport.send(Parcel(f"a/{number % 3}", bytes((number,))))
            got = await ear.messages(200)
            assert [message.payload for message in got] == [bytes((number,)) for number in range(200)]
            assert not any(message.retained for message in got)

    play(scene)


def test_each_senders_order_is_kept(play: Play) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "ear", "1", "2") as (ear, *mouths):
            await listening(ear, "+")
            for mouth in mouths:
                await listening(mouth)
            for number in range(50):
                for name, mouth in enumerate(mouths):
                    await mouth.transport.send(Parcel(f"{name}", bytes((number,))))
            got = await ear.messages(100)
            for name in ("0", "1"):
                numbers = [message.payload[0] for message in got if message.topic == name]
                assert numbers == list(range(50))

    play(scene)


def test_retained_messages_go_to_matching_new_subscriptions_with_the_flag(play: Play) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "ear", "mouth") as (ear, mouth):
            await listening(mouth, "a/#", "b")
            for topic in ("a/1", "a/2", "b"):
                await mouth.transport.send(Parcel(topic, topic.encode(), retain=True))
            assert contents(await mouth.messages(3)) == [
                ("a/1", b"a/1", False),
                ("a/2", b"a/2", False),
                ("b", b"b", False),
            ]
            await listening(ear, "a/+", "fence")
            await mouth.transport.send(Parcel("fence", b"fence"))
            got = sorted(contents(await ear.until(b"fence")))
            assert got == [("a/1", b"a/1", True), ("a/2", b"a/2", True)]

    play(scene)


def test_an_empty_retained_message_is_forwarded_and_clears(play: Play) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "ear", "mouth") as (ear, mouth):
            await listening(mouth, "a")
            for payload in (b"old", b"newer", b""):
                await mouth.transport.send(Parcel("a", payload, retain=True))
            assert [message.payload for message in await mouth.messages(3)] == [b"old", b"newer", b""]
            await listening(ear, "a", "fence")
            await mouth.transport.send(Parcel("fence", b"fence"))
            assert await ear.until(b"fence") == []

    play(scene)


def test_a_filter_asked_for_again_brings_the_retained_again(play: Play) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "ear") as (ear,):
            await listening(ear, "a", "b")
            await ear.transport.send(Parcel("a", b"x", retain=True))
            assert contents(await ear.messages(1)) == [("a", b"x", False)]
            await ear.transport.listen(["a", "b"], again=["a"])
            assert contents(await ear.messages(1)) == [("a", b"x", True)]
            await ear.transport.listen(["a", "b"])
            await ear.transport.send(Parcel("b", b"fence"))
            assert await ear.until(b"fence") == []

    play(scene)


def test_a_changed_set_ends_what_it_leaves_out(play: Play) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "ear") as (ear,):
            await listening(ear, "a", "b/#", "c")
            await ear.transport.listen(["c", "d"])
            for topic in ("a", "b/1", "c", "d"):
                await ear.transport.send(Parcel(topic, topic.encode()))
            await ear.transport.send(Parcel("c", b"fence"))
            assert sorted(message.topic for message in await ear.until(b"fence")) == ["c", "d"]

    play(scene)


def test_wildcards_take_what_mqtt_says(play: Play) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "ear", "mouth") as (ear, mouth):
            await listening(ear, "#")
            await listening(mouth, "+/+", "a/#", "fence")
            topics = ("$SYS/x", "a", "a/b", "a/b/c", "/x", "x/", "b/c/d", "ü/☃ ")
            for topic in topics:
                await ear.transport.send(Parcel(topic, b"x"))
            await ear.transport.send(Parcel("fence", b"fence"))
            heard = [message.topic for message in await ear.until(b"fence")]
            assert heard == [topic for topic in topics if topic != "$SYS/x"]
            heard = [message.topic for message in await mouth.until(b"fence")]
            assert list(dict.fromkeys(heard)) == ["a", "a/b", "a/b/c", "/x", "x/", "ü/☃ "]

    play(scene)


def test_overlapping_filters_bring_at_least_one_copy_and_no_flag(play: Play) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "ear") as (ear,):
            await listening(ear, "a/#", "a/+", "fence")
            await ear.transport.send(Parcel("a/b", b"x", retain=True))
            await ear.transport.send(Parcel("fence", b"fence"))
            assert set(contents(await ear.until(b"fence"))) == {("a/b", b"x", False)}

    play(scene)


@pytest.mark.parametrize("size", [0, 1, 65_536])
def test_payloads_of_any_size_arrive_whole(play: Play, size: int) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "ear") as (ear,):
            await listening(ear, "a")
            payload = bytes(number % 251 for number in range(size))
            await ear.transport.send(Parcel("a", payload))
            assert contents(await ear.messages(1)) == [("a", payload, False)]

    play(scene)


def test_a_will_is_published_when_the_connection_is_cut(play: Play) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "witness") as (witness,):
            await listening(witness, "will")
            dying = Ear(rig.transport("dying", Parcel("will", b"gone", retain=True)))
            await listening(dying, "a")
            await rig.cut("dying")
            assert contents(await witness.messages(1)) == [("will", b"gone", False)]
            await dying.transport.close()

    play(scene)


def test_a_will_is_not_published_after_a_close_and_what_was_sent_before_arrives(play: Play) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "witness") as (witness,):
            await listening(witness, "will", "last", "fence")
            leaving = Ear(rig.transport("leaving", Parcel("will", b"gone")))
            await listening(leaving)
            await leaving.transport.send(Parcel("last", b"words"))
            await leaving.transport.close()
            await witness.transport.send(Parcel("fence", b"fence"))
            assert contents(await witness.until(b"fence")) == [("last", b"words", False)]

    play(scene)


def test_a_client_id_belongs_to_the_newest(play: Play) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "same") as (old,):
            await listening(old, "a")
            new = Ear(rig.transport("same"))
            await listening(new, "a")
            await old.link(up=False)
            await new.transport.close()

    play(scene)


def test_a_cut_connection_comes_back_with_its_subscriptions(play: Play) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "ear", "mouth") as (ear, mouth):
            await listening(ear, "a", "b/#")
            await listening(mouth)
            await mouth.transport.send(Parcel("a", b"kept", retain=True))
            assert contents(await ear.messages(1)) == [("a", b"kept", False)]
            for _ in range(2):
                await rig.cut("ear")
                await ear.link(up=False)
                await ear.link(up=True)
                assert contents(await ear.messages(1)) == [("a", b"kept", True)]
                await mouth.transport.send(Parcel("b/c", b"live"))
                assert contents(await ear.messages(1)) == [("b/c", b"live", False)]

    play(scene)


def test_a_restarted_broker_is_found_again_and_subscriptions_are_made_anew(play: Play) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "ear", "mouth") as (ear, mouth):
            await listening(ear, "a", "b/#")
            await listening(mouth)
            await ear.transport.send(Parcel("a", b"forgotten", retain=True))
            await ear.messages(1)
            await rig.restart()
            for each in (ear, mouth):
                await each.link(up=False)
                await each.link(up=True)
            await mouth.transport.send(Parcel("b/c", b"live"))
            assert contents(await ear.messages(1)) == [("b/c", b"live", False)]

    play(scene)


def test_what_is_no_topic_is_refused_and_harms_nothing(play: Play) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "ear") as (ear,):
            await listening(ear, "a")
            for bad in ("", "a/#/b", "a+", "\ud800", "a\0", "a" * 65_536):
                with pytest.raises(TopicError):
                    await ear.transport.send(Parcel(bad, b"x"))
                with pytest.raises(TopicError):
                    await ear.transport.listen(["b", bad])
            await ear.transport.send(Parcel("a", b"x"))
            assert contents(await ear.messages(1)) == [("a", b"x", False)]

    play(scene)


def test_a_closed_transport_ends_its_deliveries_and_takes_nothing(play: Play) -> None:
    async def scene(rig: Rig) -> None:
        async with clients(rig, "ear") as (ear,):
            await listening(ear, "a")
            await ear.transport.close()
            await ear.transport.close()
            await ear.transport.listen(["b"])
            await ear.transport.send(Parcel("a", b"x"))
            with pytest.raises(StopAsyncIteration):
                await ear.next()

    play(scene)
