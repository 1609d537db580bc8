"""Cut a stream into sliding windows that start on its column grid, and mark windows with gaps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.audio.samples import Samples
from models.spectrogram.spec import AudioSpec
from realtime.audio.source import AudioWindow, level_dbfs

MAX_SPLICE_SECONDS = 1.0
"""Longest gap at which the audio before and after is spliced. After a longer gap a new window is filled."""


class SlidingWindows:
    """Cutter of a stream at the model's rate into overlapping windows.

    Windows start at multiples of the column step, counted from the beginning of the stream. After a gap the
    samples up to the next column are dropped to return to this grid. A window that spans a splice has
    ``has_gap`` set, and its ``position`` is counted back from its last sample.

    Parameters
    ----------
    spec : AudioSpec
    hop_columns : int
        Columns from one window to the next, at least 1.

    Raises
    ------
    ValueError
        If the hop is below one column.
    """

    def __init__(self, spec: AudioSpec, hop_columns: int) -> None:
        if hop_columns < 1:
            raise ValueError(f"the hop is {hop_columns} columns; it must be at least 1")
        self.spec = spec
        self.hop_samples = hop_columns * spec.column_step
        self._end = 0  # stream position after the last sample added
        self._pending = 0  # samples missing or dropped after ``_end``
        self._lossy = False
        self._restart()

    def _restart(self) -> None:
        """Begin a new window with the next sample, and drop all samples before it."""
        self._parts: list[Samples] = []
        self._held = 0
        self._start = 0  # position of the next window, set when the first samples arrive
        self._splices: list[int] = []  # positions before which audio is missing
        self._new = self.spec.window_samples  # samples of the next window that no earlier window contains

    def push(
        self, samples: Samples, position: int, captured_at: float, *, lossy: bool = False
    ) -> Iterator[AudioWindow]:
        """Add samples, and yield each window that they complete.

        Parameters
        ----------
        samples : (n,) float32 at ``spec.sample_rate``
        position : int
            Stream position of ``samples[0]``. A jump is a gap.
        captured_at : float
            Monotonic seconds of the last sample.
        lossy : bool
            True if the device lost an unknown number of samples just before ``samples``.

        Raises
        ------
        ValueError
            If ``position`` lies before the end of the earlier samples.
        """
        missing = position - self._end - self._pending
        if missing < 0:
            raise ValueError(
                f"position {position} lies before the end of the stream, {self._end + self._pending}"
            )
        self._pending += missing
        self._lossy |= lossy
        if self._pending > MAX_SPLICE_SECONDS * self.spec.sample_rate:
            self._restart()
        samples = self._align_to_grid(samples)
        if not len(samples):
            return
        if self._pending or self._lossy:
            self._splice()
        if not self._held:
            self._start = max(self._start, self._end)  # a hop longer than a window starts later
        self._end += len(samples)
        if self._end > self._start:
            self._parts.append(samples)
            self._held += len(samples)
        yield from self._take_windows(captured_at)

    def _align_to_grid(self, samples: Samples) -> Samples:
        """Drop samples after a gap up to the next column of the held samples, or else of the stream."""
        if not self._pending:
            return samples
        offset = self._pending if self._held else self._end + self._pending
        dropped = min(-offset % self.spec.column_step, len(samples))
        self._pending += dropped
        return samples[dropped:]

    def _splice(self) -> None:
        """Mark a gap. All positions move by its length, because they are counted back from the end."""
        gap = self._pending
        self._end += gap
        self._start += gap
        if self._held:
            self._splices = [splice + gap for splice in self._splices] + [self._end]
        self._pending, self._lossy = 0, False

    def _take_windows(self, captured_at: float) -> Iterator[AudioWindow]:
        length = self.spec.window_samples
        if self._end - self._start < length:
            return
        held = np.concatenate(self._parts)
        held.flags.writeable = False
        first = self._end - self._held  # position of held[0]
        while self._end - self._start >= length:
            offset = self._start - first
            window = held[offset : offset + length]
            self._splices = [splice for splice in self._splices if splice > self._start]
            yield AudioWindow(
                samples=window,
                position=self._start,
                captured_at=captured_at - (self._end - self._start - length) / self.spec.sample_rate,
                level_dbfs=level_dbfs(window[-min(self._new, length) :]),
                has_gap=any(splice < self._start + length for splice in self._splices),
            )
            self._start += self.hop_samples
            self._new = self.hop_samples
        rest = held[min(self._start - first, len(held)) :]
        self._parts, self._held = [rest], len(rest)
