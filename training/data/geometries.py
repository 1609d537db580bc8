"""The two pictures that training draws, in the geometry of GTZAN's two published arrays."""

from __future__ import annotations

from typing import Final

from models.spectrogram.spec import AudioSpec

ROW_BREAK_HZ: Final = 1000.0
"""Rows of 128 pooled ones then begin at 20 Hz, the finest that the arrays hold, and end at 210 Hz."""

FINE: Final = AudioSpec(row_break_hz=ROW_BREAK_HZ)
"""As ``stft_first5s``: 2,048 samples every 1,920, all of the sound at 10.8 Hz a bin."""

COARSE: Final = AudioSpec(
    n_fft=256, column_step=1_334, columns=83, hop_columns=8, window="tukey", row_break_hz=ROW_BREAK_HZ
)
"""As ``stft_full30s``: one picked frame of 256 samples every 60.5 ms, at 86 Hz a bin."""


STORED_SHAPES = {(544, 57): "fine", (129, 496): "coarse"}
"""Rows and columns of the published arrays, and the picture each of them is."""


GEOMETRIES: Final = {"fine": FINE, "coarse": COARSE}
