"""Sentences as values: which one, and what is filled in. Whoever shows them chooses the language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from dashboard.i18n.translator import Translator


def genres_text(words: Translator, codes: str) -> str:
    """Several genres, one a line, as a list in one line."""
    return words("recommendations.comma").join(words.genre(code) for code in codes.splitlines())


SPELLED: Final[Mapping[str, Callable[[Translator, str], str]]] = {
    "genre": lambda words, code: words.genre(code),
    "genres": genres_text,
    "language": lambda words, code: words(f"recommendations.language.{code}"),
    "range": lambda words, code: words(f"recommendations.range.{code}"),
}
"""Values that are codes, by their names; all others stand in the sentence as they are."""


@dataclass(frozen=True, slots=True)
class LocalizedMessage:
    """One sentence: the rest of its key in ``dashboard/texts/songs.json``, and its values by name.

    ``str`` of it is the sentence in English, for logs and for people at a terminal.
    """

    key: str
    values: tuple[tuple[str, str | int], ...] = ()

    def in_words(self, words: Translator) -> str:
        """The sentence in a language."""
        filled = {
            name: SPELLED[name](words, str(value)) if name in SPELLED else value
            for name, value in self.values
        }
        return words(f"recommendations.{self.key}", **filled)

    def __str__(self) -> str:
        """In English."""
        return self.in_words(Translator("en"))


def localize(key: str, **values: str | int) -> LocalizedMessage:
    """A sentence with its values, as one writes a call."""
    return LocalizedMessage(key, tuple(values.items()))
