"""``overheard evaluate spectrograms``: score a model on stored spectrograms."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from models.classifier import GenreClassifier
from models.manifest import ModelManifest
from models.spectrogram.image import image_from_columns
from models.spectrogram.spec import AudioSpec
from models.spectrogram.stft import to_bands
from models.spectrogram.stored import SAMPLE_RATE, STORED_GEOMETRIES, StoredGeometry
from realtime.evaluation.scorecard import Advance, Predictions, genre_number
from realtime.evaluation.tables import EvaluationError, read_table


@dataclass(frozen=True, slots=True)
class StoredTracks:
    """Spectrograms by track: ``names`` n, ``labels`` (n,) int64, ``db_u8`` (n, rows, columns) uint8.

    Decibels in any affine measure, lowest frequency in row 0; ``form`` is theirs.
    """

    names: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    db_u8: npt.NDArray[np.uint8]
    form: StoredGeometry

    @classmethod
    def load(cls, path: Path, labels: Sequence[str]) -> Self:
        """Read ``track_id`` and ``db_u8`` from an ``.npz``.

        Parameters
        ----------
        labels : sequence of str
            Genres that there may be.

        Raises
        ------
        EvaluationError
            No such file, other arrays than these, or a track of no known genre.
        """
        track_ids, db_u8 = _read(path)
        shapes = " or ".join(f"(n, {form.rows}, {form.columns})" for form in STORED_GEOMETRIES)
        form = next(
            (form for form in STORED_GEOMETRIES if db_u8.shape[1:] == (form.rows, form.columns)), None
        )
        if form is None or db_u8.dtype != np.uint8:
            raise EvaluationError(
                f"db_u8 in {path} is {db_u8.shape} {db_u8.dtype}; pictures are {shapes} uint8"
            )
        if track_ids.shape != db_u8.shape[:1] or track_ids.dtype.kind != "U":
            raise EvaluationError(
                f"track_id in {path} is {track_ids.shape} {track_ids.dtype}; "
                f"it must hold a text such as blues.00012 for each of the {len(db_u8)} pictures"
            )
        if not len(db_u8):
            raise EvaluationError(f"{path} holds no tracks (n is 0)")
        numbers = [genre_number(labels, track_id.partition(".")[0]) for track_id in track_ids.tolist()]
        unknown = [track_ids[row] for row, number in enumerate(numbers) if number is None]
        if unknown:
            raise EvaluationError(
                f"{len(unknown)} of {len(numbers)} tracks in {path} are of no genre of this model, first "
                f"{str(unknown[0])!r}; before the first dot stands one of {', '.join(labels)}"
            )
        return cls(tuple(track_ids.tolist()), np.array(numbers, dtype=np.int64), db_u8, form)

    def only(self, chosen: Container[str]) -> Self:
        """Those of the tracks that have these names."""
        rows = [row for row, name in enumerate(self.names) if name in chosen]
        names = tuple(self.names[row] for row in rows)
        return replace(self, names=names, labels=self.labels[rows], db_u8=self.db_u8[rows])


def find_table(pictures: Path) -> Path:
    """Where the table of an ``.npz`` lies if nobody says otherwise."""
    return pictures.with_name("tracks.csv")


def read_split(table: Path, part: str, columns: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """Rows by ``track_id`` of one part of the split in ``fault_filtered_split``.

    Parameters
    ----------
    columns : sequence of str
        What the table must have besides.

    Raises
    ------
    EvaluationError
        A table that cannot be read, lacks a column or has no such part.
    """
    rows = read_table(table, ("track_id", "fault_filtered_split", *columns))
    parts = sorted({row["fault_filtered_split"] for row in rows} - {""})
    if part not in parts:
        raise EvaluationError(f"{table} has no split {part!r}; there are {', '.join(parts) or 'none'}")
    return {row["track_id"]: row for row in rows if row["fault_filtered_split"] == part}


def load_split(pictures: Path, labels: Sequence[str], part: str | None, table: Path | None) -> StoredTracks:
    """The tracks of an ``.npz``, or those of one part of them.

    Parameters
    ----------
    table : Path or None
        CSV with ``track_id`` and ``fault_filtered_split``; None for the one beside the pictures.

    Raises
    ------
    EvaluationError
        As ``StoredTracks.load`` and ``part_of``, a table without a part, or a part without pictures.
    """
    if part is None:
        if table is not None:
            raise EvaluationError(f"--split-table {table} assigns tracks to splits; give --split too")
        return StoredTracks.load(pictures, labels)
    listed = table or find_table(pictures)
    wanted = read_split(listed, part)
    tracks = StoredTracks.load(pictures, labels)
    chosen = tracks.only(wanted)
    if not chosen.names:
        raise EvaluationError(
            f"none of the {len(wanted)} tracks of split {part!r} in {listed} is among the "
            f"{len(tracks.names)} of {pictures}; their track_id must be the same"
        )
    return chosen


def _read(path: Path) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.uint8]]:
    try:
        with path.open("rb") as file:  # NumPy leaves a damaged one open
            arrays = np.load(file)
            if not isinstance(arrays, np.lib.npyio.NpzFile):
                raise EvaluationError(
                    f"{path} is no .npz but a single array; save track_id and db_u8 with savez"
                )
            missing = [name for name in ("track_id", "db_u8") if name not in arrays]
            if missing:
                raise EvaluationError(
                    f"{path} lacks {' and '.join(missing)}; it holds {', '.join(arrays.files) or 'nothing'}"
                )
            return arrays["track_id"], arrays["db_u8"]
    except OSError as error:
        raise EvaluationError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise EvaluationError(f"{path} is no .npz file of plain arrays, or is damaged: {error}") from error


def geometry_for(form: StoredGeometry, manifest: ModelManifest) -> AudioSpec:
    """The model's geometry whose windows can be cut from this form, the first if there are several.

    Raises
    ------
    EvaluationError
        There is none.
    """
    geometries = (manifest.audio, *manifest.also_reads)
    for spec in geometries:
        if form.fits(spec):
            return spec
    reads = " or ".join(f"{spec.columns} columns every {spec.column_step} samples" for spec in geometries)
    takes = "exactly" if form.whole else "at most"
    raise EvaluationError(
        f"{manifest.name} {manifest.version} reads windows of {reads}; pictures of (n, {form.rows}, "
        f"{form.columns}) hold columns every {form.column_step} samples at {SAMPLE_RATE} Hz and need a model "
        f"that reads {takes} {form.columns} of them"
    )


def score_spectrograms(
    tracks: StoredTracks, classifier: GenreClassifier, advance: Advance = lambda done, total: None
) -> Predictions:
    """Ask the model about each track: the mean over its windows, and where it has several the first.

    Windows that the model calls no music count like any other, unlike live, where they are passed over.

    Raises
    ------
    EvaluationError
        None of the model's geometries can be cut from these pictures.
    """
    spec = geometry_for(tracks.form, classifier.manifest)
    starts = tracks.form.starts(spec)
    shape = len(starts), len(classifier.manifest.labels)
    answers, firsts = np.zeros((2, len(tracks.labels), shape[1]))
    for row, stored in enumerate(tracks.db_u8):
        columns = to_bands(stored.T, spec)  # (form.columns, image_size)
        windows = np.zeros(shape)
        for window, start in enumerate(starts):
            picture = image_from_columns(columns[start : start + spec.columns], spec)
            windows[window] = classifier.predict(picture).probabilities
        answers[row], firsts[row] = windows.mean(axis=0), windows[0]
        advance(row + 1, len(tracks.labels))
    return Predictions(answers, tracks.labels, first_windows=None if tracks.form.whole else firsts)
