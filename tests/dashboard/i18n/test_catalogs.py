"""Catalogs: every text exists in all languages with the same replacement fields, and is used."""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from dashboard.i18n import translator
from dashboard.i18n.languages import LANGUAGES
from dashboard.i18n.translator import CATALOGS, load_texts

FOLDER = Path(translator.__file__).parent
SOURCES = [
    *FOLDER.parent.rglob("*.py"),
    *FOLDER.parent.rglob("*.js"),
    *FOLDER.parent.rglob("*.html"),
]

QUOTED = re.compile(r'"([^"\n]*)"|\'([^\'\n]*)\'|`([^`\n]*)`')
IN_BRACES = re.compile(r"translator\('([\w.]+)'|texts\.(\w+)")
"""A key quoted within an f-string, and a property of a script's ``texts``."""
LOOKED_UP = ("history.event.", "tags.")
"""Prefixes of keys whose rest is a kind of history event, or a tag of a model."""
FILLED_IN = re.compile(r"\$?\{[^{}]*\}")


@cache
def used_keys() -> re.Pattern[str]:
    """Match every quoted text of the dashboard's code that could be a key, with any replacement fields."""
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
    """Return the prefixes that are removed from keys before a script receives them."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    return frozenset(re.findall(r'\.part\("([\w.]+)"\)', code))


def test_the_folder_holds_exactly_the_files_that_are_read() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(CATALOGS)


@pytest.mark.parametrize("name", CATALOGS)
def test_no_key_is_repeated_in_a_file(name: str) -> None:
    """The JSON parser would silently keep the last one."""
    pairs: list[str] = []

    def keep(found: list[tuple[str, object]]) -> dict[str, object]:
        pairs.extend(key for key, _ in found if key not in LANGUAGES)
        return dict(found)

    json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"), object_pairs_hook=keep)
    assert [key for key, count in Counter(pairs).items() if count > 1] == []


def keys_of(name: str) -> list[str]:
    """Return the keys of one file. There must be some, so that no check passes for lack of texts."""
    keys = [key for key in load_texts() if key.startswith(f"{name}.")]
    assert keys
    return keys


def names_in(text: str) -> list[str]:
    """Return the names of replacement fields in alphabetical order."""
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("name", CATALOGS)
def test_every_text_has_all_languages_with_the_same_names(name: str) -> None:
    faults = {}
    for key in keys_of(name):
        texts = load_texts()[key]
        if list(texts) != list(LANGUAGES):
            faults[key] = f"languages {list(texts)}"
        elif empty := [language for language, text in texts.items() if not text.strip()]:
            faults[key] = f"no text in {empty}"
        elif len({tuple(names_in(text)) for text in texts.values()}) > 1:
            faults[key] = f"names differ: { {language: names_in(text) for language, text in texts.items()} }"
    assert faults == {}


@pytest.mark.parametrize("name", CATALOGS)
def test_every_text_is_used(name: str) -> None:
    def is_used(key: str) -> bool:
        candidates = [key, *(key.removeprefix(part) for part in given_to_scripts() if key.startswith(part))]
        return key.startswith(LOOKED_UP) or any(used_keys().fullmatch(each) for each in candidates)

    assert [key for key in keys_of(name) if not is_used(key)] == []
