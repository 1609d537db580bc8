"""Sources by their description, and the names under which they are available."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.errors import SourceError
from realtime.sources.factory import SourceOption, available_sources, open_source
from tests.support.audio import write
from tests.support.audio_source_contract import RATE, SOUND
from tests.support.clock import VirtualClock


@pytest.mark.parametrize("description", ["", "  "])
def test_an_empty_description_is_explained(description: str) -> None:
    with pytest.raises(SourceError, match="the source is empty; name auto"):
        open_source(description, 1.0, VirtualClock())


def test_open_source_takes_a_path_literally(tmp_path: Path) -> None:
    path = write(tmp_path / "mic.wav", SOUND, RATE)
    assert open_source(str(path), 0.0, VirtualClock()).name == "mic.wav"


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("system", "system"), ("mic:USB, front", "mic:USB, front"), ("demo", "demo"), ("auto", "auto"),
        ("/home/someone/music/song.flac", "song.flac"), ("../song.flac", "song.flac"), ("mic:", "mic:"),
        ("https://me:secret@radio.example/live.mp3?key=secret", "https://radio.example/live.mp3"),
        ("a\udcff.mp3", "a?.mp3"), ("x" * 300, "x" * 119 + "…"),
    ],
)  # fmt: skip
def test_offers_tell_no_folders_and_no_secrets(description: str, name: str) -> None:
    assert available_sources([description, description]) == (SourceOption(name, description),)


def test_an_address_that_is_none_is_refused_without_repeating_it() -> None:
    with pytest.raises(SourceError, match="the network address is not valid") as refusal:
        available_sources(["http://me:secret@[half/x"])
    assert "secret" not in str(refusal.value)
