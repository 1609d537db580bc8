"""Network streams as files that are read as fast as they arrive."""

from __future__ import annotations

from collections.abc import Iterator

from models.audio.decoder_server import Send
from models.audio.samples import Samples
from models.common.urls import redact_url
from realtime.errors import SourceError
from realtime.network.http_client import HttpClient
from realtime.network.opening import open_stream

READ_TIMEOUT_SECONDS = 10.0
"""Seconds without data after which opening or reading an address fails."""


NETWORK_FILE_JOB = "realtime.network.file:decode_to"
"""Name of ``decode_to`` for ``DecoderProcess``."""


def decode_to(send: Send, *, url: str) -> None:
    """Decode an address in the process of a decoder: first its description, then its blocks."""
    file = NetworkFile(url)
    send({"sample_rate": file.sample_rate, "duration_seconds": file.duration_seconds})
    for samples in file.blocks():
        send({}, samples)


class NetworkFile:
    """Open address that is decoded like a file: in order, at the pace of the caller.

    Parameters
    ----------
    url : str
        http, https, rtsp or rtsps. No message shows the user and password in the address.

    Attributes
    ----------
    sample_rate : int
        Hz.
    duration_seconds : float or None
        None if the stream does not state its duration.

    Raises
    ------
    SourceError
        If the address cannot be opened. The message is one sentence.
    """

    def __init__(self, url: str) -> None:
        try:
            self._shown_url = redact_url(url)
            self._client = HttpClient(url, READ_TIMEOUT_SECONDS)
        except ValueError as error:
            raise SourceError(f"the network address is not valid: {type(error).__name__}") from None
        self._decoder = open_stream(url, self._client, READ_TIMEOUT_SECONDS)
        self.sample_rate = self._decoder.sample_rate
        self.duration_seconds = self._decoder.duration_seconds

    def blocks(self) -> Iterator[Samples]:
        """Decode the stream and yield its blocks. The method may be called once.

        Yields
        ------
        (n,) float32
            Blocks of ``MonoDecoder``.

        Raises
        ------
        SourceError
            If the stream ended early or contains no audio. The end of a station is always early.
        """
        length = 0
        for samples, _ in self._decoder.decode():
            length += len(samples)
            yield samples
        if not length:
            raise SourceError(f"{self._shown_url} contains no audio that FFmpeg can decode")

    def close(self) -> None:
        """Close the connection."""
        self._decoder.close()
        self._client.close()
