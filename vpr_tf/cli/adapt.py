"""Adapts an encoder to photos of another kind, by the statistics of its batch norms.

The photos need no positions: of a split of the dataset, or of a folder, nothing but
the pixels is used. The encoder with the new statistics is written as a .keras file,
which `--model` takes everywhere. Transformers have no such statistics.

Example:
  vpr adapt --config configs/sf_xs_dark.yaml --model runs/sf_xs_dark/<time> \\
      --split val-queries --output adapted.keras
"""

from __future__ import annotations

import argparse

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import (
    add_changed_encoder,
    add_config,
    add_model,
    config_with_dataset,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    add_config(parser)
    add_model(parser, "without it the config's encoder")
    photos = parser.add_mutually_exclusive_group()
    photos.add_argument("--split", help="the photos; default: those of train.target")
    photos.add_argument(
        "--photos", metavar="DIR_OR_CSV", help="photos instead of a split"
    )
    parser.add_argument(
        "--share",
        type=float,
        default=1.0,
        help="of the new statistics, the rest is of the old ones; default: 1",
    )
    add_changed_encoder(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Adapts."""
    config = config_with_dataset(options)
    from vpr_tf.config import ConfigError, TargetConfig
    from vpr_tf.extraction.adaptation import adapt_batch_norms

    target = config.train.target
    if options.split is not None or options.photos is not None:
        target = TargetConfig(options.split, options.photos)
    if target is None:
        raise ConfigError(
            "There are no photos to adapt to: the config has no `train.target`. Pass "
            "--split NAME, such as val-queries, or --photos DIR_OR_CSV."
        )
    extractor, num_images = adapt_batch_norms(
        config,
        options.model,
        options.output,
        target=target,
        share=options.share,
        max_images=options.images,
    )
    return Outcome(
        None,
        f"Model: {extractor.description}\n"
        f"Statistics of batch norms: {options.share:g} of {num_images:,} photos of "
        f"{target.split or target.photos}.\nSaved: {options.output}",
    )
