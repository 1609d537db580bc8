"""``overheard analyze``, ``evaluate folder`` and ``model`` with a model that detects music."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from models.classifier import Prediction
from models.manifest import ModelManifest
from models.spectrogram.spec import AudioSpec
from realtime.cli import model
from realtime.cli.analyze import TextReport
from realtime.config import Settings
from realtime.evaluation.audio_folder import score_folder
from realtime.pipeline.music_average import MusicAverage
from realtime.pipeline.offline import Record, analyze_file
from realtime.sources import FileSource
from tests.support.audio import tone, write
from tests.support.classifier import LoudestRowClassifier, manifest
from tests.support.cli import copy_model
from tests.support.clock import VirtualClock

RATE = 22_050
COARSE = AudioSpec(
    n_fft=256, column_step=1_334, columns=83, hop_columns=8, window="tukey", row_break_hz=1_000
)


class RecordingReport(TextReport):
    """Text report that also stores the summary."""

    stored: Record

    def summary(self, summary: Record) -> None:
        super().summary(summary)
        self.stored = summary


def analyze(path: Path, talk: str | None = "blues", tags: bool = False) -> Record:
    """Analyze a file with a model that takes one genre for talk, and return the summary."""
    classifier = LoudestRowClassifier(talk=talk, tags=tags)
    report = RecordingReport()
    clock = VirtualClock()
    analyze_file(FileSource(str(path), clock), [classifier], Settings(), clock, report)
    return report.stored


@pytest.fixture
def talk_then_music(tmp_path: Path) -> Path:
    """Ten seconds of a low tone, which counts as talk, and 20 s of a middle one, which is jazz."""
    return write(tmp_path / "both.wav", np.concatenate([tone(300, 10), tone(5_500, 20)]), RATE)


def test_talk_is_no_part_of_the_mean(talk_then_music: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert analyze(talk_then_music)["probabilities"] == {"blues": 0.1, "jazz": 0.8, "rock": 0.1}
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "    0:04  (no music)"
    assert lines[2].endswith("  jazz")
    assert len(lines) == 4
    assert lines[3].startswith("  jazz: jazz 80%, blues 10%, rock 10%; 30.00 s of audio")
    with_talk = analyze(talk_then_music, talk=None)["probabilities"]
    assert with_talk["blues"] > 0.2, "talk must change the mean, or the test shows nothing"


def test_words_of_the_music_stand_in_the_segments_and_in_the_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Jazz is calm, blues and rock have a guitar, and the talk in between has no words."""
    sound = np.concatenate([tone(5_500, 20), tone(300, 20), tone(9_500, 12)])
    summary = analyze(write(tmp_path / "three.wav", sound, RATE), tags=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "    0:04  jazz: calm"
    assert [line.endswith("  (no music)") for line in lines if "(no music)" in line] == [True]
    assert lines[-3].endswith("  rock: energetic, guitar")
    assert lines[-1] == "  jazz: calm"
    segments = summary["segments"]
    assert [each["state"] for each in segments if not each["tags"]] == ["NOT_MUSIC"]
    (talk,) = (each for each in segments if each["state"] == "NOT_MUSIC")
    assert (talk["label"], talk["mood"]) == (None, None)
    first = segments[0]
    assert (first["state"], first["label"], first["start_seconds"]) == ("LISTENING", "jazz", 4.969)
    assert first["tags"] == [{"name": "calm", "kind": "mood", "probability": 0.7}]
    assert segments[-1]["end_seconds"] == pytest.approx(52, abs=0.6)
    assert segments[-1]["mood"]["arousal"] > 0 > segments[0]["mood"]["arousal"]
    assert [(tag["name"], tag["kind"]) for tag in summary["tags"]] == [("calm", "mood")]
    assert 0.4 < summary["tags"][0]["probability"] < 0.7
    assert summary["mood"]["valence"] > 0
    assert np.linalg.norm(summary["embedding"]) == pytest.approx(1, abs=1e-5)
    assert summary["embedding"][1] > summary["embedding"][2] > 0 == summary["embedding"][0]


def test_a_model_without_tags_leaves_their_fields_empty(tmp_path: Path) -> None:
    summary = analyze(write(tmp_path / "music.wav", tone(5_500, 8), RATE))
    assert (summary["tags"], summary["mood"], summary["embedding"]) == ([], None, None)
    talk = analyze(write(tmp_path / "talk.wav", tone(300, 8), RATE), tags=True)
    assert (talk["tags"], talk["mood"], talk["embedding"]) == ([], None, None)


def test_talk_alone_has_no_genre(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = analyze(write(tmp_path / "talk.wav", tone(300, 10), RATE))
    assert (summary["label"], summary["confidence"]) == (None, 0)
    assert set(summary["probabilities"].values()) == {0}
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "    0:04  (no music)"
    assert lines[2].startswith("  no music; 10.00 s of audio")


def test_too_little_sound_for_an_answer_has_no_label(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The end of the window is audible, but less than half of it, so the state remains silence."""
    sound = np.concatenate([np.zeros(4 * RATE), tone(300, 1)])
    summary = analyze(write(tmp_path / "late.wav", sound, RATE))
    assert summary["label"] is None
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "    0:04  (silence)"
    assert lines[2].startswith("  nothing audible; 5.00 s of audio")


def test_a_window_at_the_threshold_is_music() -> None:
    mean = MusicAverage(manifest(music_above=0.5))
    for music, share in ((0.5, 0.2), (0.49, 0.9), (1.0, 0.4)):
        mean.add(Prediction(np.array([share, 1 - share, 0]), 1.0, music))
    mean.add(None)
    assert mean.windows == 2
    assert mean.probabilities == pytest.approx([0.3, 0.7, 0])


def test_a_folder_is_judged_by_its_music(tmp_path: Path, talk_then_music: Path) -> None:
    """A file without detected music is judged by all of its windows, because its genre is known."""
    folder = tmp_path / "library"
    for genre in ("jazz", "rock"):
        (folder / genre).mkdir(parents=True)
    talk_then_music.rename(folder / "jazz" / "both.wav")
    write(folder / "rock" / "talk.wav", tone(300, 10), RATE)
    scores = score_folder(folder, [LoudestRowClassifier(talk="blues")], Settings(), VirtualClock())
    assert scores.labels.tolist() == [1, 2]
    assert scores.probabilities[0] == pytest.approx([0.1, 0.8, 0.1])
    assert scores.probabilities[1] == pytest.approx([0.8, 0.1, 0.1])
    assert scores.skipped == ()


def test_the_model_command_describes_music_detection_rows_and_further_geometries(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output describes first a model without the optional fields, then one with all of them."""
    path, fields = copy_model(tmp_path)
    labels, audio, calibration = fields["labels"], fields["audio"], fields["calibration"]
    assert isinstance(labels, list)
    assert isinstance(audio, dict)
    assert isinstance(calibration, dict)
    without = {
        "labels": [*labels, "an eleventh"],
        "audio": audio | {"row_break_hz": 0.0},
        "calibration": calibration | {"music_above": None},
        "also_reads": [],
    }
    path.write_text(json.dumps(fields | without))
    assert model.command(["--manifest", str(path)]) == 0
    plain = capsys.readouterr().out
    assert "also reads" not in plain
    assert "no music" not in plain
    assert "in octaves" not in plain
    changes = {
        "audio": audio | {"row_break_hz": 700},
        "calibration": calibration | {"music_above": 0.25},
        "also_reads": [asdict(AudioSpec(row_break_hz=1000))],
    }
    path.write_text(json.dumps(fields | changes))
    assert model.command(["--manifest", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    seconds = ModelManifest.load().audio.window_seconds
    assert (
        f"window        {seconds:.2f} s at 22050 Hz: {audio['columns']} columns, each of "
        f"{audio['n_fft']} samples, every {audio['column_step']}; rows nearly even below 700 Hz, "
        "in octaves above"
    ) in lines
    assert (
        "also reads    4.97 s at 22050 Hz: 57 columns, each of 2048 samples, every 1920; "
        "rows nearly even below 1000 Hz, in octaves above"
    ) in lines
    assert next(line for line in lines if line.startswith("calibration")).endswith(", no music below 0.25")


@pytest.mark.training
def test_the_model_command_lists_tags_by_kind(tagged_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert model.command(["--manifest", str(tagged_model)]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("tags          6 of 5 kinds")
    assert lines[start + 1 : start + 7] == [
        "  style       1: house",
        "  mood        2: calm, energetic",
        "  voice       1: female voice",
        "  instrument  1: guitar",
        "  era         1: 80s",
        "embedding     8 values",
    ]
