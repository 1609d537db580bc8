"""Sessions as the page shows and exports them."""

from __future__ import annotations

import csv
import io
import json
import string
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboard.i18n.languages import LANGUAGES
from dashboard.i18n.translator import Translator, load_texts
from dashboard.viewmodels.history import (
    STATES,
    format_segment,
    format_session,
    format_span,
    outcome_key,
    parse_overview,
    parse_session,
    round_percentages,
    share_rows,
    timeline_data,
)
from dashboard.viewmodels.history_export import export_csv, export_json, format_file_name
from models.common.text import escape_formula
from realtime.protocol.codes import ResponseCode
from realtime.protocol.estimate import StreamState
from realtime.protocol.history_csv import COLUMNS
from tests.support.history_server import evening

TOKYO = ZoneInfo("Asia/Tokyo")
STARTED = datetime(2026, 11, 23, 11, 0, tzinfo=UTC).timestamp()
EN = Translator("en")


def segment(number: int, first: float, last: float, **fields: Any) -> dict[str, Any]:
    """Return a segment from ``first`` to ``last`` seconds of the session."""
    return {
        "number": number,
        "genre": "jazz",
        "state": "LISTENING",
        "started": STARTED + first,
        "ended": STARTED + last,
        "seconds": last - first,
        "confidence": 0.82,
        "estimates": 9,
        "correction": None,
    } | fields


def record(
    *segments: dict[str, Any], events: tuple[dict[str, Any], ...] = (), **fields: Any
) -> dict[str, Any]:
    return {
        "id": 3,
        "source": "radio",
        "model": "net",
        "model_version": "1",
        "started": STARTED,
        "last_seen_at": STARTED + 7_500,
        "ended": None,
        "running": True,
        "broken_off": False,
        "seconds": {"rock": 60.0, "SILENT": 900.0, "jazz": 600.0},
        "segments": list(segments),
        "events": list(events),
    } | fields


def title(at: float, detail: str) -> dict[str, Any]:
    return {"occurred_at": STARTED + at, "kind": "title", "detail": detail}


def test_the_states_are_those_of_the_history() -> None:
    assert STATES == ("LISTENING", "UNSURE", "NOT_MUSIC", "SILENT")


def test_the_timeline_gets_short_rows_in_the_order_of_time() -> None:
    late = segment(2, 60, 90, state="UNSURE", genre="rock", confidence=0.456, correction="pop")
    silent = segment(3, 90, 95, state="SILENT", genre=None, confidence=None)
    events = (title(61, "B"), title(1, "A"))
    first = segment(1, 0, 60.04, tags=["soul", "80s"])
    session = parse_session(record(late, silent, first, events=events))
    data = timeline_data(session, 2, EN)
    labels = [genre["label"] for genre in data["genres"]]
    jazz, rock, pop = (labels.index(label) for label in ("jazz", "rock", "pop"))
    assert data["segments"] == [
        [1, 0, jazz, 0.0, 60.0, 0.82, -1, [1, 0]],
        [2, 1, rock, 60.0, 90.0, 0.46, pop, []],
        [3, 3, -1, 90.0, 95.0, None, -1, []],
    ]
    assert data["tags"] == ["1980s", "soul"]
    assert data["events"] == [[1.0, "title", "A"], [61.0, "title", "B"]]
    assert (data["started"], data["seconds"], data["running"], data["selected"]) == (
        STARTED,
        7_500.0,
        True,
        2,
    )


def test_genres_of_another_model_get_a_colour_and_their_own_name() -> None:
    session = parse_session(record(segment(1, 0, 5, genre="bossa nova", correction="fado")))
    data = timeline_data(session, None, EN)
    assert data["genres"][-2:] == [
        {"label": "bossa nova", "name": "bossa nova", "color": "#8a8d94"},
        {"label": "fado", "name": "fado", "color": "#8a8d94"},
    ]
    assert data["segments"][0][2] == len(data["genres"]) - 2


def test_an_evening_of_twelve_hours_stays_small() -> None:
    session = parse_session(json.loads(json.dumps(evening())))
    assert len(session.segments) == 3_000
    sent = len(json.dumps(timeline_data(session, None, EN)))
    print(f"{sent} bytes of 3000 segments and {len(session.events)} events")
    assert sent < 250_000


def test_shares_are_of_the_whole_time_and_count_corrections() -> None:
    session = parse_session(
        record(
            segment(1, 0, 60),
            segment(2, 60, 180, genre="rock"),
            segment(3, 180, 240, state="UNSURE", genre="rock", correction="jazz"),
            segment(4, 240, 270, state="UNSURE", genre="pop"),
            segment(5, 270, 280, state="SILENT", genre=None, confidence=None),
            segment(6, 280, 300, state="NOT_MUSIC", genre=None, confidence=None),
        )
    )
    rows = [(row["name"], row["share"], row["text"]) for row in share_rows(session.segments, EN)]
    assert rows == [
        ("jazz", 0.4, "2 min · 40%"),
        ("rock", 0.4, "2 min · 40%"),
        ("unsure", 0.1, "30 s · 10%"),
        ("no music", 20 / 300, "20 s · 7%"),
        ("silence", 10 / 300, "10 s · 3%"),
    ]
    assert share_rows((), EN) == []


@pytest.mark.parametrize(
    ("shares", "expected"),
    [([1 / 3] * 3, [34, 33, 33]), ([0.005, 0.995], [1, 99]), ([1.0], [100]), ([0.0, 0.0], [0, 0]), ([], [])],
)
def test_percentages_add_up(shares: list[float], expected: list[int]) -> None:
    """Regression: three thirds made 99 %, and with an unsure share 110 %."""
    assert round_percentages(shares) == expected


def test_every_outcome_of_a_control_has_a_text() -> None:
    """Regression: the page showed the analyzer's English sentence untranslated."""
    outcomes = [code for code in ResponseCode if code.startswith(("label_", "history_deleted"))]
    assert len(outcomes) == 6
    for code in outcomes:
        assert outcome_key(code) in load_texts()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.5, "1 min"),
        (3_569, "59 min"),
        (3_570, "1 h 0 min"),
        (8_000, "2 h 13 min"),
    ],
)
def test_spans_are_never_rounded_to_60_seconds_or_minutes(seconds: float, expected: str) -> None:
    assert format_span(seconds, EN) == expected


def test_lines_are_in_the_reader_s_time_and_language() -> None:
    session = parse_session(record(segment(1, 5, 65, state="UNSURE")))
    ended = parse_session(record(ended=STARTED + 7_500, running=False))
    assert format_session(ended, TOKYO, Translator("ja")) == (
        "2026-11-23 20:00 · 2時間5分 · radio · ジャズ, ロック · #3"
    )
    half = "\N{NARROW NO-BREAK SPACE}PM"
    assert format_segment(session.segments[0], TOKYO, EN) == (
        f"8:00:05{half} \N{EN DASH} 8:01:05{half}: unsure (jazz), 82%"
    )
    assert format_segment(session.segments[0], TOKYO, EN, "en-GB").startswith(
        "20:00:05 \N{EN DASH} 20:01:05: "
    )
    assert format_file_name(session, TOKYO, "csv") == "overheard-2026-11-23-2000-session-3.csv"


def test_a_running_session_keeps_its_line() -> None:
    """Streamlit identifies an option by its text. Regression: a changed text selected the option again."""
    first, later = (
        parse_session(record(last_seen_at=STARTED + at, seconds={"pop": at})) for at in (5.0, 99.0)
    )
    assert format_session(first, TOKYO, EN) == format_session(later, TOKYO, EN)
    assert (
        format_session(first, TOKYO, EN)
        == "2026-11-23 8:00\N{NARROW NO-BREAK SPACE}PM · running now · radio · #3"
    )


def test_the_table_has_segments_and_events_in_the_order_of_time() -> None:
    given = record(segment(1, 5, 65), segment(2, 65, 66, correction="pop"), events=(title(30, "A\nB"),))
    content = export_csv(parse_session(given), TOKYO)
    assert content.startswith(b"\xef\xbb\xbf"), "Excel needs the byte order mark"
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["kind"] for row in rows] == ["segment", "title", "segment"]
    assert rows[0] == {
        "session": "3", "source": "radio", "kind": "segment", "number": "1",
        "started": "2026-11-23T20:00:05.000+09:00",
        "ended": "2026-11-23T20:01:05.000+09:00", "seconds": "60.0", "state": "LISTENING", "genre": "jazz",
        "confidence": "0.82", "correction": "", "detail": "", "tags": "",
    }  # fmt: skip
    assert (rows[1]["started"], rows[1]["detail"]) == ("2026-11-23T20:00:30.000+09:00", "A B")
    assert rows[2]["correction"] == "pop"


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://x.test")',
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r\n=1",
        " =1",
        "\uff1d1",
        "\uff20x",
        "|calc",
        "%0",
    ],
)
def test_a_title_is_never_a_formula(text: str) -> None:
    given = record(segment(1, 0, 1, genre=text), events=(title(0, text),), source=text)
    first, second = csv.DictReader(
        io.StringIO(export_csv(parse_session(given), UTC).decode("utf-8-sig"), newline="")
    )
    for cell in (first["genre"], first["source"], second["detail"]):
        assert cell.startswith("'")
        assert cell.isprintable()
    assert escape_formula("Miles Davis - So What") == "Miles Davis - So What"


def test_the_exported_object_equals_the_analyzers() -> None:
    given = record(segment(1, 0, 1), source="радио \ud800")
    assert json.loads(export_json(record(segment(1, 0, 1)))) == record(segment(1, 0, 1))
    assert "радио ?" in export_json(given).decode("utf-8")


def test_a_lone_surrogate_does_not_break_the_page() -> None:
    """JSON may contain a lone surrogate, which cannot be encoded."""
    session = parse_session(record(events=(title(0, "a\ud800"),), source="\udfff"))
    assert session.events[0].detail == "a?"
    format_session(session, None, EN).encode("utf-8")


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        (record(segment(1, 0, 1, state="DANCING")), "DANCING"),
        (record(segment(1, 0, 1, started="now")), r"segments\[0\].started is 'now'"),
        (record(segment(1, 0, 1) | {"number": True}), "number is True"),
        (
            record(segment(1, 0, 1, ended=1e12)),
            r"\[0\].ended is 1000000000000.0; it must be of type float < 1",
        ),
        (record(started=-1), "started is -1"),
        (record(events=({"occurred_at": 1.0, "kind": "title"},)), r"events\[0\].detail is missing"),
        (record(segments={}), "segments is {}; it must be of type array"),
        (record(segments=[3]), r"segments\[0\] is 3; it must be of type object"),
        (record(seconds=[]), r"seconds is \[\]; it must be of type object"),
        (record(source=None), "source is None"),
    ],
)
def test_a_malformed_document_is_described(broken: dict[str, Any], where: str) -> None:
    with pytest.raises(ValueError, match=where):
        parse_session(broken)


def test_the_overview_is_read() -> None:
    short = {name: value for name, value in record().items() if name not in ("segments", "events")}
    ended = short | {"id": 2, "ended": STARTED + 60, "running": False}
    found = parse_overview({"path": "/h", "sessions": [short, ended], "corrections": 4, "sounds": 3})
    assert [(each.id, each.until - STARTED, each.running) for each in found.sessions] == [
        (3, 7_500.0, True),
        (2, 60.0, False),
    ]
    assert (found.path, found.corrections, found.sounds) == ("/h", 4, 3)
    assert parse_overview({"path": None, "sessions": [], "corrections": 0, "sounds": 0}).path is None
    with pytest.raises(ValueError, match="sounds"):
        parse_overview({"path": None, "sessions": [], "corrections": 0})


def test_every_text_exists_in_every_language_with_the_same_replacement_fields() -> None:
    texts = {key: each for key, each in load_texts().items() if key.startswith("history.")}
    for key, each in texts.items():
        assert set(each) == set(LANGUAGES), key
        names = {language: {name for _, name, _, _ in string.Formatter().parse(text) if name}
                 for language, text in each.items()}  # fmt: skip
        assert len(set(map(frozenset, names.values()))) == 1, f"{key}: {names}"
        assert all(text.strip() for text in each.values()), key
    for state in STATES:
        assert f"history.state.{state.lower()}" in texts
    for state in StreamState:
        assert state.has_estimate or f"history.event.{state.lower()}" in texts
