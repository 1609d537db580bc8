"""How often sound that is no music gets a genre, and how often music is taken for none."""

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
from realtime.evaluation.playback import excerpt_samples, listen, read_samples, replay
from realtime.evaluation.programmes import Excerpt, LabeledTrack
from realtime.evaluation.scorecard import DIGITS, Advance
from realtime.evaluation.tables import EvaluationError, SkippedFile, read_table
from realtime.protocol.estimate import StreamState

COMMON_RATE = 8_000
"""Hz to which everything is brought first: else the bandwidth of a set would tell what it is."""

CLIP_SECONDS = 10.0

OWN_MUSIC = ("music", "the tracks of the programmes")
"""Kind and origin of what is judged beside the table."""


@dataclass(slots=True)
class ConfusionCount:
    """What was said of the 10 s clips of one kind and origin."""

    clips: int = 0
    named: int = 0
    kept: int = 0
    estimates: int = 0
    states: dict[StreamState, int] = field(default_factory=dict)

    def add(self, states: Sequence[StreamState]) -> None:
        """Count one clip by the states of its estimates, at least one."""
        counts = {state: states.count(state) for state in states}
        self.clips += 1
        self.named += StreamState.LISTENING in counts
        self.kept += counts.get(StreamState.NOT_MUSIC, 0) <= len(states) / 2
        self.estimates += len(states)
        for state, count in counts.items():
            self.states[state] = self.states.get(state, 0) + count

    def figures(self) -> dict[str, Any]:
        """Shares under the names that ``--json`` prints.

        ``named``: clips with any estimate LISTENING, a genre said with confidence. ``kept``: clips of
        whose estimates no more than half are NOT_MUSIC. The others are shares of the estimates, and so
        of the time.
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
    chosen: Settings,
    advance: Advance = lambda done, total: None,
) -> tuple[list[dict[str, Any]], list[SkippedFile]]:
    """Listen to clips of 10 s, each by itself: first the table's, then the tracks of music.

    Parameters
    ----------
    table : Path
        CSV with the columns ``file``, ``kind`` and ``origin``; clips of one kind and origin are joined
        until they fill 10 s, and what is left over is not used.
    music : sequence of Track
        Tracks whose first 10 s are judged beside them.

    Returns
    -------
    list of dict
        For each kind and origin their names and ``Tally.figures``.
    list of Skipped

    Raises
    ------
    EvaluationError
        A table that cannot be read, nothing in it that fills 10 s, or a model with longer windows.
    """
    window_seconds = classifier.manifest.audio.window_seconds
    if window_seconds > CLIP_SECONDS:
        raise EvaluationError(
            f"clips of {CLIP_SECONDS:g} s hold no window of this model, which is {window_seconds:.2f} s "
            "long; leave out --not-music"
        )
    skipped: list[SkippedFile] = []
    tallies: dict[tuple[str, str], ConfusionCount] = {}
    rows = read_table(table, ("file", "kind", "origin"))
    sources: dict[tuple[str, str], list[Path]] = {}
    for row in rows:
        sources.setdefault((row["kind"], row["origin"]), []).append(resolve_beside(table, row["file"]))
    done, total = 0, len(rows) + len(music)
    for key, paths in sources.items():
        for clip in _clips(paths, skipped):
            tallies.setdefault(key, ConfusionCount()).add(_states(clip, classifier, chosen))
        done += len(paths)
        advance(done, total)
    if not tallies:
        first = f"; the first, {skipped[0].file}: {skipped[0].reason}" if skipped else ""
        raise EvaluationError(
            f"nothing in {table} fills {CLIP_SECONDS:g} s: {len(rows)} clips, {len(skipped)} skipped{first}"
        )
    for track in music:
        try:
            whole = excerpt_samples(Excerpt(track, 0.0, min(track.seconds, CLIP_SECONDS)), COMMON_RATE)
        except OverheardError as error:
            skipped.append(SkippedFile(Path(track.name).name, str(error)))
        else:
            states = _states(whole, classifier, chosen)
            if states:
                tallies.setdefault(OWN_MUSIC, ConfusionCount()).add(states)
            else:
                reason = f"{track.seconds:.2f} s of sound; one window needs {window_seconds:.2f} s"
                skipped.append(SkippedFile(Path(track.name).name, reason))
        done += 1
        advance(done, total)
    found = [{"kind": kind, "origin": origin} | tally.figures() for (kind, origin), tally in tallies.items()]
    return found, skipped


def _clips(paths: Sequence[Path], skipped: list[SkippedFile]) -> Iterator[Samples]:
    """Clips of 10 s out of files joined in order."""
    wanted = round(CLIP_SECONDS * COMMON_RATE)
    held = np.empty(0, dtype=np.float32)
    for path in paths:
        try:
            held = np.concatenate([held, read_samples(path, COMMON_RATE)])
        except OverheardError as error:
            skipped.append(SkippedFile(path.name, str(error)))
        while len(held) >= wanted:
            yield held[:wanted]
            held = held[wanted:]


def _states(samples: Samples, classifier: GenreClassifier, chosen: Settings) -> list[StreamState]:
    recording = listen(samples, COMMON_RATE, (), classifier, chosen)
    return [analysis.estimate.state for analysis in replay(recording, chosen)]
