"""Open and decode a stream in the process of a decoder, for ``realtime.network.source`` and for files."""

from __future__ import annotations

import threading

from models.audio.decoder_server import Send
from realtime.errors import SourceError
from realtime.network.http_client import HttpClient
from realtime.network.opening import open_stream

STREAM_JOB = "realtime.network.decoder_job:decode_to"
"""Name of ``decode_to`` for ``DecoderProcess``."""

FAILURE_SECONDS = 0.25
"""Interval at which a failure is looked for while FFmpeg waits, which tries a lost HLS segment again."""


def decode_to(send: Send, *, url: str, timeout_seconds: float) -> None:
    """Send the description of a stream, and then its blocks with their titles.

    Parameters
    ----------
    send : callable
    url : str
        Address, which may contain a user and a password.
    timeout_seconds : float
        Time without any byte after which the stream has failed.

    Raises
    ------
    SourceError
        If the address is not valid, if the stream cannot be opened, or if it ended early.
    """
    try:
        client = HttpClient(url, timeout_seconds)
    except ValueError as error:
        raise SourceError(f"the network address is not valid: {type(error).__name__}") from None
    ended = threading.Event()

    def report_failure() -> None:
        while not ended.wait(FAILURE_SECONDS):
            if client.failure:
                send({"failure": client.failure})
                return

    decoder = open_stream(url, client, timeout_seconds)
    send(
        {
            "sample_rate": decoder.sample_rate,
            "duration_seconds": decoder.duration_seconds,
            "station": decoder.station,
        }
    )
    threading.Thread(target=report_failure, daemon=True).start()
    try:
        for samples, title in decoder.decode():
            send({"title": title}, samples)
    finally:
        ended.set()
