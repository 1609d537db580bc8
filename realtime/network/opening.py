"""Network addresses opened with FFmpeg: stations, files, playlists, HLS and RTSP.

Everything here runs on the one thread that reads a stream; ``realtime.network.source`` owns that thread.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from models.common.text import decode_text
from models.common.urls import redact_url
from realtime.errors import SourceError
from realtime.network.demuxer import StreamDecoder, explain_ffmpeg
from realtime.network.http_client import HttpBody, HttpClient
from realtime.network.icy import is_hls, playlist_address

if TYPE_CHECKING:
    import av
    import av.container

STAGE_SECONDS = 5.0
"""For each of FFmpeg's two stages of opening: connecting, and looking at what comes."""

READ_BUFFER = 4096
"""FFmpeg reads ahead this many bytes, a quarter of a second at 128 kbit/s; so late is a title at most."""

PIECE_SECONDS = 8.0
"""How much longer FFmpeg may wait with HLS, whose next piece is made only now; that no sound comes is
noticed by who plays it."""

_LARGEST_PLAYLIST = 65_536
_PLAYLIST_TYPES = (
    "application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl",
    "audio/x-scpls", "application/pls+xml",
)  # fmt: skip
_PLAYLIST_SUFFIXES = (".m3u8", ".m3u", ".pls")

# FFmpeg would look at 8 s of MP3 before it is sure. In 12 random places each of eight encoded
# streams (MP3 and AAC, 32 to 320 kbit/s) 8 kB always told them apart; 4 kB did not.
_STATION_OPTIONS = {"formatprobesize": "16384"}

_HLS_OPTIONS = {
    "http_persistent": "0",  # or FFmpeg takes a file of ours for a connection of its own
    "http_multiple": "0",
    # Which pieces may be opened is decided by who opens them: http and https only, below.
    "allowed_extensions": "ALL",
    "allowed_segment_extensions": "ALL",
    "extension_picky": "0",
}


def open_stream(url: str, web: HttpClient, read_seconds: float) -> StreamDecoder:
    """Open a network address, following a playlist by one step.

    Parameters
    ----------
    url : str
        http, https, rtsp or rtsps.
    web : Web
        Reads what comes over HTTP.
    read_seconds : float
        How long FFmpeg may wait for the next packet.

    Raises
    ------
    SourceError
        One sentence without user, password or query.
    """
    if url.lower().startswith(("rtsp://", "rtsps://")):
        return _open_rtsp(url, web, read_seconds)
    body = web.open(url)
    if not _is_playlist(body):
        return _open_body(body, web, read_seconds)
    text = _read_text(body)
    if not is_hls(text):
        entry = playlist_address(text)
        if not entry:
            raise SourceError(f"{redact_url(url)} is a playlist without an address in it")
        url = urljoin(body.url, entry)
        if url.lower().startswith(("rtsp://", "rtsps://")):
            return _open_rtsp(url, web, read_seconds)
        body = web.open(url)
        if not _is_playlist(body):
            return _open_body(body, web, read_seconds)
        if not is_hls(_read_text(body)):
            raise SourceError(f"{redact_url(url)} is a playlist in a playlist; name the one inside")
    return _open_hls(body.url, web, read_seconds)


def _is_playlist(body: HttpBody) -> bool:
    if body.content_type in _PLAYLIST_TYPES:
        return True
    suffixed = urlsplit(body.url).path.lower().endswith(_PLAYLIST_SUFFIXES)
    return suffixed and not body.content_type.startswith("audio/")


def _read_text(body: HttpBody) -> str:
    content = bytearray()
    while len(content) < _LARGEST_PLAYLIST and (part := body.read()):
        content += part
    body.close()
    return decode_text(bytes(content))


def _open_body(body: HttpBody, web: HttpClient, read_seconds: float) -> StreamDecoder:
    place = redact_url(body.url)
    options = _STATION_OPTIONS if body.endless else {}
    try:
        container = _open_container(body, place, web, read_seconds, buffer_size=READ_BUFFER, options=options)
        return StreamDecoder(container, place, web, body)
    except SourceError:
        body.close()
        raise


def _open_hls(url: str, web: HttpClient, read_seconds: float) -> StreamDecoder:
    place = redact_url(url)

    def open_piece(piece: str, flags: int, options: dict[str, str]) -> HttpBody | EmptySegment:
        """Called by FFmpeg on the thread that reads; it must not raise, see ``Web.failure``."""
        try:
            if not piece.lower().startswith(("http://", "https://")):
                raise SourceError(f"{place} names pieces that are encrypted or not on the web")
            end = options.get("end_offset")
            return web.open(piece, int(options.get("offset", 0)), int(end) if end else None)
        except SourceError as error:
            web.failure = web.failure or str(error)
            return EmptySegment()

    patience_seconds = read_seconds + PIECE_SECONDS
    container = _open_container(
        url, place, web, patience_seconds, format="hls", io_open=open_piece, options=_HLS_OPTIONS
    )
    return StreamDecoder(container, place, web, None)


def _open_rtsp(url: str, web: HttpClient, read_seconds: float) -> StreamDecoder:
    place = redact_url(url)
    # Over TCP, because a firewall lets no UDP in; FFmpeg checks certificates only when told to.
    options = {"rtsp_transport": "tcp", "allowed_media_types": "audio"}
    if url.lower().startswith("rtsps://"):
        options |= {"tls_verify": "1", "ca_file": _authorities()}
    try:
        container = _open_container(url, place, web, read_seconds, options=options)
    except SourceError as error:
        if place.startswith("rtsps:"):  # FFmpeg does not tell one error of TLS from another
            raise SourceError(f"{error}; is its certificate one that this machine trusts?") from None
        raise
    return StreamDecoder(container, place, web, None)


def _open_container(
    file: str | HttpBody, place: str, web: HttpClient, read_seconds: float, **more: Any
) -> av.container.InputContainer:
    import av
    import av.error

    av.logging.set_level(None)  # FFmpeg's own lines would end up between ours
    timeout = (STAGE_SECONDS, read_seconds)
    try:
        container: av.container.InputContainer
        container = av.open(file, "r", metadata_errors="replace", timeout=timeout, **more)
        return container
    except (av.error.FFmpegError, OSError, ValueError) as error:
        # Not chained: PyAV's messages hold the whole address.
        raise SourceError(web.failure or explain_ffmpeg(place, error)) from None


def _authorities() -> str:
    """The file of certificates that Python's own TLS believes, for FFmpeg's."""
    places = ssl.get_default_verify_paths()
    for path in (places.cafile, "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"):
        if path and Path(path).is_file():
            return path
    raise SourceError("no file of certificate authorities was found for rtsps; name one in SSL_CERT_FILE")


class EmptySegment:
    """What FFmpeg reads in place of a piece that could not be opened."""

    def read(self, size: int) -> bytes:
        """Return no bytes, the end of the segment."""
        return b""
