"""Evaluation of a converted model's embedding: the neighbors of GTZAN's test tracks and of held-out music."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.retrieval import score_retrieval
from training.data.corpus import Corpus, Entry
from training.data.eval_sets import EvalSet, array_eval_set, recording_eval_set, render_images
from training.data.geometries import COARSE, GEOMETRIES
from training.data.gtzan import LABELS
from training.data.partitions import Partition, out_of_domain_tracks
from training.evaluation.predictions import mean_by_track
from training.export import tflite

ARRAYS = "GTZAN, {geometry} arrays"
"""Name of the evaluation on the arrays of one geometry."""


def similarity_scores(
    corpus: Corpus, partition: Partition, content: bytes, geometry: str
) -> dict[str, dict[str, Any]]:
    """Score the embedding of a model by ``models.retrieval.score_retrieval``, by material.

    The neighbors of GTZAN's test tracks are searched in its validation part, too.

    Parameters
    ----------
    geometry : str
        Geometry of the recordings by held-out artists.
    """
    scores = {}
    for name in ("fine", "coarse"):
        spec = GEOMETRIES[name]
        entries = [
            entry
            for entry in (*partition.test, *partition.valid)
            if len(corpus.windows(entry).long if spec is COARSE else corpus.windows(entry).fine)
        ]
        tested = {entry.file for entry in partition.test}
        eval_set = array_eval_set(corpus, entries, LABELS, spec)
        scores[ARRAYS.format(geometry=name)] = _score(content, entries, eval_set, tested)
    held_out = out_of_domain_tracks(corpus, partition.train)
    for source in sorted({entry.source for entry in held_out}):
        own = [entry for entry in held_out if entry.source == source]
        eval_set = recording_eval_set(corpus, own, LABELS, GEOMETRIES[geometry])
        scores[f"{source}, held-out artists"] = _score(content, own, eval_set, {e.file for e in own})
    return scores


def _score(content: bytes, entries: Sequence[Entry], eval_set: EvalSet, queries: set[str]) -> dict[str, Any]:
    """Score the mean embeddings of tracks. ``queries`` are the files of those whose neighbors are scored."""
    *_, values = tflite.run_outputs(content, render_images(eval_set.intensities))
    embeddings = mean_by_track(values, eval_set.track)
    artists = [entry.artist_key for entry in entries]
    return score_retrieval(
        embeddings, eval_set.labels, artists, np.array([entry.file in queries for entry in entries])
    )
