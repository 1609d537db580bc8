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
    """How one window's decibels become 0..1.

    Two anchors are read in the band that every source shares (telephone, radio and lossy codecs
    keep 4 kHz): in each column the loudest row and the ``quantile`` of the rows; the median of each
    over the columns makes one click or a short gap harmless. White is the upper anchor; black lies
    ``reach`` times the distance of the anchors below it. Both anchors move with gain, so the picture
    does not. Measured against twelve other scalings; the README's section on the picture has them.
    """

    band_hz: float = 4000.0
    quantile: float = 0.25
    reach: float = 2.0

    def __post_init__(self) -> None:
        """Refuse anchors that cannot be read.

        Raises
        ------
        ValueError
            A number out of range.
        """
        if not (self.band_hz > 0 and 0 <= self.quantile < 1 and self.reach > 0):
            raise ValueError(
                f"scaling by quantile {self.quantile} below {self.band_hz} Hz with reach {self.reach}; "
                "band and reach must be above 0, the quantile in 0..1"
            )


@dataclass(frozen=True, slots=True)
class AudioSpec:
    """The geometry of a model's input; the manifest carries one, and it is the only definition.

    ``column_step`` and ``n_fft`` are samples at ``sample_rate``; ``columns`` is one window's number
    of STFT columns and ``hop_columns`` how many of them one update moves on by default. A step longer
    than ``n_fft`` leaves sound out between columns. ``window`` is "hann", or "tukey" (SciPy's default
    for spectrograms: 0.25 tapered, each column's mean taken out). Rows are evenly spaced in frequency
    with ``row_break_hz`` 0; else they are nearly even below that frequency and in octaves above.
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
        """Refuse a geometry that this module cannot draw.

        Raises
        ------
        ValueError
            A number that is not positive, or an unknown window or colormap.
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
        """Samples that one picture needs: 109,568 (4.97 s) with the defaults."""
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
    """Symmetric Hann window, (length,) float32, as matplotlib's ``specgram`` uses for GTZAN's arrays."""
    window = np.hanning(length).astype(np.float32)
    window.flags.writeable = False
    return window


@lru_cache(maxsize=8)
def tukey_window(length: int) -> Floats:
    """Periodic Tukey window, an eighth of it tapered at each end: ``scipy.signal.spectrogram``'s default."""
    ramp = np.minimum(np.arange(length), length - np.arange(length)) / (length / 8)
    window = (0.5 - 0.5 * np.cos(np.pi * np.minimum(ramp, 1))).astype(np.float32)
    window.flags.writeable = False
    return window


WINDOWS = {"hann": hann_window, "tukey": tukey_window}
"""Window functions by the name that ``AudioSpec.window`` gives them."""
