"""From the device's rate to the model's, once, with the filter's state kept between blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import soxr

from models.audio.samples import Samples, sanitize_samples

if TYPE_CHECKING:
    import av

BLOCK_SECONDS = 0.1
"""Of decoded sound; each block costs about as much as decoding it, and frames are four times shorter."""
MOST_PLANES = 7
"""Channels that PyAV 18 can hand over apart, as decoders give them; with eight it reads beyond their list."""


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


class MonoDecoder:
    """Decoded frames to mono float32 at one rate, also when the stream changes its form midway.

    Joined files and radio stations go from mono to stereo or to another rate without a word.

    Parameters
    ----------
    sample_rate : int
        Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._block = max(1, round(BLOCK_SECONDS * sample_rate))
        self._form: tuple[str, str, int] | None = None
        self._converter: av.AudioResampler | None = None
        self._parts: list[Samples] = []  # (channels, n) each
        self._held = 0

    def push(self, frame: av.AudioFrame) -> Iterator[Samples]:
        """Take a frame; yield the blocks that it completes.

        Each is (n,) float32 of ``BLOCK_SECONDS``; the last one before a change of form may be shorter.
        """
        import av

        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self._form:
            yield from self.flush()
            self._form = form
            planes = frame.layout.nb_channels <= MOST_PLANES
            self._converter = av.AudioResampler(format="fltp" if planes else "flt", rate=self.sample_rate)
        self._convert(frame)
        if self._held >= self._block:
            joined = np.concatenate(self._parts, axis=1)
            rest = self._held % self._block
            for start in range(0, self._held - rest, self._block):
                yield sanitize_samples(joined[:, start : start + self._block].T)
            self._parts, self._held = [joined[:, self._held - rest :]], rest

    def flush(self) -> Iterator[Samples]:
        """What was kept back for a block, or by a change of rate."""
        if self._converter is not None:
            self._convert(None)
            self._converter = self._form = None
        if self._held:
            yield sanitize_samples(np.concatenate(self._parts, axis=1).T)
        self._parts, self._held = [], 0

    def _convert(self, frame: av.AudioFrame | None) -> None:
        if self._converter is None:
            raise ValueError("push comes before")
        for converted in self._converter.resample(frame):
            samples = converted.to_ndarray().astype(np.float32, copy=False)
            if not converted.format.is_planar:
                samples = samples.reshape(-1, converted.layout.nb_channels).T
            self._parts.append(samples)
            self._held += converted.samples
