"""Real Ray cluster of two nodes, one of which is killed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.common.ray import require_ray
from models.errors import OverheardError
from realtime.config import ModelSettings
from realtime.library.analysis import Row
from realtime.library.discovery import find_tracks
from realtime.library.executors import Block, ClusterError, ProcessTrackExecutor, RayTrackExecutor
from realtime.library.track import LibraryTrack
from realtime.monitoring.group_clients import RayGroupClient
from tests.support.libraries import (
    ANALYSIS_SETTINGS,
    endless_file,
    read_rows,
    scan,
    settings_with_limit,
    write_tracks,
)
from tests.support.paths import DEMONSTRATION
from tests.support.stations import ANALYSIS_SETTINGS as STATION_SETTINGS
from tests.support.stations import (
    TriggeredAction,
    check_messages,
    make_stations,
    radio,
    run_monitor,
    select_messages,
)
from tests.support.stream_servers import WebServer
from training.networks.pretrained import weights_sha256
from training.networks.study import STUDY_CNN
from training.parallel import SEQUENTIAL, RayExecutor
from training.study.fold_training import train_fresh

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own

__all__ = ["endless_file", "radio"]  # fixtures

STORE_BYTES = 80_000_000


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster whose head has one core."""
    ray = require_ray()
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False},
    )
    try:
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def add_node(cluster: Any) -> Any:
    """Add a node with one core."""
    node = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    cluster.wait_for_nodes()
    return node


class Busy:
    """Actor that holds a core."""

    def ping(self) -> None:
        pass


def hold_core() -> Any:
    ray = require_ray()
    busy = ray.remote(Busy).options(num_cpus=1).remote()
    ray.get(busy.ping.remote())
    return busy


MAX_WAIT_SECONDS = 300.0
"""Seconds within which the second node has to begin a block. Its workers start in 10 to 60 s."""


class NodeKillingExecutor:
    """Ray executor that kills the second node once both nodes have begun a block, or half of them are begun.

    The first node gets its core once the second has begun, or it might analyze all blocks before that.
    """

    def __init__(self, cluster: Any, node: Any, first_core: Any) -> None:
        self._inner, self._cluster, self._node = RayTrackExecutor(ANALYSIS_SETTINGS), cluster, node
        self._first_core = first_core
        self.workers = self._inner.workers
        self.killed = False

    def analyze(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        end = time.monotonic() + MAX_WAIT_SECONDS
        for rows in self._inner.analyze(blocks):
            begun = self._inner.nodes.values()
            assert self._first_core is None or time.monotonic() < end, "the second node began no block"
            if self._first_core is not None and self._node.node_id in begun:
                require_ray().kill(self._first_core)
                self._first_core = None
            if not self.killed and (len(set(begun)) > 1 or len(begun) > len(blocks) // 2):
                self._cluster.remove_node(self._node, allow_graceful=False)
                self.killed = True
            yield rows

    def close(self) -> None:
        self._inner.close()


def test_a_node_killed_in_the_middle_loses_no_track_and_counts_none_twice(
    cluster: Any, tmp_path: Path
) -> None:
    write_tracks(tmp_path / "music", 16)
    (tmp_path / "music" / "bad.mp3").write_bytes(b"no sound" * 100)
    first_core = hold_core()
    node = add_node(cluster)
    executor = NodeKillingExecutor(cluster, node, first_core)
    assert executor.workers == 2
    summary = scan(tmp_path / "music", tmp_path / "ray", executor)
    assert executor.killed, "no block was on the node that was to be killed"
    assert (summary.found, summary.analyzed, summary.faulty) == (17, 17, 1)
    local = ProcessTrackExecutor(ANALYSIS_SETTINGS, 1)
    try:
        scan(tmp_path / "music", tmp_path / "local", local)
    finally:
        local.close()
    assert len(read_rows(tmp_path / "ray")) == 17
    assert read_rows(tmp_path / "ray") == read_rows(tmp_path / "local")


def test_the_cluster_returns_each_row_as_soon_as_it_is_analyzed(
    cluster: Any, endless_file: Path, tmp_path: Path
) -> None:
    """The rows of a block once came all together, after minutes, and were lost if the scan stopped before."""
    block = tuple(find_tracks([str(write_tracks(tmp_path / "music", 1)[0]), str(endless_file)]))
    results = RayTrackExecutor(settings_with_limit(6)).analyze([block])
    (first,) = next(rows for rows in results if rows)
    assert first["uri"] == block[0].uri
    assert next(results) == []
    (second,) = next(rows for rows in results if rows)
    assert second["fault"].endswith("endless.wav took longer than 6 s and was stopped")
    assert not [rows for rows in results if rows]


def test_a_model_missing_on_a_node_is_reported_in_one_sentence(cluster: Any) -> None:
    """Ray wraps what an actor raises, and its traceback of a page once hid the reason."""
    settings = replace(ANALYSIS_SETTINGS, model=ModelSettings(manifest="/none.json"))
    results = RayTrackExecutor(settings).analyze([tuple(find_tracks([str(DEMONSTRATION)]))])
    with pytest.raises(OverheardError, match=r"/none\.json") as raised:
        list(results)
    assert not isinstance(raised.value, ClusterError)
    assert len(str(raised.value).splitlines()) == 1


def test_a_scan_that_waits_for_a_core_logs_it(cluster: Any, caplog: pytest.LogCaptureFixture) -> None:
    busy = hold_core()
    results = RayTrackExecutor(ANALYSIS_SETTINGS, no_core_seconds=1.0).analyze(
        [(LibraryTrack("/nowhere.wav", -1, -1),)]
    )
    with caplog.at_level("WARNING", "realtime.library.executors"):
        while not caplog.messages:
            assert next(results) == []
    assert caplog.messages == [
        "no core of the cluster has been free for 1 s; the tracks are waiting for a core"
    ]
    require_ray().kill(busy)
    assert [rows[0]["retry"] for rows in results if rows] == [True]


def test_the_stations_of_a_killed_node_move_to_another(cluster: Any, radio: WebServer) -> None:
    """The monitor numbers the messages, so that numbers continue when a group moves to another node."""
    names = ("One", "Zwei")
    groups = [make_stations(radio, name) for name in names]
    ray = require_ray()
    node = add_node(cluster)
    feeds = [RayGroupClient(ray, group, STATION_SETTINGS) for group in groups]
    kill = TriggeredAction(names, names, lambda: cluster.remove_node(node, allow_graceful=False))
    messages = run_monitor(groups, feeds, kill)
    assert kill.at is not None
    check_messages(messages, names)
    recovering = [
        message
        for name in names
        for message in select_messages(messages[kill.at :], name, "state")
        if message["state"] == "RECOVERING"
    ]
    assert recovering, "no group was on the node that was killed"
    for message in recovering:
        assert (
            message["detail"] == "the computer that analyzed it is unreachable; another computer takes over"
        )
    assert len({message["source"] for message in recovering}) == len(recovering) == 1


@pytest.mark.training
def test_folds_as_ray_tasks_equal_sequential_folds(cluster: Any) -> None:
    from tests.support.study import DATA, SMALL, in_folds

    plan, seeds = replace(SMALL, epochs=2), [0, 1]
    here = train_fresh(STUDY_CNN, DATA, in_folds()[:2], plan, seeds)
    there = train_fresh(STUDY_CNN, DATA, in_folds()[:2], plan, seeds, RayExecutor(require_ray()))
    for one, other in zip(here, there, strict=True):
        assert np.array_equal(one.predicted, other.predicted)
        assert np.array_equal(one.test, other.test)


def test_results_and_errors_come_back_from_the_cluster(cluster: Any, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        path.write_text(path.name)
    executor = RayExecutor(require_ray())
    calls = [(path,) for path in paths]
    assert executor.run(weights_sha256, calls) == SEQUENTIAL.run(weights_sha256, calls)
    with pytest.raises(OverheardError, match=r"cannot read the distilled weights /none\.npz"):
        executor.run(weights_sha256, [(Path("/none.npz"),)])
