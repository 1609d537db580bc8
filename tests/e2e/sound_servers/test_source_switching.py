"""Switching between real devices of a PulseAudio server, whose recordings are counted."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.audio import tone, write
from tests.support.sound_servers import SoundServer, run_listen, sound_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

TOKEN = "a-token-of-the-tests"
RATE = 48_000


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[SoundServer]:
    """A server that plays a tone, with a microphone which hears it."""
    with sound_server(tmp_path, "pulseaudio") as started:
        started.run(
            "pactl", "load-module", "module-remap-source", "master=speakers.monitor", "source_name=usb_mic",
            "source_properties=device.class=sound",
        )  # fmt: skip
        started.play(write(tmp_path / "tone.wav", tone(440, 120, RATE), RATE))
        yield started


def recordings(pulse: SoundServer) -> int:
    return len(pulse.run("pactl", "list", "short", "source-outputs").splitlines())


class Client:
    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.seen: list[Any] = []

    def until(self, wanted: Callable[[Any], bool], seconds: float = 30.0) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            message = json.loads(self.connection.recv(timeout=deadline - time.monotonic()))
            self.seen.append(message)
            if wanted(message):
                return message

    def ask(self, action: str, **fields: Any) -> str:
        """The answer's sentence; it must be a yes."""
        self.connection.send(json.dumps({"type": "control", "id": action, "action": action} | fields))
        answer = self.until(lambda m: m["type"] == "response")
        assert answer["ok"], answer
        return str(answer["detail"])

    def estimate(self, source: str) -> Any:
        return self.until(lambda m: m["type"] == "estimate" and m["source"] == source)


def test_from_a_file_to_what_plays_to_a_microphone(pulse: SoundServer, tmp_path: Path) -> None:
    # The remapped source records the monitor for good, as a filter does.
    resting = recordings(pulse)
    pulse.environment["OVERHEARD_TOKEN"] = TOKEN
    words = [
        "--source",
        "demo",
        "--allow-source",
        "system",
        "--allow-source",
        "mic",
        "--allow-source",
        "mic:nothing of that name",
    ]
    with (
        run_listen(pulse.environment, *words, token=TOKEN) as overheard,
        connect(overheard.address, additional_headers={"Authorization": f"Bearer {TOKEN}"}) as connection,
    ):
        client = Client(connection)
        client.estimate("demonstration")
        client.ask("measure_levels")
        levels = levels_of(client)
        assert -20 < levels["system"]["level_dbfs"] < -5
        assert -20 < levels["mic"]["level_dbfs"] < -5
        assert levels["mic:nothing of that name"]["level_dbfs"] is None
        assert "usb_mic" in levels["mic:nothing of that name"]["error"], "what there is instead"
        wait_until(lambda: recordings(pulse) == resting)

        began = time.monotonic()
        assert client.ask("select_source", name="system") == "listening to system audio (speakers.monitor)"
        hello = [m for m in client.seen if m["type"] == "hello"][-1]
        assert (hello["source"], hello["replaces_source"]) == (
            "system audio (speakers.monitor)",
            "demonstration",
        )
        client.estimate("system audio (speakers.monitor)")
        print(f"a file to the computer's sound, first estimate after {time.monotonic() - began:.1f} s")
        assert recordings(pulse) == resting + 1

        began = time.monotonic()
        assert client.ask("pause") == "paused; the source is closed"
        print(f"paused after {time.monotonic() - began:.2f} s")
        wait_until(lambda: recordings(pulse) == resting, seconds=2)
        assert client.ask("resume") == "listening to system audio (speakers.monitor)"
        client.estimate("system audio (speakers.monitor)")

        assert client.ask("select_source", name="mic") == "listening to usb_mic"
        heard = client.estimate("usb_mic")
        assert -20 < heard["level_dbfs"] < -5
        assert recordings(pulse) == resting + 1
    wait_until(lambda: recordings(pulse) == resting)


def levels_of(client: Client) -> dict[str, Any]:
    told = [message for message in client.seen if message["type"] == "sources"][-1]
    return {each["name"]: each for each in told["available"]}
