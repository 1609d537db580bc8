"""Decode an open stream into audio with titles, and describe why the stream ended.

Everything in this module runs in the process of a decoder, see ``realtime.network.decoder_job``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from models.audio.decoding import MonoDecoder
from models.audio.file import find_audio_stream
from models.audio.samples import Samples
from models.common.text import clean_text
from models.errors import AudioError
from realtime.errors import SourceError
from realtime.network.http_body import HttpBody
from realtime.network.http_client import HttpClient
from realtime.network.icy import format_tag_title

if TYPE_CHECKING:
    import av
    import av.container


class StreamDecoder:
    """Decoder of an open stream.

    Parameters
    ----------
    container : av.container.InputContainer
    shown_url : str
        Address for messages, without secrets.
    client : HttpClient
        Client whose ``failure`` explains an early end.
    body : HttpBody or None
        Body that the container reads. None for HLS and RTSP.
    open_next_link : callable
        Returns the next link of a chained Ogg stream, or None at the end.

    Attributes
    ----------
    sample_rate : int
        Hz.
    station : str
        Name of the station. Empty if the server does not send a name.
    duration_seconds : float or None
        None if the stream does not state its duration.

    Raises
    ------
    SourceError
        If the container has no audio stream that FFmpeg can decode.
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        shown_url: str,
        client: HttpClient,
        body: HttpBody | None,
        open_next_link: Callable[[], av.container.InputContainer | None] = lambda: None,
    ) -> None:
        self._container = container
        self._shown_url = shown_url
        self._client = client
        self._body = body
        self._open_next_link = open_next_link
        # The title of RTSP is the name of the session, not of the music.
        self._tags = {} if shown_url.startswith("rtsp") else dict(container.metadata)
        self.station = body.station if body else ""
        self._stream = _find_stream(container, shown_url)
        self._tags |= self._stream.metadata
        self.sample_rate = int(self._stream.codec_context.sample_rate)
        microseconds = container.duration
        self.duration_seconds: float | None = microseconds / 1e6 if microseconds else None
        # A stream without a length is live and does not end by itself.
        self._endless = body.endless if body else not container.duration

    def decode(self) -> Iterator[tuple[Samples, str]]:
        """Yield mono blocks as fast as they arrive, each with its title.

        A title changes at most ``BLOCK_SECONDS`` late.

        Raises
        ------
        SourceError
            If the stream ended early. The end of a station is always early.
        """
        to_mono = MonoDecoder(self.sample_rate, self._shown_url)
        while True:
            yield from self._decode_link(to_mono)
            if (container := self._open_next_link()) is None:
                break
            self._container.close()
            self._container = container
            self._stream = _find_stream(container, self._shown_url)
            self._tags = container.metadata | self._stream.metadata
        if failure := self._client.failure or self._client.seek_failure:
            raise SourceError(failure)
        if self._endless:
            event = "closed the connection" if self._body else "stopped sending"
            raise SourceError(f"{self._shown_url} {event}")

    def _decode_link(self, to_mono: MonoDecoder) -> Iterator[tuple[Samples, str]]:
        """Decode the open container."""
        import av.error

        packets = self._container.demux(self._stream)
        tag_title = format_tag_title(self._tags)
        failure = ""
        while True:
            try:
                packet = next(packets, None)
                frames = packet.decode() if packet is not None else []
            except av.error.InvalidDataError:
                continue  # only the packet is damaged, because a damaged container yields no packets
            except (av.error.FFmpegError, OSError) as error:
                failure = self._client.failure or describe_ffmpeg_error(self._shown_url, error)
                break
            if packet is None:
                break
            title = (self._body and self._body.title) or tag_title
            for frame in frames:
                self._client.record_heard(frame.samples / self.sample_rate)
                for samples in to_mono.push(frame):
                    yield samples, title
        title = (self._body and self._body.title) or tag_title
        for samples in to_mono.flush():
            yield samples, title
        if failure:
            raise SourceError(failure)


def _find_stream(container: av.container.InputContainer, shown_url: str) -> av.AudioStream:
    try:
        return find_audio_stream(container, shown_url)
    except AudioError as error:
        raise SourceError(str(error)) from error


def describe_ffmpeg_error(shown_url: str, error: Exception) -> str:
    """Describe an error of FFmpeg about a connection or its content in one sentence."""
    import av.error

    known: dict[type[Exception], str] = {
        av.error.HTTPUnauthorizedError: "needs a valid user and password (401)",
        av.error.HTTPForbiddenError: "denies access (403)",
        av.error.HTTPNotFoundError: "does not exist (404)",
        ConnectionRefusedError: "refuses the connection; is the server running?",
        TimeoutError: "stopped sending",
        av.error.ExitError: "stopped sending",  # FFmpeg's error after a timeout of PyAV
        av.error.InvalidDataError: "is not audio that FFmpeg can decode",
        av.error.ArgumentError: "is not audio that FFmpeg can decode",  # not an accepted audio container
    }
    for kind, predicate in known.items():
        if isinstance(error, kind):
            return f"{shown_url} {predicate}"
    reason = getattr(error, "strerror", None) or type(error).__name__
    return f"{shown_url} cannot be played: {clean_text(reason)}"
