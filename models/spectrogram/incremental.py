"""Columns of windows that overlap, each computed once."""

from __future__ import annotations

import numpy as np

from models.spectrogram.image import check_window
from models.spectrogram.spec import AudioSpec, Floats
from models.spectrogram.stft import band_columns


class IncrementalSpectrogram:
    """Columns of windows that overlap: each window computes only those that the last one lacked.

    Not thread-safe; one per stream.
    """

    def __init__(self, spec: AudioSpec) -> None:
        self.spec = spec
        self._columns: Floats | None = None
        self._position = 0

    def update(self, samples: Floats, position: int, *, continuous: bool = True) -> Floats:
        """Columns of this window, the same as ``columns_of(samples, spec)``.

        Parameters
        ----------
        samples : (window_samples,) float32
        position : int
            Stream position of ``samples[0]``.
        continuous : bool
            False when what this window shares with the last one by position may be other sound,
            as after a gap; every column is then computed anew.

        Returns
        -------
        (columns, image_size) float32 dB, read-only by contract

        Raises
        ------
        ValueError
            A window of another length.
        """
        spec = self.spec
        check_window(samples, spec)
        moved, off_grid = divmod(position - self._position, spec.column_step)
        if self._columns is None or not continuous or off_grid or not 0 <= moved < spec.columns:
            self._columns = band_columns(samples, spec)
        elif moved:
            fresh = band_columns(samples[(spec.columns - moved) * spec.column_step :], spec)
            self._columns = np.concatenate([self._columns[moved:], fresh])
        self._position = position
        return self._columns
