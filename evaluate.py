"""Measures recall@N and errors in metres, and compares two runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from vpr_tf.config import load_config

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
MODEL_HELP = "run folder, .keras file, SavedModel or name of a released encoder"
SET_HELP = "val or a test set; may be repeated; default: all test sets"
REPORT_HELP = "also write figures, errors, confidence and intervals: report.html"
COMPARE_HELP = "compare what --report wrote for two runs; needs neither model nor data"


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, evaluates, and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", help="a file of configs/")
    what.add_argument("--compare", nargs=2, metavar=("A", "B"), help=COMPARE_HELP)
    parser.add_argument("--model", help=MODEL_HELP)
    parser.add_argument("--set", action="append", metavar="NAME", help=SET_HELP)
    parser.add_argument("--report", action="store_true", help=REPORT_HELP)
    parser.add_argument("--output", help="folder of the results")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_intermixed_args(arguments)
    if options.compare and (options.model or options.report or options.overrides):
        parser.error("--compare takes two folders and --set and --output only")
    places = {"set_names": options.set or (), "output_dir": options.output}
    try:
        if options.compare:
            from vpr_tf.report.command import run_comparison

            run_comparison(*options.compare, **places)
            return 0
        config = load_config(options.config, options.overrides)
        if options.report:
            from vpr_tf.report.command import run_report

            run_report(config, options.model, **places)
        else:
            from vpr_tf.evaluation.command import run_evaluation

            run_evaluation(config, options.model, **places)
    except (ValueError, OSError, ImportError) as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; the same command continues.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
