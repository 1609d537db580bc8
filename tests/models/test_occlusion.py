"""Importance of patches spread over pixels."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.viewmodels.file import pixel_importance


def test_what_every_patch_costs_is_spread_over_its_pixels() -> None:
    falls = np.zeros((3, 3))
    falls[0, 0] = 1
    importance = pixel_importance(falls, side=8, patch=4, step=2)
    assert importance[0, 0] == 1
    assert importance[2, 2] == pytest.approx(1 / 4)
    assert importance[5, 5] == 0
