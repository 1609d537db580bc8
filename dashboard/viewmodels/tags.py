"""Words that describe music beside its genre: their order on the pages, and their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dashboard.i18n.translator import Translator

KINDS: Final = ("style", "mood", "voice", "instrument", "era")
"""Kinds of tags, in the order of the pages. Tags of other kinds come last."""

MAX_TAGS: Final = 6
"""Largest number of words that a page shows."""

GROUP_SEPARATOR: Final = " \N{MIDDLE DOT} "
"""Text between the words of two kinds."""


def tag_names(translator: Translator) -> dict[str, str]:
    """Return the translated names of all tags that the catalogs know, by tag."""
    return translator.part("tags.")


def describe_tags(tags: Sequence[Mapping[str, Any]], translator: Translator) -> str:
    """Describe music by its most probable tags, grouped by kind.

    Parameters
    ----------
    tags : sequence of mapping
        Tags with ``name`` and ``kind``, the most probable first.
    translator : Translator
    """
    shown = tags[:MAX_TAGS]
    others = sorted({str(tag["kind"]) for tag in shown} - {*KINDS})
    groups = [
        ", ".join(translator.tag(str(tag["name"])) for tag in shown if tag["kind"] == kind)
        for kind in (*KINDS, *others)
    ]
    return GROUP_SEPARATOR.join(filter(None, groups))
