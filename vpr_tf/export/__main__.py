"""Exports a model that exists already: `python -m vpr_tf.export --help`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from vpr_tf.config import load_config

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, exports, and returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m vpr_tf.export",
        description="Writes savedmodels/<name>/<version>/ for TF Serving: an encoder, "
        "and with evaluation.method=classification its heads too.",
    )
    parser.add_argument("--config", required=True, help="a file of configs/")
    parser.add_argument(
        "--model", help="run folder, .keras file or released encoder; see evaluate.py"
    )
    parser.add_argument(
        "--num-places",
        type=int,
        default=20,
        metavar="N",
        help="places that heads answer to each photo; default: 20",
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_intermixed_args(arguments)
    try:
        config = load_config(options.config, options.overrides)
        from vpr_tf.export.command import run_export

        run_export(config, options.model, num_places=options.num_places)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
