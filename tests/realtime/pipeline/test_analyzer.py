"""Analyzer: windows, estimates, gaps and silence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from models.audio.samples import Samples, sanitize_samples
from models.classifier import Prediction
from models.errors import ModelError
from models.spectrogram import image
from models.spectrogram.spec import AudioSpec
from realtime.audio.source import AudioBlock
from realtime.config import ModelSettings, Settings, SilenceSettings, SmoothingSettings
from realtime.errors import SourceError
from realtime.pipeline.analyzer import (
    LATENCY_WINDOWS,
    Analysis,
    Analyzer,
    LatencyMeter,
    column_levels_dbfs,
    round_hop,
)
from realtime.protocol.estimate import StreamState
from realtime.protocol.health import Percentiles
from tests.support.audio import programme, tone
from tests.support.classifier import LoudestRowClassifier
from tests.support.clock import VirtualClock

AUDIO = AudioSpec()
QUICK = Settings(smoothing=SmoothingSettings(half_life_seconds=0.5, hold_seconds=0.5))


def analyze(
    samples: Samples,
    rate: int = 22_050,
    settings: Settings = QUICK,
    block: int = 4_096,
    skip: range = range(0),
    talk: str | None = None,
    tags: bool = False,
) -> tuple[Analyzer, list[Analysis]]:
    """Analyze samples in blocks, without the blocks numbered in ``skip``."""
    clock = VirtualClock()
    analyzer = Analyzer(LoudestRowClassifier(talk=talk, tags=tags), settings, rate, clock)
    found = []
    for number, start in enumerate(range(0, len(samples), block)):
        if number in skip:
            continue
        part = sanitize_samples(samples[start : start + block])
        clock.now = 100 + (start + len(part)) / rate
        found += list(analyzer.process(AudioBlock(part, start, rate, clock.now)))
    return analyzer, [*found, *analyzer.flush()]


def labels(analyses: list[Analysis]) -> list[str | None]:
    """Return the stable labels without repetitions."""
    found: list[str | None] = []
    for analysis in analyses:
        label = analysis.estimate.stable_label
        if not found or found[-1] != label:
            found.append(label)
    return found


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_the_genre_follows_the_sound(rate: int) -> None:
    _, found = analyze(programme(rate), rate)
    assert labels(found) == ["blues", "jazz", "rock"]
    assert len(found) == 60
    positions = [analysis.estimate.position for analysis in found]
    assert positions == [i * 6 * 1_920 for i in range(60)]


def test_block_size_and_time_do_not_change_the_estimates() -> None:
    _, coarse = analyze(programme(44_100), 44_100, block=10_000)
    _, fine = analyze(programme(44_100), 44_100, block=333)
    strip = [replace(a.estimate, captured_at=0.0) for a in coarse]
    assert strip == [replace(a.estimate, captured_at=0.0) for a in fine]


def test_silence_is_a_state_and_the_label_stays() -> None:
    sound = np.concatenate([tone(300, 8), np.zeros(8 * 22_050, np.float32), tone(9_500, 8)])
    _, found = analyze(sound)
    states = [analysis.estimate.state for analysis in found]
    silent = [a for a in found if a.estimate.state is StreamState.SILENT]
    assert {a.estimate.label for a in silent} == {"blues"}
    assert all(a.prediction is None for a in silent)
    lasted = 8 - 2 + AUDIO.window_seconds / 2  # 2 s to notice; half a window of sound to classify one
    assert len(silent) * 0.522 == pytest.approx(lasted, abs=0.6)
    after = states.index(StreamState.SILENT) + len(silent)
    assert StreamState.SILENT not in states[after:]
    assert all(analysis.prediction is not None for analysis in found[after:])
    assert found[-1].estimate.label == "rock"
    assert found[-1].estimate.state is StreamState.LISTENING


def test_after_silence_the_previous_genre_is_not_shown() -> None:
    """While the new sound filled less than half of the window, the last piece was once shown as unsure."""
    sound = np.concatenate([tone(300, 8), np.zeros(6 * 22_050, np.float32), tone(9_500, 8)])
    _, found = analyze(sound)
    begins = 14 * 22_050
    begun = [a.estimate for a in found if a.estimate.position + AUDIO.window_samples > begins]
    assert begun[1].level_dbfs > -30, "the new sound must be in the window"
    assert begun[1].state is StreamState.SILENT
    assert {e.label for e in begun if e.state is not StreamState.SILENT} == {"rock"}


def test_a_pause_too_short_for_silence_leaves_the_state_unsure() -> None:
    sparse = np.concatenate([tone(300, 6), *[np.zeros(22_050 * 3 // 2, np.float32), tone(300, 0.5)] * 3])
    _, found = analyze(sparse)
    assert found[-1].prediction is None, "the pauses must be long enough for this test"
    assert found[-1].estimate.state is StreamState.UNSURE


def test_silence_alone_has_no_label() -> None:
    _, found = analyze(np.zeros(10 * 22_050, np.float32))
    assert {(a.estimate.label, a.estimate.confidence, a.estimate.state) for a in found} == {
        (None, 0.0, StreamState.SILENT)
    }


def test_silence_settings_count() -> None:
    loud = Settings(silence=SilenceSettings(silence_dbfs=-3.0))
    assert {a.estimate.state for a in analyze(tone(300, 8), settings=loud)[1]} == {StreamState.SILENT}


def test_a_confidence_below_the_manifests_threshold_is_unsure() -> None:
    clock = VirtualClock()
    analyzer = Analyzer(LoudestRowClassifier(confidence=0.45), QUICK, 22_050, clock)
    block = AudioBlock(sanitize_samples(tone(300, 5)), 0, 22_050, clock.now)
    (first,) = analyzer.process(block)
    assert first.estimate.state is StreamState.UNSURE
    assert first.estimate.label == "blues"
    assert first.estimate.stable_label is None


def test_not_music_is_a_state_and_the_label_stays() -> None:
    longer = np.concatenate([programme(), tone(9_500, 8)])
    _, found = analyze(longer, talk="jazz")
    assert labels(found) == ["blues", "rock"]
    states = [analysis.estimate.state for analysis in found]
    first = states.index(StreamState.NOT_MUSIC)
    beyond = len(states) - states[::-1].index(StreamState.NOT_MUSIC)
    assert set(states[first:beyond]) == {StreamState.NOT_MUSIC}
    assert (beyond - first) * 0.522 == pytest.approx(12, abs=1.1), "twelve seconds of talk"
    returned = max(i for i, a in enumerate(found) if a.prediction is not None and a.prediction.music < 0.5)
    assert beyond - returned > 2, "another genre than before is not named at once"
    assert set(states[beyond + 4 :]) == {StreamState.LISTENING}
    for analysis in found[first:beyond]:
        assert analysis.prediction is not None
        assert analysis.estimate.stable_label == "blues"
        assert analysis.estimate.music is not None
        assert analysis.estimate.music < 0.55
    assert found[-1].estimate.music == pytest.approx(0.95, abs=0.001)


def test_talk_with_pauses_stays_talk() -> None:
    """A window that is mostly a pause is not classified, and must not show a guessed genre again."""
    pause = np.zeros(22_050 * 3 // 2, np.float32)
    talk = np.concatenate([tone(5_500, 8), *[pause, tone(5_500, 0.8)] * 4])
    _, found = analyze(np.concatenate([tone(300, 8), talk]), talk="jazz")
    states = [analysis.estimate.state for analysis in found]
    assert any(a.prediction is None for a in found[-10:]), "the pauses must be long enough for this test"
    assert set(states[states.index(StreamState.NOT_MUSIC) :]) == {StreamState.NOT_MUSIC}


def test_talk_only_has_no_label() -> None:
    _, found = analyze(tone(5_500, 8), talk="jazz")
    assert {(a.estimate.label, a.estimate.stable_label, a.estimate.confidence) for a in found} == {
        (None, None, 0.0)
    }
    assert {a.estimate.state for a in found} == {StreamState.NOT_MUSIC}


def test_without_music_detection_music_is_none() -> None:
    _, found = analyze(programme())
    assert {a.estimate.music for a in found} == {None}
    assert StreamState.NOT_MUSIC not in {a.estimate.state for a in found}


def test_tags_follow_the_music_and_end_with_it() -> None:
    """Blues has guitar and calm, the talk has none, and rock has energetic and guitar."""
    _, found = analyze(programme(), talk="jazz", tags=True)
    first, last = found[0].estimate, found[-1].estimate
    assert first.tags == (("guitar", 0.9), ("calm", 0.6))
    assert [name for name, _ in last.tags] == ["energetic", "guitar"]
    assert last.tags[0][1] == pytest.approx(0.8, abs=0.01)
    for estimate in (analysis.estimate for analysis in found):
        if estimate.state is StreamState.NOT_MUSIC:
            assert (estimate.tags, estimate.mood) == ((), None)
        else:
            assert estimate.tags
            assert estimate.mood is not None
    assert first.mood is not None
    assert last.mood is not None
    assert first.mood.arousal < 0 < last.mood.arousal


def test_tags_before_silence_do_not_reappear() -> None:
    sound = np.concatenate([tone(300, 8), np.zeros(8 * 22_050, np.float32), tone(9_500, 8)])
    _, found = analyze(sound, tags=True)
    silent = [a.estimate for a in found if a.estimate.state is StreamState.SILENT]
    assert silent
    assert {(e.tags, e.mood) for e in silent} == {((), None)}
    after = [a.estimate for a in found if a.estimate.position > silent[-1].position]
    assert {name for e in after for name, _ in e.tags} == {"energetic", "guitar"}


def test_a_model_without_tags_has_neither_tags_nor_a_mood() -> None:
    _, found = analyze(programme())
    assert {(a.estimate.tags, a.estimate.mood) for a in found} == {((), None)}


@pytest.mark.parametrize("output", ["probabilities", "tags", "embedding"])
def test_a_model_that_outputs_nan_is_refused(output: str) -> None:
    class Broken(LoudestRowClassifier):
        def predict(self, picture: npt.NDArray[np.uint8]) -> Prediction:
            good = super().predict(picture)
            return replace(good, **{output: np.full_like(getattr(good, output), np.nan)})

    analyzer = Analyzer(Broken(tags=True), QUICK, 22_050, VirtualClock())
    with pytest.raises(ModelError, match=r"the model fake outputs \[nan .*; it is broken, use another model"):
        list(analyzer.process(AudioBlock(sanitize_samples(tone(300, 5)), 0, 22_050, 100.0)))


def test_columns_far_apart_go_through_the_whole_pipeline() -> None:
    """A step longer than ``n_fft`` makes the last step of a window incomplete, which once raised an error."""
    sparse = AudioSpec(n_fft=256, column_step=1334, columns=83, window="tukey", row_break_hz=700)
    clock = VirtualClock()
    analyzer = Analyzer(LoudestRowClassifier(sparse), QUICK, 22_050, clock)
    samples = sanitize_samples(tone(9_500, 8))
    found = list(analyzer.process(AudioBlock(samples, 0, 22_050, clock.now)))
    assert [a.estimate.position for a in found] == [i * 6 * 1334 for i in range(len(found))]
    assert len(found) == 1 + (len(samples) - sparse.window_samples) // (6 * 1334)
    assert {(a.estimate.label, a.estimate.state) for a in found} == {("rock", StreamState.LISTENING)}


def test_lost_blocks_are_counted_and_mark_the_windows() -> None:
    analyzer, found = analyze(tone(300, 20), block=2_048, skip=range(100, 104))
    health = analyzer.health()
    assert (health.samples_lost, health.gaps) == (4 * 2_048, 1)
    marked = [a.estimate.position for a in found if a.estimate.has_gap]
    lost_at = 100 * 2_048
    assert marked
    assert all(start < lost_at + 5 * 2_048 and start + AUDIO.window_samples > lost_at for start in marked)
    assert analyzer.seconds == pytest.approx(20)


def test_columns_after_a_gap_are_those_of_the_window() -> None:
    """Incremental columns must not survive a splice that moved the samples below them."""
    clock = VirtualClock()
    seen: list[bool] = []

    class Checking(LoudestRowClassifier):
        def predict(self, picture):  # type: ignore[no-untyped-def]
            seen.append(bool((picture == expected_pictures[len(seen)]).all()))
            return super().predict(picture)

    sound = programme()
    blocks = [(start, sound[start : start + 4_000]) for start in range(0, len(sound), 4_000)]
    del blocks[60:63]
    cutter_windows = []
    from realtime.pipeline.windowing import SlidingWindows

    cutter = SlidingWindows(AUDIO, 6)
    for start, part in blocks:
        cutter_windows += list(cutter.push(part, start, 0.0))
    expected_pictures = [image.spectrogram_image(window.samples, AUDIO) for window in cutter_windows]
    analyzer = Analyzer(Checking(), QUICK, 22_050, clock)
    for start, part in blocks:
        list(analyzer.process(AudioBlock(part, start, 22_050, clock.now)))
    assert len(seen) == len(expected_pictures)
    assert all(seen)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 96_000])
def test_gaps_of_any_size_after_blocks_of_any_length(rate: int) -> None:
    """The number of flushed samples is rounded, and may end after the next samples begin."""
    clock = VirtualClock()
    analyzer = Analyzer(LoudestRowClassifier(), QUICK, rate, clock)
    random = np.random.default_rng(rate)
    sound = tone(440, 1, rate)
    position, ends = 0, []
    while position < 20 * rate:
        loss = random.random()
        position += int(random.integers(0, 4)) if loss < 0.05 else 0
        part = sound[: int(random.integers(1, 1_500))]
        overflowed = loss > 0.95
        found = list(analyzer.process(AudioBlock(part, position, rate, clock.now, overflowed=overflowed)))
        ends += [each.estimate.position for each in found]
        position += len(part)
    assert ends == sorted(set(ends))
    last = (ends[-1] + AUDIO.window_samples) / AUDIO.sample_rate
    assert position / rate - analyzer.hop_seconds - 0.1 < last <= position / rate + 0.01, (
        "it has not run ahead"
    )


def test_a_device_overflow_marks_without_a_count() -> None:
    clock = VirtualClock()
    analyzer = Analyzer(LoudestRowClassifier(), QUICK, 44_100, clock)
    sound = tone(300, 12, 44_100)
    half = 6 * 44_100
    list(analyzer.process(AudioBlock(sound[:half], 0, 44_100, clock.now)))
    found = list(analyzer.process(AudioBlock(sound[half:], half, 44_100, clock.now, overflowed=True)))
    assert analyzer.health().gaps == 1
    assert analyzer.health().samples_lost == 0
    assert any(a.estimate.has_gap for a in found)


def test_late_windows_are_skipped_and_counted() -> None:
    clock = VirtualClock()
    analyzer = Analyzer(LoudestRowClassifier(), QUICK, 22_050, clock, max_age_seconds=2.0)
    block = AudioBlock(sanitize_samples(tone(300, 20)), 0, 22_050, clock.now)
    found = list(analyzer.process(block))
    health = analyzer.health()
    assert 0 < len(found) < 6, "of twenty seconds that arrive at once only the last two are fresh enough"
    assert health.windows_skipped + len(found) == 29
    assert health.windows == len(found)


def test_every_column_is_returned_once() -> None:
    _, found = analyze(tone(300, 12))
    assert [len(a.columns) for a in found] == [57] + [6] * (len(found) - 1)


def test_a_changing_rate_is_refused() -> None:
    analyzer = Analyzer(LoudestRowClassifier(), QUICK, 48_000, VirtualClock())
    with pytest.raises(SourceError, match="from 48000 Hz to 44100 Hz"):
        list(analyzer.process(AudioBlock(sanitize_samples(tone(300, 1)), 0, 44_100, 0.0)))


@pytest.mark.parametrize(("seconds", "columns"), [(0.0, 6), (0.01, 1), (0.087, 1), (0.5, 6), (1.0, 11)])
def test_hops_are_whole_columns(seconds: float, columns: int) -> None:
    assert round_hop(seconds, AUDIO) == columns
    assert (
        analyze(tone(300, 5), settings=Settings(model=ModelSettings(hop_seconds=seconds)))[0].hop_columns
        == columns
    )


def test_column_levels() -> None:
    samples = np.zeros(AUDIO.window_samples, np.float32)
    samples[1_920 : 2 * 1_920] = 1.0
    levels = column_levels_dbfs(samples, AUDIO)
    assert levels.tolist() == [-120.0, 0.0] + [-120.0] * 55


def test_the_last_column_level_is_that_of_the_existing_samples() -> None:
    sparse = AudioSpec(n_fft=4, column_step=10, columns=3)
    samples = np.zeros(sparse.window_samples, np.float32)  # 24: steps of 10, 10 and 4
    samples[10:15] = 1.0
    samples[20:24] = 0.1
    assert column_levels_dbfs(samples, sparse) == pytest.approx([-120, 10 * np.log10(0.5), -20])


def test_latency_percentiles_are_of_the_recent_past() -> None:
    meter = LatencyMeter()
    assert meter.percentiles() == Percentiles(0, 0, 0)
    for value in range(1_000):
        meter.add(value)
    first = 1_000 - LATENCY_WINDOWS
    assert meter.percentiles().p50 == first + LATENCY_WINDOWS // 2 - 1
    assert meter.percentiles().p99 == first + 237  # the 238th of 240
