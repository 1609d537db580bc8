"""Where sound comes from: every source is an iterator of blocks with positions.

A source that is read (file, array) is paced by whoever iterates it; a source that is captured
(``realtime.capture``) fills a bounded queue behind the same interface. ``realtime.opening`` opens them.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import numpy.typing as npt

from realtime.clock import Clock
from realtime.errors import SourceError
from realtime.frames import AudioBlock, Samples, clean_samples
from realtime.health import SourceStatus

if TYPE_CHECKING:
    import av
    import av.container

logger = logging.getLogger(__name__)

LARGEST_BLOCK = 4096
BLOCK_SECONDS = 0.1
"""Of decoded sound; each block costs about as much as decoding it, and frames are four times shorter."""
MOST_PLANES = 7
"""Channels that PyAV 18 can hand over apart, as decoders give them; with eight it reads beyond their list."""
NETWORK_TIMEOUT_SECONDS = 10.0
LONGEST_DELAY_SECONDS = 5.0
"""A file that is later than this does not hurry after its own pace."""


class AudioSource(Protocol):
    """A stream of sound.

    ``blocks`` yields blocks in order of position until the stream ends. A live source yields an
    empty block when nothing came for half a second, so that whoever waits can tell a stall from
    the end. ``close`` may be called from another thread and makes ``blocks`` end soon.
    """

    @property
    def name(self) -> str:
        """What a person would call it."""
        ...

    @property
    def sample_rate(self) -> int:
        """Hz of its blocks; never changes."""
        ...

    def blocks(self) -> Iterator[AudioBlock]:
        """The sound; may be called once."""
        ...

    def status(self) -> SourceStatus:
        """How it is doing; may be called from any thread."""
        ...

    def close(self) -> None:
        """Release what is held; harmless when repeated."""
        ...


class ArraySource:
    """Samples from memory, as fast as they are taken.

    Parameters
    ----------
    samples : (n,) or (n, channels) floating, full scale 1
    sample_rate : int
        Hz.
    clock : Clock
    """

    def __init__(
        self, samples: npt.NDArray[np.floating], sample_rate: int, clock: Clock, name: str = "array"
    ) -> None:
        self.name = name
        self.sample_rate = sample_rate
        self._samples = clean_samples(samples)
        self._clock = clock
        self._closed = False

    def blocks(self) -> Iterator[AudioBlock]:
        """Blocks of ``LARGEST_BLOCK`` samples."""
        for position in range(0, len(self._samples), LARGEST_BLOCK):
            if self._closed:
                return
            part = self._samples[position : position + LARGEST_BLOCK]
            yield AudioBlock(part, position, self.sample_rate, self._clock.monotonic())

    def status(self) -> SourceStatus:
        """Its name; nothing is lost on the way."""
        return SourceStatus(self.name)

    def close(self) -> None:
        """End ``blocks``."""
        self._closed = True


class FileSource:
    """Anything that FFmpeg decodes: a file, or a URL whose sound arrives at its own pace.

    Damaged packets are left out and counted, in the log; what can be decoded is played.

    Parameters
    ----------
    location : str
        Path or URL.
    clock : Clock
    speed : float
        1 plays in real time, 0 as fast as the blocks are taken.
    repeat : bool
        Begin again at the end; positions go on.
    name : str
        What to call it; the file's name otherwise.
    formats : str
        FFmpeg's names of the containers that are taken, with commas between; empty for all.

    Raises
    ------
    SourceError
        Missing, empty, a directory, or nothing that FFmpeg finds sound in.
    """

    def __init__(
        self,
        location: str,
        clock: Clock,
        *,
        speed: float = 0.0,
        repeat: bool = False,
        name: str = "",
        formats: str = "",
    ) -> None:
        self.location = location
        self.name = name or (public_url(location) if is_url(location) else Path(location).name)
        self._place = self.name if is_url(location) else location  # for messages: no password in it
        self._clock = clock
        self._speed = speed
        self._repeat = repeat
        self._options = {"format_whitelist": formats} if formats else {}
        self._closed = False
        if not is_url(location):
            _check_path(Path(location))
        self._container = self._open()
        stream = self._container.streams.audio[0]
        self.sample_rate = int(stream.codec_context.sample_rate)
        container_us = self._container.duration
        self.duration_seconds: float | None = container_us / 1e6 if container_us else None

    def _open(self) -> av.container.InputContainer:
        import av
        import av.error

        av.logging.set_level(None)  # FFmpeg's own lines would end up between ours
        try:
            container = av.open(
                self.location,
                options=self._options,
                metadata_errors="ignore",
                timeout=NETWORK_TIMEOUT_SECONDS,
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SourceError(f"{self._place} is no sound that FFmpeg can decode: {reason}") from error
        if not container.streams.audio:
            container.close()
            raise SourceError(f"{self._place} holds no audio stream")
        decoder = container.streams.audio[0].codec_context
        if decoder is None or not decoder.sample_rate:
            container.close()
            raise SourceError(f"{self._place} is encoded in a way that FFmpeg cannot decode")
        return container

    def blocks(self) -> Iterator[AudioBlock]:
        """Mono blocks of at most ``BLOCK_SECONDS``; at ``speed`` above 0 each when its last sample is due."""
        started = self._clock.monotonic()
        position = 0
        for samples in self._decoded():
            if self._closed:
                break
            position += len(samples)
            due = self._clock.monotonic()
            if self._speed:
                due = started + position / self.sample_rate / self._speed
                behind = self._clock.monotonic() - due
                if behind > LONGEST_DELAY_SECONDS:  # the machine slept, or was stopped: go on from here
                    started, due = started + behind, due + behind
                self._clock.sleep_until(due)
            yield AudioBlock(samples, position - len(samples), self.sample_rate, due)
        self._container.close()

    def _decoded(self) -> Iterator[Samples]:
        while True:
            decoded_any = False
            for samples in self._decoded_once():
                decoded_any = decoded_any or len(samples) > 0
                yield samples
            if not decoded_any:
                raise SourceError(f"{self._place} holds no sound that FFmpeg can decode")
            if not self._repeat or self._closed:
                return
            self._container.close()
            self._container = self._open()

    def _decoded_once(self) -> Iterator[Samples]:
        import av.error

        to_mono = MonoDecoder(self.sample_rate)
        damaged = 0
        packets = self._container.demux(self._container.streams.audio[0])
        while True:
            try:
                packet = next(packets, None)
                frames = packet.decode() if packet is not None else []
            except av.error.InvalidDataError:
                damaged += 1
                continue
            except (av.error.FFmpegError, OSError) as error:
                logger.warning("%s breaks off: %s", self._place, error.strerror or error)
                break
            if packet is None:
                break
            for frame in frames:
                yield from to_mono.push(frame)
        yield from to_mono.flush()
        if damaged:
            logger.warning("%s: %d damaged packets were left out", self._place, damaged)

    def status(self) -> SourceStatus:
        """Its name; nothing is lost on the way."""
        return SourceStatus(self.name)

    def close(self) -> None:
        """End ``blocks`` at its next block."""
        self._closed = True


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
                yield clean_samples(joined[:, start : start + self._block].T)
            self._parts, self._held = [joined[:, self._held - rest :]], rest

    def flush(self) -> Iterator[Samples]:
        """What was kept back for a block, or by a change of rate."""
        if self._converter is not None:
            self._convert(None)
            self._converter = self._form = None
        if self._held:
            yield clean_samples(np.concatenate(self._parts, axis=1).T)
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


def public_url(url: str) -> str:
    """A URL without user, password and query, which may be secrets."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def is_url(location: str) -> bool:
    """Whether FFmpeg should open this as a network address."""
    return location.lower().startswith(("http://", "https://", "rtsp://", "rtsps://"))


def _check_path(path: Path) -> None:
    """Say in a sentence what FFmpeg would say in a code."""
    if os.path.isdir(path):  # Path.is_dir raises where this says no
        raise SourceError(f"{path} is a directory; name a sound file")
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist") from error
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    if not size:
        raise SourceError(f"{path} is empty (0 bytes)")


def demonstration(speed: float, clock: Clock) -> FileSource:
    """The bundled demonstration, over and over."""
    folder = files("realtime.demonstration")
    path = str(folder / "demonstration.opus")
    return FileSource(path, clock, speed=speed, repeat=True, name="demonstration")


def seconds_text(seconds: float) -> str:
    """Seconds as a person reads them, rounded down: 4.97 s, 3 min 20 s."""
    if seconds < 60:
        return f"{math.floor(seconds * 100) / 100:.2f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"
