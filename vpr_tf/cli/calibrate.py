"""Calibrates an index, or the heads of a run that answer by themselves:

    python -m vpr_tf.cli.calibrate --index DIR --config FILE
    python -m vpr_tf.cli.calibrate --model RUN --config FILE

Fits confidence, expected error and the confidence from which on answers are given on
queries of known position, and stores them in the index, or beside the heads.
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
    """Parses the command line, calibrates, and returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m vpr_tf.cli.calibrate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--index", help="folder of the index")
    parser.add_argument("--config", required=True, help="a file of configs/")
    parser.add_argument("--set", default="val", metavar="NAME", help="default: val")
    parser.add_argument(
        "--model",
        help="run whose heads are calibrated; with --index: the encoder, if the index "
        "does not keep it",
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_intermixed_args(arguments)
    if not options.index and not options.model:
        parser.error("one of --index and --model is needed")
    try:
        config = load_config(options.config, options.overrides)
        if options.index:
            from vpr_tf.evaluation.calibration_of_indexes import calibrate_index

            calibrate_index(
                options.index, config, set_name=options.set, model=options.model
            )
        else:
            from vpr_tf.classification.trained import heads_folder

            heads_folder(options.model)  # Before TensorFlow is loaded.
            from vpr_tf.evaluation.calibration_of_heads import calibrate_model

            calibrate_model(options.model, config, set_name=options.set)
    except (ValueError, OSError, ImportError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; nothing was stored.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
