"""The last minutes of what was analysed, in memory only: the sound of a segment that a person corrects.

The analysis adds to it, the history's thread takes from it.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.audio.samples import Samples
from models.spectrogram.spec import AudioSpec
from realtime.audio.source import AudioSource
from realtime.clock import Clock
from realtime.sources.file import FileSource

MAX_CLIP_SECONDS = 30.0
"""Of one segment; as long as the tracks that the model is trained on."""

SAME_SESSION_SECONDS = 0.5
"""Times of messages are rounded: a session may seem to begin so long before its sound does."""

Keep = Callable[[Samples, int], None]
"""Takes the next samples, (n,) float32 at the model's rate, and the stream position of the first."""


@dataclass(frozen=True, slots=True)
class AudioClip:
    """``samples`` (n,) int16 mono at ``sample_rate`` (Hz)."""

    samples: npt.NDArray[np.int16]
    sample_rate: int


@dataclass(slots=True)
class _Ring:
    """The sound of one source; ``began`` is Unix seconds, ``heard`` monotonic ones of the last sound."""

    source: str
    file: str
    began: float
    heard: float
    audio: AudioSpec
    parts: deque[tuple[int, npt.NDArray[np.int16]]] = field(default_factory=deque)
    held: int = 0


class RecentAudioBuffer:
    """A ring of sound for each source; may be called on any thread.

    Parameters
    ----------
    minutes : float
        How much is kept of each; 0 keeps none, and only knows which file is played.
    clock : Clock
    """

    def __init__(self, minutes: float, clock: Clock) -> None:
        self._seconds = minutes * 60
        self._clock = clock
        self._lock = threading.Lock()
        self._rings: list[_Ring] = []

    def start(self, source: AudioSource, audio: AudioSpec) -> Keep | None:
        """A source begins to be heard.

        Returns
        -------
        callable or None
            What its sound is to be given to, if any of it is kept.
        """
        now = self._clock.monotonic()
        ring = _Ring(source.name, file_of(source), self._clock.unix(now), now, audio)
        with self._lock:
            self._drop_old()
            self._rings.append(ring)
        if not self._seconds or ring.file:
            return None

        def keep(samples: Samples, position: int) -> None:
            # Resampled sound overshoots full scale where loud music was clipped, and 16 bits would wrap.
            stored = np.round(np.clip(samples, -1, 1) * 32_767).astype(np.int16)
            with self._lock:
                ring.heard = self._clock.monotonic()
                ring.parts.append((position, stored))
                ring.held += len(stored)
                while ring.held > self._seconds * audio.sample_rate:
                    ring.held -= len(ring.parts.popleft()[1])

        return keep

    def played_file(self, source: str, started: float) -> str:
        """Absolute path of the file that a session plays, empty where it is none.

        Parameters
        ----------
        source : str
            Its name.
        started : float
            Unix seconds, of the session.
        """
        with self._lock:
            ring = self._ring(source, started)
            return ring.file if ring else ""

    def clip(self, source: str, started: float, from_seconds: float, to_seconds: float) -> AudioClip | None:
        """What is left of a stretch of a session's stream: the middle ``MAX_CLIP_SECONDS`` of it.

        The middle, because estimates follow the music with a delay, so that a segment's ends are less sure.

        Returns
        -------
        AudioClip or None
            The longest piece without a gap; None where it is shorter than one window.
        """
        with self._lock:
            self._drop_old()
            ring = self._ring(source, started)
            parts = list(ring.parts) if ring else []
        if ring is None:
            return None
        rate = ring.audio.sample_rate
        first, last = round(from_seconds * rate), round(to_seconds * rate)
        pieces: list[list[npt.NDArray[np.int16]]] = [[]]
        end = None
        for position, samples in parts:
            cut = samples[max(0, first - position) : max(0, last - position)]
            if position != end:
                pieces.append([])
            end = position + len(samples)
            pieces[-1].append(cut)
        piece = np.concatenate(max(pieces, key=lambda each: sum(map(len, each))) or [np.zeros(0, np.int16)])
        if len(piece) < ring.audio.window_samples:
            return None
        return AudioClip(middle(piece, rate), rate)

    def clear(self) -> None:
        """Drop all sound; what comes from now on is kept."""
        with self._lock:
            for ring in self._rings:
                ring.parts.clear()
                ring.held = 0

    def _ring(self, source: str, started: float) -> _Ring | None:
        """The last that began before the session of that source did."""
        for ring in reversed(self._rings):
            if ring.source == source and ring.began <= started + SAME_SESSION_SECONDS:
                return ring
        return None

    def _drop_old(self) -> None:
        """Sound of a source that is no longer heard is not kept longer than that of one that is.

        It goes when a source begins or sound is taken: nobody comes to it before.
        """
        oldest = self._clock.monotonic() - self._seconds
        for ring in self._rings:
            if ring.heard < oldest:
                ring.parts.clear()
                ring.held = 0


def middle(samples: npt.NDArray[np.int16], sample_rate: int) -> npt.NDArray[np.int16]:
    """The middle ``MAX_CLIP_SECONDS`` of (n,) samples, or all of them."""
    extra = max(0, len(samples) - round(MAX_CLIP_SECONDS * sample_rate))
    return samples[extra // 2 : len(samples) - (extra - extra // 2)]


def file_of(source: AudioSource) -> str:
    """Absolute path of the file that a source plays once; empty for every other source."""
    if not isinstance(source, FileSource) or source.name != Path(source.location).name:
        return ""  # an address, or what is repeated under a name of its own
    path = os.path.abspath(source.location)
    try:
        path.encode()
    except UnicodeEncodeError:  # SQLite takes no such name
        return ""
    return path
