"""Measure the error rates of the music detector: non-music that gets a genre, and music that is rejected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from models.audio.samples import Samples
from models.classifier import GenreClassifier
from models.common.paths import resolve_beside
from models.errors import OverheardError
from realtime.config import Settings
from realtime.evaluation.playback import load_excerpt, play_samples, read_samples, replay
from realtime.evaluation.programmes import Excerpt, LabeledTrack
from realtime.evaluation.scorecard import DIGITS, Advance
from realtime.evaluation.tables import EvaluationError, SkippedFile, describe_first, read_table
from realtime.protocol.estimate import StreamState

COMMON_RATE = 8_000
"""Hz to which all audio is resampled first, so that the bandwidth of a data set does not reveal its kind."""

CLIP_SECONDS = 10.0
"""Seconds of audio in each clip that is classified."""

PROGRAMME_MUSIC = ("music", "the tracks of the programmes")
"""Kind and origin of the music that is classified in addition to the clips of the table."""


@dataclass(slots=True)
class ConfusionCount:
    """Counts of the estimates for the 10 s clips of one kind and origin.

    Attributes
    ----------
    clips : int
        Number of clips.
    named : int
        Clips with at least one LISTENING estimate, which is a confident genre.
    kept : int
        Clips of which at most half the estimates are NOT_MUSIC.
    estimates : int
        Number of estimates.
    states : dict of StreamState to int
        Number of estimates in each state.
    """

    clips: int = 0
    named: int = 0
    kept: int = 0
    estimates: int = 0
    states: dict[StreamState, int] = field(default_factory=dict)

    def add(self, states: Sequence[StreamState]) -> None:
        """Count one clip by the states of its estimates, of which there is at least one."""
        counts = {state: states.count(state) for state in states}
        self.clips += 1
        self.named += StreamState.LISTENING in counts
        self.kept += counts.get(StreamState.NOT_MUSIC, 0) <= len(states) / 2
        self.estimates += len(states)
        for state, count in counts.items():
            self.states[state] = self.states.get(state, 0) + count

    def rates(self) -> dict[str, Any]:
        """Return the number of clips and the rates under the names that ``--json`` prints.

        ``named`` and ``kept`` are shares of the clips. The other rates are shares of the estimates, and
        so of the time.
        """
        shares = {
            name: self.states.get(state, 0) / self.estimates
            for name, state in (
                ("listening", StreamState.LISTENING),
                ("unsure", StreamState.UNSURE),
                ("not_music", StreamState.NOT_MUSIC),
                ("silent", StreamState.SILENT),
            )
        }
        rates = {"named": self.named / self.clips, "kept": self.kept / self.clips} | shares
        return {"clips": self.clips} | {name: round(rate, DIGITS) for name, rate in rates.items()}


def score_non_music(
    table: Path,
    music: Sequence[LabeledTrack],
    classifier: GenreClassifier,
    settings: Settings,
    advance: Advance = lambda done, total: None,
) -> tuple[list[dict[str, Any]], list[SkippedFile]]:
    """Classify clips of 10 s separately, first the clips of the table, then the tracks of music.

    Parameters
    ----------
    table : Path
        CSV with the columns ``file``, ``kind`` and ``origin``. Clips of one kind and origin are joined
        until they fill 10 s. The rest is not used.
    music : sequence of LabeledTrack
        Tracks whose first 10 s are classified as well.
    advance : callable
        Called with the number of clips and tracks done and the number of all clips and tracks.

    Returns
    -------
    rows : list of dict
        Kind, origin and ``ConfusionCount.rates`` of each group of clips.
    skipped : list of SkippedFile
        Files that cannot be decoded or that are too short.

    Raises
    ------
    EvaluationError
        If the table cannot be read, if no kind and origin in it fills 10 s, or if the windows of the
        model are longer than 10 s.
    """
    window_seconds = classifier.manifest.audio.window_seconds
    if window_seconds > CLIP_SECONDS:
        raise EvaluationError(
            f"a window of this model takes {window_seconds:.2f} s, and the clips of --not-music have only "
            f"{CLIP_SECONDS:g} s; leave out --not-music"
        )
    skipped: list[SkippedFile] = []
    counts: dict[tuple[str, str], ConfusionCount] = {}
    rows = read_table(table, ("file", "kind", "origin"))
    sources: dict[tuple[str, str], list[Path]] = {}
    for row in rows:
        sources.setdefault((row["kind"], row["origin"]), []).append(resolve_beside(table, row["file"]))
    done, total = 0, len(rows) + len(music)
    for key, paths in sources.items():
        for clip in _join_clips(paths, skipped):
            counts.setdefault(key, ConfusionCount()).add(_estimate_states(clip, classifier, settings))
        done += len(paths)
        advance(done, total)
    if not counts:
        raise EvaluationError(
            f"no kind and origin in {table} fills {CLIP_SECONDS:g} s: {len(rows)} clips, "
            f"{len(skipped)} skipped{describe_first(skipped)}"
        )
    for track in music:
        if states := _classify_track(track, classifier, settings, skipped):
            counts.setdefault(PROGRAMME_MUSIC, ConfusionCount()).add(states)
        done += 1
        advance(done, total)
    results = [{"kind": kind, "origin": origin} | count.rates() for (kind, origin), count in counts.items()]
    return results, skipped


def _join_clips(paths: Sequence[Path], skipped: list[SkippedFile]) -> Iterator[Samples]:
    """Join files in order, and yield clips of 10 s. Append files that cannot be decoded to ``skipped``."""
    clip_samples = round(CLIP_SECONDS * COMMON_RATE)
    pending = np.empty(0, dtype=np.float32)
    for path in paths:
        try:
            pending = np.concatenate([pending, read_samples(path, COMMON_RATE)])
        except OverheardError as error:
            skipped.append(SkippedFile(path.name, str(error)))
        while len(pending) >= clip_samples:
            yield pending[:clip_samples]
            pending = pending[clip_samples:]


def _classify_track(
    track: LabeledTrack, classifier: GenreClassifier, settings: Settings, skipped: list[SkippedFile]
) -> list[StreamState]:
    """Classify the first 10 s of a track.

    A track that cannot be decoded or is too short has no states and is appended to ``skipped``.
    """
    try:
        clip = load_excerpt(Excerpt(track, 0.0, min(track.seconds, CLIP_SECONDS)), COMMON_RATE)
    except OverheardError as error:
        skipped.append(SkippedFile(Path(track.name).name, str(error)))
        return []
    states = _estimate_states(clip, classifier, settings)
    if not states:
        window_seconds = classifier.manifest.audio.window_seconds
        reason = f"{track.seconds:.2f} s of audio; one window needs {window_seconds:.2f} s"
        skipped.append(SkippedFile(Path(track.name).name, reason))
    return states


def _estimate_states(samples: Samples, classifier: GenreClassifier, settings: Settings) -> list[StreamState]:
    playback = play_samples(samples, COMMON_RATE, (), classifier, settings)
    return [analysis.estimate.state for analysis in replay(playback, settings)]
