"""Open network addresses with FFmpeg: stations, files, playlists, HLS and RTSP.

Everything in this module runs on the thread of ``realtime.network.source`` that reads the stream.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from models.audio.formats import restriction_options
from models.common.text import decode_text
from models.common.urls import redact_url
from realtime.errors import SourceError
from realtime.network.demuxer import StreamDecoder, describe_ffmpeg_error
from realtime.network.http_client import HttpBody, HttpClient
from realtime.network.icy import is_hls, parse_playlist

if TYPE_CHECKING:
    import av
    import av.container

OPEN_STAGE_TIMEOUT_SECONDS = 5.0
"""Timeout of each of FFmpeg's two stages of opening: connecting, and probing the content."""

READ_BUFFER_BYTES = 4096
"""Bytes that FFmpeg reads ahead. At 128 kbit/s, a title may appear a quarter of a second early."""

SEGMENT_SECONDS = 8.0
"""Additional time that FFmpeg may wait with HLS, whose next segment may not exist yet.

The consumer of the stream detects a stall earlier.
"""

MAX_PLAYLIST_BYTES = 65_536
"""Length after which a playlist is cut."""

_PLAYLIST_TYPES = (
    "application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl",
    "audio/x-scpls", "application/pls+xml",
)  # fmt: skip
_PLAYLIST_SUFFIXES = (".m3u8", ".m3u", ".pls")

# FFmpeg would probe 8 s of MP3 before it is sure. 8 kB identified eight encoded streams (MP3 and AAC, 32 to
# 320 kbit/s) at 12 random positions each; 4 kB did not.
_STATION_OPTIONS = {"formatprobesize": "16384"}

_HLS_OPTIONS = {
    "http_persistent": "0",  # FFmpeg would use a Python file as one of its own connections
    "http_multiple": "0",
    # FFmpeg need not restrict addresses, because ``open_segment`` below opens only http and https.
    "allowed_extensions": "ALL",
    "allowed_segment_extensions": "ALL",
    "extension_picky": "0",
}


def open_stream(url: str, client: HttpClient, read_timeout_seconds: float) -> StreamDecoder:
    """Open a network address. A playlist may name another address, but not another playlist.

    Parameters
    ----------
    url : str
        http, https, rtsp or rtsps.
    client : HttpClient
        Client for everything that is read over HTTP.
    read_timeout_seconds : float
        Time that FFmpeg may wait for the next packet.

    Raises
    ------
    SourceError
        If the address cannot be opened. The message is one sentence without user, password or query.
    """
    if url.lower().startswith(("rtsp://", "rtsps://")):
        return _open_rtsp(url, client, read_timeout_seconds)
    body = client.open(url)
    if not _is_playlist(body):
        return _open_body(body, client, read_timeout_seconds)
    text = _read_text(body)
    if not is_hls(text):
        entry = parse_playlist(text)
        if not entry:
            raise SourceError(f"{redact_url(url)} is a playlist without an address")
        url = urljoin(body.url, entry)
        if url.lower().startswith(("rtsp://", "rtsps://")):
            return _open_rtsp(url, client, read_timeout_seconds)
        body = client.open(url)
        if not _is_playlist(body):
            return _open_body(body, client, read_timeout_seconds)
        if not is_hls(_read_text(body)):
            raise SourceError(
                f"{redact_url(url)} is a playlist in a playlist; name the address in it instead"
            )
    return _open_hls(body.url, client, read_timeout_seconds)


def _is_playlist(body: HttpBody) -> bool:
    if body.content_type in _PLAYLIST_TYPES:
        return True
    has_suffix = urlsplit(body.url).path.lower().endswith(_PLAYLIST_SUFFIXES)
    return has_suffix and not body.content_type.startswith("audio/")


def _read_text(body: HttpBody) -> str:
    content = bytearray()
    while len(content) < MAX_PLAYLIST_BYTES and (part := body.read()):
        content += part
    body.close()
    return decode_text(bytes(content))


def _open_body(body: HttpBody, client: HttpClient, read_timeout_seconds: float) -> StreamDecoder:
    shown_url = redact_url(body.url)
    options = restriction_options() | (_STATION_OPTIONS if body.endless else {})
    try:
        container = _open_container(
            body, shown_url, client, read_timeout_seconds, buffer_size=READ_BUFFER_BYTES, options=options
        )
        return StreamDecoder(container, shown_url, client, body)
    except SourceError:
        body.close()
        raise


def _open_hls(url: str, client: HttpClient, read_timeout_seconds: float) -> StreamDecoder:
    shown_url = redact_url(url)

    def open_segment(segment: str, flags: int, options: dict[str, str]) -> HttpBody | EmptySegment:
        """Open a segment for FFmpeg, which would print exceptions. Errors go to ``client.failure``."""
        try:
            if not segment.lower().startswith(("http://", "https://")):
                raise SourceError(f"{shown_url} lists segments that are encrypted or not on the web")
            end = options.get("end_offset")
            return client.open(segment, int(options.get("offset", 0)), int(end) if end else None)
        except SourceError as error:
            client.failure = client.failure or str(error)
            return EmptySegment()

    container = _open_container(
        url,
        shown_url,
        client,
        read_timeout_seconds + SEGMENT_SECONDS,
        format="hls",
        io_open=open_segment,
        options=restriction_options("http", "https", more_formats=("hls",)) | _HLS_OPTIONS,
    )
    return StreamDecoder(container, shown_url, client, None)


def _open_rtsp(url: str, client: HttpClient, read_timeout_seconds: float) -> StreamDecoder:
    shown_url = redact_url(url)
    # TCP, because firewalls block UDP. FFmpeg verifies certificates only on request.
    options = restriction_options("tcp", "tls", more_formats=("rtsp",))
    options |= {"rtsp_transport": "tcp", "allowed_media_types": "audio"}
    if url.lower().startswith("rtsps://"):
        options |= {"tls_verify": "1", "ca_file": _find_authorities()}
    try:
        container = _open_container(url, shown_url, client, read_timeout_seconds, options=options)
    except SourceError as error:
        if shown_url.startswith("rtsps:"):  # FFmpeg has one error for all failures of TLS
            raise SourceError(f"{error}; does this machine trust its certificate?") from None
        raise
    return StreamDecoder(container, shown_url, client, None)


def _open_container(
    file: str | HttpBody, shown_url: str, client: HttpClient, read_timeout_seconds: float, **more: Any
) -> av.container.InputContainer:
    import av
    import av.error

    av.logging.set_level(None)  # FFmpeg would print to the terminal of this program
    timeout = (OPEN_STAGE_TIMEOUT_SECONDS, read_timeout_seconds)
    try:
        container: av.container.InputContainer
        container = av.open(file, "r", metadata_errors="replace", timeout=timeout, **more)
        return container
    except (av.error.FFmpegError, OSError, ValueError) as error:
        # Not chained, because the messages of PyAV hold the whole address.
        raise SourceError(client.failure or describe_ffmpeg_error(shown_url, error)) from None


def _find_authorities() -> str:
    """Find the file of certificate authorities that Python trusts, for FFmpeg.

    Raises
    ------
    SourceError
        If no file is found.
    """
    paths = ssl.get_default_verify_paths()
    for path in (paths.cafile, "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"):
        if path and Path(path).is_file():
            return path
    raise SourceError("rtsps needs a file of certificate authorities, and none was found; set SSL_CERT_FILE")


class EmptySegment:
    """Empty file that FFmpeg reads in place of a segment that could not be opened."""

    def read(self, size: int) -> bytes:
        """Return the end of the file."""
        return b""
