"""Heads that compute a place, measured as a thesis on neural representation does.

    python -m benchmarks.thesis --train [--grids 100 71 32] [--only NAME ...]
        [--set test] [--output DIR] [key=value ...]

Trains and measures the heads of `configs/dense/inr_*.yaml` and variants of them: cells
and headings on relative grids (M x M cells over the map, 12 headings), soft labels,
direct regression, regression in [0, 1], and the hypersphere with angles up to 45
degrees, from 15 to 45 degrees, and as wide as the map itself; the regressions also with
absolute errors, and these and the soft labels with noise on the positions of training.
The encoder, which stays as it is, is that of configs/dense/cosplace.yaml.

Of the train split and of the queries: accuracy (the very class), photos within the
threshold, median errors of position and bearing; of the val queries the lowest loss.
Overrides hold for all. Writes thesis.md and results.json, which
`python -m benchmarks.papers --paper thesis` reads.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.guarded import guarded
from benchmarks.methods_runs import (
    Experiment,
    MissingRunError,
    train_missing,
)
from benchmarks.overrides import parse_with_overrides
from benchmarks.thesis_plan import ENCODER, Entry, plan


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, trains if told to, measures and writes."""
    options = _parse(arguments)
    return guarded("thesis", lambda: _work(options))


def _work(options: argparse.Namespace) -> None:
    entries = plan(options.overrides, options.grids, options.only)
    if options.train:
        encoder = Experiment.load(ENCODER, options.overrides)
        train_missing([encoder, *(entry.experiment for entry in entries)])
    _measure_and_write(entries, options)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", action="store_true", help="train what is missing")
    parser.add_argument(
        "--grids", type=int, nargs="*", default=[100, 71, 32], metavar="M"
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="of runs")
    parser.add_argument("--set", default="test", help="val or a test set")
    parser.add_argument("--output", type=Path, help="default: RUNS_DIR/thesis")
    return parse_with_overrides(parser, arguments)


def _measure_and_write(entries: Sequence[Entry], options: argparse.Namespace) -> None:
    # TensorFlow takes its memory only once all trainings are over.
    from benchmarks.methods_measure import Method
    from benchmarks.thesis_measure import measure_head, write_thesis

    lines, left_out = [], []
    descriptors: dict[tuple[str, str], np.ndarray] = {}
    for entry in entries:
        try:
            method = Method.open(entry.experiment, options.set, num_timed=1)
        except MissingRunError as error:
            left_out.append(f"{entry.experiment.config.name}: {error}")
            continue
        lines += measure_head(entry, method, descriptors)
    if not lines:
        raise ValueError("No head has a finished run.\n" + "\n".join(left_out))
    runs = Path(entries[0].experiment.config.runs_dir)
    folder = options.output or runs / "thesis"
    text = write_thesis(folder, lines, method, left_out)
    print(f"\n{text}\n\nTable and numbers: {folder}")


if __name__ == "__main__":
    sys.exit(main())
