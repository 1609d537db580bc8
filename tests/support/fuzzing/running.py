"""Take inputs through their targets, and count what happened."""

from __future__ import annotations

import contextlib
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.support.fuzzing.analyzer import Analyzer
from tests.support.fuzzing.inputs import Input
from tests.support.fuzzing.site import Site
from tests.support.fuzzing.targets import (
    AnswerTarget,
    FileTarget,
    NameTarget,
    PlaylistTarget,
    SettingsTarget,
    Target,
    TitleTarget,
    UploadTarget,
)
from tests.support.fuzzing.watch import Watch

MAX_INPUT_SECONDS = 30.0
"""Time after which an input counts as a finding. Several network timeouts may pass in turn."""

MAX_PROCESS_BYTES = 700 << 20
"""Resident memory of one process above which an input is a finding. The analyzer takes about 200 MiB."""


@dataclass
class Tally:
    """Results of one kind."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[int, str] = (0, "")
    findings: list[str] = field(default_factory=list)


@contextlib.contextmanager
def open_targets(kinds: Sequence[str]) -> Iterator[tuple[Mapping[str, Target], psutil.Process | None]]:
    """Open the targets of some kinds, and yield them with the process of the analyzer if there is one."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        site = stack.enter_context(Site())
        targets: dict[str, Target] = {
            "answers": AnswerTarget(site),
            "containers": FileTarget(folder),
            "names": NameTarget(folder),
            "playlists": PlaylistTarget(site, folder),
            "settings": SettingsTarget(folder),
            "titles": TitleTarget(site),
            "uploads": UploadTarget(),
        }
        process = None
        if {"messages", "requests"} & set(kinds):
            analyzer = stack.enter_context(Analyzer())
            process = analyzer.process
            targets |= {"messages": analyzer.send_message, "requests": analyzer.send_request}
        yield {kind: targets[kind] for kind in kinds}, process


def try_input(tried: Input, target: Target, watch: Watch, tally: Tally) -> str | None:
    """Take one input through a target, and return the report of a finding or None."""
    watch.reset()
    began = time.monotonic()
    try:
        tally.outcomes[target(tried)] += 1
        fault = ""
    except Exception:
        fault = traceback.format_exc()
    seconds = time.monotonic() - began
    tally.seconds += seconds
    label = f"{tried.seed} ({tried.name})"
    tally.slowest = max(tally.slowest, (seconds, label))
    tally.largest = max(tally.largest, (watch.peak_bytes, label))
    if seconds > MAX_INPUT_SECONDS:
        fault = fault or f"took {seconds:.1f} s"
    if watch.peak_bytes > MAX_PROCESS_BYTES:
        fault = fault or f"a process took {watch.peak_bytes >> 20} MiB"
    if watch.udp and tried.kind in ("answers", "playlists", "containers", "uploads"):
        fault = fault or "a UDP port was opened"
    if not fault:
        return None
    tally.outcomes["FINDING"] += 1
    return f"{label}\n{fault}"
