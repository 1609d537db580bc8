"""What the network sees while it is trained, batch by batch, and what it is scored on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from training.data.augmentation import augment
from training.data.corpus import Corpus, Entry
from training.data.geometries import COARSE, FINE
from training.data.targets import EMBEDDING_SIZE, standardized_embeddings
from training.errors import DataError

Floats = npt.NDArray[np.float32]
Intensities = npt.NDArray[np.uint8]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class BatchMix:
    """What a batch is made of.

    ``genre_share`` of it is music whose genre is known, the genres equally often and within a genre
    the sources by ``source_weights`` (1 where none is given), ``no_music_share`` no music, and the rest
    other music. Where a window has both pictures, ``coarse_share`` are the coarse one.
    """

    batch: int = 32
    genre_share: float = 0.58
    no_music_share: float = 0.15
    coarse_share: float = 0.5
    source_weights: dict[str, float] = field(default_factory=lambda: {"gtzan": 10.0})


class Batch(NamedTuple):
    """Windows, and what is to be learnt from each.

    Attributes
    ----------
    places : (n, 256, 256) uint8
    genres : (n, genres) float32
        1 for its genre; all 0 where it is not known.
    genre_known : (n,) float32
        1 or 0.
    music : (n,) float32
        1 or 0.
    heard : (n, 250) float32
        What the teacher heard, standardised; 0 where it did not listen.
    heard_mask : (n,) float32
        1 where it did.
    """

    places: Intensities
    genres: Floats
    genre_known: Floats
    music: Floats
    heard: Floats
    heard_mask: Floats


class Sampler:
    """Batches of training windows; batch ``number`` is the same whenever it is asked for.

    Parameters
    ----------
    corpus : Corpus
    entries : sequence of Entry
        What may be trained on.
    labels : sequence of str
    mixture : Mixture
    seed : int

    Raises
    ------
    DataError
        A genre has no track.
    """

    def __init__(
        self, corpus: Corpus, entries: Sequence[Entry], labels: Sequence[str], mixture: BatchMix, seed: int
    ) -> None:
        self._corpus, self._mixture, self.seed = corpus, mixture, seed
        self._labels = list(labels)
        self._by_genre = [
            self._sources([e for e in entries if e.music and e.genre == label]) for label in labels
        ]
        empty = [label for label, sources in zip(labels, self._by_genre, strict=True) if not sources]
        if empty:
            raise DataError(f"no track to train on is {' or '.join(empty)}; prepare a cache that has some")
        self._other = self._sources([e for e in entries if e.music and e.genre not in labels])
        self._no_music = self._sources([e for e in entries if not e.music])
        self._heard = standardized_embeddings(corpus, entries)

    def _sources(self, entries: list[Entry]) -> list[tuple[float, list[Entry]]]:
        names = sorted({entry.source for entry in entries})
        weight = self._mixture.source_weights
        return [(weight.get(name, 1.0), [e for e in entries if e.source == name]) for name in names]

    def batch(self, number: int) -> Batch:
        """Draw one batch."""
        mixture, generator = self._mixture, np.random.default_rng((self.seed, number))
        labelled_end = mixture.genre_share * mixture.batch
        no_music_end = labelled_end + mixture.no_music_share * mixture.batch
        drawn_of = []
        for place in range(mixture.batch):
            if place < labelled_end or not (self._other or self._no_music):
                entry = _pick_entry(self._by_genre[int(generator.integers(len(self._labels)))], generator)
            elif self._no_music and (place < no_music_end or not self._other):
                entry = _pick_entry(self._no_music, generator)
            else:
                entry = _pick_entry(self._other, generator)
            drawn_of.append((entry, *self._draw(entry, generator)))
        return self._batch(drawn_of)

    def _batch(self, drawn_of: Sequence[tuple[Entry, Intensities, int | None]]) -> Batch:
        count = len(drawn_of)
        genres = np.zeros((count, len(self._labels)), np.float32)
        genre_known, heard_mask = np.zeros(count, np.float32), np.zeros(count, np.float32)
        heard = np.zeros((count, EMBEDDING_SIZE), np.float32)
        for place, (entry, _, window) in enumerate(drawn_of):
            if window is not None and entry.file in self._heard:
                heard[place], heard_mask[place] = self._heard[entry.file][window], 1
            if entry.music and entry.genre in self._labels:
                genres[place, self._labels.index(entry.genre)] = genre_known[place] = 1
        places = np.stack([places for _, places, _ in drawn_of])
        music = np.array([entry.music for entry, _, _ in drawn_of], np.float32)
        return Batch(places, genres, genre_known, music, heard, heard_mask)

    def _draw(self, entry: Entry, generator: np.random.Generator) -> tuple[Intensities, int | None]:
        """One window, varied, and which of the track's it is, unless it was cut anew."""
        windows = self._corpus.windows(entry)
        has_coarse = bool(len(windows.coarse) or len(windows.long))
        coarse = has_coarse and (not len(windows.fine) or generator.random() < self._mixture.coarse_share)
        if coarse and len(windows.long) and (not len(windows.coarse) or generator.random() < 0.5):
            return augment(windows.long, COARSE, generator), None
        stored, spec = (windows.coarse, COARSE) if coarse else (windows.fine, FINE)
        window = int(generator.integers(len(stored)))
        version = int(generator.integers(stored.shape[1]))
        return augment(stored[window, version], spec, generator), window


def _pick_entry(sources: list[tuple[float, list[Entry]]], generator: np.random.Generator) -> Entry:
    weights = np.array([weight for weight, _ in sources])
    entries = sources[int(generator.choice(len(sources), p=weights / weights.sum()))][1]
    return entries[int(generator.integers(len(entries)))]


def prefetch(batch: Callable[[int], Item], numbers: range, most: int = 8) -> Iterator[Item]:
    """Batches by number, drawn in a thread while the network trains."""
    waiting: queue.Queue[Item | Exception] = queue.Queue(most)
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
                put(batch(number))
                if stopped.is_set():
                    return
        except Exception as error:  # raised again where it can be seen
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
