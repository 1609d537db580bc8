"""An opened stream, decoded: its sound with the titles that belong to it, and why it ends.

Everything here runs on the one thread that reads a stream; ``realtime.network.source`` owns that thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from models.audio.decoding import MonoDecoder
from models.audio.file import find_audio_stream
from models.audio.samples import Samples
from models.common.text import clean_text
from models.errors import AudioError
from realtime.errors import SourceError
from realtime.network.http_client import HttpBody, HttpClient
from realtime.network.icy import packed_tags, tag_title

if TYPE_CHECKING:
    import av
    import av.container


class StreamDecoder:
    """An opened stream.

    Parameters
    ----------
    container : av.container.InputContainer
    place : str
        The address for messages.
    web : Web
        Whose ``failure`` explains an end.
    body : WebBody or None
        The one body that is read, if there is one.

    Attributes
    ----------
    sample_rate : int
        Hz.
    station : str
        The station's name for itself, or empty.

    Raises
    ------
    SourceError
        No audio in it, or in a form that FFmpeg cannot decode.
    """

    def __init__(
        self, container: av.container.InputContainer, place: str, web: HttpClient, body: HttpBody | None
    ) -> None:
        self._container = container
        self._place = place
        self._web = web
        self._body = body
        # What RTSP calls its title is the name of the session, not what is played.
        self._tags = {} if place.startswith("rtsp") else dict(container.metadata)
        self.station = body.station if body else ""
        try:
            self._stream = find_audio_stream(container, place)
        except AudioError as error:
            raise SourceError(str(error)) from error
        self._tags |= self._stream.metadata
        self.sample_rate = int(self._stream.codec_context.sample_rate)
        # A file has a length; what has none is live, and does not end by itself.
        self._endless = body.endless if body else not container.duration

    def decoded(self) -> Iterator[tuple[Samples, str]]:
        """Mono sound as fast as it comes, with the title that belongs to it, to a tenth of a second.

        Raises
        ------
        SourceError
            It broke off; a station that closes the connection has broken off, too.
        """
        import av.error

        to_mono = MonoDecoder(self.sample_rate)
        title = tag_title(self._tags)
        packets = self._container.demux(self._stream)
        failure = ""
        while True:
            try:
                packet = next(packets, None)
                frames = packet.decode() if packet is not None else []
            except av.error.InvalidDataError:
                continue  # a damaged packet is left out; after a damaged container there are no more
            except (av.error.FFmpegError, OSError) as error:
                failure = self._web.failure or explain_ffmpeg(self._place, error)
                break
            if packet is None:
                break
            for data in packet.iter_sidedata():
                if data.data_type == "strings_metadata":  # how a chained Ogg stream changes its title
                    title = tag_title(packed_tags(bytes(data)))
            if self._body and self._body.title:
                title = self._body.title
            for frame in frames:
                for samples in to_mono.push(frame):
                    yield samples, title
        for samples in to_mono.flush():
            yield samples, title
        if failure := failure or self._web.failure:
            raise SourceError(failure)
        if self._endless:
            how = "closed the connection" if self._body else "sends nothing any more"
            raise SourceError(f"{self._place} {how}")

    def close(self) -> None:
        """Release FFmpeg and the connection below it."""
        self._container.close()
        if self._body:
            self._body.close()


def explain_ffmpeg(place: str, error: Exception) -> str:
    """One sentence on what FFmpeg says of a connection or of what came over it."""
    import av.error

    said: dict[type[Exception], str] = {
        av.error.HTTPUnauthorizedError: "needs a user and password, or other ones (401)",
        av.error.HTTPForbiddenError: "may not be listened to (403)",
        av.error.HTTPNotFoundError: "is not there (404)",
        ConnectionRefusedError: "refuses the connection; is the server running?",
        TimeoutError: "sends nothing any more",
        av.error.ExitError: "sends nothing any more",  # how FFmpeg calls an elapsed time-out
        av.error.InvalidDataError: "is no sound that FFmpeg can decode",
    }
    for kind, sentence in said.items():
        if isinstance(error, kind):
            return f"{place} {sentence}"
    reason = getattr(error, "strerror", None) or type(error).__name__
    return f"{place} cannot be played: {clean_text(reason)}"
