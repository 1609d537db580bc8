"""Measure how well the embedding finds tracks that sound alike (``overheard evaluate similarity``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.classifier import GenreClassifier
from models.common.text import format_count
from models.errors import OverheardError
from models.holdout import normalize_artist
from models.retrieval import NEIGHBORS, score_retrieval
from realtime.clock import Clock
from realtime.config import Settings
from realtime.evaluation.audio_folder import MusicMean
from realtime.evaluation.programmes import list_table_files
from realtime.evaluation.scorecard import Advance, format_figure, render_skipped
from realtime.evaluation.spectrograms import StoredTracks, default_split_table, find_spec, read_split
from realtime.evaluation.tables import EvaluationError, SkippedFile, describe_first
from realtime.pipeline.offline import analyze_file
from realtime.sources.file import FileSource

if TYPE_CHECKING:
    from rich.console import RenderableType


DEFAULT_SPLIT = "test"
DEFAULT_AMONG = ("valid",)


@dataclass(frozen=True, slots=True)
class SimilarityConfig:
    """Material of an evaluation: stored spectrograms with their splits, or a table of audio.

    Attributes
    ----------
    spectrograms, split_table, table : Path or None
    split : str
        Split whose tracks are the queries.
    among : tuple of str
        Further splits among which neighbors are searched.
    held_out_artists : bool
        Of the table, use only the artists that are never used for training.
    """

    spectrograms: Path | None = None
    split: str = DEFAULT_SPLIT
    among: tuple[str, ...] = DEFAULT_AMONG
    split_table: Path | None = None
    table: Path | None = None
    held_out_artists: bool = False

    def __post_init__(self) -> None:
        """Check the material.

        Raises
        ------
        EvaluationError
            If there is not exactly one kind of material, or an option belongs to the other kind.
        """
        if (self.spectrograms is None) == (self.table is None):
            raise EvaluationError("give either --spectrograms or --table, whose tracks are compared")
        if self.held_out_artists and self.table is None:
            raise EvaluationError("--held-out-artists needs --table, which has a column with the artists")
        splits = (self.split, self.among, self.split_table)
        if self.table is not None and splits != (DEFAULT_SPLIT, DEFAULT_AMONG, None):
            raise EvaluationError("--split, --among and --split-table need --spectrograms, which have splits")


def evaluate_similarity(
    config: SimilarityConfig,
    classifiers: Sequence[GenreClassifier],
    settings: Settings,
    clock: Clock,
    advance: Advance = lambda done, total: None,
) -> dict[str, Any]:
    """Measure the neighbors of tracks, with the keys of ``--json``.

    Raises
    ------
    EvaluationError
        If the material cannot be used, or if the model has no embedding.
    """
    manifest = classifiers[0].manifest
    if not manifest.embedding_size:
        raise EvaluationError(f"{manifest.identity} has no embedding; name another model with --manifest")
    if config.spectrograms is not None:
        scores = _score_spectrograms(config, config.spectrograms, classifiers[0], advance)
    elif config.table is not None:
        scores = _score_audio(config, config.table, classifiers, settings, clock, advance)
    return {"model": f"{manifest.name} {manifest.version}"} | scores


def _score_spectrograms(
    config: SimilarityConfig, path: Path, classifier: GenreClassifier, advance: Advance
) -> dict[str, Any]:
    """Score the mean embeddings over the windows of stored spectrograms."""
    table = config.split_table or default_split_table(path)
    splits = {
        name: read_split(table, name, ("artist",)) for name in dict.fromkeys((config.split, *config.among))
    }
    rows = {track: row for split in splits.values() for track, row in split.items()}
    tracks = StoredTracks.load(path, classifier.manifest.labels).select(rows)
    queries = np.array([name in splits[config.split] for name in tracks.names], bool)
    if not queries.any():
        raise EvaluationError(
            f"none of the {len(splits[config.split])} tracks of split {config.split!r} in {table} "
            f"is in {path}"
        )
    spec = find_spec(tracks.geometry, classifier.manifest)
    embeddings = np.zeros((len(tracks.names), classifier.manifest.embedding_size))
    for row, images in enumerate(tracks.images(spec)):
        embeddings[row] = sum(classifier.predict(image).embedding for image in images)
        advance(row + 1, len(tracks.names))
    artists = [normalize_artist(rows[name]["artist"]) for name in tracks.names]
    return score_retrieval(embeddings, tracks.labels, artists, queries)


def _score_audio(
    config: SimilarityConfig,
    table: Path,
    classifiers: Sequence[GenreClassifier],
    settings: Settings,
    clock: Clock,
    advance: Advance,
) -> dict[str, Any]:
    """Score the mean embeddings of audio files, which are analyzed like by ``overheard library``."""
    manifest = classifiers[0].manifest
    files = list_table_files(
        table, manifest.labels, ("file", "genre", "artist"), held_out_artists=config.held_out_artists
    )
    embeddings, labels, artists = [], [], []
    skipped: list[SkippedFile] = []
    for done, (path, genre, artist) in enumerate(files, start=1):
        mean = MusicMean(manifest)
        try:
            analyze_file(FileSource(str(path), clock), classifiers, settings, clock, mean)
        except OverheardError as error:
            skipped.append(SkippedFile(path.name, str(error)))
        else:
            if mean.music.windows:
                embeddings.append(mean.music.embedding)
                labels.append(genre)
                artists.append(normalize_artist(artist))
            else:
                skipped.append(SkippedFile(path.name, "contains no music"))
        advance(done, len(files))
    if len(embeddings) < 2:
        raise EvaluationError(
            f"{table} has {format_count(len(embeddings), 'track')} that can be compared; two are needed"
            f"{describe_first(skipped)}"
        )
    scores = score_retrieval(np.stack(embeddings), np.array(labels, np.int64), artists)
    return scores | {"skipped": [{"file": each.file, "reason": each.reason} for each in skipped]}


def render_similarity(card: dict[str, Any]) -> list[RenderableType]:
    """Render the figures for a terminal."""
    from rich.table import Table
    from rich.text import Text

    figures = {
        "model": card["model"],
        "tracks": f"{card['tracks']}, compared with {card['among']}",
        "genre": f"{format_figure(card['genre_precision'], 3)} of the {NEIGHBORS} most similar tracks of "
        f"other artists have the same genre (by chance {format_figure(card['chance'], 3)})",
        "artist": f"{format_figure(card['artist_mrr'], 3)} mean reciprocal rank of the same artist, "
        f"for {card['artist_tracks']} tracks that have another one by the artist",
    }
    summary = Table.grid(padding=(0, 2))
    for name, value in figures.items():
        summary.add_row(name, Text(value))
    return [summary, *(render_skipped(card["skipped"]) if card.get("skipped") else [])]
