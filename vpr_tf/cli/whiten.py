"""Adds PCA whitening to an encoder: shorter descriptors of equal variances.

PCA is fitted on descriptors of a sample of images; the encoder with it is written as
a .keras file, which `--model` takes everywhere.

Example:
  vpr whiten --config configs/sf_xs_dark.yaml --model runs/sf_xs_dark/<time> \\
      --dim 256 --output whitened.keras
"""

from __future__ import annotations

import argparse

from vpr_tf.cli.engine_options import add_engine
from vpr_tf.cli.main import Outcome
from vpr_tf.cli.numbers import positive
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
    add_engine(parser)
    parser.add_argument(
        "--dim", type=positive, required=True, help="values that are kept"
    )
    parser.add_argument(
        "--no-whiten", action="store_true", help="PCA alone, without equal variances"
    )
    parser.add_argument("--split", default="train", help="default: train")
    add_changed_encoder(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Whitens."""
    config = config_with_dataset(options)
    from vpr_tf.extraction.whitening import whiten_encoder

    extractor, whitening = whiten_encoder(
        config,
        options.model,
        options.output,
        dim=options.dim,
        whiten=not options.no_whiten,
        split_name=options.split,
        max_images=options.images,
    )
    return Outcome(
        None,
        f"Model: {extractor.description}\n"
        f"PCA of {whitening.num_descriptors:,} descriptors of {options.split}: "
        f"{options.dim} of {extractor.descriptor_dim} directions hold "
        f"{100 * whitening.explained_variance:.1f} % of the variance"
        f"{'.' if options.no_whiten else ', whitened.'}\nSaved: {options.output}",
    )
