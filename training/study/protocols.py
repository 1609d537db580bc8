"""The shipped network and its frozen backbone under the protocols, and the file of all protocol scores."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.common.paths import atomic_write
from models.errors import OverheardError
from models.metrics import Labels, compute_scores
from training.data import partitions, splits
from training.data.augmentation import Intensities, render
from training.data.corpus import Corpus
from training.data.eval_sets import array_eval_set
from training.data.geometries import ARRAY_GEOMETRIES, FINE
from training.data.gtzan import LABELS
from training.evaluation.predictions import Predictions, predict_logits
from training.evaluation.protocol_table import ProtocolScore
from training.finetuning.checkpoint import checkpoint_name, checkpoint_paths
from training.finetuning.recipe import FineTuningRecipe, TrainingRun
from training.finetuning.train import train
from training.networks.pretrained import DISTILLED_WEIGHTS, load_distilled_weights
from training.parallel import SEQUENTIAL, Executor

FINE_TUNED_NAME: Final = "distilled, fine-tuned, MobileNetV2+GRU (ships)"
FROZEN_NAME: Final = "distilled, frozen, logistic regression"

Accuracies = dict[str, dict[str, list[float]]]
"""Accuracy of first windows and of all windows of a track, by part (``valid``, ``test``) and geometry."""

_log = logging.getLogger(__name__)


def score_fine_tuned(
    corpus: Corpus,
    recipe: FineTuningRecipe,
    *,
    seeds: Sequence[int] = (0,),
    work: Path,
    backbone: Path = DISTILLED_WEIGHTS,
    executor: Executor = SEQUENTIAL,
) -> list[ProtocolScore]:
    """Score the shipped network under protocols (a), once per seed, and (b), once per fold.

    Each run takes minutes. Its result is kept in ``work`` and is not computed again. On a cluster, ``work``
    and the cache must be folders that all its computers share.
    """
    split = partitions.fault_filtered(corpus)
    runs = [TrainingRun(split, recipe, seed, backbone) for seed in seeds]
    runs += [TrainingRun(fold, recipe, seeds[0], backbone) for fold in partitions.artist_folds(corpus)]
    results: list[Accuracies] = executor.run(train_and_score, [(corpus, run, work) for run in runs])
    by_protocol = {"fault_filtered": results[: len(seeds)], "artist_folds": results[len(seeds) :]}
    return [
        ProtocolScore(
            protocol,
            f"{FINE_TUNED_NAME}, {geometry} geometry",
            tuple(result["test"][geometry][0] for result in of_protocol),
        )
        for geometry in ARRAY_GEOMETRIES
        for protocol, of_protocol in by_protocol.items()
    ]


def train_and_score(corpus: Corpus, run: TrainingRun, work: Path) -> Accuracies:
    """Train on one partition and measure the accuracies on its validation and test parts.

    The result is kept in ``work``. A run that was stopped continues from its checkpoint there.
    """
    name = checkpoint_name(corpus, run)
    done, checkpoint = work / f"{name}.json", work / f"{name}.checkpoint"
    if not done.exists():
        _log.info("%s: training on %d tracks", name, len(run.partition.train))
        network, _ = train(corpus, run, checkpoint=checkpoint)
        accuracies: Accuracies = {}
        for part, entries in (("valid", run.partition.valid), ("test", run.partition.test)):
            eval_sets = {
                g: array_eval_set(corpus, entries, LABELS, spec) for g, spec in ARRAY_GEOMETRIES.items()
            }
            accuracies[part] = {
                geometry: list(
                    Predictions(predict_logits(network, eval_set.intensities), eval_set).accuracies()
                )
                for geometry, eval_set in eval_sets.items()
            }
        with atomic_write(done) as file:
            file.write(json.dumps(accuracies).encode())
        for path in checkpoint_paths(checkpoint, run.recipe):
            path.unlink(missing_ok=True)
    accuracies = json.loads(done.read_text(encoding="utf-8"))
    for geometry, (first, track) in accuracies["test"].items():
        _log.info("%s, %s: accuracy %.3f, all windows %.3f", name, geometry, first, track)
    return accuracies


def read_protocol_records(path: Path) -> list[dict[str, Any]]:
    """Read the output of ``overheard train protocols --json``.

    Raises
    ------
    OverheardError
        If the file cannot be read or has other content.
    """
    remedy = "write it with overheard train protocols --json"
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OverheardError(f"cannot read {path}: {error}; {remedy}") from error
    if not isinstance(records, list):
        raise OverheardError(f"{path} holds a {type(records).__name__} instead of a list; {remedy}")
    for number, record in enumerate(records, 1):
        fields = record if isinstance(record, dict) else {}
        wrong = [key for key in ("protocol", "network") if not isinstance(fields.get(key), str)]
        wrong += [key for key in ("accuracy", "deviation") if not _is_share(fields.get(key))]
        if wrong:
            raise OverheardError(
                f"entry {number} of {len(records)} in {path} has no valid {', '.join(wrong)}; {remedy}"
            )
    return records


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def score_frozen(corpus: Corpus, backbone: Path) -> list[ProtocolScore]:
    """Score a logistic regression on the frozen backbone's features under all three protocols.

    The features are standardized by the training part. The regularization is chosen on the validation part.
    """
    entries = [e for e in partitions.array_entries(corpus) if len(corpus.windows(e).fine)]
    intensities = array_eval_set(corpus, entries, LABELS, FINE).intensities
    features = backbone_features(intensities, backbone)
    tracks = partitions.as_gtzan_tracks(entries)
    by_protocol = {
        "fault_filtered": [splits.fault_filtered(tracks)],
        "artist_folds": splits.artist_folds(tracks),
        "random_folds": splits.random_folds(tracks),
    }
    labels = np.array([track.label for track in tracks])
    return [
        ProtocolScore(
            protocol, FROZEN_NAME, tuple(_logistic_accuracy(features, labels, split) for split in of_protocol)
        )
        for protocol, of_protocol in by_protocol.items()
    ]


def backbone_features(intensities: Intensities, backbone: Path | None) -> npt.NDArray[np.float32]:
    """Compute the pooled features of images, not standardized, (n, 1424). None takes ImageNet's weights."""
    from training.networks.genre import build_backbone, build_pooled_features
    from training.networks.study import normalize

    features = build_backbone(imagenet=backbone is None)
    if backbone:
        load_distilled_weights(features, backbone)
    pooled = build_pooled_features(features)
    batches = (intensities[start : start + 64] for start in range(0, len(intensities), 64))
    return np.concatenate(
        [pooled(normalize(render(batch)), training=False).numpy().mean(axis=1) for batch in batches]
    )


def _logistic_accuracy(features: npt.NDArray[np.float32], labels: Labels, split: splits.Split) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit(features[split.train]).transform(features)
    fitted = [
        LogisticRegression(C=strength, max_iter=2_000).fit(scaled[split.train], labels[split.train])
        for strength in (1e-3, 1e-2, 1e-1)
    ]
    best = max(fitted, key=lambda model: model.score(scaled[split.valid], labels[split.valid]))
    probabilities = best.predict_proba(scaled[split.test])
    return compute_scores(probabilities, labels[split.test]).accuracy
