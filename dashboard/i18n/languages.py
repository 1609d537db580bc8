"""Languages of the page and of songs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Language:
    """Names of a language, in English and in the language itself."""

    name: str
    own_name: str


LANGUAGES: Final[Mapping[str, Language]] = {
    "en": Language("English", "English"),
    "ja": Language("Japanese", "日本語"),
    "ko": Language("Korean", "한국어"),
    "zh": Language("Chinese", "中文"),
    "ru": Language("Russian", "Русский"),
}
"""Languages by ISO 639-1 code, in the order of the page's menu."""
