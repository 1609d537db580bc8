"""Choose one audio playlist of an HLS master playlist, and open playlists and segments for FFmpeg.

FFmpeg alone would fetch all variants of a master playlist, video included, for as long as a station plays.
"""

from __future__ import annotations

import io
import re
import time
from dataclasses import dataclass

from models.common.urls import show_url
from realtime.errors import SourceError
from realtime.network.http_body import HttpBody
from realtime.network.http_client import HttpClient

MAX_PLAYLIST_BYTES = 4 << 20
"""Length above which an HLS playlist is refused. A day in segments of two seconds takes 2 to 4 MiB."""

MIN_RELOAD_SECONDS = 0.5
"""Minimum time between two requests for the playlist of a live stream."""

MAX_BANDWIDTH = 160_000
"""Bits per second above which an audio variant is not worth its bytes: the model hears no difference."""

_VIDEO_CODECS = ("avc", "hvc", "hev", "dvh", "dva", "vp0", "vp8", "vp9", "av01", "mp4v")
_ATTRIBUTE = re.compile(r'(?<![A-Z0-9-])([A-Z0-9-]++)=("[^"]*"|[^",\s][^,]*)')
_MAX_LINE_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class _Variant:
    address: str
    bandwidth: int
    has_video: bool

    def rank(self) -> tuple[bool, bool, int]:
        """Return a key that sorts audio before video, and the best affordable audio first."""
        if self.has_video:
            return True, False, self.bandwidth
        too_wide = self.bandwidth > MAX_BANDWIDTH
        return False, too_wide, self.bandwidth if too_wide else -self.bandwidth


def list_audio_playlists(text: str) -> list[str]:
    """List the playlists of a master playlist that have the audio, the most suitable one first.

    Returns
    -------
    list of str
        Addresses as the playlist writes them. The list is empty if ``text`` is not a master playlist.
    """
    lines = [line.strip()[:_MAX_LINE_CHARACTERS] for line in text.splitlines() if line.strip()]
    renditions: dict[str, str] = {}
    for line in lines:
        media = _parse_attributes(line, "#EXT-X-MEDIA:")
        if media.get("TYPE") == "AUDIO" and "URI" in media:
            group = media.get("GROUP-ID", "")
            if group not in renditions or media.get("DEFAULT") == "YES":
                renditions[group] = media["URI"]
    variants = []
    address = ""  # a variant has the next address, so the lines are read from the last to the first
    for line in reversed(lines):
        if not line.startswith("#"):
            address = line
        if not (attributes := _parse_attributes(line, "#EXT-X-STREAM-INF:")):
            continue
        rendition = renditions.get(attributes.get("AUDIO", ""))
        codecs = [codec.strip().lower() for codec in attributes.get("CODECS", "").split(",")]
        video = "RESOLUTION" in attributes or any(codec.startswith(_VIDEO_CODECS) for codec in codecs)
        bandwidth = attributes.get("BANDWIDTH", "")
        bandwidth = bandwidth if bandwidth.isascii() and bandwidth.isdecimal() else "0"
        variants.append(_Variant(rendition or address, int(bandwidth[:12]), video and not rendition))
    variants.reverse()  # equal variants keep the order of the playlist
    variants.sort(key=_Variant.rank)
    return list(dict.fromkeys(variant.address for variant in variants if variant.address))


def _parse_attributes(line: str, tag: str) -> dict[str, str]:
    if not line.startswith(tag):
        return {}
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(line[len(tag) :])}


def read_hls_playlist(body: HttpBody) -> bytes:
    """Read a playlist, and close its body.

    Raises
    ------
    SourceError
        If the playlist is longer than ``MAX_PLAYLIST_BYTES``.
    """
    content = bytearray()
    try:
        while part := body.read():
            content += part
            if len(content) > MAX_PLAYLIST_BYTES:
                limit = f"{MAX_PLAYLIST_BYTES >> 20} MiB"
                raise SourceError(f"the playlist {show_url(body.url)} is longer than {limit}")
    finally:
        body.close()
    return bytes(content)


class SegmentOpener:
    """Callable that opens the playlist and the segments of a stream for FFmpeg.

    FFmpeg would print exceptions, so errors go to ``client.failure``.

    Parameters
    ----------
    url : str
        Address of the media playlist, after all redirects.
    playlist : bytes
        Content that was read already. The first request for the playlist gets this content.
    client : HttpClient
    """

    def __init__(self, url: str, playlist: bytes, client: HttpClient) -> None:
        self._url = url
        self._first: bytes | None = playlist
        self._client = client
        self._loaded_at = time.monotonic()

    def __call__(self, address: str, flags: int, options: dict[str, str]) -> HttpBody | io.BytesIO:
        """Open an address. An empty file stands for what cannot be opened."""
        try:
            if address == self._url:
                return io.BytesIO(self._load())
            if not address.lower().startswith(("http://", "https://")):
                raise SourceError(
                    f"{show_url(self._url)} lists segments that are encrypted or not on the web"
                )
            end = options.get("end_offset")
            return self._client.open(address, int(options.get("offset", 0)), int(end) if end else None)
        except SourceError as error:
            self._client.failure = self._client.failure or str(error)
            return io.BytesIO()

    def _load(self) -> bytes:
        if self._first is not None:
            content, self._first = self._first, None
            return content
        time.sleep(max(0.0, self._loaded_at + MIN_RELOAD_SECONDS - time.monotonic()))
        self._loaded_at = time.monotonic()
        return read_hls_playlist(self._client.open(self._url))
