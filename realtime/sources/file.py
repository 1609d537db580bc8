"""Audio sources that are read: files, URLs and arrays.

The consumer of ``blocks`` sets the pace of these sources, unlike that of captured ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.audio.file import AudioFile
from models.audio.samples import Samples, sanitize_samples
from models.common.urls import is_url, redact_url
from models.errors import AudioError
from realtime.audio.source import AudioBlock, AudioSource
from realtime.clock import Clock
from realtime.errors import SourceError
from realtime.protocol.health import SourceStatus

LARGEST_BLOCK = 4096
LONGEST_DELAY_SECONDS = 5.0
"""A file that is later than this does not hurry after its own pace."""


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
        self.is_live = False
        self._samples = sanitize_samples(samples)
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
        self.name = name or (redact_url(location) if is_url(location) else Path(location).name)
        self._place = self.name if is_url(location) else location  # for messages: no password in it
        self._clock = clock
        self._speed = speed
        self.is_live = speed > 0
        self._repeat = repeat
        self._formats = formats
        self._closed = False
        if not is_url(location):
            _check_path(Path(location))
        self._file = self._open()
        self.sample_rate = self._file.sample_rate
        self.duration_seconds = self._file.duration_seconds

    def _open(self) -> AudioFile:
        try:
            return AudioFile(self.location, shown=self._place, formats=self._formats)
        except AudioError as error:
            raise SourceError(str(error)) from error

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
        self._file.close()

    def _decoded(self) -> Iterator[Samples]:
        while True:
            try:
                yield from self._file.blocks()
            except AudioError as error:
                raise SourceError(str(error)) from error
            if not self._repeat or self._closed:
                return
            self._file.close()
            self._file = self._open()

    def status(self) -> SourceStatus:
        """Its name; nothing is lost on the way."""
        return SourceStatus(self.name)

    def close(self) -> None:
        """End ``blocks`` at its next block."""
        self._closed = True


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


def demo_source(speed: float, clock: Clock) -> FileSource:
    """The bundled demonstration, over and over."""
    folder = files("realtime.demo")
    path = str(folder / "demonstration.opus")
    return FileSource(path, clock, speed=speed, repeat=True, name="demonstration")


def played_file(source: AudioSource) -> str:
    """Return the absolute path of the file that a source plays once, or an empty text for another source."""
    if not isinstance(source, FileSource) or source.name != Path(source.location).name:
        return ""  # a network address, or a file that repeats under a name of its own
    path = os.path.abspath(source.location)
    try:
        path.encode()
    except UnicodeEncodeError:  # SQLite cannot store such a name
        return ""
    return path
