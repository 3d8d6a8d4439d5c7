"""Writes a model as a SavedModel that stock TF Serving loads.

The folder is OUTPUT/NAME/<version>/, one version more than there is. With
evaluation.method=classification the heads of a run are exported with its encoder.
A run and the name of a released encoder need no --config.

Example:
  vpr export --model runs/sf_xs_dark/<time> --output savedmodels --name city
"""

from __future__ import annotations

import argparse
import dataclasses

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.numbers import positive
from vpr_tf.cli.options import (
    add_config,
    add_json,
    add_model,
    config_of_model,
    folder_name,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_model(parser, "without it the config's encoder")
    add_config(parser, required=False)
    parser.add_argument(
        "--output", metavar="DIR", help="default: savedmodels_dir of the config"
    )
    parser.add_argument(
        "--name", type=folder_name, help="of the model; default: that of the model"
    )
    parser.add_argument(
        "--num-places",
        type=positive,
        default=20,
        metavar="N",
        help="places that heads give for each photo; default: 20",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Exports."""
    config = config_of_model(options)
    if options.output:
        config = dataclasses.replace(config, savedmodels_dir=options.output)
    from vpr_tf.export.exported_model import export_model

    made = export_model(
        config, options.model, name=options.name, num_places=options.num_places
    )
    lines = [
        f"Model: {made.model}",
        f"Images: {made.preprocessing}",
        f"SavedModel: {made.version}, {made.descriptor_dim} dimensions",
    ]
    lines += [made.heads] if made.heads else []
    return Outcome({"savedmodel": str(made.version)}, "\n".join(lines))
