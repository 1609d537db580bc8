"""Paths inside the repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMONSTRATION = ROOT / "realtime" / "demo" / "demonstration.opus"
GOLDEN_PICTURE = ROOT / "tests" / "golden" / "picture.npz"
