"""Tests the reports of two runs against each other, on the same queries.

Both were written by `vpr evaluate --report`; neither models nor data are needed.

Example:
  vpr compare runs/a/2026-11-21_15-31-43 runs/b/2026-11-22_09-10-11
"""

from __future__ import annotations

import argparse

from vpr_tf.cli.main import Outcome
from vpr_tf.cli.options import add_json, add_sets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument(
        "runs", nargs=2, metavar="RUN", help="run, or another folder with reports"
    )
    add_sets(parser, "evaluation set; may be repeated; default: all that both have")
    parser.add_argument(
        "--anyway",
        action="store_true",
        help="also where the two are of different protocols; the table says so",
    )
    parser.add_argument("--output", metavar="DIR", help="folder of the results")
    add_json(parser)


def run(options: argparse.Namespace) -> Outcome:
    """Compares."""
    from vpr_tf.report import compare_runs, comparison_markdown

    comparisons = compare_runs(
        *options.runs,
        set_names=options.set,
        output_dir=options.output,
        anyway=options.anyway,
    )
    texts = [
        f"{comparison_markdown(comparison, max_changed=10)}\n"
        f"Comparison: {folder / 'comparison.html'}"
        for folder, comparison in comparisons.items()
    ]
    content = [comparison.to_dict() for comparison in comparisons.values()]
    return Outcome(content, "\n".join(texts))
