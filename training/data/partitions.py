"""Which entries of a corpus train, choose and test, so that nothing that scores was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.holdout import is_held_out_artist
from training.data import splits
from training.data.corpus import Corpus, Entry, exclude_artists_of
from training.data.gtzan import FINE_ARRAYS_FILE, LABELS, TABLE_FILE, GtzanTrack
from training.errors import DataError

GTZAN_FILES = f"{FINE_ARRAYS_FILE}, stft_full30s.npz and {TABLE_FILE}"
"""What GTZAN's folder must hold before anything can be scored."""


@dataclass(frozen=True, slots=True)
class Partition:
    """``train`` holds entries of every source; ``valid`` and ``test`` GTZAN's arrays only."""

    name: str
    train: tuple[Entry, ...]
    valid: tuple[Entry, ...]
    test: tuple[Entry, ...]


def array_entries(corpus: Corpus) -> list[Entry]:
    """GTZAN's published arrays, the only entries that protocols score.

    Raises
    ------
    DataError
        There are none.
    """
    found = corpus.where(lambda entry: entry.source == "gtzan")
    if not found:
        audio = len(corpus.where(lambda entry: entry.source == "gtzan-audio"))
        raise DataError(
            f"{corpus.folder} holds no GTZAN arrays; run overheard train prepare --gtzan DIR, where DIR "
            f"holds {GTZAN_FILES} ({audio} recordings of GTZAN are in the cache, but none is scored)"
        )
    return found


def as_gtzan_tracks(entries: Sequence[Entry]) -> list[GtzanTrack]:
    """The same tracks as ``training.data.splits`` reads them."""
    return [GtzanTrack(e.name, e.genre, e.artist, e.part, e.duplicate_of) for e in entries]


def partition_corpus(corpus: Corpus, split: splits.Split) -> Partition:
    """Extend a split of GTZAN's arrays to every source.

    To what trains belong real audio of its tracks, and other sources without the known artists that
    are scored, without the known artists kept for checking, and without the held-out origins. A track
    of another source whose artist is not known trains.

    Parameters
    ----------
    split : Split
        Of ``arrays(corpus)``, in order.
    """
    listed = array_entries(corpus)
    train, valid, test = ([listed[i] for i in part] for part in (split.train, split.valid, split.test))
    train = [entry for entry in train if entry.name not in splits.BROKEN_TRACKS]
    names = {entry.name for entry in train}
    checked = {entry.artist_key for entry in corpus.entries if is_held_out_artist(entry.artist)}
    more = [
        entry
        for entry in corpus.entries
        if (entry.source == "gtzan-audio" and entry.name in names)
        or (
            not entry.source.startswith("gtzan")
            and entry.artist_key not in checked - {""}
            and not entry.held_out
        )
    ]
    return Partition(
        split.name, (*train, *exclude_artists_of(more, [*valid, *test])), tuple(valid), tuple(test)
    )


def fault_filtered(corpus: Corpus) -> Partition:
    """Protocol (a).

    Raises
    ------
    DataError
        No arrays, or none in one of the three parts.
    """
    parts = partition_corpus(corpus, splits.fault_filtered(as_gtzan_tracks(array_entries(corpus))))
    count = [sum(e.source == "gtzan" for e in part) for part in (parts.train, parts.valid, parts.test)]
    if not all(count):
        raise DataError(
            f"of GTZAN's arrays in {corpus.folder}, {count[0]} train, {count[1]} choose and {count[2]} test, "
            "and each part needs one or more; run overheard train prepare --gtzan DIR, where DIR holds "
            f"{GTZAN_FILES} with its column fault_filtered_split"
        )
    return parts


def artist_folds(corpus: Corpus) -> list[Partition]:
    """Protocol (b)."""
    return [
        partition_corpus(corpus, split)
        for split in splits.artist_folds(as_gtzan_tracks(array_entries(corpus)))
    ]


def out_of_domain_tracks(corpus: Corpus, trained: Sequence[Entry]) -> list[Entry]:
    """Tracks of GTZAN's genres by the known artists kept for checking, for a score across data sets.

    An artist whose name is nearly one that was trained on ("The Jimi Hendrix Experience") is left out.
    """
    known = {entry.artist_key for entry in trained} - {""}
    return corpus.where(
        lambda e: (
            e.music
            and e.genre in LABELS
            and not e.source.startswith("gtzan")
            and is_held_out_artist(e.artist)
            and not any(_names_nearly_equal(e.artist_key, name) for name in known)
        )
    )


def _names_nearly_equal(one: str, other: str) -> bool:
    from difflib import SequenceMatcher

    shorter, longer = sorted((one, other), key=len)
    return (len(shorter) > 6 and shorter in longer) or SequenceMatcher(None, one, other).ratio() > 0.92
