"""Times of day as the reader's country writes them, as the browser does it in the page's own scripts."""

from __future__ import annotations

from datetime import datetime
from typing import Final

TWENTY_FOUR: Final = frozenset(
    "AI AT BE BI BW BZ CC CH CK CM CX CZ DE DG DK EE ES FI FK FR GB GE GG GI GS HU ID IE IL IM IO IT JE JP KE"
    " LT LV MG MS MT MU MV NF NG NL NO NR NU PL PN PT RO RW SC SE SH SI SK SX TK TV TZ UA UG VA ZA ZW".split()
)
"""Regions whose English writes 15:05 (Unicode CLDR, as Chromium has it); the others write 3:05 PM."""
HALVES: Final = {"en": ("AM", "PM"), "ko": ("오전", "오후")}
"""Languages of ours that count the hours twice a day, with their words for the two halves."""


def format_time(moment: datetime, language: str, locale: str = "", *, seconds: bool = False) -> str:
    """The time as the browser's ``Intl.DateTimeFormat`` writes it.

    Parameters
    ----------
    moment : datetime
        In the reader's time zone.
    language : str
        What the page speaks.
    locale : str
        The browser's, such as ``en-GB``; it counts where it is of the same language.
    seconds : bool
    """
    rest = f"{moment:%M:%S}" if seconds else f"{moment:%M}"
    own, _, region = locale.replace("_", "-").partition("-")
    european = own.lower() == language == "en" and region.upper() in TWENTY_FOUR
    if language not in HALVES or european:
        return f"{moment.hour}:{rest}"
    half = HALVES[language][moment.hour >= 12]
    clock = f"{(moment.hour - 1) % 12 + 1}:{rest}"
    return f"{half} {clock}" if language == "ko" else f"{clock}\N{NARROW NO-BREAK SPACE}{half}"
