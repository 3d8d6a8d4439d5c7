"""Draws a miniature city: a data set to try everything on.

Examples:
  vpr data synthesize --output datasets/quickstart_images
  vpr data synthesize --output datasets/city --preset tiny --faults 0.3
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from vpr_tf.cli.numbers import positive, seed, share, workers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument(
        "--output", type=Path, required=True, help="folder to write the images to"
    )
    parser.add_argument(
        "--preset",
        default="quickstart",
        metavar="NAME",
        help="size of the city; default: quickstart",
    )
    parser.add_argument(
        "--seed", type=seed, default=0, help="another seed is another city"
    )
    parser.add_argument(
        "--image-size", type=positive, help="side in pixels; default: the preset's"
    )
    parser.add_argument(
        "--workers",
        type=workers,
        default=len(os.sched_getaffinity(0)),
        help="processes (default: all cores); the images do not depend on it",
    )
    parser.add_argument(
        "--panoramas",
        action="store_true",
        help="train/ has whole panoramas, 6.5 times as wide as high, instead of crops",
    )
    parser.add_argument(
        "--faults",
        type=share,
        metavar="SHARE",
        help="also copy the photos of train/ to faulty/photos/, about this share of "
        "them with a fault that faulty/faults.csv names",
    )


def run(options: argparse.Namespace) -> int:
    """Draws the city."""
    from data_prep.synthesize import synthesis_config, synthesize

    config = synthesis_config(
        options.preset, options.seed, options.image_size, options.panoramas
    )
    synthesize(config, options.output, options.workers, options.faults)
    return 0
