"""``overheard evaluate live``: tones and synthetic spectrograms through the real pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.classifier import GenreClassifier
from models.spectrogram.spec import AudioSpec
from realtime.audio.source import AudioBlock
from realtime.clock import SystemClock
from realtime.config import Settings, SmoothingSettings
from realtime.evaluation.live import LiveEvaluationConfig, evaluate_live, smoothing_grid
from realtime.evaluation.playback import (
    AudioPlayer,
    StreamClock,
    analyze_playback,
    build_segments,
    play_samples,
    replay,
)
from realtime.evaluation.programmes import (
    Excerpt,
    LabeledTrack,
    Programme,
    ProgrammeConfig,
    read_table_tracks,
)
from realtime.evaluation.tracking_metrics import measure, seconds_to_label
from realtime.pipeline.analyzer import Analyzer
from realtime.protocol.estimate import StreamState
from tests.support.audio import programme, tone, write
from tests.support.classifier import LoudestRowClassifier
from tests.support.evaluation import RATE, TONE_HZ, UNSMOOTHED, tone_library

__all__ = ["tone_library"]  # fixtures

LISTENING, SILENT = StreamState.LISTENING, StreamState.SILENT


def test_scores_describe_the_estimates_of_the_analyzer() -> None:
    """Without smoothing, the label changes when the new tone fills half of the window."""
    samples, spec = programme(), AudioSpec()
    segments = build_segments([0, 1, 2], [12, 12, 12])
    playback = play_samples(samples, RATE, segments, LoudestRowClassifier(), UNSMOOTHED)
    scores = measure([analyze_playback(playback, UNSMOOTHED)], 3)
    hop = spec.hop_columns * spec.column_step / spec.sample_rate
    assert scores.first_label_seconds == pytest.approx(spec.window_seconds, abs=0.05)
    assert scores.switch_median == pytest.approx(spec.window_seconds / 2, abs=hop)
    assert (scores.never_followed, scores.flips_per_minute, scores.window_accuracy) == (0, 0, 1)
    assert scores.settled_accuracy == 1
    assert scores.minutes == pytest.approx((36 - spec.window_seconds) / 60, abs=0.001)


def test_smoothing_takes_as_long_as_its_settings_define() -> None:
    """The new label leads among recent predictions after 1 s, and is confident after 1.2 s.

    Its probability there then reaches 0.5, on the way from 0.1 to 0.8, because 2**-t is 3/7.
    """
    playback = play_samples(
        programme(), RATE, build_segments([0, 1, 2], [12, 12, 12]), LoudestRowClassifier(), UNSMOOTHED
    )
    at_once = measure([analyze_playback(playback, UNSMOOTHED)], 3).switch_median
    smoothed = replace(Settings(), smoothing=SmoothingSettings(3, 0, 0))
    held = replace(Settings(), smoothing=SmoothingSettings(3, 0, 1.5))
    unsure = measure([analyze_playback(playback, smoothed)], 3)
    assert at_once is not None
    assert unsure.switch_median is not None
    assert unsure.switch_median == pytest.approx(at_once + np.log2(7 / 3), abs=0.6)
    later = measure([analyze_playback(playback, held)], 3).switch_median
    assert later == pytest.approx(at_once + 1 + 1.5, abs=0.6)
    assert unsure.unsure is not None
    assert unsure.unsure > 0


def test_a_replay_equals_the_estimates_of_the_analyzer() -> None:
    samples = np.concatenate([tone(300, 8), np.zeros(4 * RATE, np.float32), tone(9_500, 8)])
    classifier, settings, clock = LoudestRowClassifier(), Settings(), StreamClock()
    analyzer = Analyzer(classifier, settings, RATE, clock)
    live = []
    for start in range(0, len(samples), 1_024):
        block = samples[start : start + 1_024]
        clock.now = (start + len(block)) / RATE
        live += list(analyzer.process(AudioBlock(block, start, RATE, clock.now)))
    live += list(analyzer.flush())
    replayed = list(replay(play_samples(samples, RATE, (), classifier, settings), settings))
    assert [each.estimate for each in replayed] == [each.estimate for each in live]
    assert {each.estimate.state for each in live} >= {LISTENING, SILENT}


def evaluate(
    config: LiveEvaluationConfig, classifier: GenreClassifier, settings: Settings = UNSMOOTHED
) -> dict[str, Any]:
    return evaluate_live(config, classifier, settings, SystemClock())


def test_a_library_through_the_real_pipeline(tone_library: Path) -> None:
    config = LiveEvaluationConfig(
        audio=tone_library / "sounds", conditions=("as-is", "gain-20"), programme=ProgrammeConfig(1, 3)
    )
    card = evaluate(config, LoudestRowClassifier())
    assert [(each["material"], each["condition"]) for each in card["sets"]] == [
        ("audio", "as-is"),
        ("audio", "gain-20"),
    ]
    for each in card["sets"]:
        assert (each["programmes"], each["changes"]) == (1, 2)
        assert (each["window_accuracy"], each["settled_accuracy"], each["never_followed"]) == (1, 1, 0)
        assert each["switch_median"] == pytest.approx(2.5, abs=0.55)
        assert set(each["recall"].values()) <= {1.0, None}
    assert card["without_tracks"] == {"audio": []}
    assert card["skipped"] == []


def test_the_pipeline_is_silent_in_pauses_and_names_the_genre_again_after_them(tone_library: Path) -> None:
    tracks = [
        LabeledTrack(str(tone_library / "table" / f"{genre}-0.wav"), n, "", 10.5)
        for n, genre in enumerate(TONE_HZ)
    ]
    player = AudioPlayer(LoudestRowClassifier(), UNSMOOTHED)
    excerpts = tuple(Excerpt(track, 0.0, 10.5) for track in tracks)
    run = analyze_playback(player.play(Programme(excerpts, pause_seconds=3.0), "as-is", (0, 0)), UNSMOOTHED)
    assert [segment.genre for segment in run.segments] == [0, None, 1, None, 2]
    assert run.segments[-1].end == pytest.approx(3 * 10.5 + 6)
    assert SILENT in {entry.state for entry in run.timeline}
    assert all(seconds_to_label(run, segment) for segment in run.segments if segment.genre is not None)


def test_rows_without_a_genre_are_left_out(tone_library: Path, tmp_path: Path) -> None:
    labels = LoudestRowClassifier().manifest.labels
    listed, _ = read_table_tracks(tone_library / "table.csv", labels, held_out_artists=False)
    text = (tone_library / "table.csv").read_text()
    header, first, *_ = text.splitlines()
    unlabeled = dict(zip(header.split(","), first.split(","), strict=True)) | {"genre": " "}
    path = tmp_path / "table.csv"
    path.write_text(text + ",".join(unlabeled.values()) + "\n")
    (tmp_path / "table").symlink_to(tone_library / "table")
    with_unlabeled, skipped = read_table_tracks(path, labels, held_out_artists=False)
    assert len(with_unlabeled) == len(listed)
    assert not skipped


def test_tuning_chooses_on_one_half_and_scores_the_other(tone_library: Path) -> None:
    config = LiveEvaluationConfig(
        table=tone_library / "table.csv", programme=ProgrammeConfig(1, 3), tune=True
    )
    (found,) = evaluate(config, LoudestRowClassifier(), Settings())["tuning"]
    assert found["tracks"] == [3, 3]
    assert len(found["tried"]) == len(smoothing_grid(SmoothingSettings())) == 27
    assert found["settings"]["hold_seconds"] == 0
    assert found["chosen"]["accuracy"] > found["present"]["accuracy"]
    assert found["chosen"]["flips_per_minute"] == found["present"]["flips_per_minute"] == 0


def test_audio_that_is_not_music(tone_library: Path, tmp_path: Path) -> None:
    """Three clips of 4 s make one of 10 s. The rest and the single clip of another origin make none."""
    (tmp_path / "clips").mkdir()
    for number in range(3):
        write(tmp_path / "clips" / f"talk-{number}.wav", tone(300, 4, 8_000), 8_000)
        write(tmp_path / "clips" / f"hush-{number}.wav", np.zeros(4 * RATE), RATE)
    rows = [f"talk-{n}.wav,speech,here" for n in range(3)] + [f"hush-{n}.wav,silence,here" for n in range(3)]
    rows += ["talk-0.wav,speech,there", "gone.wav,speech,there"]
    (tmp_path / "clips.csv").write_text("\n".join(["file,kind,origin", *rows, ""]))
    config = LiveEvaluationConfig(
        table=tone_library / "table.csv",
        non_music=tmp_path / "clips.csv",
        programme=ProgrammeConfig(1, 2),
        held_out_artists=False,
    )
    card = evaluate(config, LoudestRowClassifier(talk="blues"))
    found = {each["kind"]: each for each in card["not_music"]}
    assert {kind: each["clips"] for kind, each in found.items()} == {"speech": 1, "silence": 1, "music": 6}
    shares = ("named", "kept", "listening", "not_music", "silent")
    assert [found["speech"][share] for share in shares] == [0, 0, 0, 1, 0]
    assert [found["silence"][share] for share in shares] == [0, 1, 0, 0, 1]
    assert found["music"]["not_music"] >= 0.33  # this classifier takes the two blues tracks for talk
    assert [each["file"] for each in card["skipped"]] == ["gone.wav"]
    named = evaluate(LiveEvaluationConfig(non_music=tmp_path / "clips.csv"), LoudestRowClassifier())[
        "not_music"
    ]
    assert [(each["kind"], each["named"], each["listening"]) for each in named] == [
        ("speech", 1, 1),
        ("silence", 0, 0),
    ]
