"""Score a model on audio files, which are analyzed like by ``overheard analyze``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.classifier import GenreClassifier
from models.common.text import format_count
from models.errors import OverheardError
from models.manifest import ModelManifest
from realtime.clock import Clock
from realtime.config import Settings
from realtime.evaluation.scorecard import Advance, Predictions
from realtime.evaluation.tables import EvaluationError, SkippedFile, describe_first, find_genre_index
from realtime.pipeline.analyzer import Analysis
from realtime.pipeline.music_average import MusicAverage
from realtime.pipeline.offline import Record, analyze_file
from realtime.protocol.messages import EstimateMessage
from realtime.sources.file import FileSource


class MusicMean:
    """Report for ``analyze_file`` that averages the music windows of a file, or all windows without music.

    A file without a prediction would not count in the score. A model could then raise its score by
    classifying files as non-music.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        self.music = MusicAverage(manifest)
        self._all = MusicAverage(manifest, music_above=0.0)

    def estimate(self, analysis: Analysis, message: EstimateMessage) -> None:
        """Add the prediction of one window."""
        self.music.add(analysis.prediction)
        self._all.add(analysis.prediction)

    def summary(self, summary: Record) -> None:
        """Ignore the summary, because its figures are rounded."""

    @property
    def average(self) -> MusicAverage:
        """Mean over the windows of music, or over all windows if none is music."""
        return self.music if self.music.windows else self._all

    @property
    def probabilities(self) -> npt.NDArray[np.float64] | None:
        """Mean probabilities, (genres,) float64, or None if no window was classified."""
        return self.average.probabilities if self.average.windows else None


def score_folder(
    folder: Path,
    classifiers: Sequence[GenreClassifier],
    settings: Settings,
    clock: Clock,
    advance: Advance = lambda done, total: None,
) -> Predictions:
    """Predict the genre of every file as the unsmoothed mean over its music windows.

    If the model finds no music in a file, all windows are averaged.

    Parameters
    ----------
    classifiers : sequence of GenreClassifier
        Classifiers of the same model. Each is used by one thread at a time.
    advance : callable
        Called after each file with the number of files done and the number of all files.

    Returns
    -------
    Predictions
        One row per file. Files without a prediction are in ``skipped``.

    Raises
    ------
    EvaluationError
        If ``folder`` cannot be read, if a folder in it is not named after a genre of the model, or if no
        file has a prediction.
    """
    manifest = classifiers[0].manifest
    files, skipped = find_files(folder, manifest.labels)
    predictions, truth = [], []
    for done, (path, genre) in enumerate(files, start=1):
        mean = MusicMean(manifest)
        try:
            analyze_file(FileSource(str(path), clock), classifiers, settings, clock, mean)
        except OverheardError as error:
            skipped.append(SkippedFile(str(path.relative_to(folder)), str(error)))
        else:
            if mean.probabilities is None:
                reason = f"no window is audible: all are below {settings.silence.silence_dbfs:g} dBFS"
                skipped.append(SkippedFile(str(path.relative_to(folder)), reason))
            else:
                predictions.append(mean.probabilities)
                truth.append(genre)
        advance(done, len(files))
    if not predictions:
        raise EvaluationError(
            f"{folder} has no audio that can be scored; "
            f"{format_count(len(skipped), 'file')} skipped{describe_first(skipped)}"
        )
    return Predictions(np.stack(predictions), np.array(truth, dtype=np.int64), tuple(skipped))


def find_files(folder: Path, labels: Sequence[str]) -> tuple[list[tuple[Path, int]], list[SkippedFile]]:
    """List the files below each genre's folder with the index of the genre, sorted by name.

    Hidden files and folders, such as those that file managers create, are ignored. Files beside the
    genre folders are skipped.

    Returns
    -------
    files : list of (Path, int)
        Path and genre index of each file.
    skipped : list of SkippedFile
        Files beside the genre folders.

    Raises
    ------
    EvaluationError
        If ``folder`` cannot be read, or if a folder in it is not named after one of the labels.
    """
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise EvaluationError(f"cannot read the folder {folder}: {error.strerror}") from error
    genres = [entry for entry in entries if entry.is_dir()]
    indices = {entry: find_genre_index(labels, entry.name) for entry in genres}
    unknown = [repr(entry.name) for entry in genres if indices[entry] is None]
    if unknown:
        raise EvaluationError(
            f"{folder} has folders that are not named after a genre of this model: {', '.join(unknown)}; "
            f"the genres are {', '.join(labels)}"
        )
    files = [
        (path, index) for entry, index in indices.items() if index is not None for path in _walk_files(entry)
    ]
    skipped = [
        SkippedFile(entry.name, "is not in a genre folder, so its genre is unknown")
        for entry in entries
        if entry not in indices
    ]
    return files, skipped


def _walk_files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and its subfolders, sorted by name, without hidden files and folders."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))
