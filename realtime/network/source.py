"""Radio stations and other network streams as audio sources.

A thread of its own opens, reads and decodes the stream. The consumer of ``blocks`` receives the audio that is
due. The thread waits while ``MAX_RESERVE_SECONDS`` are decoded, because the server can hold the rest for
a while. No audio is dropped.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator

import numpy as np

from models.audio.samples import Samples, sanitize_samples
from models.common.urls import redact_url
from realtime.audio.source import EMPTY_BLOCK_SECONDS, AudioBlock
from realtime.clock import Clock
from realtime.errors import SourceError
from realtime.network.demuxer import StreamDecoder
from realtime.network.http_client import HttpClient
from realtime.network.opening import open_stream
from realtime.protocol.health import SourceStatus

OPEN_TIMEOUT_SECONDS = 10.0
"""Time to open a stream, the lookup of its host name included."""

SILENCE_TIMEOUT_SECONDS = 8.0
"""A stream that has delivered no audio, or no byte, for so long has failed."""

LEAD_SECONDS = 1.0
"""Audio may run so far ahead of real time."""

MAX_RESERVE_SECONDS = 8.0
"""Decoded audio that may wait until it is due: twice the burst that Icecast sends at 128 kbit/s."""


class Pacer:
    """Schedule of the blocks of a stream.

    Stations send several seconds at once when a listener connects, HLS sends whole segments, and file servers
    send everything. If all of it were analyzed at once, the results would rush by, and the next pause of the
    network would stall the analysis. If all but the newest were dropped, HLS would consist of gaps. The audio
    is therefore played as a radio plays it: ``lead_seconds`` at once, which fill a window early, and the
    rest in real time. The rest of a burst is a reserve. After a pause at most ``lead_seconds`` are
    caught up again.

    Parameters
    ----------
    sample_rate : int
        Hz.
    lead_seconds : float
        Audio that may run ahead of real time.
    """

    def __init__(self, sample_rate: int, lead_seconds: float = LEAD_SECONDS) -> None:
        self._rate = sample_rate
        self._lead_seconds = lead_seconds
        self._since = -math.inf  # start of playing the samples that are counted below
        self._samples = 0

    def due(self) -> float:
        """Return the monotonic seconds at which the next block is due; minus infinity for the first one."""
        return self._since + self._samples / self._rate - self._lead_seconds

    def released(self, samples: int, now: float) -> None:
        """Count a block of so many samples that was yielded at ``now`` (monotonic seconds)."""
        if self._since + self._samples / self._rate < now:  # all earlier samples have been played
            self._since, self._samples = now, 0
        self._samples += samples


class StreamSource:
    """A network stream (http, https, rtsp, rtsps) at its own pace.

    Positions count the received samples, so a stream continues where it stopped. ``captured_at`` is the time
    at which a block was due, see ``Pacer``.

    Parameters
    ----------
    url : str
        May hold a user and a password. No message, name or status shows them.
    clock : Clock
    open_timeout_seconds, silence_timeout_seconds : float
        See ``OPEN_TIMEOUT_SECONDS`` and ``SILENCE_TIMEOUT_SECONDS``. Both are real time, whatever the clock
        says.

    Attributes
    ----------
    name : str
        Address without user, password and query.
    sample_rate : int
        Rate at which the stream was opened in Hz. A later change of the stream is resampled.

    Raises
    ------
    SourceError
        If the stream does not open within ``open_timeout_seconds``. The message is one sentence.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        open_timeout_seconds: float = OPEN_TIMEOUT_SECONDS,
        silence_timeout_seconds: float = SILENCE_TIMEOUT_SECONDS,
    ) -> None:
        try:
            self.name = redact_url(url)
            self._client = HttpClient(url, silence_timeout_seconds)
        except ValueError as error:
            raise SourceError(f"the network address is not valid: {type(error).__name__}") from None
        self.sample_rate = 0
        self.is_live = True
        self._url = url
        self._clock = clock
        self._silence_timeout_seconds = silence_timeout_seconds
        self._changed = threading.Condition()
        self._queue: deque[tuple[Samples, str]] = deque()  # bounded by _waiting, in samples
        self._waiting = 0
        self._ended = False
        self._failure = ""
        self._closed = False
        self._station = self._title = ""
        # The thread also opens the stream, because the lookup of a host name has no timeout. The thread is a
        # daemon, because only its own timeout ends a read inside FFmpeg (RTSP, HLS between two segments).
        # ``close`` ends everything over HTTP at once.
        threading.Thread(target=self._read, name="stream", daemon=True).start()
        with self._changed:
            opened = self._changed.wait_for(lambda: self.sample_rate or self._ended, open_timeout_seconds)
        if not self.sample_rate:
            self.close()
            slow = f"{self.name} sent no audio within {open_timeout_seconds:g} s"
            raise SourceError(self._failure if opened and self._failure else slow)

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield each block when it is due.

        Raises
        ------
        SourceError
            If the stream ended early, or if it sent no audio for ``silence_timeout_seconds``. Audio that was
            received before is yielded first.
        """
        pacer = Pacer(self.sample_rate)
        position = 0
        idle_seconds = 0.0
        while True:
            taken, ended = self._take()
            if self._closed or (ended and not self._failure):
                return
            if ended:
                raise SourceError(self._failure)
            if taken is None:
                idle_seconds += EMPTY_BLOCK_SECONDS
                if self._client.failure or idle_seconds >= self._silence_timeout_seconds:
                    self.close()
                    silent = f"{self.name} has sent no audio for {idle_seconds:g} s"
                    raise SourceError(self._client.failure or silent)
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
        """Return the name of the station, or else the address, and the title of the last block."""
        return SourceStatus(device=self._station or self.name, title=self._title)

    def close(self) -> None:
        """Close the connection, and end ``blocks`` within a second; may be called from another thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._client.close()

    def _take(self) -> tuple[tuple[Samples, str] | None, bool]:
        """Take samples and their title from the queue, waiting up to ``EMPTY_BLOCK_SECONDS`` for them.

        Returns
        -------
        tuple or None
            Samples and title; None if the queue stayed empty.
        bool
            True if the queue is empty and the stream has ended.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._ended or self._closed, EMPTY_BLOCK_SECONDS)
            if not self._queue:
                return None, self._ended
            samples, title = self._queue.popleft()
            self._waiting -= len(samples)
            self._changed.notify_all()
            return (samples, title), False

    def _read(self) -> None:
        """Open and decode the stream until it ends or is closed; runs on the stream's thread."""
        failure = ""
        try:
            decoder = open_stream(self._url, self._client, self._silence_timeout_seconds)
            try:
                self._decode(decoder)
            finally:
                decoder.close()
        except SourceError as error:
            failure = str(error)
        except Exception as error:  # the consumer would otherwise wait for ever
            failure = f"{self.name} failed: {type(error).__name__}"
        with self._changed:
            self._failure, self._ended = failure, True
            self._changed.notify_all()

    def _decode(self, decoder: StreamDecoder) -> None:
        with self._changed:
            self._station, self.sample_rate = decoder.station, decoder.sample_rate
            self._changed.notify_all()
        max_waiting = MAX_RESERVE_SECONDS * decoder.sample_rate
        for samples, title in decoder.decode():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting < max_waiting or self._closed)
                if self._closed:
                    return
                self._queue.append((samples, title))
                self._waiting += len(samples)
                self._changed.notify_all()
