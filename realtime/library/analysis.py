"""Hears whole tracks in a child process of its own, so that a file that crashes or hangs its decoder is a row
with a fault and no more.

The child (``python -m realtime.library.analysis``) reads a line of JSON a track and answers with one; it ends
when its input does, even in the middle of a track.
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
from realtime.protocol.messages import Message

Row: TypeAlias = dict[str, Any]
"""A track's row: the columns of ``realtime.library.table``."""


def track_row(track: LibraryTrack, heard: Message) -> Row:
    """A track's row from the child's answer; its fault can be written anywhere, whatever the file's name."""
    fault = heard.get("fault")
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
        **heard,
        "fault": fault and storable(fault),
    }


class _GenreShares:
    """A report for ``analyse_file``: its summary, and how many windows are music."""

    def __init__(self, classifier: GenreClassifier) -> None:
        from realtime.pipeline.offline import GenreAverage

        self._music = GenreAverage(classifier.manifest)
        self.windows = 0
        self.told: Message = {}

    def estimate(self, analysis: Any, message: Message) -> None:
        """Count one window."""
        self.windows += 1
        self._music.add(analysis.prediction)

    def summary(self, summary: Message) -> None:
        """Keep it."""
        self.told = summary

    @property
    def music_share(self) -> float:
        """Of the windows, 0..1."""
        return round(self._music.windows / max(1, self.windows), 4)


def analyze_track(path: str, name: str, classifier: GenreClassifier, chosen: Settings) -> Message:
    """Hear one file from its beginning to its end: the columns of its row that are heard.

    Label, confidence and probabilities are those of ``overheard analyze``'s summary; without music they are
    None. A file that cannot be heard has a ``fault``, which calls it ``name``.
    """
    from realtime.clock import SystemClock
    from realtime.pipeline.offline import analyze_file
    from realtime.sources.file import FileSource

    clock, report = SystemClock(), _GenreShares(classifier)
    try:
        source = FileSource(path, clock, name=name)
        analyze_file(source, [classifier], chosen, clock, report)
    except OverheardError as error:
        return {"fault": str(error).replace(path, name)}
    told = report.told
    heard = told["label"] is not None
    return {
        "duration_seconds": told["seconds"],
        "label": told["label"],
        "confidence": told["confidence"] if heard else None,
        "unsure": told["unsure"] if heard else None,
        "probabilities": list(told["probabilities"].values()) if heard else None,
        "music_share": report.music_share,
        "windows": report.windows,
    }


class TrackAnalyzer:
    """One worker: hears track after track in its child, and fetches the next one meanwhile.

    Belongs to one thread; ``close`` may be called from another and ends what is being heard.

    Raises
    ------
    OverheardError
        From ``hear_each``: the model cannot be loaded, or it was closed.
    """

    def __init__(self, hearing: AnalysisSettings) -> None:
        self._hearing = hearing
        self._child: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        """Between ``close`` and what begins a child: none begins afterwards."""
        self._closed = threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="overheard-", ignore_cleanup_errors=True)
        self._fetching = ThreadPoolExecutor(1, thread_name_prefix="fetching")

    def hear_block(self, tracks: Sequence[LibraryTrack]) -> list[Row]:
        """A row for each track, in order, when all are heard."""
        return list(self.hear_each(tracks))

    def hear_each(self, tracks: Sequence[LibraryTrack]) -> Iterator[Row]:
        """A row for each track, in order, as they are heard; one that cannot be heard has a fault in it."""
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
                row = track_row(track, self._hear(track, fetched.path))
            finally:
                fetched.close()
            yield row

    def _fetch(self, track: LibraryTrack) -> Future[FetchedFile] | None:
        if not is_s3(track.uri):
            return None
        return self._fetching.submit(FetchedFile, track, Path(self._folder.name), stop=self._closed)

    def _hear(self, track: LibraryTrack, path: str) -> Message:
        away = None if is_s3(track.uri) else describe_missing(track)
        if away is not None:
            return {"fault": away, "retry": True}
        for last in (False, True):
            heard, ending = self._ask(track, path)
            if heard is not None:
                if heard.get("fault") and not is_s3(track.uri):  # it may have gone away meanwhile
                    heard["retry"] = describe_missing(track) is not None
                return heard
            if last or ending.startswith("took"):
                break
        # Killed from outside, most likely for want of memory: another run may have more luck.
        return {"fault": f"{track.name} {ending}", "retry": ending.endswith("SIGKILL")}

    def _ask(self, track: LibraryTrack, path: str) -> tuple[Message | None, str]:
        """The child's answer, or None and how the child ended."""
        child = self._living_child()
        if child.stdin is None or child.stdout is None:
            raise ValueError("the child was begun without pipes")
        overdue = threading.Event()

        def give_up() -> None:
            overdue.set()
            child.kill()

        timer = threading.Timer(self._hearing.max_track_seconds, give_up)
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
            heard: Message = json.loads(answer)
            if "fatal" in heard:
                raise OverheardError(heard["fatal"])
            return heard, ""
        code = child.wait()
        if self._closed.is_set():
            raise SourceError("the run was stopped")
        if overdue.is_set():
            return None, f"took longer than {self._hearing.max_track_seconds:g} s and was given up"
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return None, f"crashed its decoder: {how}"

    def _living_child(self) -> subprocess.Popen[str]:
        """The child, or another one where it has ended."""
        with self._lock:
            if self._closed.is_set():
                raise SourceError("the run was stopped")
            if self._child is not None and self._child.poll() is not None:
                _let_go(self._child)
                self._child = None
            if self._child is None:
                words = [sys.executable, "-m", "realtime.library.analysis", json.dumps(asdict(self._hearing))]
                self._child = subprocess.Popen(
                    words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            return self._child

    def close(self) -> None:
        """End the child and the fetching, and remove what was fetched; harmless when repeated."""
        with self._lock:
            self._closed.set()
            child, self._child = self._child, None
        self._fetching.shutdown(wait=False, cancel_futures=True)
        if child is not None:
            child.kill()
            child.wait()
            _let_go(child)
        self._folder.cleanup()


def _let_go(child: subprocess.Popen[str]) -> None:
    """Close the pipes of a child that has ended."""
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError, ValueError):
                pipe.close()


def _child(words: Sequence[str]) -> None:
    """What the child does; its standard output is for answers alone."""
    answers, hearing = bootstrap_child(words[0])

    def say(message: Message) -> None:
        print(json.dumps(message), file=answers, flush=True)

    wanted: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            wanted.put(line)
        os._exit(0)  # the parent is gone, and whatever is being heard may hang

    threading.Thread(target=read, daemon=True).start()
    classifier: GenreClassifier | None = None
    while True:
        track = json.loads(wanted.get())
        try:
            classifier = classifier or load_classifier(hearing.model.manifest, hearing.model.runtime)
            say(analyze_track(track["path"], track["name"], classifier, hearing.settings))
        except OverheardError as error:  # the model's, which no other track would change
            say({"fatal": str(error)})


if __name__ == "__main__":
    _child(sys.argv[1:])
