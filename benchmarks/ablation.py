"""Ablation of Divide&Classify: cells (M), groups (N), heads, scale (s) and margin (m).

    python -m benchmarks.ablation --config configs/dense/divide_and_classify.yaml
        --cell-sizes 20 50 100 --strides 1 2 3
        --heads angular_margin cosine_margin cross_entropy
        --scales 10 30 100 --margins 0 0.2 0.4
        [--set test] [--output DIR] [--no-train] [key=value ...]

One of them is varied at a time, the others are those of the config. What has no
finished run is trained, each with a partition of its own and as many samples as the
config; an interrupted training is resumed, and a finished one is never repeated.
Overrides such as train.epochs=2 hold for all. Writes ablation.md, ablation.json and
ablation.png.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.ablation_plan import Variant, plan
from benchmarks.ablation_results import Outcome, ablation_table, write_ablation
from benchmarks.guarded import guarded
from benchmarks.methods_runs import (
    Experiment,
    MissingRunError,
    train_missing,
)
from benchmarks.overrides import parse_with_overrides


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, trains what is missing, and writes table and figure."""
    options = _parse(arguments)
    return guarded("ablation", lambda: _work(options))


def _work(options: argparse.Namespace) -> None:
    base = Experiment.load(options.config, options.overrides)
    variants = plan(base, _values(options))
    if options.train:
        train_missing([variant.experiment for variant in variants])
    _evaluate_and_write(variants, options)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--cell-sizes", type=int, nargs="*", default=[], metavar="M")
    parser.add_argument("--strides", type=int, nargs="*", default=[], metavar="N")
    parser.add_argument("--heads", nargs="*", default=[], metavar="HEAD")
    parser.add_argument("--scales", type=float, nargs="*", default=[], metavar="S")
    parser.add_argument("--margins", type=float, nargs="*", default=[], metavar="M")
    parser.add_argument("--set", default="test", help="val or a test set")
    parser.add_argument("--output", type=Path, help="default: RUNS_DIR/ablation")
    parser.add_argument(
        "--no-train",
        dest="train",
        action="store_false",
        help="draw from the runs that there are",
    )
    return parse_with_overrides(parser, arguments)


def _values(options: argparse.Namespace) -> dict[str, Sequence[Any]]:
    return {
        "cell_size_m": options.cell_sizes,
        "stride": options.strides,
        "head": options.heads,
        "scale": options.scales,
        "margin": options.margins,
    }


def _evaluate_and_write(
    variants: Sequence[Variant], options: argparse.Namespace
) -> None:
    outcomes, left_out = [], []
    for variant in variants:
        try:
            outcomes.append(_outcome(variant, options.set))
        except MissingRunError as error:
            left_out.append(f"{variant.experiment.config.name}: {error}")
    if not outcomes:
        raise ValueError("No variant has a finished run.\n" + "\n".join(left_out))
    names = [outcome.name for outcome in outcomes]
    has_base = variants[0].experiment.config.name in names
    base = outcomes[0] if has_base else None
    text = ablation_table(outcomes, base)
    text += "".join(f"\n\nNo line for {reason}" for reason in left_out)
    folder = options.output or Path(variants[0].experiment.config.runs_dir) / "ablation"
    circumstances = {"set": options.set, "left_out": left_out}
    write_ablation(folder, text, outcomes, base, circumstances)
    print(f"\n{text}\n\nTable, numbers and figure: {folder}")


def _outcome(variant: Variant, set_name: str) -> Outcome:
    # TensorFlow takes its memory only once all trainings are over.
    from benchmarks.methods_measure import Method, found_first

    method = Method.open(variant.experiment, set_name, num_timed=1)
    result = method.opened.evaluate(method.evaluation_set)
    config = variant.experiment.config
    partition = method.opened.dataset.partition(config.partition_name)
    return Outcome(
        config.name,
        variant.choice,
        len(partition.classes),
        result.recalls,
        found_first(result),
    )


if __name__ == "__main__":
    sys.exit(main())
