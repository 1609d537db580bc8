"""Every text of the page, in five languages, in the files beside this one.

Each file is an object of keys, and each key an object with the text in every language. A text may hold
names in braces, which are filled in as it is said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Final

from dashboard.i18n.languages import LANGUAGES

FILES: Final = ("common", "live", "recommendations", "history", "file", "health")


class Translator:
    """The texts in one language.

    Parameters
    ----------
    language : str
        A key of ``LANGUAGES``.
    """

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """One text; ``key`` begins with the file's name.

        Raises
        ------
        KeyError
            There is no such text.
        """
        text = table()[key][self.language]
        return text.format(**values) if values else text

    def part(self, prefix: str) -> dict[str, str]:
        """All texts whose keys begin so, by the rest of the key; for scripts, which get them as data."""
        return {
            key.removeprefix(prefix): texts[self.language]
            for key, texts in table().items()
            if key.startswith(prefix)
        }

    def genre(self, label: str) -> str:
        """A genre as people write it; one that is unknown as it is."""
        return self(f"common.genre.{label}") if f"common.genre.{label}" in table() else label


@lru_cache(maxsize=1)
def table() -> Mapping[str, Mapping[str, str]]:
    """All texts by key and language."""
    folder = files("dashboard.i18n")
    return {
        f"{name}.{key}": texts
        for name in FILES
        for key, texts in json.loads((folder / f"{name}.json").read_text(encoding="utf-8")).items()
    }


def match_language(locale: str | None) -> str:
    """The language of ours for a browser's, such as ``pt-BR``; English where there is none."""
    code = (locale or "").replace("_", "-").partition("-")[0].lower()
    return code if code in LANGUAGES else "en"
