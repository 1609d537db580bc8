"""Sliding windows on the stream's column grid, with gaps marked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.audio.samples import Samples
from models.spectrogram.spec import AudioSpec
from realtime.audio.source import AudioWindow, level_dbfs

LONGEST_SPLICE_SECONDS = 1.0
"""Gaps up to this long are spliced and marked; after a longer one a new window is filled."""


class SlidingWindows:
    """Cuts a stream at the model's rate into overlapping windows.

    Windows start at multiples of the column step, counted from the stream's beginning, also after a
    gap: the sound up to the next column is then dropped. A window that spans a splice has ``has_gap``
    set, and its ``position`` is reckoned back from its last sample.

    Parameters
    ----------
    spec : AudioSpec
    hop_columns : int
        How far the window moves on, in columns, at least 1.

    Raises
    ------
    ValueError
        A hop below one column.
    """

    def __init__(self, spec: AudioSpec, hop_columns: int) -> None:
        if hop_columns < 1:
            raise ValueError(f"hop is {hop_columns} columns; the finest is 1")
        self.spec = spec
        self.hop_samples = hop_columns * spec.column_step
        self._end = 0  # stream position after the last sample taken in
        self._pending = 0  # samples missing or dropped since then
        self._lossy = False
        self._restart()

    def _restart(self) -> None:
        """Begin a new window with the next sample; nothing before it is held any more."""
        self._parts: list[Samples] = []
        self._held = 0
        self._start = 0  # of the next window; set by the first samples held
        self._splices: list[int] = []  # positions before which sound is missing
        self._fresh = self.spec.window_samples  # samples of the next window that none had before

    def push(
        self, samples: Samples, position: int, captured_at: float, *, lossy: bool = False
    ) -> Iterator[AudioWindow]:
        """Take the next samples in; yield each window that they complete.

        Parameters
        ----------
        samples : (n,) float32 at ``spec.sample_rate``
        position : int
            Stream position of ``samples[0]``; a jump is a gap.
        captured_at : float
            Monotonic seconds of the last sample.
        lossy : bool
            The device lost an unknown amount of sound just before these samples.

        Raises
        ------
        ValueError
            ``position`` lies before the end of what was pushed.
        """
        missing = position - self._end - self._pending
        if missing < 0:
            raise ValueError(
                f"position {position} lies before the end of the stream, {self._end + self._pending}"
            )
        self._pending += missing
        self._lossy |= lossy
        if self._pending > LONGEST_SPLICE_SECONDS * self.spec.sample_rate:
            self._restart()
        samples = self._step_onto_grid(samples)
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
        yield from self._full_windows(captured_at)

    def _step_onto_grid(self, samples: Samples) -> Samples:
        """Drop sound up to the next column: in step with what is held, else with the stream's start."""
        if not self._pending:
            return samples
        beyond = self._pending if self._held else self._end + self._pending
        dropped = min(-beyond % self.spec.column_step, len(samples))
        self._pending += dropped
        return samples[dropped:]

    def _splice(self) -> None:
        """Note where sound is missing; positions are reckoned back from the end, so all move on."""
        gap = self._pending
        self._end += gap
        self._start += gap
        if self._held:
            self._splices = [splice + gap for splice in self._splices] + [self._end]
        self._pending, self._lossy = 0, False

    def _full_windows(self, captured_at: float) -> Iterator[AudioWindow]:
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
                level_dbfs=level_dbfs(window[-min(self._fresh, length) :]),
                has_gap=any(splice < self._start + length for splice in self._splices),
            )
            self._start += self.hop_samples
            self._fresh = self.hop_samples
        rest = held[min(self._start - first, len(held)) :]
        self._parts, self._held = [rest], len(rest)
