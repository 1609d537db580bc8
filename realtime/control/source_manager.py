"""Owns what is listened to: opens, changes, pauses and resumes the sources while the server goes on.

Another source is opened first, on a thread, and takes the old one's place only when that has worked: a
failure leaves the old one playing. One change at a time. Everything here runs on the server's event loop
unless it says otherwise.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from msgspec.structs import replace

from models.classifier import GenreClassifier
from models.common.concurrency import run_in_daemon_thread
from realtime.audio.source import AudioSource
from realtime.clock import Clock
from realtime.config import Settings
from realtime.control.level_probe import LevelMeter
from realtime.control.sequencer import MessageSequencer
from realtime.errors import SourceError
from realtime.history import RecentAudioBuffer
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

logger = logging.getLogger(__name__)

SWITCH_TIMEOUT_SECONDS = 25.0
"""Time in which a new source must open. Every kind of source gives up sooner, with a reason."""
STOP_SECONDS = 2.0
"""How long the end of a capture is waited for; it goes on ending on its own thread."""


@dataclass(slots=True, eq=False)
class SourceSlot:
    """Where one source is heard; without ``source`` it is paused, without ``worker`` not begun or paused."""

    offer: SourceOption
    line: MessageSequencer
    source: AudioSource | None
    worker: AnalysisWorker | None = None

    @property
    def paused(self) -> bool:
        """Whether it was closed for a pause."""
        return self.source is None and not self.line.over

    @property
    def heard(self) -> bool:
        """Whether it is listened to."""
        return self.source is not None and not self.line.over


class SourceManager:
    """The sources that are listened to, and those that may be.

    Parameters
    ----------
    chosen : Settings
    offered : sequence of str
        Descriptions of what may be chosen besides what is played.
    classifier : GenreClassifier
        Used by several threads at once, also by those of sources that have just been left.
    clock : Clock
    broadcaster : Broadcaster
        Sends the messages to the clients.
    watch : callable
        Gets every message too, on any thread; must not block.
    kept : RecentAudioBuffer, optional
        Keeps the last minutes of the sound.

    Attributes
    ----------
    finished : asyncio.Event
        Set once every source has ended or failed.
    """

    def __init__(
        self,
        chosen: Settings,
        offered: Sequence[str],
        classifier: GenreClassifier,
        clock: Clock,
        broadcaster: Broadcaster,
        watch: Callable[[Message], None],
        kept: RecentAudioBuffer | None = None,
    ) -> None:
        self.finished = asyncio.Event()
        self._chosen = chosen
        self._offered = offered
        self._offers: tuple[SourceOption, ...] = ()
        self._classifier = classifier
        self._clock = clock
        self._broadcaster = broadcaster
        self._watch = watch
        self._kept = kept
        self._loop = asyncio.get_running_loop()
        self._places: list[SourceSlot] = []
        self._levels = LevelMeter(lambda offer: open_option(offer, chosen.source, clock)[1], clock)
        self._changing = self._stopped = False

    @property
    def names(self) -> list[str]:
        """Of the sources that are listened to."""
        return [place.line.name for place in self._places]

    @property
    def error(self) -> Exception | None:
        """Why one of the present sources has failed, if one has."""
        errors = (place.worker.error for place in self._places if place.worker is not None)
        return next((error for error in errors if error is not None), None)

    async def open(self) -> None:
        """Open what the settings name, and let the server know.

        Raises
        ------
        SourceError
            One cannot be opened, or two have one name, by which clients tell them apart; none stays open.
        """
        wanted = available_sources(self._chosen.source.source)
        opened = await run_in_daemon_thread(lambda: self._open_all(wanted), _close_all)
        try:
            self._offers = available_sources([*(offer.description for offer, _ in opened), *self._offered])
        except SourceError:
            _close_all(opened)
            raise
        for offer, source in opened:
            self._broadcaster.add(self._hello(source.name, 0))
            self._places.append(SourceSlot(offer, MessageSequencer(source.name, self._tell), source))

    def start(self) -> None:
        """Begin to listen."""
        for place in self._places:
            self._begin(place)

    async def stop(self) -> None:
        """Close everything; what takes longer than ``STOP_SECONDS`` is left behind."""
        self._stopped = True
        _close_all(
            [(place.offer, place.source) for place in self._places if place.source and not place.worker]
        )
        await asyncio.gather(
            _stop([place.worker for place in self._places if place.worker is not None]),
            self._levels.break_off(STOP_SECONDS),
        )

    async def control(self, control: SourceControl) -> Outcome:
        """Do what a valid control asks for; return a sentence.

        Raises
        ------
        RequestError
            It makes no sense now.
        SourceError
            A source cannot be opened; what was playing goes on.
        """
        if self._changing:
            raise RequestError(ResponseCode.BUSY, "another change is under way; try again in a moment")
        if isinstance(control, MeasureLevels):
            return await self._measure_levels()
        self._changing = True
        try:
            await self._levels.break_off(STOP_SECONDS)
            if isinstance(control, SelectSource):
                return await self._choose(control.name)
            return await (self._pause() if isinstance(control, Pause) else self._resume())
        finally:
            self._changing = False
            self._loop.call_soon(self._publish_sources)  # after the hello of what has changed
            self._settle()
            await asyncio.sleep(0)  # and both before the answer

    def sources_message(self) -> SourcesMessage:
        """What may be listened to and what is, as the schema has it."""
        places = {place.offer.name: place for place in self._places}
        told = []
        for offer in self._offers:
            place = places.get(offer.name)
            playing = place is not None and not place.line.over
            level = place.line.level_dbfs if place is not None and playing else None
            trouble = self._levels.troubles.get(offer.name, "")
            told.append(
                AvailableSource(
                    name=offer.name,
                    selected=playing,
                    level_dbfs=self._levels.known.get(offer.name) if level is None else level,
                    error="" if playing else trouble or (place.line.failure if place else ""),
                )
            )
        return builders.sources_message(told, self._paused, self._unix())

    def _publish_sources(self) -> None:
        self._broadcaster.publish_sources(self.sources_message())

    async def _choose(self, name: str) -> Outcome:
        """Listen to an offered source: where it was heard before, else in the place of the first one."""
        offer = next((each for each in self._offers if each.name == name), None)
        if offer is None:
            names = ", ".join(each.name for each in self._offers)
            raise RequestError(
                ResponseCode.UNKNOWN_SOURCE, f"no source of that name is offered; there are {names}"
            )
        if any(place.offer.name == name and place.heard for place in self._places):
            return Outcome(ResponseCode.SOURCE_ALREADY_SELECTED, f"{name} is listened to already")
        place = next((each for each in self._places if each.offer.name == name), self._places[0])
        others = [each for each in self._places if each.paused and each is not place]
        await self._open_places([(place, offer), *((each, each.offer) for each in others)])
        return Outcome(ResponseCode.SOURCE_SELECTED, f"listening to {place.line.name}")

    async def _pause(self) -> Outcome:
        heard = [place for place in self._places if place.heard]
        if not heard and self._paused:
            return Outcome(ResponseCode.ALREADY_PAUSED, "paused already")
        if not heard:
            sentence = "there is nothing to pause: what was listened to has ended"
            raise RequestError(ResponseCode.NOTHING_TO_PAUSE, sentence)
        workers = [place.worker for place in heard if place.worker is not None]
        for place in heard:
            place.line.cut(self._state(place.line, StreamState.PAUSED))
            place.worker = place.source = None
        await _stop(workers)
        logger.info("paused: nothing is listened to")
        return Outcome(ResponseCode.PAUSED, "paused; the sound source is closed")

    async def _resume(self) -> Outcome:
        paused = [place for place in self._places if place.paused]
        if not paused:
            raise RequestError(ResponseCode.NOTHING_TO_RESUME, "nothing is paused")
        await self._open_places([(place, place.offer) for place in paused])
        return Outcome(ResponseCode.RESUMED, f"listening to {', '.join(self.names)}")

    async def _measure_levels(self) -> Outcome:
        if self._paused:
            sentence = "nothing is opened during a pause; resume before you measure levels"
            raise RequestError(ResponseCode.PAUSED_NOW, sentence)
        busy = {place.offer.name for place in self._places if place.heard}
        idle = [offer for offer in self._offers if offer.name not in busy]
        return await self._levels.measure(idle, self._publish_sources)

    async def _open_places(self, wanted: Sequence[tuple[SourceSlot, SourceOption]]) -> None:
        """Open these, and only when all are open let them take their places."""
        opening = run_in_daemon_thread(lambda: self._open_all([offer for _, offer in wanted]), _close_all)
        try:
            opened = await asyncio.wait_for(opening, SWITCH_TIMEOUT_SECONDS)
        except TimeoutError:
            trouble = f"it did not open within {SWITCH_TIMEOUT_SECONDS:.0f} s"
            self._levels.troubles[wanted[0][1].name] = trouble
            raise SourceError(trouble) from None
        leaving = [place for place, _ in wanted]
        others = {place.line.name for place in self._places if place not in leaving}
        refusal = "it is too late: the analyzer stops" if self._stopped else ""
        if twice := others & {source.name for _, source in opened}:
            refusal = f"{', '.join(twice)} is listened to already, in another place"
        if refusal:
            await run_in_daemon_thread(lambda: _close_all(opened))
            raise SourceError(refusal)
        workers = [place.worker for place in leaving if place.worker is not None]
        # By the offer that was chosen: `auto` stays `auto`, whatever it has come to.
        for (place, offer), (_, source) in zip(wanted, opened, strict=True):
            self._replace(place, offer, source)
        await _stop(workers)

    def _replace(self, place: SourceSlot, offer: SourceOption, source: AudioSource) -> None:
        before, name = place.line, source.name
        if before.level_dbfs is not None:
            self._levels.known[place.offer.name] = before.level_dbfs
        last = self._state(before, StreamState.ENDED, f"changed to {name}", StateCode.SOURCE_CHANGED)
        if not place.paused:
            before.cut(last)
        elif name != before.name:  # for the clients alone: a pause ends the history's session
            self._loop.call_soon(self._broadcaster.publish, replace(last, seq=before.seq + 1))
        logger.info("listening to %s%s", name, "" if name == before.name else f" instead of {before.name}")
        seq = before.seq if name == before.name else 0
        self._loop.call_soon(self._broadcaster.replace, before.name, self._hello(name, seq))
        place.offer, place.line, place.source = offer, MessageSequencer(name, self._tell, seq), source
        self._begin(place)

    def _begin(self, place: SourceSlot) -> None:
        if place.source is None:
            raise ValueError("the source is not open")
        audio = self._classifier.manifest.audio
        place.worker = AnalysisWorker(
            place.source,
            self._classifier,
            self._chosen,
            self._clock,
            place.line,
            lambda: self._broadcaster.clients,
            self._kept.start(place.source.name, audio, played_file(place.source)) if self._kept else None,
        )
        place.worker.start()

    def _open_all(self, wanted: Sequence[SourceOption]) -> list[tuple[SourceOption, AudioSource]]:
        """Open all of them, or none; runs on a thread of its own."""
        opened: list[tuple[SourceOption, AudioSource]] = []
        for offer in wanted:
            try:
                opened.append(open_option(offer, self._chosen.source, self._clock))
                name = opened[-1][1].name
                if name in [source.name for _, source in opened[:-1]]:
                    raise SourceError(f"two sources are called {name}; name each once")
                self._levels.troubles.pop(offer.name, None)
            except Exception as error:
                self._levels.troubles[offer.name] = str(error)
                _close_all(opened)
                raise
        return opened

    def _tell(self, line: MessageSequencer, message: Message) -> None:
        """Called by the lines, on any thread."""
        self._watch(message)
        try:
            self._loop.call_soon_threadsafe(self._broadcaster.publish, message)
            if line.over:
                self._loop.call_soon_threadsafe(self._ended)
        except RuntimeError:  # the loop is closed
            logger.debug("nobody is left to tell of %s", line.name)

    def _ended(self) -> None:
        self._publish_sources()
        self._settle()

    def _settle(self) -> None:
        if not self._changing and self._places and all(place.line.over for place in self._places):
            self.finished.set()

    @property
    def _paused(self) -> bool:
        return any(place.paused for place in self._places)

    def _state(
        self, line: MessageSequencer, state: StreamState, detail: str = "", code: StateCode | None = None
    ) -> StateMessage:
        return builders.state_message(line.name, self._unix(), state, detail, code)

    def _hello(self, name: str, seq: int) -> HelloMessage:
        """Build the hello of a source that was just opened."""
        classifier, told = self._classifier, asdict(self._chosen.smoothing) | asdict(self._chosen.silence)
        hello = builders.hello_message(name, self._unix(), classifier.manifest, classifier.runtime, told)
        return replace(hello, seq=seq)

    def _unix(self) -> float:
        return self._clock.unix(self._clock.monotonic())


def _close_all(opened: Sequence[tuple[SourceOption, AudioSource]]) -> None:
    for _, source in opened:
        source.close()


async def _stop(workers: Sequence[AnalysisWorker]) -> None:
    """End these on threads of their own: a capture may take seconds to end."""

    def end(worker: AnalysisWorker) -> None:
        worker.stop()
        worker.join(STOP_SECONDS)

    if workers:
        ends = [run_in_daemon_thread(lambda worker=worker: end(worker)) for worker in workers]  # type: ignore[misc]
        await asyncio.wait(ends, timeout=STOP_SECONDS)
