"""Radio stations and other network streams as audio sources.

A process of its own opens, reads and decodes the stream, so that a crash of FFmpeg costs only this stream. A
thread receives the audio. The consumer of ``blocks`` receives the audio that is due. The thread pauses while
``MAX_RESERVE_SECONDS`` of decoded audio wait, and the server buffers the rest. No audio is dropped.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator

from models.audio.decoder_process import DecoderCrashError, DecoderProcess
from models.audio.samples import Samples
from models.common.urls import redact_url
from models.errors import AudioError
from realtime.audio.source import EMPTY_BLOCK_SECONDS, AudioBlock
from realtime.clock import Clock
from realtime.errors import SourceCrashError, SourceError
from realtime.network.decoder_job import STREAM_JOB
from realtime.network.http_client import HttpClient
from realtime.protocol.health import SourceStatus

OPEN_TIMEOUT_SECONDS = 10.0
"""Time in which a stream must open, including the lookup of its host name."""

SILENCE_TIMEOUT_SECONDS = 8.0
"""Time without audio, or without any byte, after which a stream has failed."""

LEAD_SECONDS = 1.0
"""Time by which audio may run ahead of real time."""

MAX_RESERVE_SECONDS = 8.0
"""Decoded audio that may wait until it is due, twice the burst that Icecast sends at 128 kbit/s."""


class Pacer:
    """Schedule of the blocks of a stream.

    Stations send several seconds at once when a listener connects, HLS sends whole segments, and file servers
    send everything. If all audio were analyzed at once, the results would rush by, and the next pause of the
    network would stall the analysis. If all but the newest audio were dropped, HLS would consist of gaps. The
    audio is therefore released as a radio plays it: ``lead_seconds`` at once, to fill the first window early,
    and the rest in real time. The rest of a burst is a reserve. After a pause, at most ``lead_seconds`` are
    released at once again.

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
        self._since = -math.inf  # time at which the playback of ``_samples`` began
        self._samples = 0

    def due(self) -> float:
        """Return the monotonic seconds at which the next block is due, -infinity for the first block."""
        return self._since + self._samples / self._rate - self._lead_seconds

    def add(self, samples: int, now: float) -> None:
        """Count a block of ``samples`` samples that was released at ``now`` (monotonic seconds)."""
        if self._since + self._samples / self._rate < now:  # all earlier samples have been played
            self._since, self._samples = now, 0
        self._samples += samples


class StreamSource:
    """Source that plays a network stream (http, https, rtsp, rtsps) in real time.

    Positions count the received samples, so a pause of the network does not make the position jump.
    ``captured_at`` is the time at which a block was due, see ``Pacer``.

    Parameters
    ----------
    url : str
        Address, which may contain a user and a password. No message, name or status shows them.
    clock : Clock
    open_timeout_seconds, silence_timeout_seconds : float
        See ``OPEN_TIMEOUT_SECONDS`` and ``SILENCE_TIMEOUT_SECONDS``. Both are in real time and do not depend
        on the clock.

    Attributes
    ----------
    name : str
        Address without user, password and query.
    sample_rate : int
        Rate in Hz at which the stream was opened. Audio with another rate is resampled later.

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
            HttpClient(url, silence_timeout_seconds)  # checks the address; the decoder has its own
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
        self._failure: SourceError | None = None
        self._early_failure = ""  # known before the decoder has given up
        self._closed = False
        self._decoder: DecoderProcess | None = None
        self._station = self._title = ""
        # The thread also starts the decoder, which has no timeout.
        threading.Thread(target=self._read, name="stream", daemon=True).start()
        with self._changed:
            opened = self._changed.wait_for(lambda: self.sample_rate or self._ended, open_timeout_seconds)
        if not self.sample_rate:
            self.close()
            timeout = SourceError(f"{self.name} sent no audio within {open_timeout_seconds:g} s")
            raise (self._failure if opened else None) or timeout

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
            if self._closed or (ended and self._failure is None):
                return
            if self._failure is not None and ended:
                raise self._failure
            if taken is None:
                idle_seconds += EMPTY_BLOCK_SECONDS
                if self._early_failure or idle_seconds >= self._silence_timeout_seconds:
                    self.close()
                    timeout = f"{self.name} has sent no audio for {idle_seconds:g} s"
                    raise SourceError(self._early_failure or timeout)
                yield AudioBlock.empty(position, self.sample_rate, self._clock.monotonic())
                continue
            idle_seconds = 0.0
            samples, title = taken
            self._clock.sleep_until(pacer.due())
            if self._closed:
                return
            self._title = title
            now = self._clock.monotonic()
            pacer.add(len(samples), now)
            yield AudioBlock(samples, position, self.sample_rate, now)
            position += len(samples)

    def status(self) -> SourceStatus:
        """Return the station's name, or else the address, and the title of the last block."""
        return SourceStatus(device=self._station or self.name, title=self._title)

    def close(self) -> None:
        """Close the connection, and end ``blocks`` within a second. Any thread may call this method."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            decoder = self._decoder
        if decoder is not None:
            decoder.close()

    def _take(self) -> tuple[tuple[Samples, str] | None, bool]:
        """Take samples and their title from the queue, waiting up to ``EMPTY_BLOCK_SECONDS`` for them.

        Returns
        -------
        tuple or None
            Samples and title, or None if the queue stayed empty.
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
        """Receive the audio of the decoder on the stream's thread until it ends or is closed."""
        failure: SourceError | None = None
        try:
            arguments = {"url": self._url, "timeout_seconds": self._silence_timeout_seconds}
            decoder = DecoderProcess(STREAM_JOB, arguments, self.name)
            try:
                with self._changed:
                    self._decoder = decoder
                if not self._closed:
                    self._receive(decoder)
            finally:
                decoder.close()
        except DecoderCrashError as error:
            failure = SourceCrashError(str(error))
        except AudioError as error:
            failure = SourceError(str(error))
        except Exception as error:  # the consumer would otherwise wait forever
            failure = SourceError(f"{self.name} failed: {type(error).__name__}")
        with self._changed:
            self._failure, self._ended = failure, True
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._closed or self._waiting < MAX_RESERVE_SECONDS * self.sample_rate

    def _receive(self, decoder: DecoderProcess) -> None:
        for fields, samples in decoder.messages():
            with self._changed:
                if "failure" in fields:
                    self._early_failure = fields["failure"]
                elif "sample_rate" in fields:
                    self._station, self.sample_rate = fields["station"], fields["sample_rate"]
                else:
                    self._changed.wait_for(self._has_room)
                    self._queue.append((samples, fields["title"]))
                    self._waiting += len(samples)
                self._changed.notify_all()
            if self._closed:
                return
