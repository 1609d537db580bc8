"""Reconnecting source on virtual time."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.audio.samples import sanitize_samples
from realtime.audio.source import AudioBlock
from realtime.errors import SourceError
from realtime.protocol.health import SourceStatus
from realtime.sources.reconnecting import ReconnectingSource
from realtime.sources.watchdog import ReconnectPolicy
from tests.support.clock import VirtualClock
from tests.support.reconnection import POLICY
from tests.support.waiting import wait_until

RATE = 10


class Scripted:
    """Plays a script: seconds until a block of ten samples comes, None for an empty one, or its end."""

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


class Shelf:
    """Opens one after the other; an exception is raised instead."""

    def __init__(self, *sources: Scripted | Exception) -> None:
        self.sources = list(sources)

    def __call__(self) -> Scripted:
        taken = self.sources.pop(0)
        if isinstance(taken, Exception):
            raise taken
        return taken


def recovering(clock: VirtualClock, shelf: Shelf, policy: ReconnectPolicy = POLICY) -> ReconnectingSource:
    def wait(seconds: float) -> None:
        clock.now += seconds

    return ReconnectingSource(shelf, clock, policy=policy, jitter=lambda: 1.0, wait=wait)


def heard(source: ReconnectingSource, most: int = 200) -> list[AudioBlock]:
    """Blocks with sound until it fails, or so many of any kind."""
    found = []
    for block, _ in zip(source.blocks(), range(most), strict=False):
        if len(block.samples):
            found.append(block)
    return found


def test_a_lost_device_comes_back_and_what_was_missed_is_a_jump(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()
    first = Scripted(clock, [1.0, 1.0, SourceError("the plug was pulled")])
    shelf = Shelf(first, SourceError("not there yet"), Scripted(clock, [1.0] * 50, first=300))
    source = recovering(clock, shelf)
    told: list[SourceStatus] = []
    blocks: list[AudioBlock] = []
    for block in source.blocks():
        told.append(source.status())
        if len(block.samples):
            blocks.append(block)
        if len(blocks) == 4:
            source.close()
    assert [(b.position, b.overflowed) for b in blocks] == [(0, False), (10, False), (50, True), (60, False)]
    assert blocks[2].samples[0] == np.float32(0.3)
    troubles = [status.error for status in told if status.error]
    assert list(dict.fromkeys(troubles)) == ["the plug was pulled", "not there yet"]
    assert told[-1] == SourceStatus(
        device="device at 10 Hz", error="", reconnects=1, overflows=2, dropped_blocks=4
    )
    assert {status.overflows for status in told} == {1, 2}  # nothing counts twice while it is away
    assert first.closed == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "was lost: the plug was pulled; reopening it" in caplog.text


def test_a_device_that_falls_still_is_opened_again() -> None:
    clock = VirtualClock()
    shelf = Shelf(Scripted(clock, [1.0, *[None] * 20]), Scripted(clock, [1.0] * 9))
    blocks = heard(recovering(clock, shelf), 20)
    assert [block.position for block in blocks][:1] == [0]
    assert blocks[1].position == 10 + 5 * RATE + RATE  # five seconds still, one until it was open again
    assert blocks[1].overflowed


def test_another_rate_is_brought_to_the_first_one() -> None:
    clock, rate = VirtualClock(), 8_000
    first = Scripted(clock, [1.0, SourceError("gone")], rate)
    blocks = heard(recovering(clock, Shelf(first, Scripted(clock, [1.0] * 30, 2 * rate))), 30)
    assert {block.sample_rate for block in blocks} == {rate}
    later = blocks[1:]
    for one, next_one in itertools.pairwise(later):
        assert next_one.position == one.position + len(one.samples)
    assert later[0].position == rate + rate  # one second away
    assert len(later[0].samples) < rate  # the filter keeps some back
    assert sum(len(block.samples) for block in later) == pytest.approx(len(later) * rate, abs=rate / 2)


def test_a_first_opening_that_fails_is_told_at_once() -> None:
    with pytest.raises(SourceError, match="no such device"):
        recovering(VirtualClock(), Shelf(SourceError("no such device")))


def test_an_overflow_does_not_starve_a_filter() -> None:
    """Each overflow began a new filter, which swallowed the next block whole: nothing came out at all."""
    clock, rate = VirtualClock(), 44_100
    first = Scripted(clock, [1.0, SourceError("gone")], 48_000)

    class Storm(Scripted):
        def blocks(self) -> Iterator[AudioBlock]:
            for number in range(400):
                clock.now += 0.01
                samples = sanitize_samples(np.zeros(441, np.float32))
                yield AudioBlock(samples, 441 * number, rate, clock.now, overflowed=True)

    found = heard(recovering(clock, Shelf(first, Storm(clock, [], rate))), 900)[1:]
    assert sum(len(block.samples) for block in found) == pytest.approx(4 * 48_000, abs=2_400)
    assert all(block.overflowed for block in found)


def test_a_gap_in_a_resampled_device_keeps_what_came_before_it() -> None:
    clock = VirtualClock()
    first = Scripted(clock, [1.0, SourceError("gone")], 48_000)

    class Gap(Scripted):
        def blocks(self) -> Iterator[AudioBlock]:
            for position in (0, 24_000, 96_000, 120_000):
                clock.now += 0.5
                yield AudioBlock(sanitize_samples(np.zeros(24_000)), position, 24_000, clock.now)

    found = heard(recovering(clock, Shelf(first, Gap(clock, [], 24_000))), 50)[1:]
    ends = [(block.position, block.position + len(block.samples)) for block in found]
    jumps = [(one[1], other[0]) for one, other in itertools.pairwise(ends) if one[1] != other[0]]
    start = ends[0][0]
    assert [(a - start, b - start) for a, b in jumps] == [(96_000, 192_000)]


def test_closing_while_it_is_away_ends_it_at_once() -> None:
    clock = VirtualClock()
    source = recovering(clock, Shelf(Scripted(clock, [SourceError("gone")]), *[SourceError("no")] * 50))
    for number, _ in enumerate(source.blocks()):
        if number == 5:
            source.close()
        assert number < 7


def test_a_source_that_opens_after_close_is_closed() -> None:
    """An attempt to open cannot be interrupted. Its source would keep the device."""
    clock, may_open = VirtualClock(), threading.Event()
    late = Scripted(clock, [1.0])
    first = Scripted(clock, [SourceError("gone")])

    class Hanging(Shelf):
        def __call__(self) -> Scripted:
            if first not in self.sources:
                assert may_open.wait(10)
            return super().__call__()

    source = recovering(clock, Hanging(first, late))
    for number, _ in enumerate(source.blocks()):
        if number == 5:
            source.close()
        assert number < 7
    assert late.closed == 0
    may_open.set()
    wait_until(lambda: late.closed == 1)


@settings(deadline=None)  # threads start at the machine's pace
@given(st.lists(st.sampled_from(["sound", "pause", "fault"]), min_size=1, max_size=60))
def test_whatever_happens_positions_only_rise_and_nothing_is_counted_twice(events: list[str]) -> None:
    """Sent and missed together are where the line ends, whatever happened in between."""
    clock = VirtualClock()
    shelf, sent = Shelf(), 0
    sounds: list[tuple[int, float]] = []
    script: list[float | Exception | None] = []
    for event in events:
        if event == "sound":
            script.append(1.0)
            sent += RATE
        elif event == "pause":
            script.append(None)
        else:
            shelf.sources.append(Scripted(clock, [*script, SourceError("gone")], sounds=sounds))
            script = []
    shelf.sources.append(Scripted(clock, [*script, SourceError("gone")], sounds=sounds))
    shelf.sources += [SourceError("over")] * 199
    # More patient than all these faults together take.
    patient = ReconnectPolicy(stall_seconds=1e3, reopen_seconds=1e4, give_up_seconds=300)
    received, end, jumps = 0, 0, 0

    def take_all() -> None:
        nonlocal received, end, jumps
        for block in recovering(clock, shelf, patient).blocks():
            assert block.position >= end
            jumps += block.position - end if len(block.samples) else 0
            received += len(block.samples)
            end = max(end, block.position + len(block.samples))

    with pytest.raises(SourceError, match="did not come back"):
        take_all()
    assert received == sent
    away = sum(
        later - 1 - sooner for (one, sooner), (other, later) in itertools.pairwise(sounds) if one != other
    )  # a block begins a second before it has come
    assert jumps == pytest.approx(away * RATE, abs=len(events))
