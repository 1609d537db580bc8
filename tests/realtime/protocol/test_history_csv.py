"""Sessions of the history as a table in CSV."""

from __future__ import annotations

import csv
import io
import json
from contextlib import closing
from pathlib import Path

from models.common.validation import convert
from realtime.history.queries import open_history, read_session
from realtime.protocol.history import HistorySession
from realtime.protocol.history_csv import format_csv
from tests.support.histories import estimate, state, write_history


def test_sessions_of_a_file_become_a_table_without_formulas(tmp_path: Path) -> None:
    path = write_history(
        tmp_path / "history.sqlite",
        estimate(5, source="=cmd|' /C calc'!A0\n"),
        state(5, "RECOVERING", "=1+1", source="=cmd|' /C calc'!A0\n"),
        estimate(5.5, "rock", source='a "b", c', tags={"soul": 0.9, "female voice": 0.6}),
    )
    with closing(open_history(path)) as connection:
        sessions = [read_session(connection, number, 0) for number in (1, 2)]
    text = format_csv(convert(each, HistorySession, allow_unknown=True) for each in sessions)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["session"] for row in rows] == ["1", "1", "2"]
    assert [row["source"] for row in rows] == ["'=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0", 'a "b", c']
    assert json.loads(rows[0]["seconds"]) == 5
    assert (rows[1]["kind"], rows[1]["detail"], rows[1]["number"]) == ("recovering", "'=1+1", "")
    assert (rows[2]["genre"], rows[2]["correction"], rows[2]["number"]) == ("rock", "", "1")
    assert [row["tags"] for row in rows] == ["", "", "soul;female voice"]
    assert rows[0]["started"].startswith("1970-01-01T")
