"""Progress of commands: a bar, lines of the log, or nothing."""

from __future__ import annotations

import io
import logging

import pytest

from realtime.cli.progress import LoggedProgress, show_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_with_the_name_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with show_progress("[bold]song.mp3") as advance:
        advance(3, 12)
    assert "[bold]song.mp3" in terminal.getvalue()
    assert "3/12" in terminal.getvalue()


def test_without_a_terminal_or_a_wish_nothing_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with show_progress("song.mp3") as advance:
        advance(3, 12)
    assert capsys.readouterr() == ("", "")
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with show_progress("song.mp3", enabled=False) as advance:
        advance(3, 12)
    assert terminal.getvalue() == ""


def test_the_log_gets_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    times = iter([0.0, 59.0, 60.0, 60.0, 100.0, 120.0, 120.0])
    progress = LoggedProgress("tracks", monotonic=lambda: next(times))
    for done in (1, 2, 3):
        progress.advance(done, 10)
    progress.advance(4, None)
    assert caplog.messages == ["2 of 10 tracks", "4 of ? tracks"]
