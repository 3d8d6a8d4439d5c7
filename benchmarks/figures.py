"""Figures of benchmarks for programs: what `benchmarks.all` puts into one table."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

from vpr_tf.tables import Column, Table

FILE_VARIABLE = "VPR_TF_BENCHMARK_FIGURES"


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One measured number.

    Attributes:
        benchmark: Module of `benchmarks` that measured it.
        what: What was measured, the same words in every run.
        value: The number.
        unit: Its unit, as `images/s` or `ms`.
        peer: What was measured beside it, in the same run; empty without.
        ratio: How many times better than the peer; `None` without.
    """

    benchmark: str
    what: str
    value: float
    unit: str
    peer: str = ""
    ratio: float | None = None


def record(
    benchmark: str,
    what: str,
    value: float,
    unit: str,
    *,
    peer: str = "",
    ratio: float | None = None,
) -> None:
    """Adds a figure to the file that the environment names; nothing without one.

    Args:
        benchmark: Module of `benchmarks` that measured it.
        what: What was measured, the same words in every run.
        value: The number.
        unit: Its unit.
        peer: What it is compared with.
        ratio: How many times better than the peer, measured in the same run.
    """
    file = os.environ.get(FILE_VARIABLE)
    if file:
        figure = Measurement(benchmark, what, float(value), unit, peer, ratio)
        with Path(file).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(dataclasses.asdict(figure)) + "\n")


def read_figures(file: Path) -> list[Measurement]:
    """Returns the figures of a file, in the order in which they were recorded.

    Raises:
        ValueError: A line is no figure.
    """
    figures = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            figures.append(Measurement(**json.loads(line)))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{file}, line {number}: expected a figure as `benchmarks.figures` "
                f"writes it. Received: {line[:80]!r}. Delete the folder and measure "
                "again."
            ) from error
    return figures


def figures_table(figures: Sequence[Measurement]) -> Table:
    """Returns the figures as a table.

    Args:
        figures: In the order of the rows.
    """
    columns = [
        *(Column("benchmark", "text"), Column("what", "text"), Column("value")),
        *(Column("unit", "text"), Column("times better", digits=2)),
        Column("than", "text"),
    ]
    rows = [
        [f.benchmark, f.what, round_figure(f.value), f.unit, f.ratio, f.peer]
        for f in figures
    ]
    return Table("", columns, rows)


def round_figure(value: float) -> str:
    """Returns a number with three digits that say something, as `0.123` or `4,571`."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
