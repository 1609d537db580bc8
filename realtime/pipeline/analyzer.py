"""Compute genre estimates from the audio blocks of one stream, without threads or sockets.

The live path, the analysis of files, tests and benchmarks all use the class ``Analyzer``.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.audio.decoding import StreamResampler
from models.audio.samples import Samples
from models.classifier import GenreClassifier, Prediction
from models.common.text import format_seconds
from models.errors import ModelError
from models.manifest import ModelManifest
from models.mood import Mood
from models.spectrogram.image import image_from_columns
from models.spectrogram.incremental import IncrementalSpectrogram
from models.spectrogram.spec import AudioSpec
from realtime.audio.source import SILENCE_FLOOR_DBFS, AudioBlock, AudioWindow
from realtime.clock import Clock
from realtime.config import Settings
from realtime.errors import AudioTooShortError, SourceError
from realtime.pipeline.smoothing import SmoothedPrediction, Smoother
from realtime.pipeline.tags import SelectedTags, TagSelector, mood_of_tags
from realtime.pipeline.windowing import SlidingWindows
from realtime.protocol.builders import estimate_message
from realtime.protocol.estimate import GenreEstimate, StreamState
from realtime.protocol.health import Percentiles, PipelineHealth
from realtime.protocol.messages import EstimateMessage

LATENCY_WINDOWS = 240
"""Windows that the latency percentiles cover: about two minutes at the default hop."""

AUDIBLE_SHARE = 0.5
"""Share of a window that must be audible. A mostly silent window is not classified."""


class LatencyMeter:
    """Nearest-rank percentiles of the last ``LATENCY_WINDOWS`` latencies."""

    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=LATENCY_WINDOWS)

    def add(self, milliseconds: float) -> None:
        """Add one latency. Beyond ``LATENCY_WINDOWS`` the oldest latency is dropped."""
        self._values.append(milliseconds)

    def percentiles(self) -> Percentiles:
        """Compute the percentiles in milliseconds. All are 0 before the first latency."""
        ordered = sorted(self._values)
        if not ordered:
            return Percentiles(0.0, 0.0, 0.0)
        p50, p95, p99 = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.95, 0.99))
        return Percentiles(p50, p95, p99)


@dataclass(frozen=True, slots=True)
class PreparedWindow:
    """Window that is ready to be classified.

    Attributes
    ----------
    window : AudioWindow
    image : (image_size, image_size, 3) uint8 or None
        None if too little of the window is audible.
    silent : bool
        True if the window ends with silence.
    columns : (n, image_size) float32 dB
        Spectrogram columns that are new in this window.
    """

    window: AudioWindow
    image: npt.NDArray[np.uint8] | None
    silent: bool
    columns: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Analysis:
    """Result of one window.

    Attributes
    ----------
    estimate : GenreEstimate
    prediction : Prediction or None
        None if the window was not classified because of silence.
    columns : (n, image_size) float32 dB
        Spectrogram columns that are new in this window.
    """

    estimate: GenreEstimate
    prediction: Prediction | None
    columns: npt.NDArray[np.float32]


class Analyzer:
    """Analyzer of one stream. It is not thread-safe.

    Parameters
    ----------
    classifier : GenreClassifier
    settings : Settings
        ``model.hop_seconds`` is rounded to whole columns.
    sample_rate : int
        Hz of the blocks.
    clock : Clock
    max_age_seconds : float
        Windows that were captured longer ago are skipped. By default no window is skipped.
    keep : callable, optional
        Called with all samples, (n,) float32 at the model's rate, and their position in the stream.

    Attributes
    ----------
    audio : AudioSpec
        Geometry of the model's input.
    hop_columns : int
        Distance between two windows in spectrogram columns.
    """

    def __init__(
        self,
        classifier: GenreClassifier,
        settings: Settings,
        sample_rate: int,
        clock: Clock,
        max_age_seconds: float = math.inf,
        keep: Callable[[Samples, int], None] | None = None,
    ) -> None:
        manifest = classifier.manifest
        self.audio = manifest.audio
        self.hop_columns = round_hop(settings.model.hop_seconds, self.audio)
        self._classifier = classifier
        self._silence = settings.silence
        self._clock = clock
        self._max_age_seconds = max_age_seconds
        self._keep = keep
        self._sample_rate = sample_rate
        self._resampler = StreamResampler(sample_rate, self.audio.sample_rate)
        self._windows = SlidingWindows(self.audio, self.hop_columns)
        self._columns = IncrementalSpectrogram(self.audio)
        self._smoother = Smoother(
            settings.smoothing,
            self.audio.sample_rate,
            manifest.calibration.unsure_below,
            manifest.calibration.music_above,
        )
        self._tags = TagSelector(manifest.tags)
        self._smoothed: SmoothedPrediction | None = None
        self._state = StreamState.SILENT
        self._expected = 0  # position of the next block, at the source's rate
        self._resampled_to = 0  # stream position after the last resampled sample
        self._returned_columns = 0  # columns of the stream that analyses have returned
        self._blocks = self._lost = self._gaps = self._count = self._skipped = self._overruns = 0
        self._busy_seconds = 0.0
        self._latency = LatencyMeter()

    @property
    def hop_seconds(self) -> float:
        """Seconds between two windows, rounded to whole columns."""
        return self.hop_columns * self.audio.column_step / self.audio.sample_rate

    @property
    def seconds(self) -> float:
        """Length of the stream so far, losses included."""
        return self._expected / self._sample_rate

    def process(self, block: AudioBlock) -> Iterator[Analysis]:
        """Add a block, and yield an analysis for every window that it completes.

        Raises
        ------
        SourceError
            If the block has another sample rate than the stream.
        """
        yield from self._analyze(self.cut_windows(block))

    def flush(self) -> Iterator[Analysis]:
        """Analyze the samples that the resampler holds at the end of the stream."""
        yield from self._analyze(self.cut_last_windows())

    def check_length(self, name: str) -> None:
        """Require that the stream was at least one window long.

        Parameters
        ----------
        name : str
            Name of the source, for the message.

        Raises
        ------
        AudioTooShortError
            If the stream is shorter than one window. The message has both lengths.
        """
        if self.seconds < self.audio.window_seconds:
            raise AudioTooShortError(
                f"{name} contains {format_seconds(self.seconds)} of audio, but one window needs "
                f"{math.ceil(self.audio.window_seconds * 100) / 100:.2f} s"
            )

    def _analyze(self, windows: Iterator[AudioWindow]) -> Iterator[Analysis]:
        for window in windows:
            started = self._clock.monotonic()
            if started - window.captured_at > self._max_age_seconds:
                self._skipped += 1
                continue
            prepared = self.prepare(window)
            image = prepared.image
            analysis = self.finish(prepared, None if image is None else self._classifier.predict(image))
            ended = self._clock.monotonic()
            self._count += 1
            self._busy_seconds += ended - started
            self._overruns += ended - started > self.hop_seconds
            self._latency.add((ended - window.captured_at) * 1e3)
            yield analysis

    # The next methods are the steps of ``process``, for callers that classify several windows at a time.
    # Each step needs the windows in order. Only the classification may work ahead.

    def cut_windows(self, block: AudioBlock) -> Iterator[AudioWindow]:
        """Add a block, and yield the windows that it completes.

        Raises
        ------
        SourceError
            If the block has another sample rate than the stream.
        """
        if block.sample_rate != self._sample_rate:
            raise SourceError(
                f"the sample rate changed from {self._sample_rate} Hz to {block.sample_rate} Hz"
            )
        if not len(block.samples):
            return
        self._blocks += 1
        start = max(block.position, self._expected)
        if start > self._expected or block.overflowed:
            self._gaps += 1
            self._lost += start - self._expected
            yield from self._push(self._resampler.flush(), block.captured_at, lossy=False)
            # The number of flushed samples is rounded, so they may overlap the next samples by one.
            self._resampled_to = max(self._resampled_to, self._resampler.target_position(start))
        self._expected = start + len(block.samples)
        yield from self._push(self._resampler.push(block.samples), block.captured_at, lossy=block.overflowed)

    def cut_last_windows(self) -> Iterator[AudioWindow]:
        """Yield the windows that the resampler's remaining samples complete at the end of the stream."""
        yield from self._push(self._resampler.flush(), self._clock.monotonic(), lossy=False)

    def _push(self, samples: Samples, captured_at: float, *, lossy: bool) -> Iterator[AudioWindow]:
        """Add resampled samples, and yield the windows that they complete."""
        position = self._resampled_to
        self._resampled_to += len(samples)
        if self._keep is not None and len(samples):
            self._keep(samples, position)
        yield from self._windows.push(samples, position, captured_at, lossy=lossy)

    def prepare(self, window: AudioWindow) -> PreparedWindow:
        """Compute the columns of a window, and its image if enough of the window is audible."""
        columns = self._columns.update(window.samples, window.position, continuous=not window.has_gap)
        audible = column_levels_dbfs(window.samples, self.audio) >= self._silence.silence_dbfs
        quiet_columns = round(self._silence.silence_seconds * self.audio.sample_rate / self.audio.column_step)
        silent = not audible[-max(1, quiet_columns) :].any()
        image = None
        if not silent and audible.mean() >= AUDIBLE_SHARE:
            image = image_from_columns(columns, self.audio)
        return PreparedWindow(window, image, silent, self._new_columns(window, columns))

    def finish(self, prepared: PreparedWindow, prediction: Prediction | None) -> Analysis:
        """Smooth the prediction of a window into an estimate.

        Parameters
        ----------
        prepared : PreparedWindow
        prediction : Prediction or None
            None if the window has no image.

        Raises
        ------
        ModelError
            If the model outputs NaN or infinity.
        """
        if prediction is not None:
            self._check_finite(prediction)
        if prepared.silent:
            self._state = StreamState.SILENT
            self._smoother.reset()
        elif prediction is None:
            # During a pause in talk, or at the first sound after silence, the last genre must not reappear.
            if self._state not in (StreamState.NOT_MUSIC, StreamState.SILENT):
                self._state = StreamState.UNSURE
        else:
            smoothed = self._smoother.update(
                prediction.probabilities, prepared.window.position, prediction.music, prediction.tags
            )
            self._smoothed = smoothed
            if not smoothed.is_music:
                self._state = StreamState.NOT_MUSIC
            else:
                self._state = StreamState.LISTENING if smoothed.sure else StreamState.UNSURE
        return Analysis(self._estimate(prepared.window, prediction), prediction, prepared.columns)

    def _check_finite(self, prediction: Prediction) -> None:
        for values in (prediction.probabilities, prediction.tags, prediction.embedding):
            if not np.isfinite(values).all():
                raise ModelError(
                    f"the model {self._classifier.manifest.name} outputs {values}; it is broken, use another "
                    "model"
                )

    def _estimate(self, window: AudioWindow, prediction: Prediction | None) -> GenreEstimate:
        manifest, smoothed = self._classifier.manifest, self._smoothed
        labels, detects_music = manifest.labels, manifest.calibration.music_above is not None
        probabilities = smoothed.probabilities if smoothed else np.zeros(len(labels))
        tags, mood = self._describe_music()
        return GenreEstimate(
            label=labels[smoothed.top] if smoothed and smoothed.top is not None else None,
            stable_label=labels[smoothed.stable] if smoothed and smoothed.stable is not None else None,
            confidence=float(probabilities.max()),
            probabilities=dict(zip(labels, map(float, probabilities), strict=True)),
            state=self._state,
            position=window.position,
            captured_at=window.captured_at,
            level_dbfs=window.level_dbfs,
            has_gap=window.has_gap,
            inference_ms=prediction.inference_ms if prediction else 0.0,
            music=smoothed.music if smoothed and detects_music else None,
            tags=tags,
            mood=mood,
        )

    def _describe_music(self) -> tuple[SelectedTags, Mood | None]:
        """Select the tags of the music that plays, and compute its mood. Other audio has neither."""
        if self._smoothed is None or not self._state.has_genre:
            self._tags.reset()
            return (), None
        tags = self._smoothed.tags
        return self._tags.select(tags), mood_of_tags(self._classifier.manifest.tags, tags)

    def _new_columns(self, window: AudioWindow, columns: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        end = window.position // self.audio.column_step + self.audio.columns
        new = min(end - self._returned_columns, self.audio.columns)
        self._returned_columns = end
        return columns[len(columns) - new :]

    def health(self) -> PipelineHealth:
        """Return the counters and latencies since the start."""
        analyzed_seconds = self._count * self.hop_seconds
        return PipelineHealth(
            blocks_received=self._blocks,
            samples_lost=self._lost,
            gaps=self._gaps,
            windows=self._count,
            windows_skipped=self._skipped,
            overruns=self._overruns,
            real_time_factor=round(analyzed_seconds / self._busy_seconds, 1) if self._busy_seconds else 0.0,
            latency_ms=self._latency.percentiles(),
        )


def build_estimate_message(
    estimate: GenreEstimate, source: str, manifest: ModelManifest, clock: Clock
) -> EstimateMessage:
    """Build the message of an estimate that was just computed, with the time since its audio was captured."""
    latency_ms = (clock.monotonic() - estimate.captured_at) * 1e3
    return estimate_message(estimate, source, manifest, clock.unix(estimate.captured_at), latency_ms)


def round_hop(hop_seconds: float, audio: AudioSpec) -> int:
    """Convert a hop to whole columns, at least one. 0 seconds select the hop of the manifest."""
    if not hop_seconds:
        return audio.hop_columns
    return max(1, round(hop_seconds * audio.sample_rate / audio.column_step))


def column_levels_dbfs(samples: Samples, audio: AudioSpec) -> npt.NDArray[np.float64]:
    """Compute the level of each column step of a window, (columns,) dBFS, oldest first.

    If the step is longer than ``n_fft``, the last step extends past the end of the window. Its level is then
    computed from the samples within the window.
    """
    squares = np.square(samples[: audio.columns * audio.column_step])
    starts = np.arange(audio.columns) * audio.column_step
    lengths = np.diff(starts, append=len(squares))
    power = np.add.reduceat(squares, starts, dtype=np.float64) / lengths  # (columns,)
    levels: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(power, 10 ** (SILENCE_FLOOR_DBFS / 10)))
    return levels
