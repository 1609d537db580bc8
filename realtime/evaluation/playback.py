"""Play programmes through the real pipeline. Windows are classified once and may be smoothed many times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from models import degradation
from models.audio.samples import Samples, sanitize_samples
from models.classifier import GenreClassifier, Prediction
from models.manifest import ModelManifest
from models.spectrogram.image import image_from_columns
from models.spectrogram.spec import AudioSpec
from models.spectrogram.stft import to_bands
from models.spectrogram.stored import SAMPLE_RATE
from realtime.audio.source import SILENCE_FLOOR_DBFS, AudioBlock, AudioWindow
from realtime.config import Settings
from realtime.errors import SourceError
from realtime.evaluation.programmes import Excerpt, Programme
from realtime.evaluation.spectrograms import StoredTracks
from realtime.evaluation.tracking_metrics import LabelAt, Run, TrueSegment
from realtime.pipeline.analyzer import Analysis, Analyzer, PreparedWindow
from realtime.sources.file import FileSource

PLAYBACK_RATE = 44_100
"""Hz of the audio that the pipeline receives, like that of sound cards. The pipeline resamples the audio."""

BLOCK_SAMPLES = 1_024
"""Samples in each block of audio that the pipeline receives."""

Condition = Callable[[Samples, int, np.random.Generator], Samples]
"""Function of the samples, their rate in Hz and a random generator that returns degraded samples."""

CONDITIONS: dict[str, Condition] = {
    "as-is": lambda samples, rate, generator: samples,
    "gain-30": lambda samples, rate, generator: degradation.apply_gain(samples, -30),
    "gain-20": lambda samples, rate, generator: degradation.apply_gain(samples, -20),
    "gain-10": lambda samples, rate, generator: degradation.apply_gain(samples, -10),
    "gain+10": lambda samples, rate, generator: degradation.apply_gain(samples, 10),
    "mp3-64": lambda samples, rate, generator: degradation.transcode(samples, rate, "libmp3lame", 64_000),
    "room": lambda samples, rate, generator: degradation.reverberate(samples, rate, generator),
    "noise-20": lambda samples, rate, generator: degradation.add_noise(samples, generator, ratio_db=20),
    "low-4000": lambda samples, rate, generator: degradation.limit_bandwidth(samples, rate, 4_000),
}
"""Degradations of a programme by name. Gains and the signal-to-noise ratio are in dB."""

_NO_SAMPLES = sanitize_samples(np.empty(0, dtype=np.float32))
_NO_COLUMNS = np.empty((0, 0), dtype=np.float32)


class StreamClock:
    """Clock that shows the capture time of the latest sample, in seconds since the stream opened."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Return the length of the stream received so far, in seconds."""
        return self.now

    def unix(self, monotonic: float) -> float:
        """Return the argument, since the evaluation shows no wall time."""
        return monotonic

    def sleep_until(self, monotonic: float) -> None:
        """Advance the clock without waiting."""
        self.now = max(self.now, monotonic)


class AlternateGeometryClassifier:
    """Classifier for images in one of the other geometries that its model reads."""

    def __init__(self, classifier: GenreClassifier, spec: AudioSpec) -> None:
        self._classifier = classifier
        self.manifest: ModelManifest = replace(classifier.manifest, audio=spec)

    @property
    def runtime(self) -> str:
        """Name and version of the runtime that executes the model."""
        return self._classifier.runtime

    def predict(self, image: npt.NDArray[np.uint8]) -> Prediction:
        """Classify one spectrogram image."""
        return self._classifier.predict(image)


@dataclass(frozen=True, slots=True)
class PlaybackResult:
    """Windows of a programme, classified but not smoothed.

    Attributes
    ----------
    segments : tuple of TrueSegment
        True genres of the programme, without gaps.
    windows : tuple of (PreparedWindow, Prediction or None)
        Windows with their predictions, which are None for silent windows. The windows have no samples and
        images, since smoothing does not need them.
    classifier : GenreClassifier
        Classifier that made the predictions.
    """

    segments: tuple[TrueSegment, ...]
    windows: tuple[tuple[PreparedWindow, Prediction | None], ...]
    classifier: GenreClassifier


def replay(playback: PlaybackResult, settings: Settings) -> Iterator[Analysis]:
    """Smooth the predictions of a playback like the live path."""
    classifier = playback.classifier
    analyzer = Analyzer(classifier, settings, classifier.manifest.audio.sample_rate, StreamClock())
    for prepared, prediction in playback.windows:
        yield analyzer.finish(prepared, prediction)


def analyze_playback(playback: PlaybackResult, settings: Settings) -> Run:
    """Smooth a playback and return its labels over time, for the metrics."""
    manifest = playback.classifier.manifest
    timeline = []
    for analysis in replay(playback, settings):
        estimate, prediction = analysis.estimate, analysis.prediction
        label = estimate.stable_label
        timeline.append(
            LabelAt(
                seconds=estimate.captured_at,
                window_start=estimate.position / manifest.audio.sample_rate,
                stable=None if label is None else manifest.labels.index(label),
                state=estimate.state,
                raw=None if prediction is None else int(prediction.probabilities.argmax()),
            )
        )
    return Run(playback.segments, tuple(timeline))


def play_samples(
    samples: Samples,
    sample_rate: int,
    segments: Sequence[TrueSegment],
    classifier: GenreClassifier,
    settings: Settings,
) -> PlaybackResult:
    """Play samples through an ``Analyzer`` in blocks of ``BLOCK_SAMPLES``, faster than real time.

    Parameters
    ----------
    samples : ndarray, shape (n,), float32
        Mono samples.
    segments : sequence of TrueSegment
        True genres, for the result.
    """
    clock = StreamClock()
    analyzer = Analyzer(classifier, settings, sample_rate, clock)
    clean = sanitize_samples(samples)

    def windows() -> Iterator[AudioWindow]:
        for start in range(0, len(clean), BLOCK_SAMPLES):
            block = clean[start : start + BLOCK_SAMPLES]
            clock.sleep_until((start + len(block)) / sample_rate)
            yield from analyzer.cut_windows(AudioBlock(block, start, sample_rate, clock.now))
        yield from analyzer.cut_last_windows()

    classified = []
    for window in windows():
        prepared = analyzer.prepare(window)
        prediction = None if prepared.image is None else classifier.predict(prepared.image)
        classified.append((_drop_audio(prepared), prediction))
    return PlaybackResult(tuple(segments), tuple(classified), classifier)


def _drop_audio(prepared: PreparedWindow) -> PreparedWindow:
    return PreparedWindow(replace(prepared.window, samples=_NO_SAMPLES), None, prepared.silent, _NO_COLUMNS)


class AudioPlayer:
    """Player of programmes that consist of audio files."""

    def __init__(self, classifier: GenreClassifier, settings: Settings) -> None:
        self._classifier = classifier
        self._settings = settings

    def play(self, programme: Programme, condition: str, seed: Sequence[int]) -> PlaybackResult:
        """Join the excerpts of a programme, degrade the result and classify its windows.

        Parameters
        ----------
        condition : str
            Key of ``CONDITIONS``.
        seed : sequence of int
            Seed of the noise and of the room's impulse response.

        Raises
        ------
        SourceError
            If a file cannot be decoded, or if it ends before its excerpt begins.
        """
        pause = np.zeros(round(programme.pause_seconds * PLAYBACK_RATE), dtype=np.float32)
        parts: list[Samples] = []
        genres: list[int | None] = []
        for excerpt in programme.excerpts:
            if parts and len(pause):
                parts.append(pause)
                genres.append(None)
            parts.append(load_excerpt(excerpt, PLAYBACK_RATE))
            genres.append(excerpt.track.genre)
        samples = CONDITIONS[condition](np.concatenate(parts), PLAYBACK_RATE, np.random.default_rng(seed))
        lengths = [len(part) / PLAYBACK_RATE for part in parts]
        segments = build_segments(genres, lengths)
        return play_samples(samples, PLAYBACK_RATE, segments, self._classifier, self._settings)


def load_excerpt(excerpt: Excerpt, sample_rate: int) -> Samples:
    """Decode an excerpt to mono samples, (n,) float32, at ``sample_rate`` Hz.

    Raises
    ------
    SourceError
        If FFmpeg cannot decode the file, or if the file ends before the excerpt begins.
    """
    source = FileSource(excerpt.track.name, StreamClock())
    first = round(excerpt.start * source.sample_rate)
    last = round((excerpt.start + excerpt.seconds) * source.sample_rate)
    parts = []
    for block in source.blocks():
        parts.append(block.samples)
        if block.position + len(block.samples) >= last:
            source.close()
    samples = np.concatenate(parts)[first:last]
    if not len(samples):
        raise SourceError(
            f"{excerpt.track.name} declares {excerpt.track.seconds:.2f} s of audio but ends before "
            f"{excerpt.start:.2f} s; repair the file or leave it out"
        )
    return _resample(samples, source.sample_rate, sample_rate)


def read_samples(path: Path, sample_rate: int) -> Samples:
    """Decode a file to mono samples, (n,) float32, at ``sample_rate`` Hz.

    Raises
    ------
    SourceError
        If FFmpeg cannot decode the file.
    """
    source = FileSource(str(path), StreamClock())
    samples = np.concatenate([block.samples for block in source.blocks()])
    return _resample(samples, source.sample_rate, sample_rate)


def _resample(samples: Samples, source_rate: int, target_rate: int) -> Samples:
    return np.asarray(soxr.resample(samples, source_rate, target_rate), dtype=np.float32)


def build_segments(genres: Sequence[int | None], lengths: Sequence[float]) -> tuple[TrueSegment, ...]:
    """Build adjacent segments from their genres and their lengths in seconds."""
    ends = np.cumsum(lengths).tolist()
    return tuple(map(TrueSegment, genres, [0.0, *ends[:-1]], ends))


class SpectrogramPlayer:
    """Player of programmes that consist of stored spectrograms, joined column by column.

    Parameters
    ----------
    stored : StoredTracks
        Spectrograms whose geometry has more columns than one window. Each one was scaled by itself, so
        levels may jump at the joins.
    rows : mapping of str to int
        Row of each track in ``stored``, by the name of the track.
    spec : AudioSpec
        Geometry of the windows that are cut from the spectrograms.
    """

    def __init__(
        self, stored: StoredTracks, rows: dict[str, int], classifier: GenreClassifier, spec: AudioSpec
    ) -> None:
        self._stored = stored
        self._rows = rows
        self._classifier = AlternateGeometryClassifier(classifier, spec)
        self._spec = spec

    def play(self, programme: Programme, condition: str, seed: Sequence[int]) -> PlaybackResult:
        """Join the columns of a programme and classify the windows along them.

        Parameters
        ----------
        condition, seed
            Not used, because audio degradations cannot be applied to a spectrogram.
        """
        spec, step_seconds = self._spec, self._spec.column_step / SAMPLE_RATE
        parts = []
        for excerpt in programme.excerpts:
            stored = self._stored.db_u8[self._rows[excerpt.track.name]]
            first, count = round(excerpt.start / step_seconds), round(excerpt.seconds / step_seconds)
            parts.append(stored[:, first : first + count].T)
        columns = to_bands(np.concatenate(parts), spec)  # (columns, image_size)
        lengths = [len(part) * step_seconds for part in parts]
        segments = build_segments([excerpt.track.genre for excerpt in programme.excerpts], lengths)
        classified = []
        for start in range(0, len(columns) - spec.columns + 1, spec.hop_columns):
            image = image_from_columns(columns[start : start + spec.columns], spec)
            position = start * spec.column_step
            # A column represents the whole step that it was picked from.
            captured_at = (start + spec.columns) * step_seconds
            window = AudioWindow(_NO_SAMPLES, position, captured_at, SILENCE_FLOOR_DBFS)
            prepared = PreparedWindow(window, None, False, _NO_COLUMNS)
            classified.append((prepared, self._classifier.predict(image)))
        return PlaybackResult(segments, tuple(classified), self._classifier)
