"""Times of day as Chromium formats them."""

from __future__ import annotations

from datetime import datetime

import pytest

from dashboard.i18n.times import format_time

AFTERNOON = datetime(2026, 11, 23, 15, 5, 7)
NIGHT = datetime(2026, 11, 23, 0, 5, 7)


@pytest.mark.parametrize(
    ("language", "locale", "afternoon", "night"),
    [
        ("en", "en-US", "3:05\N{NARROW NO-BREAK SPACE}PM", "12:05\N{NARROW NO-BREAK SPACE}AM"),
        ("en", "", "3:05\N{NARROW NO-BREAK SPACE}PM", "12:05\N{NARROW NO-BREAK SPACE}AM"),
        ("en", "de-DE", "3:05\N{NARROW NO-BREAK SPACE}PM", "12:05\N{NARROW NO-BREAK SPACE}AM"),
        ("en", "en-GB", "15:05", "0:05"),
        ("ja", "ja-JP", "15:05", "0:05"),
        ("ko", "ko-KR", "오후 3:05", "오전 12:05"),
        ("zh", "zh-CN", "15:05", "0:05"),
        ("ru", "en-US", "15:05", "0:05"),
    ],
)
def test_one_page_has_one_form_of_times(language: str, locale: str, afternoon: str, night: str) -> None:
    """Regression: the list of sessions showed 15:05 above a timeline with 3:05 PM."""
    assert format_time(AFTERNOON, language, locale) == afternoon
    assert format_time(NIGHT, language, locale) == night


def test_seconds_stand_before_the_half_of_the_day() -> None:
    assert format_time(AFTERNOON, "en", seconds=True) == "3:05:07\N{NARROW NO-BREAK SPACE}PM"
    assert format_time(AFTERNOON, "ko", seconds=True) == "오후 3:05:07"
