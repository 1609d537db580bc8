"""Measure how well the displayed label follows a programme with known genre changes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from realtime.protocol.estimate import StreamState

SETTLE_SECONDS = 5.0
"""Seconds after a change in which the label may still show the previous genre, about one window."""

ROUNDING_SECONDS = 1e-6
"""Seconds by which a window may cross the ends of its segment, because of rounding."""


@dataclass(frozen=True, slots=True)
class TrueSegment:
    """Part of a programme, in seconds since its start. ``genre`` is None for a pause."""

    genre: int | None
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class LabelAt:
    """Labels of one estimate, which are valid until the next estimate.

    Attributes
    ----------
    seconds : float
        Time of the estimate in seconds since the start of the programme.
    window_start : float
        Time at which the newest window began. The window ends no later than ``seconds``.
    stable : int or None
        Smoothed label, or None before the first label.
    state : StreamState
        State of the stream.
    raw : int or None
        Most probable genre of the newest window alone, or None if the window was not classified.
    """

    seconds: float
    window_start: float
    stable: int | None
    state: StreamState
    raw: int | None

    @property
    def shown(self) -> int | None:
        """Stable label, or None in a state in which the label belongs to earlier music."""
        return self.stable if self.state.has_genre else None


@dataclass(frozen=True, slots=True)
class Run:
    """True genres of one programme, without gaps, and the labels of its estimates in order of time."""

    segments: tuple[TrueSegment, ...]
    timeline: tuple[LabelAt, ...]


@dataclass(frozen=True, slots=True)
class LiveScores:
    """Metrics over several programmes. A metric is None if there is nothing to compute it from.

    Attributes
    ----------
    programmes, changes, windows : int
        Numbers of programmes, of genre changes and of classified windows that lie within one genre.
    minutes : float
        Minutes of music that estimates cover. There is no estimate before the first window is full.
    first_label_seconds : float
        Median of the seconds from the start to the first right label, over the programmes with such a
        label.
    never_started : float
        Share of programmes whose first genre is never shown while it plays.
    switch_median, switch_p90 : float
        Median and 90th percentile of the seconds from a change to the right label, over the changes
        that the label follows.
    already_right, never_followed : float
        Share of changes before which the label is the new genre already, and share of changes that
        the label does not follow while the new genre plays.
    flips_per_minute : float
        Changes of the stable label per minute that have no change of the programme as their cause.
    unsure, not_music : float
        Shares of the time in these states.
    accuracy, settled_accuracy : float
        Share of the time with the right label, and the same without the first 5 s after each change.
    listening_accuracy : float
        Share of the LISTENING time with the right label, which shows how reliable confident labels are.
    window_accuracy : float
        Share of ``windows`` whose own unsmoothed prediction is right.
    recall : tuple of float
        ``settled_accuracy`` of each genre.
    shown : tuple of float
        Share of the time that each genre is shown. A genre that is always shown has a recall of 1.
    """

    programmes: int
    minutes: float
    first_label_seconds: float | None
    never_started: float | None
    changes: int
    switch_median: float | None
    switch_p90: float | None
    already_right: float | None
    never_followed: float | None
    flips_per_minute: float | None
    unsure: float | None
    not_music: float | None
    accuracy: float | None
    settled_accuracy: float | None
    listening_accuracy: float | None
    windows: int
    window_accuracy: float | None
    recall: tuple[float | None, ...]
    shown: tuple[float | None, ...]


def music_spans(run: Run) -> Iterator[tuple[int, float, LabelAt, float, float]]:
    """Yield the spans of music in which neither the genre nor the label changes.

    Yields
    ------
    tuple
        Genre, start of its segment, label entry, start and end of the span. All times are in seconds.
    """
    ends = [entry.seconds for entry in run.timeline[1:]] + [run.segments[-1].end]
    for entry, until in zip(run.timeline, ends, strict=False):
        for segment in run.segments:
            start, end = max(entry.seconds, segment.start), min(until, segment.end)
            if segment.genre is not None and start < end:
                yield segment.genre, segment.start, entry, start, end


def seconds_to_label(run: Run, segment: TrueSegment) -> float | None:
    """Return the seconds from the start of a segment until its genre is shown.

    Returns
    -------
    float or None
        0 if the genre is shown already, or None if it is never shown during the segment.
    """
    before = [entry for entry in run.timeline if entry.seconds <= segment.start]
    if before and before[-1].shown == segment.genre:
        return 0.0
    for entry in run.timeline:
        if segment.start < entry.seconds < segment.end and entry.shown == segment.genre:
            return entry.seconds - segment.start
    return None


def count_flips(run: Run) -> int:
    """Count the changes of the stable label that have no change of the programme as their cause.

    A segment causes at most one change, to its own genre. The first segment causes no change. A segment whose
    genre is the label when the segment begins causes no change either.
    """
    count, label, current = 0, None, -1
    expected: int | None = None
    for entry in run.timeline:
        number = max(0, sum(segment.start < entry.seconds for segment in run.segments) - 1)
        if number != current:
            genre = run.segments[number].genre
            current, expected = number, genre if number and genre != label else None
        if entry.stable is None or entry.stable == label:
            continue
        if label is not None and entry.stable != expected:
            count += 1
        elif label is not None:
            expected = None
        label = entry.stable
    return count


def measure(runs: Sequence[Run], genres: int) -> LiveScores:
    """Compute all metrics over several programmes.

    Parameters
    ----------
    genres : int
        Number of labels of the model.

    Raises
    ------
    ValueError
        If there are no programmes.
    """
    if not runs:
        raise ValueError("no programmes to measure")
    time = _TimeSums(genres)
    firsts: list[float | None] = []
    switches: list[float | None] = []
    flips = windows = right_windows = 0
    for run in runs:
        time.add(run)
        flips += count_flips(run)
        music = [segment for segment in run.segments if segment.genre is not None]
        firsts += [seconds_to_label(run, segment) for segment in music[:1]]
        switches += [seconds_to_label(run, segment) for segment in music[1:]]
        for entry in run.timeline:
            for segment in music:
                early = entry.window_start < segment.start - ROUNDING_SECONDS
                late = entry.seconds > segment.end + ROUNDING_SECONDS
                if entry.raw is not None and not early and not late:
                    windows += 1
                    right_windows += entry.raw == segment.genre
    started = [seconds for seconds in firsts if seconds is not None]
    followed = [seconds for seconds in switches if seconds]
    minutes = time.all / 60
    return LiveScores(
        programmes=len(runs),
        minutes=minutes,
        first_label_seconds=_quantile(started, 0.5),
        never_started=_share(firsts.count(None), len(firsts)),
        changes=len(switches),
        switch_median=_quantile(followed, 0.5),
        switch_p90=_quantile(followed, 0.9),
        already_right=_share(switches.count(0.0), len(switches)),
        never_followed=_share(switches.count(None), len(switches)),
        flips_per_minute=_share(flips, minutes),
        unsure=_share(time.unsure, time.all),
        not_music=_share(time.not_music, time.all),
        accuracy=_share(time.right, time.all),
        settled_accuracy=_share(math.fsum(time.settled_right), math.fsum(time.settled)),
        listening_accuracy=_share(time.listening_right, time.listening),
        windows=windows,
        window_accuracy=_share(right_windows, windows),
        recall=tuple(map(_share, time.settled_right, time.settled)),
        shown=tuple(_share(seconds, time.all) for seconds in time.shown),
    )


class _TimeSums:
    """Sums of the seconds of music by label and state."""

    def __init__(self, genres: int) -> None:
        self.all = self.right = self.unsure = self.not_music = self.listening = self.listening_right = 0.0
        self.settled = [0.0] * genres
        self.settled_right = [0.0] * genres
        self.shown = [0.0] * genres

    def add(self, run: Run) -> None:
        """Add one programme."""
        for genre, changed, entry, start, end in music_spans(run):
            seconds = end - start
            right = entry.shown == genre
            self.all += seconds
            self.right += seconds * right
            if entry.shown is not None:
                self.shown[entry.shown] += seconds
            self.unsure += seconds * (entry.state is StreamState.UNSURE)
            self.not_music += seconds * (entry.state is StreamState.NOT_MUSIC)
            if entry.state is StreamState.LISTENING:
                self.listening += seconds
                self.listening_right += seconds * right
            settled = max(0.0, end - max(start, changed + SETTLE_SECONDS))
            self.settled[genre] += settled
            self.settled_right[genre] += settled * right


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _quantile(values: Sequence[float], share: float) -> float | None:
    return float(np.quantile(values, share)) if values else None
