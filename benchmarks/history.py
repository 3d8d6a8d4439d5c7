"""How the figures of `benchmarks.all` changed: `python -m benchmarks.history DIR`.

Writes `history.html` into the folder: one table for each size, a column a call, and the
ratios to the peers as a figure. Ratios are measured in one call, so they can be
compared between machines; other numbers only where machine and load are the same.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader

from benchmarks.figures import Measurement, round_figure
from vpr_tf.atomic_files import replace_file
from vpr_tf.report import COLOURS, Drawing
from vpr_tf.report.figure_style import label_lines
from vpr_tf.report.page import environment
from vpr_tf.tables import UNKNOWN, Column, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_MOST_CALLS = 8  # columns of a table
_TEMPLATES = Path(__file__).parent / "templates"


class Call:
    """One call of `benchmarks.all`.

    Attributes:
        facts: Time, size, machine, versions and commit.
        figures: By benchmark and what was measured.
    """

    def __init__(self, content: dict[str, Any]):
        figures = [Measurement(**figure) for figure in content.pop("figures")]
        self.facts: dict[str, Any] = content
        self.figures = {(f.benchmark, f.what): f for f in figures}


def main(arguments: list[str] | None = None) -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the output of `benchmarks.all`")
    print(write_history(parser.parse_args(arguments).folder))


def write_history(folder: Path) -> Path:
    """Writes `history.html` of all calls in a folder, and returns its path.

    Raises:
        ValueError: The folder has no call, or a file of it is damaged.
    """
    calls = read_calls(folder)
    sizes = sorted({call.facts["size"] for call in calls})
    parts = [
        _part(size, [c for c in calls if c.facts["size"] == size]) for size in sizes
    ]
    templates = environment().overlay(
        loader=ChoiceLoader(
            [FileSystemLoader(_TEMPLATES), PackageLoader("vpr_tf.report")]
        )
    )
    sections = [(size, f"Size {size}") for size in sizes]
    template = templates.get_template("history.html.j2")
    page = template.render(parts=parts, sections=sections)
    path = folder / "history.html"
    with replace_file(path) as file:
        file.write_text(page, encoding="utf-8")
    return path


def read_calls(folder: Path) -> list[Call]:
    """Returns the calls of a folder, the oldest first.

    Raises:
        ValueError: There is none, or a file is damaged.
    """
    files = sorted(folder.glob("20*/figures.json"))
    if not files:
        raise ValueError(
            f"{folder}: expected folders of `python -m benchmarks.all` with "
            "figures.json. Received: none. Run it with --output."
        )
    calls = []
    for file in files:
        try:
            calls.append(Call(json.loads(file.read_text(encoding="utf-8"))))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{file}: expected what `benchmarks.all` writes. Received: {error}. "
                "Delete its folder."
            ) from error
    return calls


def _part(size: str, calls: Sequence[Call]) -> dict[str, Any]:
    shown = calls[-_MOST_CALLS:]
    drawing = _ratios(size, shown)
    return {
        "size": size,
        "figures": [drawing] if drawing else [],
        "measured": values_table(shown),
        "calls": _calls_table(shown),
    }


def values_table(calls: Sequence[Call]) -> Table:
    """Returns one row a figure and one column a call; a ratio stands in brackets.

    Args:
        calls: The oldest first.
    """
    names = list(dict.fromkeys(name for call in calls for name in call.figures))
    columns = [Column("benchmark", "text"), Column("what", "text")]
    columns += [Column("unit", "text")]
    columns += [Column(call.facts["time"], "text") for call in calls]
    rows = []
    for name in names:
        found = [call.figures.get(name) for call in calls]
        unit = next(figure.unit for figure in found if figure)
        rows.append([*name, unit, *(_value(figure) for figure in found)])
    return Table("", columns, rows)


def _value(figure: Measurement | None) -> str:
    if figure is None:
        return UNKNOWN
    text = round_figure(figure.value)
    return text if figure.ratio is None else f"{text} ({figure.ratio:.2f} x)"


def _calls_table(calls: Sequence[Call]) -> Table:
    names = ("time", "commit", "machine", "versions")
    rows = [[call.facts[name] for name in names] for call in calls]
    return Table("", [Column(name, "text") for name in names], rows)


def _ratio(call: Call, name: tuple[str, str]) -> float | None:
    figure = call.figures.get(name)
    return figure.ratio if figure else None


def _ratios(size: str, calls: Sequence[Call]) -> Drawing | None:
    """Draws how many times better than its peer each figure is, by call."""
    names = [name for name, figure in calls[-1].figures.items() if figure.ratio]
    if not names:
        return None

    def draw(figure: Canvas) -> None:
        axes = figure.add_subplot()
        labels: list[tuple[float, float, str]] = []
        for name in names:
            ratios = [_ratio(call, name) for call in calls]
            points = [(float(i), math.log2(r)) for i, r in enumerate(ratios) if r]
            axes.plot(*zip(*points, strict=True), "o-", ms=4)
            labels.append((*points[-1], name[1]))
        axes.axhline(0, color=COLOURS["muted"], ls="--", lw=1)
        axes.yaxis.set_major_formatter(lambda y, _: f"{2.0**y:.3g}")
        axes.set_xticks(range(len(calls)), [c.facts["time"][:10] for c in calls])
        axes.set_xlim(-0.3, len(calls) + 0.6)
        label_lines(axes, labels)

    height = max(3.2, 0.28 * len(names))
    return Drawing(f"ratios_{size}", "times better than the peer", draw, (9.0, height))


if __name__ == "__main__":
    main()
