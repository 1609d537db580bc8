"""The one picture function: sound in, a (256, 256, 3) spectrogram picture out.

Training draws its pictures here and so does the live path, so the two cannot drift apart.
The steps are public because the training arrays enter half way (they are in decibels
already) and because each is held against a reference in the tests::

    samples -> stft -> decibels -> reduce_rows -> scale -> colour

Up to ``reduce_rows`` every column depends on its own 2,048 samples only, so ``models.column_stream``
keeps the columns that two overlapping windows share and still draws the identical picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

ROUNDING_POWER = 1 / 32768**2 / 12
"""Variance of rounding to 16 bits: uniform over one step of 1/32768.

The window passes the sum of its squares of it (767.6 for 2,048 Hann), and that much is added to
every bin before the logarithm. GTZAN is 16-bit audio; a float stream has no such floor, and its
empty bins would lie deeper than any a network has seen.
"""


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


def stft(samples: Floats, spec: AudioSpec) -> npt.NDArray[np.complex64]:
    """Short-time Fourier transform on the column grid, nothing padded.

    Parameters
    ----------
    samples : (n,) float32 in [-1, 1]
        Column ``c`` covers ``samples[c * column_step : c * column_step + n_fft]``.

    Returns
    -------
    (columns, bins) complex64
        Equal to ``librosa.stft(center=False).T`` with ``hann_window`` passed explicitly.

    Raises
    ------
    ValueError
        Fewer than ``n_fft`` samples.
    """
    if samples.ndim != 1 or len(samples) < spec.n_fft:
        raise ValueError(f"samples of shape {samples.shape}; need one axis of at least {spec.n_fft}")
    count, stride = 1 + (len(samples) - spec.n_fft) // spec.column_step, samples.strides[0]
    frames = np.lib.stride_tricks.as_strided(
        samples, (count, spec.n_fft), (spec.column_step * stride, stride), writeable=False
    )
    if spec.window == "tukey":
        frames = frames - frames.mean(axis=1, keepdims=True)
    windowed = frames * WINDOWS[spec.window](spec.n_fft)  # (columns, n_fft)
    spectrum = np.fft.rfft(windowed, axis=1)  # NumPy 1 computes in float64, NumPy 2 in float32
    return spectrum.astype(np.complex64, copy=False)


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


def decibels(spectrum: npt.NDArray[np.complex64], spec: AudioSpec) -> Floats:
    """Power in dB over the rounding floor, same shape as ``spectrum``, float32."""
    power = spectrum.real**2 + spectrum.imag**2
    power += _power_floor(spec.window, spec.n_fft)
    result: Floats = np.log(power, out=power)  # NumPy vectorises log, not log10: 5 times faster
    result *= np.float32(10 / np.log(10))
    return result


@lru_cache(maxsize=8)
def _power_floor(window: str, n_fft: int) -> np.float32:
    return np.float32(np.sum(WINDOWS[window](n_fft) ** 2) * ROUNDING_POWER)


@lru_cache(maxsize=8)
def row_edges(spec: AudioSpec) -> npt.NDArray[np.float64]:
    """Edges of the picture's rows, (image_size + 1,) float64 ascending from 0 (0 Hz) to 1 (Nyquist).

    With a break ``b`` the edge at share ``x`` of the height is ``b ((1 + nyquist / b)**x - 1)`` Hz:
    the form of the mel scale, whose break is 700 Hz.
    """
    share = np.arange(spec.image_size + 1) / spec.image_size
    if spec.row_break_hz:
        ratio = spec.sample_rate / 2 / spec.row_break_hz
        share = ((1 + ratio) ** share - 1) / ratio
    share.flags.writeable = False
    return share


def average_rows(columns: npt.NDArray[np.floating | np.uint8], edges: npt.NDArray[np.float64]) -> Floats:
    """Average neighbouring frequencies by area.

    The running sum over frequency is read at the edges; a fractional edge takes its share of the bin
    it falls in, and a row that is narrower than a bin gets that bin's value.

    Parameters
    ----------
    columns : (columns, n) any real dtype
        Lowest frequency first, evenly spaced.
    edges : (rows + 1,) float64
        Ascending shares of the band, 0 to 1.

    Returns
    -------
    (columns, rows) float32
    """
    n = columns.shape[1]
    whole, part, widths = _places(np.asarray(edges, np.float64).tobytes(), n)
    running = np.zeros((len(columns), n + 1))  # float64: float32 would lose 0.01 dB by the last row
    np.cumsum(columns, axis=1, dtype=np.float64, out=running[:, 1:])
    at_edges = running.take(whole, axis=1) + part * columns.take(whole, axis=1)  # (columns, rows + 1)
    averaged: Floats = ((at_edges[:, 1:] - at_edges[:, :-1]) / widths).astype(np.float32)
    return averaged


@lru_cache(maxsize=32)
def _places(edges: bytes, n: int) -> tuple[npt.NDArray[np.intp], Doubles, Doubles]:
    """Of float64 edges among ``n`` bins: the bin each falls in, its place there, and the rows' widths."""
    position = np.frombuffer(edges) * n
    whole = np.minimum(position.astype(np.intp), n - 1)
    return whole, position - whole, np.diff(position)


def reduce_rows(columns: npt.NDArray[np.floating | np.uint8], spec: AudioSpec) -> Floats:
    """Average frequencies into the picture's rows; live bins and stored rows go through alike.

    (columns, n) decibels of any real dtype, as ``average_rows`` takes them -> (columns, image_size) float32.
    """
    return average_rows(columns, row_edges(spec))


def scale(reduced: Floats, spec: AudioSpec) -> Floats:
    """Scale one window's decibels to 0..1, clipped; see ``Scaling``.

    Parameters
    ----------
    reduced : (columns, rows) float32
        In any affine measure of decibels, so that arrays stored as bytes work too.

    Returns
    -------
    (columns, rows) float32
        All zero when the window is flat, as digital silence is.
    """
    rule = spec.scaling
    band = np.sort(reduced[:, : _rows_in_band(spec)], axis=1)
    lower = _median(band[:, int(rule.quantile * (band.shape[1] - 1))])
    upper = _median(band[:, -1])
    reach = np.float32(rule.reach * (upper - lower))
    if reach <= 0:
        return np.zeros_like(reduced)
    scaled: Floats = np.clip((reduced - (upper - reach)) / reach, np.float32(0), np.float32(1))
    return scaled


@lru_cache(maxsize=8)
def _rows_in_band(spec: AudioSpec) -> int:
    edges = row_edges(spec)
    centres = (edges[1:] + edges[:-1]) / 2
    return max(1, int(np.searchsorted(centres, spec.scaling.band_hz / (spec.sample_rate / 2))))


def _median(values: Floats) -> np.float32:
    """NumPy's own takes six times as long for so few."""
    ordered, half = np.sort(values), len(values) // 2
    return np.float32(ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2)


def brightness(scaled: Floats, spec: AudioSpec) -> Bytes:
    """Stretch a scaled window's time axis linearly to the picture's width.

    Parameters
    ----------
    scaled : (columns, image_size) float32 in 0..1
        Oldest column first, lowest frequency first.

    Returns
    -------
    (image_size, image_size) uint8
        Row 0 is the highest frequency, column 0 the oldest: places in the colormap.
    """
    left, right, share = _stretch(scaled.shape[0], spec.image_size)
    before = scaled[left]
    stretched = scaled[right]  # (image_size, rows)
    stretched -= before
    stretched *= share
    stretched += before
    stretched *= np.float32(255)
    stretched += np.float32(0.5)
    return stretched.astype(np.uint8).T[::-1]


def colour(scaled: Floats, spec: AudioSpec) -> Bytes:
    """Paint what ``brightness`` gives: (columns, image_size) -> (image_size, image_size, 3) uint8."""
    # Four bytes a pixel are looked up at once and three kept: half the time of looking up three.
    looked_up = _colormap_words().take(brightness(scaled, spec))
    pixels = looked_up.view(np.uint8).reshape(*looked_up.shape, 4)
    picture = np.empty((*looked_up.shape, 3), np.uint8)
    for channel in range(3):
        picture[..., channel] = pixels[..., channel]
    return picture


@lru_cache(maxsize=8)
def _stretch(columns: int, size: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """Neighbours and weights that resize ``columns`` to ``size`` pixels, pixel centres aligned."""
    centres = np.clip((np.arange(size) + 0.5) * columns / size - 0.5, 0, columns - 1)
    left = centres.astype(np.intp)
    right = np.minimum(left + 1, columns - 1)
    return left, right, (centres - left).astype(np.float32)[:, np.newaxis]


@lru_cache(maxsize=1)
def colormap() -> Bytes:
    """Inferno, (256, 3) uint8 RGB (Nathaniel Smith and Stefan van der Walt, CC0)."""
    table = np.frombuffer((files("models") / "inferno.rgb").read_bytes(), dtype=np.uint8)
    return table.reshape(256, 3)


@lru_cache(maxsize=1)
def _colormap_words() -> npt.NDArray[np.uint32]:
    return np.pad(colormap(), ((0, 0), (0, 1))).view(np.uint32)[:, 0]


def columns_of(samples: Floats, spec: AudioSpec) -> Floats:
    """Columns of sound ready to be scaled: (columns, image_size) float32 dB, lowest frequency first."""
    return reduce_rows(decibels(stft(samples, spec), spec), spec)


def picture_of_columns(reduced: Floats, spec: AudioSpec) -> Bytes:
    """Picture of one window's reduced columns, (columns, image_size) -> (image_size, image_size, 3)."""
    return colour(scale(reduced, spec), spec)


def draw(samples: Floats, spec: AudioSpec) -> Bytes:
    """Draw the picture of exactly one window of sound.

    Parameters
    ----------
    samples : (window_samples,) float32 in [-1, 1] at ``spec.sample_rate``

    Returns
    -------
    (image_size, image_size, 3) uint8

    Raises
    ------
    ValueError
        Another number of samples.
    """
    check_window(samples, spec)
    return picture_of_columns(columns_of(samples, spec), spec)


def check_window(samples: Floats, spec: AudioSpec) -> None:
    """Raise ValueError unless ``samples`` are exactly one window."""
    if samples.shape != (spec.window_samples,):
        raise ValueError(
            f"a picture needs exactly {spec.window_samples} samples "
            f"({spec.window_seconds:.2f} s at {spec.sample_rate} Hz); got shape {samples.shape}"
        )
