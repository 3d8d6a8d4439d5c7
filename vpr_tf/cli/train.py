"""Trains an encoder; ends with its results on the test sets and a SavedModel.

An interrupted run goes on with --resume, from the step where it was.

Examples:
  vpr train --config configs/quickstart.yaml
  vpr train --config configs/sf_xs_dark.yaml train.batch_size=8
  vpr train --config configs/sf_xs_dark.yaml --resume
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vpr_tf.cli.milvus_options import add_milvus, check_address_given
from vpr_tf.cli.options import add_config, add_ray, config_with_dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_config(parser)
    parser.add_argument(
        "--resume",
        nargs="?",
        const=True,
        default=False,
        metavar="RUN",
        help="go on with a run folder; without a value, with the newest of that name",
    )
    add_ray(parser, "train")
    add_milvus(parser)


def run(options: argparse.Namespace) -> int:
    """Trains."""
    resume = options.resume
    if isinstance(resume, str) and "=" in resume and not Path(resume).is_dir():
        options.overrides.insert(0, resume)
        resume = True
    config = config_with_dataset(options)
    check_address_given(config)
    if resume:
        from vpr_tf.training.resume import find_run

        find_run(config, resume)
    if options.ray is not None:
        from vpr_tf.training.cluster_training import train_on_cluster

        train_on_cluster(config, resume=resume)
        return 0
    from vpr_tf.training.process import environment_line
    from vpr_tf.training.train import train

    print(environment_line(), flush=True)
    train(config, resume=resume)
    return 0
