"""Audio that the tests of the commands analyze."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.audio.file import decode_file
from tests.support.audio import write
from tests.support.paths import DEMONSTRATION
from training.data.windows import SAMPLE_RATE


@pytest.fixture(scope="module")
def ten_seconds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write ten seconds of music. The model would not take a tone for music."""
    music = decode_file(str(DEMONSTRATION), SAMPLE_RATE)[: 10 * SAMPLE_RATE]
    return write(tmp_path_factory.mktemp("sound") / "ten.wav", music, SAMPLE_RATE)
