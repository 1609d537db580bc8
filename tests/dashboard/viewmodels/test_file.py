"""The bands, legend and times of the page of a file."""

from __future__ import annotations

import re

from dashboard.i18n.translator import Translator
from dashboard.viewmodels.file import Band, clock_time, legend_markup, times_markup


def test_the_bands_have_a_legend_and_times() -> None:
    """Colours alone, from an unknown begin to an unknown end, told a newcomer nothing."""
    folded = [Band(0, 5, "<b>x</b>", True), Band(5, 9, "jazz", False), Band(9, 12, None, False),
              Band(12, 99, "hiphop", True)]  # fmt: skip
    legend = legend_markup(folded, Translator("en"))
    assert legend.index("hip hop") < legend.index("jazz") < legend.index("&lt;b&gt;x"), "the page's order"
    assert "<b>" not in legend
    marks = re.findall(r"<span>([\d:]+)</span>", times_markup(120))
    assert marks == ["0:00", "0:30", "1:00", "1:30", "2:00"]


def test_times_read_as_on_a_player() -> None:
    assert [clock_time(seconds) for seconds in (0, 65, 3600.4, 36_061)] == [
        "0:00",
        "1:05",
        "1:00:00",
        "10:01:01",
    ]
