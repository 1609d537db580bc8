"""Real Ray cluster of two nodes, one of which is killed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.common.ray import require_ray
from models.errors import OverheardError
from realtime.config import AnalysisSettings, ModelSettings
from realtime.library.analysis import Row
from realtime.library.discovery import find_tracks
from realtime.library.executors import Block, ClusterError, ProcessTrackExecutor, RayTrackExecutor
from realtime.library.track import LibraryTrack
from realtime.monitoring.group_clients import RayGroupClient
from tests.support.libraries import HEARING, endless, hearing_in, music, rows_of, run
from tests.support.paths import DEMONSTRATION
from tests.support.stations import HEARING as CLUSTER_HEARING
from tests.support.stations import Event, check_numbers, monitored, of, radio, stations_of
from tests.support.stream_servers import WebServer
from training.networks.pretrained import weights_sha256
from training.networks.study import STUDY_CNN
from training.parallel import SEQUENTIAL, RayExecutor
from training.study.fold_training import train_fresh

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own

__all__ = ["endless", "radio"]  # fixtures

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


def join(cluster: Any) -> Any:
    """One more node, with a core."""
    node = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    cluster.wait_for_nodes()
    return node


class LosingANode:
    """The Ray engine, whose second node is killed when it has begun a block."""

    def __init__(self, cluster: Any, node: Any) -> None:
        self._inner, self._cluster, self._node = RayTrackExecutor(HEARING), cluster, node
        self.workers = self._inner.workers
        self.killed = False

    def analyze(self, blocks: Sequence[Block]) -> Iterator[list[Row]]:
        for rows in self._inner.analyze(blocks):
            if not self.killed and self._node.node_id in self._inner.nodes.values():
                self._cluster.remove_node(self._node, allow_graceful=False)
                self.killed = True
            yield rows

    def close(self) -> None:
        self._inner.close()


def test_a_node_killed_in_the_middle_loses_no_track_and_counts_none_twice(
    cluster: Any, tmp_path: Path
) -> None:
    music(tmp_path / "music", 16)
    (tmp_path / "music" / "bad.mp3").write_bytes(b"no sound" * 100)
    node = join(cluster)
    engine = LosingANode(cluster, node)
    assert engine.workers == 2
    summary = run(tmp_path / "music", tmp_path / "ray", engine)
    assert engine.killed, "no block was on the node that was to be killed"
    assert (summary.found, summary.analyzed, summary.faulty) == (17, 17, 1)
    local = ProcessTrackExecutor(HEARING, 1)
    try:
        run(tmp_path / "music", tmp_path / "local", local)
    finally:
        local.close()
    assert len(rows_of(tmp_path / "ray")) == 17
    assert rows_of(tmp_path / "ray") == rows_of(tmp_path / "local")


def test_rows_come_from_the_cluster_when_they_are_heard(cluster: Any, endless: Path, tmp_path: Path) -> None:
    """Rows of a block came together, after minutes, and were lost with whoever waited for them."""
    block = tuple(find_tracks([str(music(tmp_path / "music", 1)[0]), str(endless)]))
    heard = RayTrackExecutor(hearing_in(6)).analyze([block])
    (first,) = next(rows for rows in heard if rows)
    assert first["uri"] == block[0].uri
    assert next(heard) == []
    (second,) = next(rows for rows in heard if rows)
    assert second["fault"].endswith("endless.wav took longer than 6 s and was stopped")
    assert not [rows for rows in heard if rows]


def test_a_model_that_a_node_has_not_is_one_sentence(cluster: Any) -> None:
    """Ray wraps what an actor raises, so that its reason was lost in a page of its own."""
    hearing = AnalysisSettings(ModelSettings(manifest="/none.json"), HEARING.smoothing, HEARING.silence)
    heard = RayTrackExecutor(hearing).analyze([tuple(find_tracks([str(DEMONSTRATION)]))])
    with pytest.raises(OverheardError, match=r"/none\.json") as raised:
        list(heard)
    assert not isinstance(raised.value, ClusterError)
    assert len(str(raised.value).splitlines()) == 1


def test_who_waits_for_a_core_is_told(cluster: Any, caplog: pytest.LogCaptureFixture) -> None:
    ray = require_ray()

    class Busy:
        def here(self) -> None:
            pass

    busy = ray.remote(Busy).options(num_cpus=1).remote()
    ray.get(busy.here.remote())
    heard = RayTrackExecutor(HEARING, no_core_seconds=1.0).analyze([(LibraryTrack("/nowhere.wav", -1, -1),)])
    with caplog.at_level("WARNING", "realtime.library.executors"):
        while not caplog.messages:
            assert next(heard) == []
    assert caplog.messages == [
        "no core of the cluster has been free for 1 s; the tracks are waiting for a core"
    ]
    ray.kill(busy)
    assert [rows[0]["retry"] for rows in heard if rows] == [True]


def test_the_stations_of_a_killed_node_move_to_another(cluster: Any, radio: WebServer) -> None:
    """The driver numbers what it is told, so that numbers go on when a group begins anew elsewhere."""
    names = ("One", "Zwei")
    groups = [stations_of(radio, name) for name in names]
    ray = require_ray()
    node = join(cluster)
    feeds = [RayGroupClient(ray, group, CLUSTER_HEARING) for group in groups]
    event = Event(names, names, lambda: cluster.remove_node(node, allow_graceful=False))
    heard = monitored(groups, feeds, event)
    assert event.at is not None
    check_numbers(heard, names)
    recovering = [
        message
        for name in names
        for message in of(heard[event.at :], name, "state")
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
