"""Executors that analyze blocks of tracks in processes of this machine or in actors of a Ray cluster.

Both executors yield each row once, in any order and as soon as the track is analyzed. Both use
``TrackAnalyzer``, so a row does not depend on the executor.
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
from models.common.text import first_line, format_count
from models.errors import OverheardError
from realtime.config import AnalysisSettings
from realtime.library.analysis import Row, TrackAnalyzer
from realtime.library.track import LibraryTrack

Block: TypeAlias = tuple[LibraryTrack, ...]

logger = logging.getLogger(__name__)

MAX_BLOCK_TRACKS = 16
"""Tracks in a block. A lost actor loses at most one block, and the last block delays the end of the run."""

BLOCKS_PER_WORKER = 8
"""Blocks for each worker if there are enough tracks, so that all workers finish at about the same time."""

POLL_SECONDS = 1.0
"""Seconds without a row after which an executor yields an empty list, so that waiting rows can be written."""

NO_CORE_SECONDS = 60.0
"""Seconds without a free core in the cluster after which a warning is logged."""

STOP_SECONDS = 2.0
"""Seconds to wait until Ray Data has released an interrupted run. After that, the cluster is shut down."""


class ClusterError(OverheardError):
    """Loss of tracks with the cluster that analyzed them."""


class TrackExecutor(Protocol):
    """Executor that analyzes blocks of tracks."""

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
    """Split tracks into blocks, in order."""
    size = max(1, min(MAX_BLOCK_TRACKS, len(tracks) // (BLOCKS_PER_WORKER * workers)))
    return [tuple(tracks[start : start + size]) for start in range(0, len(tracks), size)]


class _RowQueue:
    """Queue of rows from the threads that analyze to the thread that writes.

    The queue needs no bound. It holds at most one row for each track of the blocks, which are in memory
    already.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[list[Row] | BaseException | None] = SimpleQueue()
        self.closed = threading.Event()
        """Set once the reader needs no further rows."""

    def run(self, source: Iterable[list[Row]]) -> threading.Thread:
        """Read rows from ``source`` on a new thread."""

        def work() -> None:
            failure: BaseException | None = None
            try:
                for rows in source:
                    self._queue.put(rows)
                    if self.closed.is_set():
                        break
            except BaseException as error:  # raised again on the thread that reads the queue
                failure = error
            self._queue.put(failure)  # None marks the end of the source

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
        Number of child processes. 0 means one for each core.
    """

    def __init__(self, settings: AnalysisSettings, workers: int = 0) -> None:
        self.workers = workers or count_usable_cores()
        self._analyzers = [TrackAnalyzer(settings) for _ in range(self.workers)]

    def analyze(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        """Yield the rows of all tracks as soon as they are analyzed."""
        remaining = iter(list(blocks))  # shared by the threads, each of which takes the next block

        def analyze_blocks(analyzer: TrackAnalyzer) -> Iterator[list[Row]]:
            for block in remaining:
                for row in analyzer.analyze(block):
                    yield [row]

        queue = _RowQueue()
        for analyzer in self._analyzers:
            queue.run(analyze_blocks(analyzer))
        yield from queue.rows(self.workers)

    def close(self) -> None:
        """End the child processes."""
        for analyzer in self._analyzers:
            analyzer.close()


class RayTrackAnalyzer:
    """Ray Data actor with one core, one child process and one model. Ray Data calls the object itself."""

    def __init__(self, settings: AnalysisSettings) -> None:
        self._analyzer = TrackAnalyzer(settings)

    def __call__(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Analyze the pickled blocks of a batch, and yield messages as JSON.

        Each message has the ``number`` of the block. The first message of a block names the ``node``. One
        message for each track has the ``row`` and its ``index`` in the block. ``fatal`` is the reason why no
        track can be analyzed on this node. It is a message, because Ray wraps exceptions in its own classes.
        """
        import ray

        node = ray.get_runtime_context().get_node_id()
        for number, block in zip(batch["number"].tolist(), batch["block"], strict=True):
            yield _encode_message({"number": number, "node": node})
            try:
                for index, row in enumerate(self._analyzer.analyze(pickle.loads(block))):
                    yield _encode_message({"number": number, "index": index, "row": row})
            except OverheardError as error:
                yield _encode_message({"number": number, "fatal": str(error)})


def _encode_message(content: dict[str, Any]) -> dict[str, Any]:
    """Encode a message as one row of Ray Data."""
    import numpy as np

    return {"message": np.array([json.dumps(content).encode()], dtype=object)}


class RayTrackExecutor:
    """Executor on Ray Data with one actor for each core. Other nodes analyze the blocks of a lost node.

    Parameters
    ----------
    settings : AnalysisSettings
    workers : int
        Maximum number of actors. 0 means one for each core of the cluster.
    no_core_seconds : float
        Seconds without a free core after which a warning is logged.

    Attributes
    ----------
    nodes : dict of int to str
        Node that last started each block, by the number of the block.

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
        context.target_max_block_size = 1  # so that each row arrives as soon as its track is analyzed

    def analyze(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        """Yield the rows of all tracks.

        A row may arrive twice if its node was lost late. It is yielded once.
        """
        self.nodes.clear()
        queue = self._queue = _RowQueue()
        self._thread = queue.run(self._read_messages(blocks))
        missing = {(number, index) for number, block in enumerate(blocks) for index in range(len(block))}
        waiting_since: float | None = time.monotonic()  # None once a core was free, or after the warning
        try:
            for messages in queue.rows(1):
                rows = []
                for message in messages:
                    waiting_since = None
                    if "fatal" in message:
                        raise OverheardError(message["fatal"])
                    if "node" in message:
                        self.nodes[message["number"]] = message["node"]
                    elif (key := (message["number"], message["index"])) in missing:
                        missing.remove(key)
                        rows.append(message["row"])
                if waiting_since is not None and time.monotonic() - waiting_since >= self._no_core_seconds:
                    waiting_since = None
                    logger.warning(
                        "no core of the cluster has been free for %g s; the tracks are waiting for a core",
                        self._no_core_seconds,
                    )
                yield rows
        except self._ray.exceptions.RayError as error:
            raise ClusterError(
                f"the cluster lost {format_count(len(missing), 'track')} ({first_line(error)}); "
                "finished rows are written, run the command again to continue"
            ) from error
        if missing:
            raise ClusterError(
                f"the cluster returned no rows for {format_count(len(missing), 'track')}; "
                "finished rows are written, run the command again to continue"
            )

    def _read_messages(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        """Yield the messages of the actors. This method runs on a separate thread."""
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
        """Stop the analysis, and shut down a cluster that this executor started."""
        if self._queue is not None and self._thread is not None:
            self._queue.closed.set()
            self._thread.join(STOP_SECONDS)
        self._cluster.__exit__(None, None, None)


def count_usable_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
