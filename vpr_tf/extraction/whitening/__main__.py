"""Whitens descriptors; see `python -m vpr_tf.extraction.whitening --help`.

Fits PCA on descriptors of a sample of images and saves the encoder with it as a
.keras file, which evaluate.py --model takes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from vpr_tf.config import load_config

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, whitens, and returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m vpr_tf.extraction.whitening",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", required=True, help="a file of configs/")
    parser.add_argument(
        "--model", help="run folder or .keras file; without it the config's encoder"
    )
    parser.add_argument("--dim", type=int, required=True, help="values that are kept")
    parser.add_argument(
        "--no-whiten", action="store_true", help="PCA alone, without equal variances"
    )
    parser.add_argument("--split", default="train", help="default: train")
    parser.add_argument(
        "--images", type=int, default=10_000, help="size of the sample; default: 10000"
    )
    parser.add_argument("--output", required=True, help="the .keras file to write")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_intermixed_args(arguments)
    try:
        config = load_config(options.config, options.overrides)
        from vpr_tf.extraction.whitening.command import whiten_encoder

        whiten_encoder(
            config,
            options.model,
            options.output,
            dim=options.dim,
            whiten=not options.no_whiten,
            split_name=options.split,
            max_images=options.images,
        )
    except (ValueError, OSError, ImportError) as error:
        print(f"python -m vpr_tf.extraction.whitening: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; nothing was written.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
