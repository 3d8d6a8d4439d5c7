"""HTML pages of templates; each is one file that refers to nothing outside."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpr_tf.atomic_files import replace_file
from vpr_tf.printable import printable, printable_lines
from vpr_tf.report.map_svg import path_dots, path_lines, round_length_m
from vpr_tf.tables import counted, metres, number

if TYPE_CHECKING:
    from jinja2 import Environment


def write_page(template: str, path: Path, **content: Any) -> Path:
    """Writes a page at once.

    Args:
        template: Name of a file of `templates/`, e.g. `report.html.j2`.
        path: Where the page is written.
        content: What the template shows.

    Returns:
        `path`.

    Raises:
        OSError: The file cannot be written.
    """
    with replace_file(path) as temporary:
        temporary.write_text(render(template, **content), encoding="utf-8")
    return path


def render(template: str, **content: Any) -> str:
    """Returns what a template makes of its content; see `write_page`."""
    return environment().get_template(template).render(**content)


@functools.cache
def environment() -> Environment:
    """Returns the templates with their filters; all content is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("vpr_tf.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_printable,
    )
    templates.filters.update(
        breakable=_breakable,
        counted=counted,
        dots=path_dots,
        lines=path_lines,
        round_length=round_length_m,
        metres=metres,
        number=number,
    )
    return templates


def _printable(value: object) -> object:
    """Returns text of others without control characters; HTML is our own."""
    from markupsafe import Markup

    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return printable_lines(value)


def _breakable(text: object) -> str:
    """Returns a file name as HTML that may be broken at its separators."""
    from markupsafe import Markup, escape

    html = escape(printable(str(text)))
    for separator in "/@_":
        html = html.replace(separator, Markup(f"{separator}<wbr>"))
    return html
