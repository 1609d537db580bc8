"""Ring buffer of the audio analyzed in the last minutes, from which corrections save clips.

The analysis appends to the buffer, and the thread of the history copies clips from the buffer. The audio
stays in memory.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.audio.samples import Samples
from models.spectrogram import AudioSpec
from realtime.clock import Clock

MAX_CLIP_SECONDS = 30.0
"""Maximum length of a clip, which is the length of the tracks that the model is trained on."""

SESSION_START_TOLERANCE_SECONDS = 0.5
"""Seconds by which a session may seem to start before its audio, since times in messages are rounded."""

FULL_SCALE = 32_767
"""Largest sample value of 16 bits."""

Append: TypeAlias = Callable[[Samples, int], None]
"""Function of the next samples, (n,) float32 at the model's rate, and the position of the first sample."""


@dataclass(frozen=True, slots=True)
class AudioClip:
    """Mono audio: ``samples`` (n,) int16 at ``sample_rate`` (Hz)."""

    samples: npt.NDArray[np.int16]
    sample_rate: int


@dataclass(slots=True)
class _SourceBuffer:
    """Audio of one source.

    ``started`` is in Unix seconds, ``appended_at`` in monotonic seconds. ``blocks`` holds stream
    positions and samples, ``length`` counts the samples.
    """

    source: str
    played_file: str
    started: float
    appended_at: float
    audio: AudioSpec
    blocks: deque[tuple[int, npt.NDArray[np.int16]]] = field(default_factory=deque)
    length: int = 0

    def clear(self) -> None:
        """Discard the samples."""
        self.blocks.clear()
        self.length = 0


class RecentAudioBuffer:
    """Ring buffers of all sources. Any thread may call the methods.

    Parameters
    ----------
    minutes : float
        Length of the audio that is buffered of each source. 0 buffers only the paths of played files.
    clock : Clock
    """

    def __init__(self, minutes: float, clock: Clock) -> None:
        self._seconds = minutes * 60
        self._clock = clock
        self._lock = threading.Lock()
        self._buffers: list[_SourceBuffer] = []

    def start(self, source: str, audio: AudioSpec, played_file: str = "") -> Append | None:
        """Start to buffer a source.

        Parameters
        ----------
        source : str
            Name of the source.
        audio : AudioSpec
            Format of the model's input.
        played_file : str
            Absolute path of the file that the source plays, or an empty text. Audio of a file is not
            buffered, since corrections read the file itself.

        Returns
        -------
        callable or None
            Function that appends samples, or None if no audio of this source is buffered.
        """
        now = self._clock.monotonic()
        buffer = _SourceBuffer(source, played_file, self._clock.unix(now), now, audio)
        with self._lock:
            self._discard_old()
            self._buffers.append(buffer)
        if not self._seconds or played_file:
            return None

        def append(samples: Samples, position: int) -> None:
            # Resampled audio overshoots full scale where loud music was clipped, and 16 bits would wrap.
            block = np.round(np.clip(samples, -1, 1) * FULL_SCALE).astype(np.int16)
            with self._lock:
                buffer.appended_at = self._clock.monotonic()
                buffer.blocks.append((position, block))
                buffer.length += len(block)
                while buffer.length > self._seconds * audio.sample_rate:
                    buffer.length -= len(buffer.blocks.popleft()[1])

        return append

    def played_file(self, source: str, started: float) -> str:
        """Return the absolute path of the file that a session plays, or an empty text.

        Parameters
        ----------
        source : str
            Name of the source.
        started : float
            Start of the session in Unix seconds.
        """
        with self._lock:
            buffer = self._find(source, started)
            return buffer.played_file if buffer else ""

    def clip(self, source: str, started: float, from_seconds: float, to_seconds: float) -> AudioClip | None:
        """Copy a clip of at most ``MAX_CLIP_SECONDS`` from the stream of a session.

        The clip is the middle of the buffered audio. Estimates follow the music with a delay, so the ends of
        a segment may belong to the music before or after.

        Parameters
        ----------
        source : str
            Name of the source.
        started : float
            Start of the session in Unix seconds.
        from_seconds, to_seconds : float
            Position of the segment in the stream.

        Returns
        -------
        AudioClip or None
            Middle of the longest piece without a gap, or None if that piece is shorter than one window.
        """
        with self._lock:
            self._discard_old()
            buffer = self._find(source, started)
            blocks = list(buffer.blocks) if buffer else []
        if buffer is None:
            return None
        rate = buffer.audio.sample_rate
        first, last = round(from_seconds * rate), round(to_seconds * rate)
        pieces: list[list[npt.NDArray[np.int16]]] = [[]]
        end = None
        for position, samples in blocks:
            part = samples[max(0, first - position) : max(0, last - position)]
            if position != end:
                pieces.append([])
            end = position + len(samples)
            pieces[-1].append(part)
        piece = np.concatenate(max(pieces, key=lambda each: sum(map(len, each))) or [np.zeros(0, np.int16)])
        if len(piece) < buffer.audio.window_samples:
            return None
        return AudioClip(_take_middle(piece, rate), rate)

    def clear(self) -> None:
        """Discard all audio. Audio that is appended later is buffered again."""
        with self._lock:
            for buffer in self._buffers:
                buffer.clear()

    def _find(self, source: str, started: float) -> _SourceBuffer | None:
        """Return the last buffer of a source that started before the session."""
        for buffer in reversed(self._buffers):
            if buffer.source == source and buffer.started <= started + SESSION_START_TOLERANCE_SECONDS:
                return buffer
        return None

    def _discard_old(self) -> None:
        """Discard the audio of sources that ended, once the audio is older than the length of the buffer.

        Only the start of a source and the copy of a clip call this method, because nothing else reads the
        audio.
        """
        oldest = self._clock.monotonic() - self._seconds
        for buffer in self._buffers:
            if buffer.appended_at < oldest:
                buffer.clear()


def _take_middle(samples: npt.NDArray[np.int16], sample_rate: int) -> npt.NDArray[np.int16]:
    """Return the middle ``MAX_CLIP_SECONDS`` of (n,) samples, or all samples if there are fewer."""
    extra = max(0, len(samples) - round(MAX_CLIP_SECONDS * sample_rate))
    return samples[extra // 2 : len(samples) - (extra - extra // 2)]
