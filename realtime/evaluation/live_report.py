"""Render the scorecard of ``overheard evaluate live`` as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from realtime.evaluation.scorecard import format_figure, render_skipped

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
"""Heading, key in the scorecard and number of digits of each column."""

LEGEND = """\
first, switch: median seconds from the start and from a change until the label is right
90 %: 90th percentile of the seconds from a change until the label is right
already, never: share of changes before which the label was the new genre already, and share never followed
flips/min: label changes per minute without a change in the programme
right: share of the time with the right label; settled: the same without 5 s after each change
confident: the same while the state is LISTENING; windows: share of single windows that are right"""

GENRES_LEGEND = (
    "settled: share of the genre's time with the right label; shown: share of all time with this label"
)

CLIPS_LEGEND = (
    "named: share of clips with a confident genre at any time; "
    "kept: share of clips not mostly NOT_MUSIC; others: shares of the time"
)


def render_report(card: dict[str, Any]) -> list[RenderableType]:
    """Render the scorecard: a row for each material and condition, genres, non-music and skipped files."""
    from rich.text import Text

    smoothing = card["smoothing"]
    parts: list[RenderableType] = [
        Text(f"model      {card['model']}"),
        Text(f"smoothing  {_format_smoothing(smoothing)}; seed {card['seed']}"),
    ]
    if not card["says_music"]:
        parts.append(Text("music      not detected by this model: all audio counts as music"))
    if "sets" in card:
        rows = [(f"{each['material']} {each['condition']}", each) for each in card["sets"]]
        costs = [f"{name} {each['seconds_a_minute']:.1f}" for name, each in rows]
        parts += _render_scores(rows)
        if costs:
            parts.append(Text(f"computing time in seconds per minute of programme: {', '.join(costs)}"))
    for each in card.get("tuning", ()):
        parts.append(Text(f"\n{each['material']}: {_format_smoothing(each['settings'])}"))
        parts.append(
            Text(
                f"chosen from {len(each['tried'])} settings on {each['tracks'][0]} tracks: the highest "
                f"accuracy without more flips than at present; scored on {each['tracks'][1]} other tracks:"
            )
        )
        parts += _render_scores([("present", each["present"]), ("chosen", each["chosen"])])
    for material, labels in card["without_tracks"].items():
        if labels:
            parts.append(Text(f"\n{material}: no tracks, and so no figures, for {', '.join(labels)}"))
    if "not_music" in card:
        parts += _render_non_music(card["not_music"])
    if card["skipped"]:
        parts += render_skipped(card["skipped"])
    return parts


def _format_smoothing(settings: dict[str, float]) -> str:
    return (
        f"half-life {settings['half_life_seconds']:g} s, margin {settings['switch_margin']:g}, "
        f"hold {settings['hold_seconds']:g} s"
    )


def _render_scores(rows: Sequence[tuple[str, dict[str, Any]]]) -> list[RenderableType]:
    from rich.text import Text

    if not rows:
        return []
    figures = _build_table("", *(heading for heading, _, _ in COLUMNS))
    for name, card in rows:
        figures.add_row(Text(name), *(format_figure(card[key], digits) for _, key, digits in COLUMNS))
    genres = _build_table("settled / shown", *(name for name, _ in rows))
    for label in rows[0][1]["recall"]:
        cells = (
            " / ".join(format_figure(card[name][label], 2) for name in ("recall", "shown"))
            for _, card in rows
        )
        genres.add_row(Text(label), *cells)
    return [Text(), figures, Text(LEGEND, style="dim"), Text(), genres, Text(GENRES_LEGEND, style="dim")]


def _render_non_music(rows: Sequence[dict[str, Any]]) -> list[RenderableType]:
    from rich.text import Text

    columns = ("named", "listening", "unsure", "not_music", "silent", "kept")
    table = _build_table(
        "10 s clips at 8,000 Hz", "origin", "clips", *(name.replace("_", " ") for name in columns)
    )
    for each in rows:
        shares = (format_figure(each[name], 2) for name in columns)
        table.add_row(Text(each["kind"]), Text(each["origin"]), str(each["clips"]), *shares)
    return [Text(), table, Text(CLIPS_LEGEND, style="dim")]


def _build_table(first: str, *headings: str) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 1))
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "origin" else "right", no_wrap=True)
    return table
