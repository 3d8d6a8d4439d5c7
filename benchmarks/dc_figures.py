"""Figures 3, 7a and 7b of Divide&Classify from finished runs.

    python -m benchmarks.dc_figures --config configs/dense/{cosplace,dc_images}.yaml
        [--set test] [--queries 3] [--output DIR] [key=value ...]

predicted_places.png has a map for each config and some queries: where the query was
taken, and its first 10 predictions. Queries are those of which the most, the fewest and
a middle number of methods are right. For each classifier that has several groups:

- spread_NAME.png: how far the groups' best cells are apart, of right and wrong answers;
- prototypes_NAME.png: similarity of the prototypes of neighbouring cells, within a
  group and between groups. Only of heads without hidden layers, whose prototypes are
  compared with the descriptor itself.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.guarded import guarded
from benchmarks.methods_runs import Experiment, MissingRunError
from benchmarks.overrides import parse_with_overrides


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line and draws."""
    options = _parse(arguments)
    return guarded("dc_figures", lambda: _work(options))


def _work(options: argparse.Namespace) -> None:
    experiments = [Experiment.load(p, options.overrides) for p in options.config]
    _draw(experiments, options)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", nargs="+", required=True)
    parser.add_argument("--set", default="test", help="val or a test set")
    parser.add_argument("--queries", type=int, default=3, choices=range(1, 9))
    parser.add_argument("--output", type=Path, help="default: RUNS_DIR/dc_figures")
    return parse_with_overrides(parser, arguments)


def _draw(experiments: Sequence[Experiment], options: argparse.Namespace) -> None:
    # TensorFlow is not needed to tell a wrong path.
    from benchmarks.cell_similarity import prototype_drawing, prototype_similarities
    from benchmarks.methods_labels import method_labels
    from benchmarks.methods_measure import Method
    from benchmarks.predicted_places import (
        MethodPlaces,
        has_spread,
        places_drawing,
        spread_drawing,
    )

    labels = method_labels([experiment.config for experiment in experiments])
    shown, drawings = [], []
    for experiment, label in zip(experiments, labels, strict=True):
        name = experiment.config.name
        try:
            method = Method.open(experiment, options.set, num_timed=1)
        except MissingRunError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        result = method.opened.evaluate(method.evaluation_set)
        shown.append(MethodPlaces.of(label, method, result))
        if has_spread(result):
            drawings.append(spread_drawing(name, label, result))
        if experiment.config.evaluation.method == "classification":
            similarities = prototype_similarities(method.heads())
            if similarities is not None:
                drawings.append(prototype_drawing(name, label, similarities))
    if not shown:
        raise ValueError("No config has a finished run.")
    folder = options.output or Path(experiments[0].config.runs_dir) / "dc_figures"
    folder.mkdir(parents=True, exist_ok=True)
    for drawing in [places_drawing(shown, options.queries), *drawings]:
        drawing.write_png(folder)
        print(folder / f"{drawing.name}.png")


if __name__ == "__main__":
    sys.exit(main())
