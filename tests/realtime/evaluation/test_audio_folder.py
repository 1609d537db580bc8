"""``overheard evaluate folder``: audio files with a folder for each genre."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from models.manifest import ModelManifest
from tests.support.audio import noise, tone, write
from tests.support.cli import (
    format_window_seconds,
    main_error,
    run_command,
    run_main,
)
from tests.support.evaluation import LABELS, check_scorecard, run_evaluate, write_model

RATE = 22_050


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five tracks in three genres, four files without a track, and files that a file manager creates."""
    folder = tmp_path_factory.mktemp("library")
    for name in ("Jazz/album", "rock", "METAL", ".trash"):
        (folder / name).mkdir(parents=True)
    sweep = np.concatenate([tone(hz, 1) for hz in (200, 400, 800, 1600, 3200, 6400, 300, 600)])
    write(folder / "Jazz" / "low.wav", tone(220, 7), RATE)
    write(folder / "Jazz" / "album" / "sweep.flac", sweep, RATE, "flac")
    write(folder / "rock" / "stereo.mp3", np.stack([tone(1000, 8, 44_100)] * 2, axis=1), 44_100, "libmp3lame")
    write(folder / "rock" / "hiss.au", 0.3 * noise(6 * RATE), RATE, "pcm_s16be")
    write(folder / "METAL" / "high.opus", tone(5_000, 6, 48_000), 48_000, "libopus")
    write(folder / "METAL" / "silent.wav", np.zeros(6 * RATE), RATE)
    write(folder / "rock" / "short.wav", tone(440, 3), RATE)
    (folder / "rock" / "notes.txt").write_text("not a sound")
    (folder / "list.csv").write_text("beside")
    (folder / "rock" / ".DS_Store").write_text("hidden")
    (folder / ".trash" / "gone.wav").write_text("hidden")
    return folder


def test_a_folder_is_analyzed_as_by_the_analyze_command(library: Path, tmp_path: Path) -> None:
    """The model takes everything for music, even tones and noise."""
    calibration = asdict(ModelManifest.load().calibration) | {"music_above": 0.0}
    model = write_model(tmp_path, calibration=calibration)
    tracks = {
        "Jazz/low.wav": "jazz",
        "Jazz/album/sweep.flac": "jazz",
        "rock/stereo.mp3": "rock",
        "rock/hiss.au": "rock",
        "METAL/high.opus": "metal",
    }
    files = (str(library / name) for name in tracks)
    done = run_main("analyze", "--json", "--manifest", model, *files)
    summaries = [json.loads(line) for line in done.stdout.splitlines() if '"type":"summary"' in line]
    probabilities = np.array([[each["probabilities"][label] for label in LABELS] for each in summaries])
    card = run_evaluate("folder", str(library), "--manifest", model)
    check_scorecard(card, probabilities, [LABELS.index(genre) for genre in tracks.values()])
    reasons = {each["file"]: each["reason"] for each in card["skipped"]}
    assert set(reasons) == {"list.csv", "METAL/silent.wav", "rock/notes.txt", "rock/short.wav"}
    assert "no window is audible" in reasons["METAL/silent.wav"]
    assert f"3.00 s of audio, but one window needs {format_window_seconds()} s" in reasons["rock/short.wav"]
    assert "FFmpeg" in reasons["rock/notes.txt"]
    assert "not in a genre folder" in reasons["list.csv"]


def test_the_table_of_a_folder_names_what_was_skipped(library: Path) -> None:
    done = run_command("evaluate", "folder", str(library))
    assert done.returncode == 0
    assert "skipped 4" in done.stdout
    assert "  rock/short.wav: short.wav contains 3.00 s of audio" in done.stdout


def test_folders_that_cannot_be_scored(tmp_path: Path) -> None:
    assert "cannot read the folder" in main_error("evaluate", "folder", str(tmp_path / "nowhere"))
    assert "has no audio that can be scored; 0 files skipped" in main_error(
        "evaluate", "folder", str(tmp_path)
    )
    (tmp_path / "Rock").mkdir()
    (tmp_path / "Rock" / "a.wav").write_text("no sound")
    message = main_error("evaluate", "folder", str(tmp_path))
    assert "has no audio that can be scored; 1 file skipped; the first, Rock/a.wav: " in message
    (tmp_path / "polka").mkdir()
    message = main_error("evaluate", "folder", str(tmp_path))
    assert message.endswith(
        f"not named after a genre of this model: 'polka'; the genres are {', '.join(LABELS)}"
    )
