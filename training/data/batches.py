"""Random training batches, reproducible by number, and their preparation in the background."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from training.data.augmentation import Intensities, augment, window_intensities
from training.data.corpus import Corpus, Entry
from training.data.geometries import COARSE, FINE, LIVE
from training.data.targets import EMBEDDING_SIZE, standardized_embeddings
from training.errors import DataError

Floats = npt.NDArray[np.float32]
Item = TypeVar("Item")

_WeightedArtists = list[tuple[float, list[list[Entry]]]]
"""Weight of each source, and its entries by artist."""


@dataclass(frozen=True, slots=True)
class BatchMix:
    """Composition of a batch.

    Attributes
    ----------
    batch : int
        Windows of a batch.
    genre_share : float
        Share of music with a known genre. Genres are equally likely; within a genre, sources are drawn by
        ``source_weights``, whose default is 1; within a source, artists by the square root of their number
        of tracks.
    no_music_share : float
        Share of non-music. The rest is other music.
    live_share : float
        Share of the live geometry among windows that have it.
    coarse_share : float
        Share of the coarse geometry among the other windows that have both stored geometries.
    source_weights : dict
    """

    batch: int = 32
    genre_share: float = 0.58
    no_music_share: float = 0.15
    live_share: float = 0.5
    coarse_share: float = 0.5
    source_weights: dict[str, float] = field(
        default_factory=lambda: {"gtzan": 3.0, "gtzan-audio": 3.0, "songs": 4.0, "more-music": 2.0}
    )


class Batch(NamedTuple):
    """Windows and their targets.

    Attributes
    ----------
    intensities : (n, 256, 256) uint8
    genres : (n, genres) float32
        Probability of each genre of the window. All 0 if the genre is unknown.
    genre_known : (n,) float32
        1 or 0.
    music : (n,) float32
        1 for music, 0 for non-music.
    embeddings : (n, EMBEDDING_SIZE) float32
        Standardized teacher embeddings. 0 for a window without one.
    has_embedding : (n,) float32
        1 or 0.
    """

    intensities: Intensities
    genres: Floats
    genre_known: Floats
    music: Floats
    embeddings: Floats
    has_embedding: Floats


@dataclass(frozen=True, slots=True)
class LiveWindows:
    """Live windows of labeled tracks without augmentation, clean and degraded.

    Attributes
    ----------
    corpus : Corpus
    entries : list of Entry
    targets : (n, genres) float32
        Probabilities of the genres of all clean and then all degraded windows, track by track. They sum to
        the weight of the window: genres, and artists within a genre, count by the square root of their
        number of tracks.
    """

    corpus: Corpus
    entries: list[Entry]
    targets: Floats

    def intensities(self) -> Iterator[Intensities]:
        """Yield the images of the targets in their order, (windows of a track, 256, 256) uint8."""
        for version in range(2):
            for entry in self.entries:
                columns = self.corpus.windows(entry).live[:, version]
                yield np.stack([window_intensities(each, LIVE) for each in columns])


def track_weights(entries: Sequence[Entry]) -> Floats:
    """Weight tracks so that genres and artists count by the square root of their number of tracks."""
    artists = Counter((e.genre, e.artist_key or e.file) for e in entries)
    weights = np.array([artists[e.genre, e.artist_key or e.file] ** -0.5 for e in entries], np.float32)
    for genre in {e.genre for e in entries}:
        own = np.array([e.genre == genre for e in entries])
        weights[own] /= np.sqrt(weights[own].sum())
    result: Floats = weights / weights.mean()
    return result


class Sampler:
    """Random batches of training windows. A batch depends only on the seed and its number.

    Parameters
    ----------
    corpus : Corpus
    entries : sequence of Entry
        Entries to train on.
    labels : sequence of str
    mix : BatchMix
    seed : int
    soft_labels : dict of (windows, genres) float32, optional
        Probabilities of genres by file, from ``training.finetuning.soft_labels``.

    Raises
    ------
    DataError
        If a genre has no track.
    """

    def __init__(
        self,
        corpus: Corpus,
        entries: Sequence[Entry],
        labels: Sequence[str],
        mix: BatchMix,
        seed: int,
        soft_labels: Mapping[str, Floats] | None = None,
    ) -> None:
        self._corpus, self._mix, self.seed = corpus, mix, seed
        self._entries = list(entries)
        self._soft_labels = soft_labels or {}
        self._labels = list(labels)
        self._by_genre = [
            self._by_source([e for e in entries if e.music and e.genre == label]) for label in labels
        ]
        empty = [label for label, sources in zip(labels, self._by_genre, strict=True) if not sources]
        if empty:
            raise DataError(f"there is no track of {' or '.join(empty)} to train on; prepare some")
        self._other_music = self._by_source([e for e in entries if e.music and e.genre not in labels])
        self._non_music = self._by_source([e for e in entries if not e.music])
        self._embeddings = standardized_embeddings(corpus, entries)

    def _by_source(self, entries: list[Entry]) -> _WeightedArtists:
        sources: dict[str, dict[str, list[Entry]]] = {}
        for entry in entries:
            artists = sources.setdefault(entry.source, {})
            artists.setdefault(entry.artist_key or f"unknown artist of {entry.file}", []).append(entry)
        weights = self._mix.source_weights
        return [(weights.get(name, 1.0), list(sources[name].values())) for name in sorted(sources)]

    def batch(self, number: int) -> Batch:
        """Draw the batch of a number."""
        mix, generator = self._mix, np.random.default_rng((self.seed, number))
        genre_end = mix.genre_share * mix.batch
        non_music_end = genre_end + mix.no_music_share * mix.batch
        drawn = []
        for position in range(mix.batch):
            if position < genre_end or not (self._other_music or self._non_music):
                entry = _pick_entry(self._by_genre[int(generator.integers(len(self._labels)))], generator)
            elif self._non_music and (position < non_music_end or not self._other_music):
                entry = _pick_entry(self._non_music, generator)
            else:
                entry = _pick_entry(self._other_music, generator)
            drawn.append((entry, *self._draw_window(entry, generator)))
        return self._assemble(drawn)

    def live_windows(self) -> LiveWindows:
        """Collect the live windows of all labeled tracks that have some."""
        labeled = [
            e
            for e in self._entries
            if e.music and e.genre in self._labels and len(self._corpus.windows(e).live)
        ]
        targets = []
        for entry, weight in zip(labeled, track_weights(labeled) if labeled else (), strict=True):
            count = len(self._corpus.windows(entry).live)
            label = np.zeros((count, len(self._labels)), np.float32)
            label[:, self._labels.index(entry.genre)] = 1
            targets.append(self._soft_labels.get(entry.file, label) * (weight / count))
        none = np.zeros((0, len(self._labels)), np.float32)
        return LiveWindows(self._corpus, labeled, np.concatenate([none, *targets, *targets]))

    def _assemble(self, drawn: Sequence[tuple[Entry, Intensities, int | None]]) -> Batch:
        count = len(drawn)
        genres = np.zeros((count, len(self._labels)), np.float32)
        genre_known, has_embedding = np.zeros(count, np.float32), np.zeros(count, np.float32)
        embeddings = np.zeros((count, EMBEDDING_SIZE), np.float32)
        for row, (entry, _, window) in enumerate(drawn):
            if window is not None and entry.file in self._embeddings:
                embeddings[row], has_embedding[row] = self._embeddings[entry.file][window], 1
            if window is not None and entry.file in self._soft_labels:
                genres[row] = self._soft_labels[entry.file][window]
            elif entry.music and entry.genre in self._labels:
                genres[row, self._labels.index(entry.genre)] = 1
            genre_known[row] = genres[row].sum() > 0
        intensities = np.stack([image for _, image, _ in drawn])
        music = np.array([entry.music for entry, _, _ in drawn], np.float32)
        return Batch(intensities, genres, genre_known, music, embeddings, has_embedding)

    def _draw_window(self, entry: Entry, generator: np.random.Generator) -> tuple[Intensities, int | None]:
        """Return an augmented window and its index among the track's windows, None if it was cropped anew."""
        windows = self._corpus.windows(entry)
        if len(windows.live) and generator.random() < self._mix.live_share:
            window, version = (int(generator.integers(size)) for size in windows.live.shape[:2])
            return augment(windows.live[window, version], LIVE, generator), window
        has_coarse = bool(len(windows.coarse) or len(windows.long))
        coarse = has_coarse and (not len(windows.fine) or generator.random() < self._mix.coarse_share)
        if coarse and len(windows.long) and (not len(windows.coarse) or generator.random() < 0.5):
            return augment(windows.long, COARSE, generator), None
        stored, spec = (windows.coarse, COARSE) if coarse else (windows.fine, FINE)
        window = int(generator.integers(len(stored)))
        version = int(generator.integers(stored.shape[1]))
        return augment(stored[window, version], spec, generator), window


def _pick_entry(sources: _WeightedArtists, generator: np.random.Generator) -> Entry:
    weights = np.array([weight for weight, _ in sources])
    artists = sources[int(generator.choice(len(sources), p=weights / weights.sum()))][1]
    weights = np.sqrt([len(entries) for entries in artists])
    entries = artists[int(generator.choice(len(artists), p=weights / weights.sum()))]
    return entries[int(generator.integers(len(entries)))]


def prefetch(load: Callable[[int], Item], numbers: range, max_waiting: int = 8) -> Iterator[Item]:
    """Yield ``load(number)`` for each number, prepared in a thread while the caller trains.

    An exception of ``load`` is raised in the caller. The thread ends when the iterator is closed.
    """
    waiting: queue.Queue[Item | Exception] = queue.Queue(max_waiting)
    stopped = threading.Event()

    def put(item: Item | Exception) -> None:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.2)
                return
            except queue.Full:
                continue

    def fill() -> None:
        try:
            for number in numbers:
                put(load(number))
                if stopped.is_set():
                    return
        except Exception as error:  # the caller raises it again
            put(error)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        for _ in numbers:
            item = waiting.get()
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
