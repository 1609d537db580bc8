"""Reading of tables of labelled audio, and the errors of an evaluation."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import OverheardError

if TYPE_CHECKING:
    pass


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a CSV file that has at least these columns.

    Raises
    ------
    EvaluationError
        It cannot be read, or a column is missing.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="")
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise EvaluationError(
                    f"{path} lacks the column{'s' * (len(missing) > 1)} {' and '.join(missing)}; "
                    f"its first line names {', '.join(reader.fieldnames or ()) or 'none'}"
                )
            return list(reader)
    except OSError as error:
        raise EvaluationError(f"cannot read the table {path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path} is no table of text in UTF-8: {error}") from error


class EvaluationError(OverheardError):
    """What a model is to be judged on is missing, damaged, or nothing for this model."""


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file without an answer, and why."""

    file: str
    reason: str
