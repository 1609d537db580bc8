"""Messages as a translation key with parameters. The code that displays a message translates it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from dashboard.i18n.translator import Translator


def join_genres(translator: Translator, codes: str) -> str:
    """Translate genres, one in each line of ``codes``, and join them in one line."""
    return translator("recommendations.comma").join(translator.genre(code) for code in codes.splitlines())


def join_languages(translator: Translator, codes: str) -> str:
    """Translate languages, one in each line of ``codes``, and join them in one line."""
    names = (translator(f"recommendations.language.{code}") for code in codes.splitlines())
    return translator("recommendations.comma").join(names)


CODE_TRANSLATIONS: Final[Mapping[str, Callable[[Translator, str], str]]] = {
    "genre": lambda translator, code: translator.genre(code),
    "genres": join_genres,
    "language": join_languages,
    "range": lambda translator, code: translator(f"recommendations.range.{code}"),
}
"""Translations of the parameters that are codes, by parameter name. All other parameters are shown as they
are."""


@dataclass(frozen=True, slots=True)
class LocalizedMessage:
    """Message with its key below ``recommendations.`` in the catalog, and its parameters by name.

    ``str`` returns the English text, for logs and for the command line.
    """

    key: str
    values: tuple[tuple[str, str | int], ...] = ()

    def translate(self, translator: Translator) -> str:
        """Return the message in the language of the translator."""
        parameters = {
            name: CODE_TRANSLATIONS[name](translator, str(value)) if name in CODE_TRANSLATIONS else value
            for name, value in self.values
        }
        return translator(f"recommendations.{self.key}", **parameters)

    def __str__(self) -> str:
        """Return the message in English."""
        return self.translate(Translator("en"))


def localize(key: str, **values: str | int) -> LocalizedMessage:
    """Build a message from its key and its parameters."""
    return LocalizedMessage(key, tuple(values.items()))
