"""Prepared datasets: from folders and tables of images to TFRecord shards."""

from typing import TYPE_CHECKING

from vpr_tf._lazy import lazy_names

if TYPE_CHECKING:
    from data_prep.added_tests import add_test
    from data_prep.build import build_dataset
    from data_prep.partition.assignment import add_partition
    from data_prep.partition.table import partition_table

__all__ = ["add_partition", "add_test", "build_dataset", "partition_table"]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "add_partition": "data_prep.partition.assignment",
        "add_test": "data_prep.added_tests",
        "build_dataset": "data_prep.build",
        "partition_table": "data_prep.partition.table",
    },
)
