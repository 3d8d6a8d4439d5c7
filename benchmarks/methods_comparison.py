"""Measures all methods that have a run, in one process."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.methods_figure import recall_over_answer_time, recall_over_time
from benchmarks.methods_labels import method_labels
from benchmarks.methods_measure import (
    Measured,
    Method,
    can_be_approximate,
    encoder_times_ms,
    measure_classification,
    measure_retrieval,
)
from benchmarks.methods_narrowed import measure_narrowed
from benchmarks.methods_runs import Experiment, MissingRunError
from benchmarks.methods_table import methods_table, write_table
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
    narrow_by: str | None = None,
    own_descriptors: bool = False,
) -> Comparison:
    """Measures each method, and the search that one classifier narrows.

    Args:
        experiments: On one dataset.
        set_name: `val` or a test set.
        num_timed: Queries that are timed.
        narrow_by: Name of the config whose cells narrow; None chooses it.
        own_descriptors: Whether to search the descriptors of that encoder as well.

    Raises:
        ValueError: The configs have several datasets, no method has a run, or
            `narrow_by` is none of them.
    """
    _check(experiments, narrow_by)
    opened, left_out = _open_all(experiments, set_name, num_timed)
    labels = method_labels([entry.config for entry in experiments])
    named = dict(zip((entry.config.name for entry in experiments), labels, strict=True))
    measured = []
    for entry in _measure(opened, named, narrow_by, own_descriptors):
        print(
            f"{entry.label}: LR@1 {entry.recalls[1]:.1f}, {entry.total_ms:.2f} ms",
            file=sys.stderr,
            flush=True,
        )
        measured.append(entry)
    return Comparison(measured, left_out, _circumstances(opened[0]))


def _check(experiments: Sequence[Experiment], narrow_by: str | None) -> None:
    paths = sorted({entry.config.dataset.path for entry in experiments})
    if len(paths) > 1:
        raise ValueError(
            f"All configs must have the same `dataset.path`. Received: "
            f"{', '.join(paths)}. Compare one dataset at a time."
        )
    names = [entry.config.name for entry in experiments]
    if len(set(names)) < len(names):
        raise ValueError(f"Each config must have a name of its own. Received: {names}")
    if narrow_by is not None and narrow_by not in names:
        raise ValueError(
            f"--narrow-by must name one of the configs: {', '.join(names)}. "
            f"Received: {narrow_by!r}"
        )


def _open_all(
    experiments: Sequence[Experiment], set_name: str, num_timed: int
) -> tuple[list[Method], list[str]]:
    opened, left_out = [], []
    for experiment in experiments:
        try:
            opened.append(Method.open(experiment, set_name, num_timed))
        except (MissingRunError, ClassificationError, EncoderError) as error:
            left_out.append(f"{experiment.config.name}: {error}")
    if not opened:
        raise ValueError("No config has a finished run.\n" + "\n".join(left_out))
    return opened, left_out


def _measure(
    opened: Sequence[Method],
    labels: dict[str, str],
    narrow_by: str | None,
    own_descriptors: bool,
) -> Iterator[Measured]:
    searched = [m for m in opened if _kind(m) == "retrieval"]
    classifiers = [m for m in opened if _kind(m) == "classification"]
    narrowing = _narrowing(classifiers, narrow_by)
    times_ms = dict(zip(opened, encoder_times_ms(opened), strict=True))
    for method in searched:
        name = labels[_name(method)]
        yield measure_retrieval(method, name, times_ms[method])
        if can_be_approximate(method):
            label = f"{name}, ScaNN"
            yield measure_retrieval(method, label, times_ms[method], "scann")
    for method in classifiers:
        yield measure_classification(method, labels[_name(method)], times_ms[method])
    if narrowing is None:
        return
    names = {"retrieval": searched[0]} if searched else {}
    if own_descriptors:
        names["its descriptors"] = narrowing
    for name, method in names.items():
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


def _narrowing(classifiers: Sequence[Method], name: str | None) -> Method | None:
    """Finds the classifier whose cells narrow a search."""
    if name is not None:
        return next((method for method in classifiers if _name(method) == name), None)
    configs = {method: method.experiment.config for method in classifiers}
    grids = [
        method
        for method, config in configs.items()
        if config.build.partition.method == "divide_and_classify"
    ]
    return max(
        grids,
        key=lambda method: configs[method].train.head.name == "angular_margin",
        default=None,
    )


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
