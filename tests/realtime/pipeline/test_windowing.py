"""Sliding windows of ten samples at 10 Hz with columns of two samples, so that results are readable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.spectrogram.spec import AudioSpec
from realtime.pipeline.windowing import SlidingWindows

SPEC = AudioSpec(sample_rate=10, n_fft=4, column_step=2, columns=4)  # a window is 10 samples

Row = tuple[int, list[int], bool]


def windows(*blocks: tuple[range, int], hop: int = 1, lossy_at: int = -1) -> list[Row]:
    """Return the windows of blocks given as (values, position)."""
    cutter = SlidingWindows(SPEC, hop)
    found = []
    for values, position in blocks:
        samples = np.array(values, np.float32)
        for window in cutter.push(samples, position, 0.0, lossy=position == lossy_at):
            assert not window.samples.flags.writeable
            found.append((window.position, [int(v) for v in window.samples], window.has_gap))
    return found


def test_windows_overlap_on_the_column_grid() -> None:
    assert windows((range(14), 0)) == [
        (0, list(range(0, 10)), False),
        (2, list(range(2, 12)), False),
        (4, list(range(4, 14)), False),
    ]


def test_nothing_comes_before_a_window_is_full() -> None:
    assert windows((range(9), 0)) == []


@given(st.lists(st.integers(1, 17), min_size=1, max_size=40), st.integers(1, 9))
def test_block_sizes_do_not_matter(sizes: list[int], hop: int) -> None:
    ends = np.cumsum(sizes)
    blocks = [(range(end - size, end), int(end - size)) for size, end in zip(sizes, ends, strict=True)]
    assert windows(*blocks, hop=hop) == windows((range(int(ends[-1])), 0), hop=hop)


def test_a_hop_longer_than_a_window_leaves_sound_out() -> None:
    assert [row[0] for row in windows((range(60), 0), hop=12)] == [0, 24, 48]


def test_a_short_gap_is_spliced_and_marked_until_it_has_left_the_window() -> None:
    """Samples 13 to 17 are lost. 18 is dropped too, so that windows stay on the grid."""
    found = windows((range(13), 0), (range(18, 40), 18), hop=2)
    assert found[:3] == [
        (0, list(range(0, 10)), False),
        (10, [4, 5, 6, 7, 8, 9, 10, 11, 12, 19], True),
        (14, [8, 9, 10, 11, 12, 19, 20, 21, 22, 23], True),
    ]
    assert found[3] == (18, [12, *range(19, 28)], True)
    assert found[4] == (22, list(range(22, 32)), False)


def test_after_a_long_gap_no_window_has_sound_of_both_sides() -> None:
    found = windows((range(13), 0), (range(33, 50), 33))
    assert found[1:] == [
        (0 + 2, list(range(2, 12)), False),
        (34, list(range(34, 44)), False),
        (36, list(range(36, 46)), False),
        (38, list(range(38, 48)), False),
        (40, list(range(40, 50)), False),
    ]


def test_sound_dropped_in_pieces_still_lands_on_the_grid() -> None:
    single = windows((range(13), 0), *((range(i, i + 1), i) for i in range(18, 40)), hop=2)
    assert single == windows((range(13), 0), (range(18, 40), 18), hop=2)


def test_an_overflow_of_unknown_length_is_marked() -> None:
    assert [row[2] for row in windows((range(10), 0), (range(10, 24), 10), lossy_at=10)] == [
        False, True, True, True, True, False, False, False,
    ]  # fmt: skip


def test_captured_at_is_the_windows_last_sample() -> None:
    cutter = SlidingWindows(SPEC, 1)
    times = [w.captured_at for w in cutter.push(np.zeros(15, np.float32), 0, 50.0)]
    assert times == pytest.approx([49.5, 49.7, 49.9])


def test_level_is_of_the_new_samples_only() -> None:
    cutter = SlidingWindows(SPEC, 1)
    samples = np.array([0.0] * 10 + [1.0] * 2, np.float32)
    assert [w.level_dbfs for w in cutter.push(samples, 0, 0.0)] == [-120.0, 0.0]


def test_positions_must_not_fall() -> None:
    cutter = SlidingWindows(SPEC, 1)
    list(cutter.push(np.zeros(5, np.float32), 0, 0.0))
    with pytest.raises(ValueError, match="position 3 lies before the end of the stream, 5"):
        list(cutter.push(np.zeros(5, np.float32), 3, 0.0))


def test_a_hop_below_one_column_is_refused() -> None:
    with pytest.raises(ValueError, match="it must be at least 1"):
        SlidingWindows(SPEC, 0)
