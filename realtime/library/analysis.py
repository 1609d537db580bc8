"""Analyze whole tracks in a child process.

A file that crashes or hangs the decoder becomes a row with an error and does not stop the run. The child
(``python -m realtime.library.analysis``) reads one line of JSON for each track and responds with one line.
The child ends as soon as its input ends, even in the middle of a track.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeAlias

from models.classifier import GenreClassifier, load_classifier
from models.common.child_environment import child_environment
from models.common.text import replace_surrogates
from models.errors import OverheardError
from realtime.config import AnalysisSettings, Settings
from realtime.errors import SourceError
from realtime.library.storage import FetchedFile, describe_missing
from realtime.library.track import LibraryTrack, is_s3
from realtime.pipeline.child import bootstrap_child

Row: TypeAlias = dict[str, Any]
"""Columns of a track in the table, see ``realtime.library.table``."""


@dataclass(frozen=True, slots=True)
class _ChildEnd:
    """Unexpected end of the child process while it analyzed a track.

    ``description`` is the predicate of a sentence about the track. ``killed`` is True if the child received
    SIGKILL, most likely because the machine ran out of memory.
    """

    description: str
    timed_out: bool = False
    killed: bool = False


def build_row(track: LibraryTrack, result: Row) -> Row:
    """Build the row of a track from the columns of ``analyze_track``. The error can be stored as Unicode."""
    fault = result.get("fault")
    return {
        "uri": track.name,
        "artist": None,
        "title": None,
        "size": track.size,
        "modified": track.modified,
        "duration_seconds": None,
        "label": None,
        "confidence": None,
        "unsure": None,
        "probabilities": None,
        "music_share": None,
        "windows": 0,
        "tags": None,
        "valence": None,
        "arousal": None,
        "embedding": None,
        "retry": False,
        **result,
        "fault": fault and replace_surrogates(fault),
    }


class _RowReport:
    """Report for ``analyze_file`` that stores the summary and averages the windows of music."""

    def __init__(self, classifier: GenreClassifier) -> None:
        from realtime.pipeline.music_average import MusicAverage

        self.music = MusicAverage(classifier.manifest)
        self.windows = 0
        self.stored_summary: Row = {}

    def estimate(self, analysis: Any, message: object) -> None:
        """Count one window."""
        self.windows += 1
        self.music.add(analysis.prediction)

    def summary(self, summary: Row) -> None:
        """Store the summary."""
        self.stored_summary = summary

    @property
    def music_share(self) -> float:
        """Share of the windows that are music, 0..1."""
        return round(self.music.windows / max(1, self.windows), 4)


def analyze_track(path: str, name: str, classifier: GenreClassifier, settings: Settings) -> Row:
    """Analyze one file from its beginning to its end.

    Returns
    -------
    Row
        Columns that depend on the audio. Label, confidence, probabilities, tags and mood equal those of the
        summary of ``overheard analyze``. They are None without music. For a file that cannot be analyzed,
        ``fault`` is the only key, and its sentence refers to the file as ``name``.
    """
    from realtime.clock import SystemClock
    from realtime.pipeline.offline import analyze_file
    from realtime.sources.file import FileSource

    clock, report = SystemClock(), _RowReport(classifier)
    try:
        source = FileSource(path, clock, name=name, isolated=False)  # this process is the isolated one
        analyze_file(source, [classifier], settings, clock, report)
    except OverheardError as error:
        return {"fault": str(error).replace(path, name)}
    summary = report.stored_summary
    mood = summary["mood"] or {}
    is_music = summary["label"] is not None
    return {
        "artist": source.metadata.artist or None,
        "title": source.metadata.title or None,
        "duration_seconds": summary["seconds"],
        "label": summary["label"],
        "confidence": summary["confidence"] if is_music else None,
        "unsure": summary["unsure"] if is_music else None,
        "probabilities": list(summary["probabilities"].values()) if is_music else None,
        "music_share": report.music_share,
        "windows": report.windows,
        "tags": [tag["name"] for tag in summary["tags"]] if is_music else None,
        "valence": mood.get("valence"),
        "arousal": mood.get("arousal"),
        "embedding": report.music.embedding.tolist() or None,
    }


class TrackAnalyzer:
    """Worker that analyzes one track after another in a child process, and fetches the next track meanwhile.

    The analyzer is used on one thread. Another thread may call ``close``, which ends the current analysis.
    """

    def __init__(self, settings: AnalysisSettings) -> None:
        self._settings = settings
        self._child: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        """Lock for the start of a child, so that no child starts after ``close``."""
        self._closed = threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="overheard-", ignore_cleanup_errors=True)
        self._fetching = ThreadPoolExecutor(1, thread_name_prefix="fetching")

    def analyze(self, tracks: Sequence[LibraryTrack]) -> Iterator[Row]:
        """Yield a row for each track, in order, as soon as the track is analyzed.

        Raises
        ------
        OverheardError
            If the model cannot be loaded, or the analyzer was closed.
        """
        upcoming = self._fetch(tracks[0]) if tracks else None
        for number, track in enumerate(tracks):
            current, upcoming = upcoming, None
            if number + 1 < len(tracks):
                upcoming = self._fetch(tracks[number + 1])
            try:
                fetched = current.result() if current else FetchedFile(track, Path(self._folder.name))
            except SourceError as error:
                if self._closed.is_set():
                    raise
                yield build_row(track, {"fault": str(error), "retry": True})
                continue
            try:
                row = build_row(track, self._analyze_file(track, fetched.path))
            finally:
                fetched.close()
            yield row

    def _fetch(self, track: LibraryTrack) -> Future[FetchedFile] | None:
        if not is_s3(track.uri):
            return None
        return self._fetching.submit(FetchedFile, track, Path(self._folder.name), stop=self._closed)

    def _analyze_file(self, track: LibraryTrack, path: str) -> Row:
        missing = None if is_s3(track.uri) else describe_missing(track)
        if missing is not None:
            return {"fault": missing, "retry": True}
        result = self._request(track, path)
        if isinstance(result, _ChildEnd) and not result.timed_out:
            result = self._request(track, path)  # the crash may have had another cause than the track
        if isinstance(result, _ChildEnd):
            return {"fault": f"{track.name} {result.description}", "retry": result.killed}
        if result.get("fault") and not is_s3(track.uri):  # the file may have disappeared meanwhile
            result["retry"] = describe_missing(track) is not None
        return result

    def _request(self, track: LibraryTrack, path: str) -> Row | _ChildEnd:
        """Let the child analyze a track, and return its response or the reason of its end."""
        child = self._ensure_child()
        if child.stdin is None or child.stdout is None:
            raise ValueError("the child was started without pipes")
        timed_out = threading.Event()

        def kill() -> None:
            timed_out.set()
            child.kill()

        timer = threading.Timer(self._settings.max_track_seconds, kill)
        timer.start()
        try:
            child.stdin.write(json.dumps({"path": path, "name": track.name}) + "\n")
            child.stdin.flush()
            response = child.stdout.readline()
        except (OSError, ValueError):
            response = ""
        finally:
            timer.cancel()
        if response.endswith("\n"):
            result: Row = json.loads(response)
            if "fatal" in result:
                raise OverheardError(result["fatal"])
            return result
        code = child.wait()
        if self._closed.is_set():
            raise SourceError("the run was stopped")
        if timed_out.is_set():
            limit = f"{self._settings.max_track_seconds:g} s"
            return _ChildEnd(f"took longer than {limit} and was stopped", timed_out=True)
        end = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return _ChildEnd(f"crashed its decoder: {end}", killed=end == "SIGKILL")

    def _ensure_child(self) -> subprocess.Popen[str]:
        """Return the child process. Start a new child if there is none or if it has ended."""
        with self._lock:
            if self._closed.is_set():
                raise SourceError("the run was stopped")
            if self._child is not None and self._child.poll() is not None:
                _close_pipes(self._child)
                self._child = None
            if self._child is None:
                argv = [sys.executable, "-m", "realtime.library.analysis", json.dumps(asdict(self._settings))]
                self._child = subprocess.Popen(
                    argv,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=child_environment(),
                    start_new_session=True,  # a signal to the group ends this program, which ends the child
                )
            return self._child

    def close(self) -> None:
        """End the child, cancel the fetching and remove fetched files. Later calls have no effect."""
        with self._lock:
            self._closed.set()
            child, self._child = self._child, None
        self._fetching.shutdown(wait=False, cancel_futures=True)
        if child is not None:
            child.kill()
            child.wait()
            _close_pipes(child)
        self._folder.cleanup()


def _close_pipes(child: subprocess.Popen[str]) -> None:
    """Close the pipes of a child that has ended."""
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError, ValueError):
                pipe.close()


def _run_child(argv: Sequence[str]) -> None:
    """Run the child process, which writes only responses to its standard output."""
    output, settings = bootstrap_child(argv[0])

    def respond(result: Row) -> None:
        print(json.dumps(result), file=output, flush=True)

    requests: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            requests.put(line)
        os._exit(0)  # the parent has ended, and the analysis of a track may hang

    threading.Thread(target=read, daemon=True).start()
    classifier: GenreClassifier | None = None
    while True:
        track = json.loads(requests.get())
        try:
            classifier = classifier or load_classifier(settings.model.manifest, settings.model.runtime)
            respond(analyze_track(track["path"], track["name"], classifier, settings.settings))
        except OverheardError as error:  # an error of the model, which affects all tracks
            respond({"fatal": str(error)})


if __name__ == "__main__":
    _run_child(sys.argv[1:])
