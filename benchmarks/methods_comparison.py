"""Measures all methods that have a run, in one process."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.methods_engines import approximate_engines
from benchmarks.methods_figure import recall_over_answer_time, recall_over_time
from benchmarks.methods_labels import method_labels
from benchmarks.methods_measure import (
    Measured,
    Method,
    encoder_times_ms,
    measure_classification,
    measure_retrieval,
)
from benchmarks.methods_narrowed import measure_narrowed
from benchmarks.methods_runs import Experiment, MissingRunError
from benchmarks.methods_table import methods_table, narrowed_table, write_table
from benchmarks.timing import describe_machine
from vpr_tf.classification import ClassificationError
from vpr_tf.extraction.errors import EncoderError

_NUM_CELLS = (1, 10, 100, 1000)


@dataclass(frozen=True, eq=False)
class Comparison:
    """What was measured.

    Attributes:
        methods: Lines of the table: searches, classifications, narrowed searches.
        left_out: Why configs have no line.
        circumstances: The evaluation set and the machine, JSON-ready.
    """

    methods: list[Measured]
    left_out: list[str]
    circumstances: dict[str, Any]

    @property
    def baseline(self) -> Measured | None:
        """Exact search, which the others are compared with; None without one."""
        exact = (method for method in self.methods if method.kind == "retrieval")
        return next(exact, None)

    def text(self) -> str:
        """Returns the table with what must be known to read it."""
        told = self.circumstances
        lines = [
            f"{told['set']} of {told['dataset']} ({told['dataset_fingerprint'][:12]}): "
            f"{told['num_queries']:,} queries, {told['num_database']:,} database "
            f"images; right within {told['positive_dist_threshold_m']:g} m. "
            f"{told['machine']}.",
            "",
            methods_table(self.methods, self.baseline),
            *narrowed_table(self.methods),
        ]
        lines += [f"\nNo line for {reason}" for reason in self.left_out]
        return "\n".join(lines)

    def write(self, folder: Path) -> None:
        """Writes the table, the numbers and the figures."""
        circumstances = {**self.circumstances, "left_out": self.left_out}
        write_table(folder, self.text(), self.methods, self.baseline, circumstances)
        for draw in (recall_over_time, recall_over_answer_time):
            draw(self.methods).write_png(folder)


def compare_methods(
    experiments: Sequence[Experiment],
    set_name: str,
    *,
    num_timed: int = 200,
    narrow_by: Sequence[str] = (),
    own_descriptors: bool = False,
    pca_dims: Mapping[str, int] | None = None,
) -> Comparison:
    """Measures each method, and the searches that classifiers narrow.

    Args:
        experiments: On one dataset.
        set_name: `val` or a test set.
        num_timed: Queries that are timed.
        narrow_by: Names of the configs whose cells narrow; none chooses one.
        own_descriptors: Whether to search the descriptors of their encoders as well.
        pca_dims: Length to which PCA cuts the descriptors of a config, by its name.

    Raises:
        ValueError: The configs have several datasets, no method has a run, or a name
            is none of theirs.
    """
    pca_dims = pca_dims or {}
    _check(experiments, [("--narrow-by", narrow_by), ("--pca", [*pca_dims])])
    opened, left_out = _open_all(experiments, set_name, num_timed, pca_dims)
    labels = method_labels([entry.config for entry in experiments])
    named = {
        entry.config.name: f"{label} + PCA" if entry.config.name in pca_dims else label
        for entry, label in zip(experiments, labels, strict=True)
    }
    measured = []
    for entry in _measure(opened, named, narrow_by, own_descriptors):
        print(
            f"{entry.label}: LR@1 {entry.recalls[1]:.1f}, {entry.total_ms:.2f} ms",
            file=sys.stderr,
            flush=True,
        )
        measured.append(entry)
    return Comparison(measured, left_out, _circumstances(opened[0]))


def _check(
    experiments: Sequence[Experiment], named: Sequence[tuple[str, Sequence[str]]]
) -> None:
    paths = sorted({entry.config.dataset.path for entry in experiments})
    if len(paths) > 1:
        raise ValueError(
            f"All configs must have the same `dataset.path`. Received: "
            f"{', '.join(paths)}. Compare one dataset at a time."
        )
    names = [entry.config.name for entry in experiments]
    if len(set(names)) < len(names):
        raise ValueError(f"Each config must have a name of its own. Received: {names}")
    for option, wanted in named:
        for name in (name for name in wanted if name not in names):
            raise ValueError(
                f"{option} must name one of the configs: {', '.join(names)}. "
                f"Received: {name!r}"
            )


def _open_all(
    experiments: Sequence[Experiment],
    set_name: str,
    num_timed: int,
    pca_dims: Mapping[str, int],
) -> tuple[list[Method], list[str]]:
    opened, left_out = [], []
    for experiment in experiments:
        dim = pca_dims.get(experiment.config.name)
        try:
            opened.append(Method.open(experiment, set_name, num_timed, dim))
        except (MissingRunError, ClassificationError, EncoderError) as error:
            left_out.append(f"{experiment.config.name}: {error}")
    if not opened:
        raise ValueError("No config has a finished run.\n" + "\n".join(left_out))
    return opened, left_out


def _measure(
    opened: Sequence[Method],
    labels: dict[str, str],
    narrow_by: Sequence[str],
    own_descriptors: bool,
) -> Iterator[Measured]:
    searched = [m for m in opened if _kind(m) == "retrieval"]
    classifiers = [m for m in opened if _kind(m) == "classification"]
    times_ms = dict(zip(opened, encoder_times_ms(opened), strict=True))
    for method in searched:
        name = labels[_name(method)]
        yield measure_retrieval(method, name, times_ms[method])
        for engine in approximate_engines(method.database()):
            label = f"{name}, {engine.name}"
            yield measure_retrieval(method, label, times_ms[method], engine)
    for method in classifiers:
        yield measure_classification(method, labels[_name(method)], times_ms[method])
    of_many = {method: labels[_name(method)] for method in searched}
    named = of_many if len(searched) > 1 else dict.fromkeys(searched, "retrieval")
    for narrowing in _narrowing(classifiers, narrow_by):
        own = {narrowing: "its descriptors"} if own_descriptors else {}
        for method, name in (named | own).items():
            yield from measure_narrowed(
                method,
                narrowing,
                f"{labels[_name(narrowing)]} + {name}",
                _NUM_CELLS,
                (times_ms[method], times_ms[narrowing]),
            )


def _kind(method: Method) -> str:
    return method.experiment.config.evaluation.method


def _name(method: Method) -> str:
    return method.experiment.config.name


def _narrowing(classifiers: Sequence[Method], names: Sequence[str]) -> list[Method]:
    """Finds the classifiers whose cells narrow a search."""
    if names:
        return [method for method in classifiers if _name(method) in names]
    configs = {method: method.experiment.config for method in classifiers}
    grids = [
        method
        for method, config in configs.items()
        if config.build.partition.method == "divide_and_classify"
    ]
    if not grids:
        return []
    angular = [m for m in grids if configs[m].train.head.name == "angular_margin"]
    return [*angular, *grids][:1]


def _circumstances(method: Method) -> dict[str, Any]:
    import keras
    import tensorflow as tf

    dataset, names = method.opened.dataset, method.evaluation_set
    evaluation = method.opened.config
    return {
        "set": names.name,
        "dataset": method.experiment.config.dataset.path,
        "dataset_fingerprint": dataset.fingerprint,
        "num_queries": len(dataset.split(names.queries)),
        "num_database": len(dataset.split(names.database)),
        "positive_dist_threshold_m": evaluation.positive_dist_threshold_m,
        "machine": describe_machine(),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
    }
