"""Train and test a head on frozen features under one protocol."""

from __future__ import annotations

from collections.abc import Sequence

from models.classifier import softmax
from models.metrics import Labels, compute_scores
from training.data import splits
from training.data.gtzan import LABELS, Gtzan
from training.evaluation.protocol_table import ProtocolScore
from training.networks.study import StudyVariant
from training.parallel import Executor, sequential
from training.study.features import Features
from training.study.train_head import HeadRecipe, head_logits, train_head


def run_protocol(
    protocol: str,
    variant: StudyVariant,
    recipe: HeadRecipe,
    gtzan: Gtzan,
    features: Features,
    seeds: Sequence[int],
    runs: Executor = sequential,
) -> ProtocolScore:
    """Train and test one variant under one protocol.

    The fault-filtered split runs once a seed; folds run once each, with the first seed. Every run
    starts from fresh weights and is stopped on its own validation part.

    Parameters
    ----------
    protocol : str
        A key of ``PROTOCOLS``.
    features : (n, variant.steps, 1280) float32
        Of ``gtzan.tracks``, in order.
    runs : Runs
        Where the single runs are made.
    """
    if protocol == "fault_filtered":
        made = [(splits.fault_filtered(gtzan.tracks), seed) for seed in seeds]
    else:
        made = [(split, seeds[0]) for split in getattr(splits, protocol)(gtzan.tracks)]
    calls = [(split, seed, variant, recipe, gtzan.labels, features) for split, seed in made]
    return ProtocolScore(protocol, variant.name, tuple(runs(_train_and_test, calls)))


def _train_and_test(
    split: splits.Split,
    seed: int,
    variant: StudyVariant,
    recipe: HeadRecipe,
    labels: Labels,
    features: Features,
) -> float:
    """Train and test once."""
    train, valid = ((features[part], labels[part]) for part in (split.train, split.valid))
    trained = train_head(variant, train, valid, genres=len(LABELS), seed=seed, recipe=recipe)
    probabilities = softmax(head_logits(trained.head, features[split.test]))
    return compute_scores(probabilities, labels[split.test]).accuracy
