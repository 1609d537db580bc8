"""Synthetic audio, which is the same on every machine."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


def tone(hz: float, seconds: float, rate: int = 22_050, amplitude: float = 0.3) -> Samples:
    """Return a sine with weak noise, (n,) float32."""
    n = round(seconds * rate)
    sine = amplitude * np.sin(2 * np.pi * hz * np.arange(n) / rate)
    return (sine + 0.003 * noise(n)).astype(np.float32)


def noise(n: int) -> npt.NDArray[np.float64]:
    """Return uniform noise in -1..1, (n,). NumPy never changes the raw output of a bit generator."""
    return np.random.PCG64(1).random_raw(n) / 2.0**63 - 1


def programme(rate: int = 22_050) -> Samples:
    """Return 12 s each of a low, a middle and a high tone, which are genres of ``LoudestRowClassifier``."""
    return np.concatenate([tone(hz, 12, rate) for hz in (300, 5_500, 9_500)])


def write(path: Path, samples: npt.NDArray[np.floating], rate: int, codec: str = "pcm_s16le") -> Path:
    """Encode (n,) or (n, channels) samples to a file whose suffix selects the container."""
    channels = samples.reshape(len(samples), -1).astype(np.float32)
    layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[channels.shape[1]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        for start in range(0, len(channels), 1024):
            part = channels[start : start + 1024].reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(part, format="flt", layout=layout)
            frame.sample_rate = rate
            frame.pts = start
            frame.time_base = Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
