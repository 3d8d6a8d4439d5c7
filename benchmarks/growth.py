"""LR@1 and time of a query over a growing database, as figure 1 of Divide&Classify.

    python -m benchmarks.growth --config configs/dense/dc_images.yaml
        [--districts 1 2 4 8 16 32] [--num-cells 100] [--set test] [--output DIR]
        [key=value ...]

Takes the finished run of a config that trains encoder and heads, without hidden
layers. Its descriptors are searched exactly, by ScaNN, by HNSW and IVFPQ of faiss, and
inside of the K best cells; the heads also answer alone. The database grows by copies
of the district, see `benchmarks.grown_city`: the queries are of the first one. Times
are medians of single queries, the encoder aside.

Writes growth.md, growth.json and growth.png.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.guarded import guarded
from benchmarks.methods_runs import Experiment
from benchmarks.overrides import parse_with_overrides


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, measures and writes."""
    options = _parse(arguments)
    return guarded("growth", lambda: _work(options), "nothing is kept")


def _work(options: argparse.Namespace) -> None:
    experiment = Experiment.load(options.config, options.overrides)
    _measure_and_write(experiment, options)


def _measure_and_write(experiment: Experiment, options: argparse.Namespace) -> None:
    # TensorFlow is not needed to tell a wrong path.
    from benchmarks.growth_figure import write_growth
    from benchmarks.growth_measure import measure_growth
    from benchmarks.methods_measure import Method
    from benchmarks.timing import describe_machine

    method = Method.open(experiment, options.set, options.timed_queries)
    points = measure_growth(method, sorted(set(options.districts)), options.num_cells)
    folder = options.output or Path(experiment.config.runs_dir) / "growth"
    circumstances = {
        "set": options.set,
        "dataset_fingerprint": method.opened.dataset.fingerprint,
        "run": str(method.run),
        "machine": describe_machine(),
    }
    text = write_growth(folder, points, circumstances)
    print(f"\n{text}\n\nTable, numbers and figure: {folder}")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument(
        "--districts", type=_one_or_more, nargs="+", default=[1, 2, 4, 8, 16, 32]
    )
    parser.add_argument("--num-cells", type=_one_or_more, default=100, metavar="K")
    parser.add_argument("--set", default="test", help="val or a test set")
    parser.add_argument("--timed-queries", type=_one_or_more, default=100)
    parser.add_argument("--output", type=Path, help="default: RUNS_DIR/growth")
    return parse_with_overrides(parser, arguments)


def _one_or_more(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more. Received: {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
