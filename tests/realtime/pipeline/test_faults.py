"""Faults injected into the pipeline on virtual time: each is visible, and fatal only if it has to be.

``pytest -s tests/realtime/pipeline/test_faults.py`` prints a table of the states, of the lost
audio and of the counters that show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from models.audio.samples import sanitize_samples
from models.classifier import Prediction
from models.errors import ModelError
from realtime.audio.source import AudioBlock, AudioSource
from realtime.capture.live_source import MAX_QUEUED_BLOCKS, LiveSource
from realtime.clock import Clock
from realtime.config import Settings
from realtime.errors import SourceError
from realtime.pipeline.worker import AnalysisWorker
from realtime.protocol.health import SourceStatus
from realtime.sources.reconnecting import ReconnectingSource
from realtime.sources.watchdog import ReconnectPolicy
from tests.support.audio import Samples, tone
from tests.support.classifier import LoudestRowClassifier
from tests.support.clock import VirtualClock
from tests.support.protocol import Json, as_json

RATE = 22_050
BLOCK = RATE // 10
POLICY = ReconnectPolicy(give_up_seconds=60)

Step = Callable[["Device"], Iterator[AudioBlock]]


@cache
def sound() -> Samples:
    """Generate the sound at its first use, not in every process that collects tests."""
    return tone(300, 240)


Change = Callable[[npt.NDArray[np.float64]], object]


class Device:
    """Source that follows a script of steps on a virtual clock."""

    is_live = True

    def __init__(self, clock: VirtualClock, steps: Sequence[Step], rate: int = RATE) -> None:
        self.name, self.sample_rate = "device", rate
        self.clock, self.steps = clock, steps
        self.position = 0
        self.overflows = 0

    def blocks(self) -> Iterator[AudioBlock]:
        for step in self.steps:
            yield from step(self)

    def block(self, samples: npt.NDArray[np.floating], *, overflowed: bool = False) -> AudioBlock:
        self.overflows += overflowed
        made = AudioBlock(
            sanitize_samples(samples), self.position, self.sample_rate, self.clock.now, overflowed
        )
        self.position += len(samples)
        return made

    def status(self) -> SourceStatus:
        return SourceStatus(self.name, overflows=self.overflows)

    def close(self) -> None:
        self.steps = ()


def play(
    seconds: float, *, size: int = BLOCK, change: Change | None = None, overflowed: bool = False
) -> Step:
    """Deliver audio in real time."""

    def step(device: Device) -> Iterator[AudioBlock]:
        left = round(seconds * device.sample_rate)
        while left > 0:
            n = min(size, left)
            device.clock.now += n / device.sample_rate
            start = device.position % (len(sound()) - n)
            samples = sound()[start : start + n].astype(np.float64)
            if change is not None:
                change(samples)
            yield device.block(samples, overflowed=overflowed)
            left -= n

    return step


def nothing(seconds: float) -> Step:
    """Deliver no audio, which the queue reports twice a second."""

    def step(device: Device) -> Iterator[AudioBlock]:
        for _ in range(round(2 * seconds)):
            device.clock.now += 0.5
            yield device.block(np.empty(0))

    return step


def skip(seconds: float) -> Step:
    """Leave audio out, as a device does that counts positions correctly."""

    def step(device: Device) -> Iterator[AudioBlock]:
        device.clock.now += seconds
        device.position += round(seconds * device.sample_rate)
        yield from ()

    return step


def fault(reason: str) -> Step:
    def step(device: Device) -> Iterator[AudioBlock]:
        raise SourceError(reason)
        yield

    return step


def wall_clock(seconds: float) -> Step:
    def step(device: Device) -> Iterator[AudioBlock]:
        assert isinstance(device.clock, JumpingClock)
        device.clock.offset += seconds
        yield from ()

    return step


class JumpingClock(VirtualClock):
    """Clock whose wall time can be changed."""

    offset = 0.0

    def unix(self, monotonic: float) -> float:
        return super().unix(monotonic) + self.offset


def poisoned(samples: npt.NDArray[np.float64]) -> None:
    samples[::3] = np.nan
    samples[1::3] = np.inf


def loud(samples: npt.NDArray[np.float64]) -> None:
    samples *= 1e6


@dataclass(frozen=True)
class Fault:
    """Script of a fault, and its expected effects. ``openings`` are scripts, rates or errors in order."""

    name: str
    openings: Sequence[Sequence[Step] | SourceError | tuple[int, Sequence[Step]]]
    lost_seconds: float
    counted: Callable[[Json], bool]
    states: Sequence[str] = ()
    classifier: type[LoudestRowClassifier] = LoudestRowClassifier


class SlowClassifier(LoudestRowClassifier):
    """Classifier that takes three seconds for every window after the fifth, as on a machine that swaps."""

    clock: VirtualClock

    def predict(self, picture: npt.NDArray[np.uint8]) -> Prediction:
        self.clock.now += 3.0 if 5 < self.calls < 12 else 0.0
        return super().predict(picture)


class NanClassifier(LoudestRowClassifier):
    """Classifier that outputs NaN for a while."""

    def predict(self, picture: npt.NDArray[np.uint8]) -> Prediction:
        prediction = super().predict(picture)
        if 5 < self.calls < 12:
            return Prediction(np.full(3, np.nan), 1.0)
        return prediction


def lost(health: Json) -> bool:
    return bool(health["samples_lost"] > 0 and health["gaps"] >= 1)


def reopened(times: int) -> Callable[[Json], bool]:
    return lambda health: lost(health) and health["reconnects"] == times


GONE = fault("the plug was pulled")
FAULTS = (
    Fault("unplugged, plugged in again", [[play(8), GONE], [play(12)]], 0.2, reopened(1), ["RECOVERING"]),
    Fault("unplugged for half a minute", [[play(8), GONE], *[SourceError("no such device")] * 12, [play(12)]],
          30, reopened(1), ["RECOVERING"]),
    Fault("unplugged three times", [[play(8), GONE]] * 3 + [[play(12)]], 1.75, reopened(3), ["RECOVERING"]),
    Fault("callbacks stop for good", [[play(8), nothing(60)], [play(12)]], 5.2, reopened(1), ["RECOVERING"]),
    Fault("callbacks stop for four seconds", [[play(8), nothing(4), skip(0), play(12)]], 0,
          lambda health: health["reconnects"] == 0, ["STALLED"]),
    Fault("the device sleeps for thirty seconds", [[play(8), skip(30), play(12)]], 30, lost),
    Fault("back at twice the rate", [[play(8), GONE], (2 * RATE, [play(12)])], 0.2, reopened(1),
          ["RECOVERING"]),
    Fault("back at an odd rate", [[play(8), GONE], (11_025, [play(12)])], 0.2, reopened(1), ["RECOVERING"]),
    Fault("opens, and brings no sound, twice", [[play(8), GONE], [nothing(60)], [nothing(60)], [play(12)]],
          11.75, reopened(3), ["RECOVERING"]),
    Fault("NaN and infinity for ten seconds", [[play(8), play(10, change=poisoned), play(8)]], 0,
          lambda health: health["windows"] > 30),
    Fault("samples a million times too loud", [[play(8), play(10, change=loud), play(8)]], 0,
          lambda health: health["windows"] > 30),
    Fault("a storm of 400 overflows", [[play(8), play(4, size=220, overflowed=True), play(12)]], 0,
          lambda health: health["overflows"] > 390 and health["gaps"] > 390),
    Fault("one overflow of unknown size", [[play(8), play(0.1, overflowed=True), play(12)]], 0,
          lambda health: health["overflows"] == 1 and health["gaps"] == 1),
    Fault("blocks of one sample", [[play(6), play(0.2, size=1), play(6)]], 0,
          lambda health: health["gaps"] == 0),
    Fault("blocks of four seconds", [[play(24, size=4 * RATE)]], 0, lambda health: health["gaps"] == 0),
    Fault("the wall clock is set back a day", [[play(8), wall_clock(-86_400), play(8)]], 0,
          lambda health: health["gaps"] == 0 and health["windows_skipped"] == 0),
    Fault("the wall clock is set on a year", [[play(8), wall_clock(3e7), play(8)]], 0,
          lambda health: health["gaps"] == 0 and health["windows_skipped"] == 0),
    Fault("the machine swaps: windows take 3 s", [[play(30)]], 0,
          lambda health: health["overruns"] >= 5, classifier=SlowClassifier),
)  # fmt: skip


class Openings:
    """Sources that are opened one after the other."""

    def __init__(self, clock: VirtualClock, openings: Sequence[object]) -> None:
        self.clock, self.openings = clock, list(openings)

    def __call__(self) -> AudioSource:
        taken = self.openings.pop(0) if self.openings else SourceError("end of the script")
        if isinstance(taken, SourceError):
            raise taken
        rate, steps = taken if isinstance(taken, tuple) else (RATE, taken)
        assert isinstance(steps, list)
        return Device(self.clock, steps, rate)


def run(each: Fault) -> tuple[AnalysisWorker, list[Json]]:
    """Run the whole pipeline with one fault. Every message must follow the schema."""
    clock = JumpingClock()

    def wait(seconds: float) -> None:
        clock.now += seconds

    def patient(*arguments: object, **options: object) -> AudioSource:
        return shelf()

    shelf = Openings(clock, each.openings)
    source = ReconnectingSource(patient, clock, policy=POLICY, jitter=lambda: 1.0, wait=wait)
    classifier = each.classifier()
    if isinstance(classifier, SlowClassifier):
        classifier.clock = clock
    published: list[Json] = []
    worker = AnalysisWorker(source, classifier, Settings(), clock, lambda m: published.append(as_json(m)))
    worker.run()
    return worker, published


def state_names(published: Sequence[Json]) -> list[str]:
    return [message["state"] for message in published if message["type"] == "state"]


@pytest.mark.parametrize("each", FAULTS, ids=lambda each: each.name)
def test_no_fault_is_silent_and_none_is_fatal(each: Fault) -> None:
    worker, published = run(each)
    assert worker.error is None, worker.error
    states = state_names(published)
    assert states[-2:] == ["LISTENING", "ENDED"], states
    for state in each.states:
        assert state in states, states
    health = [message for message in published if message["type"] == "health"][-1]
    lost_seconds = health["samples_lost"] / RATE
    assert lost_seconds == pytest.approx(each.lost_seconds, abs=max(0.3, 0.15 * each.lost_seconds))
    assert each.counted(health), health
    for message in published:
        if message["type"] == "estimate":
            assert np.isfinite(list(message["estimate"]["probabilities"].values())).all()
    troubles = [state for state in states if state in ("STALLED", "RECOVERING")]
    counts = ", ".join(f"{key} {health[key]}" for key in ("gaps", "reconnects", "overflows", "overruns"))
    seen = ", ".join(dict.fromkeys(troubles)) or "goes on"
    print(f"\n| {each.name} | {seen} | {lost_seconds:.1f} s | {counts} |")


def test_no_window_mixes_both_sides_of_a_gap_unmarked() -> None:
    """Exactly the windows that span the gap are marked."""
    _, published = run(Fault("unplugged", [[play(8), GONE], [play(14)]], 0, lost))
    resumed = 8 + POLICY.first_wait_seconds
    estimates = [message for message in published if message["type"] == "estimate"]
    marked = [message for message in estimates if message["has_gap"]]
    assert marked
    for message in estimates:
        inside = message["start_seconds"] < resumed < message["end_seconds"]
        assert message["has_gap"] is inside, message


def test_a_device_that_never_comes_back_fails_visibly() -> None:
    worker, published = run(Fault("gone", [[play(8), GONE], *[SourceError("no such device")] * 99], 0, lost))
    assert isinstance(worker.error, SourceError)
    assert state_names(published)[-1] == "FAILED"
    assert published[-1]["detail"] == "device did not come back: no such device"


def test_a_model_that_outputs_nan_fails_visibly() -> None:
    worker, published = run(Fault("confused", [[play(20)]], 0, lost, classifier=NanClassifier))
    assert isinstance(worker.error, ModelError)
    assert state_names(published)[-1] == "FAILED"


def test_an_analysis_that_is_too_slow_drops_the_oldest_and_counts_it() -> None:
    clock: Clock = VirtualClock()
    source = LiveSource("fast", RATE, lambda source: lambda: None, clock)
    for _ in range(MAX_QUEUED_BLOCKS + 7):
        source.deliver(np.zeros(64, np.float32))
    assert next(iter(source.blocks())).position == 7 * 64
    assert source.status().dropped_blocks == 7


def test_drift_of_a_devices_clock_is_measured() -> None:
    """The device is 120 ppm fast, and its blocks are randomly up to 30 ms late."""
    clock = VirtualClock()
    source = LiveSource("quartz", RATE, lambda source: lambda: None, clock)
    random, began = np.random.default_rng(0), clock.now
    assert source.status().drift_ppm is None
    for number in range(1, 3_001):
        clock.now = began + number * BLOCK / RATE / (1 + 120e-6) + 0.03 * random.random()
        source.deliver(np.zeros(BLOCK, np.float32))
    drift = source.status().drift_ppm
    assert drift is not None
    assert drift == pytest.approx(120, abs=10)
