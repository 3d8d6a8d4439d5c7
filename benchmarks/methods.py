"""Table of methods: LR@N, time of a query by part, memory; in one run on one machine.

    python -m benchmarks.methods --config configs/dense/*.yaml [--set test]
        [--output DIR] [--train] [key=value ...]

Each config stands for its newest finished run; --train trains those that have none,
adds partitions that the dataset lacks, and resumes what was interrupted. Without it
they are left out of the table, which says so. One classifier also narrows the search
of the first retrieval (K = 1, 10, 100, 1000, all cells); `overrides` hold for all.

Writes table.md, results.json, recall_over_time.png and
recall_over_time_without_encoder.png. Times are medians over single queries: the forward
pass of an image that is decoded already, the heads, the search. Held: all arrays of
heads, class tables, database descriptors and indexes; encoders, of equal size, aside.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.guarded import guarded
from benchmarks.methods_runs import Experiment, train_missing
from benchmarks.overrides import parse_with_overrides


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, trains if told to, measures, and writes."""
    options = _parse(arguments)
    return guarded("methods", lambda: _work(options))


def _work(options: argparse.Namespace) -> None:
    experiments = [Experiment.load(path, options.overrides) for path in options.config]
    if options.train:
        train_missing(experiments)
    _measure_and_write(experiments, options)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", nargs="+", required=True)
    parser.add_argument("--set", default="test", help="val or a test set")
    parser.add_argument("--output", type=Path, help="default: RUNS_DIR/methods")
    parser.add_argument("--train", action="store_true", help="train what is missing")
    parser.add_argument(
        "--timed-queries", type=int, default=200, help="timed one at a time"
    )
    parser.add_argument(
        "--narrow-by",
        nargs="+",
        default=[],
        metavar="NAME",
        help="configs whose cells narrow searches; default: one of Divide&Classify, "
        "with an angular margin if there are several",
    )
    parser.add_argument(
        "--pca",
        nargs="+",
        default=[],
        type=_name_and_dim,
        metavar="NAME:DIM",
        help="configs whose descriptors PCA of the train split cuts to DIM values",
    )
    parser.add_argument(
        "--own-descriptors",
        action="store_true",
        help="also search the descriptors of the encoder that narrows",
    )
    return parse_with_overrides(parser, arguments)


def _name_and_dim(text: str) -> tuple[str, int]:
    name, _, dim = text.rpartition(":")
    if not name or not dim.isdecimal():
        raise argparse.ArgumentTypeError(
            f"must be the name of a config and a length, as dense_netvlad:512: {text!r}"
        )
    return name, int(dim)


def _measure_and_write(
    experiments: Sequence[Experiment], options: argparse.Namespace
) -> None:
    # TensorFlow takes its memory only once all trainings are over.
    from benchmarks.methods_comparison import compare_methods

    comparison = compare_methods(
        experiments,
        options.set,
        num_timed=options.timed_queries,
        narrow_by=options.narrow_by,
        own_descriptors=options.own_descriptors,
        pca_dims=dict(options.pca),
    )
    folder = options.output or Path(experiments[0].config.runs_dir) / "methods"
    comparison.write(folder)
    print(f"\n{comparison.text()}\n\nTable, numbers and figures: {folder}")


if __name__ == "__main__":
    sys.exit(main())
