"""Switching between real devices of a PulseAudio server. The server reports which device is recorded."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.audio import tone, write
from tests.support.sound_servers import ListenProcess, SoundServer, run_listen, sound_server
from tests.support.waiting import wait_until
from tests.support.websocket_client import TOKEN

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

RATE = 48_000


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[SoundServer]:
    """PulseAudio server that plays a tone, with a microphone that records it."""
    with sound_server(tmp_path, "pulseaudio") as started:
        started.run(
            "pactl", "load-module", "module-remap-source", "master=speakers.monitor", "source_name=usb_mic",
            "source_properties=device.class=sound",
        )  # fmt: skip
        started.play(write(tmp_path / "tone.wav", tone(440, 120, RATE), RATE))
        yield started


def count_recordings(pulse: SoundServer) -> int:
    return len(pulse.run("pactl", "list", "short", "source-outputs").splitlines())


def test_from_a_file_to_what_plays_to_a_microphone(pulse: SoundServer, tmp_path: Path) -> None:
    idle = count_recordings(pulse)  # the remapped source always records the monitor
    pulse.environment["OVERHEARD_TOKEN"] = TOKEN
    arguments = ["--source", "demo"]
    for source in ("system", "mic", "mic:nothing of that name"):
        arguments += ["--allow-source", source]
    with run_listen(pulse.environment, *arguments, token=TOKEN) as overheard:
        overheard.estimate("demonstration")
        assert request_ok(overheard, "measure_levels") == "levels measured: 3"
        levels = get_levels(overheard)
        assert -20 < levels["system"]["level_dbfs"] < -5
        assert -20 < levels["mic"]["level_dbfs"] < -5
        assert levels["mic:nothing of that name"]["level_dbfs"] is None
        assert "usb_mic" in levels["mic:nothing of that name"]["error"], "the error must name the microphones"
        wait_until(lambda: count_recordings(pulse) == idle)

        system = "system audio (speakers.monitor)"
        began = time.monotonic()
        assert request_ok(overheard, "select_source", name="system") == f"listening to {system}"
        hello = [m for m in overheard.seen if m["type"] == "hello"][-1]
        assert (hello["source"], hello["replaces_source"]) == (system, "demonstration")
        overheard.estimate(system)
        print(f"from a file to system audio: first estimate after {time.monotonic() - began:.1f} s")
        assert count_recordings(pulse) == idle + 1

        began = time.monotonic()
        assert request_ok(overheard, "pause") == "paused; the source is closed"
        print(f"paused after {time.monotonic() - began:.2f} s")
        wait_until(lambda: count_recordings(pulse) == idle, seconds=2)
        assert request_ok(overheard, "resume") == f"listening to {system}"
        overheard.estimate(system)

        assert request_ok(overheard, "select_source", name="mic") == "listening to usb_mic"
        assert -20 < overheard.estimate("usb_mic")["level_dbfs"] < -5
        assert count_recordings(pulse) == idle + 1
    wait_until(lambda: count_recordings(pulse) == idle)


def request_ok(overheard: ListenProcess, action: str, **fields: Any) -> str:
    """Send a control, which must succeed, and return the detail of its response."""
    response = overheard.request(action, **fields)
    assert response["ok"], response
    return str(response["detail"])


def get_levels(overheard: ListenProcess) -> dict[str, Any]:
    """Return the available sources by name, from the last message that lists them."""
    sources = [message for message in overheard.seen if message["type"] == "sources"][-1]
    return {each["name"]: each for each in sources["available"]}
