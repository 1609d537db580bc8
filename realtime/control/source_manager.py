"""Open, replace, pause and resume the analyzed sources while the server runs.

A new source is opened first, on another thread, and replaces the old source only if this succeeds. Otherwise
the old source continues. Only one change runs at a time. Everything in this module runs on the server's event
loop unless stated otherwise.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from models.classifier import GenreClassifier
from models.common.concurrency import run_in_daemon_thread
from realtime.audio.source import AudioSource
from realtime.clock import Clock, unix_now
from realtime.config import Settings
from realtime.control.level_probe import LevelMeter
from realtime.control.sequencer import MessageSequencer
from realtime.errors import SourceError
from realtime.pipeline.worker import AnalysisWorker
from realtime.protocol import builders
from realtime.protocol.codes import ResponseCode, StateCode
from realtime.protocol.estimate import StreamState
from realtime.protocol.messages import AvailableSource, HelloMessage, Message, SourcesMessage, StateMessage
from realtime.protocol.requests import (
    MeasureLevels,
    Outcome,
    Pause,
    RequestError,
    SelectSource,
    SourceControl,
)
from realtime.server.broadcaster import Broadcaster
from realtime.sources.factory import SourceOption, available_sources, open_option
from realtime.sources.file import played_file

if TYPE_CHECKING:
    from realtime.history.audio_buffer import RecentAudioBuffer

logger = logging.getLogger(__name__)

SWITCH_TIMEOUT_SECONDS = 25.0
"""Time in which a new source must open. Every kind of source has a shorter timeout with a better message."""
STOP_SECONDS = 2.0
"""Maximum wait for the end of a capture. After that, the capture ends in the background."""


@dataclass(slots=True, eq=False)
class SourceSlot:
    """Slot for one of the sources that are analyzed at the same time.

    Attributes
    ----------
    option : SourceOption
    sequencer : MessageSequencer
    source : AudioSource or None
        None during a pause.
    worker : AnalysisWorker or None
        None before the start and during a pause.
    """

    option: SourceOption
    sequencer: MessageSequencer
    source: AudioSource | None
    worker: AnalysisWorker | None = None

    @property
    def is_paused(self) -> bool:
        """True if the source was closed for a pause."""
        return self.source is None and not self.sequencer.ended

    @property
    def is_active(self) -> bool:
        """True if the source is open and has not ended."""
        return self.source is not None and not self.sequencer.ended


class SourceManager:
    """Manager of the analyzed sources and of the sources that privileged clients may select.

    Parameters
    ----------
    settings : Settings
    selectable : sequence of str
        Descriptions of sources that may be selected besides those of the settings.
    classifier : GenreClassifier
        Used by several threads at once, including those of sources that were just replaced.
    clock : Clock
    broadcaster : Broadcaster
        Sends the messages to the clients.
    watch : callable
        Called with every message, on any thread. It must not block.
    audio_buffer : RecentAudioBuffer, optional
        Buffer for the last minutes of audio.

    Attributes
    ----------
    finished : asyncio.Event
        Set once every source has ended or failed.
    """

    def __init__(
        self,
        settings: Settings,
        selectable: Sequence[str],
        classifier: GenreClassifier,
        clock: Clock,
        *,
        broadcaster: Broadcaster,
        watch: Callable[[Message], None],
        audio_buffer: RecentAudioBuffer | None = None,
    ) -> None:
        self.finished = asyncio.Event()
        self._settings = settings
        self._selectable = selectable
        self._options: tuple[SourceOption, ...] = ()
        self._classifier = classifier
        self._clock = clock
        self._broadcaster = broadcaster
        self._watch = watch
        self._audio_buffer = audio_buffer
        self._loop = asyncio.get_running_loop()
        self._slots: list[SourceSlot] = []
        self._levels = LevelMeter(lambda option: open_option(option, settings.source, clock)[1], clock)
        self._changing = self._stopped = False

    @property
    def names(self) -> list[str]:
        """Names of the analyzed sources, one for each slot."""
        return [slot.sequencer.name for slot in self._slots]

    @property
    def error(self) -> Exception | None:
        """Error of a source that has failed, or None."""
        errors = (slot.worker.error for slot in self._slots if slot.worker is not None)
        return next((error for error in errors if error is not None), None)

    def describe_sound(self) -> dict[str, Any] | None:
        """Describe what the first source has played last, or return None during a pause."""
        worker = self._slots[0].worker if self._slots else None
        return worker.recent_sound.describe() if worker is not None else None

    async def open(self) -> None:
        """Open the sources of the settings, and add them to the broadcaster.

        Raises
        ------
        SourceError
            If a source cannot be opened, or if two sources have the same name, by which clients identify
            them. All sources are closed in this case.
        """
        options = available_sources(self._settings.source.source)
        opened = await run_in_daemon_thread(lambda: self._open_all(options), _close_all)
        try:
            self._options = available_sources(
                [*(option.description for option, _ in opened), *self._selectable]
            )
        except SourceError:
            _close_all(opened)
            raise
        for option, source in opened:
            self._broadcaster.add(self._hello_message(source.name, 0))
            self._slots.append(SourceSlot(option, MessageSequencer(source.name, self._send), source))

    def start(self) -> None:
        """Start the analysis of all open sources."""
        for slot in self._slots:
            self._start(slot)

    async def stop(self) -> None:
        """Close all sources, and wait at most ``STOP_SECONDS`` until they are closed."""
        self._stopped = True
        _close_all([(slot.option, slot.source) for slot in self._slots if slot.source and not slot.worker])
        await asyncio.gather(
            _stop_workers([slot.worker for slot in self._slots if slot.worker is not None]),
            self._levels.cancel(STOP_SECONDS),
        )

    async def control(self, control: SourceControl) -> Outcome:
        """Carry out a control.

        Raises
        ------
        RequestError
            If the control does not apply to the current state.
        SourceError
            If a source cannot be opened. The old source continues.
        """
        if self._changing:
            raise RequestError(ResponseCode.BUSY, "another change is in progress; try again in a moment")
        if isinstance(control, MeasureLevels):
            return await self._measure_levels()
        self._changing = True
        try:
            await self._levels.cancel(STOP_SECONDS)
            if isinstance(control, SelectSource):
                return await self._select(control.name)
            return await (self._pause() if isinstance(control, Pause) else self._resume())
        finally:
            self._changing = False
            self._loop.call_soon(self._publish_sources)  # after the hello of the new source
            self._check_finished()
            await asyncio.sleep(0)  # so that both are published before the response

    def sources_message(self) -> SourcesMessage:
        """Build the message of the available and the selected sources."""
        slots = {slot.option.name: slot for slot in self._slots}
        available = []
        for option in self._options:
            slot = slots.get(option.name)
            selected = slot is not None and not slot.sequencer.ended
            level = slot.sequencer.level_dbfs if slot is not None and selected else None
            error = self._levels.errors.get(option.name, "")
            available.append(
                AvailableSource(
                    name=option.name,
                    selected=selected,
                    level_dbfs=self._levels.levels_dbfs.get(option.name) if level is None else level,
                    error="" if selected else error or (slot.sequencer.failure if slot else ""),
                )
            )
        return builders.sources_message(available, self._is_paused, unix_now(self._clock))

    def _publish_sources(self) -> None:
        self._broadcaster.publish_sources(self.sources_message())

    async def _select(self, name: str) -> Outcome:
        """Analyze an available source in the slot that it had before, or else in the first slot."""
        option = next((each for each in self._options if each.name == name), None)
        if option is None:
            names = ", ".join(each.name for each in self._options)
            raise RequestError(
                ResponseCode.UNKNOWN_SOURCE,
                f"there is no source with this name; the available sources are {names}",
            )
        if any(slot.option.name == name and slot.is_active for slot in self._slots):
            return Outcome(ResponseCode.SOURCE_ALREADY_SELECTED, f"{name} is selected already")
        slot = next((each for each in self._slots if each.option.name == name), self._slots[0])
        others = [each for each in self._slots if each.is_paused and each is not slot]
        await self._open_slots([(slot, option), *((each, each.option) for each in others)])
        return Outcome(ResponseCode.SOURCE_SELECTED, f"listening to {slot.sequencer.name}")

    async def _pause(self) -> Outcome:
        active = [slot for slot in self._slots if slot.is_active]
        if not active and self._is_paused:
            return Outcome(ResponseCode.ALREADY_PAUSED, "already paused")
        if not active:
            sentence = "there is nothing to pause: all sources have ended"
            raise RequestError(ResponseCode.NOTHING_TO_PAUSE, sentence)
        workers = [slot.worker for slot in active if slot.worker is not None]
        for slot in active:
            slot.sequencer.close(self._state_message(slot.sequencer, StreamState.PAUSED))
            slot.worker = slot.source = None
        await _stop_workers(workers)
        logger.info("paused: all sources are closed")
        return Outcome(ResponseCode.PAUSED, "paused; the source is closed")

    async def _resume(self) -> Outcome:
        paused = [slot for slot in self._slots if slot.is_paused]
        if not paused:
            raise RequestError(ResponseCode.NOTHING_TO_RESUME, "nothing is paused")
        await self._open_slots([(slot, slot.option) for slot in paused])
        return Outcome(ResponseCode.RESUMED, f"listening to {', '.join(self.names)}")

    async def _measure_levels(self) -> Outcome:
        if self._is_paused:
            sentence = "sources stay closed during a pause; resume before you measure levels"
            raise RequestError(ResponseCode.PAUSED_NOW, sentence)
        busy = {slot.option.name for slot in self._slots if slot.is_active}
        idle = [option for option in self._options if option.name not in busy]
        return await self._levels.measure(idle, self._publish_sources)

    async def _open_slots(self, assignments: Sequence[tuple[SourceSlot, SourceOption]]) -> None:
        """Open the sources of options, and put them into their slots once all sources are open."""
        options = [option for _, option in assignments]
        opening = run_in_daemon_thread(lambda: self._open_all(options), _close_all)
        try:
            opened = await asyncio.wait_for(opening, SWITCH_TIMEOUT_SECONDS)
        except TimeoutError:
            reason = f"it did not open within {SWITCH_TIMEOUT_SECONDS:.0f} s"
            self._levels.errors[options[0].name] = reason
            raise SourceError(reason) from None
        replaced = [slot for slot, _ in assignments]
        others = {slot.sequencer.name for slot in self._slots if slot not in replaced}
        problem = "the analyzer is stopping" if self._stopped else ""
        if duplicates := others & {source.name for _, source in opened}:
            problem = f"{', '.join(duplicates)} is analyzed already"
        if problem:
            await run_in_daemon_thread(lambda: _close_all(opened))
            raise SourceError(problem)
        workers = [slot.worker for slot in replaced if slot.worker is not None]
        # A slot keeps the selected option: `auto` stays `auto`, no matter which source it has opened.
        for (slot, option), (_, source) in zip(assignments, opened, strict=True):
            self._replace(slot, option, source)
        await _stop_workers(workers)

    def _replace(self, slot: SourceSlot, option: SourceOption, source: AudioSource) -> None:
        before, name = slot.sequencer, source.name
        if before.level_dbfs is not None:
            self._levels.levels_dbfs[slot.option.name] = before.level_dbfs
        last = self._state_message(before, StreamState.ENDED, f"changed to {name}", StateCode.SOURCE_CHANGED)
        if not slot.is_paused:
            before.close(last)
        elif name != before.name:  # for clients only, because the pause has ended the session of the history
            self._loop.call_soon(self._broadcaster.publish, replace(last, seq=before.seq + 1))
        logger.info("listening to %s%s", name, "" if name == before.name else f" instead of {before.name}")
        seq = before.seq if name == before.name else 0
        self._loop.call_soon(self._broadcaster.replace, before.name, self._hello_message(name, seq))
        slot.option, slot.sequencer, slot.source = option, MessageSequencer(name, self._send, seq), source
        self._start(slot)

    def _start(self, slot: SourceSlot) -> None:
        if slot.source is None:
            raise ValueError("the source is not open")
        audio, buffer = self._classifier.manifest.audio, self._audio_buffer
        slot.worker = AnalysisWorker(
            slot.source,
            self._classifier,
            self._settings,
            self._clock,
            slot.sequencer.publish,
            clients=lambda: self._broadcaster.clients,
            keep=buffer.start(slot.source.name, audio, played_file(slot.source)) if buffer else None,
        )
        slot.worker.start()

    def _open_all(self, options: Sequence[SourceOption]) -> list[tuple[SourceOption, AudioSource]]:
        """Open all sources or none. This method is called on a separate thread."""
        opened: list[tuple[SourceOption, AudioSource]] = []
        for option in options:
            try:
                opened.append(open_option(option, self._settings.source, self._clock))
                name = opened[-1][1].name
                if name in [source.name for _, source in opened[:-1]]:
                    raise SourceError(f"two sources are called {name}; name each source once")
                self._levels.errors.pop(option.name, None)
            except Exception as error:
                self._levels.errors[option.name] = str(error)
                _close_all(opened)
                raise
        return opened

    def _send(self, sequencer: MessageSequencer, message: Message) -> None:
        """Send a numbered message. Any thread may call this method."""
        self._watch(message)
        try:
            self._loop.call_soon_threadsafe(self._broadcaster.publish, message)
            if sequencer.ended:
                self._loop.call_soon_threadsafe(self._handle_end)
        except RuntimeError:  # the loop is closed
            logger.debug("a message of %s was dropped because the server has stopped", sequencer.name)

    def _handle_end(self) -> None:
        self._publish_sources()
        self._check_finished()

    def _check_finished(self) -> None:
        if not self._changing and self._slots and all(slot.sequencer.ended for slot in self._slots):
            self.finished.set()

    @property
    def _is_paused(self) -> bool:
        return any(slot.is_paused for slot in self._slots)

    def _state_message(
        self, sequencer: MessageSequencer, state: StreamState, detail: str = "", code: StateCode | None = None
    ) -> StateMessage:
        return builders.state_message(sequencer.name, unix_now(self._clock), state, detail, code)

    def _hello_message(self, name: str, seq: int) -> HelloMessage:
        """Build the hello of a source that was just opened."""
        classifier, settings = self._classifier, self._settings
        shown = asdict(settings.smoothing) | asdict(settings.silence)
        hello = builders.hello_message(
            name, unix_now(self._clock), classifier.manifest, classifier.runtime, shown
        )
        return replace(hello, seq=seq)


def _close_all(opened: Sequence[tuple[SourceOption, AudioSource]]) -> None:
    for _, source in opened:
        source.close()


async def _stop_workers(workers: Sequence[AnalysisWorker]) -> None:
    """Stop each worker on a separate thread, because a capture may take seconds to end."""

    def stop(worker: AnalysisWorker) -> None:
        worker.stop()
        worker.join(STOP_SECONDS)

    if workers:
        stopped = [run_in_daemon_thread(lambda worker=worker: stop(worker)) for worker in workers]  # type: ignore[misc]
        await asyncio.wait(stopped, timeout=STOP_SECONDS)
