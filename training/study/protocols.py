"""The three protocols: the study's networks on frozen features, and the network that ships."""

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
from models.metrics import compute_scores
from training.data import partitions, splits
from training.data.augmentation import Intensities, render
from training.data.batches import BatchMix
from training.data.corpus import Corpus
from training.data.eval_sets import array_eval_set
from training.data.geometries import FINE, GEOMETRIES
from training.data.gtzan import LABELS
from training.evaluation.predictions import Predictions
from training.evaluation.protocol_table import ProtocolScore
from training.finetuning.checkpoint import checkpoint_name, checkpoint_paths
from training.finetuning.finetune import predict_logits
from training.finetuning.recipe import FineTuningRecipe
from training.finetuning.train import train
from training.networks.pretrained import DISTILLED_WEIGHTS
from training.parallel import Executor, sequential

FINE_TUNED_NAME: Final = "taught, fine-tuned, MobileNetV2+GRU (ships)"
FROZEN_NAME: Final = "taught, frozen, logistic regression"

_log = logging.getLogger(__name__)


def score_fine_tuned(
    corpus: Corpus,
    recipe: FineTuningRecipe,
    *,
    seeds: Sequence[int] = (0,),
    work: Path,
    taught: Path = DISTILLED_WEIGHTS,
    runs: Executor = sequential,
) -> list[ProtocolScore]:
    """Protocols (a), once a seed, and (b), once a fold, of the network that ships, on both pictures.

    Each run takes minutes; what is done is kept in ``work`` and not done again. On a cluster ``work`` and
    the cache must be folders that all its computers see.
    """
    split = partitions.fault_filtered(corpus)
    calls = [(corpus, split, recipe, seed, work, taught) for seed in seeds]
    calls += [(corpus, each, recipe, seeds[0], work, taught) for each in partitions.artist_folds(corpus)]
    done = runs(train_and_score, calls)
    of_split, of_folds = done[: len(seeds)], done[len(seeds) :]
    return [
        ProtocolScore(
            name, f"{FINE_TUNED_NAME}, {form} picture", tuple(each["test"][form][0] for each in made)
        )
        for form in GEOMETRIES
        for name, made in (("fault_filtered", of_split), ("artist_folds", of_folds))
    ]


def train_and_score(
    corpus: Corpus,
    each: partitions.Partition,
    recipe: FineTuningRecipe,
    seed: int,
    work: Path,
    taught: Path | None,
    mixture: BatchMix | None = None,
) -> dict[str, dict[str, list[float]]]:
    """Train on one split; accuracy on ``valid`` and ``test``, by form: of first windows, of tracks.

    What is done is kept in ``work``, and a run that was stopped goes on.
    """
    name = checkpoint_name(corpus, each, recipe, seed=seed, taught=taught, mixture=mixture)
    done, checkpoint = work / f"{name}.json", work / f"{name}.checkpoint"
    if not done.exists():
        _log.info("%s: %d tracks train", name, len(each.train))
        network, _ = train(
            corpus, each, recipe, seed=seed, taught=taught, mixture=mixture, checkpoint=checkpoint
        )
        measured: dict[str, dict[str, list[float]]] = {}
        for part, entries in (("valid", each.valid), ("test", each.test)):
            scored = {
                form: array_eval_set(corpus, entries, LABELS, spec) for form, spec in GEOMETRIES.items()
            }
            measured[part] = {
                form: list(Predictions(predict_logits(network, s.intensities), s).accuracies())
                for form, s in scored.items()
            }
        with atomic_write(done) as file:
            file.write(json.dumps(measured).encode())
        for progress in checkpoint_paths(checkpoint, recipe):
            progress.unlink(missing_ok=True)
    measured = json.loads(done.read_text(encoding="utf-8"))
    for form, (first, track) in measured["test"].items():
        _log.info("%s, %s: %.3f, all windows %.3f", name, form, first, track)
    return measured


def read_protocol_records(path: Path) -> list[dict[str, Any]]:
    """Read what ``overheard train protocols --json`` printed.

    Raises
    ------
    OverheardError
        It cannot be read, or is something else.
    """
    remedy = "write it with overheard train protocols --json"
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OverheardError(f"cannot read {path}: {error}; {remedy}") from error
    if not isinstance(listed, list):
        raise OverheardError(f"{path} holds no list but a {type(listed).__name__}; {remedy}")
    for number, each in enumerate(listed, 1):
        fields = each if isinstance(each, dict) else {}
        wrong = [key for key in ("protocol", "network") if not isinstance(fields.get(key), str)]
        wrong += [key for key in ("accuracy", "deviation") if not _is_share(fields.get(key))]
        if wrong:
            raise OverheardError(
                f"entry {number} of {len(listed)} in {path} lacks a sound {', '.join(wrong)}; {remedy}"
            )
    return listed


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def score_frozen(corpus: Corpus, taught: Path) -> list[ProtocolScore]:
    """All three protocols of a logistic regression on the taught backbone's features, frozen.

    Standardized by the training part; the strength of its regularization is chosen on validation.
    """
    entries = partitions.array_entries(corpus)
    entries = [entry for entry in entries if len(corpus.windows(entry).fine)]
    features = backbone_features(array_eval_set(corpus, entries, LABELS, FINE).intensities, taught)
    tracks = partitions.as_gtzan_tracks(entries)
    listed = {
        "fault_filtered": [splits.fault_filtered(tracks)],
        "artist_folds": splits.artist_folds(tracks),
        "random_folds": splits.random_folds(tracks),
    }
    labels = np.array([track.label for track in tracks])
    return [
        ProtocolScore(name, FROZEN_NAME, tuple(_logistic_accuracy(features, labels, split) for split in of))
        for name, of in listed.items()
    ]


def backbone_features(places: Intensities, taught: Path | None) -> npt.NDArray[np.float32]:
    """Pooled features of pictures, not standardized, (n, 1424); None takes ImageNet's weights."""
    from training.networks.genre import build_backbone, build_pooled_features
    from training.networks.pretrained import load_distilled_weights
    from training.networks.study import normalize

    features = build_backbone(imagenet=taught is None)
    if taught:
        load_distilled_weights(features, taught)
    pooled = build_pooled_features(features)
    parts_of = [
        pooled(normalize(render(places[start : start + 64])), training=False).numpy().mean(axis=1)
        for start in range(0, len(places), 64)
    ]
    return np.concatenate(parts_of)


def _logistic_accuracy(
    features: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], split: splits.Split
) -> float:
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
