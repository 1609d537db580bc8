"""Reader of GTZAN's track table and its published spectrogram arrays.

GTZAN's recordings (Tzanetakis and Cook, 2002) have no copyright clearance. This project therefore contains
neither the recordings nor their arrays. The command line names a folder that holds them.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from models.spectrogram.image import image_from_columns
from models.spectrogram.spec import AudioSpec
from models.spectrogram.stft import to_bands
from training.errors import DataError

LABELS = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
"""GTZAN's ten genres in its own spelling. Every network's logits have this order."""

TABLE_FILE = "tracks.csv"
FINE_ARRAYS_FILE = "stft_first5s.npz"
COARSE_ARRAYS_FILE = "stft_full30s.npz"
SPLIT_PARTS = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class GtzanTrack:
    """One row of the track table.

    Attributes
    ----------
    artist : str
        Artist from Sturm's index of GTZAN, or empty if unknown.
    part : str
        ``train``, ``valid`` or ``test`` of the fault-filtered split (Kereliuk, Sturm and Larsen, 2015), or
        empty.
    duplicate_of : str
        Track that this track repeats, or empty.
    """

    track_id: str
    genre: str
    artist: str
    part: str
    duplicate_of: str

    @classmethod
    def from_row(cls, row: dict[str, str]) -> Self:
        """Parse and check one row of the table.

        Raises
        ------
        DataError
            If a column is missing, or if the genre or the part is unknown.
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
        """Index of the genre in ``LABELS``."""
        return LABELS.index(self.genre)


@dataclass(frozen=True, slots=True)
class Gtzan:
    """Tracks and their spectrograms, in the same order.

    Attributes
    ----------
    tracks : tuple of GtzanTrack
    db_u8 : (n, 544, 57) uint8, read-only
        Decibels of the first 5 s of each track, scaled over the track to 0..255. Row 0 is the lowest
        frequency. A column covers 1,920 samples at 22,050 Hz.
    """

    tracks: tuple[GtzanTrack, ...]
    db_u8: npt.NDArray[np.uint8]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the table and the arrays. Tracks without an array are left out.

        Raises
        ------
        DataError
            If the folder or a file in it is missing or damaged.
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
        """Index of each track's genre in ``LABELS``, (n,) int64."""
        return np.array([track.label for track in self.tracks], dtype=np.int64)

    def image(self, index: int, spec: AudioSpec) -> npt.NDArray[np.uint8]:
        """Compute one track's spectrogram image with the function of the live path.

        Returns
        -------
        (image_size, image_size, 3) uint8
        """
        return image_from_columns(to_bands(self.db_u8[index].T, spec), spec)

    def digest(self) -> str:
        """Return the SHA-256 of the track names and the arrays."""
        digest = hashlib.sha256("\n".join(track.track_id for track in self.tracks).encode())
        digest.update(self.db_u8.tobytes())
        return digest.hexdigest()
