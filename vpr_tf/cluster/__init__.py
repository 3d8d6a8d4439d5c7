"""Work on other machines: where a command runs, and the workers that it has there.

`using_cluster` says so, as the option `--ray`; `open_workers` gives the processes, of
this machine or of the cluster, by which a part of the project maps its units of work.
"""

from typing import TYPE_CHECKING

from vpr_tf._lazy import lazy_names

if TYPE_CHECKING:
    from vpr_tf.cluster.connection import check_address, chosen_cluster, using_cluster
    from vpr_tf.cluster.errors import ClusterError
    from vpr_tf.cluster.head import HeadWatch
    from vpr_tf.cluster.ray_workers import RayCluster
    from vpr_tf.cluster.remote_worker import (
        MachineCheck,
        SeenFile,
        require_seen,
        seen_files,
    )
    from vpr_tf.cluster.worker_group import WorkerSetup, alive_nodes, gpus_of
    from vpr_tf.cluster.workers import Workers, open_workers

__all__ = [
    "ClusterError",
    "HeadWatch",
    "MachineCheck",
    "RayCluster",
    "SeenFile",
    "WorkerSetup",
    "Workers",
    "alive_nodes",
    "check_address",
    "chosen_cluster",
    "gpus_of",
    "open_workers",
    "require_seen",
    "seen_files",
    "using_cluster",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ClusterError": "vpr_tf.cluster.errors",
        "HeadWatch": "vpr_tf.cluster.head",
        "MachineCheck": "vpr_tf.cluster.remote_worker",
        "RayCluster": "vpr_tf.cluster.ray_workers",
        "SeenFile": "vpr_tf.cluster.remote_worker",
        "WorkerSetup": "vpr_tf.cluster.worker_group",
        "Workers": "vpr_tf.cluster.workers",
        "alive_nodes": "vpr_tf.cluster.worker_group",
        "check_address": "vpr_tf.cluster.connection",
        "chosen_cluster": "vpr_tf.cluster.connection",
        "gpus_of": "vpr_tf.cluster.worker_group",
        "open_workers": "vpr_tf.cluster.workers",
        "require_seen": "vpr_tf.cluster.remote_worker",
        "seen_files": "vpr_tf.cluster.remote_worker",
        "using_cluster": "vpr_tf.cluster.connection",
    },
)
