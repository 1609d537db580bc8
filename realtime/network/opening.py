"""Open network addresses with FFmpeg: stations, files, playlists, HLS and RTSP.

Everything in this module runs in the process of a decoder, see ``realtime.network.decoder_job``.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from models.audio.formats import restriction_options
from models.audio.ogg import CAPTURE, OggLinks
from models.common.playlists import HEAD_BYTES, is_hls, is_playlist, is_web_page, parse_playlist
from models.common.text import decode_text
from models.common.urls import is_url, join_url, redact_url, show_url
from realtime.errors import SourceError
from realtime.network.demuxer import StreamDecoder, describe_ffmpeg_error
from realtime.network.hls import SegmentOpener, list_audio_playlists, read_hls_playlist
from realtime.network.http_body import HttpBody
from realtime.network.http_client import ENTRY_TIMEOUT_SECONDS, HttpClient
from realtime.network.http_connection import describe_error

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

MAX_LIST_BYTES = 65_536
"""Length after which a list of addresses is cut."""

MAX_ENTRIES = 20
"""Addresses of a list that are tried before the list counts as unusable."""

# FFmpeg would probe 8 s of MP3 before it is sure. 8 kB identified eight encoded streams (MP3 and AAC, 32 to
# 320 kbit/s) at 12 random positions each; 4 kB did not.
_STATION_OPTIONS = {"formatprobesize": "16384"}

_HLS_OPTIONS = {
    "http_persistent": "0",  # FFmpeg would use a Python file as one of its own connections
    "http_multiple": "0",
    # FFmpeg need not restrict addresses, because ``SegmentOpener`` opens only http and https.
    "allowed_extensions": "ALL",
    "allowed_segment_extensions": "ALL",
    "extension_picky": "0",
}


def open_stream(url: str, client: HttpClient, read_timeout_seconds: float) -> StreamDecoder:
    """Open a network address. A playlist may name other addresses, but no other playlists.

    The addresses of a playlist are tried in turn.

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
    if _is_rtsp(url):
        return _open_rtsp(url, client, read_timeout_seconds)
    body = client.open(url)
    if not _is_playlist(body):
        return _open_body(body, client, read_timeout_seconds)
    if is_hls(text := _read_list(body)):
        return _open_hls(body, text, client, read_timeout_seconds)
    body.close()
    entries = parse_playlist(text)

    def open_entry(address: str) -> StreamDecoder:
        if _is_rtsp(address):
            return _open_rtsp(_resolve_rtsp(address, client), client, read_timeout_seconds)
        entry = client.open(address)
        if not _is_playlist(entry):
            return _open_body(entry, client, read_timeout_seconds)
        if is_hls(text := _read_list(entry)):
            return _open_hls(entry, text, client, read_timeout_seconds)
        entry.close()
        raise SourceError(
            f"{show_url(entry.url)} is a playlist in a playlist; name the address in it instead"
        )

    return _open_first(body.url, entries, open_entry, client)


def _open_first(
    base: str, entries: list[str], open_entry: Callable[[str], StreamDecoder], client: HttpClient
) -> StreamDecoder:
    """Open the first address that can be opened. The addresses may be relative to ``base``.

    Raises
    ------
    SourceError
        If no address can be opened, with the error of the first one.
    """
    first_error: SourceError | None = None
    entries = entries[:MAX_ENTRIES]
    for number, entry in enumerate(entries, 1):
        client.failure = ""
        client.response_timeout_seconds = client.read_timeout_seconds
        if number < len(entries):
            client.response_timeout_seconds = min(ENTRY_TIMEOUT_SECONDS, client.read_timeout_seconds)
        try:
            address = join_url(base, entry)
            if not address:
                raise SourceError(f"{show_url(base)} names an address that is not valid")
            if not is_url(address):
                raise SourceError(
                    f"{show_url(base)} names {show_url(address)}, which is not a stream on the web"
                )
            return open_entry(address)
        except SourceError as error:
            first_error = first_error or error
    if first_error is None:
        raise SourceError(f"{show_url(base)} is a playlist without an address")
    if len(entries) == 1:
        raise first_error
    raise SourceError(
        f"none of the {len(entries)} addresses in {show_url(base)} can be played: {first_error}"
    )


def _is_rtsp(url: str) -> bool:
    return url.lower().startswith(("rtsp://", "rtsps://"))


def _is_playlist(body: HttpBody) -> bool:
    return is_playlist(body.peek(HEAD_BYTES), body.content_type, urlsplit(body.url).path)


def _read_list(body: HttpBody) -> str:
    """Return the beginning of a playlist. The body stays open."""
    return decode_text(body.peek(MAX_LIST_BYTES))


def _open_body(body: HttpBody, client: HttpClient, read_timeout_seconds: float) -> StreamDecoder:
    shown_url = show_url(body.url)
    if is_web_page(body.peek(HEAD_BYTES), body.content_type):
        body.close()
        raise SourceError(f"{shown_url} is a web page and not audio; name the address of the stream itself")
    options = restriction_options() | (_STATION_OPTIONS if body.endless else {})
    try:
        links = OggLinks(body) if body.peek(len(CAPTURE)).startswith(CAPTURE) else None

        def open_link() -> av.container.InputContainer:
            return _open_container(
                links or body, shown_url, client, read_timeout_seconds, buffer_size=READ_BUFFER_BYTES,
                container_options=options,
            )  # fmt: skip

        def open_next_link() -> av.container.InputContainer | None:
            return open_link() if links and links.next_link() else None

        return StreamDecoder(open_link(), shown_url, client, body, open_next_link)
    except SourceError:
        body.close()
        raise


def _open_hls(body: HttpBody, text: str, client: HttpClient, read_timeout_seconds: float) -> StreamDecoder:
    """Open a media playlist, or the first audio playlist of a master playlist that can be opened."""
    variants = list_audio_playlists(text)
    if not variants:
        return _open_media_playlist(body, client, read_timeout_seconds)
    body.close()

    def open_variant(address: str) -> StreamDecoder:
        return _open_media_playlist(client.open(address), client, read_timeout_seconds)

    return _open_first(body.url, variants, open_variant, client)


def _open_media_playlist(body: HttpBody, client: HttpClient, read_timeout_seconds: float) -> StreamDecoder:
    shown_url = show_url(body.url)
    playlist = read_hls_playlist(body)
    if client.failure:
        raise SourceError(client.failure)
    if list_audio_playlists(decode_text(playlist)):
        raise SourceError(f"{shown_url} is a master playlist in a master playlist")
    container = _open_container(
        body.url,
        shown_url,
        client,
        read_timeout_seconds + SEGMENT_SECONDS,
        format="hls",
        io_open=SegmentOpener(body.url, playlist, client),
        container_options=restriction_options("http", "https", more_formats=("hls",)) | _HLS_OPTIONS,
    )
    return StreamDecoder(container, shown_url, client, None)


def _resolve_rtsp(url: str, client: HttpClient) -> str:
    """Check an address that a response named. FFmpeg connects to RTSP by itself.

    Returns
    -------
    str
        The address with the checked IP address in place of the host. With TLS the host stays, because the
        certificate is issued for the host.

    Raises
    ------
    SourceError
        If the address is not valid, or if only the user may name the address.
    """
    parts = urlsplit(url)
    try:
        address = client.reach.resolve(parts.hostname or "", parts.port or 0)[0]
    except (OSError, ValueError) as error:
        raise SourceError(describe_error(show_url(url), error, 0.0)) from None
    if parts.scheme.lower() == "rtsps":
        return url
    host = f"[{address}]" if ":" in address else address
    user, at, _ = parts.netloc.rpartition("@")
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"{user}{at}{host}{port}"))


def _open_rtsp(url: str, client: HttpClient, read_timeout_seconds: float) -> StreamDecoder:
    shown_url = redact_url(url)
    # TCP, because firewalls block UDP. FFmpeg verifies certificates only on request.
    options = restriction_options("tcp", "tls", more_formats=("rtsp",))
    options |= {"rtsp_transport": "tcp", "allowed_media_types": "audio"}
    if url.lower().startswith("rtsps://"):
        options |= {"tls_verify": "1", "ca_file": _find_authorities()}
    try:
        container = _open_container(url, shown_url, client, read_timeout_seconds, container_options=options)
    except SourceError as error:
        if shown_url.startswith("rtsps:"):  # FFmpeg has one error for all failures of TLS
            raise SourceError(f"{error}; does this machine trust its certificate?") from None
        raise
    return StreamDecoder(container, shown_url, client, None)


def _open_container(
    file: str | HttpBody | OggLinks,
    shown_url: str,
    client: HttpClient,
    read_timeout_seconds: float,
    **more: Any,
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
        failure = client.failure or client.seek_failure
        raise SourceError(failure or describe_ffmpeg_error(shown_url, error)) from None


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
