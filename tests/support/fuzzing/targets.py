"""Ways into the program, each of which takes one generated input through the real code.

A target returns a short outcome. Whatever must not happen is an ``AssertionError``, or any other exception.
"""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import os
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

from dashboard.i18n.translator import Translator
from dashboard.uploads.analysis_job import AnalysisJob
from models.common.text import MAX_LABEL_CHARACTERS
from realtime.audio.source import AudioSource
from realtime.cli.main import main
from realtime.errors import SettingsError, SourceCrashError, SourceError
from realtime.monitoring.stations import read_stations
from realtime.network.source import StreamSource
from realtime.sources.factory import open_source
from tests.support.clock import VirtualClock
from tests.support.fuzzing.containers import encode
from tests.support.fuzzing.inputs import Input
from tests.support.fuzzing.mutation import keep_on_this_machine
from tests.support.fuzzing.site import Site
from tests.support.fuzzing.texts import HOST, METADATA_INTERVAL, answer, with_titles
from tests.support.waiting import wait_until

Target = Callable[[Input], str]

MAX_SENTENCE_CHARACTERS = 3_000
"""Length of an error message. The longest one has a name twice, with escapes."""

MAX_ERROR_LINES = 6
"""Lines that a command may print about one bad file: warnings, and the error."""

MAX_NAME_BYTES = 300
"""Length after which a name is cut. Each byte takes up to four letters in a message, which names it twice."""

MAX_SECONDS_OF_SOUND = 60
"""Sound after which a source has proved that it plays."""

MAX_PLAY_SECONDS = 6.0
"""Time after which a source that still plays is left."""

INTERNAL = ("Traceback", " failed: ", "internal error", "Exception ignored")
"""Texts of errors in the program itself."""

CONTENT_TYPES = (
    "audio/mpeg", "audio/x-mpegurl", "audio/x-scpls", "application/xspf+xml", "video/x-ms-asf",
    "text/plain", "", "application/vnd.apple.mpegurl",
)  # fmt: skip


def check_sentence(text: str, *, controls: str = "") -> None:
    """Assert that a text is one sentence that a terminal shows as it is."""
    assert text.strip(), "the message is empty"
    assert len(text) <= MAX_SENTENCE_CHARACTERS, f"the message has {len(text)} characters"
    odd = [c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") and c not in controls]
    assert not odd, f"the message has control characters: {text!r}"
    assert not [part for part in INTERNAL if part in text], f"an error of the program itself: {text}"


def check_label(text: str) -> None:
    """Assert that a title or a name can be stored and shown."""
    assert len(text) <= MAX_LABEL_CHARACTERS, len(text)
    if text:
        check_sentence(text)


def check_output(code: int, output: str, errors: str) -> str:
    """Assert that a command ended in order, and return the outcome."""
    assert code in (0, 2), f"exit code {code}: {errors[-2_000:]}"
    lines = errors.strip().splitlines()
    assert len(lines) <= MAX_ERROR_LINES, errors[-2_000:]
    for line in lines:
        check_sentence(line, controls="\t")
    for line in output.splitlines():
        assert not [c for c in line if unicodedata.category(c) == "Cc" and c != "\t"], ascii(line)
    if code == 0:
        return "accepted"
    assert lines, "no error message"
    if "one window needs" in lines[-1]:
        return "too short"
    return "crashed" if "crashed the decoder" in lines[-1] else "refused"


def run_command(*arguments: str) -> tuple[int, str, str]:
    """Run a command in this process, and return its exit code, output and errors."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    with (
        io.TextIOWrapper(io.BytesIO(), "utf-8") as output,
        io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace") as errors,  # as Python opens it
    ):
        root.handlers[:] = []  # so that the command logs to the errors, as in a process of its own
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
                code = main(arguments)
        finally:
            root.handlers[:] = handlers
        output.seek(0)
        errors.seek(0)
        return code, output.read(), errors.read()


class FileTarget:
    """``overheard analyze FILE``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, tried: Input) -> str:
        path = self._folder / f"x{Path(tried.name).suffix}"
        path.write_bytes(tried.content)
        return check_output(*run_command("analyze", str(path)))


class UploadTarget:
    """File that was uploaded to the page."""

    def __call__(self, tried: Input) -> str:
        job = AnalysisJob(tried.name)
        job.start(io.BytesIO(tried.content))
        wait_until(lambda: job.done, 120)
        if not job.fault:
            return "accepted"
        assert job.fault in ("unreadable", "too_long", "too_much_memory"), (job.fault, job.detail)
        assert Translator("en")(f"file.fault.{job.fault}", limit=1)
        if job.fault == "unreadable":
            check_sentence(job.detail, controls="\n")
            assert "/dev/fd" not in job.detail
        if "one window needs" in job.detail:
            return "too short"
        return "crashed" if "crashed the decoder" in job.detail else "refused"


def play(open_it: Callable[[], AudioSource]) -> str:
    """Play a source to its end, or until it has proved that it plays."""
    samples, ends_at = 0, time.monotonic() + MAX_PLAY_SECONDS
    try:
        with contextlib.closing(open_it()) as source:
            for block in source.blocks():
                samples += len(block.samples)
                status = source.status()
                check_label(status.title)
                check_label(status.device)
                if samples > MAX_SECONDS_OF_SOUND * source.sample_rate or time.monotonic() > ends_at:
                    break
    except SourceError as error:
        check_sentence(str(error))
        if isinstance(error, SourceCrashError):
            return "crashed"
        return "accepted" if samples else "refused"
    return "accepted" if samples else "nothing"


def play_address(url: str) -> str:
    """Play an address as ``overheard listen`` does, but once and without pauses."""
    return play(lambda: StreamSource(url, VirtualClock(), silence_timeout_seconds=2))


class AnswerTarget:
    """Response of a station or a web server."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __call__(self, tried: Input) -> str:
        return play_address(self._site.serve(tried.content.replace(HOST, self._site.host)))


class TitleTarget:
    """Block of ICY metadata between the audio of a station."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __call__(self, tried: Input) -> str:
        body = with_titles(encode("mp3", "libmp3lame", 1), tried.content, b"", b"StreamTitle='a - b';")
        name = tried.content[:300].decode("latin-1").replace("\r", "").replace("\n", "")
        icy = ("Content-Type: audio/mpeg", f"icy-metaint: {METADATA_INTERVAL}", f"icy-name: {name}")
        return play_address(self._site.serve(answer(body, *icy)))


class PlaylistTarget:
    """Playlist on the web, or in a file on this machine."""

    def __init__(self, site: Site, folder: Path) -> None:
        self._site, self._folder = site, folder

    def __call__(self, tried: Input) -> str:
        random = tried.random
        content = tried.content.replace(HOST, self._site.host)
        if random.random() < 0.7:
            types = [f"Content-Type: {random.choice(CONTENT_TYPES)}"]
            return play_address(self._site.serve(answer(content, *types), tried.name))
        self._site.serve(b"")
        path = self._folder / tried.name
        path.write_bytes(keep_on_this_machine(content, self._site.host))
        return play(lambda: open_source(str(path), 0.0, VirtualClock()))


class SettingsTarget:
    """File of settings, of stations or of a model, or a variable of the environment."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._tone = folder, folder / "tone.wav"
        self._tone.write_bytes(encode("wav", "pcm_alaw"))

    def __call__(self, tried: Input) -> str:
        path = self._folder / "x.toml"
        path.write_bytes(tried.content)
        if tried.name.endswith(".json"):
            return check_output(*run_command("model", "--manifest", str(path)))
        if "stations" in tried.name:
            try:
                read_stations(path)
            except SettingsError as error:
                check_sentence(str(error))
                return "refused"
            return "accepted"
        if tried.random.random() < 0.3:
            return self._set_variable(tried)
        gc.collect()  # or objects of earlier inputs would end deep in the parser, and report a recursion
        outcome = check_output(*run_command("analyze", "--config", str(path), str(self._tone)))
        return "accepted" if outcome == "too short" else outcome

    def _set_variable(self, tried: Input) -> str:
        """Take the content as the value of a variable."""
        name = tried.random.choice(
            ("SPEED", "PORT", "SOURCE", "TOKEN", "WEBHOOK", "MQTT", "CONFIG", "HISTORY", "X\ny")
        )
        value = tried.content[:2_000].replace(b"\0", b"").decode("utf-8", "surrogateescape")
        os.environ[f"OVERHEARD_{name}"] = value
        try:
            outcome = check_output(*run_command("analyze", str(self._tone)))
        finally:
            del os.environ[f"OVERHEARD_{name}"]
        return "accepted" if outcome == "too short" else outcome


class NameTarget:
    """Name of a file in a command line. The file exists if the system accepts the name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "names"
        self._folder.mkdir()

    def __call__(self, tried: Input) -> str:
        name = os.fsdecode(tried.content.replace(b"\0", b"")[:MAX_NAME_BYTES])
        path = os.path.join(self._folder, name)
        if own := os.path.dirname(path) == str(self._folder):
            with contextlib.suppress(OSError), open(path, "wb") as file:
                file.write(encode("wav", "pcm_alaw"))
        try:
            with contextlib.chdir(self._folder):
                return check_output(*run_command("analyze", name))
        finally:
            if own:
                with contextlib.suppress(OSError):
                    os.unlink(path)
