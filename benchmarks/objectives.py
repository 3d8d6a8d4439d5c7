"""What one trains by: objectives of a batch, heads and partitions on the same budget.

    python -m benchmarks.objectives --config configs/quickstart.yaml
        [--methods cosface triplet ...] [--output DIR] [--no-train] [key=value ...]

Every method sees as many photos as the config says, from the same encoder, with its
rates and schedule; only what is learnt differs. What has no finished run is trained, an
interrupted training is resumed, and a finished one is never repeated. The table is that
of `vpr compare`: recall with intervals, and paired tests against CosFace.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.guarded import guarded
from benchmarks.methods_runs import (
    Experiment,
    MissingRunError,
    finished_run,
    train_missing,
)
from benchmarks.overrides import parse_with_overrides
from vpr_tf.cli.main import main as vpr

_K = 4
_MINER = "miner: {name: multi_similarity, epsilon: 0.1}"
_MULTI_SIMILARITY = (
    f"[{{name: multi_similarity, alpha: 1, beta: 50, base: 0, {_MINER}}}]"
)
_PLACES = f"train.photos_per_class={_K}"
# The first is what the others are compared with.
METHODS: dict[str, tuple[str, ...]] = {
    "cosface": (),
    "arcface": ("train.head.name=angular_margin",),
    "multi_similarity": (_PLACES, f"train.objectives={_MULTI_SIMILARITY}"),
    "multi_similarity_cliques": (
        _PLACES,
        f"train.objectives={_MULTI_SIMILARITY}",
        f"train.sampling={{name: cliques, clique_size: {_K}, renew_every_steps: 100}}",
    ),
    "triplet": (_PLACES, "train.objectives=[{name: triplet, mining: hard}]"),
    "vicreg_and_cosface": (
        "train.objectives=[{name: class_heads}, {name: vicreg, weight: 0.1}]",
    ),
    "eigenplaces": (
        "dataset.partition=null",
        "build.partition={name: eigenplaces, method: eigenplaces}",
    ),
}
# These train two batches in a step.
_DOUBLE = "eigenplaces"


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains what is missing and writes the table."""
    return compare_methods(METHODS, "objectives", __doc__ or "", arguments)


def compare_methods(
    methods: Mapping[str, tuple[str, ...]],
    name: str,
    description: str,
    arguments: Sequence[str] | None = None,
) -> int:
    """Trains what is missing of some methods and writes their table.

    Args:
        methods: What each changes of a config.
        name: Of the benchmark, and of the folder of its table.
        description: For `--help`.
        arguments: Of the command line.

    Returns:
        The exit status.
    """
    options = _parse(methods, name, description, arguments)
    return guarded(name, lambda: _compare(methods, name, options))


def _compare(
    methods: Mapping[str, tuple[str, ...]], name: str, options: argparse.Namespace
) -> int:
    experiments = [
        _experiment(method, methods[method], options.config, options.overrides)
        for method in options.methods
    ]
    if options.train:
        train_missing(experiments)
    runs = _reported(experiments, options.set)
    output = options.output or Path(experiments[0].config.runs_dir) / name
    words = ["--set", options.set, "--anyway", "--output", str(output)]
    return vpr(["compare", *runs, *words])


def _experiment(
    method: str, changed: Sequence[str], config: Path, overrides: Sequence[str]
) -> Experiment:
    base = Experiment.load(config, overrides)
    changes = [f"name={base.config.name}-{method}", *changed]
    if method == _DOUBLE:
        changes.append(f"train.batch_size={base.config.train.batch_size // 2}")
    return Experiment.load(config, [*overrides, *changes])


def _reported(experiments: Sequence[Experiment], set_name: str) -> list[str]:
    runs = []
    for experiment in experiments:
        try:
            run = finished_run(experiment).path
        except MissingRunError as error:
            print(f"No line for {experiment.config.name}: {error}", file=sys.stderr)
            continue
        if not any(run.glob("report/**/report.html")):
            words = ["evaluate", "--config", str(experiment.path), "--report"]
            vpr([*words, "--model", str(run), "--set", set_name, *experiment.overrides])
        runs.append(str(run))
    if not runs:
        raise ValueError("No method has a finished run.")
    return runs


def _parse(
    methods: Mapping[str, tuple[str, ...]],
    name: str,
    description: str,
    arguments: Sequence[str] | None,
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=[*methods], metavar="METHOD")
    parser.add_argument("--set", default="test", help="val or a test set")
    parser.add_argument("--output", type=Path, help=f"default: RUNS_DIR/{name}")
    parser.add_argument(
        "--no-train",
        dest="train",
        action="store_false",
        help="compare the runs that there are",
    )
    options = parse_with_overrides(parser, arguments)
    unknown = set(options.methods) - set(methods)
    if unknown:
        parser.error(f"--methods are of {', '.join(methods)}. Received: {unknown}")
    return options


if __name__ == "__main__":
    sys.exit(main())
