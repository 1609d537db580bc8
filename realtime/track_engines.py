"""Who hears the blocks of a library: processes of this machine, or the actors of a Ray cluster.

Both give each block's rows once, in any order, and both hear with the same ``Hearer``, so that a row is the
same whoever heard it.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import Any, Protocol, TypeAlias

from models.cluster import ray_cluster
from models.errors import OverheardError
from realtime.track_hearing import Hearer, Hearing, Row
from realtime.tracks import Track

Block: TypeAlias = tuple[Track, ...]

LARGEST_BLOCK = 16
"""Tracks that one worker hears before it reports: what a lost node costs, and how long the last one takes."""

BLOCKS_A_WORKER = 8
"""At least, where there are tracks enough: the last blocks end at about the same time."""


class ClusterError(OverheardError):
    """Blocks were lost with the cluster."""


class Engine(Protocol):
    """Hears blocks."""

    @property
    def workers(self) -> int:
        """How many tracks are heard at a time."""
        ...

    def heard(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        """The rows of each block, as they come; each block once.

        Raises
        ------
        OverheardError
            The model cannot be loaded, or the cluster is gone.
        """
        ...

    def close(self) -> None:
        """End what still hears."""
        ...


def blocks_of(tracks: Sequence[Track], workers: int) -> list[Block]:
    """Cut tracks into blocks, in order."""
    size = max(1, min(LARGEST_BLOCK, len(tracks) // (BLOCKS_A_WORKER * workers)))
    return [tuple(tracks[start : start + size]) for start in range(0, len(tracks), size)]


class LocalEngine:
    """Child processes of this machine, one a worker.

    Parameters
    ----------
    hearing : Hearing
    workers : int
        As many as there are cores where it is 0.
    """

    def __init__(self, hearing: Hearing, workers: int = 0) -> None:
        self.workers = workers or usable_cores()
        self._hearers = [Hearer(hearing) for _ in range(self.workers)]
        self._idle: SimpleQueue[Hearer] = SimpleQueue()
        for hearer in self._hearers:
            self._idle.put(hearer)

    def heard(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        """The rows of each block, as they come."""

        def hear(block: Block) -> list[Row]:
            hearer = self._idle.get()
            try:
                return hearer.hear_block(block)
            finally:
                self._idle.put(hearer)

        rest = iter(blocks)
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="hearing")
        try:
            running: set[Future[list[Row]]] = set()
            while True:
                while len(running) < 2 * self.workers and (block := next(rest, None)) is not None:
                    running.add(pool.submit(hear, block))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """End the children."""
        for hearer in self._hearers:
            hearer.close()


class RayHearer:
    """A Ray Data actor: one core, one child, one model."""

    def __init__(self, hearing: Hearing) -> None:
        self._hearer = Hearer(hearing)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Hear the blocks of a batch, pickled; give their numbers and their rows as JSON."""
        import numpy as np

        rows = [self._hearer.hear_block(pickle.loads(block)) for block in batch["block"]]
        told = np.array([json.dumps(each).encode() for each in rows], dtype=object)
        return {"number": batch["number"], "rows": told}


class RayEngine:
    """Ray Data, one actor a core of the cluster; a lost node's blocks are heard by the others.

    Parameters
    ----------
    hearing : Hearing
    workers : int
        At most so many actors; as many as the cluster has cores where it is 0.

    Raises
    ------
    OverheardError
        Ray is not installed, or the cluster does not answer.
    """

    def __init__(self, hearing: Hearing, workers: int = 0) -> None:
        self._hearing = hearing
        self._cluster = ray_cluster(workers or None)
        self._ray = self._cluster.__enter__()
        cores = int(self._ray.cluster_resources().get("CPU", 1))
        self.workers = max(1, workers or cores)
        context = self._ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.log_internal_stack_trace_to_stdout = False

    def heard(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        """The rows of each block, as they come; what comes twice, because its node died late, once."""
        ray = self._ray
        waiting = set(range(len(blocks)))
        items = [{"number": number, "block": pickle.dumps(block)} for number, block in enumerate(blocks)]
        heard = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            RayHearer,
            fn_constructor_args=(self._hearing,),
            batch_size=1,
            batch_format="numpy",
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(self.workers, len(blocks))),
        )
        try:
            for batch in heard.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0):
                for number, rows in zip(batch["number"].tolist(), batch["rows"], strict=True):
                    if number in waiting:
                        waiting.remove(number)
                        yield json.loads(rows)
        except ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, OverheardError):
                raise cause from error
            raise ClusterError(
                f"the cluster lost {len(waiting)} of {len(blocks)} blocks for good "
                f"({str(error).splitlines()[0]}); what was heard is written, run it again to go on"
            ) from error
        if waiting:
            raise ClusterError(
                f"{len(waiting)} of {len(blocks)} blocks never came back; what was heard is written, "
                "run it again to go on"
            )

    def close(self) -> None:
        """End a cluster that was begun here."""
        self._cluster.__exit__(None, None, None)


def usable_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
