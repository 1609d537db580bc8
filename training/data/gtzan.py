"""GTZAN as training reads it: one record a track, and the stored spectrograms of their starts.

The recordings (Tzanetakis and Cook, 2002) have no copyright clearance, so none of them, and no
array of them, is part of this project; a folder with them is named on the command line.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.spectrogram.image import image_from_columns
from models.spectrogram.spec import AudioSpec
from models.spectrogram.stft import to_bands
from training.errors import DataError

LABELS = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
"""GTZAN's ten genres in its own spelling; the order of every network's output."""

TABLE_FILE = "tracks.csv"
FINE_ARRAYS_FILE = "stft_first5s.npz"
SPLIT_PARTS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class GtzanTrack:
    """One row of the table.

    ``artist`` is as Sturm's index of GTZAN has it, empty where unknown. ``part`` is ``train``,
    ``valid``, ``test`` or empty: the fault-filtered split of Kereliuk, Sturm and Larsen (2015).
    ``duplicate_of`` names the track that this one repeats, or is empty.
    """

    track_id: str
    genre: str
    artist: str
    part: str
    duplicate_of: str

    @classmethod
    def from_row(cls, row: dict[str, str]) -> Self:
        """Check and read one row of the table.

        Raises
        ------
        DataError
            A column is missing, or the genre or part is unknown.
        """
        try:
            track = cls(
                row["track_id"], row["genre"], row["artist"], row["fault_filtered_split"], row["duplicate_of"]
            )
        except KeyError as error:
            raise DataError(f"{TABLE_FILE} lacks the column {error}; take the published table") from error
        if track.genre not in LABELS or track.part not in ("", *SPLIT_PARTS):
            raise DataError(
                f"{track.track_id} in {TABLE_FILE} has genre {track.genre!r} and part {track.part!r}; "
                f"known are {', '.join(LABELS)} and {', '.join(SPLIT_PARTS)}"
            )
        return track

    @property
    def label(self) -> int:
        """Position of the genre in ``LABELS``."""
        return LABELS.index(self.genre)


@dataclass(frozen=True, slots=True)
class Gtzan:
    """Tracks and, in the same order, their spectrograms.

    ``db_u8`` is (n, 544, 57) uint8, read-only: decibels of the first 5 s of each track, min-max
    scaled over the track to 0..255, lowest frequency in row 0, one column every 1,920 samples at
    22,050 Hz.
    """

    tracks: tuple[GtzanTrack, ...]
    db_u8: npt.NDArray[np.uint8]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the table and the arrays; tracks without an array are left out.

        Raises
        ------
        DataError
            The folder or a file in it is missing or damaged.
        """
        for path in (folder, folder / TABLE_FILE, folder / FINE_ARRAYS_FILE):
            if not path.exists():
                raise DataError(
                    f"{path} does not exist; --gtzan names a folder with {TABLE_FILE} and {FINE_ARRAYS_FILE}"
                )
        with (folder / TABLE_FILE).open(encoding="utf-8", newline="") as table:
            listed = {row["track_id"]: GtzanTrack.from_row(row) for row in csv.DictReader(table)}
        try:
            with np.load(folder / FINE_ARRAYS_FILE) as arrays:
                track_ids, db_u8 = arrays["track_id"].tolist(), arrays["db_u8"]
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"cannot read {folder / FINE_ARRAYS_FILE}: {error}; copy the file again"
            ) from error
        known = [row for row, track_id in enumerate(track_ids) if track_id in listed]
        if not known:
            raise DataError(
                f"{TABLE_FILE} and {FINE_ARRAYS_FILE} in {folder} share no track; take both from one source"
            )
        db_u8 = db_u8[known]
        db_u8.flags.writeable = False
        return cls(tuple(listed[track_ids[row]] for row in known), db_u8)

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Position of each track's genre in ``LABELS``, (n,) int64."""
        return np.array([track.label for track in self.tracks], dtype=np.int64)

    def picture(self, index: int, spec: AudioSpec) -> npt.NDArray[np.uint8]:
        """Draw one track's picture exactly as the live path does.

        Returns
        -------
        (image_size, image_size, 3) uint8
        """
        return image_from_columns(to_bands(self.db_u8[index].T, spec), spec)

    def digest(self) -> str:
        """SHA-256 over the track names and the arrays."""
        digest = hashlib.sha256("\n".join(track.track_id for track in self.tracks).encode())
        digest.update(self.db_u8.tobytes())
        return digest.hexdigest()


def counts(tracks: tuple[GtzanTrack, ...]) -> dict[str, Any]:
    """How many tracks there are in all and in each part of the fault-filtered split."""
    return {"tracks": len(tracks), **{part: sum(t.part == part for t in tracks) for part in SPLIT_PARTS}}
