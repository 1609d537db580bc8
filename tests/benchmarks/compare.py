"""``make bench-check``: have the ratios of ``build/bench.json`` become worse than those committed?

Only ratios between things that were measured in the same run are compared; times depend on the machine. The
baseline has of every row the lower ratio of two machines, with VNNI and without. What
``make bench ARGS=--short`` leaves out is not asked for; what a whole run lost is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

BASELINE = Path(__file__).with_name("baseline.json")
FOUND = Path("build") / "bench.json"
NEEDS = ("tflite-runtime", "stations", "sound to")
"""In names of what not every machine can measure."""
TOLERATED = 0.7
"""Of the baseline's ratio: what these machines' noise takes at most."""


def ratios(path: Path) -> dict[str, float]:
    """Ratios of a run by name, but for those against a fixed goal or limit."""
    rows = json.loads(path.read_text(encoding="utf-8"))["results"]
    return {
        row["name"]: row["ratio"]
        for row in rows
        if row["ratio"] is not None and not row["ratio_to"].startswith(("goal", "limit"))
    }


def worse(found: Mapping[str, float], baseline: Mapping[str, float]) -> list[str]:
    """A sentence for each ratio that fell below what is tolerated, or that a whole run lacks."""
    short = not any(name.startswith("window: ") for name in found)
    lost = [
        f"{name}: was not measured"
        for name in baseline.keys() - found.keys()
        if not short and not any(needed in name for needed in NEEDS)
    ]
    return sorted(lost) + [
        f"{name}: {found[name]:.2f}, was {was:.2f}; at least {TOLERATED * was:.2f} is asked for"
        for name, was in baseline.items()
        if name in found and found[name] < TOLERATED * was
    ]


def main() -> int:
    """1 when something has become worse."""
    found, baseline = ratios(FOUND), ratios(BASELINE)
    common = found.keys() & baseline.keys()
    if not common:
        print(f"{FOUND} has no ratio of the baseline; run make bench", file=sys.stderr)
        return 2
    for name in sorted(common):
        print(f"{name:<62} {found[name]:8.2f}  was {baseline[name]:8.2f}")
    for sentence in (said := worse(found, baseline)):
        print(sentence, file=sys.stderr)
    return bool(said)


if __name__ == "__main__":
    sys.exit(main())
