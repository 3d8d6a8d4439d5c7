"""Work on other machines: where a command runs, and the workers that it has there.

`using_cluster` says so, as the option `--ray`; `open_workers` gives the processes, of
this machine or of the cluster, by which a part of the project maps its units of work.
"""

from typing import TYPE_CHECKING

from vpr_tf._lazy import lazy_names

if TYPE_CHECKING:
    from vpr_tf.cluster.connection import (
        check_address,
        chosen_cluster,
        using_cluster,
    )
    from vpr_tf.cluster.errors import ClusterError
    from vpr_tf.cluster.remote_worker import MachineCheck, seen_files
    from vpr_tf.cluster.workers import Workers, open_workers

__all__ = [
    "ClusterError",
    "MachineCheck",
    "Workers",
    "check_address",
    "chosen_cluster",
    "open_workers",
    "seen_files",
    "using_cluster",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ClusterError": "vpr_tf.cluster.errors",
        "MachineCheck": "vpr_tf.cluster.remote_worker",
        "Workers": "vpr_tf.cluster.workers",
        "check_address": "vpr_tf.cluster.connection",
        "chosen_cluster": "vpr_tf.cluster.connection",
        "open_workers": "vpr_tf.cluster.workers",
        "seen_files": "vpr_tf.cluster.remote_worker",
        "using_cluster": "vpr_tf.cluster.connection",
    },
)
