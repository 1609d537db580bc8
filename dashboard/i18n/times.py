"""Times of day in the format of the user's country, as the browser formats them in the page's scripts."""

from __future__ import annotations

from datetime import datetime
from typing import Final

TWENTY_FOUR_HOUR_REGIONS: Final = frozenset(
    "AI AT BE BI BW BZ CC CH CK CM CX CZ DE DG DK EE ES FI FK FR GB GE GG GI GS HU ID IE IL IM IO IT JE JP KE"
    " LT LV MG MS MT MU MV NF NG NL NO NR NU PL PN PT RO RW SC SE SH SI SK SX TK TV TZ UA UG VA ZA ZW".split()
)
"""Regions whose English uses the 24-hour clock (Unicode CLDR, as in Chromium). Others write 3:05 PM."""
DAY_HALVES: Final = {"en": ("AM", "PM"), "ko": ("오전", "오후")}
"""Languages with a 12-hour clock, and their names of the two halves of the day."""


def format_time(moment: datetime, language: str, locale: str = "", *, seconds: bool = False) -> str:
    """Format a time like the browser's ``Intl.DateTimeFormat``.

    Parameters
    ----------
    moment : datetime
        Time in the user's time zone.
    language : str
        Language of the page.
    locale : str
        Locale of the browser, such as ``en-GB``. A locale of another language is ignored.
    seconds : bool
        True to include the seconds.
    """
    rest = f"{moment:%M:%S}" if seconds else f"{moment:%M}"
    locale_language, _, region = locale.replace("_", "-").partition("-")
    english = locale_language.lower() == language == "en"
    if language not in DAY_HALVES or (english and region.upper() in TWENTY_FOUR_HOUR_REGIONS):
        return f"{moment.hour}:{rest}"
    half = DAY_HALVES[language][moment.hour >= 12]
    clock = f"{(moment.hour - 1) % 12 + 1}:{rest}"
    return f"{half} {clock}" if language == "ko" else f"{clock}\N{NARROW NO-BREAK SPACE}{half}"
