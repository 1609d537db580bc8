"""Audio sources that are read instead of captured: files, URLs and arrays.

The consumer of ``blocks`` sets the pace of these sources.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.audio.decoder_process import DecoderCrashError
from models.audio.file import AudioFile
from models.audio.isolated import IsolatedAudioFile, can_share
from models.audio.samples import Samples, sanitize_samples
from models.common.text import escape_path, shorten
from models.common.urls import is_url, show_url
from models.errors import AudioError
from realtime.audio.source import AudioBlock, AudioSource
from realtime.clock import Clock
from realtime.errors import SourceCrashError, SourceError
from realtime.protocol.health import SourceStatus
from realtime.sources.playlist import resolve_file_url

MAX_BLOCK_SAMPLES = 4096
"""Maximum number of samples in a block of an array."""

MAX_DELAY_SECONDS = 5.0
"""Delay after which a file does not catch up, because the machine slept or the process was stopped."""

MAX_SHOWN_CHARACTERS = 1000
"""Length after which a path is cut in messages."""

NETWORK_TIMEOUT_SECONDS = 10.0
"""Time without any byte after which a network address that is read like a file has failed."""


class ArraySource:
    """Source that yields samples from memory as fast as they are consumed.

    Parameters
    ----------
    samples : (n,) or (n, channels) floating, full scale 1
    sample_rate : int
        Hz.
    clock : Clock
    name : str
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
        """Yield blocks of ``MAX_BLOCK_SAMPLES`` samples."""
        for position in range(0, len(self._samples), MAX_BLOCK_SAMPLES):
            if self._closed:
                return
            part = self._samples[position : position + MAX_BLOCK_SAMPLES]
            yield AudioBlock(part, position, self.sample_rate, self._clock.monotonic())

    def status(self) -> SourceStatus:
        """Return the name. An array has no losses."""
        return SourceStatus(self.name)

    def close(self) -> None:
        """End ``blocks``."""
        self._closed = True


class FileSource:
    """Source that decodes a file or URL with FFmpeg.

    Parameters
    ----------
    location : str
        Path or URL.
    clock : Clock
    speed : float
        1 plays in real time. 0 yields the blocks as fast as they are consumed.
    repeat : bool
        Start again at the end. Positions continue.
    name : str
        Name for people. By default it is the name of the file, or the URL without secrets.
    isolated : bool
        Decode in a process of its own, whose crash is an error. A URL is always decoded so, and an open file
        of this process like ``/dev/stdin`` only on Linux.

    Raises
    ------
    SourceError
        If the location is missing, empty, a directory, or not audio that FFmpeg can decode.
    """

    def __init__(
        self,
        location: str,
        clock: Clock,
        *,
        speed: float = 0.0,
        repeat: bool = False,
        name: str = "",
        isolated: bool = True,
    ) -> None:
        self.location = location = resolve_file_url(location)
        self.name = name or (show_url(location) if is_url(location) else Path(location).name)
        # For messages: without a password, and cut if a playlist names a path that cannot exist.
        shown_path = shorten(escape_path(location), MAX_SHOWN_CHARACTERS)
        self._shown_location = self.name if is_url(location) else shown_path
        self._clock = clock
        self._speed = speed
        self.is_live = speed > 0
        self._repeat = repeat
        self._isolated = isolated
        self._closed = False
        if not is_url(location):
            _check_path(Path(location), self._shown_location)
        self._file = self._open()
        self.sample_rate = self._file.sample_rate
        self.duration_seconds = self._file.duration_seconds
        self.metadata = self._file.metadata

    def _open(self) -> AudioFile | IsolatedAudioFile:
        try:
            if is_url(self.location):
                from realtime.network.decoder_job import STREAM_JOB

                return IsolatedAudioFile(
                    self.location,
                    display_name=self._shown_location,
                    job=STREAM_JOB,
                    arguments={"url": self.location, "timeout_seconds": NETWORK_TIMEOUT_SECONDS},
                )
            kind = IsolatedAudioFile if self._isolated and can_share(self.location) else AudioFile
            return kind(self.location, display_name=self._shown_location)
        except AudioError as error:
            raise _source_error(error) from error

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield mono blocks of at most ``BLOCK_SECONDS``, each when its last sample is due at ``speed``.

        Raises
        ------
        SourceError
            If the file contains no audio.
        """
        started = self._clock.monotonic()
        position = 0
        for samples in self._decode():
            if self._closed:
                break
            position += len(samples)
            due = self._clock.monotonic()
            if self._speed:
                due = started + position / self.sample_rate / self._speed
                behind = self._clock.monotonic() - due
                if behind > MAX_DELAY_SECONDS:
                    started, due = started + behind, due + behind
                self._clock.sleep_until(due)
            yield AudioBlock(samples, position - len(samples), self.sample_rate, due)
        self._file.close()

    def _decode(self) -> Iterator[Samples]:
        while True:
            length = 0
            try:
                for samples in self._file.blocks():
                    length += len(samples)
                    yield samples
            except AudioError as error:
                raise _source_error(error) from error
            if not length and not self._closed:  # local files without audio are errors already
                raise SourceError(f"{self._shown_location} contains no audio that FFmpeg can decode")
            if not self._repeat or self._closed:
                return
            self._file.close()
            self._file = self._open()

    def status(self) -> SourceStatus:
        """Return the name. A file has no losses."""
        return SourceStatus(self.name)

    def close(self) -> None:
        """End ``blocks`` before its next block."""
        self._closed = True
        if isinstance(self._file, IsolatedAudioFile):  # any thread may close a decoder, but not FFmpeg itself
            self._file.close()


def _source_error(error: AudioError) -> SourceError:
    kind = SourceCrashError if isinstance(error, DecoderCrashError) else SourceError
    return kind(str(error))


def _check_path(path: Path, shown: str) -> None:
    """Raise a SourceError that explains why a path cannot be read. FFmpeg gives only error codes."""
    if os.path.isdir(path):  # Path.is_dir may raise an error
        raise SourceError(f"{shown} is a directory; name an audio file")
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise SourceError(f"{shown} does not exist") from error
    except (OSError, ValueError) as error:  # ValueError for a NUL character
        raise SourceError(f"cannot read {shown}: {getattr(error, 'strerror', None) or error}") from error
    if not size:
        raise SourceError(f"{shown} is empty (0 bytes)")


def open_demo(speed: float, clock: Clock) -> FileSource:
    """Open the bundled demonstration, which repeats endlessly."""
    folder = files("realtime.demo")
    path = str(folder / "demonstration.opus")
    return FileSource(path, clock, speed=speed, repeat=True, name="demonstration", isolated=False)


def played_file(source: AudioSource) -> str:
    """Return the absolute path of the file that a source plays once, or an empty text for other sources."""
    if not isinstance(source, FileSource) or source.name != Path(source.location).name:
        return ""  # a network address, or the demonstration, which repeats under a different name
    path = os.path.abspath(source.location)
    try:
        path.encode()
    except UnicodeEncodeError:  # SQLite cannot store such a name
        return ""
    return path
