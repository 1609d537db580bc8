"""Read tables of labeled audio and the names of genres, and define the errors of an evaluation."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import OverheardError


class EvaluationError(OverheardError):
    """Error in the material or the options of an evaluation."""


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """File without a prediction, and the reason."""

    file: str
    reason: str


def describe_first(skipped: Sequence[SkippedFile]) -> str:
    """Return the end of an error message with the first skipped file, or an empty text without files."""
    return f"; the first, {skipped[0].file}: {skipped[0].reason}" if skipped else ""


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read the rows of a CSV file that must have the given columns.

    Raises
    ------
    EvaluationError
        If the file cannot be read, or if a column is missing.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="")
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise EvaluationError(
                    f"{path} lacks the column{'s' * (len(missing) > 1)} {' and '.join(missing)}; "
                    f"its first line names {', '.join(reader.fieldnames or ()) or 'no columns'}"
                )
            return list(reader)
    except OSError as error:
        raise EvaluationError(f"cannot read the table {path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path} is not a CSV file in UTF-8: {error}") from error


def find_genre_index(labels: Sequence[str], name: str) -> int | None:
    """Return the index of a genre among the labels, regardless of case. None if it is not a label."""
    folded = [label.casefold() for label in labels]
    return folded.index(name.casefold()) if name.casefold() in folded else None
