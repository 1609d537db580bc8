"""``overheard evaluate live``: tones and made-up pictures through the real pipeline, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.classifier import GenreClassifier
from models.errors import OverheardError
from models.spectrogram.spec import AudioSpec
from realtime.audio.source import AudioBlock
from realtime.cli import evaluate
from realtime.clock import SystemClock
from realtime.config import Settings, SmoothingSettings
from realtime.evaluate_live import Plan, evaluate_live, grid
from realtime.evaluate_pictures import FORMS, StoredTracks
from realtime.live_measures import measure, seconds_to_label
from realtime.live_runs import (
    CARD_RATE,
    CONDITIONS,
    AudioRecorder,
    PictureRecorder,
    StreamClock,
    listen,
    replay,
    run_of,
    stretches_of,
)
from realtime.pipeline.analyzer import Analyzer
from realtime.programmes import Excerpt, Programme, Shape, Track
from realtime.protocol.estimate import StreamState
from tests.support.audio import noise, programme, tone, write
from tests.support.classifier import LABELS, LoudestRowClassifier
from tests.support.cli import overheard, overheard_here, refused_here

RATE = 22_050
HERTZ = {"blues": 300, "jazz": 5_500, "rock": 9_500}
AT_ONCE = replace(Settings(), smoothing=SmoothingSettings(0, 0, 0))
LISTENING, SILENT = StreamState.LISTENING, StreamState.SILENT


def test_what_the_analyzer_says_is_what_is_measured() -> None:
    """Without smoothing a label follows when the new tone fills half of the window."""
    samples, spec = programme(), AudioSpec()
    stretches = stretches_of([0, 1, 2], [12, 12, 12])
    recording = listen(samples, RATE, stretches, LoudestRowClassifier(), AT_ONCE)
    scores = measure([run_of(recording, AT_ONCE)], 3)
    hop = spec.hop_columns * spec.column_step / spec.sample_rate
    assert scores.first_label_seconds == pytest.approx(spec.window_seconds, abs=0.05)
    assert scores.switch_median == pytest.approx(spec.window_seconds / 2, abs=hop)
    assert (scores.never_followed, scores.flips_per_minute, scores.window_accuracy) == (0, 0, 1)
    assert scores.settled_accuracy == 1
    assert scores.minutes == pytest.approx((36 - spec.window_seconds) / 60, abs=0.001)


def test_smoothing_takes_as_long_as_its_settings_say() -> None:
    """Of 0.8 against 0.1 the newcomer has 0.5, the least that is sure, when 2**(-t/3) is 3/7: after 3.7 s."""
    recording = listen(
        programme(), RATE, stretches_of([0, 1, 2], [12, 12, 12]), LoudestRowClassifier(), AT_ONCE
    )
    at_once = measure([run_of(recording, AT_ONCE)], 3).switch_median
    smoothed = replace(Settings(), smoothing=SmoothingSettings(3, 0, 0))
    held = replace(Settings(), smoothing=SmoothingSettings(3, 0, 1.5))
    unsure = measure([run_of(recording, smoothed)], 3)
    assert at_once is not None
    assert unsure.switch_median is not None
    assert unsure.switch_median == pytest.approx(at_once + 3 * np.log2(7 / 3), abs=0.6)
    later = measure([run_of(recording, held)], 3).switch_median
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
    live += list(analyzer.finish())
    replayed = list(replay(listen(samples, RATE, (), classifier, chosen), chosen))
    assert [each.estimate for each in replayed] == [each.estimate for each in live]
    assert {each.estimate.state for each in live} >= {LISTENING, SILENT}


def test_conditions_keep_the_length_and_do_what_they_say() -> None:
    samples = (0.2 * noise(2 * CARD_RATE)).astype(np.float32)
    heard = {name: each(samples, CARD_RATE, np.random.default_rng(0)) for name, each in CONDITIONS.items()}
    for name, each in heard.items():
        assert each.shape == samples.shape, name
        assert each.dtype == np.float32, name
        assert np.isfinite(each).all()
        assert np.array_equal(each, CONDITIONS[name](samples, CARD_RATE, np.random.default_rng(0))), name
        assert (name == "as-is") == np.array_equal(each, samples)
    power = {name: float(np.mean(np.square(each, dtype=np.float64))) for name, each in heard.items()}
    for name, decibels in (("gain-30", -30), ("gain-20", -20), ("gain-10", -10)):
        assert 10 * np.log10(power[name] / power["as-is"]) == pytest.approx(decibels, abs=0.01)
    added = np.mean(np.square(heard["noise-20"] - samples, dtype=np.float64))
    assert 10 * np.log10(power["as-is"] / added) == pytest.approx(20, abs=0.1)
    spectrum = np.abs(np.fft.rfft(heard["low-4000"])) ** 2
    above = np.fft.rfftfreq(len(samples), 1 / CARD_RATE) > 4_200
    assert spectrum[above].sum() < 1e-4 * spectrum.sum()


def test_pictures_are_joined_column_by_column() -> None:
    """In the geometry that fits them, not in the model's own; all windows within a track are right."""
    coarse = AudioSpec(n_fft=256, column_step=1_334, columns=83, hop_columns=8, window="tukey")
    db_u8 = (50 + 50 * noise(3 * 129 * 496)).astype(np.uint8).reshape(3, 129, 496)
    for genre in range(3):
        db_u8[genre, 20 + 43 * genre : 23 + 43 * genre] = 250
    stored = StoredTracks(("a", "b", "c"), np.arange(3), db_u8, FORMS[1])
    classifier = LoudestRowClassifier()
    recorder = PictureRecorder(stored, {label: row for row, label in enumerate(LABELS)}, classifier, coarse)
    step = 1_334 / RATE
    order = [2, 0, 1]
    excerpts = tuple(Excerpt(Track(LABELS[genre], genre, "", 496 * step), 1.0, 200 * step) for genre in order)
    recording = recorder.record(Programme(excerpts), "as-is", (0, 0))
    assert classifier.calls == len(recording.windows) == (600 - 83) // 8 + 1
    assert [stretch.genre for stretch in recording.stretches] == order
    assert [stretch.end for stretch in recording.stretches] == pytest.approx(
        [200 * step, 400 * step, 600 * step]
    )
    scores = measure([run_of(recording, AT_ONCE)], 3)
    assert scores.first_label_seconds == pytest.approx(83 * step)
    assert scores.switch_median == pytest.approx(83 * step / 2, abs=8 * step)
    assert (scores.window_accuracy, scores.settled_accuracy) == (1, 1)
    assert scores.windows == 3 * 15  # beginning at 0 to 112, 200 to 312 and 400 to 512, every 8


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tones of 10.5 s a genre, as folders and as a table with artists, and one that is too short."""
    folder = tmp_path_factory.mktemp("library")
    lines = ["file,genre,artist"]
    (folder / "table").mkdir()
    for genre, hertz in HERTZ.items():
        (folder / "sounds" / genre).mkdir(parents=True)
        for number in range(2):
            path = write(folder / "sounds" / genre / f"{number}.wav", tone(hertz + 50 * number, 10.5), RATE)
            (folder / "table" / f"{genre}-{number}.wav").write_bytes(path.read_bytes())
            lines.append(f"{genre}-{number}.wav,{genre},{genre} artist {number}")
    write(folder / "sounds" / "blues" / "short.wav", tone(300, 3), RATE)
    (folder / "table.csv").write_text("\n".join([*lines, ""]))
    return folder


def card_of(plan: Plan, classifier: GenreClassifier, chosen: Settings = AT_ONCE) -> dict[str, Any]:
    return evaluate_live(plan, classifier, chosen, SystemClock())


def test_a_library_through_the_real_pipeline(library: Path) -> None:
    plan = Plan(audio=library / "sounds", conditions=("as-is", "gain-20"), shape=Shape(1, 3))
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
    tracks = [Track(str(library / "table" / f"{genre}-0.wav"), n, "", 10.5) for n, genre in enumerate(HERTZ)]
    recorder = AudioRecorder(LoudestRowClassifier(), AT_ONCE)
    excerpts = tuple(Excerpt(track, 0.0, 10.5) for track in tracks)
    run = run_of(recorder.record(Programme(excerpts, pause_seconds=3.0), "as-is", (0, 0)), AT_ONCE)
    assert [stretch.genre for stretch in run.stretches] == [0, None, 1, None, 2]
    assert run.stretches[-1].end == pytest.approx(3 * 10.5 + 6)
    assert SILENT in {moment.state for moment in run.moments}
    assert all(seconds_to_label(run, stretch) for stretch in run.stretches if stretch.genre is not None)


def test_tuning_chooses_on_one_half_and_judges_on_the_other(library: Path) -> None:
    plan = Plan(table=library / "table.csv", shape=Shape(1, 3), tune=True)
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
    plan = Plan(
        table=library / "table.csv", not_music=tmp_path / "clips.csv", shape=Shape(1, 2), check_artists=False
    )
    card = card_of(plan, LoudestRowClassifier(talk="blues"))
    found = {each["kind"]: each for each in card["not_music"]}
    assert {kind: each["clips"] for kind, each in found.items()} == {"speech": 1, "silence": 1, "music": 6}
    shares = ("named", "kept", "listening", "not_music", "silent")
    assert [found["speech"][share] for share in shares] == [0, 0, 0, 1, 0]
    assert [found["silence"][share] for share in shares] == [0, 1, 0, 0, 1]
    assert found["music"]["not_music"] >= 0.33  # the two of blues, which this classifier takes for talk
    assert [each["file"] for each in card["skipped"]] == ["gone.wav"]
    named = card_of(Plan(not_music=tmp_path / "clips.csv"), LoudestRowClassifier())["not_music"]
    assert [(each["kind"], each["named"], each["listening"]) for each in named] == [
        ("speech", 1, 1),
        ("silence", 0, 0),
    ]


def test_the_command_on_a_tiny_library(library: Path) -> None:
    """The shipped model knows ten genres, of which seven have no tracks; its answers do not matter here."""
    table = str(library / "table.csv")
    words = (
        "evaluate",
        "live",
        "--table",
        table,
        "--programmes",
        "1",
        "--excerpts",
        "2",
        "--hold-seconds",
        "0",
    )
    done = overheard(*words, "--json")
    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(name))
    assert card["smoothing"] == {"half_life_seconds": 3, "switch_margin": 0.05, "hold_seconds": 0}
    (found,) = card["sets"]
    assert (found["changes"], found["programmes"]) == (1, 1)
    assert len(card["without_tracks"]["audio"]) == 7
    assert set(found["recall"]) == {*card["without_tracks"]["audio"], *HERTZ}
    done = overheard_here(*words)
    assert done.returncode == 0, done.stderr
    assert "nothing is known of classical, country" in done.stdout
    assert "this model does not say" in done.stdout or card["says_music"]
    (line,) = (line for line in done.stdout.splitlines() if line.strip().startswith("audio as-is"))
    assert line.split()[2:4] == [f"{found['minutes']:.1f}", "1"]
    assert line.split()[-1] == f"{found['window_accuracy']:.3f}"


def told(*words: str) -> str:
    with pytest.raises(OverheardError) as caught:
        evaluate.command(["live", *words])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_faults_are_one_sentence(library: Path, tmp_path: Path) -> None:
    table = str(library / "table.csv")
    assert refused_here("evaluate", "live").startswith(
        "overheard evaluate: nothing to listen to; give --audio"
    )
    assert "--tune needs programmes" in told("--tune", "--not-music", table)
    assert "--check-artists needs --table" in told("--check-artists", "--audio", str(library / "sounds"))
    assert "--part and --tracks" in told("--part", "test", "--audio", str(library / "sounds"))
    assert "unknown conditions 'loud'; there are all, as-is" in told("--table", table, "--conditions", "loud")
    assert "--tune hears programmes as they are" in told("--table", table, "--conditions", "all", "--tune")
    assert "0 programmes of 10 excerpts" in told("--table", table, "--programmes", "0")
    assert "excerpts of 12 to 11 s" in told("--table", table, "--seconds", "12", "11")
    assert "the seed is -1" in told("--table", table, "--seed", "-1")
    assert "lacks the columns kind and origin" in told("--not-music", table)
    assert "audio: a programme changes between genres and there are 0" in told(
        "--table", table, "--seconds", "20", "30"
    )
    wrong, nowhere = tmp_path / "wrong.csv", str(tmp_path / "nowhere.csv")
    assert "cannot read the table" in told("--table", nowhere)
    wrong.write_text("file,genre\na.wav,polka\n")
    assert "names genres that this model does not know: 'polka'; there are blues" in told(
        "--table", str(wrong)
    )
    assert "lacks the column artist" in told("--table", str(wrong), "--check-artists")
    wrong.write_bytes(b"file,genre\n\xff,rock\n")
    assert "is no table of text" in told("--table", str(wrong))
    fine = tmp_path / "fine.npz"
    np.savez(fine, track_id=np.array(["jazz.1"]), db_u8=np.zeros((1, 544, 57), np.uint8))
    assert "holds one window a track, 57 columns" in told("--pictures", str(fine))
