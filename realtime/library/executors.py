"""Executors that analyze blocks of tracks: processes of this machine, or actors of a Ray cluster.

Both yield each row once, in any order and as soon as the track is analyzed. Both use ``TrackAnalyzer``, so a
row does not depend on the executor.
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
"""Tracks in a block. A lost node costs at most one block, and the last block delays the end of the run."""

BLOCKS_A_WORKER = 8
"""Blocks for each worker if there are enough tracks. Many blocks let the workers end at the same time."""

POLL_SECONDS = 1.0
"""Seconds without a row before an executor yields an empty list, so that waiting rows can be written."""

NO_CORE_SECONDS = 60.0
"""Seconds without a free core in the cluster before a warning is logged."""

STOP_SECONDS = 2.0
"""Seconds that Ray Data gets to release an interrupted run before its cluster is shut down."""


class ClusterError(OverheardError):
    """Raised when blocks are lost with the cluster."""


class TrackExecutor(Protocol):
    """Analyzes blocks of tracks."""

    @property
    def workers(self) -> int:
        """Number of tracks that are analyzed at the same time."""
        ...

    def analyze(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        """Yield the rows of all tracks, each once, and an empty list while no row is ready.

        Raises
        ------
        OverheardError
            If the model cannot be loaded, or the cluster is lost.
        """
        ...

    def close(self) -> None:
        """Stop all running analyses."""
        ...


def split_blocks(tracks: Sequence[LibraryTrack], workers: int) -> list[Block]:
    """Cut tracks into blocks, in order."""
    size = max(1, min(MAX_BLOCK_TRACKS, len(tracks) // (BLOCKS_A_WORKER * workers)))
    return [tuple(tracks[start : start + size]) for start in range(0, len(tracks), size)]


class _RowQueue:
    """Queue of rows from the analyzing threads to the writing one.

    The queue is not bounded. It holds at most one row for each track of the blocks, which are in memory
    anyway.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[list[Row] | BaseException | None] = SimpleQueue()
        self.closed = threading.Event()
        """Set once no more rows are wanted."""

    def run(self, source: Iterable[list[Row]]) -> threading.Thread:
        """Read rows from ``source`` on a new thread."""

        def work() -> None:
            ending: BaseException | None = None
            try:
                for rows in source:
                    self._queue.put(rows)
                    if self.closed.is_set():
                        break
            except BaseException as error:  # raised again on the reading thread
                ending = error
            self._queue.put(ending)

        thread = threading.Thread(target=work, name="track-analysis", daemon=True)
        thread.start()
        return thread

    def rows(self, sources: int) -> Iterator[list[Row]]:
        """Yield rows until all sources have ended.

        An empty list is yielded after ``POLL_SECONDS`` without rows. An exception of a source is raised here.
        """
        try:
            while sources:
                try:
                    rows = self._queue.get(timeout=POLL_SECONDS)
                except Empty:
                    yield []
                    continue
                if rows is None:
                    sources -= 1
                elif isinstance(rows, BaseException):
                    raise rows
                else:
                    yield rows
        finally:
            self.closed.set()


class ProcessTrackExecutor:
    """Executor with one child process for each worker.

    Parameters
    ----------
    settings : AnalysisSettings
    workers : int
        Number of children. 0 means one for each core.
    """

    def __init__(self, settings: AnalysisSettings, workers: int = 0) -> None:
        self.workers = workers or usable_cores()
        self._analyzers = [TrackAnalyzer(settings) for _ in range(self.workers)]

    def analyze(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        """Yield the rows of all tracks as soon as they are analyzed."""
        rest = iter(list(blocks))  # the iterator of a list is shared: each thread takes the next block

        def analyze_blocks(analyzer: TrackAnalyzer) -> Iterator[list[Row]]:
            for block in rest:
                for row in analyzer.analyze(block):
                    yield [row]

        queue = _RowQueue()
        for analyzer in self._analyzers:
            queue.run(analyze_blocks(analyzer))
        yield from queue.rows(self.workers)

    def close(self) -> None:
        """End the children."""
        for analyzer in self._analyzers:
            analyzer.close()


class RayTrackAnalyzer:
    """Ray Data actor with one core, one child process and one model."""

    def __init__(self, settings: AnalysisSettings) -> None:
        self._analyzer = TrackAnalyzer(settings)

    def __call__(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Analyze the pickled blocks of a batch, and yield messages as JSON.

        Each message has the block's ``number``. The first message of a block names the ``node``. One message
        for each track has the ``row`` and its ``place`` in the block. ``fatal`` says why no track can be
        analyzed on this node. The sentence is a message because Ray wraps exceptions in its own.
        """
        import ray

        node = ray.get_runtime_context().get_node_id()
        for number, block in zip(batch["number"].tolist(), batch["block"], strict=True):
            yield _message({"number": number, "node": node})
            try:
                for place, row in enumerate(self._analyzer.analyze(pickle.loads(block))):
                    yield _message({"number": number, "place": place, "row": row})
            except OverheardError as error:
                yield _message({"number": number, "fatal": str(error)})


def _message(content: dict[str, Any]) -> dict[str, Any]:
    """Return one row of Ray Data."""
    import numpy as np

    return {"message": np.array([json.dumps(content).encode()], dtype=object)}


class RayTrackExecutor:
    """Executor on Ray Data with one actor for each core. Other nodes analyze the blocks of a lost node.

    Parameters
    ----------
    settings : AnalysisSettings
    workers : int
        Largest number of actors. 0 means one for each core of the cluster.
    no_core_seconds : float
        Seconds without a free core before a warning is logged.

    Attributes
    ----------
    nodes : dict of int to str
        Node that started each block last, by the block's number.

    Raises
    ------
    OverheardError
        If Ray is not installed, or the cluster does not answer.
    """

    def __init__(
        self, settings: AnalysisSettings, workers: int = 0, no_core_seconds: float = NO_CORE_SECONDS
    ) -> None:
        self._settings = settings
        self._no_core_seconds = no_core_seconds
        self._queue: _RowQueue | None = None
        self._thread: threading.Thread | None = None
        self.nodes: dict[int, str] = {}
        self._cluster = connect_ray(workers or None)
        self._ray = self._cluster.__enter__()
        cores = int(self._ray.cluster_resources().get("CPU", 1))
        self.workers = max(1, workers or cores)
        context = self._ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.log_internal_stack_trace_to_stdout = False
        context.target_max_block_size = (
            1  # each row arrives when its track is analyzed, not when its block is
        )

    def analyze(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        """Yield the rows of all tracks.

        A row that arrives twice, because its node died late, is yielded once.
        """
        self.nodes.clear()
        queue = self._queue = _RowQueue()
        self._thread = queue.run(self._messages(blocks))
        waiting = {(number, place) for number, block in enumerate(blocks) for place in range(len(block))}
        since: float | None = time.monotonic()
        try:
            for messages in queue.rows(1):
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
                        "no core of the cluster has been free for %g s; the tracks are waiting for one",
                        self._no_core_seconds,
                    )
                yield rows
        except self._ray.exceptions.RayError as error:
            raise ClusterError(
                f"the cluster lost {len(waiting)} tracks ({first_line(error)}); "
                "finished rows are written, run the command again to continue"
            ) from error
        if waiting:
            raise ClusterError(
                f"{len(waiting)} tracks never came back; finished rows are written, "
                "run the command again to continue"
            )

    def _messages(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        """Yield the messages of the actors. Runs on its own thread."""
        ray = self._ray
        items = [{"number": number, "block": pickle.dumps(block)} for number, block in enumerate(blocks)]
        actors = min(self.workers, len(blocks))
        results = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            RayTrackAnalyzer,
            fn_constructor_args=(self._settings,),
            batch_size=1,
            batch_format="numpy",
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors, initial_size=actors),
        )
        for batch in results.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0):
            yield [json.loads(message) for message in batch["message"]]

    def close(self) -> None:
        """Shut down a cluster that was started here."""
        if self._queue is not None and self._thread is not None:
            self._queue.closed.set()
            self._thread.join(STOP_SECONDS)
        self._cluster.__exit__(None, None, None)


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
