"""Index of a library's tracks by their sound, and the choice of neighbors, without files or clocks."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dashboard.recommendations.domain.identity import artist_key, playing_keys, title_key

MAX_OF_ARTIST: Final = 2
"""Tracks of one artist among ``BLOCK`` neighbors."""
BLOCK: Final = 10

COPY_LIKENESS: Final = 0.999
"""Likeness from which two tracks of the same length are copies of one recording."""
COPY_SECONDS: Final = 1.0
"""Largest difference between the lengths of two copies."""

CANDIDATES: Final = 200
"""Most similar tracks that are considered at first, or ten for each neighbor, if that is more."""
MORE: Final = 50
"""Factor by which more tracks are considered if the first do not suffice. All of them can take seconds."""

Embedding = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class IndexedTrack:
    """Track of the index.

    Attributes
    ----------
    uri : str
        Absolute path or ``s3://`` address.
    size, modified : int
        Bytes, and microseconds since 1970, when the track was analyzed.
    artist, title : str
        From the file, else from a name like ``Artist - Title.mp3``. The artist may be empty.
    label : str
        Most probable genre.
    seconds : float
    """

    uri: str
    size: int
    modified: int
    artist: str
    title: str
    label: str
    seconds: float

    @property
    def name(self) -> str:
        """Artist and title for people."""
        return f"{self.artist} - {self.title}" if self.artist else self.title

    def is_unchanged(self) -> bool:
        """Return True if the file at ``uri`` has the size and the time of change of the analyzed file."""
        try:
            status = os.stat(self.uri)
        except (OSError, ValueError):
            return False
        return self.matches(status)

    def matches(self, status: os.stat_result) -> bool:
        """Return True if a file is the one that was analyzed, by its size and its time of change."""
        changed = status.st_mtime_ns // 1000
        return stat.S_ISREG(status.st_mode) and (status.st_size, changed) == (self.size, self.modified)

    @property
    def song(self) -> tuple[str, str] | None:
        """Keys of artist and title, which other files of the song share. None without an artist."""
        return (artist_key(self.artist), title_key(self.title)) if self.artist else None

    @property
    def keys(self) -> frozenset[str]:
        """Identity keys of the song. They are empty without an artist."""
        return playing_keys(self.artist, self.title, "")

    @property
    def artist_or_folder(self) -> str:
        """Key of the artist. Without an artist it is the folder."""
        return artist_key(self.artist) if self.artist else os.path.dirname(self.uri)


@dataclass(frozen=True, slots=True)
class Neighbor:
    """Track that sounds like the music of a query.

    Attributes
    ----------
    row : int
        Row of the index.
    track : IndexedTrack
    likeness : float
        Cosine similarity, -1 to 1.
    """

    row: int
    track: IndexedTrack
    likeness: float


class SimilarityIndex:
    """Embeddings of a library's tracks in one matrix, in which a query is one product.

    100,000 tracks with 96 values take 38 MB, and their names about as much as in the table.

    Parameters
    ----------
    model : str
        ``ModelManifest.identity`` of the model that computed the embeddings.
    embeddings : (n, values) float32
        Of length 1.
    tracks : pyarrow.Table
        The n rows of the columns ``NAMES`` of ``dashboard.library.table``.
    other_models : int
        Tracks of the table that are left out, because another model computed their embeddings.
    """

    def __init__(self, model: str, embeddings: Embedding, tracks: Any, other_models: int = 0) -> None:
        self.model = model
        self.other_models = other_models
        self._columns = np.ascontiguousarray(embeddings.T)  # (values, n), the faster order for a product
        self._tracks = tracks

    def __len__(self) -> int:
        """Return the number of tracks."""
        return int(self._columns.shape[1])

    @property
    def bytes(self) -> int:
        """Memory of embeddings and names."""
        return self._columns.nbytes + int(self._tracks.nbytes)

    def track(self, row: int) -> IndexedTrack:
        """Return the track of a row."""
        values = {name: self._tracks[name][row].as_py() for name in self._tracks.column_names}
        artist, title = complete_names(values["uri"], values["artist"] or "", values["title"] or "")
        return IndexedTrack(
            uri=values["uri"],
            size=values["size"],
            modified=values["modified"],
            artist=artist,
            title=title,
            label=values["label"] or "",
            seconds=values["duration_seconds"] or 0.0,
        )

    def embedding(self, row: int) -> Embedding:
        """Return the embedding of a row, (values,) float32."""
        return self._columns[:, row]

    def find(self, uri: str) -> int | None:
        """Return the row of an absolute path or address, or None if the index has no such track."""
        from pyarrow import compute

        row: int = compute.index(self._tracks["uri"], uri).as_py()  # reads all of them, in a millisecond
        return row if row >= 0 else None

    @cached_property
    def _ids(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """Ids of all tracks in ascending order, and their rows."""
        ids = np.array([int(track_id(uri), 16) for uri in self._tracks["uri"].to_pylist()], np.uint64)
        order = np.argsort(ids)
        return ids[order], order

    def find_id(self, wanted: str) -> int | None:
        """Return the row of the track with an id of ``track_id``, or None if the index has no such track."""
        if not re.fullmatch("[0-9a-f]{16}", wanted, re.ASCII):
            return None
        ids, rows = self._ids
        value = np.uint64(int(wanted, 16))
        position = int(ids.searchsorted(value))
        return int(rows[position]) if position < len(ids) and ids[position] == value else None

    def neighbors(
        self,
        embedding: Embedding,
        count: int,
        *,
        like: IndexedTrack | None = None,
        playing: frozenset[str] = frozenset(),
    ) -> list[Neighbor]:
        """Find the tracks that sound most like an embedding.

        Among ten neighbors, at most ``MAX_OF_ARTIST`` are by the same artist. For tracks without an artist
        the folder counts as one, unless too few tracks are left. Copies of a recording, and other files of a
        song by the same artist, are left out.

        Parameters
        ----------
        embedding : (values,) float32
        count : int
        like : IndexedTrack, optional
            Track to which the embedding belongs. The track itself and its copies are no neighbors.
        playing : frozenset of str
            Identity keys of the song that plays. The song is no neighbor.

        Returns
        -------
        list of Neighbor
            The most similar first within each ten. There may be fewer than ``count``.

        Raises
        ------
        ValueError
            If the embedding has another size than those of the index.
        """
        if embedding.shape != self._columns.shape[:1]:
            raise ValueError(f"the embedding has {embedding.size} values, the index {len(self._columns)}")
        length = float(np.linalg.norm(embedding))
        unit = (embedding / length if length > 0 else embedding).astype(np.float32)
        likeness = unit @ self._columns
        first = max(CANDIDATES, 10 * count)
        for size in dict.fromkeys((first, min(len(self), MORE * first))):
            chosen = self._choose(likeness, _most_similar(likeness, size), count, unit, like, playing)
            if len(chosen) == count:
                break
        return chosen

    def _choose(
        self,
        likeness: Embedding,
        rows: npt.NDArray[np.int64],
        count: int,
        unit: Embedding,
        like: IndexedTrack | None,
        playing: frozenset[str],
    ) -> list[Neighbor]:
        songs = {like.song} if like and like.song else set()
        recordings = [(unit, like.seconds)] if like else []

        def accept(neighbor: Neighbor) -> bool:
            """Return True unless the track plays, or one before it has the same song or recording."""
            track, embedding = neighbor.track, self.embedding(neighbor.row)
            if track.song in songs or _is_copy(embedding, track.seconds, recordings):
                return False
            if track.song:
                songs.add(track.song)
            recordings.append((embedding, track.seconds))
            return playing.isdisjoint(track.keys)

        tracks = ((row, self.track(row)) for row in rows.tolist())
        candidates: Iterator[Neighbor] = (
            Neighbor(row, track, float(likeness[row]))
            for row, track in tracks
            if like is None or track.uri != like.uri
        )
        chosen: list[Neighbor] = []
        while len(chosen) < count:
            block, passed = _take_block(candidates, min(BLOCK, count - len(chosen)), accept)
            candidates = itertools.chain(passed, candidates)
            chosen += block
            if len(block) < BLOCK:
                break
        unknown = (each for each in candidates if not each.track.artist and accept(each))
        return chosen + list(itertools.islice(unknown, count - len(chosen)))


def _is_copy(embedding: Embedding, seconds: float, recordings: list[tuple[Embedding, float]]) -> bool:
    same_length = (each for each, length in recordings if abs(length - seconds) <= COPY_SECONDS)
    return any(float(each @ embedding) >= COPY_LIKENESS for each in same_length)


def complete_names(uri: str, artist: str, title: str) -> tuple[str, str]:
    """Complete the artist and title of a track without tags by its file's name.

    Returns
    -------
    artist, title : str
        Of a name like ``Artist - Title.mp3`` both. The artist may be empty.
    """
    stem = os.path.splitext(os.path.basename(uri))[0]
    if not artist and not title and " - " in stem:
        artist, title = (part.strip() for part in stem.split(" - ", 1))
    return artist, title or stem


def has_escapes(uri: str) -> bool:
    """Return True if a path contains escapes for bytes that are not valid UTF-8, and so leads to no file."""
    return r"\udc" in uri


def track_id(uri: str) -> str:
    """Return the id of a track in addresses of the page: 16 hexadecimal digits."""
    return hashlib.blake2b(uri.encode(), digest_size=8).hexdigest()


def _most_similar(likeness: Embedding, size: int) -> npt.NDArray[np.int64]:
    """Return the rows of the largest values, the largest first."""
    if size >= len(likeness):
        rows = np.arange(len(likeness))
    else:
        rows = np.argpartition(likeness, -size)[-size:]
    return rows[np.argsort(-likeness[rows], kind="stable")]


def _take_block(
    candidates: Iterator[Neighbor], size: int, accept: Callable[[Neighbor], bool]
) -> tuple[list[Neighbor], list[Neighbor]]:
    """Take up to ``size`` neighbors that are accepted, at most ``MAX_OF_ARTIST`` by one artist.

    Only a candidate that the rule about artists allows is compared with those before it. A comparison of all
    with all takes minutes in a library of one artist.

    Returns
    -------
    taken, passed : list of Neighbor
        The neighbors, and the candidates before the last of them whose artist had enough tracks.
    """
    taken: list[Neighbor] = []
    passed: list[Neighbor] = []
    by_artist: Counter[str] = Counter()
    while len(taken) < size and (neighbor := next(candidates, None)) is not None:
        artist = neighbor.track.artist_or_folder
        if by_artist[artist] == MAX_OF_ARTIST:
            passed.append(neighbor)
        elif accept(neighbor):
            by_artist[artist] += 1
            taken.append(neighbor)
    return taken, passed
