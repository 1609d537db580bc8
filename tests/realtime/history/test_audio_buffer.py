"""Ring buffer of audio: its length, the clips cut out of it, and the disposal of old audio."""

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
    """Return samples whose 16-bit values are their positions."""
    return (np.arange(first, last) % 20_000 / 32_767).astype(np.float32)


class Buffered:
    """Buffer of one source, which appends blocks of an odd length."""

    def __init__(self, minutes: float = 3.0) -> None:
        self.clock = VirtualClock()
        self.buffer = RecentAudioBuffer(minutes, self.clock)
        self._append = self.buffer.start("radio", SPEC)

    def append(self, from_seconds: float, to_seconds: float, block: int = 7_777) -> None:
        assert self._append is not None
        for first in range(round(from_seconds * RATE), round(to_seconds * RATE), block):
            self._append(counted(first, min(first + block, round(to_seconds * RATE))), first)

    def clip(self, from_seconds: float, to_seconds: float, started: float = NOW) -> AudioClip | None:
        return self.buffer.clip("radio", started, from_seconds, to_seconds)


def positions(clip: AudioClip | None) -> tuple[int, int]:
    """Return the first position and the length, and check every sample between."""
    assert clip is not None
    assert clip.sample_rate == RATE
    assert clip.samples.dtype == np.int16
    wrapped = np.flatnonzero(np.diff(clip.samples.astype(int)) != 1)
    assert set(np.diff(clip.samples.astype(int))[wrapped]) <= {-19_999}
    return int(clip.samples[0]), len(clip.samples)


def test_a_clip_has_exactly_the_requested_samples() -> None:
    buffered = Buffered()
    buffered.append(0, 60)
    clip = buffered.clip(10.5, 20.25)
    first, count = positions(clip)
    assert (first, count) == (round(10.5 * RATE) % 20_000, round(20.25 * RATE) - round(10.5 * RATE))


def test_a_long_clip_is_cut_to_its_middle_half_minute() -> None:
    buffered = Buffered()
    buffered.append(0, 100)
    first, count = positions(buffered.clip(10, 90))
    assert (first, count) == (35 * RATE % 20_000, 30 * RATE)


def test_only_the_last_minutes_are_buffered() -> None:
    buffered = Buffered(minutes=0.5)
    buffered.append(0, 100)
    assert buffered.clip(0, 60) is None
    _, count = positions(buffered.clip(60, 80))
    assert 9 * RATE < count <= 10 * RATE
    (buffer,) = buffered.buffer._buffers
    assert sum(len(block) for _, block in buffer.blocks) == buffer.length <= 30 * RATE


def test_less_than_a_window_gives_no_clip() -> None:
    buffered = Buffered()
    buffered.append(0, 20)
    window = SPEC.window_samples / RATE
    assert buffered.clip(3, 3 + window - 0.01) is None
    assert positions(buffered.clip(3, 3 + window + 0.01))[1] >= SPEC.window_samples
    assert buffered.clip(16, 40) is None  # the buffer has 4 s of these
    assert buffered.clip(200, 300) is None


def test_a_clip_has_no_gap_and_is_the_longer_side_of_one() -> None:
    buffered = Buffered()
    buffered.append(0, 7)
    buffered.append(8, 17)
    first, count = positions(buffered.clip(0, 17))
    assert (first, count) == (8 * RATE % 20_000, 9 * RATE)


def test_audio_of_an_ended_source_is_discarded_after_the_same_time() -> None:
    buffered = Buffered(minutes=1)
    buffered.append(0, 20)
    buffered.clock.now += 59
    assert buffered.clip(0, 20) is not None
    buffered.clock.now += 2
    assert buffered.clip(0, 20) is None
    assert not buffered.buffer._buffers[0].blocks


def test_sessions_of_one_source_are_distinguished_by_their_start() -> None:
    buffered = Buffered()
    buffered.append(0, 20)
    buffered.clock.now += 50
    again = buffered.buffer.start("radio", SPEC)
    assert again is not None
    again(np.full(20 * RATE, 0.5, np.float32), 0)
    assert positions(buffered.clip(0, 20))[1] == 20 * RATE
    later = buffered.clip(0, 20, NOW + 50)
    assert later is not None
    assert set(later.samples) == {16_384}
    assert buffered.clip(0, 20, NOW - 10) is None  # a session of an earlier run of the program
    assert buffered.buffer.clip("mic", NOW, 0, 20) is None


def test_clearing_discards_the_audio_and_buffering_continues() -> None:
    buffered = Buffered()
    buffered.append(0, 20)
    buffered.buffer.clear()
    assert buffered.clip(0, 20) is None
    buffered.append(20, 40)
    assert positions(buffered.clip(0, 40))[1] == 20 * RATE


def test_zero_minutes_buffer_nothing(tmp_path: Path) -> None:
    clock = VirtualClock()
    assert RecentAudioBuffer(0, clock).start("radio", SPEC) is None


def test_a_played_file_is_known_by_its_path_and_not_buffered() -> None:
    buffer = RecentAudioBuffer(3, VirtualClock())
    assert buffer.start("song.wav", SPEC, "/music/song.wav") is None
    assert buffer.played_file("song.wav", NOW) == "/music/song.wav"
    assert buffer.played_file("song.wav", NOW - 60) == buffer.played_file("radio", NOW) == ""


def test_the_worker_appends_all_audio_at_the_rate_of_the_model() -> None:
    """The real worker resamples a source, and the buffer holds each tone at its time."""
    clock = VirtualClock()
    buffer = RecentAudioBuffer(3, clock)
    source = ArraySource(programme(44_100), 44_100, clock, "three tones")
    append = buffer.start(source.name, SPEC)
    AnalysisWorker(source, LoudestRowClassifier(), Settings(), clock, lambda _: None, keep=append).run()
    for number, hz in enumerate((300, 5_500, 9_500)):
        clip = buffer.clip("three tones", NOW, 12 * number + 1, 12 * number + 11)
        assert clip is not None
        assert len(clip.samples) == 10 * RATE
        spectrum = np.abs(np.fft.rfft(clip.samples / 32_768))
        assert np.argmax(spectrum) * RATE / len(clip.samples) == pytest.approx(hz, abs=1)
        assert spectrum.max() * 2 / len(clip.samples) == pytest.approx(0.3, abs=0.01)
    whole = buffer._buffers[0]
    assert whole.length == pytest.approx(36 * RATE, abs=2)


def test_loud_music_does_not_wrap_in_16_bits() -> None:
    """Resampling overshoots where audio was clipped, and each overshoot became a crack in the clip."""
    clock = VirtualClock()
    buffer = RecentAudioBuffer(3, clock)
    clipped = np.sign(np.sin(2 * np.pi * 441 * np.arange(8 * 44_100) / 44_100)).astype(np.float32)
    source = ArraySource(clipped, 44_100, clock, "loud")
    append = buffer.start(source.name, SPEC)
    AnalysisWorker(source, LoudestRowClassifier(), Settings(), clock, lambda _: None, keep=append).run()
    clip = buffer.clip("loud", NOW, 1, 7)
    assert clip is not None
    assert np.abs(np.diff(clip.samples.astype(int))).max() < 60_000
    assert {clip.samples.min(), clip.samples.max()} == {-32_767, 32_767}


def test_clips_can_be_cut_while_audio_is_appended() -> None:
    buffered = Buffered(minutes=0.5)
    stop = threading.Event()
    faults: list[BaseException] = []

    def take() -> None:
        try:
            while not stop.is_set():
                clip = buffered.clip(0, 10_000)
                if clip is not None:
                    positions(clip)
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=take)
    thread.start()
    buffered.append(0, 120, block=500)
    stop.set()
    thread.join()
    assert not faults
