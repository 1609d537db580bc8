"""Who hears the blocks of a library: processes of this machine, or the actors of a Ray cluster.

Both give each row once, in any order and as soon as it is heard, and both hear with the same ``Hearer``, so
that a row is the same whoever heard it.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeAlias

from models.common.ray import connect_ray
from models.common.text import first_line
from models.errors import OverheardError
from realtime.config import AnalysisSettings
from realtime.library.analysis import Row, TrackAnalyzer
from realtime.library.track import LibraryTrack

Block: TypeAlias = tuple[LibraryTrack, ...]

logger = logging.getLogger(__name__)

MAX_BLOCK_TRACKS = 16
"""Tracks that one worker is given at a time: what a lost node costs, and how long the last one takes."""

BLOCKS_A_WORKER = 8
"""At least, where there are tracks enough: the last blocks end at about the same time."""


POLL_SECONDS = 1.0
"""An engine that has no row for so long says so, so that what waits to be written can be."""

NO_CORE_SECONDS = 60.0
"""Without a free core in the cluster for so long, whoever waits is told."""

STOP_SECONDS = 2.0
"""For Ray Data to let go of a run that was broken off, before its cluster goes."""


class ClusterError(OverheardError):
    """Blocks were lost with the cluster."""


class TrackExecutor(Protocol):
    """Hears blocks."""

    @property
    def workers(self) -> int:
        """How many tracks are heard at a time."""
        ...

    def heard(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        """The rows of all tracks, each once, as they are heard; an empty list while there is none.

        Raises
        ------
        OverheardError
            The model cannot be loaded, or the cluster is gone.
        """
        ...

    def close(self) -> None:
        """End what still hears."""
        ...


def split_blocks(tracks: Sequence[LibraryTrack], workers: int) -> list[Block]:
    """Cut tracks into blocks, in order."""
    size = max(1, min(MAX_BLOCK_TRACKS, len(tracks) // (BLOCKS_A_WORKER * workers)))
    return [tuple(tracks[start : start + size]) for start in range(0, len(tracks), size)]


class _Told:
    """Rows on their way from the threads that hear to the one that writes.

    Not bounded: they are as many as the tracks of the blocks at most, whose names are held in any case.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[list[Row] | BaseException | None] = SimpleQueue()
        self.over = threading.Event()
        """Nobody wants any more."""

    def run(self, source: Iterable[list[Row]]) -> threading.Thread:
        """Take rows from a source on a thread of its own."""

        def work() -> None:
            ending: BaseException | None = None
            try:
                for rows in source:
                    self._queue.put(rows)
                    if self.over.is_set():
                        break
            except BaseException as error:  # raised where the rows are taken
                ending = error
            self._queue.put(ending)

        thread = threading.Thread(target=work, name="hearing", daemon=True)
        thread.start()
        return thread

    def rows(self, sources: int) -> Iterator[list[Row]]:
        """Rows until so many sources have ended, and an empty list each ``WAIT_SECONDS`` without any.

        What ended a source early is raised.
        """
        try:
            while sources:
                try:
                    told = self._queue.get(timeout=POLL_SECONDS)
                except Empty:
                    yield []
                    continue
                if told is None:
                    sources -= 1
                elif isinstance(told, BaseException):
                    raise told
                else:
                    yield told
        finally:
            self.over.set()


class ProcessTrackExecutor:
    """Child processes of this machine, one a worker.

    Parameters
    ----------
    hearing : AnalysisSettings
    workers : int
        As many as there are cores where it is 0.
    """

    def __init__(self, hearing: AnalysisSettings, workers: int = 0) -> None:
        self.workers = workers or usable_cores()
        self._hearers = [TrackAnalyzer(hearing) for _ in range(self.workers)]

    def heard(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        """The rows of all tracks, as they are heard."""
        rest = iter(list(blocks))  # of a list: each thread takes the next block

        def rows_of(hearer: TrackAnalyzer) -> Iterator[list[Row]]:
            for block in rest:
                for row in hearer.hear_each(block):
                    yield [row]

        told = _Told()
        for hearer in self._hearers:
            told.run(rows_of(hearer))
        yield from told.rows(self.workers)

    def close(self) -> None:
        """End the children."""
        for hearer in self._hearers:
            hearer.close()


class RayTrackAnalyzer:
    """A Ray Data actor: one core, one child, one model."""

    def __init__(self, hearing: AnalysisSettings) -> None:
        self._hearer = TrackAnalyzer(hearing)

    def __call__(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Hear the blocks of a batch, pickled; give a message as JSON when one begins and for each row.

        A message has the block's ``number``, and the ``node`` that hears it or the ``place`` in the block of
        a ``row``, or why no track can be heard there (``fatal``): what is raised comes wrapped in Ray's own.
        """
        import ray

        node = ray.get_runtime_context().get_node_id()
        for number, block in zip(batch["number"].tolist(), batch["block"], strict=True):
            yield _message({"number": number, "node": node})
            try:
                for place, row in enumerate(self._hearer.hear_each(pickle.loads(block))):
                    yield _message({"number": number, "place": place, "row": row})
            except OverheardError as error:
                yield _message({"number": number, "fatal": str(error)})


def _message(content: dict[str, Any]) -> dict[str, Any]:
    """One row of Ray Data."""
    import numpy as np

    return {"message": np.array([json.dumps(content).encode()], dtype=object)}


class RayTrackExecutor:
    """Ray Data, one actor a core of the cluster; a lost node's blocks are heard by the others.

    Parameters
    ----------
    hearing : AnalysisSettings
    workers : int
        At most so many actors; as many as the cluster has cores where it is 0.
    no_core_seconds : float
        Without a free core for so long it is logged.

    Attributes
    ----------
    nodes : dict of int to str
        Which node began each block last, by the block's number.

    Raises
    ------
    OverheardError
        Ray is not installed, or the cluster does not answer.
    """

    def __init__(
        self, hearing: AnalysisSettings, workers: int = 0, no_core_seconds: float = NO_CORE_SECONDS
    ) -> None:
        self._hearing = hearing
        self._no_core_seconds = no_core_seconds
        self._told: _Told | None = None
        self._thread: threading.Thread | None = None
        self.nodes: dict[int, str] = {}
        self._cluster = connect_ray(workers or None)
        self._ray = self._cluster.__enter__()
        cores = int(self._ray.cluster_resources().get("CPU", 1))
        self.workers = max(1, workers or cores)
        context = self._ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.log_internal_stack_trace_to_stdout = False
        context.target_max_block_size = 1  # each row comes when it is heard, not when its block is

    def heard(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        """The rows of all tracks, as they are heard; what comes twice, because its node died late, once."""
        self.nodes.clear()
        told = self._told = _Told()
        self._thread = told.run(self._messages(blocks))
        waiting = {(number, place) for number, block in enumerate(blocks) for place in range(len(block))}
        since: float | None = time.monotonic()
        try:
            for messages in told.rows(1):
                rows = []
                for message in messages:
                    since = None
                    if "fatal" in message:
                        raise OverheardError(message["fatal"])
                    if "node" in message:
                        self.nodes[message["number"]] = message["node"]
                    elif (found := (message["number"], message["place"])) in waiting:
                        waiting.remove(found)
                        rows.append(message["row"])
                if since is not None and time.monotonic() - since >= self._no_core_seconds:
                    since = None
                    logger.warning(
                        "no core of the cluster has been free for %g s; the tracks wait for one",
                        self._no_core_seconds,
                    )
                yield rows
        except self._ray.exceptions.RayError as error:
            raise ClusterError(
                f"the cluster lost {len(waiting)} tracks for good ({first_line(error)}); "
                "what was heard is written, run it again to go on"
            ) from error
        if waiting:
            raise ClusterError(
                f"{len(waiting)} tracks never came back; what was heard is written, run it again to go on"
            )

    def _messages(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        """What the actors say; runs on a thread of its own."""
        ray = self._ray
        items = [{"number": number, "block": pickle.dumps(block)} for number, block in enumerate(blocks)]
        most = min(self.workers, len(blocks))
        heard = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            RayTrackAnalyzer,
            fn_constructor_args=(self._hearing,),
            batch_size=1,
            batch_format="numpy",
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most, initial_size=most),
        )
        for batch in heard.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0):
            yield [json.loads(message) for message in batch["message"]]

    def close(self) -> None:
        """End a cluster that was begun here."""
        if self._told is not None and self._thread is not None:
            self._told.over.set()
            self._thread.join(STOP_SECONDS)
        self._cluster.__exit__(None, None, None)


def usable_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
