"""Score a model on stored spectrograms (``overheard evaluate spectrograms``)."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from models.classifier import GenreClassifier
from models.common.text import format_count
from models.manifest import ModelManifest
from models.spectrogram.image import image_from_columns
from models.spectrogram.spec import AudioSpec
from models.spectrogram.stft import to_bands
from models.spectrogram.stored import SAMPLE_RATE, STORED_GEOMETRIES, StoredGeometry
from realtime.evaluation.scorecard import Advance, Predictions
from realtime.evaluation.tables import EvaluationError, find_genre_index, read_table


@dataclass(frozen=True, slots=True)
class StoredTracks:
    """Stored spectrograms, one for each track.

    Attributes
    ----------
    names : tuple of str
        The n names of the tracks.
    labels : ndarray, shape (n,), int64
        Indices of the true genres.
    db_u8 : ndarray, shape (n, rows, columns), uint8
        Decibels on any affine scale, with the lowest frequency in row 0.
    geometry : StoredGeometry
        Geometry of the spectrograms.
    """

    names: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    db_u8: npt.NDArray[np.uint8]
    geometry: StoredGeometry

    def images(self, spec: AudioSpec) -> Iterator[list[npt.NDArray[np.uint8]]]:
        """Yield the images of the windows of each track."""
        for stored in self.db_u8:
            columns = to_bands(stored.T, spec)  # (geometry.columns, image_size)
            starts = self.geometry.starts(spec)
            yield [image_from_columns(columns[start : start + spec.columns], spec) for start in starts]

    @classmethod
    def load(cls, path: Path, labels: Sequence[str]) -> Self:
        """Read ``track_id`` and ``db_u8`` from an ``.npz`` file.

        Parameters
        ----------
        labels : sequence of str
            Genres of the model. Each ``track_id`` begins with one of them and a dot.

        Raises
        ------
        EvaluationError
            If the file cannot be read, if its arrays have another shape or type, or if a track has an
            unknown genre.
        """
        track_ids, db_u8 = _read_arrays(path)
        shapes = " or ".join(f"(n, {geometry.rows}, {geometry.columns})" for geometry in STORED_GEOMETRIES)
        geometry = next(
            (
                geometry
                for geometry in STORED_GEOMETRIES
                if db_u8.shape[1:] == (geometry.rows, geometry.columns)
            ),
            None,
        )
        if geometry is None or db_u8.dtype != np.uint8:
            raise EvaluationError(
                f"db_u8 in {path} is {db_u8.shape} {db_u8.dtype}; spectrograms are {shapes} uint8"
            )
        if track_ids.shape != db_u8.shape[:1] or track_ids.dtype.kind != "U":
            raise EvaluationError(
                f"track_id in {path} is {track_ids.shape} {track_ids.dtype}; "
                f"it must hold a text such as blues.00012 for each of the {len(db_u8)} spectrograms"
            )
        if not len(db_u8):
            raise EvaluationError(f"{path} holds no tracks (n is 0)")
        indices = [find_genre_index(labels, track_id.partition(".")[0]) for track_id in track_ids.tolist()]
        unknown = [track_ids[row] for row, index in enumerate(indices) if index is None]
        if unknown:
            raise EvaluationError(
                f"{len(unknown)} of {len(indices)} tracks in {path} have no genre of this model, the first "
                f"is {str(unknown[0])!r}; the text before the first dot must be one of {', '.join(labels)}"
            )
        return cls(tuple(track_ids.tolist()), np.array(indices, dtype=np.int64), db_u8, geometry)

    def select(self, selected: Container[str]) -> Self:
        """Return the tracks whose names are in ``selected``."""
        rows = [row for row, name in enumerate(self.names) if name in selected]
        names = tuple(self.names[row] for row in rows)
        return replace(self, names=names, labels=self.labels[rows], db_u8=self.db_u8[rows])


def default_split_table(path: Path) -> Path:
    """Return the path of the split table beside an ``.npz`` file."""
    return path.with_name("tracks.csv")


def read_split(table: Path, split: str, columns: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """Read the rows of one split from the column ``fault_filtered_split``.

    Parameters
    ----------
    columns : sequence of str
        Further columns that the table must have.

    Returns
    -------
    dict
        Rows of the split by ``track_id``.

    Raises
    ------
    EvaluationError
        If the table cannot be read, lacks a column, or has no such split.
    """
    rows = read_table(table, ("track_id", "fault_filtered_split", *columns))
    splits = sorted({row["fault_filtered_split"] for row in rows} - {""})
    if split not in splits:
        raise EvaluationError(
            f"{table} has no split {split!r}; its splits are {', '.join(splits) or 'not given'}"
        )
    return {row["track_id"]: row for row in rows if row["fault_filtered_split"] == split}


def load_split(path: Path, labels: Sequence[str], split: str | None, table: Path | None) -> StoredTracks:
    """Load all tracks of an ``.npz`` file, or the tracks of one split.

    Parameters
    ----------
    split : str or None
        Split to load, or None for all tracks.
    table : Path or None
        CSV with ``track_id`` and ``fault_filtered_split``, or None for ``tracks.csv`` beside the file.

    Raises
    ------
    EvaluationError
        If the file or the table cannot be used, if a table is given without a split, or if the file holds
        no track of the split.
    """
    if split is None:
        if table is not None:
            raise EvaluationError(f"--split-table {table} assigns tracks to splits; give --split too")
        return StoredTracks.load(path, labels)
    table = table or default_split_table(path)
    rows = read_split(table, split)
    tracks = StoredTracks.load(path, labels)
    selected = tracks.select(rows)
    if not selected.names:
        raise EvaluationError(
            f"none of {format_count(len(rows), 'track')} of split {split!r} in {table} is among the "
            f"{format_count(len(tracks.names), 'track')} in {path}; their track_id must be the same"
        )
    return selected


def _read_arrays(path: Path) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.uint8]]:
    try:
        with path.open("rb") as file:  # NumPy does not close a damaged file by itself
            arrays = np.load(file)
            if not isinstance(arrays, np.lib.npyio.NpzFile):
                raise EvaluationError(
                    f"{path} is not an .npz file but a single array; save track_id and db_u8 with savez"
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
        raise EvaluationError(f"{path} is damaged or not an .npz file of plain arrays: {error}") from error


def find_spec(geometry: StoredGeometry, manifest: ModelManifest) -> AudioSpec:
    """Return the first geometry of the model whose windows can be cut from stored spectrograms.

    Raises
    ------
    EvaluationError
        If no geometry of the model fits the spectrograms.
    """
    specs = (manifest.audio, *manifest.also_reads)
    for spec in specs:
        if geometry.fits(spec):
            return spec
    windows = " or ".join(f"{spec.columns} columns every {spec.column_step} samples" for spec in specs)
    limit = "exactly" if geometry.whole else "at most"
    raise EvaluationError(
        f"{manifest.name} {manifest.version} reads windows of {windows}; spectrograms of (n, "
        f"{geometry.rows}, {geometry.columns}) hold columns every {geometry.column_step} samples at "
        f"{SAMPLE_RATE} Hz and need a model that reads {limit} {geometry.columns} of them"
    )


def score_spectrograms(
    tracks: StoredTracks, classifier: GenreClassifier, advance: Advance = lambda done, total: None
) -> Predictions:
    """Predict the genre of each track from the mean over its windows, and from the first window alone.

    Windows that the model classifies as non-music are included, which the live path ignores.

    Parameters
    ----------
    advance : callable
        Called with the number of tracks done and the number of all tracks.

    Returns
    -------
    Predictions
        One row per track. ``first_windows`` is None if each track is a single window.

    Raises
    ------
    EvaluationError
        If no geometry of the model fits these spectrograms.
    """
    spec = find_spec(tracks.geometry, classifier.manifest)
    means, firsts = np.zeros((2, len(tracks.labels), len(classifier.manifest.labels)))
    for row, images in enumerate(tracks.images(spec)):
        windows = np.stack([classifier.predict(image).probabilities for image in images])
        means[row], firsts[row] = windows.mean(axis=0), windows[0]
        advance(row + 1, len(tracks.labels))
    return Predictions(means, tracks.labels, first_windows=None if tracks.geometry.whole else firsts)
