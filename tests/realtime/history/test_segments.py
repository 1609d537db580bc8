"""Messages folded into the history's rows, on values."""

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


def folded(*given: Message, end: bool = True) -> list[Row]:
    """All rows of these messages, each of which obeys the published schema."""
    fold = SegmentBuilder(iter("abcdefgh").__next__)
    rows: list[Row] = []
    for number, message in enumerate(given):
        as_json(replace(message, seq=number))
        rows += fold.add(message)
    return rows + (fold.finish() if end else fold.open_rows(2_000.0))


def segments(rows: list[Row]) -> list[Segment]:
    return [row for row in rows if isinstance(row, Segment)]


def events(rows: list[Row]) -> list[tuple[float, str, str]]:
    return [(row.occurred_at, row.kind, row.detail) for row in rows if isinstance(row, Event)]


def test_consecutive_estimates_of_one_genre_become_one_segment() -> None:
    (found,) = segments(folded(*(estimate(5 + HOP * n, confidence=0.6 + 0.1 * n) for n in range(3))))
    assert (found.genre, found.state, found.estimates) == ("jazz", "LISTENING", 3)
    assert (found.started, found.ended, found.seconds) == (1_000, 1_006, 6)
    assert found.confidence == pytest.approx(0.7)


def test_genres_and_states_follow_each_other_without_overlap() -> None:
    rows = folded(
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


def test_confidence_is_that_of_the_genre_in_the_row_and_not_of_one_that_begins_to_lead() -> None:
    (found,) = segments(folded(estimate(5, "jazz", confidence=0.3, leading="rock")))
    assert (found.genre, found.confidence) == ("jazz", 0.3)


def test_silence_before_any_music_has_no_genre() -> None:
    (found,) = segments(folded(estimate(5, None, "SILENT")))
    assert (found.genre, found.confidence, found.seconds) == (None, None, 5)


def test_a_stall_ends_the_segment_and_its_time_belongs_to_nobody() -> None:
    rows = folded(
        estimate(5), state(8, "STALLED", "nothing comes"), state(60, "WARMING_UP"), estimate(65),
        state(65, "LISTENING"), estimate(65.5),
    )  # fmt: skip
    assert [(each.started, each.ended) for each in segments(rows)] == [(1_000, 1_005), (1_060, 1_065.5)]
    assert events(rows) == [(1_008, "stalled", "nothing comes"), (1_060, "warming_up", "")]


def test_a_jump_of_the_stream_counts_a_window_and_a_short_break_counts_nothing_twice() -> None:
    """Sound that was lost was not heard; and after two seconds of break a window holds three of before."""
    (found,) = segments(folded(estimate(5), estimate(65)))
    assert found.seconds == 10
    before, after = segments(folded(estimate(5), state(6, "STALLED"), estimate(7)))
    assert (before.seconds, after.seconds, after.started) == (5, 2, 1_005)
    again = segments(folded(estimate(50), state(51, "RECOVERING"), replace(estimate(5), captured_at=1_060)))
    assert [each.seconds for each in again] == [5, 5]


def test_gaps_devices_and_titles_are_events_when_they_change() -> None:
    rows = folded(
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


def test_what_was_unsure_is_one_segment_under_the_likeliest_guess() -> None:
    guesses = {"jazz": 0.3, "blues": 0.4, "rock": 0.2}
    unsure = [estimate(at, "metal", "UNSURE", 0.1, leading="rock") for at in (5, 5.5, 6)]
    for number, message in enumerate(unsure):
        leads = max(guesses, key=lambda genre: guesses[genre] * (2 if genre == "jazz" and number == 0 else 1))
        body = replace(message.estimate, label=leads, probabilities=guesses | {"metal": 0.1})
        unsure[number] = replace(message, estimate=body)
    (found,) = segments(folded(*unsure))
    assert (found.genre, found.state, found.estimates) == ("blues", "UNSURE", 3), "not the stale stable label"
    assert found.confidence == pytest.approx(0.4)


def test_segments_know_where_in_the_stream_their_sound_lies() -> None:
    """Also where the clock knows nothing of it: of a file at full speed, and after a stall."""
    given = [
        estimate(5),
        estimate(5.5),
        estimate(6, "rock"),
        estimate(9, "rock"),
        estimate(60, "rock", "UNSURE"),
    ]
    found = segments(folded(*(replace(message, captured_at=1_000.0) for message in given)))
    assert [(each.from_seconds, each.to_seconds) for each in found] == [(0, 5.5), (5.5, 9), (55, 60)]


def test_a_pause_ends_the_session() -> None:
    rows = folded(estimate(5), state(6, "PAUSED"), health(7), estimate(105))
    assert [each.session.key for each in segments(rows)] == ["a", "b"]
    assert events(rows) == [(1_006, "paused", "")]
    assert [(row.at, row.session.key) for row in rows if isinstance(row, Heartbeat) and row.ended] == [
        (1_006, "a"),
        (1_105, "b"),
    ]


def test_what_is_forgotten_does_not_come_back_with_the_next_estimate() -> None:
    fold = SegmentBuilder(iter("abcd").__next__)
    for message in (state(0, "WARMING_UP"), estimate(5), health(5, 1, 9, "Speakers")):
        fold.add(message)
    fold.restart(1_005.2)
    fold.add(estimate(5.5))
    (found,) = segments(rows := fold.finish())
    assert (found.session.key, found.session.started, found.number) == ("b", 1_005.2, 1)
    assert (found.started, found.seconds, found.from_seconds, found.estimates) == (1_005, 0.5, 5, 1)
    assert {row.session.key for row in rows} == {"b"}
    fold.restart(1_006)
    assert fold.finish() == []


def test_a_file_at_full_speed_counts_its_sound_and_not_the_clock() -> None:
    given = [estimate(5 + HOP * n) for n in range(6)] + [estimate(8 + HOP * n, "rock") for n in range(5)]
    given = [replace(message, captured_at=1_000 + n / 100) for n, message in enumerate(given)]
    first, second = segments(folded(*given))
    assert (first.seconds, second.seconds) == (7.5, 2.5)
    assert first.ended <= second.started <= second.ended == 1_000.1


def test_a_clock_that_is_set_back_makes_no_segment_end_before_it_begins() -> None:
    given = [estimate(5), estimate(5.5), replace(estimate(6), captured_at=10.0)]
    given += [replace(estimate(6.5, "rock"), captured_at=10.5)]
    found = segments(folded(*given))
    assert all(each.started <= each.ended for each in found)
    assert [each.seconds for each in found] == [6, 0.5]


def test_sources_do_not_disturb_each_other_and_end_by_themselves() -> None:
    rows = folded(
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


def test_a_source_that_begins_again_is_another_session() -> None:
    rows = folded(estimate(5), state(6, "ENDED"), estimate(105))
    assert [each.session.key for each in segments(rows)] == ["a", "b"]


def test_every_estimate_is_in_exactly_one_segment_whatever_comes() -> None:
    """Random streams: counts and seconds add up, neighbours differ, and folding never looks back."""
    chance = random.Random(7)
    for _ in range(50):
        given = [
            estimate(5 + HOP * n, chance.choice(["jazz", "rock"]), chance.choice(["LISTENING", "SILENT"]))
            for n in range(60)
        ]
        fold = SegmentBuilder()
        found = segments([row for message in given for row in fold.add(message)] + fold.finish())
        assert sum(each.estimates for each in found) == 60
        assert sum(each.seconds for each in found) == pytest.approx(WINDOW + 59 * HOP)
        assert [each.number for each in found] == list(range(1, len(found) + 1))
        for one, next_one in pairwise(found):
            assert (one.genre, one.state) != (next_one.genre, next_one.state)
            assert one.ended == next_one.started
