"""The model card's plots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.reports import report
from training.evaluation.report import (
    Report,
)
from training.release.plots import draw_plots

__all__ = ["report"]  # fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
]  # matplotlib's own deprecations


def test_the_plots_are_an_image(report: Report, tmp_path: Path) -> None:
    from matplotlib.image import imread

    draw_plots(report, tmp_path / "a.png")
    latencies = [{"name": "ours", "ms": 4.0, "accuracy": 0.7}]
    draw_plots(report, tmp_path / "b.png", latencies)
    without, with_speed = (imread(tmp_path / name) for name in ("a.png", "b.png"))
    assert without.shape == with_speed.shape == (880, 960, 4)
    assert np.ptp(without[..., :3]) > 0.9
    assert np.abs(without[440:, 480:] - with_speed[440:, 480:]).max() > 0.5  # accuracy against latency
