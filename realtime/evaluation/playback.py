"""Programmes through the real pipeline: windows are classified once, smoothing is replayed at will."""

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

CARD_RATE = 44_100
"""Hz at which programmes are played, as sound cards deliver them: the pipeline resamples."""

BLOCK_SAMPLES = 1_024

Condition = Callable[[Samples, int, np.random.Generator], Samples]

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
"""What may happen to a programme on its way, by name; gains are in dB."""

_NO_SAMPLES = sanitize_samples(np.empty(0, dtype=np.float32))
_NO_COLUMNS = np.empty((0, 0), dtype=np.float32)


class StreamClock:
    """Time as it was when a sample was captured, in seconds since the stream opened."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Seconds of the stream that have come in."""
        return self.now

    def unix(self, monotonic: float) -> float:
        """Return the same: no one reads it."""
        return monotonic

    def sleep_until(self, monotonic: float) -> None:
        """Go to that moment at once."""
        self.now = max(self.now, monotonic)


class BlockReader:
    """A classifier for pictures in another of the geometries that its model reads."""

    def __init__(self, classifier: GenreClassifier, spec: AudioSpec) -> None:
        self._classifier = classifier
        self.manifest: ModelManifest = replace(classifier.manifest, audio=spec)

    @property
    def runtime(self) -> str:
        """Name and version of what runs the model."""
        return self._classifier.runtime

    def predict(self, picture: npt.NDArray[np.uint8]) -> Prediction:
        """Classify one picture."""
        return self._classifier.predict(picture)


@dataclass(frozen=True, slots=True)
class PlaybackResult:
    """A programme's windows, classified but not smoothed; ``reader`` is what classified them.

    ``windows`` hold no sound and no picture any more: smoothing asks for neither.
    """

    stretches: tuple[TrueSegment, ...]
    windows: tuple[tuple[PreparedWindow, Prediction | None], ...]
    reader: GenreClassifier


def replay(recording: PlaybackResult, chosen: Settings) -> Iterator[Analysis]:
    """Smooth a recording with these settings, as the live path does."""
    analyzer = Analyzer(recording.reader, chosen, recording.reader.manifest.audio.sample_rate, StreamClock())
    for prepared, prediction in recording.windows:
        yield analyzer.finish(prepared, prediction)


def analyze_playback(recording: PlaybackResult, chosen: Settings) -> Run:
    """What a recording says with these settings, for the measures."""
    manifest = recording.reader.manifest
    moments = []
    for analysis in replay(recording, chosen):
        estimate, prediction = analysis.estimate, analysis.prediction
        label = estimate.stable_label
        moments.append(
            LabelAt(
                seconds=estimate.captured_at,
                window_start=estimate.position / manifest.audio.sample_rate,
                stable=None if label is None else manifest.labels.index(label),
                state=estimate.state,
                raw=None if prediction is None else int(prediction.probabilities.argmax()),
            )
        )
    return Run(recording.stretches, tuple(moments))


def listen(
    samples: Samples,
    sample_rate: int,
    stretches: Sequence[TrueSegment],
    classifier: GenreClassifier,
    chosen: Settings,
) -> PlaybackResult:
    """Play samples (n,) float32 through an ``Analyzer`` in blocks of 1,024, at full speed."""
    clock = StreamClock()
    analyzer = Analyzer(classifier, chosen, sample_rate, clock)
    clean = sanitize_samples(samples)

    def windows() -> Iterator[AudioWindow]:
        for start in range(0, len(clean), BLOCK_SAMPLES):
            block = clean[start : start + BLOCK_SAMPLES]
            clock.sleep_until((start + len(block)) / sample_rate)
            yield from analyzer.windows(AudioBlock(block, start, sample_rate, clock.now))
        yield from analyzer.last_windows()

    heard = []
    for window in windows():
        prepared = analyzer.prepare(window)
        prediction = None if prepared.image is None else classifier.predict(prepared.image)
        heard.append((_emptied(prepared), prediction))
    return PlaybackResult(tuple(stretches), tuple(heard), classifier)


def _emptied(prepared: PreparedWindow) -> PreparedWindow:
    return PreparedWindow(replace(prepared.window, samples=_NO_SAMPLES), None, prepared.silent, _NO_COLUMNS)


class AudioRecorder:
    """Records programmes of sound files."""

    def __init__(self, classifier: GenreClassifier, chosen: Settings) -> None:
        self._classifier = classifier
        self._chosen = chosen

    def record(self, programme: Programme, condition: str, seed: Sequence[int]) -> PlaybackResult:
        """Join a programme's excerpts, degrade the whole and listen to it.

        Parameters
        ----------
        condition : str
            A key of ``CONDITIONS``.
        seed : sequence of int
            Of the noise and the room.

        Raises
        ------
        SourceError
            A file that cannot be decoded.
        """
        pause = np.zeros(round(programme.pause_seconds * CARD_RATE), dtype=np.float32)
        parts: list[Samples] = []
        genres: list[int | None] = []
        for excerpt in programme.excerpts:
            if parts and len(pause):
                parts.append(pause)
                genres.append(None)
            parts.append(excerpt_samples(excerpt, CARD_RATE))
            genres.append(excerpt.track.genre)
        samples = CONDITIONS[condition](np.concatenate(parts), CARD_RATE, np.random.default_rng(seed))
        lengths = [len(part) / CARD_RATE for part in parts]
        return listen(samples, CARD_RATE, true_segments(genres, lengths), self._classifier, self._chosen)


def excerpt_samples(excerpt: Excerpt, sample_rate: int) -> Samples:
    """Mono samples of an excerpt, (n,) float32 at this rate.

    Raises
    ------
    SourceError
        Nothing that FFmpeg can decode, or less than the file promised.
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
            f"{excerpt.track.name} promises {excerpt.track.seconds:.2f} s of sound and ends before "
            f"{excerpt.start:.2f} s; mend it or leave it out"
        )
    return np.asarray(soxr.resample(samples, source.sample_rate, sample_rate), dtype=np.float32)


def true_segments(genres: Sequence[int | None], lengths: Sequence[float]) -> tuple[TrueSegment, ...]:
    """Stretches of these lengths in seconds, one after the other."""
    ends = np.cumsum(lengths).tolist()
    return tuple(map(TrueSegment, genres, [0.0, *ends[:-1]], ends))


class SpectrogramRecorder:
    """Records programmes of stored spectrograms, joined column by column.

    Parameters
    ----------
    stored : StoredTracks
        Of a form with columns one after the other; each was scaled by itself, so that levels may jump.
    rows : mapping of str to int
        Place of each track in ``stored`` by its name.
    spec : AudioSpec
        Geometry that is cut from it.
    """

    def __init__(
        self, stored: StoredTracks, rows: dict[str, int], classifier: GenreClassifier, spec: AudioSpec
    ) -> None:
        self._stored = stored
        self._rows = rows
        self._reader = BlockReader(classifier, spec)
        self._spec = spec

    def record(self, programme: Programme, condition: str, seed: Sequence[int]) -> PlaybackResult:
        """Join a programme's columns and classify the windows along them.

        Parameters
        ----------
        condition, seed
            Not used: what happens to sound cannot be done to its picture.
        """
        spec, step_seconds = self._spec, self._spec.column_step / SAMPLE_RATE
        parts = []
        for excerpt in programme.excerpts:
            stored = self._stored.db_u8[self._rows[excerpt.track.name]]
            first, count = round(excerpt.start / step_seconds), round(excerpt.seconds / step_seconds)
            parts.append(stored[:, first : first + count].T)
        columns = to_bands(np.concatenate(parts), spec)  # (columns, image_size)
        lengths = [len(part) * step_seconds for part in parts]
        stretches = true_segments([excerpt.track.genre for excerpt in programme.excerpts], lengths)
        heard = []
        for start in range(0, len(columns) - spec.columns + 1, spec.hop_columns):
            picture = image_from_columns(columns[start : start + spec.columns], spec)
            position = start * spec.column_step
            # A column stands for the whole step that it was picked from.
            captured_at = (start + spec.columns) * step_seconds
            window = AudioWindow(_NO_SAMPLES, position, captured_at, SILENCE_FLOOR_DBFS)
            heard.append((PreparedWindow(window, None, False, _NO_COLUMNS), self._reader.predict(picture)))
        return PlaybackResult(stretches, tuple(heard), self._reader)


def read_samples(path: Path, sample_rate: int) -> Samples:
    """All of a file as mono samples, (n,) float32 at this rate.

    Raises
    ------
    SourceError
        Nothing that FFmpeg can decode.
    """
    source = FileSource(str(path), StreamClock())
    samples = np.concatenate([block.samples for block in source.blocks()])
    return np.asarray(soxr.resample(samples, source.sample_rate, sample_rate), dtype=np.float32)
