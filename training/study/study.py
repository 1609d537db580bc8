"""Reproduction of the published study's table, and a test of its claim.

The study reports an accuracy of 0.55 for one network on one split, and 0.71 for the same network under
10-fold cross-validation. Cross-validation measures a model and cannot improve it, so either the split or
the folds mislead. Both are repeated here, beside a procedure that would mislead: one model carried from
fold to fold, which from the second fold on is tested on tracks that it was trained on.

The study's briefing states neither epochs nor learning rate, and 30 s a track where the stored arrays have
5 s. A training here uses Keras' default Adam on plain features, without a validation part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from models.metrics import compute_scores
from training.data.gtzan import LABELS
from training.data.splits import Split, artist_folds, artist_leakage, random_folds
from training.parallel import SEQUENTIAL, Executor
from training.study.features import FeatureSet
from training.study.fold_training import FoldResult, StudyPlan, train_carried, train_fresh, train_test_pairs

StudyResults = dict[str, Any]
"""Result of ``run_study`` or ``summarize``, ready for JSON."""

PUBLISHED_TABLE: dict[str, tuple[float, ...]] = {
    "TL+CNN": (0.49, 0.87, 0.36, 0.39, 0.55, 0.68, 0.61, 0.76, 0.35, 0.26, 0.53),
    "TL+CNN+GRU": (0.52, 0.88, 0.49, 0.51, 0.54, 0.66, 0.67, 0.66, 0.33, 0.04, 0.55),
    "TL+CNN+GRU+10-FCV": (0.74, 0.92, 0.68, 0.56, 0.69, 0.75, 0.84, 0.68, 0.69, 0.50, 0.71),
}
"""The study's table: F1 of each of ``LABELS``, then the accuracy."""

PUBLISHED_ACCURACY = PUBLISHED_TABLE["TL+CNN+GRU+10-FCV"][-1]

SPLIT_CNN = "80/20 split, TL+CNN"
SPLIT = "80/20 split"
FOLDS = "folds, fresh models"
BY_ARTIST = "artist folds, fresh models"
CARRIED = "one model carried through the folds"
"""Procedures. All but the first train TL+CNN+GRU."""


def summarize(
    name: str, data: FeatureSet, results: Sequence[FoldResult], epochs: Sequence[int]
) -> StudyResults:
    """Score results, each after its own number of epochs, counted from 1.

    Returns
    -------
    dict
        Accuracy and F1 as mean and population deviation over results, with an F1 of 0 for a genre without
        test tracks; ``confusion`` summed over results, one row per true genre; ``trained_on_test``, the
        share of test tracks that the model was trained on before its test; ``artist_in_training``, the
        share of test tracks whose artist it was trained on.
    """
    scores = [
        compute_scores(np.eye(len(LABELS))[result.predicted[number - 1]], data.labels[result.test])
        for result, number in zip(results, epochs, strict=True)
    ]
    accuracies, f1 = [s.accuracy for s in scores], np.nan_to_num([s.f1 for s in scores])
    nothing = np.array([], dtype=np.int64)
    leaks = [artist_leakage(data.tracks, Split("", r.trained, nothing, r.test)) for r in results]
    return {
        "procedure": name,
        "epochs": sorted(set(epochs)),
        "accuracy": round(float(np.mean(accuracies)), 4),
        "deviation": round(float(np.std(accuracies)), 4),
        "runs": [round(accuracy, 4) for accuracy in accuracies],
        "f1": dict(zip(LABELS, f1.mean(axis=0).round(3).tolist(), strict=True)),
        "f1_deviation": dict(zip(LABELS, f1.std(axis=0).round(3).tolist(), strict=True)),
        "confusion": np.sum([s.confusion for s in scores], axis=0).tolist(),
        "trained_on_test": round(float(np.mean([np.isin(r.test, r.trained).mean() for r in results])), 4),
        "artist_in_training": round(float(np.mean(leaks)), 4),
    }


def run_study(data: FeatureSet, plan: StudyPlan, executor: Executor = SEQUENTIAL) -> StudyResults:
    """Train and test every procedure. ``executor`` runs the fresh models.

    Returns
    -------
    dict
        ``procedures`` from ``summarize``; ``epochs_nearest_published``, the number of epochs after which
        the 80/20 split is closest to the study's; ``fresh_by_epoch``, mean accuracies; ``equal_training``,
        the carried model on its first folds beside fresh models with as many epochs in total.
    """
    fresh = _train_all_fresh(data, plan, executor)
    by_epoch = {
        kind: [float(np.mean([r.accuracy(data, e) for r in results])) for e in range(plan.epochs)]
        for kind, results in fresh.items()
    }
    nearest = {
        name: 1 + int(np.argmin([abs(accuracy - PUBLISHED_TABLE[name][-1]) for accuracy in by_epoch[kind]]))
        for name, kind in (("TL+CNN", SPLIT_CNN), ("TL+CNN+GRU", SPLIT))
    }
    compared = sorted({*plan.carried_epochs, *nearest.values(), plan.epochs})
    procedures = [
        summarize(kind, data, results, [number] * len(results))
        for kind, results in fresh.items()
        for number in compared
    ]
    folds = fresh[FOLDS]
    best = [1 + int(np.argmax([result.accuracy(data, e) for e in range(plan.epochs)])) for result in folds]
    procedures.append(summarize(FOLDS + ", epoch chosen on the test fold", data, folds, best))
    carried, equal_training = _train_all_carried(data, plan, folds, nearest["TL+CNN+GRU"])
    rows = (*LABELS, "accuracy")
    per_genre = np.bincount(data.labels, minlength=len(LABELS)).tolist()
    return {
        "published": {name: dict(zip(rows, row, strict=True)) for name, row in PUBLISHED_TABLE.items()},
        "plan": asdict(plan),
        "tracks": len(data.tracks),
        "tracks_per_genre": dict(zip(LABELS, per_genre, strict=True)),
        "epochs_nearest_published": nearest,
        "fresh_by_epoch": {k: [round(accuracy, 4) for accuracy in row] for k, row in by_epoch.items()},
        "procedures": [*procedures, *carried],
        "equal_training": equal_training,
    }


def _train_all_fresh(data: FeatureSet, plan: StudyPlan, executor: Executor) -> dict[str, list[FoldResult]]:
    """Train a fresh model for every split and fold, by procedure."""
    tracks, seed, gru = data.tracks, plan.seeds[0], plan.cnn_gru
    splits = [train_test_pairs(random_folds(tracks, seed=s, folds=5))[0] for s in plan.seeds]  # 80/20
    folds = train_test_pairs(random_folds(tracks, folds=plan.folds, seed=seed))
    by_artist = train_test_pairs(artist_folds(tracks, folds=plan.artist_folds, seed=seed))
    return {
        SPLIT_CNN: train_fresh(plan.cnn, data, splits, plan, plan.seeds, executor),
        SPLIT: train_fresh(gru, data, splits, plan, plan.seeds, executor),
        FOLDS: train_fresh(gru, data, folds, plan, [seed] * len(folds), executor),
        BY_ARTIST: train_fresh(gru, data, by_artist, plan, [seed] * len(by_artist), executor),
    }


def _train_all_carried(
    data: FeatureSet, plan: StudyPlan, fresh: Sequence[FoldResult], nearest: int
) -> tuple[list[StudyResults], list[StudyResults]]:
    """Carry one model through the folds of ``fresh`` for several numbers of epochs.

    Returns
    -------
    list of dict, list of dict
        Summaries of the procedures, and ``equal_training`` of ``run_study``.
    """
    pairs = [(result.train, result.test) for result in fresh]
    procedures: list[StudyResults] = []
    equal_training: list[StudyResults] = []
    for epochs, keep in [*((n, True) for n in sorted({*plan.carried_epochs, nearest})), (nearest, False)]:
        name = CARRIED + ("" if keep else ", new optimizer for each fold")
        results, on_every_track = train_carried(plan.cnn_gru, data, pairs, epochs, plan, keep_optimizer=keep)
        summary = summarize(name, data, results, [epochs] * len(results))
        summary["last_model_on_every_track"] = round(on_every_track, 4)
        procedures += [summary, summarize(name + ", last fold only", data, results[-1:], [epochs])]
        steps = min(len(pairs), plan.epochs // epochs)
        if keep and steps > 1:
            longer = [fresh[k].accuracy(data, epochs * (k + 1) - 1) for k in range(steps)]
            carried = [result.accuracy(data, -1) for result in results[:steps]]
            equal_training.append({"epochs": epochs, "steps": steps, "fresh": longer, "carried": carried})
    return procedures, equal_training
