"""Reconnecting source on virtual time."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.audio.samples import sanitize_samples
from realtime.audio.source import AudioBlock
from realtime.errors import SourceCrashError, SourceError
from realtime.protocol.health import SourceStatus
from realtime.sources.reconnecting import CRASH_MEMORY_SECONDS, MAX_CRASHES, ReconnectingSource
from realtime.sources.watchdog import ReconnectPolicy
from tests.support.clock import VirtualClock
from tests.support.reconnection import POLICY
from tests.support.waiting import wait_until

RATE = 10


class ScriptedSource:
    """Source with a script: seconds until a block of one second, None for an empty block, or an error."""

    is_live = True

    def __init__(
        self,
        clock: VirtualClock,
        script: Sequence[float | Exception | None],
        rate: int = RATE,
        first: int = 0,
        sounds: list[tuple[int, float]] | None = None,
    ) -> None:
        self.sounds = sounds
        self.name, self.sample_rate = f"device at {rate} Hz", rate
        self.closed = 0
        self._clock, self._script, self._first = clock, script, first

    def blocks(self) -> Iterator[AudioBlock]:
        position = self._first
        for step in self._script:
            if isinstance(step, Exception):
                raise step
            self._clock.now += 1 if step is None else step
            n = 0 if step is None else self.sample_rate
            if n and self.sounds is not None:
                self.sounds.append((id(self), self._clock.now))
            samples = sanitize_samples(np.arange(position, position + n) / 1e3)
            yield AudioBlock(samples, position, self.sample_rate, self._clock.now)
            position += n

    def status(self) -> SourceStatus:
        return SourceStatus(device=self.name, overflows=1, dropped_blocks=2)

    def close(self) -> None:
        self.closed += 1


class SourceSequence:
    """Opens the given sources in order, and raises the given exceptions."""

    def __init__(self, *sources: ScriptedSource | Exception) -> None:
        self.sources = list(sources)

    def __call__(self) -> ScriptedSource:
        source = self.sources.pop(0)
        if isinstance(source, Exception):
            raise source
        return source


def make_reconnecting(
    clock: VirtualClock, sources: SourceSequence, policy: ReconnectPolicy = POLICY
) -> ReconnectingSource:
    def wait(seconds: float) -> None:
        clock.now += seconds

    return ReconnectingSource(sources, clock, policy=policy, jitter=lambda: 1.0, wait=wait)


def read_audio(source: ReconnectingSource, max_blocks: int = 200) -> list[AudioBlock]:
    """Return the blocks with audio among the first ``max_blocks`` blocks."""
    found = []
    for block, _ in zip(source.blocks(), range(max_blocks), strict=False):
        if len(block.samples):
            found.append(block)
    return found


def test_a_lost_device_comes_back_and_what_was_missed_is_a_jump(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = VirtualClock()
    first = ScriptedSource(clock, [1.0, 1.0, SourceError("the plug was pulled")])
    sources = SourceSequence(
        first, SourceError("not there yet"), ScriptedSource(clock, [1.0] * 50, first=300)
    )
    source = make_reconnecting(clock, sources)
    statuses: list[SourceStatus] = []
    blocks: list[AudioBlock] = []
    for block in source.blocks():
        statuses.append(source.status())
        if len(block.samples):
            blocks.append(block)
        if len(blocks) == 4:
            source.close()
    assert [(b.position, b.overflowed) for b in blocks] == [(0, False), (10, False), (50, True), (60, False)]
    assert blocks[2].samples[0] == np.float32(0.3)
    troubles = [status.error for status in statuses if status.error]
    assert list(dict.fromkeys(troubles)) == ["the plug was pulled", "not there yet"]
    assert statuses[-1] == SourceStatus(
        device="device at 10 Hz", error="", reconnects=1, overflows=2, dropped_blocks=4
    )
    assert {status.overflows for status in statuses} == {
        1,
        2,
    }  # nothing is counted twice while the device is missing
    assert first.closed == 1
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "was lost: the plug was pulled; reopening it" in caplog.text
    assert caplog.text.endswith(" s and 2 attempts\n")


def test_a_device_that_sends_nothing_is_opened_again() -> None:
    clock = VirtualClock()
    sources = SourceSequence(ScriptedSource(clock, [1.0, *[None] * 20]), ScriptedSource(clock, [1.0] * 9))
    blocks = read_audio(make_reconnecting(clock, sources), 20)
    assert [block.position for block in blocks][:1] == [0]
    assert blocks[1].position == 10 + 5 * RATE + RATE  # 5 s without audio, 1 s until it was open again
    assert blocks[1].overflowed


def test_a_device_that_comes_back_with_another_rate_is_resampled_to_the_first_one() -> None:
    clock, rate = VirtualClock(), 8_000
    first = ScriptedSource(clock, [1.0, SourceError("gone")], rate)
    blocks = read_audio(
        make_reconnecting(clock, SourceSequence(first, ScriptedSource(clock, [1.0] * 30, 2 * rate))), 30
    )
    assert {block.sample_rate for block in blocks} == {rate}
    later = blocks[1:]
    for one, next_one in itertools.pairwise(later):
        assert next_one.position == one.position + len(one.samples)
    assert later[0].position == rate + rate  # one second without the device
    assert len(later[0].samples) < rate  # the filter delays some samples
    assert sum(len(block.samples) for block in later) == pytest.approx(len(later) * rate, abs=rate / 2)


def test_a_failure_of_the_first_opening_is_raised_at_once() -> None:
    with pytest.raises(SourceError, match="no such device"):
        make_reconnecting(VirtualClock(), SourceSequence(SourceError("no such device")))


def test_overflows_do_not_keep_a_filter_from_sending_audio() -> None:
    """Each overflow once began a new filter, which delayed the whole next block, so that no audio came."""
    clock, rate = VirtualClock(), 44_100
    first = ScriptedSource(clock, [1.0, SourceError("gone")], 48_000)

    class Storm(ScriptedSource):
        def blocks(self) -> Iterator[AudioBlock]:
            for number in range(400):
                clock.now += 0.01
                samples = sanitize_samples(np.zeros(441, np.float32))
                yield AudioBlock(samples, 441 * number, rate, clock.now, overflowed=True)

    found = read_audio(make_reconnecting(clock, SourceSequence(first, Storm(clock, [], rate))), 900)[1:]
    assert sum(len(block.samples) for block in found) == pytest.approx(4 * 48_000, abs=2_400)
    assert all(block.overflowed for block in found)


def test_a_gap_in_a_resampled_device_keeps_what_came_before_it() -> None:
    clock = VirtualClock()
    first = ScriptedSource(clock, [1.0, SourceError("gone")], 48_000)

    class Gap(ScriptedSource):
        def blocks(self) -> Iterator[AudioBlock]:
            for position in (0, 24_000, 96_000, 120_000):
                clock.now += 0.5
                yield AudioBlock(sanitize_samples(np.zeros(24_000)), position, 24_000, clock.now)

    found = read_audio(make_reconnecting(clock, SourceSequence(first, Gap(clock, [], 24_000))), 50)[1:]
    ends = [(block.position, block.position + len(block.samples)) for block in found]
    jumps = [(one[1], other[0]) for one, other in itertools.pairwise(ends) if one[1] != other[0]]
    start = ends[0][0]
    assert [(a - start, b - start) for a, b in jumps] == [(96_000, 192_000)]


def test_closing_while_the_device_is_missing_ends_the_source_at_once() -> None:
    clock = VirtualClock()
    source = make_reconnecting(
        clock, SourceSequence(ScriptedSource(clock, [SourceError("gone")]), *[SourceError("no")] * 50)
    )
    for number, _ in enumerate(source.blocks()):
        if number == 5:
            source.close()
        assert number < 7


def test_a_source_that_opens_after_close_is_closed() -> None:
    """Opening cannot be interrupted. A source that opens after ``close`` would occupy the device."""
    clock, may_open = VirtualClock(), threading.Event()
    late = ScriptedSource(clock, [1.0])
    first = ScriptedSource(clock, [SourceError("gone")])

    class Hanging(SourceSequence):
        def __call__(self) -> ScriptedSource:
            if first not in self.sources:
                assert may_open.wait(10)
            return super().__call__()

    source = make_reconnecting(clock, Hanging(first, late))
    for number, _ in enumerate(source.blocks()):
        if number == 5:
            source.close()
        assert number < 7
    assert late.closed == 0
    may_open.set()
    wait_until(lambda: late.closed == 1)


@settings(deadline=None)  # threads start at the machine's pace
@given(st.lists(st.sampled_from(["sound", "pause", "fault"]), min_size=1, max_size=60))
def test_in_any_order_of_faults_positions_rise_and_nothing_is_counted_twice(events: list[str]) -> None:
    """The final position is the number of received samples plus that of missed ones."""
    clock = VirtualClock()
    sources, sent = SourceSequence(), 0
    sounds: list[tuple[int, float]] = []
    script: list[float | Exception | None] = []
    for event in events:
        if event == "sound":
            script.append(1.0)
            sent += RATE
        elif event == "pause":
            script.append(None)
        else:
            sources.sources.append(ScriptedSource(clock, [*script, SourceError("gone")], sounds=sounds))
            script = []
    sources.sources.append(ScriptedSource(clock, [*script, SourceError("gone")], sounds=sounds))
    sources.sources += [SourceError("over")] * 199
    # Give up later than all these faults together take.
    policy = ReconnectPolicy(stall_seconds=1e3, reopen_seconds=1e4, give_up_seconds=300)
    received, end, jumps = 0, 0, 0

    def take_all() -> None:
        nonlocal received, end, jumps
        for block in make_reconnecting(clock, sources, policy).blocks():
            assert block.position >= end
            jumps += block.position - end if len(block.samples) else 0
            received += len(block.samples)
            end = max(end, block.position + len(block.samples))

    with pytest.raises(SourceError, match="did not come back"):
        take_all()
    assert received == sent
    missing_seconds = sum(
        later - 1 - sooner for (one, sooner), (other, later) in itertools.pairwise(sounds) if one != other
    )  # a block begins a second before it arrives
    assert jumps == pytest.approx(missing_seconds * RATE, abs=len(events))


def test_a_source_whose_content_crashes_the_decoder_again_and_again_is_given_up() -> None:
    clock = VirtualClock()
    crash = SourceCrashError("the radio crashed the decoder (SIGABRT)")
    again = ScriptedSource(clock, [1.0, crash])
    sources = SourceSequence(ScriptedSource(clock, [1.0, crash]), SourceError("refused"), crash, again)
    given_up = r"^the radio crashed the decoder \(SIGABRT\) 3 times and is given up"
    with pytest.raises(SourceCrashError, match=given_up):
        read_audio(make_reconnecting(clock, sources))
    assert sources.sources == [], "it was opened again until the third crash"


def test_rare_crashes_of_the_decoder_are_no_reason_to_give_up() -> None:
    clock = VirtualClock()
    steps = round(CRASH_MEMORY_SECONDS / (MAX_CRASHES - 1) + 1)
    crash = SourceCrashError("crashed")
    scripts = [ScriptedSource(clock, [*[1.0] * steps, crash]) for _ in range(9)]
    sources = SourceSequence(*scripts, ScriptedSource(clock, [1.0]))
    assert len(read_audio(make_reconnecting(clock, sources), 5_000)) == 9 * steps + 1
