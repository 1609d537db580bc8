"""``overheard evaluate folder``: score a model on sound files, heard as ``analyze`` hears them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.classifier import GenreClassifier
from models.errors import OverheardError
from models.manifest import ModelManifest
from realtime.clock import Clock
from realtime.config import Settings
from realtime.evaluation.scorecard import Advance, Predictions, genre_number
from realtime.evaluation.tables import EvaluationError, SkippedFile
from realtime.pipeline.analyzer import Analysis
from realtime.pipeline.offline import GenreAverage, Record, analyze_file
from realtime.protocol.messages import EstimateMessage
from realtime.sources.file import FileSource


class _Mean:
    """A report for ``analyse_file``: averages the windows that are music, or all if none is.

    A file without an answer would leave the score, so that a model could better it by hearing no music.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        self._music = GenreAverage(manifest)
        self._all = GenreAverage(manifest, music_above=0.0)

    def estimate(self, analysis: Analysis, message: EstimateMessage) -> None:
        """Take a window in."""
        self._music.add(analysis.prediction)
        self._all.add(analysis.prediction)

    def summary(self, summary: Record) -> None:
        """Nothing: its figures are rounded."""

    @property
    def probabilities(self) -> npt.NDArray[np.float64] | None:
        """Mean, (genres,) float64; None if no window was classified."""
        mean = self._music if self._music.windows else self._all
        return mean.probabilities if mean.windows else None


def score_folder(
    folder: Path,
    classifiers: Sequence[GenreClassifier],
    chosen: Settings,
    clock: Clock,
    advance: Advance = lambda done, total: None,
) -> Predictions:
    """Ask the model about every file: the mean over its windows that are music, unsmoothed.

    Of a file in which it hears no music, all windows count.

    Parameters
    ----------
    classifiers : sequence of GenreClassifier
        Equal ones; each is used by one thread at a time.

    Raises
    ------
    EvaluationError
        No such folder, a folder in it that is no genre, or no file that has an answer.
    """
    manifest = classifiers[0].manifest
    files, skipped = find_files(folder, manifest.labels)
    answers, truth = [], []
    for done, (path, genre) in enumerate(files, start=1):
        mean = _Mean(manifest)
        try:
            analyze_file(FileSource(str(path), clock), classifiers, chosen, clock, mean)
        except OverheardError as error:
            skipped.append(SkippedFile(str(path.relative_to(folder)), str(error)))
        else:
            if mean.probabilities is None:
                reason = f"no window is audible: all are below {chosen.silence.silence_dbfs:g} dBFS"
                skipped.append(SkippedFile(str(path.relative_to(folder)), reason))
            else:
                answers.append(mean.probabilities)
                truth.append(genre)
        advance(done, len(files))
    if not answers:
        first = f"; the first, {skipped[0].file}: {skipped[0].reason}" if skipped else ""
        raise EvaluationError(f"{folder} holds no sound to judge by; {len(skipped)} files skipped{first}")
    return Predictions(np.stack(answers), np.array(truth, dtype=np.int64), tuple(skipped))


def find_files(folder: Path, labels: Sequence[str]) -> tuple[list[tuple[Path, int]], list[SkippedFile]]:
    """List the files below each genre's folder with the genre's number, in order of name.

    Hidden files and folders, such as those that file managers leave, are passed over. Files beside the
    genres' folders are skipped.

    Raises
    ------
    EvaluationError
        No such folder, or a folder in it that is no genre.
    """
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise EvaluationError(f"cannot read the folder {folder}: {error.strerror}") from error
    genres = [entry for entry in entries if entry.is_dir()]
    numbers = {entry: genre_number(labels, entry.name) for entry in genres}
    unknown = [repr(entry.name) for entry in genres if numbers[entry] is None]
    if unknown:
        raise EvaluationError(
            f"{folder} has folders that are no genre of this model: {', '.join(unknown)}; "
            f"there are {', '.join(labels)}"
        )
    files = [
        (path, number) for entry, number in numbers.items() if number is not None for path in _below(entry)
    ]
    beside = [
        SkippedFile(entry.name, "lies in no genre's folder, so that its genre is not known")
        for entry in entries
        if entry not in numbers
    ]
    return files, beside


def _below(folder: Path) -> Iterator[Path]:
    """Files in a folder and in those below it, hidden ones left out."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names) if not name.startswith("."))
