"""Gives the localizations of an index, or of heads, their confidence.

Fits confidence, expected error and the confidence below which a localization is
withheld, on queries of known position, and stores them in the index, or beside the
heads. With localization.rerank.when=below_confidence or always a second calibration is
fitted, of photos that are compared with their candidates.

Examples:
  vpr index calibrate --index city.index --config configs/sf_xs_dark.yaml
  vpr index calibrate --index city.index --config configs/sf_xs_dark.yaml \\
      localization.rerank.when=below_confidence \\
      localization.rerank.weights=xfeat.weights.h5
  vpr index calibrate --classifier runs/heads/2026-11-21_15-31-43 \\
      --config configs/dense/divide_and_classify.yaml
"""

from __future__ import annotations

import argparse

from vpr_tf.cli.engine_options import add_engine
from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import (
    add_config,
    add_index,
    add_json,
    add_model,
    config_with_dataset,
    existing_model,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    what = parser.add_mutually_exclusive_group(required=True)
    add_index(parser, what)
    what.add_argument(
        "--classifier",
        type=existing_model,
        metavar="RUN",
        help="run whose heads are calibrated",
    )
    add_config(parser)
    parser.add_argument("--set", default="val", metavar="NAME", help="default: val")
    add_model(parser, "the encoder, if the index keeps none")
    add_engine(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Calibrates."""
    config = config_with_dataset(options)
    parts, reranked = [], None
    if options.classifier:
        from vpr_tf.classification import heads_folder

        folder = heads_folder(options.classifier)  # one without heads is refused
        from vpr_tf.evaluation.calibrate import calibrate_model

        found = calibrate_model(options.classifier, config, set_name=options.set)
    else:
        from vpr_tf.place_index import PlaceIndex

        with PlaceIndex.open(options.index):  # a wrong folder is refused at once
            folder = options.index
        from vpr_tf.evaluation.calibrate import calibrate_index

        found, methods = calibrate_index(
            options.index, config, set_name=options.set, model=options.model
        )
        parts.append(methods.to_markdown())
        with PlaceIndex.open(options.index) as index:
            reranked = index.manifest.reranked_calibration
    from vpr_tf.localization import describe_calibration

    parts.append(describe_calibration(found))
    if reranked is not None:
        parts.append(f"Re-ranked candidates: {describe_calibration(reranked)}")
    parts.append(f"Stored in {folder}.")
    return Outcome(found.summary(), "\n\n".join(parts))
