"""Programmes of real music with known changes of genre, and the estimates of the live path."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.audio.samples import sanitize_samples
from models.classifier import GenreClassifier
from realtime.audio.source import AudioBlock
from realtime.config import Settings
from realtime.evaluation.playback import (
    BLOCK_SAMPLES,
    PLAYBACK_RATE,
    SpectrogramPlayer,
    StreamClock,
    build_segments,
    load_excerpt,
    replay,
)
from realtime.evaluation.programmes import Excerpt, LabeledTrack, Programme, read_table_tracks
from realtime.evaluation.spectrograms import StoredTracks, find_spec, read_split
from realtime.evaluation.tables import read_table
from realtime.evaluation.tracking_metrics import TrueSegment
from realtime.pipeline.analyzer import Analyzer
from realtime.protocol.estimate import GenreEstimate

BLOCK_SECONDS = (180.0, 720.0)
RESTLESS_BLOCK_SECONDS = (540.0, 660.0)
UNTIL_INTERRUPTED_SECONDS = (75.0, 150.0)
INTERRUPTION_SECONDS = (12.0, 30.0)
"""Range of the interruptions, which are as short as a single track may be."""
MIN_RECORDING_SECONDS = 8.0
"""Shorter recordings are not played."""
FEWEST_TRACKS = 5
"""A genre with fewer is not played."""
SEED = 7
PROGRAMMES = {
    "valid": (("steady", 2, False), ("restless", 1, True), ("steady again", 2, False)),
    "test": (("steady", 2, False), ("restless", 1, True)),
}
"""Programmes of each part of the data: name, hours, and whether it is restless."""


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive excerpts of one genre. Those of another genre are interruptions."""

    genre: int
    excerpts: tuple[Excerpt, ...]


@dataclass(frozen=True, slots=True)
class AnalyzedProgramme:
    """Programme and its estimates. ``blocks`` follow without a gap, and neighbours differ in genre."""

    blocks: tuple[TrueSegment, ...]
    interruptions: tuple[TrueSegment, ...]
    estimates: tuple[GenreEstimate, ...]


def draw(
    tracks: Sequence[LabeledTrack], seconds: float, generator: np.random.Generator, *, restless: bool = False
) -> list[Part]:
    """Draw blocks of at least ``seconds`` in all. Genres, and the tracks of a genre, occur equally often."""
    by_genre: dict[int, list[LabeledTrack]] = {}
    for track in tracks:
        by_genre.setdefault(track.genre, []).append(track)
    by_genre = {genre: own for genre, own in sorted(by_genre.items()) if len(own) >= FEWEST_TRACKS}
    turns = {genre: _cycle_tracks(own, generator) for genre, own in by_genre.items()}
    played = dict.fromkeys(turns, 0.0)
    parts: list[Part] = []
    while sum(played.values()) < seconds:
        others = [genre for genre in turns if not parts or genre != parts[-1].genre]
        least = min(played[genre] for genre in others)
        genre = int(generator.choice([each for each in others if played[each] <= least + BLOCK_SECONDS[0]]))
        length = generator.uniform(*(RESTLESS_BLOCK_SECONDS if restless else BLOCK_SECONDS))
        excerpts: list[Excerpt] = []
        left, calm = length, generator.uniform(*UNTIL_INTERRUPTED_SECONDS)
        while left > 0:
            track = next(turns[genre])
            excerpts.append(Excerpt(track, 0.0, track.seconds))
            left, calm = left - track.seconds, calm - track.seconds
            if restless and calm <= 0 and left > UNTIL_INTERRUPTED_SECONDS[0]:
                track = next(turns[int(generator.choice([each for each in turns if each != genre]))])
                excerpts.append(
                    Excerpt(track, 0.0, min(track.seconds, generator.uniform(*INTERRUPTION_SECONDS)))
                )
                left, calm = left - excerpts[-1].seconds, generator.uniform(*UNTIL_INTERRUPTED_SECONDS)
        played[genre] += length
        parts.append(Part(genre, tuple(excerpts)))
    return parts


def _cycle_tracks(tracks: Sequence[LabeledTrack], generator: np.random.Generator) -> Iterator[LabeledTrack]:
    """Yield tracks without end, each of them once a round."""
    while True:
        yield from (tracks[place] for place in generator.permutation(len(tracks)))


def outline(
    parts: Sequence[Part], segments: Sequence[TrueSegment]
) -> tuple[list[TrueSegment], list[TrueSegment]]:
    """Return the blocks and the interruptions, from the segments of the excerpts."""
    blocks, interruptions, rest = [], [], list(segments)
    for part in parts:
        own, rest = rest[: len(part.excerpts)], rest[len(part.excerpts) :]
        blocks.append(TrueSegment(part.genre, own[0].start, own[-1].end))
        interruptions += [segment for segment in own if segment.genre != part.genre]
    return blocks, interruptions


def analyze_sound(parts: Sequence[Part], classifier: GenreClassifier) -> AnalyzedProgramme:
    """Play sound files through an ``Analyzer`` with its default settings, at full speed."""
    clock, position = StreamClock(), 0
    analyzer = Analyzer(classifier, Settings(), PLAYBACK_RATE, clock)
    excerpts = [excerpt for part in parts for excerpt in part.excerpts]
    estimates, lengths = [], []
    for excerpt in excerpts:
        samples = sanitize_samples(load_excerpt(excerpt, PLAYBACK_RATE))
        for start in range(0, len(samples), BLOCK_SAMPLES):
            block = samples[start : start + BLOCK_SAMPLES]
            clock.sleep_until((position + len(block)) / PLAYBACK_RATE)
            heard = analyzer.process(AudioBlock(block, position, PLAYBACK_RATE, clock.now))
            estimates += [analysis.estimate for analysis in heard]
            position += len(block)
        lengths.append(len(samples) / PLAYBACK_RATE)
    segments = build_segments([excerpt.track.genre for excerpt in excerpts], lengths)
    blocks, interruptions = outline(parts, segments)
    return AnalyzedProgramme(tuple(blocks), tuple(interruptions), tuple(estimates))


def analyze_spectrograms(parts: Sequence[Part], player: SpectrogramPlayer) -> AnalyzedProgramme:
    """Join stored spectrograms and smooth the estimates as the live path does."""
    programme = Programme(tuple(excerpt for part in parts for excerpt in part.excerpts))
    playback = player.play(programme, "as-is", (0,))
    blocks, interruptions = outline(parts, playback.segments)
    estimates = tuple(analysis.estimate for analysis in replay(playback, Settings()))
    return AnalyzedProgramme(tuple(blocks), tuple(interruptions), estimates)


def programmes(data: Path, part: str, classifier: GenreClassifier) -> Iterator[tuple[str, AnalyzedProgramme]]:
    """Analyze all of a part of the data: spectrograms and, for the test part, sound."""
    facts = read_split(data / "gtzan" / "tracks.csv", part, ("duplicate_of",))
    facts = {name: row for name, row in facts.items() if not row["duplicate_of"]}
    tracks, player = _pictures(data, facts, classifier)
    materials: list[tuple[str, list[LabeledTrack], Callable[[Sequence[Part]], AnalyzedProgramme]]] = [
        ("spectrograms", tracks, lambda drawn: analyze_spectrograms(drawn, player))
    ]
    if part == "test":
        sounds = _sounds(data, facts, classifier.manifest.labels)
        materials.append(("sound", sounds, lambda drawn: analyze_sound(drawn, classifier)))
    for material, own, hear in materials:
        for number, (name, hours, restless) in enumerate(PROGRAMMES[part]):
            drawn = draw(own, hours * 3600, np.random.default_rng((number, SEED)), restless=restless)
            yield f"{material}, {name}", hear(drawn)


def _pictures(
    data: Path, known: Container[str], classifier: GenreClassifier
) -> tuple[list[LabeledTrack], SpectrogramPlayer]:
    stored = StoredTracks.load(data / "gtzan" / "stft_full30s.npz", classifier.manifest.labels).select(known)
    spec = find_spec(stored.geometry, classifier.manifest)
    seconds = stored.geometry.columns * spec.column_step / spec.sample_rate
    labelled = zip(stored.names, stored.labels.tolist(), strict=True)
    rows = {name: row for row, name in enumerate(stored.names)}
    return [LabeledTrack(*each, "", seconds) for each in labelled], SpectrogramPlayer(
        stored, rows, classifier, spec
    )


def _sounds(data: Path, known: Container[str], labels: Sequence[str]) -> list[LabeledTrack]:
    """GTZAN's recordings of the tracks that are named, and other people's music kept for checking."""
    rows = read_table(data / "gtzan" / "audio.csv", ("file", "track_id", "genre", "seconds"))
    tracks = [
        LabeledTrack(str(data / "gtzan" / row["file"]), labels.index(row["genre"]), "", float(row["seconds"]))
        for row in rows
        if row["track_id"] in known
    ]
    others, _ = read_table_tracks(data / "more-music.csv", labels, held_out_artists=True)
    return [track for track in (*tracks, *others) if track.seconds >= MIN_RECORDING_SECONDS]
