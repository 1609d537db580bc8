"""Unaugmented spectrogram images of tracks, to evaluate a network on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.spectrogram.image import colormap
from models.spectrogram.spec import AudioSpec
from training.data.augmentation import window_intensities
from training.data.batches import Intensities
from training.data.corpus import Corpus, Entry
from training.data.geometries import COARSE, FINE
from training.errors import DataError


@dataclass(frozen=True, slots=True)
class EvalSet:
    """Pictures of tracks, to score a network on: ``places`` (n, 256, 256) uint8, ``track`` (n,) int64
    which of the tracks each belongs to, ``labels`` (tracks,) int64.
    """

    places: Intensities
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
    """Unvaried pictures of GTZAN's arrays.

    With ``FINE`` a track's first 5 s; with ``COARSE`` windows of its 30 s, ``hop`` columns apart.
    Tracks that lack the array are left out.

    Raises
    ------
    DataError
        All lack it.
    """
    places: list[Intensities] = []
    track: list[int] = []
    truth: list[int] = []
    for entry in entries:
        windows = corpus.windows(entry)
        cut: list[npt.NDArray[np.uint8]] = []
        if spec is FINE and len(windows.fine):
            cut = [windows.fine[0, 0]]
        elif spec is COARSE and len(windows.long):
            starts = range(0, len(windows.long) - spec.columns + 1, hop)
            cut = [windows.long[start : start + spec.columns] for start in starts]
        if cut:
            places += [window_intensities(columns, spec) for columns in cut]
            track += [len(truth)] * len(cut)
            truth.append(list(labels).index(entry.genre))
    if not places:
        raise DataError(
            f"none of {len(entries)} tracks has columns every {spec.column_step} samples; "
            "prepare a cache from both stft_first5s.npz and stft_full30s.npz"
        )
    return EvalSet(np.stack(places), np.array(track), np.array(truth))


def recording_eval_set(
    corpus: Corpus, entries: Sequence[Entry], labels: Sequence[str], spec: AudioSpec, *, genre: str = ""
) -> EvalSet:
    """Unvaried pictures of recordings: every window, clean, in one geometry.

    Parameters
    ----------
    genre : str
        Stands for the genre of an entry that has none of ``labels``.
    """
    places, track, truth = [], [], []
    for number, entry in enumerate(entries):
        windows = corpus.windows(entry)
        stored = windows.fine if spec is FINE else windows.coarse
        places += [window_intensities(columns, spec) for columns in stored[:, 0]]
        track += [number] * len(stored)
        truth.append(list(labels).index(entry.genre if entry.genre in labels else genre))
    return EvalSet(np.stack(places), np.array(track), np.array(truth))


def render_images(places: Intensities) -> Iterator[npt.NDArray[np.uint8]]:
    """Pictures one by one, (256, 256, 3) uint8, as the converter and the runtime take them."""
    return (colormap()[one] for one in places)
