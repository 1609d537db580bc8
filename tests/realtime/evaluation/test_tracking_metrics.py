"""Metrics of how well a label follows the music, compared with values computed by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from models.holdout import is_held_out_artist
from realtime.config import SmoothingSettings
from realtime.evaluation.live import select_best
from realtime.evaluation.programmes import (
    LabeledTrack,
    ProgrammeConfig,
    build_programmes,
    read_table_tracks,
    split_by_artist,
)
from realtime.evaluation.tables import EvaluationError
from realtime.evaluation.tracking_metrics import (
    LabelAt,
    Run,
    TrueSegment,
    count_flips,
    measure,
    seconds_to_label,
)
from realtime.protocol.estimate import StreamState
from tests.support.audio import tone, write

LISTENING, UNSURE, NOT_MUSIC, SILENT = (
    StreamState.LISTENING,
    StreamState.UNSURE,
    StreamState.NOT_MUSIC,
    StreamState.SILENT,
)


def label_at(
    seconds: float, stable: int | None, state: StreamState = LISTENING, raw: int | None = None
) -> LabelAt:
    """Return a label after a window of 2 s."""
    return LabelAt(seconds, seconds - 2, stable, state, raw)


def test_every_metric_by_hand() -> None:
    """Three genres of 10 s with an estimate a second from the 2nd on, so that 28 s count."""
    stable: dict[int, tuple[int | None, StreamState]] = {
        2: (None, UNSURE), 4: (0, LISTENING), 14: (2, LISTENING), 15: (1, LISTENING), 26: (1, NOT_MUSIC),
        28: (2, UNSURE), 29: (2, LISTENING),
    }  # fmt: skip
    timeline = []
    for second in range(2, 30):
        label, state = stable[max(begun for begun in stable if begun <= second)]
        timeline.append(label_at(second, label, state, raw=0 if second <= 12 else 1 if second <= 22 else 2))
    run = Run(
        tuple(TrueSegment(genre, 10.0 * genre, 10.0 * genre + 10) for genre in range(3)), tuple(timeline)
    )
    scores = measure([run], 3)
    assert asdict(scores) == {
        "programmes": 1,
        "minutes": pytest.approx(28 / 60),
        "first_label_seconds": 4,
        "never_started": 0,
        "changes": 2,
        "switch_median": 6.5,  # of 5 s (15 - 10) and 8 s (28 - 20)
        "switch_p90": pytest.approx(7.7),
        "already_right": 0,
        "never_followed": 0,
        "flips_per_minute": pytest.approx(60 / 28),  # only the change to 2 at 14 s
        "unsure": pytest.approx(3 / 28),
        "not_music": pytest.approx(2 / 28),
        "accuracy": pytest.approx((6 + 5 + 2) / 28),
        "settled_accuracy": pytest.approx((5 + 5 + 2) / 15),
        "listening_accuracy": pytest.approx((6 + 5 + 1) / 23),
        "windows": 9 + 9 + 8,
        "window_accuracy": pytest.approx((9 + 8 + 7) / 26),
        "recall": (1, 1, pytest.approx(0.4)),
        "shown": (pytest.approx(10 / 28), pytest.approx(11 / 28), pytest.approx(3 / 28)),
    }
    twice = measure([run, run], 3)
    assert (twice.programmes, twice.changes, twice.windows) == (2, 4, 52)
    assert twice.switch_p90 == 8  # of 5, 5, 8 and 8 s
    for name in ("accuracy", "settled_accuracy", "flips_per_minute", "unsure", "recall", "switch_median"):
        assert getattr(twice, name) == pytest.approx(getattr(scores, name)), name


def test_changes_that_are_never_followed_or_need_no_following() -> None:
    segments = (
        TrueSegment(0, 0, 10),
        TrueSegment(1, 10, 20),
        TrueSegment(0, 20, 30),
        TrueSegment(2, 30, 40),
    )
    run = Run(segments, (label_at(2, 1), label_at(35, 0)))  # 1 until it changes to the genre before
    scores = measure([run], 3)
    assert [seconds_to_label(run, segment) for segment in segments] == [None, 0.0, None, None]
    assert (scores.first_label_seconds, scores.never_started) == (None, 1)
    assert (scores.switch_median, scores.switch_p90) == (None, None)
    assert scores.already_right == pytest.approx(1 / 3)
    assert scores.never_followed == pytest.approx(2 / 3)
    assert scores.flips_per_minute == pytest.approx(60 / 38)
    assert scores.window_accuracy is None
    with pytest.raises(ValueError, match="no programmes"):
        measure([], 3)


@pytest.mark.parametrize(
    ("labels", "count"),
    [
        ({3: 0, 13: 1}, 0),
        ({3: 0}, 0),
        ({3: 1, 5: 0, 13: 1}, 1),  # the first label was wrong and was mended
        ({3: 0, 12: 2, 14: 1}, 1),
        ({3: 0, 12: 1, 14: 2, 16: 1}, 2),  # away from what was right, and back
        ({3: 1, 12: 0, 14: 1}, 2),  # it was right before the change and left
        ({3: 0, 5: 1, 7: 0, 13: 1}, 2),
    ],
)
def test_flips_are_label_changes_without_a_genre_change(labels: dict[int, int], count: int) -> None:
    segments = (TrueSegment(0, 0, 10), TrueSegment(1, 10, 20))
    assert (
        count_flips(Run(segments, tuple(label_at(second, label) for second, label in labels.items())))
        == count
    )


def test_a_pause_counts_for_no_genre_and_an_earlier_label_is_not_shown() -> None:
    segments = (TrueSegment(0, 0, 10), TrueSegment(None, 10, 14), TrueSegment(0, 14, 24))
    timeline = (label_at(2, 0), label_at(12, 0, SILENT), label_at(17, 0))
    scores = measure([Run(segments, timeline)], 3)
    assert scores.minutes == pytest.approx((8 + 10) / 60)
    assert scores.accuracy == pytest.approx((8 + 7) / 18)
    assert (scores.changes, scores.already_right, scores.switch_median) == (1, 0, 3)


def tracks_of(counts: dict[int, int], seconds: float = 12.0) -> list[LabeledTrack]:
    return [
        LabeledTrack(f"{genre}-{number}", genre, f"artist {genre} {number // 3}", seconds)
        for genre, count in counts.items()
        for number in range(count)
    ]


def test_programmes_never_repeat_a_genre_and_depend_on_the_seed_alone() -> None:
    tracks = tracks_of({0: 1, 1: 30, 2: 5, 3: 9})
    shape = ProgrammeConfig(programmes=7, excerpts=20)
    drawn = [build_programmes(tracks, shape, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    for each in (*drawn[0], *drawn[2]):
        genres = [excerpt.track.genre for excerpt in each.excerpts]
        assert len(genres) == 20
        assert all(before != after for before, after in pairwise(genres))
    assert [each.pause_seconds for each in drawn[0]] == [0, 0, 2, 0, 0, 2, 0]
    assert {
        each.pause_seconds for each in build_programmes(tracks, shape, np.random.default_rng(0), pauses=False)
    } == {0}
    played = Counter(excerpt.track for each in drawn[0] for excerpt in each.excerpts)
    of_genre = Counter(excerpt.track.genre for each in drawn[0] for excerpt in each.excerpts)
    assert max(of_genre.values()) - min(of_genre.values()) <= 1
    for genre in range(4):
        times = {played[track] for track in tracks if track.genre == genre}
        assert max(times) - min(times) <= 1


def test_artists_take_turns() -> None:
    tracks = tracks_of({0: 12, 1: 12})  # four artists of three tracks each
    (drawn,) = build_programmes(tracks, ProgrammeConfig(programmes=1, excerpts=16), np.random.default_rng(3))
    artists = [excerpt.track.artist for excerpt in drawn.excerpts if excerpt.track.genre == 0]
    assert len(set(artists[:4])) == len(set(artists[4:8])) == 4


def test_long_tracks_are_cut_and_short_ones_left_out() -> None:
    tracks = [
        *tracks_of({0: 4}, 9.98),
        *tracks_of({1: 4}, 18.6),
        *tracks_of({2: 4}, 200),
        *tracks_of({3: 4}, 9),
    ]
    shape = ProgrammeConfig(programmes=4, excerpts=10)
    excerpts = [
        e for each in build_programmes(tracks, shape, np.random.default_rng(0)) for e in each.excerpts
    ]
    assert {excerpt.track.genre for excerpt in excerpts} == {0, 1, 2}
    for excerpt in excerpts:
        if excerpt.track.genre < 2:
            assert (excerpt.start, excerpt.seconds) == (0, excerpt.track.seconds)
        else:
            assert 10 <= excerpt.seconds <= 18
            assert 0 <= excerpt.start <= 200 - excerpt.seconds
    with pytest.raises(EvaluationError, match="of 8 tracks, those of 10 s or more have 1 genres"):
        build_programmes([*tracks[:4], *tracks[12:]], shape, np.random.default_rng(0))


def test_halves_share_no_artist() -> None:
    tracks = [
        *tracks_of({0: 12, 1: 30}),
        LabeledTrack("x", 1, "Artist 0 1", 12),
        LabeledTrack("y", 0, "The artist 0 1", 12),
    ]
    first, second = split_by_artist(tracks, np.random.default_rng(0))
    assert not {track.group for track in first} & {track.group for track in second}
    assert Counter(first) + Counter(second) == Counter(tracks)
    for genre in (0, 1):
        groups = [len({t.group for t in half if t.genre == genre}) for half in (first, second)]
        assert max(groups) - min(groups) <= 1


def test_held_out_artists_are_a_third_by_the_hash_of_the_name() -> None:
    assert is_held_out_artist("GIGOLETTE") is is_held_out_artist("") is False
    kept = [is_held_out_artist(f"artist {number}") for number in range(3_000)]
    assert sum(kept) == pytest.approx(1_000, abs=100)


def test_spellings_of_an_artist_are_one_group() -> None:
    groups = {
        LabeledTrack(name, 0, artist, 12).group
        for name, artist in zip("abc", ("The Who", " who ", "WHO"), strict=True)
    }
    assert groups == {"who"}
    assert LabeledTrack("d", 0, " ", 12).group == "d"


def test_of_songs_another_quarter_is_held_out(tmp_path: Path) -> None:
    """The rule depends on the collection, which is the name of the table."""
    names = [f"artist {number}" for number in range(60)]
    kept = next(name for name in names if is_held_out_artist(name, "songs") and not is_held_out_artist(name))
    other = next(name for name in names if is_held_out_artist(name) and not is_held_out_artist(name, "songs"))
    rows = []
    for name, artist in (("a", kept), ("b", other)):
        write(tmp_path / f"{name}.wav", tone(300, 1), 22_050)
        rows.append(f"{name}.wav,rock,{artist}")
    for table, wanted in (("songs.csv", "a.wav"), ("table.csv", "b.wav")):
        (tmp_path / table).write_text("\n".join(["file,genre,artist", *rows, ""]))
        (track,), _ = read_table_tracks(tmp_path / table, ("rock",), held_out_artists=True)
        assert Path(track.name).name == wanted
    share = np.mean([is_held_out_artist(f"artist {number}", "songs") for number in range(3_000)])
    assert share == pytest.approx(0.25, abs=0.03)


def test_held_out_artists_in_the_training_data_are_left_out(tmp_path: Path) -> None:
    kept = next(name for name in (f"artist {number}" for number in range(20)) if is_held_out_artist(name))
    other = next(
        name for name in (f"artist {number}" for number in range(20)) if not is_held_out_artist(name)
    )
    for name in "abc":
        write(tmp_path / f"{name}.wav", tone(300, 1), 22_050)
    rows = [f"a.wav,rock,{kept},", f"b.wav,rock,{kept},metal;rock", f"c.wav,rock,{other},"]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["file,genre,artist,artist_also_in_gtzan", *rows, ""]))
    for check, wanted in ((True, ["a.wav"]), (False, ["a.wav", "b.wav", "c.wav"])):
        tracks, skipped = read_table_tracks(table, ("rock",), held_out_artists=check)
        assert [Path(track.name).name for track in tracks] == wanted
        assert skipped == []


def test_the_best_settings_flip_no_more_than_the_present_ones() -> None:
    run = Run((TrueSegment(0, 0, 10), TrueSegment(1, 10, 20)), (label_at(2, 0), label_at(15, 1)))
    scores = measure([run], 3)
    figures = [(0.5, 1.0), (0.9, 1.1), (0.6, 1.0), (0.55, 0.0)]
    tried = [
        (SmoothingSettings(number), replace(scores, accuracy=accuracy, flips_per_minute=flips))
        for number, (accuracy, flips) in enumerate(figures)
    ]
    assert select_best(tried) == SmoothingSettings(2)
    assert select_best(tried[:2]) == SmoothingSettings(0)
