"""Command that takes generated inputs through the program until the time is over.

It prints, for each kind, the inputs with their outcomes, the findings, the slowest input and the largest
process, and memory and descriptors before and after. A finding is stored as a file.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from tests.support.fuzzing.inputs import CORPORA, corpus_size, make_input
from tests.support.fuzzing.running import Tally, open_targets, try_input
from tests.support.fuzzing.targets import Target
from tests.support.fuzzing.watch import Watch, open_files, resident_bytes
from tests.support.paths import ROOT

WARM_UP = 5
"""Inputs of each kind before memory and descriptors are counted, which load libraries and models."""

SHARES = {"uploads": 0.3, "messages": 1.0, "requests": 1.0}
"""Shares of the time relative to the other kinds."""


def fuzz(
    targets: Mapping[str, Target],
    seconds: float,
    seed: int,
    findings: Path,
    after_warm_up: Callable[[], None],
) -> dict[str, Tally]:
    """Try inputs of all kinds in turn until the time is over."""
    tallies = {kind: Tally() for kind in targets}
    numbers = dict.fromkeys(targets, 0)
    ends_at = time.monotonic() + seconds
    with Watch() as watch:
        while time.monotonic() < ends_at:
            # The next one is the kind that has had the least of its time.
            kind = min(targets, key=lambda each: tallies[each].seconds / SHARES.get(each, 1.0))
            tried = make_input(kind, numbers[kind], seed)
            numbers[kind] += 1
            if report := try_input(tried, targets[kind], watch, tallies[kind]):
                tallies[kind].findings.append(report)
                findings.mkdir(parents=True, exist_ok=True)
                name = tried.seed.replace(" ", "-")
                (findings / f"{name}.input").write_bytes(tried.content)
                (findings / f"{name}.txt").write_text(report, "utf-8", "backslashreplace")
                print(
                    f"FINDING {report.strip().splitlines()[0]}: {report.strip().splitlines()[-1][:300]}",
                    flush=True,
                )
            if all(number >= WARM_UP for number in numbers.values()):
                after_warm_up()
    return tallies


def print_report(tallies: Mapping[str, Tally]) -> None:
    """Print a table of the results as Markdown."""
    print("| kind | unchanged | inputs | outcomes | findings | slowest | largest process |")
    print("|---|---|---|---|---|---|---|")
    for kind, tally in tallies.items():
        outcomes = ", ".join(f"{name} {count:,}" for name, count in tally.outcomes.most_common(8))
        slowest, largest = tally.slowest, tally.largest
        print(
            f"| {kind} | {corpus_size(kind)} | {sum(tally.outcomes.values()):,} | {outcomes} "
            f"| {len(tally.findings)} | {slowest[0]:.1f} s, {slowest[1]} "
            f"| {largest[0] >> 20} MiB, {largest[1]} |"
        )


def main() -> int:
    """Run the command. The exit code is 1 if there are findings."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.fuzzing", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other inputs (default: 0)")
    parser.add_argument(
        "--kinds", nargs="+", choices=sorted(CORPORA), default=sorted(CORPORA), metavar="KIND"
    )
    parser.add_argument(
        "--number", type=int, help="try only the input with this number, and print its outcome"
    )
    parser.add_argument("--findings", type=Path, default=ROOT / "build" / "fuzzing", metavar="FOLDER")
    options = parser.parse_args()
    os.environ |= {"OVERHEARD_BROWSER": "no", "no_proxy": "*"}
    with open_targets(options.kinds) as (targets, analyzer):
        if options.number is not None:
            for kind, target in targets.items():
                tried = make_input(kind, options.number, options.seed)
                print(f"{tried.seed} ({tried.name}): {tried.content[:500]!r}")
                print(target(tried))
            return 0
        counts: dict[str, list[tuple[int, int]]] = {"these processes": [], "the analyzer": []}

        def count() -> None:
            mains = {"these processes": psutil.Process()} | ({"the analyzer": analyzer} if analyzer else {})
            for name, process in mains.items():
                counts[name].append((resident_bytes(process), open_files(process)))

        tallies = fuzz(
            targets, 60 * options.minutes, options.seed, options.findings,
            lambda: None if counts["these processes"] else count(),
        )  # fmt: skip
        count()
    print_report(tallies)
    for name, values in counts.items():
        if len(values) == 2:
            (bytes_before, files_before), (bytes_after, files_after) = values
            print(
                f"{name}: {bytes_before >> 20} MiB and {files_before} descriptors before, "
                f"{bytes_after >> 20} MiB and {files_after} descriptors after"
            )
    return 1 if any(tally.findings for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
