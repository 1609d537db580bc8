"""How well a label follows a programme whose changes are known: values in, figures out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from realtime.protocol.estimate import StreamState

SETTLE_SECONDS = 5.0
"""How long after a change a label may still be of what was before: about one window."""

ROUNDING_SECONDS = 1e-6

"""States in which the stable label speaks of what is playing; in all others it is that of the last music."""


@dataclass(frozen=True, slots=True)
class TrueSegment:
    """A part of a programme, in seconds since its start; ``genre`` is None where nothing plays."""

    genre: int | None
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class LabelAt:
    """What was said from ``seconds`` on, until the next moment.

    ``stable`` is the label that does not flicker and ``raw`` the most probable genre of the newest
    window alone, which began at ``window_start`` and ended by ``seconds``; None where there is none.
    """

    seconds: float
    window_start: float
    stable: int | None
    state: StreamState
    raw: int | None

    @property
    def shown(self) -> int | None:
        """The stable label where it speaks of what is playing."""
        return self.stable if self.state.has_genre else None


@dataclass(frozen=True, slots=True)
class Run:
    """One programme, first to last: what played, without holes, and what was said of it."""

    stretches: tuple[TrueSegment, ...]
    moments: tuple[LabelAt, ...]


@dataclass(frozen=True, slots=True)
class LiveScores:
    """Figures over several programmes; None where there was nothing to take them of.

    Attributes
    ----------
    programmes, changes, windows : int
        How many there were; windows only those that lie within one genre.
    minutes : float
        Music on which estimates stood: none stands before the first window is full.
    first_label_seconds : float
        From the start to the first right label, median of the programmes that came to one.
    never_started : float
        Share of programmes whose first genre was never shown while it played.
    switch_median, switch_p90 : float
        Seconds from a change to the right label, of the changes that were followed.
    already_right, never_followed : float
        Shares of the changes: the label was the new genre before; it never became it in time.
    flips_per_minute : float
        Changes of the stable label that no change of the programme asked for.
    unsure, not_music : float
        Shares of the time.
    accuracy, settled_accuracy : float
        Share of the time with the right label shown: from the changes on; without 5 s after each.
    listening_accuracy : float
        The same where the state is LISTENING: how far what is said with confidence can be trusted.
    window_accuracy : float
        Share of ``windows`` whose own answer, unsmoothed, is right.
    recall : tuple of float
        ``settled_accuracy`` of each genre.
    shown : tuple of float
        Share of the time that each genre is shown: one that is shown always is always right in time.
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


def spans(run: Run) -> Iterator[tuple[int, float, LabelAt, float, float]]:
    """Genre, start of its stretch, moment, start and end of each span of music in which none changes."""
    ends = [moment.seconds for moment in run.moments[1:]] + [run.stretches[-1].end]
    for moment, until in zip(run.moments, ends, strict=False):
        for stretch in run.stretches:
            start, end = max(moment.seconds, stretch.start), min(until, stretch.end)
            if stretch.genre is not None and start < end:
                yield stretch.genre, stretch.start, moment, start, end


def seconds_to_label(run: Run, stretch: TrueSegment) -> float | None:
    """Seconds from a stretch's start until its genre is shown: 0 if it was already, None if it never is."""
    before = [moment for moment in run.moments if moment.seconds <= stretch.start]
    if before and before[-1].shown == stretch.genre:
        return 0.0
    for moment in run.moments:
        if stretch.start < moment.seconds < stretch.end and moment.shown == stretch.genre:
            return moment.seconds - stretch.start
    return None


def label_changes(run: Run) -> int:
    """Changes of the stable label that the programme did not ask for.

    It asks for one a stretch, to the stretch's genre; none in the first, and none where the label was
    that genre when the stretch began.
    """
    count, label, asked = 0, None, -1
    open_to: int | None = None
    for moment in run.moments:
        now = max(0, sum(stretch.start < moment.seconds for stretch in run.stretches) - 1)
        if now != asked:
            genre = run.stretches[now].genre
            asked, open_to = now, genre if now and genre != label else None
        if moment.stable is None or moment.stable == label:
            continue
        if label is not None and moment.stable != open_to:
            count += 1
        elif label is not None:
            open_to = None
        label = moment.stable
    return count


def measure(runs: Sequence[Run], genres: int) -> LiveScores:
    """Take every figure over these programmes together.

    Parameters
    ----------
    genres : int
        How many labels there are.

    Raises
    ------
    ValueError
        No programmes.
    """
    if not runs:
        raise ValueError("no programmes to measure")
    time = _Time(genres)
    firsts: list[float | None] = []
    switches: list[float | None] = []
    flipped = windows = right_windows = 0
    for run in runs:
        time.add(run)
        flipped += label_changes(run)
        music = [stretch for stretch in run.stretches if stretch.genre is not None]
        firsts += [seconds_to_label(run, stretch) for stretch in music[:1]]
        switches += [seconds_to_label(run, stretch) for stretch in music[1:]]
        for moment in run.moments:
            for stretch in music:
                early = moment.window_start < stretch.start - ROUNDING_SECONDS
                late = moment.seconds > stretch.end + ROUNDING_SECONDS
                if moment.raw is not None and not early and not late:
                    windows += 1
                    right_windows += moment.raw == stretch.genre
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
        flips_per_minute=_share(flipped, minutes),
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


class _Time:
    """Seconds of music by what was said of it."""

    def __init__(self, genres: int) -> None:
        self.all = self.right = self.unsure = self.not_music = self.listening = self.listening_right = 0.0
        self.settled = [0.0] * genres
        self.settled_right = [0.0] * genres
        self.shown = [0.0] * genres

    def add(self, run: Run) -> None:
        """Count one programme."""
        for genre, changed, moment, start, end in spans(run):
            lasted = end - start
            right = moment.shown == genre
            self.all += lasted
            self.right += lasted * right
            if moment.shown is not None:
                self.shown[moment.shown] += lasted
            self.unsure += lasted * (moment.state is StreamState.UNSURE)
            self.not_music += lasted * (moment.state is StreamState.NOT_MUSIC)
            if moment.state is StreamState.LISTENING:
                self.listening += lasted
                self.listening_right += lasted * right
            late = max(0.0, end - max(start, changed + SETTLE_SECONDS))
            self.settled[genre] += late
            self.settled_right[genre] += late * right


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _quantile(values: Sequence[float], share: float) -> float | None:
    return float(np.quantile(values, share)) if values else None
