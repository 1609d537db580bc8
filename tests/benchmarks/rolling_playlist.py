"""Measure how the list of songs follows real music whose changes of genre are known.

``python -m tests.benchmarks.rolling_playlist DATA [--json]``. ``DATA/gtzan`` has GTZAN's published arrays,
its table and the available audio. ``DATA/more-music.csv`` lists other recordings. Only music that the shipped
model was not trained on is played: sound through ``Analyzer.process`` at the rate of a sound card, and
stored spectrograms (of all ten genres) through the classifier. The report covers GTZAN's test part and the
artists reserved for checks. ``--tune`` tries settings on the validation part.

A steady programme has blocks of one genre, each with many tracks. In a restless one, a single track of
another genre, which is not a change, interrupts about every two minutes.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from dashboard.recommendations.domain.genre_mix import heaviest_first
from dashboard.recommendations.domain.identity import artist_keys, identity_keys
from dashboard.recommendations.domain.tracks import Track as Song
from dashboard.recommendations.engine.playlist import Reason
from dashboard.recommendations.engine.rolling_playlist import RollingPlaylist
from dashboard.recommendations.engine.settings import PlaylistSettings
from dashboard.recommendations.providers.catalog.provider import CatalogProvider
from models.classifier import load_classifier
from realtime.evaluation.tracking_metrics import TrueSegment
from realtime.protocol.estimate import GenreEstimate
from tests.benchmarks.programmes import AnalyzedProgramme, programmes

LOOK_SECONDS = 2.0
"""Interval at which the page requests the list."""
SETTLED_SECONDS = 120.0
"""A refresh because of a shift is needless if it is this long after a true change."""
AFTERWARDS_SECONDS = 30.0
"""A shift up to this long after an interruption was caused by it."""
TODAY = date(2026, 3, 1)


@dataclass(frozen=True, slots=True)
class Refresh:
    """New songs at ``at`` seconds, most of them of ``genre``."""

    at: float
    reason: Reason
    genre: str


@dataclass(slots=True)
class Rolled:
    """Songs that a session offered."""

    refreshes: list[Refresh] = field(default_factory=list)
    shown: int = 0
    repeats: int = 0
    artists: set[str] = field(default_factory=set)
    looks: int = 0
    """Number of requests that found a list. The next two are sums over these requests."""
    true_rows: float = 0.0
    true_mix: float = 0.0


@dataclass(frozen=True, slots=True)
class Followed:
    """Comparison of the refreshes with the true changes."""

    delays: tuple[float | None, ...]
    """Seconds from each true change to the first refresh with mostly songs of the new genre.

    None for a change without such a refresh before its block ended.
    """
    needless: int
    disturbed: int
    """Number of interruptions with a shift during them or soon after."""


class _FixedDay:
    def monotonic(self) -> float:
        return 0.0

    def now(self) -> datetime:
        return datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC)


def roll(
    programme: AnalyzedProgramme, labels: Sequence[str], settings: PlaylistSettings | None = None
) -> Rolled:
    """Run a session over the estimates, with the bundled songs, on the stream's clock."""
    session, rolled = RollingPlaylist(settings), Rolled()
    provider = CatalogProvider(_FixedDay())
    pools: dict[str, list[Song]] = {}
    seen: set[str] = set()
    known: set[str] = set()
    look_at, blocks = LOOK_SECONDS, iter(programme.blocks)
    block = next(blocks)
    for estimate in programme.estimates:
        now = estimate.captured_at
        session.add_estimate(now, estimate.probabilities, estimate.state)
        if now < look_at:
            continue
        look_at += LOOK_SECONDS
        while now >= block.end and (following := next(blocks, None)):
            block = following
        for query in session.next_queries(now):
            songs = provider.search(query, now).tracks
            pools.setdefault(query.genre, []).extend(songs)
            session.record_results(query, len(songs))
        playlist = session.update(pools, now, TODAY)
        if session.refreshed_at == now:
            most = heaviest_first(playlist.mix)[0]
            rolled.refreshes.append(Refresh(now, session.refresh_reason, most))
        for row in playlist.items:
            if row.key not in known:
                rolled.shown += 1
                rolled.repeats += not seen.isdisjoint(identity_keys(row.track))
                rolled.artists |= artist_keys(row.track.artists[:1])
                seen |= identity_keys(row.track)
        known = {row.key for row in playlist.items}
        if playlist.items:
            true = labels[block.genre or 0]
            rolled.looks += 1
            rolled.true_rows += sum(row.genre == true for row in playlist.items) / len(playlist.items)
            rolled.true_mix += playlist.mix.get(true, 0.0)
    return rolled


def follow(
    refreshes: Sequence[Refresh],
    blocks: Sequence[TrueSegment],
    interruptions: Sequence[TrueSegment],
    labels: Sequence[str],
) -> Followed:
    """Hold refreshes against the true changes, which are where blocks begin, the first excepted."""
    delays: list[float | None] = []
    needless = 0
    for number, block in enumerate(blocks):
        own = [each for each in refreshes if block.start <= each.at < block.end]
        right = next((each for each in own if each.genre == labels[block.genre or 0]), None)
        if number:
            delays.append(right.at - block.start if right else None)
        needless += sum(
            each.reason is Reason.SHIFT and each is not right and each.at - block.start > SETTLED_SECONDS
            for each in own
        )
    shifts = [each.at for each in refreshes if each.reason is Reason.SHIFT]
    disturbed = sum(
        any(one.start <= at < one.end + AFTERWARDS_SECONDS for at in shifts) for one in interruptions
    )
    return Followed(tuple(delays), needless, disturbed)


def figures(
    programme: AnalyzedProgramme, labels: Sequence[str], settings: PlaylistSettings | None = None
) -> dict[str, Any]:
    """Figures of a session with a programme, by the names that are printed."""
    rolled = roll(programme, labels, settings)
    followed = follow(rolled.refreshes, programme.blocks, programme.interruptions, labels)
    hours = programme.blocks[-1].end / 3600
    delays = [delay for delay in followed.delays if delay is not None]
    right = [right_share(programme.estimates, block, labels) for block in programme.blocks]
    known = [share >= 0.5 for share in right[1:]]
    reasons = Counter(each.reason for each in rolled.refreshes)
    return {
        "hours": hours,
        "label right": float(
            np.average(right, weights=[block.end - block.start for block in programme.blocks])
        ),
        "true changes": len(followed.delays),
        "missed": followed.delays.count(None),
        "missed, model right half the time": [
            delay for delay, one in zip(followed.delays, known, strict=True) if one
        ].count(None),
        "delay p50 s": float(np.percentile(delays, 50)) if delays else None,
        "delay p95 s": float(np.percentile(delays, 95)) if delays else None,
        "needless an hour": followed.needless / hours,
        "interruptions": len(programme.interruptions),
        "interruptions that changed the list": followed.disturbed,
        **{f"refreshes, {reason}": reasons[reason] for reason in (Reason.FIRST, Reason.SHIFT, Reason.TIMER)},
        "songs": rolled.shown,
        "repeats": rolled.repeats,
        "artists": len(rolled.artists),
        "rows of the true genre": rolled.true_rows / max(1, rolled.looks),
        "mix of the true genre": rolled.true_mix / max(1, rolled.looks),
    }


def right_share(estimates: Sequence[GenreEstimate], block: TrueSegment, labels: Sequence[str]) -> float:
    """Share of a block's estimates whose most probable genre is the block's."""
    own = [
        each.label == labels[block.genre or 0]
        for each in estimates
        if block.start <= each.captured_at < block.end
    ]
    return sum(own) / max(1, len(own))


def grid() -> Iterator[PlaylistSettings]:
    """Settings to try, the present ones first."""
    present = PlaylistSettings()
    yield present
    for distance, hold, share in product((0.35, 0.45, 0.55), (1.5, 15.0, 30.0), (0.6, 0.8)):
        profile = replace(
            present.profile, change_distance=distance, change_hold_seconds=hold, fast_share=share
        )
        yield replace(present, profile=profile)


def tune(found: Sequence[AnalyzedProgramme], labels: Sequence[str]) -> str:
    """Return a line for each of the settings: sums, and means weighted by hours, over all programmes."""
    sums = ("true changes", "missed", "interruptions", "interruptions that changed the list")
    means = ("delay p50 s", "delay p95 s", "needless an hour", "mix of the true genre")
    lines = [f"distance, hold, fast share: {', '.join(sums + means)}"]
    for settings in grid():
        each = [figures(programme, labels, settings) for programme in found]
        hours = [one["hours"] for one in each]
        texts = [str(sum(one[name] for one in each)) for name in sums]
        texts += [f"{np.average([one[name] or 0 for one in each], weights=hours):.2f}" for name in means]
        of = settings.profile
        tried = f"{of.change_distance}, {of.change_hold_seconds}, {of.fast_share}"
        lines.append(f"{tried}: {', '.join(texts)}")
    return "\n".join(lines)


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table of the figures, with a column for each programme."""
    lines = [f"{'':<38}" + "".join(f"{name:>24}" for name in found)]
    for figure in next(iter(found.values())):
        values = [each[figure] for each in found.values()]
        texts = ["-" if v is None else f"{v:.2f}" if isinstance(v, float) else str(v) for v in values]
        lines.append(f"{figure:<38}" + "".join(f"{text:>24}" for text in texts))
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.rolling_playlist")
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--tune", action="store_true", help="try settings, on the validation part")
    options = parser.parse_args()
    classifier = load_classifier()
    labels = classifier.manifest.labels
    if options.tune:
        print(tune([programme for _, programme in programmes(options.data, "valid", classifier)], labels))
        return
    found = {
        name: figures(programme, labels) for name, programme in programmes(options.data, "test", classifier)
    }
    print(json.dumps(found) if options.json else table(found))


if __name__ == "__main__":
    main()
