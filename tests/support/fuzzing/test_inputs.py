"""Every unchanged input and some changed ones of each kind, through the real way in.

Each is accepted, or refused with one sentence, within bounds of time, memory and open ports.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.common.urls import is_url, join_url
from tests.support.fuzzing import running
from tests.support.fuzzing.inputs import CORPORA, Input, corpus_size, make_input
from tests.support.fuzzing.mutation import keep_on_this_machine
from tests.support.fuzzing.running import Tally, open_targets, try_input
from tests.support.fuzzing.targets import Target, check_sentence
from tests.support.fuzzing.watch import Watch
from tests.support.waiting import wait_until

CHANGED = 8
"""Changed inputs of each kind."""

PARTS = 8
"""Tests among which the inputs of a kind are divided."""

UPLOADS = 8
"""Uploads, each of which starts a process."""


@pytest.fixture(scope="module")
def targets() -> Iterator[Mapping[str, Target]]:
    with open_targets(sorted(CORPORA)) as (opened, _):
        yield opened


@pytest.fixture(scope="module")
def watch() -> Iterator[Watch]:
    with Watch() as opened:
        yield opened


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", sorted(CORPORA))
def test_inputs_are_accepted_or_refused_in_one_sentence(
    kind: str, part: int, targets: Mapping[str, Target], watch: Watch
) -> None:
    count = corpus_size(kind) + CHANGED
    step = PARTS if kind != "uploads" else PARTS * (count // UPLOADS)
    tally = Tally()
    reports = [
        try_input(make_input(kind, number, seed=1), targets[kind], watch, tally)
        for number in range(part * step // PARTS, count, step)
    ]
    assert tally.outcomes.total() > 0
    assert [report for report in reports if report] == []


def test_an_input_is_the_same_each_time() -> None:
    for kind in sorted(CORPORA):
        size = corpus_size(kind)
        changed = [make_input(kind, number, seed=7) for number in range(size + 20)]
        assert changed == [make_input(kind, number, seed=7) for number in range(size + 20)]
        assert len({each.content for each in changed[size:]}) > 10


PIECES = (
    "/",
    "//",
    "\\",
    "\t",
    "\r",
    "@",
    ":",
    "?",
    "#",
    " ",
    "http:",
    "https://",
    "rtsp:",
    "evil.test",
    "\0",
    "[",
    "é",
)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_a_changed_text_leads_to_no_foreign_host(text: str) -> None:
    kept = keep_on_this_machine(text.encode(), b"127.0.0.1:9").decode()
    for line in kept.splitlines():
        address = join_url("http://127.0.0.1:9/list", line)
        if is_url(address):
            assert urlsplit(address).hostname in ("127.0.0.1", None), kept


def fault(target: Target, watch: Watch) -> str:
    return (try_input(Input("answers", "x", b"", "answers 0 0"), target, watch, Tally()) or "").splitlines()[
        -1
    ]


def test_what_must_not_happen_is_found(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    def print_a_traceback(_: Input) -> str:
        check_sentence("Traceback (most recent call last):")
        return "refused"

    def open_a_port(_: Input) -> str:
        program = "from socket import *; s = socket(type=SOCK_DGRAM); s.bind(('127.0.0.1', 0)); input()"
        with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stderr=subprocess.PIPE):
            wait_until(lambda: watch.udp)
        return "accepted"

    assert fault(print_a_traceback, watch).startswith("AssertionError: an error of the program itself")
    assert fault(open_a_port, watch) == "a UDP port was opened"
    monkeypatch.setattr(running, "MAX_INPUT_SECONDS", -1.0)
    assert fault(lambda _: "accepted", watch).startswith("took ")
