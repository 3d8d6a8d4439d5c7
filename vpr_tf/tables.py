"""One model of a table: its content once, as markdown, as LaTeX and in HTML pages."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal

from vpr_tf.printable import printable

UNKNOWN = "-"  # stands where a number is not known
_LONGEST_NAME = 40  # on a terminal
_LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "°": r"\textdegree{}",
        "±": r"$\pm$",
        "\n": " ",
    }
)


@dataclass(frozen=True)
class Interval:
    """A number and its confidence interval; NaN where there is nothing to measure.

    Attributes:
        value: The number, measured on all queries.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Quantity:
    """A number that does not have the digits and the unit of its column."""

    value: float | Interval
    digits: int = 1
    unit: str = ""


@dataclass(frozen=True)
class Cell:
    """A value as text.

    Attributes:
        text: The value.
        interval: Its interval, `[85.0, 92.7]`; empty without.
        column: Where it stands.
    """

    text: str
    interval: str
    column: Column

    def __str__(self) -> str:
        return f"{self.text} {self.interval}".rstrip()


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its head.
        kind: `number` and `metres` (with a unit as their size deserves) stand at the
            right; `text`, `name` (of a file) and `state` at the left.
        digits: Decimals of numbers.
        unit: Behind each number.
    """

    name: str
    kind: Literal["number", "metres", "text", "name", "state"] = "number"
    digits: int = 1
    unit: str = ""

    @property
    def is_text(self) -> bool:
        """Whether it stands at the left."""
        return self.kind in ("text", "name", "state")

    def cell(self, value: Any) -> Cell:
        """Returns a value as text."""
        text, interval = "", ""
        if isinstance(value, Quantity):
            own = dataclasses.replace(self, digits=value.digits, unit=value.unit)
            return own.cell(value.value)
        if value is None:
            text = UNKNOWN
        elif isinstance(value, str | bytes):
            text = printable(value)
        elif isinstance(value, Interval):
            text = number(value.value, self.digits, self.unit)
            interval = ends(value, self.digits)
        elif isinstance(value, Integral):
            text = f"{value:,}{self.unit}"
        elif self.kind == "metres":
            text = metres(float(value))
        else:
            text = number(float(value), self.digits, self.unit)
        return Cell(text, interval, self)


@dataclass(frozen=True)
class Table:
    """What a table says, in no language yet.

    Attributes:
        title: What it shows; may be empty.
        columns: From left to right.
        rows: From top to bottom, a value for each column: text, bytes, a number, an
            `Interval` or a `Quantity`; None and NaN are unknown.
        note: Printed below; the reason where there are no rows.
        main_row: The row that a page stresses; -1 for none.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    note: str = ""
    main_row: int = -1

    def cells(self) -> list[list[Cell]]:
        """Returns the rows as text."""
        return [
            [
                column.cell(value)
                for column, value in zip(self.columns, row, strict=True)
            ]
            for row in self.rows
        ]

    def to_markdown(self) -> str:
        """Returns title, table and note as markdown, whatever of them there is."""
        parts = [f"## {self.title}" if self.title else "", self.note]
        if self.rows:
            parts.insert(1, self._grid())
        return "\n\n".join(filter(None, parts))

    def to_text(self) -> str:
        """Returns title, table and note for a terminal, with long names cut."""
        texts = [[str(cell) for cell in row] for row in self.cells()]
        for number, column in enumerate(self.columns):
            if column.kind == "name":
                cut = told_apart(line[number] for line in texts)
                for line in texts:
                    line[number] = cut[line[number]]
        parts = [self.title, self.note]
        if texts:
            lines = self._aligned(texts)
            parts.insert(1, "\n".join("  ".join(line).rstrip() for line in lines))
        return "\n\n".join(filter(None, parts))

    def _grid(self) -> str:
        texts = [[_markdown_cell(cell) for cell in row] for row in self.cells()]
        lines = self._aligned(texts)
        pairs = zip(self.columns, map(len, lines[0]), strict=True)
        rule = ["-" * n if c.is_text else "-" * (n - 1) + ":" for c, n in pairs]
        lines.insert(1, rule)
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def _aligned(self, texts: list[list[str]]) -> list[list[str]]:
        """Returns the head and rows of text, those of a column of one width."""
        lines = [[column.name for column in self.columns], *texts]
        widths = [max(map(len, texts)) for texts in zip(*lines, strict=True)]
        return [
            [
                text.ljust(width) if column.is_text else text.rjust(width)
                for text, column, width in zip(line, self.columns, widths, strict=True)
            ]
            for line in lines
        ]

    def to_latex(self) -> str:
        """Returns a `table` for papers; it needs the package booktabs."""
        caption = latex(self.title)
        if not self.rows:
            return f"% {caption}: {latex(self.note)}"
        sides = "".join("l" if column.is_text else "r" for column in self.columns)
        head = " & ".join(latex(column.name) for column in self.columns)
        body = [" & ".join(map(_latex_cell, row)) for row in self.cells()]
        note = [rf"\par\footnotesize {latex(self.note)}"] if self.note else []
        lines = [r"\begin{table}", r"\centering", rf"\caption{{{caption}}}"]
        lines += [rf"\begin{{tabular}}{{{sides}}}", r"\toprule", rf"{head} \\"]
        lines += [r"\midrule", *(rf"{line} \\" for line in body), r"\bottomrule"]
        return "\n".join([*lines, r"\end{tabular}", *note, r"\end{table}"])


def _markdown_cell(cell: Cell) -> str:
    return str(cell).replace("|", r"\|")


def _latex_cell(cell: Cell) -> str:
    range_ = rf" {{\scriptsize {cell.interval}}}" if cell.interval else ""
    return ("--" if cell.text == UNKNOWN else latex(cell.text)) + range_


def told_apart(names: Iterable[str], longest: int = _LONGEST_NAME) -> dict[str, str]:
    """Cuts long names so that different ones stay different.

    Args:
        names: Paths, for instance.
        longest: Characters of a name that is not cut. It is exceeded where names could
            not be told apart.

    Returns:
        The start and the end of each long name, with the first of what differs.
    """
    known = list(dict.fromkeys(names))
    long = [name for name in known if len(name) > longest]
    start, end = _num_shared(long), _num_shared([name[::-1] for name in long])
    for room in itertools.count(longest):
        cut = [_cut(name, room, start, len(name) - end) for name in known]
        if len(set(cut)) == len(known):
            break
    return dict(zip(known, cut, strict=True))


def _num_shared(names: Sequence[str]) -> int:
    """Returns how many characters all names begin with."""
    ends = zip(min(names, default=""), max(names, default=""), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], ends))


def _cut(name: str, room: int, first: int, last: int) -> str:
    """Cuts a name, which differs from others at `first` to `last`."""
    if len(name) <= room:
        return name
    start = (room - 1) // 2
    end = len(name) - (room - 1 - start)
    if not start <= first < last <= end:
        return f"{name[:start]}…{name[end:]}"
    part = (room - 2) // 3
    end = len(name) - part
    return f"{name[:part]}…{name[first : min(first + part, end)]}…{name[end:]}"


def latex(text: str) -> str:
    """Returns text with what LaTeX would read as commands escaped."""
    return text.translate(_LATEX)


def number(value: float, digits: int = 1, unit: str = "") -> str:
    """Returns a number as text, a dash where it is not known."""
    return f"{value:,.{digits}f}{unit}" if math.isfinite(value) else UNKNOWN


def ends(interval: Interval, digits: int = 1) -> str:
    """Returns `[85.0, 92.7]`; empty text where there is no interval."""
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return ""
    return f"[{interval.low:,.{digits}f}, {interval.high:,.{digits}f}]"


def metres(distance_m: float) -> str:
    """Returns a distance with its unit, as exact as its size deserves."""
    if not math.isfinite(distance_m):
        return UNKNOWN
    if distance_m < 99.95:
        return f"{distance_m:.1f} m"
    if distance_m < 10_000:
        return f"{distance_m:,.0f} m"
    return f"{distance_m / 1000:,.0f} km"


def counted(amount: int, singular: str, plural: str) -> str:
    """Returns e.g. `1 query` or `2,500 queries`."""
    return f"{amount:,} {singular if amount == 1 else plural}"
