"""Read the blocks of a source on a thread, analyze them and publish messages."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable

from msgspec.structs import replace

from models.audio.samples import Samples
from models.classifier import GenreClassifier
from models.errors import OverheardError
from realtime.audio.source import AudioSource
from realtime.clock import Clock, unix_now
from realtime.config import Settings
from realtime.errors import AudioTooShortError, SourceError
from realtime.pipeline.analyzer import Analysis, Analyzer, build_estimate_message
from realtime.pipeline.recent_sound import RecentSound
from realtime.protocol import builders
from realtime.protocol.codes import StateCode
from realtime.protocol.estimate import StreamState
from realtime.protocol.health import PipelineHealth, SourceStatus
from realtime.protocol.messages import Message
from realtime.server.rate_limit import TokenBucket
from realtime.sources.watchdog import STALL_SECONDS

logger = logging.getLogger(__name__)

MAX_AGE_SECONDS = 2.0
"""Age at which windows are skipped and counted, so that the delay of a slow machine does not grow."""

HEALTH_INTERVAL_SECONDS = 2.0
"""Minimum time between two health messages."""
TITLE_BURST, TITLES_PER_SECOND = 10.0, 1 / 30
"""Titles of a source that may follow each other at once, and the rate after them.

Later titles are skipped until one may be published. A station that sends a title with each block would
otherwise fill the history.
"""
LOSS_LOG_INTERVAL_SECONDS = 5.0
"""Minimum time between two log lines about losses."""


class AnalysisWorker(threading.Thread):
    """Thread that analyzes one source until the source ends.

    Parameters
    ----------
    source : AudioSource
    classifier : GenreClassifier
        Used on this thread. A classifier that other threads use too must be a ``LockedClassifier``.
    settings : Settings
    clock : Clock
    publish : callable
        Called with each numbered message on this thread. It must not block.
    clients : callable
        Returns the number of clients for health messages.
    keep : callable, optional
        Called with all samples, (n,) float32 at the model's rate, and the position of the first one.
    stall_seconds : float
        Time without audio after which the state becomes STALLED.

    Attributes
    ----------
    error : Exception or None
        Error that ended the analysis.
    recent_sound : RecentSound
        Embedding of what was heard last.
    """

    def __init__(
        self,
        source: AudioSource,
        classifier: GenreClassifier,
        settings: Settings,
        clock: Clock,
        publish: Callable[[Message], None],
        *,
        clients: Callable[[], int] = lambda: 0,
        keep: Callable[[Samples, int], None] | None = None,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        super().__init__(name="analysis", daemon=True)
        self.error: Exception | None = None
        self.recent_sound = RecentSound(source.name, classifier.manifest, clock)
        self._source = source
        self._manifest = classifier.manifest
        max_age = MAX_AGE_SECONDS if source.is_live else math.inf
        self._analyzer = Analyzer(classifier, settings, source.sample_rate, clock, max_age, keep)
        self._clock = clock
        self._publish_numbered = publish
        self._clients = clients
        self._stall_seconds = stall_seconds
        self._stopped = False
        self._state, self._detail = StreamState.CONNECTING, ""
        self._last_audio = clock.monotonic()
        self._last_health = self._last_loss_log = float("-inf")
        self._logged_losses = ""
        self._sequence = 0
        self._title = ("", "", "")
        self._titles = TokenBucket(TITLE_BURST, TITLES_PER_SECOND, clock.monotonic())
        self._device = source.status().device

    def run(self) -> None:
        """Analyze the source. An error is published as FAILED and stored in ``error``."""
        try:
            self._analyze()
        except Exception as error:
            self.error = error
            detail = str(error) if isinstance(error, OverheardError) else f"internal error: {error!r}"
            logger.error("%s failed: %s", self._source.name, detail)
            self._change_state(StreamState.FAILED, detail, failure_code(error))
        finally:
            self._source.close()

    def stop(self) -> None:
        """End the analysis before the source ends. This method is called on another thread."""
        self._stopped = True
        self._source.close()

    def _analyze(self) -> None:
        self._last_audio = self._clock.monotonic()
        for block in self._source.blocks():
            now = self._clock.monotonic()
            if len(block.samples):
                self._last_audio = now
                if self._state.is_silent_source:
                    self._change_state(StreamState.WARMING_UP)
            elif fault := self._source.status().error:
                self._change_state(StreamState.RECOVERING, fault, StateCode.SOURCE_ERROR)
            elif now - self._last_audio > self._stall_seconds:
                self._change_state(StreamState.STALLED)
            self._publish_status(now)
            for analysis in self._analyzer.process(block):
                self._publish_analysis(analysis)
            self._publish_health(now)
        if self._stopped:
            return
        for analysis in self._analyzer.flush():
            self._publish_analysis(analysis)
        self._publish_health(float("inf"))
        self._analyzer.check_length(self._source.name)
        self._change_state(StreamState.ENDED)

    def _publish(self, message: Message) -> None:
        self._sequence += 1
        self._publish_numbered(replace(message, seq=self._sequence))

    def _publish_analysis(self, analysis: Analysis) -> None:
        estimate, name, audio = analysis.estimate, self._source.name, self._manifest.audio
        self.recent_sound.add(analysis.prediction, estimate.captured_at)
        self._publish(build_estimate_message(estimate, name, self._manifest, self._clock))
        self._publish_estimate_state(estimate.state)
        captured_at = self._clock.unix(estimate.captured_at)
        end_seconds = (estimate.position + audio.window_samples) / audio.sample_rate
        self._publish(builders.spectrum_message(name, captured_at, end_seconds, analysis.columns, audio))

    def _publish_estimate_state(self, state: StreamState) -> None:
        """Publish the state of an estimate if it is new. Silence of a muted device has a reason."""
        muted = self._source.status().muted if state is StreamState.SILENT else ""
        if muted and muted != self._detail:
            logger.warning("%s: %s", self._source.name, muted)
        self._change_state(state, muted, StateCode.MUTED if muted else None)

    def _publish_status(self, now: float) -> None:
        """Publish a new title, and log a new device."""
        status = self._source.status()
        title = (status.title, status.artist, status.song)
        if title != self._title and self._titles.take(now):
            self._title = title
            self._publish(builders.title_message(self._source.name, unix_now(self._clock), *title))
        if status.device != self._device:
            logger.info("%s: listening to %s instead of %s", self._source.name, status.device, self._device)
            self._device = status.device

    def _publish_health(self, now: float) -> None:
        if now - self._last_health < HEALTH_INTERVAL_SECONDS:
            return
        self._last_health = now
        health = self._analyzer.health()
        losses = format_losses(health, self._source.status(), self._source.sample_rate)
        if losses != self._logged_losses and now - self._last_loss_log >= LOSS_LOG_INTERVAL_SECONDS:
            logger.warning("%s: so far %s", self._source.name, losses)
            self._logged_losses, self._last_loss_log = losses, now
        self._publish(
            builders.health_message(
                self._source.name,
                unix_now(self._clock),
                health,
                self._source.status(),
                self._clients(),
            )
        )

    def _change_state(self, state: StreamState, detail: str = "", code: StateCode | None = None) -> None:
        if (state, detail) == (self._state, self._detail):
            return
        self._state, self._detail = state, detail
        self._publish(builders.state_message(self._source.name, unix_now(self._clock), state, detail, code))


def failure_code(error: Exception) -> StateCode:
    """Return the state code of an error that ended an analysis."""
    if isinstance(error, AudioTooShortError):
        return StateCode.AUDIO_TOO_SHORT
    return StateCode.SOURCE_ERROR if isinstance(error, SourceError) else StateCode.ANALYZER_ERROR


def format_losses(health: PipelineHealth, status: SourceStatus, sample_rate: int) -> str:
    """Describe all losses in one line. The text is empty if nothing was lost."""
    counts = {
        "gaps": health.gaps,
        "windows skipped": health.windows_skipped,
        "overflows of the device": status.overflows,
        "blocks dropped": status.dropped_blocks,
    }
    parts = [f"{count:,} {name}" for name, count in counts.items() if count]
    if health.gaps:
        parts.append(f"at least {health.samples_lost / sample_rate:.2f} s of audio lost")
    return ", ".join(parts)
