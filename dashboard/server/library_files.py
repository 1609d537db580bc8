"""ASGI application that plays the files of the library, and passes all other requests on."""

from __future__ import annotations

import os
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, PlainTextResponse, Response

from dashboard.library.shelf import OpenTrack, Shelf
from dashboard.server.guard import Application, Receive, Scope, Send
from dashboard.viewmodels.own_tracks import LIBRARY_PATH

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
        if scope["method"] not in ("GET", "HEAD"):
            response: Response = PlainTextResponse("only GET and HEAD", 405, {"allow": "GET, HEAD"})
            await response(scope, receive, send)
            return
        track_id = scope["path"].removeprefix(LIBRARY_PATH)
        opened = await run_in_threadpool(self._shelf.open_track, track_id)
        if opened is None:
            response = PlainTextResponse("the library has no such track, or its file has changed", 404)
            await response(scope, receive, send)
            return
        try:
            await _file_response(opened)(scope, receive, send)
        finally:
            os.close(opened.descriptor)


def _file_response(opened: OpenTrack) -> FileResponse:
    """Return the response with an open file, which supports ranges, so that browsers can seek."""
    own = f"/dev/fd/{opened.descriptor}"  # the open file, whatever its path leads to meanwhile
    path = own if os.path.exists(own) else opened.track.uri
    suffix = os.path.splitext(opened.track.uri)[1].lower()
    media_type = MEDIA_TYPES.get(suffix, "application/octet-stream")
    return FileResponse(path, headers=HEADERS, media_type=media_type, stat_result=opened.status)
