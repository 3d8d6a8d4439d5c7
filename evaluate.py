"""Measures recall@N: evaluate.py --config FILE [--model MODEL] [key=value ...]."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from vpr_tf.config import load_config

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, evaluates, and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="a file of configs/")
    parser.add_argument(
        "--model",
        help="run folder, .keras file, SavedModel or name of a released encoder",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME",
        help="val or a test set; may be repeated; default: all test sets",
    )
    parser.add_argument("--output", help="folder of the results")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_intermixed_args(arguments)
    try:
        config = load_config(options.config, options.overrides)
        from vpr_tf.evaluation.command import run_evaluation

        run_evaluation(
            config, options.model, set_names=options.set, output_dir=options.output
        )
    except (ValueError, OSError, ImportError) as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; the same command continues.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
