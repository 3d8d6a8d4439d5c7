"""`python -m data_prep partition`: adds a named partition to a built dataset."""

from __future__ import annotations

import argparse
from pathlib import Path

from data_prep.partition.files import add_partition, summary
from vpr_tf.config import load_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.add_argument("--config", required=True, help="YAML file of the experiment")
    parser.add_argument("overrides", nargs="*", help="dotted.key=value")


def run(arguments: argparse.Namespace) -> int:
    """Adds the partition `build.partition` to `dataset.path`."""
    config = load_config(arguments.config, arguments.overrides)
    partition = config.build.partition
    path = Path(config.dataset.path)
    assignment = add_partition(path, partition)
    if assignment is None:
        print(f"{path} has the partition {partition.name!r} already; nothing to do.")
    else:
        print(summary(assignment, partition))
    return 0
