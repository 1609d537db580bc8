"""``overheard evaluate live``: how well the whole pipeline follows programmes whose changes are known."""

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
    AudioRecorder,
    PlaybackResult,
    SpectrogramRecorder,
    analyze_playback,
)
from realtime.evaluation.programmes import (
    LabeledTrack,
    Programme,
    ProgrammeConfig,
    build,
    folder_tracks,
    halves,
    is_long_enough,
    table_tracks,
)
from realtime.evaluation.scorecard import DIGITS, Advance
from realtime.evaluation.spectrograms import StoredTracks, find_table, geometry_for, read_split
from realtime.evaluation.tables import EvaluationError, SkippedFile, read_table
from realtime.evaluation.tracking_metrics import LiveScores, measure

UNMODIFIED = "as-is"

HALF_LIVES = (1.0, 2.0, 3.0, 5.0)
SWITCH_MARGINS = (0.0, 0.05, 0.15)
HOLDS = (0.5, 1.5, 3.0)
"""Seconds, probabilities and seconds that ``--tune`` tries, each with each."""


@dataclass(frozen=True, slots=True)
class LiveEvaluationConfig:
    """What to listen to, and in which conditions.

    Raises
    ------
    EvaluationError
        Nothing to listen to, or options that do not go together.
    """

    audio: Path | None = None
    table: Path | None = None
    check_artists: bool = False
    pictures: Path | None = None
    part: str | None = None
    tracks: Path | None = None
    not_music: Path | None = None
    conditions: tuple[str, ...] = (UNMODIFIED,)
    shape: ProgrammeConfig = field(default_factory=ProgrammeConfig)
    seed: int = 0
    tune: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        sounds, pictures = self.audio or self.table, self.pictures
        if not (sounds or pictures or self.not_music):
            raise EvaluationError(
                "nothing to listen to; give --audio, --table, --spectrograms or --not-music"
            )
        if self.tune and not (sounds or pictures):
            raise EvaluationError("--tune needs programmes; give --audio, --table or --spectrograms")
        if self.check_artists and not self.table:
            raise EvaluationError("--held-out-artists needs --table, whose column says who the artists are")
        if (self.part or self.tracks) and not pictures:
            raise EvaluationError("--split and --split-table choose among --spectrograms, which are missing")
        unknown = [repr(name) for name in self.conditions if name not in CONDITIONS]
        if unknown:
            raise EvaluationError(
                f"unknown conditions {', '.join(unknown)}; there are all, {', '.join(CONDITIONS)}"
            )
        if self.conditions != (UNMODIFIED,) and (self.tune or not sounds):
            reason = "--tune hears programmes as they are" if self.tune else "they need --audio or --table"
            raise EvaluationError(f"no conditions can be set here: {reason}; leave out --conditions")
        if self.seed < 0:
            raise EvaluationError(f"the seed is {self.seed}; it must be 0 or more")


class Recorder(Protocol):
    """Turns a programme into classified windows."""

    def record(self, programme: Programme, condition: str, seed: Sequence[int]) -> PlaybackResult:
        """Play one programme in one condition."""
        ...


@dataclass(frozen=True, slots=True)
class EvaluationMaterial:
    """Tracks of one form, and what plays them; ``pauses`` and other conditions only where they are sound."""

    name: str
    tracks: tuple[LabeledTrack, ...]
    recorder: Recorder
    sound: bool

    def long_enough(self, shape: ProgrammeConfig) -> list[LabeledTrack]:
        """Tracks that programmes of this shape may hold."""
        return [track for track in self.tracks if is_long_enough(track, shape)]

    def programmes(self, tracks: Sequence[LabeledTrack], plan: LiveEvaluationConfig) -> list[Programme]:
        """Draw programmes from some of the tracks; the same for the same plan."""
        try:
            return build(tracks, plan.shape, np.random.default_rng(plan.seed), pauses=self.sound)
        except EvaluationError as error:
            raise EvaluationError(f"{self.name}: {error}") from error


def evaluate_live(
    plan: LiveEvaluationConfig,
    classifier: GenreClassifier,
    chosen: Settings,
    clock: Clock,
    advance: Advance = lambda done, total: None,
) -> dict[str, Any]:
    """Do what the plan says.

    Returns
    -------
    dict
        Ready for JSON. ``sets`` holds the figures of ``LiveScores`` for each material and condition, or
        ``tuning`` for each material those of two settings; ``not_music`` those of each kind and origin.
        ``seconds_a_minute`` is what one minute of programme cost here.

    Raises
    ------
    OverheardError
        As the plan's parts.
    """
    manifest = classifier.manifest
    materials, skipped = _materials(plan, classifier, chosen)
    card: dict[str, Any] = {
        "model": f"{manifest.name} {manifest.version}",
        "says_music": manifest.calibration.music_above is not None,
        "seed": plan.seed,
        "smoothing": asdict(chosen.smoothing),
        "without_tracks": {
            material.name: [label for number, label in enumerate(manifest.labels) if number not in played]
            for material in materials
            for played in [{track.genre for track in material.long_enough(plan.shape)}]
        },
    }
    if plan.tune:
        card["tuning"] = [_tuning(material, plan, manifest.labels, chosen, advance) for material in materials]
    else:
        card["sets"] = list(_sets(materials, plan, manifest.labels, chosen, clock, advance))
    if plan.not_music:
        music = [track for material in materials if material.sound for track in material.tracks]
        card["not_music"], missed = score_non_music(plan.not_music, music, classifier, chosen, advance)
        skipped += missed
    card["skipped"] = [asdict(each) for each in skipped]
    return card


def _materials(
    plan: LiveEvaluationConfig, classifier: GenreClassifier, chosen: Settings
) -> tuple[list[EvaluationMaterial], list[SkippedFile]]:
    labels = classifier.manifest.labels
    found: list[LabeledTrack] = []
    skipped: list[SkippedFile] = []
    if plan.audio:
        tracks, missed = folder_tracks(plan.audio, labels)
        found, skipped = found + tracks, skipped + missed
    if plan.table:
        tracks, missed = table_tracks(plan.table, labels, check_artists=plan.check_artists)
        found, skipped = found + tracks, skipped + missed
    materials = []
    if plan.audio or plan.table:
        materials.append(
            EvaluationMaterial("audio", tuple(found), AudioRecorder(classifier, chosen), sound=True)
        )
    if plan.pictures:
        materials.append(_picture_material(plan, plan.pictures, classifier))
    return materials, skipped


def _picture_material(
    plan: LiveEvaluationConfig, path: Path, classifier: GenreClassifier
) -> EvaluationMaterial:
    labels = classifier.manifest.labels
    stored = StoredTracks.load(path, labels)
    if stored.form.whole:
        raise EvaluationError(
            f"{path} holds one window a track, {stored.form.columns} columns; programmes are joined from "
            "pictures of (n, 129, 496)"
        )
    spec = geometry_for(stored.form, classifier.manifest)
    seconds = stored.form.columns * spec.column_step / spec.sample_rate
    listed = plan.tracks or find_table(path)
    facts: dict[str, dict[str, str]] = {}
    if plan.part:
        facts = read_split(listed, plan.part, ("artist",))
        stored = stored.only(facts)
    elif plan.tracks or listed.exists():
        facts = {row["track_id"]: row for row in read_table(listed, ("track_id", "artist"))}
    tracks = [
        LabeledTrack(name, genre, facts.get(name, {}).get("artist", ""), seconds)
        for name, genre in zip(stored.names, stored.labels.tolist(), strict=True)
    ]
    rows = {name: row for row, name in enumerate(stored.names)}
    return EvaluationMaterial(
        "pictures", tuple(tracks), SpectrogramRecorder(stored, rows, classifier, spec), sound=False
    )


def _sets(
    materials: Sequence[EvaluationMaterial],
    plan: LiveEvaluationConfig,
    labels: Sequence[str],
    chosen: Settings,
    clock: Clock,
    advance: Advance,
) -> Iterator[dict[str, Any]]:
    jobs = [
        (material, condition)
        for material in materials
        for condition in (plan.conditions if material.sound else (UNMODIFIED,))
    ]
    done, total = 0, len(jobs) * plan.shape.programmes
    for material, condition in jobs:
        started = clock.monotonic()
        recordings = []
        for number, programme in enumerate(material.programmes(material.tracks, plan)):
            recordings.append(material.recorder.record(programme, condition, (plan.seed, number)))
            done += 1
            advance(done, total)
        scores = measure([analyze_playback(recording, chosen) for recording in recordings], len(labels))
        played = math.fsum(recording.stretches[-1].end for recording in recordings) / 60
        cost = (clock.monotonic() - started) / played
        yield {
            "material": material.name,
            "condition": condition,
            "seconds_a_minute": round(cost, 2),
        } | score_table(scores, labels)


def score_table(scores: LiveScores, labels: Sequence[str]) -> dict[str, Any]:
    """The measures under the names that ``--json`` prints, rounded; two of them by genre."""
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


def grid(present: SmoothingSettings) -> list[SmoothingSettings]:
    """The settings to try, the present ones first."""
    tried = [
        SmoothingSettings(half_life, margin, hold)
        for half_life, margin, hold in product(HALF_LIVES, SWITCH_MARGINS, HOLDS)
    ]
    return [present, *(each for each in tried if each != present)]


def best(tried: Sequence[tuple[SmoothingSettings, LiveScores]]) -> SmoothingSettings:
    """Of the settings whose label flips no more often than with the first, those that are right longest."""
    calm = tried[0][1].flips_per_minute or 0.0
    allowed = [each for each in tried if (each[1].flips_per_minute or 0.0) <= calm]
    return max(allowed, key=lambda each: each[1].accuracy or 0.0)[0]


def _tuning(
    material: EvaluationMaterial,
    plan: LiveEvaluationConfig,
    labels: Sequence[str],
    chosen: Settings,
    advance: Advance,
) -> dict[str, Any]:
    """Choose on one half of the tracks, judge on the other."""
    sides = halves(material.tracks, np.random.default_rng(plan.seed))
    recordings: list[list[PlaybackResult]] = []
    done, total = 0, 2 * plan.shape.programmes
    for half in sides:
        recordings.append([])
        for number, programme in enumerate(material.programmes(half, plan)):
            recordings[-1].append(material.recorder.record(programme, UNMODIFIED, (plan.seed, number)))
            done += 1
            advance(done, total)

    def scores(smoothing: SmoothingSettings, half: Iterable[PlaybackResult]) -> LiveScores:
        settings = replace(chosen, smoothing=smoothing)
        return measure([analyze_playback(recording, settings) for recording in half], len(labels))

    tried = [(smoothing, scores(smoothing, recordings[0])) for smoothing in grid(chosen.smoothing)]
    winner = best(tried)
    return {
        "material": material.name,
        "tracks": [len(half) for half in sides],
        "tried": [
            asdict(smoothing)
            | {
                name: score_table(each, labels)[name]
                for name in ("accuracy", "flips_per_minute", "switch_median")
            }
            for smoothing, each in tried
        ],
        "settings": asdict(winner),
        "present": score_table(scores(chosen.smoothing, recordings[1]), labels),
        "chosen": score_table(scores(winner, recordings[1]), labels),
    }
