"""The pipeline itself: blocks in, estimates out. No threads, no sockets, time injected.

Live, offline, in tests and in benchmarks it is this one object that is driven.
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
from models.errors import ModelError
from models.spectrogram.image import image_from_columns
from models.spectrogram.incremental import IncrementalSpectrogram
from models.spectrogram.spec import AudioSpec
from realtime.audio.source import SILENCE_FLOOR_DBFS, AudioBlock, AudioWindow
from realtime.clock import Clock
from realtime.config import Settings
from realtime.errors import SourceError
from realtime.pipeline.smoothing import Smoothed, Smoother
from realtime.pipeline.windowing import SlidingWindows
from realtime.protocol.estimate import GenreEstimate, StreamState
from realtime.protocol.health import Percentiles, PipelineHealth

LATENCY_SPAN = 240
"""Windows that the latency percentiles cover: about two minutes at the default hop."""

AUDIBLE_SHARE = 0.5
"""Part of a window that must be audible; a picture of mostly silence says nothing of the music."""


class LatencyMeter:
    """Percentiles over the last ``LATENCY_SPAN`` latencies, nearest-rank."""

    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=LATENCY_SPAN)

    def add(self, milliseconds: float) -> None:
        """Add one latency; the oldest one beyond the span is dropped."""
        self._values.append(milliseconds)

    def percentiles(self) -> Percentiles:
        """Compute the percentiles of the latencies in the span; 0 before the first one."""
        ordered = sorted(self._values)
        if not ordered:
            return Percentiles(0.0, 0.0, 0.0)
        p50, p95, p99 = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.95, 0.99))
        return Percentiles(p50, p95, p99)


@dataclass(frozen=True, slots=True)
class PreparedWindow:
    """A window ready to be classified.

    ``picture`` (image_size, image_size, 3) uint8 is None when too little is audible; ``silent``
    says that its end is silence; ``columns`` (n, image_size) float32 dB are those that are new in it.
    """

    window: AudioWindow
    picture: npt.NDArray[np.uint8] | None
    silent: bool
    columns: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Analysis:
    """One window's outcome.

    ``prediction`` is None when the window was not classified (silence); ``columns``
    (n, image_size) float32 dB are the spectrum columns that are new in it.
    """

    estimate: GenreEstimate
    prediction: Prediction | None
    columns: npt.NDArray[np.float32]


class Analyzer:
    """Analyses one stream.

    Not thread-safe: whoever calls ``process`` owns it.

    Parameters
    ----------
    classifier : GenreClassifier
    settings : Settings
        Its ``model.hop_seconds`` is brought to the nearest whole column.
    sample_rate : int
        Hz, of the blocks.
    clock : Clock
    latest_seconds : float
        A window captured longer ago than this is skipped; offline there is no such limit.
    keep : callable
        Given all sound, (n,) float32 at the model's rate, with its position in the stream.
    """

    def __init__(
        self,
        classifier: GenreClassifier,
        settings: Settings,
        sample_rate: int,
        clock: Clock,
        latest_seconds: float = math.inf,
        keep: Callable[[Samples, int], None] | None = None,
    ) -> None:
        manifest = classifier.manifest
        self.audio = manifest.audio
        self.hop_columns = hop_columns(settings.model.hop_seconds, self.audio)
        self._classifier = classifier
        self._silence = settings.silence
        self._clock = clock
        self._latest_seconds = latest_seconds
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
        self._heard: Smoothed | None = None
        self._state = StreamState.SILENT
        self._expected = 0  # position of the next block, at the source's rate
        self._resampled_to = 0  # stream position after what came out of the resampler
        self._sent_columns_to = 0  # stream position up to which columns were handed out
        self._blocks = self._lost = self._gaps = self._count = self._skipped = self._overruns = 0
        self._busy_seconds = 0.0
        self._latency = LatencyMeter()

    @property
    def hop_seconds(self) -> float:
        """The update interval in effect."""
        return self.hop_columns * self.audio.column_step / self.audio.sample_rate

    @property
    def seconds(self) -> float:
        """How much of the stream has come in, losses included."""
        return self._expected / self._sample_rate

    def process(self, block: AudioBlock) -> Iterator[Analysis]:
        """Take a block in; yield an analysis for every window that it completes.

        Raises
        ------
        SourceError
            The block has another sample rate than the stream.
        """
        yield from self._analyse(self.windows(block))

    def finish(self) -> Iterator[Analysis]:
        """The stream has ended: analyse what the resampler still held."""
        yield from self._analyse(self.last_windows())

    def _analyse(self, windows: Iterator[AudioWindow]) -> Iterator[Analysis]:
        for window in windows:
            started = self._clock.monotonic()
            if started - window.captured_at > self._latest_seconds:
                self._skipped += 1
                continue
            prepared = self.prepare(window)
            picture = prepared.picture
            analysis = self.conclude(prepared, None if picture is None else self._classifier.predict(picture))
            ended = self._clock.monotonic()
            self._count += 1
            self._busy_seconds += ended - started
            self._overruns += ended - started > self.hop_seconds
            self._latency.add((ended - window.captured_at) * 1e3)
            yield analysis

    # The steps of ``process``, for whoever classifies several windows at a time. Each takes its
    # windows in order; only the classifier may work ahead.

    def windows(self, block: AudioBlock) -> Iterator[AudioWindow]:
        """Take a block in; yield the windows that it completes.

        Raises
        ------
        SourceError
            The block has another sample rate than the stream.
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
            yield from self._resampled(self._resampler.flush(), block.captured_at, lossy=False)
            # What the filter held is rounded, and may end a sample beyond where the next sound begins.
            self._resampled_to = max(self._resampled_to, self._resampler.target_position(start))
        self._expected = start + len(block.samples)
        yield from self._resampled(
            self._resampler.push(block.samples), block.captured_at, lossy=block.overflowed
        )

    def last_windows(self) -> Iterator[AudioWindow]:
        """The stream has ended: yield the windows that what the resampler held completes."""
        yield from self._resampled(self._resampler.flush(), self._clock.monotonic(), lossy=False)

    def _resampled(self, samples: Samples, captured_at: float, *, lossy: bool) -> Iterator[AudioWindow]:
        position = self._resampled_to
        self._resampled_to += len(samples)
        if self._keep is not None and len(samples):
            self._keep(samples, position)
        yield from self._windows.push(samples, position, captured_at, lossy=lossy)

    def prepare(self, window: AudioWindow) -> PreparedWindow:
        """Draw a window's picture, unless there is too little to be heard in it."""
        columns = self._columns.update(window.samples, window.position, continuous=not window.has_gap)
        audible = column_levels_dbfs(window.samples, self.audio) >= self._silence.silence_dbfs
        quiet_columns = round(self._silence.silence_seconds * self.audio.sample_rate / self.audio.column_step)
        silent = not audible[-max(1, quiet_columns) :].any()
        picture = None
        if not silent and audible.mean() >= AUDIBLE_SHARE:
            picture = image_from_columns(columns, self.audio)
        return PreparedWindow(window, picture, silent, self._new_columns(window, columns))

    def conclude(self, prepared: PreparedWindow, prediction: Prediction | None) -> Analysis:
        """Smooth a window's prediction, None where there was no picture.

        Raises
        ------
        ModelError
            The model puts out something that is no number.
        """
        if prediction is not None and not np.isfinite(prediction.probabilities).all():
            name = self._classifier.manifest.name
            raise ModelError(
                f"the model {name} puts out {prediction.probabilities}; it is broken: get another"
            )
        if prepared.silent:
            self._state = StreamState.SILENT
            self._smoother.reset()
        elif prediction is None:
            # Neither a pause in talk nor the first sound after silence brings the last piece's genre back.
            if self._state not in (StreamState.NOT_MUSIC, StreamState.SILENT):
                self._state = StreamState.UNSURE
        else:
            heard = self._smoother.update(
                prediction.probabilities, prepared.window.position, prediction.music
            )
            self._heard = heard
            if not heard.is_music:
                self._state = StreamState.NOT_MUSIC
            else:
                self._state = StreamState.LISTENING if heard.sure else StreamState.UNSURE
        return Analysis(self._estimate(prepared.window, prediction), prediction, prepared.columns)

    def _estimate(self, window: AudioWindow, prediction: Prediction | None) -> GenreEstimate:
        manifest, heard = self._classifier.manifest, self._heard
        labels, says_music = manifest.labels, manifest.calibration.music_above is not None
        probabilities = heard.probabilities if heard else np.zeros(len(labels))
        return GenreEstimate(
            label=labels[heard.top] if heard and heard.top is not None else None,
            stable_label=labels[heard.stable] if heard and heard.stable is not None else None,
            confidence=float(probabilities.max()),
            probabilities=dict(zip(labels, map(float, probabilities), strict=True)),
            state=self._state,
            position=window.position,
            captured_at=window.captured_at,
            level_dbfs=window.level_dbfs,
            has_gap=window.has_gap,
            inference_ms=prediction.inference_ms if prediction else 0.0,
            music=heard.music if heard and says_music else None,
        )

    def _new_columns(self, window: AudioWindow, columns: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        end = window.position // self.audio.column_step + self.audio.columns
        fresh = min(end - self._sent_columns_to, self.audio.columns)
        self._sent_columns_to = end
        return columns[len(columns) - fresh :]

    def health(self) -> PipelineHealth:
        """Counters and latencies up to now."""
        sound = self._count * self.hop_seconds
        return PipelineHealth(
            blocks_received=self._blocks,
            samples_lost=self._lost,
            gaps=self._gaps,
            windows=self._count,
            windows_skipped=self._skipped,
            overruns=self._overruns,
            real_time_factor=round(sound / self._busy_seconds, 1) if self._busy_seconds else 0.0,
            latency_ms=self._latency.percentiles(),
        )


def hop_columns(hop_seconds: float, audio: AudioSpec) -> int:
    """The nearest whole number of columns, at least one; 0 seconds mean the manifest's hop."""
    if not hop_seconds:
        return audio.hop_columns
    return max(1, round(hop_seconds * audio.sample_rate / audio.column_step))


def column_levels_dbfs(samples: Samples, audio: AudioSpec) -> npt.NDArray[np.float64]:
    """Level of each column step of a window, (columns,) dBFS, oldest first.

    Where the step is longer than ``n_fft`` the window ends before its last step does, and the last
    level is that of what there is.
    """
    squares = np.square(samples[: audio.columns * audio.column_step])
    starts = np.arange(audio.columns) * audio.column_step
    lengths = np.diff(starts, append=len(squares))
    power = np.add.reduceat(squares, starts, dtype=np.float64) / lengths  # (columns,)
    levels: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(power, 10 ** (SILENCE_FLOOR_DBFS / 10)))
    return levels
