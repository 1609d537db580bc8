"""The three protocols: the study's networks on frozen features, and the network that ships."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.errors import OverheardError
from models.measures import score
from training import parts, splits
from training.augment import paint
from training.corpus import Corpus
from training.evaluate import ProtocolScore
from training.finetune import FineTuning, logits_of
from training.geometry import FINE
from training.gtzan import LABELS
from training.measured import Measured
from training.provenance import checkpoint_name
from training.release import checkpoints, part_of, train
from training.report import FORMS
from training.runs import Runs, one_by_one
from training.sampling import Mixture, Places, pictures_of
from training.teach import SHIPPED

SHIPPED_NAME: Final = "taught, fine-tuned, MobileNetV2+GRU (ships)"
FROZEN_NAME: Final = "taught, frozen, logistic regression"

_log = logging.getLogger(__name__)


def fine_tuned(
    corpus: Corpus,
    recipe: FineTuning,
    *,
    seeds: Sequence[int] = (0,),
    work: Path,
    taught: Path = SHIPPED,
    runs: Runs = one_by_one,
) -> list[ProtocolScore]:
    """Protocols (a), once a seed, and (b), once a fold, of the network that ships, on both pictures.

    Each run takes minutes; what is done is kept in ``work`` and not done again. On a cluster ``work`` and
    the cache must be folders that all its computers see.
    """
    split = parts.fault_filtered(corpus)
    calls = [(corpus, split, recipe, seed, work, taught) for seed in seeds]
    calls += [(corpus, each, recipe, seeds[0], work, taught) for each in parts.artist_folds(corpus)]
    done = runs(run, calls)
    of_split, of_folds = done[: len(seeds)], done[len(seeds) :]
    return [
        ProtocolScore(name, f"{SHIPPED_NAME}, {form} picture", tuple(each["test"][form][0] for each in made))
        for form in FORMS
        for name, made in (("fault_filtered", of_split), ("artist_folds", of_folds))
    ]


def run(
    corpus: Corpus,
    each: parts.Parts,
    recipe: FineTuning,
    seed: int,
    work: Path,
    taught: Path | None,
    mixture: Mixture | None = None,
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
            scored = {form: pictures_of(corpus, entries, LABELS, spec) for form, spec in FORMS.items()}
            measured[part] = {
                form: list(Measured(logits_of(network, s.places), s).accuracies())
                for form, s in scored.items()
            }
        part_of(done).write_text(json.dumps(measured), encoding="utf-8")
        part_of(done).replace(done)
        for progress in checkpoints(checkpoint, recipe):
            progress.unlink(missing_ok=True)
    measured = json.loads(done.read_text(encoding="utf-8"))
    for form, (first, track) in measured["test"].items():
        _log.info("%s, %s: %.3f, all windows %.3f", name, form, first, track)
    return measured


def read(path: Path) -> list[dict[str, Any]]:
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


def frozen(corpus: Corpus, taught: Path) -> list[ProtocolScore]:
    """All three protocols of a logistic regression on the taught backbone's features, frozen.

    Standardized by the training part; the strength of its regularization is chosen on validation.
    """
    entries = parts.arrays(corpus)
    entries = [entry for entry in entries if len(corpus.windows(entry).fine)]
    features = taught_features(pictures_of(corpus, entries, LABELS, FINE).places, taught)
    tracks = parts.as_tracks(entries)
    listed = {
        "fault_filtered": [splits.fault_filtered(tracks)],
        "artist_folds": splits.artist_folds(tracks),
        "random_folds": splits.random_folds(tracks),
    }
    labels = np.array([track.label for track in tracks])
    return [
        ProtocolScore(name, FROZEN_NAME, tuple(_probe(features, labels, split) for split in of))
        for name, of in listed.items()
    ]


def taught_features(places: Places, taught: Path | None) -> npt.NDArray[np.float32]:
    """Pooled features of pictures, not standardized, (n, 1424); None takes ImageNet's weights."""
    from training.music_network import backbone, pooled_features
    from training.network import normalize
    from training.teach import load_weights

    features = backbone(imagenet=taught is None)
    if taught:
        load_weights(features, taught)
    pooled = pooled_features(features)
    parts_of = [
        pooled(normalize(paint(places[start : start + 64])), training=False).numpy().mean(axis=1)
        for start in range(0, len(places), 64)
    ]
    return np.concatenate(parts_of)


def _probe(features: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], split: splits.Split) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit(features[split.train]).transform(features)
    fitted = [
        LogisticRegression(C=strength, max_iter=2_000).fit(scaled[split.train], labels[split.train])
        for strength in (1e-3, 1e-2, 1e-1)
    ]
    best = max(fitted, key=lambda model: model.score(scaled[split.valid], labels[split.valid]))
    probabilities = best.predict_proba(scaled[split.test])
    return score(probabilities, labels[split.test]).accuracy
