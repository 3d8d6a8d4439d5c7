"""CSV files that this program writes: any name is read again, and is no formula.

A spreadsheet runs a cell that begins with = + - or @ as a formula, also of a file that
came from others. Such names get a ' before, as one types it there, and so do names that
begin with '; whoever reads these files takes it off. Names as SF-XL has them, @ and a
digit, are no formula and stay as they are, so that they can be joined with others.
"""

from __future__ import annotations

import csv
import re
from typing import Any, TextIO

_FORMULA = re.compile(r"[=+\-\t\r']|@(?![0-9])")
_MARK = "'"


def csv_writer(file: TextIO, delimiter: str = ",") -> Any:
    r"""Returns a `csv.writer` whose lines end with \n and whose names may hold \r."""
    return csv.writer(_Lines(file), delimiter=delimiter, lineterminator="\r\n")


class _Lines:
    """Takes lines that end as `csv` must believe, so that it quotes line breaks."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, line: str) -> int:
        return self._file.write(line.removesuffix("\r\n") + "\n")


def name_cell(name: str) -> str:
    """Returns what is written of a name; numbers are written as they are."""
    return f"{_MARK}{name}" if _FORMULA.match(name) else name


def cell_name(cell: str) -> str:
    """Returns the name of which `name_cell` was written."""
    return cell.removeprefix(_MARK)
