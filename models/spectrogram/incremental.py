"""Compute the spectrogram columns of overlapping windows once each."""

from __future__ import annotations

import numpy as np

from models.spectrogram.image import check_window
from models.spectrogram.spec import AudioSpec, Floats
from models.spectrogram.stft import band_columns


class IncrementalSpectrogram:
    """Spectrogram of overlapping windows. Each window computes only the columns that are new in it.

    An object must be used for one stream and on one thread at a time.
    """

    def __init__(self, spec: AudioSpec) -> None:
        self.spec = spec
        self._columns: Floats | None = None
        self._position = 0

    def update(self, samples: Floats, position: int, *, continuous: bool = True) -> Floats:
        """Return the columns of a window, equal to ``band_columns(samples, spec)``.

        Parameters
        ----------
        samples : (window_samples,) float32
        position : int
            Stream position of ``samples[0]``.
        continuous : bool
            False if the sound may differ from the previous window at the positions that both share, as after
            a gap. Every column is then computed anew.

        Returns
        -------
        (columns, image_size) float32 dB, read-only by contract

        Raises
        ------
        ValueError
            If the window has another length.
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
