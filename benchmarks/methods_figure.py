"""LR@1 over the time of a query, as in figure 1 of Divide&Classify.

Reference:
    Trivigno et al., "Divide&Classify: Fine-Grained Classification for City-Wide Visual
    Geo-Localization", ICCV 2023, arXiv:2307.08417.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from benchmarks.label_places import place_labels
from benchmarks.methods_measure import Measured
from vpr_tf.report import COLOURS, Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colour and marker, so that they are told apart in grey as well.
_KINDS = {
    "retrieval": (COLOURS["ink"], "s", "search of the whole database"),
    "approximate": (COLOURS["muted"], "D", "approximate search"),
    "classification": (COLOURS["bad"], "o", "classification alone"),
    "narrowed": (COLOURS["good"], "o", "search of the K best cells"),
}
_SMALLEST_MS = 1e-3


def recall_over_time(methods: Sequence[Measured]) -> Drawing:
    """Draws LR@1 over the whole time of a query."""
    return _drawing(
        "recall_over_time",
        "LR@1 over the time of a query, encoder included",
        methods,
        lambda method: method.total_ms,
    )


def recall_over_answer_time(methods: Sequence[Measured]) -> Drawing:
    """Draws LR@1 over the time that remains after the encoder."""
    return _drawing(
        "recall_over_time_without_encoder",
        "LR@1 over the time of a query, encoder aside",
        methods,
        lambda method: method.answer_ms,
    )


def _drawing(
    name: str,
    title: str,
    methods: Sequence[Measured],
    time_ms: Callable[[Measured], float],
) -> Drawing:
    panels = _panels(methods)

    def draw(figure: Figure) -> None:
        all_axes = figure.subplots(len(panels), sharex=True, sharey=True, squeeze=False)
        for axes, (heading, shown) in zip(all_axes[:, 0], panels, strict=True):
            axes.set_xscale("log")
            axes.set_title(heading, loc="left")
            axes.set(ylabel="LR@1 (%)")
            _plot(axes, shown, _points(shown, time_ms))
        _limit(axes, _points(methods, time_ms))
        axes.set(xlabel="ms a query, median (logarithmic)")
        all_axes[0, 0].legend(
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0 if len(panels) == 1 else 1.06),
            ncols=2,
            handletextpad=0.2,
        )
        for axes, (_, shown) in zip(all_axes[:, 0], panels, strict=True):
            points = _points(shown, time_ms)
            colours = [_KINDS[method.kind][0] for method in shown]
            lines = _lines_of_cells(shown, points)
            place_labels(figure, axes, points, _labels(shown), colours, lines)

    return Drawing(name, title, draw, (6.6, 1.0 + 3.6 * len(panels)))


def _panels(methods: Sequence[Measured]) -> list[tuple[str, list[Measured]]]:
    """Returns a heading and the methods for each retrieval; classifiers are in all."""
    retrievals = [method for method in methods if method.kind == "retrieval"]
    if len(retrievals) < 2:
        return [("", list(methods))]
    return [
        (
            retrieval.label,
            [
                _without(retrieval.label, method)
                for method in methods
                if method.kind == "classification"
                or method.run.split(", ")[0] == retrieval.run
            ],
        )
        for retrieval in retrievals
    ]


def _without(retrieval: str, method: Measured) -> Measured:
    """Returns a method whose label leaves out what the heading of its panel says."""
    label = method.label.replace(f" + {retrieval}", "").removeprefix(f"{retrieval}, ")
    return dataclasses.replace(method, label=label)


def _points(
    methods: Sequence[Measured], time_ms: Callable[[Measured], float]
) -> list[tuple[float, float]]:
    return [
        (max(time_ms(method), _SMALLEST_MS), method.recalls[1]) for method in methods
    ]


def _plot(
    axes: Axes, methods: Sequence[Measured], points: Sequence[tuple[float, float]]
) -> None:
    for line in _lines_of_cells(methods, points):
        axes.plot(*zip(*line, strict=True), "-", color=COLOURS["tint"], lw=2.2)
    for kind, (colour, marker, text) in _KINDS.items():
        rows = [row for row, m in enumerate(methods) if m.kind == kind]
        if rows:
            x, y = zip(*(points[row] for row in rows), strict=True)
            axes.plot(x, y, marker, color=colour, ms=5.5, label=text, zorder=3)


def _labels(methods: Sequence[Measured]) -> list[str]:
    """Of a line of cells the first point has the whole name, the others their K."""
    labels = []
    for row, method in enumerate(methods):
        line, _, cells = method.label.rpartition(", ")
        former = methods[row - 1].label.rpartition(", ")[0] if row else ""
        is_first = method.kind == "narrowed" and line != former
        labels.append(method.label if method.kind != "narrowed" or is_first else cells)
    return labels


def _lines_of_cells(
    methods: Sequence[Measured], points: Sequence[tuple[float, float]]
) -> list[list[tuple[float, float]]]:
    lines: dict[str, list[tuple[float, float]]] = {}
    for method, point in zip(methods, points, strict=True):
        if method.kind == "narrowed":
            lines.setdefault(method.label.rpartition(", ")[0], []).append(point)
    return list(lines.values())


def _limit(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """Leaves space for labels around the points."""
    times, recalls = zip(*points, strict=True)
    ratio = max(max(times) / min(times), 1.5)
    low, high = min(times) / ratio**0.3, max(times) * ratio**0.3
    axes.set_xlim(low, high)
    span = max(max(recalls) - min(recalls), 10.0)
    axes.set_ylim(max(min(recalls) - 0.12 * span, -4), max(recalls) + 0.12 * span)
    digits = (1, 2, 5) if high > 10 * low else (1, 1.5, 2, 3, 4, 5, 6, 8)
    powers = [10.0**power for power in range(-3, 6)]
    ticks = [digit * power for power in powers for digit in digits]
    ticks = [tick for tick in ticks if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
