"""``overheard evaluate live``: tones and made-up spectrograms through the real pipeline."""

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
from realtime.evaluation.live import LiveEvaluationConfig, evaluate_live, grid
from realtime.evaluation.playback import (
    AudioRecorder,
    StreamClock,
    analyze_playback,
    listen,
    replay,
    true_segments,
)
from realtime.evaluation.programmes import Excerpt, LabeledTrack, Programme, ProgrammeConfig
from realtime.evaluation.tracking_metrics import measure, seconds_to_label
from realtime.pipeline.analyzer import Analyzer
from realtime.protocol.estimate import StreamState
from tests.support.audio import programme, tone, write
from tests.support.classifier import LoudestRowClassifier
from tests.support.evaluation import AT_ONCE, HERTZ, RATE, library

__all__ = ["library"]  # fixtures

LISTENING, SILENT = StreamState.LISTENING, StreamState.SILENT


def test_what_the_analyzer_says_is_what_is_measured() -> None:
    """Without smoothing a label follows when the new tone fills half of the window."""
    samples, spec = programme(), AudioSpec()
    stretches = true_segments([0, 1, 2], [12, 12, 12])
    recording = listen(samples, RATE, stretches, LoudestRowClassifier(), AT_ONCE)
    scores = measure([analyze_playback(recording, AT_ONCE)], 3)
    hop = spec.hop_columns * spec.column_step / spec.sample_rate
    assert scores.first_label_seconds == pytest.approx(spec.window_seconds, abs=0.05)
    assert scores.switch_median == pytest.approx(spec.window_seconds / 2, abs=hop)
    assert (scores.never_followed, scores.flips_per_minute, scores.window_accuracy) == (0, 0, 1)
    assert scores.settled_accuracy == 1
    assert scores.minutes == pytest.approx((36 - spec.window_seconds) / 60, abs=0.001)


def test_smoothing_takes_as_long_as_its_settings_say() -> None:
    """Of 0.8 against 0.1 the newcomer has 0.5, the least that is sure, when 2**(-t/3) is 3/7: after 3.7 s."""
    recording = listen(
        programme(), RATE, true_segments([0, 1, 2], [12, 12, 12]), LoudestRowClassifier(), AT_ONCE
    )
    at_once = measure([analyze_playback(recording, AT_ONCE)], 3).switch_median
    smoothed = replace(Settings(), smoothing=SmoothingSettings(3, 0, 0))
    held = replace(Settings(), smoothing=SmoothingSettings(3, 0, 1.5))
    unsure = measure([analyze_playback(recording, smoothed)], 3)
    assert at_once is not None
    assert unsure.switch_median is not None
    assert unsure.switch_median == pytest.approx(at_once + 3 * np.log2(7 / 3), abs=0.6)
    later = measure([analyze_playback(recording, held)], 3).switch_median
    assert later == pytest.approx(unsure.switch_median + 1.5, abs=0.6)
    assert unsure.unsure is not None
    assert unsure.unsure > 0


def test_a_replay_is_what_the_analyzer_would_have_said() -> None:
    samples = np.concatenate([tone(300, 8), np.zeros(4 * RATE, np.float32), tone(9_500, 8)])
    classifier, chosen, clock = LoudestRowClassifier(), Settings(), StreamClock()
    analyzer = Analyzer(classifier, chosen, RATE, clock)
    live = []
    for start in range(0, len(samples), 1_024):
        block = samples[start : start + 1_024]
        clock.now = (start + len(block)) / RATE
        live += list(analyzer.process(AudioBlock(block, start, RATE, clock.now)))
    live += list(analyzer.flush())
    replayed = list(replay(listen(samples, RATE, (), classifier, chosen), chosen))
    assert [each.estimate for each in replayed] == [each.estimate for each in live]
    assert {each.estimate.state for each in live} >= {LISTENING, SILENT}


def card_of(
    plan: LiveEvaluationConfig, classifier: GenreClassifier, chosen: Settings = AT_ONCE
) -> dict[str, Any]:
    return evaluate_live(plan, classifier, chosen, SystemClock())


def test_a_library_through_the_real_pipeline(library: Path) -> None:
    plan = LiveEvaluationConfig(
        audio=library / "sounds", conditions=("as-is", "gain-20"), shape=ProgrammeConfig(1, 3)
    )
    card = card_of(plan, LoudestRowClassifier())
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


def test_pauses_make_the_pipeline_silent_and_it_finds_back(library: Path) -> None:
    tracks = [
        LabeledTrack(str(library / "table" / f"{genre}-0.wav"), n, "", 10.5) for n, genre in enumerate(HERTZ)
    ]
    recorder = AudioRecorder(LoudestRowClassifier(), AT_ONCE)
    excerpts = tuple(Excerpt(track, 0.0, 10.5) for track in tracks)
    run = analyze_playback(recorder.record(Programme(excerpts, pause_seconds=3.0), "as-is", (0, 0)), AT_ONCE)
    assert [stretch.genre for stretch in run.stretches] == [0, None, 1, None, 2]
    assert run.stretches[-1].end == pytest.approx(3 * 10.5 + 6)
    assert SILENT in {moment.state for moment in run.moments}
    assert all(seconds_to_label(run, stretch) for stretch in run.stretches if stretch.genre is not None)


def test_tuning_chooses_on_one_half_and_judges_on_the_other(library: Path) -> None:
    plan = LiveEvaluationConfig(table=library / "table.csv", shape=ProgrammeConfig(1, 3), tune=True)
    (found,) = card_of(plan, LoudestRowClassifier(), Settings())["tuning"]
    assert found["tracks"] == [3, 3]
    assert len(found["tried"]) == len(grid(SmoothingSettings())) == 36
    assert found["settings"]["half_life_seconds"] == 1
    assert found["chosen"]["accuracy"] > found["present"]["accuracy"]
    assert found["chosen"]["flips_per_minute"] == found["present"]["flips_per_minute"] == 0


def test_sound_that_is_no_music(library: Path, tmp_path: Path) -> None:
    """Three clips of 4 s make one of 10 s; the rest and another origin's single clip make none."""
    (tmp_path / "clips").mkdir()
    for number in range(3):
        write(tmp_path / "clips" / f"talk-{number}.wav", tone(300, 4, 8_000), 8_000)
        write(tmp_path / "clips" / f"hush-{number}.wav", np.zeros(4 * RATE), RATE)
    rows = [f"talk-{n}.wav,speech,here" for n in range(3)] + [f"hush-{n}.wav,silence,here" for n in range(3)]
    rows += ["talk-0.wav,speech,there", "gone.wav,speech,there"]
    (tmp_path / "clips.csv").write_text("\n".join(["file,kind,origin", *rows, ""]))
    plan = LiveEvaluationConfig(
        table=library / "table.csv",
        not_music=tmp_path / "clips.csv",
        shape=ProgrammeConfig(1, 2),
        check_artists=False,
    )
    card = card_of(plan, LoudestRowClassifier(talk="blues"))
    found = {each["kind"]: each for each in card["not_music"]}
    assert {kind: each["clips"] for kind, each in found.items()} == {"speech": 1, "silence": 1, "music": 6}
    shares = ("named", "kept", "listening", "not_music", "silent")
    assert [found["speech"][share] for share in shares] == [0, 0, 0, 1, 0]
    assert [found["silence"][share] for share in shares] == [0, 1, 0, 0, 1]
    assert found["music"]["not_music"] >= 0.33  # the two of blues, which this classifier takes for talk
    assert [each["file"] for each in card["skipped"]] == ["gone.wav"]
    named = card_of(LiveEvaluationConfig(not_music=tmp_path / "clips.csv"), LoudestRowClassifier())[
        "not_music"
    ]
    assert [(each["kind"], each["named"], each["listening"]) for each in named] == [
        ("speech", 1, 1),
        ("silence", 0, 0),
    ]
