"""Messages grouped into segments, events and heartbeats."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from msgspec.structs import replace

from realtime.history.segments import Event, Heartbeat, Row, Segment, SegmentBuilder
from realtime.protocol.builders import title_message
from realtime.protocol.messages import Message
from tests.support.histories import HOP, WINDOW, estimate, health, state
from tests.support.protocol import as_json


def rows_of(*given: Message, end: bool = True) -> list[Row]:
    """Return the rows of these messages, each of which matches the published schema."""
    builder = SegmentBuilder(iter("abcdefgh").__next__)
    rows: list[Row] = []
    for number, message in enumerate(given):
        as_json(replace(message, seq=number))
        rows += builder.add(message)
    return rows + (builder.finish() if end else builder.open_rows(2_000.0))


def segments(rows: list[Row]) -> list[Segment]:
    return [row for row in rows if isinstance(row, Segment)]


def events(rows: list[Row]) -> list[tuple[float, str, str]]:
    return [(row.occurred_at, row.kind, row.detail) for row in rows if isinstance(row, Event)]


def test_consecutive_estimates_of_one_genre_become_one_segment() -> None:
    (found,) = segments(rows_of(*(estimate(5 + HOP * n, confidence=0.6 + 0.1 * n) for n in range(3))))
    assert (found.genre, found.state, found.estimates) == ("jazz", "LISTENING", 3)
    assert (found.started, found.ended, found.seconds) == (1_000, 1_006, 6)
    assert found.confidence == pytest.approx(0.7)


def test_segments_of_genres_and_states_do_not_overlap() -> None:
    rows = rows_of(
        estimate(5), estimate(5.5), estimate(6, "rock"), estimate(6.5, "rock", "UNSURE"),
        estimate(7, "rock", "NOT_MUSIC"), estimate(7.5, "rock", "SILENT"), estimate(8, "rock", "SILENT"),
    )  # fmt: skip
    found = [(each.genre, each.state, each.started, each.ended, each.seconds) for each in segments(rows)]
    assert found == [
        ("jazz", "LISTENING", 1_000, 1_005.5, 5.5),
        ("rock", "LISTENING", 1_005.5, 1_006, 0.5),
        ("rock", "UNSURE", 1_006, 1_006.5, 0.5),
        (None, "NOT_MUSIC", 1_006.5, 1_007, 0.5),
        (None, "SILENT", 1_007, 1_008, 1.0),
    ]
    assert [each.confidence for each in segments(rows)] == [0.8, 0.8, 0.8, None, None]


def test_confidence_is_that_of_the_stable_genre_and_not_of_the_leading_one() -> None:
    (found,) = segments(rows_of(estimate(5, "jazz", confidence=0.3, leading="rock")))
    assert (found.genre, found.confidence) == ("jazz", 0.3)


def test_silence_before_any_music_has_no_genre() -> None:
    (found,) = segments(rows_of(estimate(5, None, "SILENT")))
    assert (found.genre, found.confidence, found.seconds) == (None, None, 5)


def test_a_stall_ends_the_segment_and_its_time_belongs_to_no_segment() -> None:
    rows = rows_of(
        estimate(5), state(8, "STALLED", "nothing comes"), state(60, "WARMING_UP"), estimate(65),
        state(65, "LISTENING"), estimate(65.5),
    )  # fmt: skip
    assert [(each.started, each.ended) for each in segments(rows)] == [(1_000, 1_005), (1_060, 1_065.5)]
    assert events(rows) == [(1_008, "stalled", "nothing comes"), (1_060, "warming_up", "")]


def test_a_jump_of_the_stream_counts_one_window_and_a_short_gap_nothing_twice() -> None:
    """Lost audio is not counted. After a gap of two seconds a window has three seconds from before."""
    (found,) = segments(rows_of(estimate(5), estimate(65)))
    assert found.seconds == 10
    before, after = segments(rows_of(estimate(5), state(6, "STALLED"), estimate(7)))
    assert (before.seconds, after.seconds, after.started) == (5, 2, 1_005)
    again = segments(rows_of(estimate(50), state(51, "RECOVERING"), replace(estimate(5), captured_at=1_060)))
    assert [each.seconds for each in again] == [5, 5]


def test_gaps_devices_and_titles_are_events_when_they_change() -> None:
    rows = rows_of(
        state(0, "WARMING_UP"), health(1, device="Speakers"), health(3, 1, 4_410, "Speakers"),
        health(5, 3, 6_000, "Headphones"), title_message("radio", 1_006, "A - B"),
        title_message("radio", 1_007, "A - B"), title_message("radio", 1_008, ""),
    )  # fmt: skip
    assert events(rows)[1:] == [
        (1_001, "device", "Speakers"),
        (1_003, "gap", "1 gap, 4410 samples lost"),
        (1_005, "gap", "2 gaps, 1590 samples lost"),
        (1_005, "device", "Headphones"),
        (1_006, "title", "A - B"),
        (1_008, "title", ""),
    ]


def test_unsure_estimates_are_one_segment_of_the_likeliest_genre() -> None:
    guesses = {"jazz": 0.3, "blues": 0.4, "rock": 0.2}
    unsure = [estimate(at, "metal", "UNSURE", 0.1, leading="rock") for at in (5, 5.5, 6)]
    for number, message in enumerate(unsure):
        leads = max(guesses, key=lambda genre: guesses[genre] * (2 if genre == "jazz" and number == 0 else 1))
        body = replace(message.estimate, label=leads, probabilities=guesses | {"metal": 0.1})
        unsure[number] = replace(message, estimate=body)
    (found,) = segments(rows_of(*unsure))
    assert (found.genre, found.state, found.estimates) == ("blues", "UNSURE", 3), "not the stale stable label"
    assert found.confidence == pytest.approx(0.4)


def test_segments_have_the_position_of_their_audio_in_the_stream() -> None:
    """The position does not depend on the clock: of a file at full speed, and after a stall."""
    given = [
        estimate(5),
        estimate(5.5),
        estimate(6, "rock"),
        estimate(9, "rock"),
        estimate(60, "rock", "UNSURE"),
    ]
    found = segments(rows_of(*(replace(message, captured_at=1_000.0) for message in given)))
    assert [(each.from_seconds, each.to_seconds) for each in found] == [(0, 5.5), (5.5, 9), (55, 60)]


def test_a_pause_ends_the_session() -> None:
    rows = rows_of(estimate(5), state(6, "PAUSED"), health(7), estimate(105))
    assert [each.session.key for each in segments(rows)] == ["a", "b"]
    assert events(rows) == [(1_006, "paused", "")]
    assert [(row.at, row.session.key) for row in rows if isinstance(row, Heartbeat) and row.ended] == [
        (1_006, "a"),
        (1_105, "b"),
    ]


def test_discarded_rows_do_not_come_back_with_the_next_estimate() -> None:
    builder = SegmentBuilder(iter("abcd").__next__)
    for message in (state(0, "WARMING_UP"), estimate(5), health(5, 1, 9, "Speakers")):
        builder.add(message)
    builder.restart(1_005.2)
    builder.add(estimate(5.5))
    (found,) = segments(rows := builder.finish())
    assert (found.session.key, found.session.started, found.number) == ("b", 1_005.2, 1)
    assert (found.started, found.seconds, found.from_seconds, found.estimates) == (1_005, 0.5, 5, 1)
    assert {row.session.key for row in rows} == {"b"}
    builder.restart(1_006)
    assert builder.finish() == []


def test_a_file_at_full_speed_counts_its_audio_and_not_the_clock() -> None:
    given = [estimate(5 + HOP * n) for n in range(6)] + [estimate(8 + HOP * n, "rock") for n in range(5)]
    given = [replace(message, captured_at=1_000 + n / 100) for n, message in enumerate(given)]
    first, second = segments(rows_of(*given))
    assert (first.seconds, second.seconds) == (7.5, 2.5)
    assert first.ended <= second.started <= second.ended == 1_000.1


def test_a_clock_that_is_set_back_ends_no_segment_before_its_start() -> None:
    given = [estimate(5), estimate(5.5), replace(estimate(6), captured_at=10.0)]
    given += [replace(estimate(6.5, "rock"), captured_at=10.5)]
    found = segments(rows_of(*given))
    assert all(each.started <= each.ended for each in found)
    assert [each.seconds for each in found] == [6, 0.5]


def test_sources_are_independent() -> None:
    rows = rows_of(
        estimate(5, source="a"), estimate(5, "rock", source="b"), estimate(5.5, source="a"),
        state(6, "FAILED", "unplugged", source="b"), health(6, source="b"), estimate(6, source="a"),
    )  # fmt: skip
    assert [(each.session.source, each.genre, each.estimates) for each in segments(rows)] == [
        ("b", "rock", 1),
        ("a", "jazz", 3),
    ]
    ends = [(row.session.source, row.at) for row in rows if isinstance(row, Heartbeat) and row.ended]
    assert ends == [("b", 1_006), ("a", 1_006)]
    assert {row.session.key for row in rows} == {"a", "b"}  # health after the end began nothing


def test_a_source_that_starts_again_is_a_new_session() -> None:
    rows = rows_of(estimate(5), state(6, "ENDED"), estimate(105))
    assert [each.session.key for each in segments(rows)] == ["a", "b"]


def test_every_estimate_of_a_random_stream_is_in_exactly_one_segment() -> None:
    """Counts and seconds add up, neighbors differ, and completed rows never change."""
    chance = random.Random(7)
    for _ in range(50):
        given = [
            estimate(5 + HOP * n, chance.choice(["jazz", "rock"]), chance.choice(["LISTENING", "SILENT"]))
            for n in range(60)
        ]
        builder = SegmentBuilder()
        found = segments([row for message in given for row in builder.add(message)] + builder.finish())
        assert sum(each.estimates for each in found) == 60
        assert sum(each.seconds for each in found) == pytest.approx(WINDOW + 59 * HOP)
        assert [each.number for each in found] == list(range(1, len(found) + 1))
        for one, next_one in pairwise(found):
            assert (one.genre, one.state) != (next_one.genre, next_one.state)
            assert one.ended == next_one.started


def test_a_segment_has_the_tags_of_at_least_half_of_its_estimates() -> None:
    rows = rows_of(
        estimate(5, tags={"soul": 0.6, "guitar": 0.5}),
        estimate(5.5, tags={"soul": 0.5, "calm": 0.9}),
        estimate(6, tags={"calm": 0.9, "80s": 0.4}),
        estimate(6.5, "rock", tags={"energetic": 0.8}),
        estimate(7, "rock", "SILENT"),
    )
    assert [each.tags for each in segments(rows)] == [("calm", "soul"), ("energetic",), ()]
