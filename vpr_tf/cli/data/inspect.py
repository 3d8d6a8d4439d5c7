"""Prints and draws what a prepared dataset holds.

The exit status is 1 when --verify finds a damaged record.

Examples:
  vpr data inspect --config configs/quickstart.yaml
  vpr data inspect --dataset datasets/quickstart --verify
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vpr_tf.cli.options import add_config, config_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_config(parser, required=False)
    parser.add_argument("--dataset", metavar="DIR", help="instead of a config")
    parser.add_argument("--output", help="folder of the pictures [DATASET/inspection]")
    parser.add_argument(
        "--verify", action="store_true", help="also read and check every record"
    )


def run(options: argparse.Namespace) -> int:
    """Inspects one dataset; status 1 when a record is damaged."""
    if (options.dataset is None) == (options.config is None):
        raise ValueError("Pass either --config FILE or --dataset DIR.")
    if options.dataset and options.overrides:
        raise ValueError("Overrides change a config. Use --config with them.")
    from vpr_tf.data.prepared_dataset import PreparedDataset

    dataset = PreparedDataset(options.dataset or config_of(options).dataset.path)
    from data_prep.inspection import inspect_dataset, verify_dataset

    inspect_dataset(dataset, Path(options.output or dataset.path / "inspection"))
    return 1 if options.verify and verify_dataset(dataset) else 0
