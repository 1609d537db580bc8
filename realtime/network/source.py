"""A radio station or another stream from the network, as a source.

A thread of its own opens, reads and decodes; whoever iterates ``blocks`` takes what is due. The
thread waits while a reserve of ``RESERVE_SECONDS`` is decoded: sound from a network can be left
with its server for a while, so nothing is dropped on this side.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator

import numpy as np

from models.audio.samples import Samples, sanitize_samples
from models.common.urls import redact_url
from realtime.audio.source import AudioBlock
from realtime.clock import Clock
from realtime.errors import SourceError
from realtime.network.demuxer import StreamDecoder
from realtime.network.http_client import HttpClient
from realtime.network.opening import open_stream
from realtime.protocol.health import SourceStatus

OPEN_SECONDS = 10.0
"""How long opening may take, looking the host up included."""

STALL_SECONDS = 8.0
"""After this long without sound, or without a byte, a stream has failed."""

IDLE_SECONDS = 0.5
"""After this long without sound an empty block says so."""

LEAD_SECONDS = 1.0
"""How far sound may run ahead of real time."""

RESERVE_SECONDS = 8.0
"""Decoded sound that may wait for its time: twice what Icecast sends at once at 128 kbit/s."""


class Pacer:
    """When a block of a stream is due.

    Stations send several seconds at once when a listener connects, HLS whole pieces, file servers
    everything. Were all of it analysed at once, the results would rush by and the next silence of
    the network would be heard; were all but the newest dropped, HLS would be nothing but gaps.
    So it is played as a radio does it: ``lead_seconds`` of sound at once, which fill a window
    early, the rest in real time, and what is left of the burst stays as a reserve. After a
    silence the same applies again: at most ``lead_seconds`` are caught up on.

    Parameters
    ----------
    sample_rate : int
        Hz.
    lead_seconds : float
    """

    def __init__(self, sample_rate: int, lead_seconds: float = LEAD_SECONDS) -> None:
        self._rate = sample_rate
        self._lead_seconds = lead_seconds
        self._since = -math.inf  # when the sound counted below would have begun to play
        self._samples = 0

    def due(self) -> float:
        """Monotonic seconds from which on the next block may go; minus infinity for the first."""
        return self._since + self._samples / self._rate - self._lead_seconds

    def released(self, samples: int, now: float) -> None:
        """Count a block of so many samples that went at the moment ``now``."""
        if self._since + self._samples / self._rate < now:  # all that went before has been played
            self._since, self._samples = now, 0
        self._samples += samples


class StreamSource:
    """A network address (http, https, rtsp, rtsps) that is listened to at its own pace.

    Positions count the samples that were received, so a stream goes on where it stopped;
    ``captured_at`` is the moment at which a block was due, see ``Pacer``.

    Parameters
    ----------
    url : str
        May hold a user and a password; they are in no message, name or status.
    clock : Clock
    open_seconds, stall_seconds : float
        See ``OPEN_SECONDS`` and ``STALL_SECONDS``; both are of real time whatever the clock says.

    Attributes
    ----------
    name : str
        The address without user, password and query.
    sample_rate : int
        Hz, as the stream has it when it is opened; it is kept when the stream changes.

    Raises
    ------
    SourceError
        It cannot be opened, or not within ``open_seconds``; one sentence.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        open_seconds: float = OPEN_SECONDS,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        try:
            self.name = redact_url(url)
            self._web = HttpClient(url, stall_seconds)
        except ValueError as error:
            raise SourceError(f"the network address is not valid: {type(error).__name__}") from None
        self.sample_rate = 0
        self.is_live = True
        self._url = url
        self._clock = clock
        self._stall_seconds = stall_seconds
        self._changed = threading.Condition()
        self._queue: deque[tuple[Samples, str]] = deque()  # bounded by _waiting, in samples
        self._waiting = 0
        self._over = False
        self._failure = ""
        self._closed = False
        self._station = self._title = ""
        # Opening, too, is done on the thread: looking a host up can be neither bounded nor ended.
        # It is a daemon because a read inside FFmpeg (RTSP, HLS between two pieces) is not ended by
        # ``close`` but by its time-out; everything over HTTP ends at once.
        threading.Thread(target=self._read, name="stream", daemon=True).start()
        with self._changed:
            opened = self._changed.wait_for(lambda: self.sample_rate or self._over, open_seconds)
        if not self.sample_rate:
            self.close()
            slow = f"{self.name} sent no sound within {open_seconds:g} s"
            raise SourceError(self._failure if opened and self._failure else slow)

    def blocks(self) -> Iterator[AudioBlock]:
        """Blocks when they are due; an empty one when nothing came for half a second.

        Raises
        ------
        SourceError
            The stream broke off, or nothing came for ``stall_seconds``; what had been received
            before came first.
        """
        pacer = Pacer(self.sample_rate)
        position = 0
        idle_seconds = 0.0
        while True:
            taken, over = self._take()
            if self._closed or (over and not self._failure):
                return
            if over:
                raise SourceError(self._failure)
            if taken is None:
                idle_seconds += IDLE_SECONDS
                if self._web.failure or idle_seconds >= self._stall_seconds:
                    self.close()
                    silent = f"{self.name} has sent no sound for {idle_seconds:g} s"
                    raise SourceError(self._web.failure or silent)
                samples = sanitize_samples(np.empty(0, np.float32))
            else:
                idle_seconds = 0.0
                samples, title = taken
                self._clock.sleep_until(pacer.due())
                if self._closed:
                    return
                self._title = title
            now = self._clock.monotonic()
            pacer.released(len(samples), now)
            position += len(samples)
            yield AudioBlock(samples, position - len(samples), self.sample_rate, now)

    def status(self) -> SourceStatus:
        """The station's name or the address, and the title of what was delivered last."""
        return SourceStatus(device=self._station or self.name, title=self._title)

    def close(self) -> None:
        """End ``blocks`` within a second, and the connection; may be called from another thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._web.close()

    def _take(self) -> tuple[tuple[Samples, str] | None, bool]:
        """The next sound, None when there is none within ``IDLE_SECONDS``; whether it is all over."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._over or self._closed, IDLE_SECONDS)
            if not self._queue:
                return None, self._over
            samples, title = self._queue.popleft()
            self._waiting -= len(samples)
            self._changed.notify_all()
            return (samples, title), False

    def _read(self) -> None:
        """Runs on the stream's thread until the stream ends or is closed."""
        failure = ""
        try:
            sound = open_stream(self._url, self._web, self._stall_seconds)
            try:
                self._decode(sound)
            finally:
                sound.close()
        except SourceError as error:
            failure = str(error)
        except Exception as error:  # whatever it is, nobody else would hear of it
            failure = f"{self.name} failed: {type(error).__name__}"
        with self._changed:
            self._failure, self._over = failure, True
            self._changed.notify_all()

    def _decode(self, sound: StreamDecoder) -> None:
        with self._changed:
            self._station, self.sample_rate = sound.station, sound.sample_rate
            self._changed.notify_all()
        reserve = RESERVE_SECONDS * sound.sample_rate
        for samples, title in sound.decoded():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting < reserve or self._closed)
                if self._closed:
                    return
                self._queue.append((samples, title))
                self._waiting += len(samples)
                self._changed.notify_all()
