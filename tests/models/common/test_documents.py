"""Documents from outside: any content is parsed, or is a ValueError."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.common.documents import MAX_INTEGER, parse_json, read_toml

NUMBERS = [0, 1.5, -1, MAX_INTEGER, -MAX_INTEGER]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_keep_their_values(number: float, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(f"a = [{{b = {number}}}]")
    assert read_toml(tmp_path / "x") == {"a": [{"b": number}]}
    assert parse_json(json.dumps({"a": [{"b": number}]})) == {"a": [{"b": number}]}


@pytest.mark.parametrize("number", [str(MAX_INTEGER + 1), "-" + "9" * 400, "1" + "0" * 4_000, "9" * 9_000])
def test_larger_integers_are_refused_at_any_depth(number: str, tmp_path: Path) -> None:
    """A conversion to a float raised an OverflowError, and the text of an error a ValueError of its own."""
    (tmp_path / "x").write_text(f"a = [{{b = [1, [{number}]]}}]")
    with pytest.raises(ValueError, match="integer"):
        read_toml(tmp_path / "x")
    with pytest.raises(ValueError, match="integer"):
        parse_json(f'{{"a": [{{"b": [1, [{number}]]}}]}}')


@given(st.one_of(st.binary(), st.text(alphabet='[]{}"=.\n-0123456789abefnx_').map(str.encode)))
def test_any_content_is_parsed_or_a_value_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    with suppress(ValueError):
        read_toml(path)
    with suppress(ValueError):
        parse_json(content)
