"""Mean embedding of the last half minute."""

from __future__ import annotations

import numpy as np
import pytest

from models.classifier import Prediction
from models.manifest import ModelManifest
from realtime.pipeline.recent_sound import RECENT_SECONDS, RecentSound
from tests.support.clock import VirtualClock

MANIFEST = ModelManifest.load()


def window(angle: float, music: float = 1.0) -> Prediction:
    embedding = np.zeros(MANIFEST.embedding_size, np.float32)
    embedding[:2] = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    tags = np.zeros(len(MANIFEST.tags))
    return Prediction(np.full(10, 0.1), 1.0, music, tags, embedding)


def recent(clock: VirtualClock) -> RecentSound:
    return RecentSound("radio", MANIFEST, clock)


def test_windows_of_the_last_30_s_count() -> None:
    clock = VirtualClock()
    sound = recent(clock)
    start = clock.monotonic()
    for second, angle in ((0, 170), (5, 0), (20, 90)):
        sound.add(window(angle), start + second)
    sound.add(None, start + 21)
    sound.add(window(200, music=0.0), start + 22)
    clock.sleep_until(start + 34)
    document = sound.describe()
    assert (document["source"], document["windows"]) == ("radio", 2)
    assert document["model"] == MANIFEST.identity
    assert document["embedding"][:2] == pytest.approx([np.sqrt(0.5), np.sqrt(0.5)], abs=1e-5)
    clock.sleep_until(start + 51)
    assert sound.describe()["embedding"] is None


def test_windows_that_no_longer_count_are_removed() -> None:
    clock = VirtualClock()
    sound = recent(clock)
    hop = 0.25
    for number in range(1_000):
        sound.add(window(0), clock.monotonic() + number * hop)
    assert len(sound._windows) == 1 + RECENT_SECONDS / hop
