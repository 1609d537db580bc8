"""Level of audio blocks."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.audio.source import level_dbfs
from tests.support.audio import tone


def test_level_of_a_full_scale_sine_and_of_silence() -> None:
    assert level_dbfs(tone(1000, 1, amplitude=1.0)) == pytest.approx(-3.01, abs=0.01)
    assert level_dbfs(np.zeros(10, np.float32)) == -120
    assert level_dbfs(np.zeros(0, np.float32)) == -120
