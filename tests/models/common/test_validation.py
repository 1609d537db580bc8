"""Documents held against types: what is wrong, where, and what it should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct

from models.common.validation import MAX_VALUE_LETTERS, convert


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float | None = None

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError(f"x is {self.x:g}; it must be 0 or more")


class Drawing(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(max_length=5)]
    points: tuple[Point, ...]
    count: Annotated[int, Meta(ge=0)] = 0
    rest: dict[str, Any] = {}


def test_a_document_becomes_values() -> None:
    found = convert({"name": "a", "points": [{"x": 1}, {"x": 2, "y": None}], "rest": {"b": [{}]}}, Drawing)
    assert found == Drawing("a", (Point(1.0), Point(2.0)), 0, {"b": [{}]})
    assert convert([{"x": 1}], list[Point]) == [Point(1.0)]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": 5}, "name is 5; it must be of type str"),
        ({"name": "abcdef"}, "name is 'abcdef'; it must be of type str of length <= 5"),
        ({"count": -1}, "count is -1; it must be of type int >= 0"),
        ({"count": True}, "count is True; it must be of type int"),
        ({"points": "none"}, "points is 'none'; it must be of type array"),
        ({"points": [{"x": 1}, {"x": "1"}]}, "points[1].x is '1'; it must be of type float"),
        ({"points": [{"x": 1, "y": []}]}, "points[0].y is []; it must be of type float | null"),
        ({"points": [{"x": -1}]}, "points[0]: x is -1; it must be 0 or more"),
        ({"points": [{}]}, "points[0].x is missing"),
        ({"points": [{"x": 1}, {"x": 1, "z": 3}]}, "points[1].z is not a known field"),
        ({"more": 1}, "more is not a known field"),
        ({"rest": [1]}, "rest is [1]; it must be of type object"),
    ],
)
def test_an_error_names_path_value_and_expectation(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  the whole sentence is compared
        convert({"name": "a", "points": []} | change, Drawing)
    assert str(error.value) == sentence


def test_a_document_of_another_kind_is_shown_in_part() -> None:
    with pytest.raises(
        ValueError, match=r"^the document is 'x{59}\.\.\.; it must be of type object$"
    ) as error:
        convert("x" * 10_000, Drawing)
    assert len(str(error.value)) < MAX_VALUE_LETTERS + 60
