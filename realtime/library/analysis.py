"""Analyze whole tracks in a child process.

A file that crashes or hangs the decoder becomes a row with an error and stops nothing else. The child
(``python -m realtime.library.analysis``) reads one line of JSON for each track and answers with one line. The
child ends as soon as its input does, even in the middle of a track.
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
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeAlias

from models.classifier import GenreClassifier, load_classifier
from models.common.text import storable
from models.errors import OverheardError
from realtime.config import AnalysisSettings, Settings
from realtime.errors import SourceError
from realtime.library.storage import FetchedFile, describe_missing
from realtime.library.track import LibraryTrack, is_s3
from realtime.pipeline.child import bootstrap_child

Row: TypeAlias = dict[str, Any]
"""Columns of a track in the table, see ``realtime.library.table``."""


def track_row(track: LibraryTrack, result: Row) -> Row:
    """Return a track's row from the child's answer, with an error text that can be stored anywhere."""
    fault = result.get("fault")
    return {
        "uri": track.name,
        "size": track.size,
        "modified": track.modified,
        "duration_seconds": None,
        "label": None,
        "confidence": None,
        "unsure": None,
        "probabilities": None,
        "music_share": None,
        "windows": 0,
        "retry": False,
        **result,
        "fault": fault and storable(fault),
    }


class _GenreShares:
    """Report for ``analyze_file`` that keeps the summary and the share of music windows."""

    def __init__(self, classifier: GenreClassifier) -> None:
        from realtime.pipeline.offline import GenreAverage

        self._music = GenreAverage(classifier.manifest)
        self.windows = 0
        self.result: Row = {}

    def estimate(self, analysis: Any, message: object) -> None:
        """Count one window."""
        self.windows += 1
        self._music.add(analysis.prediction)

    def summary(self, summary: Row) -> None:
        """Keep the summary."""
        self.result = summary

    @property
    def music_share(self) -> float:
        """Share of the windows that are music, 0..1."""
        return round(self._music.windows / max(1, self.windows), 4)


def analyze_track(path: str, name: str, classifier: GenreClassifier, settings: Settings) -> Row:
    """Analyze one file from its beginning to its end.

    Returns
    -------
    Message
        The columns of the row that follow from the audio. Label, confidence and probabilities are those of
        the summary of ``overheard analyze``, and None without music. For a file that cannot be analyzed,
        ``fault`` is the only key, and its sentence calls the file ``name``.
    """
    from realtime.clock import SystemClock
    from realtime.pipeline.offline import analyze_file
    from realtime.sources.file import FileSource

    clock, report = SystemClock(), _GenreShares(classifier)
    try:
        source = FileSource(path, clock, name=name)
        analyze_file(source, [classifier], settings, clock, report)
    except OverheardError as error:
        return {"fault": str(error).replace(path, name)}
    summary = report.result
    is_music = summary["label"] is not None
    return {
        "duration_seconds": summary["seconds"],
        "label": summary["label"],
        "confidence": summary["confidence"] if is_music else None,
        "unsure": summary["unsure"] if is_music else None,
        "probabilities": list(summary["probabilities"].values()) if is_music else None,
        "music_share": report.music_share,
        "windows": report.windows,
    }


class TrackAnalyzer:
    """Worker that analyzes track after track in a child process and fetches the next one meanwhile.

    One thread owns the analyzer. Another thread may call ``close``, which ends the current analysis.
    """

    def __init__(self, settings: AnalysisSettings) -> None:
        self._settings = settings
        self._child: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        """Guards the start of a child: none starts after ``close``."""
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
        waiting = self._fetch(tracks[0]) if tracks else None
        for number, track in enumerate(tracks):
            here, waiting = waiting, None
            if number + 1 < len(tracks):
                waiting = self._fetch(tracks[number + 1])
            try:
                fetched = here.result() if here else FetchedFile(track, Path(self._folder.name))
            except SourceError as error:
                if self._closed.is_set():
                    raise
                yield track_row(track, {"fault": str(error), "retry": True})
                continue
            try:
                row = track_row(track, self._analyze_file(track, fetched.path))
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
        for last in (False, True):
            result, ending = self._ask(track, path)
            if result is not None:
                if result.get("fault") and not is_s3(track.uri):  # the file may have disappeared meanwhile
                    result["retry"] = describe_missing(track) is not None
                return result
            if last or ending.startswith("took"):
                break
        # Something else killed the child, most likely for lack of memory. Another run may succeed.
        return {"fault": f"{track.name} {ending}", "retry": ending.endswith("SIGKILL")}

    def _ask(self, track: LibraryTrack, path: str) -> tuple[Row | None, str]:
        """Return the child's answer, or None and how the child ended."""
        child = self._running_child()
        if child.stdin is None or child.stdout is None:
            raise ValueError("the child was started without pipes")
        overdue = threading.Event()

        def give_up() -> None:
            overdue.set()
            child.kill()

        timer = threading.Timer(self._settings.max_track_seconds, give_up)
        timer.start()
        try:
            child.stdin.write(json.dumps({"path": path, "name": track.name}) + "\n")
            child.stdin.flush()
            answer = child.stdout.readline()
        except (OSError, ValueError):
            answer = ""
        finally:
            timer.cancel()
        if answer.endswith("\n"):
            result: Row = json.loads(answer)
            if "fatal" in result:
                raise OverheardError(result["fatal"])
            return result, ""
        code = child.wait()
        if self._closed.is_set():
            raise SourceError("the run was stopped")
        if overdue.is_set():
            return None, f"took longer than {self._settings.max_track_seconds:g} s and was stopped"
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return None, f"crashed its decoder: {how}"

    def _running_child(self) -> subprocess.Popen[str]:
        """Return the child process, started again if it has ended."""
        with self._lock:
            if self._closed.is_set():
                raise SourceError("the run was stopped")
            if self._child is not None and self._child.poll() is not None:
                _close_pipes(self._child)
                self._child = None
            if self._child is None:
                argv = [sys.executable, "-m", "realtime.library.analysis", json.dumps(asdict(self._settings))]
                self._child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            return self._child

    def close(self) -> None:
        """End the child and the fetching, and remove fetched files. Later calls do nothing."""
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
    """Run the child process, which writes nothing but answers to its standard output."""
    answers, settings = bootstrap_child(argv[0])

    def answer(message: Row) -> None:
        print(json.dumps(message), file=answers, flush=True)

    wanted: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            wanted.put(line)
        os._exit(0)  # the parent has ended, and the current track may hang

    threading.Thread(target=read, daemon=True).start()
    classifier: GenreClassifier | None = None
    while True:
        track = json.loads(wanted.get())
        try:
            classifier = classifier or load_classifier(settings.model.manifest, settings.model.runtime)
            answer(analyze_track(track["path"], track["name"], classifier, settings.settings))
        except OverheardError as error:  # an error of the model, which every other track would meet too
            answer({"fatal": str(error)})


if __name__ == "__main__":
    _run_child(sys.argv[1:])
