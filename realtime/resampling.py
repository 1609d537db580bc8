"""From the device's rate to the model's, once, with the filter's state kept between blocks."""

from __future__ import annotations

import numpy as np
import soxr

from realtime.frames import Samples


class StreamResampler:
    """A resampler whose output does not depend on how the input is cut into blocks.

    Parameters
    ----------
    source_rate, target_rate : int
        Hz. Equal rates pass the samples through.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self.source_rate = source_rate
        self.target_rate = target_rate
        self._stream = self._open()

    def _open(self) -> soxr.ResampleStream | None:
        if self.source_rate == self.target_rate:
            return None
        return soxr.ResampleStream(self.source_rate, self.target_rate, 1, dtype="float32")

    def push(self, samples: Samples) -> Samples:
        """Resample the next (n,) float32 samples; some stay in the filter until later."""
        if self._stream is None:
            return samples
        return np.asarray(self._stream.resample_chunk(samples), dtype=np.float32)

    def flush(self) -> Samples:
        """What is left in the filter when the sound ends, (n,) float32; the resampler starts anew."""
        if self._stream is None:
            return np.empty(0, dtype=np.float32)
        rest = np.asarray(self._stream.resample_chunk(np.empty(0, dtype=np.float32), last=True))
        self._stream = self._open()
        return rest

    def target_position(self, source_position: int) -> int:
        """Position at the target rate of a sample's position at the source rate."""
        return round(source_position * self.target_rate / self.source_rate)
