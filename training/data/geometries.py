"""The spectrogram geometries of training: one drawn from audio, and those of GTZAN's two published arrays."""

from __future__ import annotations

from typing import Final

from models.spectrogram.spec import AudioSpec
from models.spectrogram.stored import STORED_GEOMETRIES

ROW_BREAK_HZ: Final = 1000.0
"""Break frequency of the row spacing, Hz.

Rows pooled in pairs are then 20 Hz wide at the bottom, the finest resolution of the arrays, and 210 Hz at
the top.
"""

LIVE: Final = AudioSpec(n_fft=1_024, column_step=430, columns=256, hop_columns=27, row_break_hz=ROW_BREAK_HZ)
"""Geometry of images drawn from audio: 46 ms every 19.5 ms, at 21.5 Hz a bin. A window lasts 5.02 s."""

FINE: Final = AudioSpec(row_break_hz=ROW_BREAK_HZ)
"""Geometry of ``stft_first5s``: 2,048 samples every 1,920. All samples contribute, at 10.8 Hz a bin."""

COARSE: Final = AudioSpec(
    n_fft=256, column_step=1_334, columns=83, hop_columns=8, window="tukey", row_break_hz=ROW_BREAK_HZ
)
"""Geometry of ``stft_full30s``: one frame of 256 samples every 60.5 ms, at 86 Hz a bin."""

GEOMETRIES: Final = {"live": LIVE, "fine": FINE, "coarse": COARSE}
"""The geometries by name. The names are keys of the manifest's metrics."""

ARRAY_GEOMETRIES: Final = {"fine": FINE, "coarse": COARSE}
"""Those of the published arrays, which the protocols evaluate."""

STORED_SHAPES: Final = {(stored.rows, stored.columns): stored.name for stored in STORED_GEOMETRIES}
"""Rows and columns of one track in each published array, and the geometry of that array."""
