"""Audio parameters of the classifier's input: rates, windows, bands and scaling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Scaling:
    """Mapping of one window's decibels to 0..1.

    Two anchors are read in the band that every source has: telephone, radio and lossy codecs keep 4 kHz. The
    upper anchor is the loudest row of each column, the lower one the ``quantile`` of its rows. The median of
    each over the columns makes one click or a short gap harmless. White is the upper anchor. Black lies
    ``reach`` times the distance between the anchors below white. Both anchors move with the volume, so the
    image does not change with it. This scaling was measured against twelve others.
    """

    band_hz: float = 4000.0
    quantile: float = 0.25
    reach: float = 2.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises
        ------
        ValueError
            If a number is out of range.
        """
        if not (self.band_hz > 0 and 0 <= self.quantile < 1 and self.reach > 0):
            raise ValueError(
                f"scaling by quantile {self.quantile} below {self.band_hz} Hz with reach {self.reach}; "
                "band and reach must be above 0, the quantile in 0..1"
            )


@dataclass(frozen=True, slots=True)
class AudioSpec:
    """Geometry of a model's input. The model's manifest is its only definition.

    Attributes
    ----------
    sample_rate : int
        Hz.
    n_fft, column_step : int
        Samples in one STFT column, and between the beginnings of two. If the step is longer than ``n_fft``,
        the sound between columns is left out.
    columns, hop_columns : int
        STFT columns of one window, and columns from one window to the next by default.
    image_size : int
        Pixels of the image's side.
    row_break_hz : float
        0: rows are evenly spaced in frequency. Otherwise rows are nearly even below this frequency and
        logarithmic above.
    window : str
        "hann", or "tukey": SciPy's default for spectrograms, with 0.25 tapered and the mean of each column
        subtracted.
    colormap : str
        "inferno".
    scaling : Scaling
    """

    sample_rate: int = 22_050
    n_fft: int = 2_048
    column_step: int = 1_920
    columns: int = 57
    hop_columns: int = 6
    image_size: int = 256
    row_break_hz: float = 0.0
    window: str = "hann"
    colormap: str = "inferno"
    scaling: Scaling = Scaling()

    def __post_init__(self) -> None:
        """Check the values.

        Raises
        ------
        ValueError
            If a number is not positive, or if the window or the colormap is unknown.
        """
        for name in ("sample_rate", "n_fft", "column_step", "columns", "hop_columns", "image_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not 0 <= self.row_break_hz < self.sample_rate / 2:
            raise ValueError(
                f"row_break_hz is {self.row_break_hz:g}; it must be 0 or more and "
                f"below {self.sample_rate / 2:g}, half of the sample rate"
            )
        if self.window not in WINDOWS or self.colormap != "inferno":
            raise ValueError(
                f"window {self.window!r} with colormap {self.colormap!r} is unknown; "
                "this version draws 'hann' or 'tukey' with 'inferno'"
            )

    @property
    def window_samples(self) -> int:
        """Samples of one window: 109,568 (4.97 s) with the defaults."""
        return self.n_fft + (self.columns - 1) * self.column_step

    @property
    def window_seconds(self) -> float:
        """Length of one window in seconds."""
        return self.window_samples / self.sample_rate

    @property
    def bins(self) -> int:
        """Frequency bins of one STFT column, 0 Hz and Nyquist included."""
        return self.n_fft // 2 + 1


@lru_cache(maxsize=8)
def hann_window(length: int) -> Floats:
    """Return the symmetric Hann window, (length,) float32.

    matplotlib's ``specgram``, and therefore GTZAN's arrays, use this window.
    """
    window = np.hanning(length).astype(np.float32)
    window.flags.writeable = False
    return window


@lru_cache(maxsize=8)
def tukey_window(length: int) -> Floats:
    """Return the default window of ``scipy.signal.spectrogram``, (length,) float32.

    It is a periodic Tukey window with an eighth tapered at each end.
    """
    ramp = np.minimum(np.arange(length), length - np.arange(length)) / (length / 8)
    window = (0.5 - 0.5 * np.cos(np.pi * np.minimum(ramp, 1))).astype(np.float32)
    window.flags.writeable = False
    return window


WINDOWS = {"hann": hann_window, "tukey": tukey_window}
"""Window functions by their names in ``AudioSpec.window``."""
