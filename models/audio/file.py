"""Decode audio files to blocks of mono samples with FFmpeg."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from models.audio.decoding import MonoDecoder, StreamResampler, check_sample_rate
from models.audio.formats import file_location, restriction_options
from models.audio.metadata import FileMetadata, read_metadata
from models.audio.ogg import CAPTURE, OggLinks
from models.audio.samples import Samples
from models.common.text import clean_text, format_count
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
    metadata : FileMetadata

    Raises
    ------
    AudioError
        If the file cannot be opened or has no audio stream that FFmpeg can decode.
    """

    def __init__(self, path: str, *, display_name: str = "") -> None:
        self._display_name = display_name or path
        self._length = self._damaged = 0
        self._open(file_location(path))
        self.sample_rate = int(self._stream.codec_context.sample_rate)
        microseconds = self._container.duration
        self.duration_seconds: float | None = microseconds / 1e6 if microseconds else None
        self.metadata: FileMetadata = read_metadata(self._container, self._stream)
        self._ogg = _open_ogg(path)
        self._links = OggLinks(self._ogg) if self._ogg else None
        if self._links:
            self._container.close()
            self._open(self._links)

    def _open(self, file: str | OggLinks) -> None:
        import av
        import av.error

        av.logging.set_level(None)  # FFmpeg would print to the terminal of this program
        try:
            container = av.open(
                file, "r", container_options=restriction_options("file"), metadata_errors="surrogateescape"
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            if isinstance(error, av.error.ArgumentError):  # the format is not on the list
                reason = "its format is not an accepted audio container"
            raise AudioError(f"{self._display_name} is not audio that FFmpeg can decode: {reason}") from error
        self._container = container
        self._stream = find_audio_stream(container, self._display_name)

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
        to_mono = MonoDecoder(self.sample_rate, self._display_name)
        yield from self._decode(to_mono)
        while self._links and self._links.next_link():
            self._container.close()
            try:
                self._open(self._links)
            except AudioError as error:
                logger.warning("a part is left out: %s", error)
                continue
            yield from self._decode(to_mono)
        if self._damaged:
            packets = format_count(self._damaged, "damaged packet")
            logger.warning("%s: skipped %s", self._display_name, packets)
        if not self._length:
            raise AudioError(f"{self._display_name} contains no audio that FFmpeg can decode")

    def _decode(self, to_mono: MonoDecoder) -> Iterator[Samples]:
        """Decode the open container."""
        import av.error

        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                frames = packet.decode() if packet is not None else []
            except av.error.InvalidDataError:
                self._damaged += 1
                continue
            except (av.error.FFmpegError, OSError) as error:
                logger.warning("%s ends early: %s", self._display_name, error.strerror or error)
                break
            if packet is None:
                break
            for frame in frames:
                for samples in to_mono.push(frame):
                    self._length += len(samples)
                    yield samples
        for samples in to_mono.flush():
            self._length += len(samples)
            yield samples

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        if self._ogg:
            self._ogg.close()


class _OggFile:
    """File that is closed with its last reference, like the containers of PyAV."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    def read(self, size: int, /) -> bytes:
        """Read at most ``size`` bytes."""
        return os.read(self._descriptor, size)

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    __del__ = close


def _open_ogg(path: str) -> _OggFile | None:
    """Open a file that begins like Ogg, which may have several links. Other files and pipes give None."""
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        is_ogg = file.read(len(CAPTURE)) == CAPTURE
    return _OggFile(path) if is_ogg else None


def find_audio_stream(container: av.container.InputContainer, display_name: str) -> av.AudioStream:
    """Return the first audio stream that FFmpeg can decode. Close the container if there is none.

    If there are several audio streams, the choice and its language are logged. The decoder of the stream
    knows the number of its channels, and not their names.

    Parameters
    ----------
    container : av.container.InputContainer
    display_name : str
        Name of the container in messages.

    Raises
    ------
    AudioError
        If there is no audio stream, if FFmpeg has no decoder for any of them, or if the sample rate is not
        supported.
    """
    streams = container.streams.audio
    for number, stream in enumerate(streams, 1):
        decoder = stream.codec_context
        if decoder is None or not decoder.sample_rate:
            continue
        try:
            check_sample_rate(decoder.sample_rate, display_name)
        except AudioError:
            container.close()
            raise
        if len(streams) > 1:
            language = clean_text(stream.language or "unknown")
            logger.warning(
                "%s has %d audio tracks; track %d (language: %s) is analyzed",
                display_name, len(streams), number, language,
            )  # fmt: skip
        _drop_channel_layout(decoder)
        return stream
    container.close()
    if not streams:
        raise AudioError(f"{display_name} has no audio stream")
    raise AudioError(f"{display_name} has an audio format that FFmpeg cannot decode")


def _drop_channel_layout(decoder: av.AudioCodecContext) -> None:
    """Replace the names of a decoder's channels with their number, before the decoder is opened.

    The mean of the channels needs no names. PyAV 18 copies a layout that FFmpeg has no name for without its
    memory, which each copy then frees: that of a decoder, and that of each frame. Reading the layout here
    frees the memory once, and setting the layout replaces the last reference to it.
    """
    channels = decoder.layout.nb_channels
    if channels:
        decoder.layout = f"{channels}C"  # FFmpeg's notation for channels without names


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
