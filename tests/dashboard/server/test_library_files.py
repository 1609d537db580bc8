"""Playing of the library's files: ranges, and requests for anything else."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.library.index import track_id
from dashboard.library.shelf import CHECK_SECONDS, Shelf
from dashboard.library.table import LibraryError
from dashboard.server.library_files import LibraryFiles
from dashboard.viewmodels.own_tracks import LIBRARY_PATH
from tests.support.similar_tracks import MANIFEST, Sound, write_sounds

CONTENT = bytes(range(256)) * 400


class Library:
    """Folder with two tracks, a secret beside them, and the application that plays the tracks."""

    def __init__(self, folder: Path) -> None:
        self.song, self.other, self.secret = (
            folder / name for name in ("A song.mp3", "other.flac", "secret.txt")
        )
        self.song.write_bytes(CONTENT)
        self.other.write_bytes(CONTENT[:500])
        self.secret.write_text("secret")
        self.table = write_sounds(folder / "table", [Sound(str(self.song), 0), Sound(str(self.other), 50)])
        self.shelf = Shelf(str(self.table))
        self.shelf.index(MANIFEST.identity)
        self.passed_on: list[str] = []
        self.between: Callable[[], object] = lambda: None
        """Called between the head and the body of an answer."""
        self.complete = False
        self._application = LibraryFiles(self._pass_on, self.shelf)

    async def _pass_on(self, scope: Any, receive: Any, send: Any) -> None:
        self.passed_on.append(scope["path"])
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send a request as uvicorn passes it on, with its path decoded."""
        sent: list[dict[str, Any]] = []
        scope = {
            "type": "http", "method": method, "path": path, "query_string": b"",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()  # the client stays
            raise AssertionError("unreachable")

        async def send(message: Any) -> None:
            sent.append(message)
            if message["type"] == "http.response.start":
                self.between()

        asyncio.run(self._application(scope, receive, send))
        start, *bodies = sent
        self.complete = not bodies[-1].get("more_body", False)
        fields = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], fields, b"".join(body.get("body", b"") for body in bodies)

    def play(self, path: Path, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return self.get(LIBRARY_PATH + track_id(str(path)), **headers)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    made = Library(tmp_path)
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    yield made
    after = set(os.listdir("/proc/self/fd")) if before else set()
    assert len(after) <= len(before), "every file must be closed"


def test_a_track_of_the_index_is_played(library: Library) -> None:
    status, headers, body = library.play(library.song)
    assert (status, body) == (200, CONTENT)
    assert headers["content-type"] == "audio/mpeg"
    assert headers["accept-ranges"] == "bytes"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    status, headers, body = library.get(LIBRARY_PATH + track_id(str(library.song)), "HEAD")
    assert (status, headers["content-length"], body) == (200, str(len(CONTENT)), b"")
    assert library.play(library.other)[1]["content-type"] == "audio/flac"


@pytest.mark.parametrize(
    ("wanted", "part", "start"),
    [
        ("bytes=0-", CONTENT, 0),
        ("bytes=1000-1099", CONTENT[1000:1100], 1000),
        ("bytes=-56", CONTENT[-56:], 102_344),
    ],
)
def test_a_browser_seeks_by_ranges(library: Library, wanted: str, part: bytes, start: int) -> None:
    status, headers, body = library.play(library.song, range=wanted)
    assert (status, body) == (206, part)
    assert headers["content-range"] == f"bytes {start}-{start + len(part) - 1}/{len(CONTENT)}"
    assert headers["content-length"] == str(len(part))


def test_a_range_behind_the_end_is_refused(library: Library) -> None:
    status, headers, _ = library.play(library.song, range="bytes=999999-")
    assert (status, headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")


def test_no_other_path_is_ever_read(library: Library) -> None:
    secret = str(library.secret)
    for name in (
        track_id(secret), secret, f"/{secret}", "../secret.txt", "%2e%2e/secret.txt", "..\\secret.txt", "\0",
        f"{track_id(str(library.song))}\0", f"{track_id(str(library.song))}/../secret.txt", "", "0" * 16,
        track_id(str(library.song)).upper() + "0", "０" * 16, "f" * 17, str(library.song),  # noqa: RUF001
    ):  # fmt: skip
        status, _, body = library.get(LIBRARY_PATH + name)
        assert (status, b"secret" in body) == (404, False), name
    assert library.passed_on == []
    assert library.get("/_overheard/librar")[0] == 418
    assert library.get(LIBRARY_PATH + track_id(str(library.song)), "POST")[0] == 405


def test_every_answer_keeps_foreign_pages_out(library: Library) -> None:
    """A page of another site learns from no answer whether a path that it guesses is in the library."""
    for path, method, headers, expected in (
        (library.song, "GET", {}, 200),
        (library.song, "GET", {"range": "bytes=0-9"}, 206),
        (library.song, "GET", {"range": "bytes=999999-"}, 416),
        (library.song, "GET", {"range": "bytes=x-y"}, 400),
        (library.song, "POST", {}, 405),
        (library.secret, "GET", {}, 404),
    ):
        address = LIBRARY_PATH + track_id(str(path))
        for site in ("same-origin", "none"):
            status, answered, _ = library.get(address, method, sec_fetch_site=site, **headers)
            assert status == expected
            assert answered["cross-origin-resource-policy"] == "same-origin"
            assert answered["cache-control"] == "private, no-cache"
        for site in ("cross-site", "same-site"):
            status, answered, body = library.get(address, method, sec_fetch_site=site, **headers)
            assert (status, body) == (403, b"pages of other sites may not play tracks")
            assert answered["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("wanted", [{}, {"range": "bytes=100-"}, {"range": "bytes=0-9,6000-"}])
def test_a_file_that_shrinks_while_it_plays_leaves_its_answer_incomplete(
    library: Library, wanted: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """The end of a body that is too short would be a traceback of the server."""
    caplog.set_level(logging.INFO, "dashboard.server.library_files")
    library.between = lambda: os.truncate(library.song, 5000)
    _, headers, body = library.play(library.song, **wanted)
    assert len(body) < int(headers["content-length"])
    assert not library.complete
    assert [record.getMessage() for record in caplog.records] == [f"{library.song} shrank while it played"]


def test_a_file_that_grows_while_it_plays_is_sent_as_announced(library: Library) -> None:
    def grow() -> None:
        with library.song.open("ab") as file:
            file.write(CONTENT)

    library.between = grow
    _, headers, body = library.play(library.song)
    assert (len(body), body, library.complete) == (int(headers["content-length"]), CONTENT, True)


def test_a_link_in_place_of_a_track_leads_nowhere(library: Library) -> None:
    library.song.unlink()
    assert library.play(library.song)[0] == 404
    library.song.symlink_to(library.secret)
    assert library.play(library.song)[0] == 404
    library.song.unlink()
    library.song.mkdir()
    assert library.play(library.song)[0] == 404


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_a_pipe_in_place_of_a_track_does_not_block(library: Library) -> None:
    library.song.unlink()
    os.mkfifo(library.song)
    assert library.play(library.song)[0] == 404


def test_a_changed_file_is_not_played(library: Library) -> None:
    library.song.write_bytes(b"secret" + CONTENT)
    assert library.play(library.song)[0] == 404


def test_a_library_of_links_is_played(tmp_path: Path) -> None:
    """A link that was there when the tracks were analyzed leads to the analyzed file."""
    (tmp_path / "store").write_bytes(CONTENT)
    link = tmp_path / "link.ogg"
    link.symlink_to(tmp_path / "store")
    shelf = Shelf(str(write_sounds(tmp_path / "table", [Sound(str(link), 0), Sound("s3://bucket/a.mp3", 9)])))
    assert shelf.open_track(track_id(str(link))) is None, "no index is loaded yet"
    shelf.index(MANIFEST.identity)
    opened = shelf.open_track(track_id(str(link)))
    assert opened is not None
    os.close(opened.descriptor)
    assert shelf.open_track(track_id("s3://bucket/a.mp3")) is None


def test_a_fault_is_remembered_until_the_table_changes(tmp_path: Path) -> None:
    """Reading a large table of another model takes seconds, and every page asks again and again."""
    now = [1000.0]
    table = write_sounds(tmp_path / "t", [Sound("/a", 0)], "other-model 1 0123456789ab")
    shelf = Shelf(str(table), lambda: now[0])
    with pytest.raises(LibraryError, match="were analyzed by other-model"):
        shelf.index(MANIFEST.identity)
    (part,) = table.glob("part-*")
    content, status = part.read_bytes(), part.stat()
    part.write_bytes(bytes(len(content)))  # cannot be read, but looks the same
    os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
    now[0] += CHECK_SECONDS
    with pytest.raises(LibraryError, match="were analyzed by other-model"):
        shelf.index(MANIFEST.identity)
    part.write_bytes(content)
    assert len(shelf.index("other-model 1 0123456789ab")) == 1
    with pytest.raises(LibraryError, match="were analyzed by other-model"):
        shelf.index(MANIFEST.identity)
    write_sounds(table, [Sound("/b", 0)])
    assert len(shelf.index(MANIFEST.identity)) == 1


def test_the_index_follows_the_table(library: Library) -> None:
    now = [1000.0]
    shelf = Shelf(str(library.table), lambda: now[0])
    first = shelf.index(MANIFEST.identity)
    write_sounds(library.table, [Sound("/new.mp3", 3)])
    assert shelf.index(MANIFEST.identity) is first
    now[0] += CHECK_SECONDS
    assert len(shelf.index(MANIFEST.identity)) == 3
    now[0] += CHECK_SECONDS
    assert shelf.index(MANIFEST.identity) is shelf.index(MANIFEST.identity)
    for part in library.table.glob("part-*"):
        part.unlink()
    now[0] += CHECK_SECONDS
    with pytest.raises(LibraryError, match="makes one"):
        shelf.index(MANIFEST.identity)
