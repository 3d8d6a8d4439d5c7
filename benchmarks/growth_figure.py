"""Table and figure of a growing database."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.growth_measure import EXACT_NAME, HEADS_NAME, NARROWED_NAME, Point
from vpr_tf.report import COLOURS, RUN_COLOURS, Drawing, json_ready
from vpr_tf.tables import Column, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_OWN = {
    EXACT_NAME: (COLOURS["ink"], "s"),
    HEADS_NAME: (COLOURS["bad"], "o"),
    NARROWED_NAME: (COLOURS["good"], "o"),
}
_MARKERS = "D^vPX"


def growth_table(points: Sequence[Point]) -> str:
    """Returns a markdown table, one line an engine and a size."""
    columns = [Column("images"), Column("cells"), Column("engine", "text")]
    columns += [Column("LR@1"), Column("ms", digits=2)]
    rows: list[list[Any]] = [
        [f"{p.num_images:,}", f"{p.num_cells:,}", p.engine, p.lr_1, p.ms]
        for p in points
    ]
    return Table("", columns, rows).to_markdown()


def growth_figure(points: Sequence[Point]) -> Drawing:
    """Draws the time of a query and LR@1 over the number of images."""
    names = list(dict.fromkeys(point.engine for point in points))
    others = [name for name in names if name not in _OWN]
    colours = RUN_COLOURS[2:]
    styles = _OWN | {
        name: (colours[i % len(colours)], _MARKERS[i % len(_MARKERS)])
        for i, name in enumerate(others)
    }

    def draw(figure: Figure) -> None:
        of_time, of_recall = figure.subplots(1, 2)
        _lines(of_time, points, styles, lambda point: point.ms)
        of_time.set_yscale("log")
        of_time.set(ylabel="ms a query, encoder aside")
        times = [point.ms for point in points]
        _ticks(of_time.set_yticks, min(times), max(times))
        _lines(of_recall, points, styles, lambda point: point.lr_1)
        of_recall.set(ylabel="LR@1 (%)")
        sizes = [point.num_images for point in points]
        for axes in (of_time, of_recall):
            axes.set_xscale("log")
            axes.set_xlabel("database images")
            _ticks(axes.set_xticks, min(sizes), max(sizes))
        figure.legend(
            *of_time.get_legend_handles_labels(),
            loc="outside lower center",
            ncols=min(4, len(styles)),
        )

    title = "Search and classification of a growing city"
    return Drawing("growth", title, draw, (7.6, 3.9))


def _lines(
    axes: Axes,
    points: Sequence[Point],
    styles: Mapping[str, tuple[str, str]],
    value: Callable[[Point], float],
) -> None:
    for name, (colour, marker) in styles.items():
        own = [point for point in points if point.engine == name]
        x, y = [point.num_images for point in own], [value(point) for point in own]
        axes.plot(x, y, marker=marker, ms=4.5, color=colour, label=name)


def _ticks(place: Callable[..., Any], low: float, high: float) -> None:
    """Labels 1, 2 and 5 times powers of ten; matplotlib's own are formulas."""
    values = [d * 10.0**power for power in range(-3, 9) for d in (1, 2, 5)]
    ticks = [value for value in values if 0.8 * low <= value <= 1.25 * high]
    place(ticks, [f"{value:,g}" if value < 1e6 else f"{value:,.0f}" for value in ticks])
    place([], minor=True)


def write_growth(
    folder: Path, points: Sequence[Point], circumstances: Mapping[str, Any]
) -> str:
    """Writes growth.md, growth.json and growth.png, and returns the table."""
    folder.mkdir(parents=True, exist_ok=True)
    text = growth_table(points)
    (folder / "growth.md").write_text(text + "\n")
    content = {**circumstances, "points": [dataclasses.asdict(p) for p in points]}
    (folder / "growth.json").write_text(
        json.dumps(json_ready(content), indent=2) + "\n"
    )
    growth_figure(points).write_png(folder)
    return text
