"""Adds the partition `build.partition` to a built dataset, in seconds.

No image is touched; a dataset may have many partitions.

Example:
  vpr data partition --config configs/sf_xs_dark.yaml \\
      build.partition.name=coarse build.partition.cell_size_m=50
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vpr_tf.cli.options import add_config, config_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Adds the partition."""
    config = config_of(options)
    from data_prep.partition.assignment import add_partition, summary

    partition, path = config.build.partition, Path(config.dataset.path)
    assignment = add_partition(path, partition)
    if assignment is None:
        print(f"{path} has the partition {partition.name!r} already; nothing to do.")
    else:
        print(summary(assignment, partition))
    return 0
