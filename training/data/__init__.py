"""Corpora and batches: from recordings and published arrays to training windows."""

from training.data.batches import Batch, BatchMix, Sampler
from training.data.corpus import Corpus, Entry
from training.data.eval_sets import EvalSet
from training.data.gtzan import LABELS, Gtzan
from training.data.ingest import ingest_tracks
from training.data.partitions import Partition

__all__ = [
    "LABELS",
    "Batch",
    "BatchMix",
    "Corpus",
    "Entry",
    "EvalSet",
    "Gtzan",
    "Partition",
    "Sampler",
    "ingest_tracks",
]
