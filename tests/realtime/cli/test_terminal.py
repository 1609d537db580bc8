"""Names from outside cannot control the terminal."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.common.logs import LogFormatter
from models.common.text import escape_control, escape_json_control
from tests.support.audio import tone, write
from tests.support.cli import run_main

RATE = 22_050
NAME = "a\x1b]0;owned\x07\x9b31m\u202e.wav"
ANYTHING = st.text(st.characters(codec=None, categories=None))


def is_harmless(text: str) -> bool:
    return not any(
        ord(character) < 32 or 127 <= ord(character) < 160 or character in "\u202e\u2066"
        for character in text
        if character not in "\n\t"
    )


@given(ANYTHING)
def test_escaped_text_is_harmless_and_other_text_stays(text: str) -> None:
    assert is_harmless(escape_control(text))
    assert escape_control(escape_control(text)) == escape_control(text)


def test_lines_and_tabs_stay() -> None:
    assert escape_control("a\tb\nc\r\x1b[2J é\u200d東") == "a\tb\nc\\r\\x1b[2J é\u200d東"


@given(st.dictionaries(ANYTHING, ANYTHING))
def test_escaped_json_has_the_same_values(record: dict[str, str]) -> None:
    line = escape_json_control(json.dumps(record, ensure_ascii=False))
    assert is_harmless(line)
    assert json.loads(line) == record


def test_log_lines_are_harmless() -> None:
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(LogFormatter("%(message)s"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        raise ValueError(NAME)
    except ValueError:
        logger.exception("%s was lost", NAME)
    assert is_harmless(output.getvalue())
    assert output.getvalue().count("\n") > 3, "the traceback is gone"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_analyze_prints_is_harmless(tmp_path: Path, options: tuple[str, ...]) -> None:
    path = write(tmp_path / NAME, tone(440, 6, RATE), RATE)
    done = run_main("analyze", *options, str(path), str(tmp_path / f"missing{NAME}"), NAME)
    assert done.returncode == 2
    assert "does not exist" in done.stderr
    assert r"a\x1b]0;owned" in done.stderr
    assert is_harmless(done.stderr)
    assert is_harmless(done.stdout)
    if options:
        assert json.loads(done.stdout.splitlines()[-1])["file"] == str(path)


@pytest.mark.parametrize(
    "command", [("listen", "--source"), ("monitor",), ("history", "--file"), (), ("run", "--source")]
)
def test_errors_are_harmless(command: tuple[str, ...]) -> None:
    done = run_main(*command, NAME)
    assert done.returncode == 2
    assert is_harmless(done.stderr + done.stdout)
    assert len(done.stderr.splitlines()) == 1
