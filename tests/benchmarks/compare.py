"""``make bench-check``: check if ratios of ``build/bench.json`` are worse than those of the baseline.

Times depend on the machine, so only ratios between figures of the same run are compared. The baseline has,
for every row, the lower ratio of two machines, one with VNNI and one without. Rows of the baseline that a
whole run did not measure are reported, but not those that ``make bench ARGS=--short`` leaves out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

BASELINE = Path(__file__).with_name("baseline.json")
FOUND = Path("build") / "bench.json"
NEEDS = ("tflite-runtime", "stations", "sound to")
"""Parts of the names of rows that not every machine can measure."""
TOLERATED = 0.7
"""Share of the baseline's ratio that a run has to reach, which allows for the noise of the machines."""


def ratios(path: Path) -> dict[str, float]:
    """Return the ratios of a run by name, except those to a fixed goal or limit."""
    rows = json.loads(path.read_text(encoding="utf-8"))["results"]
    return {
        row["name"]: row["ratio"]
        for row in rows
        if row["ratio"] is not None and not row["ratio_to"].startswith(("goal", "limit"))
    }


def worse(found: Mapping[str, float], baseline: Mapping[str, float]) -> list[str]:
    """Return a sentence for each ratio that is too low, or that a whole run did not measure."""
    short = not any(name.startswith("window: ") for name in found)
    lost = [
        f"{name}: was not measured"
        for name in baseline.keys() - found.keys()
        if not short and not any(needed in name for needed in NEEDS)
    ]
    return sorted(lost) + [
        f"{name}: {found[name]:.2f}, was {was:.2f}; at least {TOLERATED * was:.2f} is required"
        for name, was in baseline.items()
        if name in found and found[name] < TOLERATED * was
    ]


def main() -> int:
    """Compare the files. The exit status is 1 if a ratio is worse, and 2 if no ratio can be compared."""
    found, baseline = ratios(FOUND), ratios(BASELINE)
    common = found.keys() & baseline.keys()
    if not common:
        print(f"{FOUND} has no ratio of the baseline; run make bench", file=sys.stderr)
        return 2
    for name in sorted(common):
        print(f"{name:<62} {found[name]:8.2f}  was {baseline[name]:8.2f}")
    for sentence in (sentences := worse(found, baseline)):
        print(sentence, file=sys.stderr)
    return bool(sentences)


if __name__ == "__main__":
    sys.exit(main())
