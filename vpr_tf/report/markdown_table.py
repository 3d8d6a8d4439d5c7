"""Tables and numbers in markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vpr_tf.report.intervals import Interval


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table; the first column stands at the left, numbers at the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(
        [_line(header, widths), _line(rule, widths)]
        + [_line(row, widths) for row in rows]
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
    return "| " + " | ".join(padded) + " |"


def number(value: float, digits: int = 1) -> str:
    """Returns a number as text, `-` when it is unknown."""
    return f"{value:,.{digits}f}" if math.isfinite(value) else "-"


def interval(measured: Interval, digits: int = 1) -> str:
    """Returns `89.1 [85.0, 92.7]`; without the brackets when there is no interval."""
    text = number(measured.value, digits)
    if not math.isfinite(measured.low):
        return text
    return f"{text} [{number(measured.low, digits)}, {number(measured.high, digits)}]"
