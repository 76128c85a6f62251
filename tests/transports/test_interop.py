"""Other people's clients against the embedded broker: paho, mosquitto_pub and mosquitto_sub."""

import asyncio
import shutil

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.transports.rigs import PATIENCE_S
from tests.transports.running import on_a_loop, port_of, running, until

TOOL = {"5": "mqttv5", "3.1.1": "mqttv311"}
PAHO = {"5": paho.MQTTv5, "3.1.1": paho.MQTTv311}
BOTH = pytest.mark.parametrize("version", ["5", "3.1.1"])


async def tool(name: str, *arguments: str) -> asyncio.subprocess.Process:
    """Start one of Mosquitto's tools."""
    binary = shutil.which(name)
    if binary is None:
        pytest.skip(f"needs {name}: install the package mosquitto-clients")
    return await asyncio.create_subprocess_exec(
        binary, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def finished(process: asyncio.subprocess.Process) -> list[str]:
    """Wait for the end of a tool, and give the lines that it wrote."""
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    assert process.returncode == 0, err
    return out.decode().splitlines()


@pytest.mark.mosquitto
@BOTH
@pytest.mark.parametrize("qos", ["0", "1", "2"])
@on_a_loop
async def test_mosquittos_tools_publish_and_subscribe(version: str, qos: str) -> None:
    async with running() as broker:
        place = ("-p", str(port_of(broker)), "-V", TOOL[version], "-q", qos)
        await finished(await tool("mosquitto_pub", *place, "-t", "a/kept", "-m", "old", "-r"))
        await finished(await tool("mosquitto_pub", *place, "-t", "b/kept", "-m", "other", "-r"))
        listener = await tool("mosquitto_sub", *place, "-t", "a/#", "-C", "3", "-F", "%r %t %p", "-i", "ear")
        await until(lambda: broker.counters["forwarded"] == 1)
        await finished(await tool("mosquitto_pub", *place, "-t", "a/live", "-m", "one"))
        await finished(await tool("mosquitto_pub", *place, "-t", "a/kept", "-m", "new", "-r"))
        assert await finished(listener) == ["1 a/kept old", "0 a/live one", "0 a/kept new"]
        assert broker.counters["malformed"] == broker.counters["broken_rules"] == 0


@pytest.mark.mosquitto
@BOTH
@on_a_loop
async def test_mosquittos_tools_leave_wills_and_keep_sessions(version: str) -> None:
    async with running() as broker:
        place = ("-p", str(port_of(broker)), "-V", TOOL[version], "-q", "1")
        keep = ("-i", "keep", "-c") + (("-x", "100") if version == "5" else ())
        dying = await tool(
            "mosquitto_sub", *place, "-t", "x", "-i", "dying", "--will-topic", "w", "--will-payload", "gone"
        )
        listener = await tool("mosquitto_sub", *place, "-t", "w", *keep, "-C", "1")
        await until(lambda: broker.counters["subscribed"] == 2)
        dying.kill()
        await dying.communicate()
        assert await finished(listener) == ["gone"]
        await finished(await tool("mosquitto_pub", *place, "-t", "w", "-m", "while away"))
        again = await tool("mosquitto_sub", *place, "-t", "w", *keep, "-C", "1")
        assert await finished(again) == ["while away"]


@BOTH
@pytest.mark.parametrize("qos", [0, 1, 2])
@on_a_loop
async def test_paho_publishes_and_subscribes(version: str, qos: int) -> None:
    async with running() as broker:
        await asyncio.to_thread(converse, port_of(broker), version, qos)
        assert broker.counters["malformed"] == broker.counters["broken_rules"] == 0


def converse(port: int, version: str, qos: int) -> None:
    """Let one paho client talk to itself, turn by turn."""
    heard: list[tuple[str, bytes, int, bool]] = []
    granted: list[int] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, "paho", protocol=PAHO[version])
    client.on_message = lambda _client, _data, message: heard.append(
        (message.topic, message.payload, message.qos, bool(message.retain))
    )
    client.on_subscribe = lambda _client, _data, _mid, codes, _properties: granted.extend(
        code.value for code in codes
    )
    client.connect("127.0.0.1", port)
    kept = client.publish("a/kept", b"old", qos, retain=True)
    while not (client.is_connected() and kept.is_published()):
        assert client.loop(1) == paho.MQTT_ERR_SUCCESS
    client.subscribe("a/#", qos)
    while not heard:
        assert client.loop(1) == paho.MQTT_ERR_SUCCESS
    payload = bytes(range(256)) * 300
    client.publish("a/live", payload, qos)
    while len(heard) < 2:
        assert client.loop(1) == paho.MQTT_ERR_SUCCESS
    assert granted == [min(qos, 1)]
    assert heard == [("a/kept", b"old", min(qos, 1), True), ("a/live", payload, min(qos, 1), False)]
    client.disconnect()
    client.loop(0.1)
