"""Convert decoded frames to mono and resample them, for training and for the live path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import soxr

from models.audio.samples import Samples, sanitize_samples
from models.errors import AudioError

if TYPE_CHECKING:
    import av

BLOCK_SECONDS = 0.1
"""Length of decoded blocks, about four frames. Processing a block costs as much as decoding the block."""

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 4_000, 384_000
"""Hz that are decoded. A header may state 2 GHz, for which FFmpeg would allocate gigabytes."""

MAX_PLANES = 7
"""Channels that PyAV can return as separate planes. With eight, PyAV reads beyond the list of planes."""


class StreamResampler:
    """Resampler that keeps the state of its filter between blocks.

    The output does not depend on the lengths of the input blocks.

    Parameters
    ----------
    source_rate, target_rate : int
        Hz. Samples pass unchanged if the rates are equal.
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
        """Resample the next (n,) float32 samples. The filter delays some of the samples."""
        if self._stream is None:
            return samples
        return np.asarray(self._stream.resample_chunk(samples), dtype=np.float32)

    def flush(self) -> Samples:
        """Return the samples that are still in the filter, (n,) float32, and reset the filter."""
        if self._stream is None:
            return np.empty(0, dtype=np.float32)
        rest = np.asarray(self._stream.resample_chunk(np.empty(0, dtype=np.float32), last=True))
        self._stream = self._open()
        return rest

    def target_position(self, source_position: int) -> int:
        """Convert a position at the source rate to the position at the target rate."""
        return round(source_position * self.target_rate / self.source_rate)


def check_sample_rate(sample_rate: int, display_name: str) -> None:
    """Refuse a sample rate that cannot be the rate of audio.

    Raises
    ------
    AudioError
        If the rate is not supported.
    """
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            f"{display_name} has a sample rate of {sample_rate:,} Hz; "
            f"{MIN_SAMPLE_RATE:,} to {MAX_SAMPLE_RATE:,} Hz are supported"
        )


class MonoDecoder:
    """Converter of decoded frames to mono float32 blocks of one sample rate.

    Joined files and radio stations may change the number of channels or the sample rate within a stream.

    Parameters
    ----------
    sample_rate : int
        Hz of the blocks.
    display_name : str
        Name of the input in messages.
    """

    def __init__(self, sample_rate: int, display_name: str = "the audio") -> None:
        self.sample_rate = sample_rate
        self._display_name = display_name
        self._block_samples = max(1, round(BLOCK_SECONDS * sample_rate))
        self._format: tuple[str, str, int] | None = None
        self._converter: av.AudioResampler | None = None
        self._parts: list[Samples] = []  # (channels, n) each
        self._held = 0  # samples in the parts

    def push(self, frame: av.AudioFrame) -> Iterator[Samples]:
        """Add a frame, and yield the blocks that it completes.

        Yields
        ------
        (n,) float32
            ``BLOCK_SECONDS`` long. The last block before a change of format may be shorter.

        Raises
        ------
        AudioError
            If the sample rate is not supported, or if FFmpeg cannot convert the channels.
        """
        import av

        frame_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        if frame_format != self._format:
            yield from self.flush()
            check_sample_rate(frame.sample_rate, self._display_name)
            self._format = frame_format
            planar = frame.layout.nb_channels <= MAX_PLANES
            self._converter = av.AudioResampler(format="fltp" if planar else "flt", rate=self.sample_rate)
        self._convert(frame)
        if self._held >= self._block_samples:
            joined = np.concatenate(self._parts, axis=1)
            rest = self._held % self._block_samples
            for start in range(0, self._held - rest, self._block_samples):
                yield sanitize_samples(joined[:, start : start + self._block_samples].T)
            self._parts, self._held = [joined[:, self._held - rest :]], rest

    def flush(self) -> Iterator[Samples]:
        """Yield the remaining samples, which may be shorter than a block, and reset the decoder."""
        if self._converter is not None:
            self._convert(None)
            self._converter = self._format = None
        if self._held:
            yield sanitize_samples(np.concatenate(self._parts, axis=1).T)
        self._parts, self._held = [], 0

    def _convert(self, frame: av.AudioFrame | None) -> None:
        import av.error

        if self._converter is None:
            raise ValueError("call push first")
        try:
            converted = self._converter.resample(frame)
        except (av.error.FFmpegError, ValueError) as error:
            layout = self._format[1] if self._format else "an unknown layout"
            raise AudioError(
                f"{self._display_name} has channels that FFmpeg cannot convert: {layout}"
            ) from error
        for each in converted:
            samples = each.to_ndarray().astype(np.float32, copy=False)
            if not each.format.is_planar:
                samples = samples.reshape(-1, each.layout.nb_channels).T
            self._parts.append(samples)
            self._held += each.samples
