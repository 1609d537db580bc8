"""The contract that every source keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from realtime.audio.source import AudioBlock, AudioSource
from realtime.capture import LiveSource
from realtime.capture.live_source import Stop
from realtime.capture.subprocess_reader import start_capture_process
from realtime.sources import ArraySource, FileSource
from tests.support.audio import write
from tests.support.audio_source_contract import RATE, SOUND
from tests.support.clock import VirtualClock


def array_source(tmp_path: Path) -> AudioSource:
    return ArraySource(SOUND, RATE, VirtualClock())


def file_source(tmp_path: Path) -> AudioSource:
    return FileSource(str(write(tmp_path / "tone.flac", SOUND, RATE, "flac")), VirtualClock())


def live_source(tmp_path: Path) -> AudioSource:
    def start(source: LiveSource) -> Stop:
        for at in range(0, len(SOUND), 512):
            source.deliver(SOUND[at : at + 512])
        source.deliver(np.empty((0, 1), np.float32))
        return lambda: None

    return LiveSource("fake", RATE, start, VirtualClock())


def child_source(tmp_path: Path) -> AudioSource:
    (tmp_path / "raw").write_bytes(SOUND.astype("<f4").tobytes())
    return LiveSource("child", RATE, start_capture_process(["cat", str(tmp_path / "raw")], 1), VirtualClock())


@pytest.mark.parametrize("make", [array_source, file_source, live_source, child_source])
def test_every_source_keeps_the_contract(make: Callable[[Path], AudioSource], tmp_path: Path) -> None:
    """Blocks in order, read-only, at one rate, float32 in -1..1, stable after the next one is taken."""
    source = make(tmp_path)
    assert source.name
    assert source.is_live is isinstance(source, LiveSource)
    assert source.sample_rate == RATE
    blocks: list[AudioBlock] = []
    copies = []
    for block in source.blocks():
        assert block.sample_rate == RATE
        assert block.samples.dtype == np.float32
        assert not block.samples.flags.writeable
        assert block.position == sum(len(b.samples) for b in blocks)
        blocks.append(block)
        copies.append(block.samples.copy())
        if sum(len(b.samples) for b in blocks) == len(SOUND):
            source.close()
    received = np.concatenate([b.samples for b in blocks])
    assert np.abs(received - SOUND).max() < 1e-4
    assert all(np.array_equal(b.samples, copy) for b, copy in zip(blocks, copies, strict=True))
    source.close()
