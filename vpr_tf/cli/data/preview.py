"""Draws images of a dataset: a split, classes beside their neighbours, augmented ones.

Each is one PNG picture: what there is, how unlike two classes across a border are, and
what the encoder is given in training. Without a split `train` only the first is drawn.

Examples:
  vpr data preview --config configs/quickstart.yaml
  vpr data preview --config configs/quickstart.yaml --split test-test-queries \\
    train.augmentation.extra='[{name: RandomPerspective, factor: 0.5}]'
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vpr_tf.cli.numbers import positive, seed
from vpr_tf.cli.options import add_config, config_with_dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_config(parser)
    parser.add_argument(
        "--split", default="train", metavar="NAME", help="of the first picture [train]"
    )
    parser.add_argument(
        "--rows", type=positive, default=6, help="rows of each picture [6]"
    )
    parser.add_argument("--seed", type=seed, default=0, help="chooses other images [0]")
    parser.add_argument("--output", help="folder of the pictures [DATASET/preview]")


def run(options: argparse.Namespace) -> int:
    """Draws the pictures."""
    config = config_with_dataset(options)
    from vpr_tf.data.prepared_dataset import PreparedDataset

    dataset = PreparedDataset(config.dataset.path)
    dataset.split(options.split)
    partition = None
    if "train" in dataset.split_names:
        partition = dataset.partition(config.partition_name)
    from data_prep.inspection import preview_dataset

    preview_dataset(
        dataset,
        partition,
        config.train,
        Path(options.output or dataset.path / "preview"),
        split_name=options.split,
        num_rows=options.rows,
        seed=options.seed,
    )
    return 0
