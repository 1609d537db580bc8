"""Partition of a corpus into training, validation and test entries without overlap in tracks or artists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.data import splits
from training.data.corpus import Corpus, Entry, exclude_artists_of
from training.data.gtzan import COARSE_ARRAYS_FILE, FINE_ARRAYS_FILE, LABELS, TABLE_FILE, GtzanTrack
from training.errors import DataError

GTZAN_FILES = f"{FINE_ARRAYS_FILE}, {COARSE_ARRAYS_FILE} and {TABLE_FILE}"
"""Files that GTZAN's folder must hold before anything can be evaluated."""


SHORT_SUFFIX = ".short.npz"
"""End of the files of GTZAN's excerpts of 2 to 3 s. They are trained on and not evaluated."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Entries of one split.

    Attributes
    ----------
    name : str
    train : tuple of Entry
        From every source.
    valid, test : tuple of Entry
        From GTZAN's arrays only.
    valid_recordings, test_recordings : tuple of Entry
        GTZAN's recordings of the same tracks, and in ``valid_recordings`` also tracks of other sources whose
        artists select and calibrate models. No artist of ``valid_recordings`` is trained on.
    """

    name: str
    train: tuple[Entry, ...]
    valid: tuple[Entry, ...]
    test: tuple[Entry, ...]
    valid_recordings: tuple[Entry, ...] = ()
    test_recordings: tuple[Entry, ...] = ()


def array_entries(corpus: Corpus) -> list[Entry]:
    """Select the entries of GTZAN's published arrays, the only ones that protocols evaluate.

    Raises
    ------
    DataError
        If there are none.
    """
    found = corpus.select(lambda entry: entry.source == "gtzan")
    if not found:
        recordings = len(corpus.select(lambda entry: entry.source == "gtzan-audio"))
        raise DataError(
            f"{corpus.folder} holds no GTZAN arrays; run overheard train prepare --gtzan DIR, where DIR "
            f"holds {GTZAN_FILES} ({recordings} recordings of GTZAN are in the cache, but are not evaluated)"
        )
    return found


def as_gtzan_tracks(entries: Sequence[Entry]) -> list[GtzanTrack]:
    """Convert entries to the tracks that ``training.data.splits`` takes."""
    return [GtzanTrack(e.name, e.genre, e.artist, e.part, e.duplicate_of) for e in entries]


def partition_corpus(corpus: Corpus, split: splits.Split) -> Partition:
    """Extend a split of GTZAN's arrays to every source.

    The training part gets the recordings of its own tracks, and all other sources except evaluated artists,
    held-out artists, held-out origins and validation artists of labeled music. A track of another source with
    an unknown artist is trained on.

    Parameters
    ----------
    corpus : Corpus
    split : Split
        Split of ``array_entries(corpus)``, in their order.
    """
    arrays = array_entries(corpus)
    train, valid, test = ([arrays[i] for i in part] for part in (split.train, split.valid, split.test))
    train = [entry for entry in train if entry.name not in splits.BROKEN_TRACKS]
    names = {entry.name for entry in train}
    held_out = {entry.artist_key for entry in corpus.entries if entry.by_held_out_artist}
    more = [
        entry
        for entry in corpus.entries
        if (entry.source == "gtzan-audio" and entry.name in names)
        or (
            not entry.source.startswith("gtzan")
            and entry.artist_key not in held_out - {""}
            and not entry.is_held_out
        )
    ]
    more = exclude_artists_of(more, [*valid, *test])
    gtzan_artists = {entry.artist_key for entry in train}
    selecting = [
        entry
        for entry in more
        if not entry.source.startswith("gtzan")
        and entry.by_validation_artist
        and entry.artist_key not in gtzan_artists
    ]
    return Partition(
        split.name,
        (*train, *exclude_artists_of(more, selecting)),
        tuple(valid),
        tuple(test),
        (*_recordings_of(corpus, valid), *selecting),
        _recordings_of(corpus, test),
    )


def _recordings_of(corpus: Corpus, arrays: Sequence[Entry]) -> tuple[Entry, ...]:
    """Select GTZAN's recordings of tracks, except those that are shorter than a window."""
    names = {entry.name for entry in arrays}
    return tuple(
        corpus.select(
            lambda e: e.source == "gtzan-audio" and e.name in names and not e.file.endswith(SHORT_SUFFIX)
        )
    )


def fault_filtered(corpus: Corpus) -> Partition:
    """Return the partition of protocol (a).

    Raises
    ------
    DataError
        If there are no arrays, or none in one of the three parts.
    """
    partition = partition_corpus(corpus, splits.fault_filtered(as_gtzan_tracks(array_entries(corpus))))
    parts = (partition.train, partition.valid, partition.test)
    count = [sum(e.source == "gtzan" for e in part) for part in parts]
    if not all(count):
        raise DataError(
            f"of GTZAN's arrays in {corpus.folder}, {count[0]} train, {count[1]} validate and {count[2]} test"
            "; each part needs one or more; run overheard train prepare --gtzan DIR, where DIR holds "
            f"{GTZAN_FILES} with its column fault_filtered_split"
        )
    return partition


def artist_folds(corpus: Corpus) -> list[Partition]:
    """Return the partitions of protocol (b)."""
    tracks = as_gtzan_tracks(array_entries(corpus))
    return [partition_corpus(corpus, split) for split in splits.artist_folds(tracks)]


def out_of_domain_tracks(corpus: Corpus, trained: Sequence[Entry]) -> list[Entry]:
    """Select tracks of GTZAN's genres by held-out artists of other sources.

    An artist is left out if the name is close to that of a trained artist ("The Jimi Hendrix Experience").
    """
    trained_artists = {entry.artist_key for entry in trained} - {""}
    return corpus.select(
        lambda e: (
            e.music
            and e.genre in LABELS
            and not e.source.startswith("gtzan")
            and e.by_held_out_artist
            and not any(_names_nearly_equal(e.artist_key, name) for name in trained_artists)
        )
    )


def _names_nearly_equal(one: str, other: str) -> bool:
    from difflib import SequenceMatcher

    shorter, longer = sorted((one, other), key=len)
    return (len(shorter) > 6 and shorter in longer) or SequenceMatcher(None, one, other).ratio() > 0.92
