"""Sets of unaugmented images to evaluate a network on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.common.text import format_count
from models.spectrogram.image import colormap
from models.spectrogram.spec import AudioSpec
from training.data.augmentation import Intensities, window_intensities
from training.data.corpus import Corpus, Entry
from training.data.geometries import COARSE, FINE
from training.errors import DataError


@dataclass(frozen=True, slots=True)
class EvalSet:
    """Images of the windows of some tracks, and the tracks' labels.

    Attributes
    ----------
    intensities : (n, 256, 256) uint8
    track : (n,) int64
        Index of the track that each window belongs to.
    labels : (tracks,) int64
    """

    intensities: Intensities
    track: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]


def array_eval_set(
    corpus: Corpus,
    entries: Sequence[Entry],
    labels: Sequence[str],
    spec: AudioSpec,
    *,
    hop: int = COARSE.columns // 2,
) -> EvalSet:
    """Build a set from GTZAN's arrays. Tracks without the array of ``spec`` are left out.

    Parameters
    ----------
    spec : AudioSpec
        ``FINE`` takes the first 5 s of a track, ``COARSE`` windows of its 30 s.
    hop : int
        Columns from one coarse window to the next.

    Raises
    ------
    DataError
        If no track has the array.
    """
    intensities: list[Intensities] = []
    track: list[int] = []
    truth: list[int] = []
    for entry in entries:
        stored = corpus.windows(entry)
        windows: list[npt.NDArray[np.uint8]] = []
        if spec is FINE and len(stored.fine):
            windows = [stored.fine[0, 0]]
        elif spec is COARSE and len(stored.long):
            starts = range(0, len(stored.long) - spec.columns + 1, hop)
            windows = [stored.long[start : start + spec.columns] for start in starts]
        if windows:
            intensities += [window_intensities(columns, spec) for columns in windows]
            track += [len(truth)] * len(windows)
            truth.append(list(labels).index(entry.genre))
    if not intensities:
        raise DataError(
            f"none of {format_count(len(entries), 'track')} has columns every {spec.column_step} samples; "
            "prepare a cache from both stft_first5s.npz and stft_full30s.npz"
        )
    return EvalSet(np.stack(intensities), np.array(track), np.array(truth))


def recording_eval_set(
    corpus: Corpus,
    entries: Sequence[Entry],
    labels: Sequence[str],
    spec: AudioSpec,
    *,
    most: int | None = None,
    version: int = 0,
) -> EvalSet:
    """Build a set from the windows of recordings in one geometry.

    Parameters
    ----------
    most : int, optional
        Windows of a track to take at most, from its beginning.
    version : int
        0 for the clean windows, 1 for the degraded ones.
    """
    intensities, track, truth = [], [], []
    for number, entry in enumerate(entries):
        windows = corpus.windows(entry)
        stored = windows.in_geometry(spec)[:most]
        intensities += [window_intensities(columns, spec) for columns in stored[:, version]]
        track += [number] * len(stored)
        truth.append(list(labels).index(entry.genre))
    return EvalSet(np.stack(intensities), np.array(track), np.array(truth))


def render_images(intensities: Intensities) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield color images one by one, (256, 256, 3) uint8, as the runtime takes them."""
    return (colormap()[image] for image in intensities)
