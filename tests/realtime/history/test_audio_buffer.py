"""Sound in memory: what is held, what is cut out of it, and when it is let go."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from models.spectrogram.spec import AudioSpec
from realtime.config import Settings
from realtime.history.audio_buffer import AudioClip, RecentAudioBuffer
from realtime.pipeline.worker import AnalysisWorker
from realtime.sources.file import ArraySource
from tests.support.audio import programme
from tests.support.classifier import LoudestRowClassifier
from tests.support.clock import UNIX_OFFSET, VirtualClock

SPEC = AudioSpec()
RATE = SPEC.sample_rate
NOW = UNIX_OFFSET + 100


def counted(first: int, last: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Samples that tell their own position, as 16-bit values."""
    return (np.arange(first, last) % 20_000 / 32_767).astype(np.float32)


class Kept:
    """Of one source, fed in blocks of an odd length."""

    def __init__(self, minutes: float = 3.0) -> None:
        self.clock = VirtualClock()
        self.sounds = RecentAudioBuffer(minutes, self.clock)
        self._append = self.sounds.start("radio", SPEC)

    def hear(self, from_seconds: float, to_seconds: float, block: int = 7_777) -> None:
        assert self._append is not None
        for first in range(round(from_seconds * RATE), round(to_seconds * RATE), block):
            self._append(counted(first, min(first + block, round(to_seconds * RATE))), first)

    def take(self, from_seconds: float, to_seconds: float, started: float = NOW) -> AudioClip | None:
        return self.sounds.clip("radio", started, from_seconds, to_seconds)


def positions(sound: AudioClip | None) -> tuple[int, int]:
    """First and one after the last sample's position; every sample between must be in its place."""
    assert sound is not None
    assert sound.sample_rate == RATE
    assert sound.samples.dtype == np.int16
    wrapped = np.flatnonzero(np.diff(sound.samples.astype(int)) != 1)
    assert set(np.diff(sound.samples.astype(int))[wrapped]) <= {-19_999}
    return int(sound.samples[0]), len(sound.samples)


def test_exactly_the_stretch_that_was_asked_for_comes_back() -> None:
    kept = Kept()
    kept.hear(0, 60)
    sound = kept.take(10.5, 20.25)
    first, count = positions(sound)
    assert (first, count) == (round(10.5 * RATE) % 20_000, round(20.25 * RATE) - round(10.5 * RATE))


def test_of_a_long_stretch_the_middle_half_minute_is_taken() -> None:
    kept = Kept()
    kept.hear(0, 100)
    first, count = positions(kept.take(10, 90))
    assert (first, count) == (35 * RATE % 20_000, 30 * RATE)


def test_no_more_than_the_last_minutes_are_held() -> None:
    kept = Kept(minutes=0.5)
    kept.hear(0, 100)
    assert kept.take(0, 60) is None
    _, count = positions(kept.take(60, 80))
    assert 9 * RATE < count <= 10 * RATE
    (buffer,) = kept.sounds._buffers
    assert sum(len(block) for _, block in buffer.blocks) == buffer.length <= 30 * RATE


def test_less_than_a_window_is_nothing() -> None:
    kept = Kept()
    kept.hear(0, 20)
    window = SPEC.window_samples / RATE
    assert kept.take(3, 3 + window - 0.01) is None
    assert positions(kept.take(3, 3 + window + 0.01))[1] >= SPEC.window_samples
    assert kept.take(16, 40) is None  # 4 s are there
    assert kept.take(200, 300) is None


def test_a_gap_is_not_spliced_over_and_the_longer_side_is_taken() -> None:
    kept = Kept()
    kept.hear(0, 7)
    kept.hear(8, 17)
    first, count = positions(kept.take(0, 17))
    assert (first, count) == (8 * RATE % 20_000, 9 * RATE)


def test_sound_of_a_source_that_is_no_longer_heard_goes_after_the_same_time() -> None:
    kept = Kept(minutes=1)
    kept.hear(0, 20)
    kept.clock.now += 59
    assert kept.take(0, 20) is not None
    kept.clock.now += 2
    assert kept.take(0, 20) is None
    assert not kept.sounds._buffers[0].blocks


def test_sessions_of_one_name_are_told_apart_by_when_they_began() -> None:
    kept = Kept()
    kept.hear(0, 20)
    kept.clock.now += 50
    again = kept.sounds.start("radio", SPEC)
    assert again is not None
    again(np.full(20 * RATE, 0.5, np.float32), 0)
    assert positions(kept.take(0, 20))[1] == 20 * RATE
    later = kept.take(0, 20, NOW + 50)
    assert later is not None
    assert set(later.samples) == {16_384}
    assert kept.take(0, 20, NOW - 10) is None  # of an earlier run of the program
    assert kept.sounds.clip("mic", NOW, 0, 20) is None


def test_forgetting_drops_what_was_heard_and_goes_on() -> None:
    kept = Kept()
    kept.hear(0, 20)
    kept.sounds.clear()
    assert kept.take(0, 20) is None
    kept.hear(20, 40)
    assert positions(kept.take(0, 40))[1] == 20 * RATE


def test_none_is_held_where_the_setting_says_so(tmp_path: Path) -> None:
    clock = VirtualClock()
    assert RecentAudioBuffer(0, clock).start("radio", SPEC) is None


def test_a_file_is_known_by_its_path_and_not_held() -> None:
    sounds = RecentAudioBuffer(3, VirtualClock())
    assert sounds.start("song.wav", SPEC, "/music/song.wav") is None
    assert sounds.played_file("song.wav", NOW) == "/music/song.wav"
    assert sounds.played_file("song.wav", NOW - 60) == sounds.played_file("radio", NOW) == ""


def test_the_analysis_hands_over_all_sound_at_the_models_rate() -> None:
    """The real worker on a source of another rate: what is kept is what was played, at its time."""
    clock = VirtualClock()
    sounds = RecentAudioBuffer(3, clock)
    source = ArraySource(programme(44_100), 44_100, clock, "three tones")
    keep = sounds.start(source.name, SPEC)
    AnalysisWorker(source, LoudestRowClassifier(), Settings(), clock, lambda _: None, keep=keep).run()
    for number, hz in enumerate((300, 5_500, 9_500)):
        sound = sounds.clip("three tones", NOW, 12 * number + 1, 12 * number + 11)
        assert sound is not None
        assert len(sound.samples) == 10 * RATE
        spectrum = np.abs(np.fft.rfft(sound.samples / 32_768))
        assert np.argmax(spectrum) * RATE / len(sound.samples) == pytest.approx(hz, abs=1)
        assert spectrum.max() * 2 / len(sound.samples) == pytest.approx(0.3, abs=0.01)
    whole = sounds._buffers[0]
    assert whole.length == pytest.approx(36 * RATE, abs=2)


def test_loud_music_does_not_wrap_in_16_bits() -> None:
    """Resampling overshoots where sound was clipped: kept as it was, every such peak became a crack."""
    clock = VirtualClock()
    sounds = RecentAudioBuffer(3, clock)
    clipped = np.sign(np.sin(2 * np.pi * 441 * np.arange(8 * 44_100) / 44_100)).astype(np.float32)
    source = ArraySource(clipped, 44_100, clock, "loud")
    keep = sounds.start(source.name, SPEC)
    AnalysisWorker(source, LoudestRowClassifier(), Settings(), clock, lambda _: None, keep=keep).run()
    sound = sounds.clip("loud", NOW, 1, 7)
    assert sound is not None
    assert np.abs(np.diff(sound.samples.astype(int))).max() < 60_000
    assert {sound.samples.min(), sound.samples.max()} == {-32_767, 32_767}


def test_taking_and_keeping_at_once_do_not_disturb_each_other() -> None:
    kept = Kept(minutes=0.5)
    stop = threading.Event()
    faults: list[BaseException] = []

    def take() -> None:
        try:
            while not stop.is_set():
                sound = kept.take(0, 10_000)
                if sound is not None:
                    positions(sound)
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=take)
    thread.start()
    kept.hear(0, 120, block=500)
    stop.set()
    thread.join()
    assert not faults
