"""Geometries of the spectrograms that GTZAN's data set publishes as byte arrays of decibels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.spectrogram.spec import AudioSpec

SAMPLE_RATE: Final = 22_050
"""Hz of the audio that the arrays were computed from."""


@dataclass(frozen=True, slots=True)
class StoredGeometry:
    """Shape of the array of one track.

    Attributes
    ----------
    name : str
        Key of the geometry in a manifest's metrics.
    rows : int
        Frequencies, evenly spaced from 0 Hz to 11,025 Hz.
    columns : int
        Points in time.
    column_step : int
        Samples from one column to the next.
    whole : bool
        True if a track is one window. Otherwise windows are cut from the track.
    """

    name: str
    rows: int
    columns: int
    column_step: int
    whole: bool

    def fits(self, spec: AudioSpec) -> bool:
        """Return True if windows of a model's geometry can be cut from a track."""
        fills = spec.columns == self.columns if self.whole else spec.columns <= self.columns
        return fills and (spec.sample_rate, spec.column_step) == (SAMPLE_RATE, self.column_step)

    def starts(self, spec: AudioSpec) -> range:
        """Return the first columns of the windows, which overlap by half."""
        return range(0, self.columns - spec.columns + 1, max(1, spec.columns // 2))


STORED_GEOMETRIES: Final = (
    StoredGeometry("fine", rows=544, columns=57, column_step=1_920, whole=True),
    StoredGeometry("coarse", rows=129, columns=496, column_step=1_334, whole=False),
)
"""GTZAN's published arrays ``stft_first5s`` and ``stft_full30s``."""
