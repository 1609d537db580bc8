"""ASGI application that plays the files of the library, and passes all other requests on."""

from __future__ import annotations

import logging
import os
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import FileResponse, PlainTextResponse, Response

from dashboard.library.shelf import OpenTrack, Shelf
from dashboard.server.guard import Application, Message, Receive, Scope, Send
from dashboard.viewmodels.own_tracks import LIBRARY_PATH
from models.common.text import escape_path

logger = logging.getLogger(__name__)

MEDIA_TYPES: Final = {
    ".aac": "audio/aac",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".m4b": "audio/mp4",
    ".mka": "audio/x-matroska",
    ".mp3": "audio/mpeg",
    ".mp4": "audio/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".webm": "audio/webm",
}
"""Types by suffix. Others are sent as bytes, which no browser shows as a page."""

HEADERS: Final = {
    "cache-control": "private, no-cache",
    "cross-origin-resource-policy": "same-origin",  # no foreign page may play a track and measure its length
}


class LibraryFiles:
    """Application that answers requests for tracks of the library.

    Parameters
    ----------
    application : callable
        Application for all other requests.
    shelf : Shelf
        The only source of the files. A request names no path.
    """

    def __init__(self, application: Application, shelf: Shelf) -> None:
        self._application = application
        self._shelf = shelf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http" or not scope["path"].startswith(LIBRARY_PATH):
            await self._application(scope, receive, send)
            return
        site = Headers(scope=scope).get("sec-fetch-site", "none")
        if site not in ("same-origin", "none"):  # an answer tells whether the library has a guessed path
            await _refuse(403, "pages of other sites may not play tracks")(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            await _refuse(405, "only GET and HEAD", allow="GET, HEAD")(scope, receive, send)
            return
        track_id = scope["path"].removeprefix(LIBRARY_PATH)
        opened = await run_in_threadpool(self._shelf.open_track, track_id)
        if opened is None:
            refusal = _refuse(404, "the library has no such track, or its file has changed")
            await refusal(scope, receive, send)
            return
        # No player asks for several ranges at a time. The whole file is a valid answer.
        headers = [
            (name, value) for name, value in scope["headers"] if name.lower() != b"range" or b"," not in value
        ]
        scope = {**scope, "headers": headers}
        try:
            await _file_response(opened)(scope, receive, _FileSender(send, scope["method"], opened.track.uri))
        finally:
            os.close(opened.descriptor)


class _FileSender:
    """Sender of a file's response, which adds ``HEADERS`` and copes with a file that changes meanwhile.

    The server reports an answer of another length than announced as a programming error. So no more bytes
    are sent than announced, and if there are fewer, the answer stays incomplete and its connection is closed.
    """

    def __init__(self, send: Send, method: str, uri: str) -> None:
        self._send = send
        self._has_body = method != "HEAD"
        self._uri = uri
        self._remaining = 0

    async def __call__(self, message: Message) -> None:
        """Send a message of the response."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message["headers"]))
            headers.update(HEADERS)
            self._remaining = int(headers["content-length"]) if self._has_body else 0
            await self._send({**message, "headers": headers.raw})
            return
        body = message.get("body", b"")[: self._remaining]
        self._remaining -= len(body)
        is_last = not message.get("more_body", False)
        if is_last and self._remaining:
            logger.info("%s shrank while it played", escape_path(self._uri))
        await self._send({**message, "body": body, "more_body": not is_last or self._remaining > 0})


def _refuse(status: int, sentence: str, **headers: str) -> Response:
    return PlainTextResponse(sentence, status, HEADERS | headers)


def _file_response(opened: OpenTrack) -> FileResponse:
    """Return the response with an open file, which supports ranges, so that browsers can seek."""
    own = f"/dev/fd/{opened.descriptor}"  # the open file, whatever its path leads to meanwhile
    path = own if os.path.exists(own) else opened.track.uri
    suffix = os.path.splitext(opened.track.uri)[1].lower()
    media_type = MEDIA_TYPES.get(suffix, "application/octet-stream")
    return FileResponse(path, headers=HEADERS, media_type=media_type, stat_result=opened.status)
