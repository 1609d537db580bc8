"""Choice of the user on the recommendations page, and the filters that follow from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dashboard.i18n.languages import LANGUAGES
from dashboard.recommendations.domain.tracks import INSTRUMENTAL, Relaxed, ReleaseRange
from dashboard.recommendations.engine.playlist import Filters

AUTOMATIC: Final = "auto"
"""Languages of the reader and of the titles that play, with English and songs without lyrics beside them."""
ANY: Final = "any"
CHOICES: Final = (AUTOMATIC, ANY, *LANGUAGES)


@dataclass(frozen=True, slots=True)
class FilterChoice:
    """Choice of the user.

    Attributes
    ----------
    language : str
        One of ``CHOICES``.
    range : ReleaseRange
    included : frozenset of Relaxed
        Filters beyond which the user wants songs too.
    """

    language: str = AUTOMATIC
    range: ReleaseRange = ReleaseRange.ANY
    included: frozenset[Relaxed] = frozenset()

    def filters(self, languages: tuple[str, ...]) -> Filters:
        """Return the filters, with ``languages`` as those of the automatic choice."""
        if self.language == ANY:
            return Filters(None, self.range, included=self.included)
        if self.language == AUTOMATIC:
            return Filters(languages[0], self.range, (*languages[1:], INSTRUMENTAL), self.included)
        return Filters(self.language, self.range, included=self.included)


def automatic_languages(heard: Iterable[str], reader: Iterable[str]) -> tuple[str, ...]:
    """Return the languages of the automatic choice, the most wanted first.

    Parameters
    ----------
    heard : iterable of str
        Languages of the titles that play.
    reader : iterable of str
        Languages of the page and of the browser.
    """
    return tuple(dict.fromkeys((*heard, *reader, "en")))
