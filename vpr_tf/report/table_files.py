"""Tables as the files that people take into a paper or a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vpr_tf.atomic_files import replace_file
from vpr_tf.tables import Table


def tables_markdown(tables: Sequence[Table]) -> str:
    """Returns tables as markdown, one below the other."""
    return "\n\n".join(table.to_markdown() for table in tables) + "\n"


def write_tables(tables: Sequence[Table], stem: Path) -> list[Path]:
    """Writes tables as markdown and as LaTeX, each file at once.

    Args:
        tables: In order.
        stem: Path of the files without their ending, in an existing folder.

    Returns:
        `<stem>.md` and `<stem>.tex`.

    Raises:
        OSError: A file cannot be written.
    """
    latex = "\n\n".join(table.to_latex() for table in tables) + "\n"
    texts = {".md": tables_markdown(tables), ".tex": latex}
    files = []
    for ending, text in texts.items():
        path = stem.with_name(stem.name + ending)
        with replace_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        files.append(path)
    return files
