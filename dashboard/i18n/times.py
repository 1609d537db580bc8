"""Times of day in the format of the user's country, like the browser's in the page's scripts."""

from __future__ import annotations

from datetime import datetime
from typing import Final

TWENTY_FOUR_HOUR_REGIONS: Final = frozenset(
    "AI AT BE BI BW BZ CC CH CK CM CX CZ DE DG DK EE ES FI FK FR GB GE GG GI GS HU ID IE IL IM IO IT JE JP KE"
    " LT LV MG MS MT MU MV NF NG NL NO NR NU PL PN PT RO RW SC SE SH SI SK SX TK TV TZ UA UG VA ZA ZW".split()
)
"""Regions whose English writes 15:05 (Unicode CLDR, as in Chromium). The others write 3:05 PM."""
DAY_HALVES: Final = {"en": ("AM", "PM"), "ko": ("오전", "오후")}
"""Languages with a 12-hour clock, and their words for the two halves of the day."""


def format_time(moment: datetime, language: str, locale: str = "", *, seconds: bool = False) -> str:
    """Format a time like the browser's ``Intl.DateTimeFormat``.

    Parameters
    ----------
    moment : datetime
        In the user's time zone.
    language : str
        Language of the page.
    locale : str
        The browser's locale, such as ``en-GB``. It is used if it is of the same language.
    seconds : bool
        True to include the seconds.
    """
    rest = f"{moment:%M:%S}" if seconds else f"{moment:%M}"
    own, _, region = locale.replace("_", "-").partition("-")
    european = own.lower() == language == "en" and region.upper() in TWENTY_FOUR_HOUR_REGIONS
    if language not in DAY_HALVES or european:
        return f"{moment.hour}:{rest}"
    half = DAY_HALVES[language][moment.hour >= 12]
    clock = f"{(moment.hour - 1) % 12 + 1}:{rest}"
    return f"{half} {clock}" if language == "ko" else f"{clock}\N{NARROW NO-BREAK SPACE}{half}"
