import pytest

pytest.importorskip("ray", reason="the extra ray is not installed")

from ray.train import WorkerGroupError

from vpr_tf.cluster import ClusterError
from vpr_tf.config import ConfigError
from vpr_tf.training import cluster_training
from vpr_tf.training.errors import TrainingError


def machine(processors, gpus=0):
    return {"Resources": {"CPU": float(processors), "GPU": float(gpus)}}


@pytest.mark.parametrize(
    ("machines", "batch_size", "num_workers", "resources"),
    [
        ([machine(8), machine(4)], 32, 2, {"CPU": 4}),
        ([machine(8), machine(0)], 32, 1, {"CPU": 8}),
        ([machine(4)] * 3, 32, 2, {"CPU": 4}),
        ([machine(16, 4), machine(8, 2), machine(64)], 96, 6, {"CPU": 4, "GPU": 1}),
        ([machine(4)] * 5, 7, 1, {"CPU": 4}),
    ],
)
def test_batch_is_shared_evenly(
    monkeypatch, machines, batch_size, num_workers, resources
):
    monkeypatch.setattr(cluster_training, "alive_nodes", lambda: machines)
    share = cluster_training._Share.of_cluster(batch_size)
    assert (share.num_workers, share.resources) == (num_workers, resources)


def test_cluster_without_a_processor_is_refused(monkeypatch):
    monkeypatch.setattr(cluster_training, "alive_nodes", lambda: [machine(0)])
    with pytest.raises(ClusterError, match=r"No machine .*ray start --address"):
        cluster_training._Share.of_cluster(32)


def failed(*ranks):
    return WorkerGroupError("it failed", {rank: RuntimeError() for rank in ranks})


def test_worker_that_told_nothing_was_lost():
    told = {0: (TrainingError("Step 3 failed"), True)}
    assert cluster_training._lost(failed(0, 1), told) == "worker 1"


def test_worker_that_is_gone_for_the_others_was_lost():
    told = {0: (TrainingError("Step 3 failed"), True)}
    assert "does not answer" in cluster_training._lost(failed(0), told)


def test_error_of_a_worker_is_raised_itself():
    told = {1: (TrainingError("of its peer"), True), 2: (ConfigError("no such"), False)}
    with pytest.raises(ConfigError, match=r"^no such$"):
        cluster_training._lost(failed(1, 2), told)


def test_error_of_a_peer_is_known_by_its_cause():
    gone = TrainingError("Step 3 failed: Collective ops is aborted by: host down")
    later = TrainingError("Cannot go on")
    later.__cause__ = gone
    assert cluster_training._is_of_peer(later)
    assert not cluster_training._is_of_peer(TrainingError("Out of memory"))
