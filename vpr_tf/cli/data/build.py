"""Builds a prepared dataset from images: TFRecord shards and their index.

`build` of the config names the images, `dataset.path` the folder. A build that was
interrupted continues when the same command is run again.

Example:
  vpr data build --config configs/quickstart.yaml
"""

from __future__ import annotations

import argparse

from vpr_tf.cli.options import add_config, add_ray, config_of
from vpr_tf.cli.reading_options import add_reading, with_reading


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_config(parser)
    add_reading(parser)
    add_ray(parser, "read and write")


def run(options: argparse.Namespace) -> int:
    """Builds `dataset.path` from `build`."""
    config = with_reading(options, config_of(options))
    from data_prep.build import build_dataset

    build_dataset(config)
    return 0
