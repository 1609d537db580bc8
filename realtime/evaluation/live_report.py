"""What ``overheard evaluate live`` found, laid out for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

COLUMNS = (
    ("minutes", "minutes", 1),
    ("changes", "changes", 0),
    ("first s", "first_label_seconds", 1),
    ("switch s", "switch_median", 1),
    ("90 % s", "switch_p90", 1),
    ("already", "already_right", 2),
    ("never", "never_followed", 2),
    ("flips/min", "flips_per_minute", 2),
    ("unsure", "unsure", 2),
    ("no music", "not_music", 2),
    ("right", "accuracy", 3),
    ("settled", "settled_accuracy", 3),
    ("confident", "listening_accuracy", 3),
    ("windows", "window_accuracy", 3),
)
"""Heading, name in the card, digits."""

LEGEND = """\
first, switch: seconds to the right label after the start and after a change, median; 90 %: of changes in
time, so many took no longer; already, never: shares of the changes before which the label was the new genre,
and that it did not follow; flips: changes of the label that the programme did not ask for; right: share of
the time; settled: without 5 s after each change; confident: while LISTENING; windows: single ones by
themselves."""

GENRES_LEGEND = "settled: of the genre's own time, when it was shown; shown: of all time"

CLIPS_LEGEND = (
    "named: clips that got a genre with confidence at any time; kept: clips not mostly NOT_MUSIC; "
    "the others are shares of the time"
)


def tables(card: dict[str, Any]) -> list[RenderableType]:
    """One line a material and condition, then the genres, what is no music, and what was skipped."""
    from rich.text import Text

    smoothing = card["smoothing"]
    parts: list[RenderableType] = [
        Text(f"model      {card['model']}"),
        Text(f"smoothing  {_smoothing(smoothing)}; seed {card['seed']}"),
    ]
    if not card["says_music"]:
        parts.append(Text("music      this model does not say: all sound counts as music"))
    if "sets" in card:
        rows = [(f"{each['material']} {each['condition']}", each) for each in card["sets"]]
        costs = [f"{name} {each['seconds_a_minute']:.1f}" for name, each in rows]
        parts += _scores(rows)
        if costs:
            parts.append(Text(f"seconds that a minute of programme took: {', '.join(costs)}"))
    for each in card.get("tuning", ()):
        parts.append(Text(f"\n{each['material']}: {_smoothing(each['settings'])}"))
        parts.append(
            Text(
                f"chosen among {len(each['tried'])} on {each['tracks'][0]} tracks, as right longest while "
                f"flipping no more than the present; judged on {each['tracks'][1]} others:"
            )
        )
        parts += _scores([("present", each["present"]), ("chosen", each["chosen"])])
    for material, labels in card["without_tracks"].items():
        if labels:
            parts.append(Text(f"\n{material}: nothing is known of {', '.join(labels)}, for want of tracks"))
    if "not_music" in card:
        parts += _not_music(card["not_music"])
    if card["skipped"]:
        parts.append(Text(f"\nskipped {len(card['skipped'])}"))
        parts += [Text(f"  {each['file']}: {each['reason']}") for each in card["skipped"]]
    return parts


def _smoothing(settings: dict[str, float]) -> str:
    return (
        f"half-life {settings['half_life_seconds']:g} s, margin {settings['switch_margin']:g}, "
        f"hold {settings['hold_seconds']:g} s"
    )


def _scores(rows: Sequence[tuple[str, dict[str, Any]]]) -> list[RenderableType]:
    from rich.text import Text

    if not rows:
        return []
    figures = _table("", *(heading for heading, _, _ in COLUMNS))
    for name, card in rows:
        figures.add_row(Text(name), *(_figure(card[key], digits) for _, key, digits in COLUMNS))
    genres = _table("settled / shown", *(name for name, _ in rows))
    for label in rows[0][1]["recall"]:
        cells = (
            " / ".join(_figure(card[name][label], 2) for name in ("recall", "shown")) for _, card in rows
        )
        genres.add_row(Text(label), *cells)
    return [Text(), figures, Text(LEGEND, style="dim"), Text(), genres, Text(GENRES_LEGEND, style="dim")]


def _not_music(found: Sequence[dict[str, Any]]) -> list[RenderableType]:
    from rich.text import Text

    columns = ("named", "listening", "unsure", "not_music", "silent", "kept")
    table = _table("10 s clips at 8,000 Hz", "origin", "clips", *(name.replace("_", " ") for name in columns))
    for each in found:
        shares = (_figure(each[name], 2) for name in columns)
        table.add_row(Text(each["kind"]), Text(each["origin"]), str(each["clips"]), *shares)
    return [Text(), table, Text(CLIPS_LEGEND, style="dim")]


def _table(first: str, *headings: str) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 1))
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "origin" else "right", no_wrap=True)
    return table


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
