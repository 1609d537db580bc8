"""Geometries of the spectrograms that data sets publish as arrays of decibels in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.spectrogram.spec import AudioSpec

SAMPLE_RATE: Final = 22_050
"""Hz of the audio that the arrays were made of."""


@dataclass(frozen=True, slots=True)
class StoredGeometry:
    """Shape of one track: ``rows`` frequencies, evenly from 0 Hz to 11,025 Hz, by ``columns`` instants.

    Columns are ``column_step`` samples apart. With ``whole`` a track is one window, otherwise windows are
    cut from it. ``name`` is the key of the geometry in a manifest's metrics.
    """

    name: str
    rows: int
    columns: int
    column_step: int
    whole: bool

    def fits(self, spec: AudioSpec) -> bool:
        """Tell whether windows of a model's geometry can be cut from a track."""
        fills = spec.columns == self.columns if self.whole else spec.columns <= self.columns
        return fills and (spec.sample_rate, spec.column_step) == (SAMPLE_RATE, self.column_step)

    def starts(self, spec: AudioSpec) -> range:
        """Return the first columns of the windows; each window begins half a window after the one before."""
        return range(0, self.columns - spec.columns + 1, max(1, spec.columns // 2))


STORED_GEOMETRIES: Final = (
    StoredGeometry("fine", rows=544, columns=57, column_step=1_920, whole=True),
    StoredGeometry("coarse", rows=129, columns=496, column_step=1_334, whole=False),
)
"""GTZAN's published arrays ``stft_first5s`` and ``stft_full30s``."""
