"""Every text of the page: in all five languages, with the same names to fill in, and used somewhere."""

from __future__ import annotations

import json
import re
import string
from functools import cache
from pathlib import Path

import pytest

from dashboard import texts
from dashboard.texts import FILES, LANGUAGES, Words, closest, table

FOLDER = Path(texts.__file__).parent
SOURCES = [
    *FOLDER.parent.rglob("*.py"),
    *FOLDER.parent.glob("components/*.js"),
    *FOLDER.parent.glob("components/*.html"),
]
KEYS = sorted(table())

QUOTED = re.compile(r'"([^"\n]*)"|\'([^\'\n]*)\'|`([^`\n]*)`')
IN_BRACES = re.compile(r"words\('([\w.]+)'|words\.(\w+)")
"""A key quoted within a quoted text, and a property of a script's words."""
LOOKED_UP = ("session.event.",)
"""The rest of these is the history's kind of event."""
FILLED_IN = re.compile(r"\$?\{[^{}]*\}")


@cache
def used_keys() -> re.Pattern[str]:
    """Every quoted text of the dashboard's own code that could be a key; what is filled in may vary."""
    found = set()
    for path in SOURCES:
        code = path.read_text(encoding="utf-8")
        found |= {re.escape("".join(groups)) for groups in IN_BRACES.findall(code)}
        for groups in QUOTED.findall(code):
            text = FILLED_IN.sub("\0", "".join(groups))
            if re.fullmatch(r"[\w.\0]+", text) and text.strip("\0."):
                found.add(re.escape(text).replace("\0", r"[\w.]+"))
    return re.compile("|".join(sorted(found)))


@cache
def given_to_scripts() -> frozenset[str]:
    """Beginnings of keys that are left out where the rest goes to a script."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    return frozenset(re.findall(r'\.part\("([\w.]+)"\)', code))


def test_the_folder_holds_exactly_the_files_that_are_read() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
def test_no_key_stands_twice_in_a_file(name: str) -> None:
    """JSON would keep the last without a word."""
    pairs: list[str] = []

    def keep(found: list[tuple[str, object]]) -> dict[str, object]:
        pairs.extend(key for key, _ in found if key not in LANGUAGES)
        return dict(found)

    json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"), object_pairs_hook=keep)
    assert len(pairs) == len(set(pairs))


@pytest.mark.parametrize("key", KEYS)
def test_a_text_is_said_in_every_language_with_the_same_names(key: str) -> None:
    said = table()[key]
    assert list(said) == list(LANGUAGES)
    names = {
        language: sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)
        for language, text in said.items()
    }
    assert all(text.strip() for text in said.values())
    assert all(each == names["en"] for each in names.values()), names


@pytest.mark.parametrize("key", KEYS)
def test_every_text_is_used(key: str) -> None:
    candidates = [key, *(key.removeprefix(part) for part in given_to_scripts() if key.startswith(part))]
    assert key.startswith(LOOKED_UP) or any(used_keys().fullmatch(candidate) for candidate in candidates), (
        "nobody says this"
    )


def test_words_fill_in_names_and_genres() -> None:
    words = Words("ru")
    assert words("live.announcement", genre=words.genre("jazz")) == "Сейчас играет: джаз"
    assert words.genre("unheard of") == "unheard of"
    assert words.part("live.state.SILENT.")["headline"] == "тишина"
    with pytest.raises(KeyError):
        words("live.no-such-text")


@pytest.mark.parametrize(
    ("locale", "language"),
    [("ja-JP", "ja"), ("zh_CN", "zh"), ("RU", "ru"), ("ko", "ko"), ("pt-BR", "en"), ("", "en"), (None, "en")],
)
def test_the_language_closest_to_a_browsers(locale: str | None, language: str) -> None:
    assert closest(locale) == language
