"""Analysis worker on virtual time: states, stalls and health."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from models.audio.samples import sanitize_samples
from models.spectrogram.spec import AudioSpec
from realtime.audio.source import AudioBlock, AudioSource
from realtime.config import Settings
from realtime.errors import AudioTooShortError, SourceError
from realtime.pipeline.worker import AnalysisWorker, format_losses
from realtime.protocol.health import Percentiles, PipelineHealth, SourceStatus
from realtime.sources.file import ArraySource
from tests.support.audio import programme, tone
from tests.support.classifier import LoudestRowClassifier
from tests.support.clock import UNIX_OFFSET, VirtualClock
from tests.support.protocol import Json, as_json


class ScriptedSource:
    """Source that delivers audio at given virtual times, and raises given exceptions."""

    name = "scripted"
    sample_rate = 22_050
    is_live = True

    def __init__(self, clock: VirtualClock, *script: tuple[float, float] | Exception) -> None:
        self._clock = clock
        self._script = script
        self.closed = False
        self.current = SourceStatus("scripted")

    def blocks(self) -> Iterator[AudioBlock]:
        position = 0
        for step in self._script:
            if isinstance(step, Exception):
                raise step
            at, seconds = step
            self._clock.now = at
            samples = sanitize_samples(tone(300, seconds))
            yield AudioBlock(samples, position, self.sample_rate, at)
            position += len(samples)

    def status(self) -> SourceStatus:
        return self.current

    def close(self) -> None:
        self.closed = True


def run(
    source: AudioSource, clock: VirtualClock, classifier: LoudestRowClassifier | None = None
) -> tuple[AnalysisWorker, list[Json]]:
    """Run the worker on this thread, and return its messages, which must follow the schema."""
    published: list[Json] = []
    classifier = classifier or LoudestRowClassifier()
    worker = AnalysisWorker(
        source, classifier, Settings(), clock, lambda m: published.append(as_json(m)), clients=lambda: 7
    )
    worker.run()
    assert [message["seq"] for message in published] == list(range(1, len(published) + 1))
    return worker, published


def states(published: list[Json]) -> list[str]:
    return [message["state"] for message in published if message["type"] == "state"]


def test_messages_of_a_source_from_start_to_end() -> None:
    clock = VirtualClock()
    worker, published = run(ArraySource(programme(), 22_050, clock, "three tones"), clock)
    assert worker.error is None
    assert states(published)[:2] == ["WARMING_UP", "LISTENING"]
    assert states(published)[-2:] == ["LISTENING", "ENDED"]
    estimates = [message for message in published if message["type"] == "estimate"]
    assert len(estimates) == 60
    assert {message["source"] for message in published} == {"three tones"}
    assert estimates[0]["captured_at"] == pytest.approx(UNIX_OFFSET + 100, abs=1)
    spectrum = [message for message in published if message["type"] == "spectrum"]
    assert sum(message["columns"] for message in spectrum) == 57 + 59 * 6
    assert spectrum[-1]["end_seconds"] == estimates[-1]["end_seconds"]
    health = [message for message in published if message["type"] == "health"][-1]
    assert (health["windows"], health["clients"]) == (60, 7)


@pytest.mark.parametrize(("live", "skipped"), [(True, True), (False, False)])
def test_only_a_live_source_is_ever_late(live: bool, skipped: bool) -> None:
    """A file is read as fast as it is analyzed, so no window of it is skipped."""
    clock = VirtualClock()
    source = ScriptedSource(clock, (100.0, 20.0))
    source.is_live = live
    _, published = run(source, clock)
    health = [message for message in published if message["type"] == "health"][-1]
    assert (health["windows_skipped"] > 0) is skipped
    assert health["windows"] + health["windows_skipped"] == 29


def test_columns_with_sound_between_them_follow_each_other() -> None:
    """The page numbers columns by their ends. With a step above n_fft none is missing or repeated."""
    clock = VirtualClock()
    spec = AudioSpec(
        n_fft=256, column_step=1_334, columns=83, hop_columns=8, window="tukey", row_break_hz=1_000
    )
    _, published = run(
        ArraySource(programme(), 22_050, clock, "three tones"), clock, LoudestRowClassifier(spec)
    )
    estimates = [message for message in published if message["type"] == "estimate"]
    spectrum = [message for message in published if message["type"] == "spectrum"]
    assert [message["columns"] for message in spectrum] == [83] + [8] * 64
    assert [message["end_seconds"] for message in spectrum] == [each["end_seconds"] for each in estimates]
    assert spectrum[0]["end_seconds"] == pytest.approx((82 * 1_334 + 256) / 22_050, abs=5e-4)
    numbers = np.array([message["end_seconds"] for message in spectrum]) * 22_050 / 1_334
    assert np.diff(numbers.round()).tolist() == [8] * 64
    assert all(len(message["row_edges_hz"]) == message["rows"] + 1 for message in spectrum)


def test_a_source_that_stalls_and_comes_back() -> None:
    clock = VirtualClock()
    script = [(100.0 + i, 1.0) for i in range(7)] + [(107.0 + i / 2, 0.0) for i in range(9)] + [(111.5, 1.0)]
    _, published = run(ScriptedSource(clock, *script), clock)
    assert states(published) == ["WARMING_UP", "LISTENING", "STALLED", "WARMING_UP", "LISTENING", "ENDED"]


class ReportingSource(ScriptedSource):
    """Source whose status changes after each step."""

    def __init__(self, clock: VirtualClock, *statuses: SourceStatus) -> None:
        super().__init__(
            clock, *[(100.0 + i, 0.0 if status.error else 1.0) for i, status in enumerate(statuses)]
        )
        self._statuses = statuses

    def blocks(self) -> Iterator[AudioBlock]:
        for status, block in zip(self._statuses, super().blocks(), strict=True):
            self.current = status
            yield block


def test_a_reconnected_source_reports_its_error_and_its_new_device(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = VirtualClock()
    well, other = SourceStatus("usb"), SourceStatus("headset", reconnects=1, overflows=3)
    gone, missing = SourceStatus("usb", error="it is gone"), SourceStatus("usb", error="no such device")
    with caplog.at_level("INFO"):
        _, published = run(ReportingSource(clock, *[well] * 6, gone, gone, missing, *[other] * 7), clock)
    published_states = [
        (message["state"], message["detail"]) for message in published if message["type"] == "state"
    ]
    codes = {message["code"] for message in published if message["type"] == "state" and message["detail"]}
    assert codes == {"source_error"}
    assert published_states == [
        ("WARMING_UP", ""), ("LISTENING", ""), ("RECOVERING", "it is gone"), ("RECOVERING", "no such device"),
        ("WARMING_UP", ""), ("LISTENING", ""), ("ENDED", ""),
    ]  # fmt: skip
    health = [message for message in published if message["type"] == "health"][-1]
    assert (health["device"], health["reconnects"], health["overflows"]) == ("headset", 1, 3)
    assert "scripted: listening to headset instead of usb" in caplog.text


def test_titles_of_a_station_are_published_when_they_change() -> None:
    clock = VirtualClock()
    statuses = [SourceStatus(title=title) for title in ("", "Take Five", "Take Five", "So What", "", "", "")]
    _, published = run(ReportingSource(clock, *statuses), clock)
    assert [message["title"] for message in published if message["type"] == "title"] == [
        "Take Five", "So What", "",
    ]  # fmt: skip


def test_a_title_has_its_parts_if_the_source_knows_them() -> None:
    clock = VirtualClock()
    statuses = [
        SourceStatus(title="Davis - So What"),
        SourceStatus(title="Davis - So What", artist="Davis", song="So What"),
        SourceStatus(),
    ]
    _, published = run(ReportingSource(clock, *statuses), clock)
    parts = [(m["title"], m["artist"], m["song"]) for m in published if m["type"] == "title"]
    assert parts == [
        ("Davis - So What", "", ""), ("Davis - So What", "Davis", "So What"), ("", "", ""),
    ]  # fmt: skip


def test_titles_that_change_all_the_time_are_limited_and_the_last_one_stays() -> None:
    """A station that sends a title with each block would otherwise fill the history."""
    clock = VirtualClock()
    # Seconds with an error have no audio, which would take time to analyze.
    statuses = [SourceStatus(title=f"Title {number}", error="gone") for number in range(600)]
    last = [SourceStatus(title="The last one")] * 31
    _, published = run(ReportingSource(clock, *statuses, *last), clock)
    titles = [message["title"] for message in published if message["type"] == "title"]
    assert titles[:10] == [f"Title {number}" for number in range(10)]
    assert titles[-1] == "The last one"
    assert len(titles) <= 10 + 631 / 30


def test_too_short_a_stream_fails_with_both_lengths() -> None:
    clock = VirtualClock()
    worker, published = run(ArraySource(tone(300, 3), 22_050, clock, "short"), clock)
    assert isinstance(worker.error, AudioTooShortError)
    assert states(published)[-1] == "FAILED"
    assert published[-1]["code"] == "audio_too_short"
    assert published[-1]["detail"] == ("short contains 3.00 s of audio, but one window needs 4.97 s")


def test_a_source_that_breaks_fails_visibly_and_is_closed() -> None:
    clock = VirtualClock()
    source = ScriptedSource(clock, (100.0, 1.0), SourceError("the plug was pulled"))
    worker, published = run(source, clock)
    assert str(worker.error) == "the plug was pulled"
    assert (states(published)[-1], published[-1]["detail"]) == ("FAILED", "the plug was pulled")
    assert published[-1]["code"] == "source_error"
    assert source.closed


def test_a_crash_is_not_silent() -> None:
    clock = VirtualClock()
    worker, published = run(ScriptedSource(clock, ZeroDivisionError("oops")), clock)
    assert isinstance(worker.error, ZeroDivisionError)
    assert published[-1]["detail"] == "internal error: ZeroDivisionError('oops')"
    assert published[-1]["code"] == "analyzer_error"


def test_all_kinds_of_losses_are_listed() -> None:
    health = PipelineHealth(10, 11_025, 2, 5, 1_234, 0, 80.0, Percentiles(6.0, 7.0, 8.0))
    assert format_losses(health, SourceStatus(overflows=3, dropped_blocks=4), 22_050) == (
        "2 gaps, 1,234 windows skipped, 3 overflows of the device, 4 blocks dropped, "
        "at least 0.50 s of audio lost"
    )
    well = replace(health, samples_lost=0, gaps=0, windows_skipped=0)
    assert format_losses(well, SourceStatus(), 22_050) == ""


def test_losses_are_logged_at_most_every_five_seconds(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()

    class Lossy(ScriptedSource):
        def blocks(self) -> Iterator[AudioBlock]:
            for number in range(100):
                clock.now = 100 + number / 5
                samples = sanitize_samples(np.full(2_205, 0.1))
                yield AudioBlock(samples, number * 4_410, 22_050, clock.now)

    run(Lossy(clock), clock)
    logged = [record.message for record in caplog.records if "lost" in record.message]
    assert 3 <= len(logged) <= 5
    assert logged[-1] == "scripted: so far 99 gaps, at least 9.90 s of audio lost"
