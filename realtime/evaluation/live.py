"""Measure how well the pipeline follows programmes with known genre changes (``overheard evaluate live``)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from models.classifier import GenreClassifier
from realtime.clock import Clock
from realtime.config import Settings, SmoothingSettings
from realtime.evaluation.non_music import score_non_music
from realtime.evaluation.playback import (
    CONDITIONS,
    AudioPlayer,
    PlaybackResult,
    SpectrogramPlayer,
    analyze_playback,
)
from realtime.evaluation.programmes import (
    LabeledTrack,
    Programme,
    ProgrammeConfig,
    build_programmes,
    find_folder_tracks,
    is_long_enough,
    read_table_tracks,
    split_by_artist,
)
from realtime.evaluation.scorecard import DIGITS, Advance
from realtime.evaluation.spectrograms import StoredTracks, default_split_table, find_spec, read_split
from realtime.evaluation.tables import EvaluationError, SkippedFile, read_table
from realtime.evaluation.tracking_metrics import LiveScores, measure

UNMODIFIED = "as-is"
"""Condition that leaves the audio unchanged."""

HALF_LIVES_SECONDS = (3.0, 10.0, 30.0)
"""Half-lives of the smoothing that ``--tune`` tries, in seconds."""

SWITCH_MARGINS = (0.1, 0.3, 0.5)
"""Switch margins that ``--tune`` tries, as probabilities."""

HOLDS_SECONDS = (0.0, 0.5, 1.0)
"""Hold times that ``--tune`` tries, in seconds."""


@dataclass(frozen=True, slots=True)
class LiveEvaluationConfig:
    """Material, conditions and programmes of one evaluation.

    Attributes
    ----------
    audio : Path or None
        Folder of audio files, with a subfolder for each genre.
    table : Path or None
        CSV of audio files with the columns ``file``, ``genre`` and ``artist``.
    held_out_artists : bool
        True to use only the artists of ``table`` that training never uses.
    spectrograms : Path or None
        ``.npz`` of stored spectrograms of 30 s.
    split : str or None
        Split of ``spectrograms`` to use, or None for all tracks.
    split_table : Path or None
        CSV that assigns the tracks to splits, or None for ``tracks.csv`` beside ``spectrograms``.
    non_music : Path or None
        CSV of clips without music with the columns ``file``, ``kind`` and ``origin``.
    conditions : tuple of str
        Keys of ``CONDITIONS``. Stored spectrograms are always unmodified.
    programme : ProgrammeConfig
        Number and length of the programmes.
    seed : int
        Seed of all random choices.
    tune : bool
        True to choose the smoothing settings instead of scoring the present ones.

    Raises
    ------
    EvaluationError
        If no material is given, or if options contradict each other.
    """

    audio: Path | None = None
    table: Path | None = None
    held_out_artists: bool = False
    spectrograms: Path | None = None
    split: str | None = None
    split_table: Path | None = None
    non_music: Path | None = None
    conditions: tuple[str, ...] = (UNMODIFIED,)
    programme: ProgrammeConfig = field(default_factory=ProgrammeConfig)
    seed: int = 0
    tune: bool = False

    def __post_init__(self) -> None:
        """Check that the options fit together."""
        audio, spectrograms = self.audio or self.table, self.spectrograms
        if not (audio or spectrograms or self.non_music):
            raise EvaluationError(
                "there is nothing to evaluate; give --audio, --table, --spectrograms or --not-music"
            )
        if self.tune and not (audio or spectrograms):
            raise EvaluationError("--tune needs programmes; give --audio, --table or --spectrograms")
        if self.held_out_artists and not self.table:
            raise EvaluationError("--held-out-artists needs --table, which has a column with the artists")
        if (self.split or self.split_table) and not spectrograms:
            raise EvaluationError("--split and --split-table need --spectrograms")
        unknown = [repr(name) for name in self.conditions if name not in CONDITIONS]
        if unknown:
            raise EvaluationError(
                f"unknown conditions {', '.join(unknown)}; the conditions are all, {', '.join(CONDITIONS)}"
            )
        if self.conditions != (UNMODIFIED,) and (self.tune or not audio):
            reason = "--tune uses unmodified audio" if self.tune else "they need --audio or --table"
            raise EvaluationError(f"conditions cannot be set here: {reason}; leave out --conditions")
        if self.seed < 0:
            raise EvaluationError(f"the seed is {self.seed}; it must be 0 or more")


class ProgrammePlayer(Protocol):
    """Player that turns a programme into classified windows."""

    def play(self, programme: Programme, condition: str, seed: Sequence[int]) -> PlaybackResult:
        """Play one programme in one condition and classify its windows."""
        ...


@dataclass(frozen=True, slots=True)
class EvaluationMaterial:
    """Tracks of one kind and the player for them.

    ``is_audio`` is False for stored spectrograms, which have no pauses and only the unmodified condition.
    """

    name: str
    tracks: tuple[LabeledTrack, ...]
    player: ProgrammePlayer
    is_audio: bool

    def eligible_tracks(self, programme: ProgrammeConfig) -> list[LabeledTrack]:
        """Return the tracks that are long enough for the programmes."""
        return [track for track in self.tracks if is_long_enough(track, programme)]

    def build_programmes(
        self, tracks: Sequence[LabeledTrack], config: LiveEvaluationConfig
    ) -> list[Programme]:
        """Draw programmes from some of the tracks. Equal configurations draw equal programmes.

        Raises
        ------
        EvaluationError
            If fewer than two genres have tracks that are long enough.
        """
        generator = np.random.default_rng(config.seed)
        try:
            return build_programmes(tracks, config.programme, generator, pauses=self.is_audio)
        except EvaluationError as error:
            raise EvaluationError(f"{self.name}: {error}") from error


def evaluate_live(
    config: LiveEvaluationConfig,
    classifier: GenreClassifier,
    settings: Settings,
    clock: Clock,
    advance: Advance = lambda done, total: None,
) -> dict[str, Any]:
    """Run an evaluation.

    Parameters
    ----------
    advance : callable
        Called with the number of programmes or clips done and the number of all programmes or clips.

    Returns
    -------
    dict
        Scorecard that can be encoded as JSON. ``sets`` holds the figures of ``LiveScores`` for each
        material and condition. With ``tune``, ``tuning`` replaces ``sets`` and holds, for each material,
        the figures of the present and of the selected settings. ``not_music`` holds the figures of each
        kind and origin of clips. ``seconds_a_minute`` is the computing time for one minute of programme.

    Raises
    ------
    EvaluationError
        If a folder, a table or a file of spectrograms cannot be used, or if there are too few tracks.
    """
    manifest = classifier.manifest
    materials, skipped = _load_materials(config, classifier, settings)
    card: dict[str, Any] = {
        "model": f"{manifest.name} {manifest.version}",
        "says_music": manifest.calibration.music_above is not None,
        "seed": config.seed,
        "smoothing": asdict(settings.smoothing),
        "without_tracks": {
            material.name: [label for number, label in enumerate(manifest.labels) if number not in played]
            for material in materials
            for played in [{track.genre for track in material.eligible_tracks(config.programme)}]
        },
    }
    if config.tune:
        card["tuning"] = [
            _tune(material, config, manifest.labels, settings, advance) for material in materials
        ]
    else:
        card["sets"] = list(_score_conditions(materials, config, manifest.labels, settings, clock, advance))
    if config.non_music:
        music = [track for material in materials if material.is_audio for track in material.tracks]
        card["not_music"], missed = score_non_music(config.non_music, music, classifier, settings, advance)
        skipped += missed
    card["skipped"] = [asdict(each) for each in skipped]
    return card


def _load_materials(
    config: LiveEvaluationConfig, classifier: GenreClassifier, settings: Settings
) -> tuple[list[EvaluationMaterial], list[SkippedFile]]:
    labels = classifier.manifest.labels
    audio_tracks: list[LabeledTrack] = []
    skipped: list[SkippedFile] = []
    if config.audio:
        tracks, missed = find_folder_tracks(config.audio, labels)
        audio_tracks, skipped = audio_tracks + tracks, skipped + missed
    if config.table:
        tracks, missed = read_table_tracks(config.table, labels, held_out_artists=config.held_out_artists)
        audio_tracks, skipped = audio_tracks + tracks, skipped + missed
    materials = []
    if config.audio or config.table:
        player = AudioPlayer(classifier, settings)
        materials.append(EvaluationMaterial("audio", tuple(audio_tracks), player, is_audio=True))
    if config.spectrograms:
        materials.append(_load_spectrograms(config, config.spectrograms, classifier))
    return materials, skipped


def _load_spectrograms(
    config: LiveEvaluationConfig, path: Path, classifier: GenreClassifier
) -> EvaluationMaterial:
    labels = classifier.manifest.labels
    stored = StoredTracks.load(path, labels)
    if stored.geometry.whole:
        raise EvaluationError(
            f"{path} holds one window of {stored.geometry.columns} columns for each track; programmes need "
            "spectrograms of shape (n, 129, 496)"
        )
    spec = find_spec(stored.geometry, classifier.manifest)
    seconds = stored.geometry.columns * spec.column_step / spec.sample_rate
    table = config.split_table or default_split_table(path)
    metadata: dict[str, dict[str, str]] = {}
    if config.split:
        metadata = read_split(table, config.split, ("artist",))
        stored = stored.select(metadata)
    elif config.split_table or table.exists():
        metadata = {row["track_id"]: row for row in read_table(table, ("track_id", "artist"))}
    tracks = [
        LabeledTrack(name, genre, metadata.get(name, {}).get("artist", ""), seconds)
        for name, genre in zip(stored.names, stored.labels.tolist(), strict=True)
    ]
    rows = {name: row for row, name in enumerate(stored.names)}
    return EvaluationMaterial(
        "pictures", tuple(tracks), SpectrogramPlayer(stored, rows, classifier, spec), is_audio=False
    )


def _score_conditions(
    materials: Sequence[EvaluationMaterial],
    config: LiveEvaluationConfig,
    labels: Sequence[str],
    settings: Settings,
    clock: Clock,
    advance: Advance,
) -> Iterator[dict[str, Any]]:
    jobs = [
        (material, condition)
        for material in materials
        for condition in (config.conditions if material.is_audio else (UNMODIFIED,))
    ]
    done, total = 0, len(jobs) * config.programme.programmes
    for material, condition in jobs:
        started = clock.monotonic()
        playbacks = []
        for number, programme in enumerate(material.build_programmes(material.tracks, config)):
            playbacks.append(material.player.play(programme, condition, (config.seed, number)))
            done += 1
            advance(done, total)
        scores = measure([analyze_playback(playback, settings) for playback in playbacks], len(labels))
        minutes = math.fsum(playback.segments[-1].end for playback in playbacks) / 60
        yield {
            "material": material.name,
            "condition": condition,
            "seconds_a_minute": round((clock.monotonic() - started) / minutes, 2),
        } | scores_to_json(scores, labels)


def scores_to_json(scores: LiveScores, labels: Sequence[str]) -> dict[str, Any]:
    """Convert scores to a dictionary with the keys of ``--json``, rounded.

    The values of ``recall`` and ``shown`` are dictionaries by genre.
    """
    fields = asdict(scores)
    shares = {name: fields.pop(name) for name in ("recall", "shown")}
    rounded = {
        name: round(value, DIGITS) if isinstance(value, float) else value for name, value in fields.items()
    }
    by_genre = {
        name: {
            label: None if share is None else round(share, DIGITS)
            for label, share in zip(labels, each, strict=True)
        }
        for name, each in shares.items()
    }
    return rounded | by_genre


def smoothing_grid(present: SmoothingSettings) -> list[SmoothingSettings]:
    """Return the smoothing settings to try. The present settings come first."""
    candidates = [
        SmoothingSettings(half_life, margin, hold)
        for half_life, margin, hold in product(HALF_LIVES_SECONDS, SWITCH_MARGINS, HOLDS_SECONDS)
    ]
    return [present, *(each for each in candidates if each != present)]


def select_best(tried: Sequence[tuple[SmoothingSettings, LiveScores]]) -> SmoothingSettings:
    """Select the settings with the highest accuracy and no more label flips than the first settings.

    Parameters
    ----------
    tried : sequence of (SmoothingSettings, LiveScores)
        At least one pair. The first pair holds the present settings.
    """
    max_flips = tried[0][1].flips_per_minute or 0.0
    allowed = [each for each in tried if (each[1].flips_per_minute or 0.0) <= max_flips]
    return max(allowed, key=lambda each: each[1].accuracy or 0.0)[0]


def _tune(
    material: EvaluationMaterial,
    config: LiveEvaluationConfig,
    labels: Sequence[str],
    settings: Settings,
    advance: Advance,
) -> dict[str, Any]:
    """Select the smoothing settings on one half of the tracks, and score them on the other half."""
    halves = split_by_artist(material.tracks, np.random.default_rng(config.seed))
    playbacks: list[list[PlaybackResult]] = []
    done, total = 0, 2 * config.programme.programmes
    for half in halves:
        playbacks.append([])
        for number, programme in enumerate(material.build_programmes(half, config)):
            playbacks[-1].append(material.player.play(programme, UNMODIFIED, (config.seed, number)))
            done += 1
            advance(done, total)

    def score(smoothing: SmoothingSettings, half: Iterable[PlaybackResult]) -> LiveScores:
        candidate = replace(settings, smoothing=smoothing)
        return measure([analyze_playback(playback, candidate) for playback in half], len(labels))

    tried = [(smoothing, score(smoothing, playbacks[0])) for smoothing in smoothing_grid(settings.smoothing)]
    winner = select_best(tried)
    return {
        "material": material.name,
        "tracks": [len(half) for half in halves],
        "tried": [
            asdict(smoothing)
            | {
                name: scores_to_json(each, labels)[name]
                for name in ("accuracy", "flips_per_minute", "switch_median")
            }
            for smoothing, each in tried
        ],
        "settings": asdict(winner),
        "present": scores_to_json(score(settings.smoothing, playbacks[1]), labels),
        "chosen": scores_to_json(score(winner, playbacks[1]), labels),
    }
