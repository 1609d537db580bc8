"""Decode audio files to blocks of mono samples with FFmpeg."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from models.audio.decoding import MonoDecoder, StreamResampler
from models.audio.formats import file_location, restriction_options
from models.audio.samples import Samples
from models.errors import AudioError

if TYPE_CHECKING:
    import av
    import av.container

logger = logging.getLogger(__name__)


class AudioFile:
    """Open audio file.

    Damaged packets are skipped, and their number is logged as a warning.

    Parameters
    ----------
    path : str
    display_name : str
        Name of the file in messages. By default it is the path.

    Attributes
    ----------
    sample_rate : int
        Hz.
    duration_seconds : float or None
        None if the container does not state its duration.

    Raises
    ------
    AudioError
        If the file cannot be opened or has no audio stream that FFmpeg can decode.
    """

    def __init__(self, path: str, *, display_name: str = "") -> None:
        import av
        import av.error

        self._display_name = display_name or path
        av.logging.set_level(None)  # FFmpeg would print to the terminal of this program
        try:
            self._container = av.open(
                file_location(path),
                options=restriction_options("file"),
                metadata_errors="ignore",
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            if isinstance(error, av.error.ArgumentError):  # the format is not on the list
                reason = "its container is not one of sound"
            raise AudioError(f"{self._display_name} is not audio that FFmpeg can decode: {reason}") from error
        self._stream = find_audio_stream(self._container, self._display_name)
        self.sample_rate = int(self._stream.codec_context.sample_rate)
        microseconds = self._container.duration
        self.duration_seconds: float | None = microseconds / 1e6 if microseconds else None

    def blocks(self) -> Iterator[Samples]:
        """Decode the file and yield its blocks. The method may be called once.

        Yields
        ------
        (n,) float32
            Blocks of ``MonoDecoder``.

        Raises
        ------
        AudioError
            If the file contains no audio.
        """
        import av.error

        to_mono = MonoDecoder(self.sample_rate)
        length = damaged = 0
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                frames = packet.decode() if packet is not None else []
            except av.error.InvalidDataError:
                damaged += 1
                continue
            except (av.error.FFmpegError, OSError) as error:
                logger.warning("%s ends early: %s", self._display_name, error.strerror or error)
                break
            if packet is None:
                break
            for frame in frames:
                for samples in to_mono.push(frame):
                    length += len(samples)
                    yield samples
        for samples in to_mono.flush():
            length += len(samples)
            yield samples
        if damaged:
            logger.warning("%s: %d damaged packets were skipped", self._display_name, damaged)
        if not length:
            raise AudioError(f"{self._display_name} contains no audio that FFmpeg can decode")

    def close(self) -> None:
        """Close the file."""
        self._container.close()


def find_audio_stream(container: av.container.InputContainer, display_name: str) -> av.AudioStream:
    """Return the first audio stream of a container. Close the container if it has no audio stream.

    Parameters
    ----------
    container : av.container.InputContainer
    display_name : str
        Name of the container in messages.

    Raises
    ------
    AudioError
        If there is no audio stream, or if FFmpeg has no decoder for the audio stream.
    """
    if not container.streams.audio:
        container.close()
        raise AudioError(f"{display_name} has no audio stream")
    stream = container.streams.audio[0]
    decoder = stream.codec_context
    if decoder is None or not decoder.sample_rate:
        container.close()
        raise AudioError(f"{display_name} has an audio format that FFmpeg cannot decode")
    return stream


def decode_file(path: str, sample_rate: int) -> Samples:
    """Decode a whole file with the decoder and the resampler of the live path.

    Parameters
    ----------
    path : str
    sample_rate : int
        Hz of the result.

    Returns
    -------
    (n,) float32
        Mono.

    Raises
    ------
    AudioError
        If the file cannot be opened or contains no audio that FFmpeg can decode.
    """
    file = AudioFile(path)
    resampler = StreamResampler(file.sample_rate, sample_rate)
    try:
        parts = [resampler.push(samples) for samples in file.blocks()]
    finally:
        file.close()
    return np.concatenate([*parts, resampler.flush()])
