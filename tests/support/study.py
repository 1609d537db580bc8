"""Small study on invented tracks."""

from functools import cache

import numpy as np

from training.data.gtzan import LABELS, GtzanTrack
from training.data.splits import Indices, random_folds
from training.networks.study import StudyVariant
from training.study.features import FeatureSet
from training.study.fold_training import StudyPlan, train_test_pairs

SMALL = StudyPlan(
    epochs=8,
    carried_epochs=(2,),
    folds=3,
    artist_folds=2,
    seeds=(0,),
    batch=8,
    cnn_gru=StudyVariant("small", 0, keeps_time=False),
)


def signatures(artists: int = 8, each: int = 2) -> FeatureSet:
    """Make four genres of tracks that resemble no other: a model knows only tracks it was trained on."""
    tracks = tuple(
        GtzanTrack(f"{genre}.{artist}.{number}", genre, f"{genre} {artist}", "", "")
        for genre in LABELS[:4]
        for artist in range(artists)
        for number in range(each)
    )
    signature = np.random.default_rng(0).normal(0, 1, (len(tracks), 1, 1280))
    return FeatureSet(tracks, np.repeat(signature, 8, axis=1).astype(np.float32))


DATA = signatures()


@cache
def in_folds() -> list[tuple[Indices, Indices]]:
    """Return the folds on demand, because scikit-learn takes seconds to import."""
    return train_test_pairs(random_folds(DATA.tracks, folds=SMALL.folds))
