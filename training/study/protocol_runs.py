"""Training and test of the study's networks on frozen features under one protocol."""

from __future__ import annotations

from collections.abc import Sequence

from models.classifier import softmax
from models.metrics import compute_scores
from training.data import splits
from training.data.gtzan import LABELS
from training.evaluation.protocol_table import ProtocolScore
from training.networks.study import StudyVariant
from training.parallel import SEQUENTIAL, Executor
from training.study.features import FeatureSet
from training.study.train_head import HeadRecipe, head_logits, train_head


def run_protocol(
    protocol: str,
    variant: StudyVariant,
    recipe: HeadRecipe,
    data: FeatureSet,
    seeds: Sequence[int],
    executor: Executor = SEQUENTIAL,
) -> ProtocolScore:
    """Train and test one variant under one protocol.

    The fault-filtered split runs once for each seed. Folds run once each, with the first seed. Every run
    starts from new weights and is stopped on its own validation part.

    Parameters
    ----------
    protocol : str
        Key of ``PROTOCOLS``.
    variant : StudyVariant
    recipe : HeadRecipe
    data : FeatureSet
    seeds : sequence of int
    executor : Executor
    """
    if protocol == "fault_filtered":
        runs = [(splits.fault_filtered(data.tracks), seed) for seed in seeds]
    else:
        runs = [(split, seeds[0]) for split in getattr(splits, protocol)(data.tracks)]
    calls = [(split, seed, variant, recipe, data) for split, seed in runs]
    return ProtocolScore(protocol, variant.name, tuple(executor.run(_train_and_test, calls)))


def _train_and_test(
    split: splits.Split, seed: int, variant: StudyVariant, recipe: HeadRecipe, data: FeatureSet
) -> float:
    features, labels = data.features, data.labels
    train, valid = ((features[part], labels[part]) for part in (split.train, split.valid))
    trained = train_head(variant, train, valid, genres=len(LABELS), seed=seed, recipe=recipe)
    probabilities = softmax(head_logits(trained.head, features[split.test]))
    return compute_scores(probabilities, labels[split.test]).accuracy
