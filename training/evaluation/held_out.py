"""Evaluation of a converted model on recordings that were held out: other artists' music, and non-music."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.manifest import Calibration
from models.metrics import Floats, Labels, compute_scores
from models.spectrogram.spec import AudioSpec
from models.spectrogram.stft import band_edges
from training.data.augmentation import Intensities, window_intensities
from training.data.corpus import Corpus, Entry
from training.data.eval_sets import EvalSet, recording_eval_set, render_images
from training.data.geometries import COARSE, GEOMETRIES, LIVE
from training.data.gtzan import LABELS
from training.data.partitions import Partition, out_of_domain_tracks
from training.data.targets import split_blocks
from training.data.teacher_classes import GENRE_TAGS, LISTENER_TAGS
from training.evaluation.predictions import Predictions
from training.export import tflite

SHARED_BANDWIDTH_HZ: Final = 4_000.0
"""Bandwidth that all recordings have. Above it, old speech differs from music by bandwidth alone."""

FEWEST_OF_GENRE: Final = 5
"""Tracks from which a genre counts in a macro recall."""


def out_of_domain_scores(
    corpus: Corpus, partition: Partition, content: bytes, geometry: str, calibration: Calibration
) -> dict[str, dict[str, Any]]:
    """Score music by held-out artists over all windows of a track, by source.

    Returns
    -------
    dict
        By source: ``tracks``, ``accuracy``, ``macro_recall`` over the genres that have ``FEWEST_OF_GENRE``
        tracks, ``recall`` and ``confusion`` by genre, and ``confident``, the share of tracks whose
        confidence reaches the threshold, with ``accuracy_when_confident``. ``musicnn`` and
        ``same_tracks`` score musicnn and the model on the tracks of the genres that musicnn's tags name, if
        the cache has the teachers' values. Empty if the corpus has no such music.
    """
    scores = {}
    entries = out_of_domain_tracks(corpus, partition.train)
    for source in sorted({entry.source for entry in entries}):
        own = [entry for entry in entries if entry.source == source]
        eval_set = recording_eval_set(corpus, own, LABELS, GEOMETRIES[geometry])
        logits = tflite.run_model(content, render_images(eval_set.intensities))
        predictions = Predictions(logits, eval_set)
        means = predictions.track_means(calibration.temperature)
        scores[source] = _score_source(means, eval_set.labels) | _score_confident(
            means, eval_set.labels, calibration.unsure_below
        )
        named = np.array(
            [entry.genre in GENRE_TAGS and len(corpus.windows(entry).embeddings) > 0 for entry in own]
        )
        if named.any():
            kept = [entry for entry, is_named in zip(own, named, strict=True) if is_named]
            tags = np.stack([musicnn_genres(corpus.windows(entry).embeddings) for entry in kept])
            labels = eval_set.labels[named]
            scores[source]["same_tracks"] = _score_source(means[named], labels)
            scores[source]["musicnn"] = _score_source(tags, labels)
    return scores


def musicnn_genres(values: npt.NDArray[np.floating]) -> Floats:
    """Score the genres of one track by musicnn's tags alone, as a peer to compare with.

    Parameters
    ----------
    values : (windows, EMBEDDING_SIZE)
        Of the teachers, not standardized.

    Returns
    -------
    (genres,) float64
        The highest mean probability among the tags that name a genre. They sum to 1.
    """
    logits = split_blocks(values)["musicnn_tags"].astype(np.float64)
    means = (1 / (1 + np.exp(-logits))).mean(axis=0)
    scores = np.array(
        [
            max((means[LISTENER_TAGS.index(tag)] for tag in GENRE_TAGS.get(genre, ())), default=0.0)
            for genre in LABELS
        ]
    )
    result: Floats = scores / max(scores.sum(), 1e-9)
    return result


def _score_source(means: Floats, labels: Labels) -> dict[str, Any]:
    scores = compute_scores(means, labels)
    counts = np.bincount(labels, minlength=len(LABELS))
    counted = [i for i in range(len(LABELS)) if counts[i] >= FEWEST_OF_GENRE] or list(set(labels.tolist()))
    return {
        "tracks": len(labels),
        "accuracy": round(scores.accuracy, 4),
        "macro_recall": round(float(np.mean([scores.recall[i] for i in counted])), 4),
        "macro_genres": [LABELS[i] for i in counted],
        "recall": {LABELS[i]: round(float(scores.recall[i]), 4) for i in np.flatnonzero(counts)},
        "confusion": [list(row) for row in scores.confusion],
    }


def _score_confident(means: Floats, labels: Labels, threshold: float) -> dict[str, Any]:
    right, confident = means.argmax(axis=1) == labels, means.max(axis=1) >= threshold
    return {
        "confident": round(float(confident.mean()), 4),
        "accuracy_when_confident": round(float(right[confident].mean()), 4) if confident.any() else None,
    }


def non_music_scores(
    corpus: Corpus, partition: Partition, content: bytes, geometry: str, calibration: Calibration
) -> dict[str, Any]:
    """Measure how often held-out recordings are classified as music, by kind of sound.

    ``share`` of music is the share of its windows that are classified as music. ``share`` of other sounds
    is the share of windows that are classified as music and get a genre with confidence. Both are means
    over clips. Before scaling, every window is limited to the band below ``SHARED_BANDWIDTH_HZ``, so that
    no kind differs by the bandwidth of its recordings. ``share_as_recorded`` is measured without that
    limit.
    """
    spec = GEOMETRIES[geometry]
    held_out = corpus.select(lambda e: e.is_held_out)
    test = partition.test_recordings if spec is LIVE else partition.test
    kinds = [(entry.origin, entry) for entry in held_out]
    kinds += [("music, GTZAN's test part", entry) for entry in test]
    music = [e for e in out_of_domain_tracks(corpus, partition.train) if e not in held_out]
    kinds += [("music, artists kept for checking", entry) for entry in music]
    shares: dict[str, list[tuple[float, float]]] = {}
    for kind, entry in kinds:
        columns = _clean_columns(corpus, entry, spec)
        if len(columns):
            limited, recorded = (
                _positive_share(
                    [window_intensities(each, spec) for each in windows], entry.music, content, calibration
                )
                for windows in (np.stack([limit_bandwidth(each, spec) for each in columns]), columns)
            )
            shares.setdefault(kind, []).append((limited, recorded))
    return {
        kind: {
            "clips": len(values),
            "share": round(float(np.mean([limited for limited, _ in values])), 4),
            "share_as_recorded": round(float(np.mean([recorded for _, recorded in values])), 4),
        }
        for kind, values in sorted(shares.items())
    }


def _clean_columns(corpus: Corpus, entry: Entry, spec: AudioSpec) -> Intensities:
    """Return the clean columns of every window of a track in one geometry, (windows, columns, 256)."""
    windows = corpus.windows(entry)
    stored = windows.in_geometry(spec)[:, 0]
    if spec is COARSE and not len(stored) and len(windows.long):
        starts = range(0, len(windows.long) - spec.columns + 1, spec.columns)
        stored = np.array([windows.long[start : start + spec.columns] for start in starts])
    return stored


def limit_bandwidth(columns: Intensities, spec: AudioSpec) -> Intensities:
    """Set all bands above ``SHARED_BANDWIDTH_HZ`` to the minimum of one window's columns, (n, 256)."""
    first = int(np.searchsorted(band_edges(spec)[1:], SHARED_BANDWIDTH_HZ / (spec.sample_rate / 2), "right"))
    result = columns.copy()
    result[:, first:] = columns.min()
    return result


def _positive_share(
    images: list[Intensities], is_music: bool, content: bytes, calibration: Calibration
) -> float:
    """Return the share of one clip's windows that ``non_music_scores`` counts."""
    intensities = np.stack(images)
    logits = tflite.run_model(content, render_images(intensities))
    no_labels = np.zeros(len(logits), np.int64)
    predictions = Predictions(logits, EvalSet(intensities, no_labels, no_labels[:1]))
    music = predictions.music_probability >= (calibration.music_above or 0)
    confidence = predictions.probabilities(calibration.temperature).max(axis=1)
    return float((music if is_music else music & (confidence >= calibration.unsure_below)).mean())
