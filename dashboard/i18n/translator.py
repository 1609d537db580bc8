"""Translator of the page's texts, which are in the JSON files of this folder.

Each file maps keys to texts by language. Values replace the names in braces of a text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Final

from dashboard.i18n.languages import LANGUAGES

CATALOGS: Final = ("common", "live", "recommendations", "history", "file", "health", "tags", "library")


class Translator:
    """Texts in one language.

    Parameters
    ----------
    language : str
        A key of ``LANGUAGES``.
    """

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of a key such as ``history.none``, with values for its names.

        Raises
        ------
        KeyError
            If the catalogs have no such key.
        """
        text = load_texts()[key][self.language]
        return text.format(**values) if values else text

    def part(self, prefix: str) -> dict[str, str]:
        """Return all texts whose keys begin with a prefix, by key without the prefix, for scripts."""
        return {
            key.removeprefix(prefix): texts[self.language]
            for key, texts in load_texts().items()
            if key.startswith(prefix)
        }

    def genre(self, label: str) -> str:
        """Return the name of a genre, or the label itself if the genre is unknown."""
        return self(f"common.genre.{label}") if f"common.genre.{label}" in load_texts() else label

    def tag(self, name: str) -> str:
        """Return the translated name of a tag, or the name itself if the tag is unknown."""
        return self(f"tags.{name}") if f"tags.{name}" in load_texts() else name


@lru_cache(maxsize=1)
def load_texts() -> Mapping[str, Mapping[str, str]]:
    """Load all texts by key and language."""
    folder = files("dashboard.i18n")
    return {
        f"{name}.{key}": texts
        for name in CATALOGS
        for key, texts in json.loads((folder / f"{name}.json").read_text(encoding="utf-8")).items()
    }


def match_language(locale: str | None) -> str:
    """Return the page's language for a browser's locale such as ``pt-BR``, English by default."""
    code = (locale or "").replace("_", "-").partition("-")[0].lower()
    return code if code in LANGUAGES else "en"
