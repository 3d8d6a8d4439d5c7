"""Tables of a page."""

from __future__ import annotations

import re
from collections.abc import Sequence

_BROAD = 40  # characters of a value that takes the place of two


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    caption: str = "",
    text_columns: Sequence[int] = (0,),
    sortable: bool = False,
    row_classes: Sequence[str] = (),
) -> str:
    """Returns a `<table>`; numbers stand at the right.

    Args:
        header: Names of the columns, HTML.
        rows: Cells, HTML.
        caption: What the table shows, HTML; empty for none.
        text_columns: Columns that stand at the left.
        sortable: Whether page.js lets a reader sort it by a click on a column.
        row_classes: A class for each row; empty for none.
    """
    kinds = ["text" if i in text_columns else "number" for i in range(len(header))]
    head = "".join(
        f'<th scope="col" class="{kind}">{name}</th>'
        for kind, name in zip(kinds, header, strict=True)
    )
    body = []
    for i, row in enumerate(rows):
        name = f' class="{row_classes[i]}"' if row_classes else ""
        cells = "".join(
            f'<td class="{kind}">{cell}</td>'
            for kind, cell in zip(kinds, row, strict=True)
        )
        body.append(f"<tr{name}>{cells}</tr>")
    title = f"<caption>{caption}</caption>" if caption else ""
    sorting = ' class="sortable"' if sortable else ""
    lines = "\n".join(body)
    return (
        f'<div class="wide"><table{sorting}>{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>\n{lines}\n</tbody></table></div>"
    )


def facts(entries: Sequence[tuple[str, str]]) -> str:
    """Returns names with their values, HTML, as a `<dl>`."""
    pairs = "".join(
        f"<div{_class_of(value)}><dt>{name}</dt><dd>{value}</dd></div>"
        for name, value in entries
    )
    return f'<dl class="facts">{pairs}</dl>'


def _class_of(value: str) -> str:
    text = re.sub("<[^>]*>", "", value)
    return ' class="broad"' if len(text) > _BROAD else ""
