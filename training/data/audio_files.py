"""Decoding of audio files, and the artist from their tags."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.errors import OverheardError
from training.data.windows import SAMPLE_RATE


def decode(path: Path) -> npt.NDArray[np.float32]:
    """Mono samples of a file at ``SAMPLE_RATE``, (n,) float32.

    Raises
    ------
    OverheardError
        Nothing that FFmpeg can decode.
    """
    import av
    import av.error

    parts = []
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise OverheardError(f"{path} holds no audio stream")
            resampler = av.AudioResampler("fltp", "mono", SAMPLE_RATE)
            for packet in container.demux(audio=0):
                try:
                    frames = packet.decode()
                except av.error.FFmpegError:
                    continue  # a damaged packet; what else there is counts
                for frame in frames:
                    parts += [resampled.to_ndarray()[0] for resampled in resampler.resample(frame)]
            parts += [resampled.to_ndarray()[0] for resampled in resampler.resample(None)]
    except (av.error.FFmpegError, OSError) as error:
        raise OverheardError(f"{path} is no sound that FFmpeg can decode: {error}") from error
    if not parts:
        raise OverheardError(f"{path} holds no sound")
    return np.concatenate(parts).astype(np.float32)


def read_artist(path: Path) -> str:
    """Artist as the tags of a sound file name them; empty where they do not, or nothing can be read."""
    import av
    import av.error

    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            tags = dict(container.metadata)
            for stream in container.streams.audio[:1]:  # where Ogg has them
                tags |= stream.metadata
    except (av.error.FFmpegError, OSError):
        return ""
    return next((value.strip() for key, value in tags.items() if key.casefold() == "artist"), "")
