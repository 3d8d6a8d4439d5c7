"""The frame of a page: one HTML file that refers to nothing outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vpr_tf.report.figure_style import Drawing
from vpr_tf.report.page_text import safe

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        name: Target of links to it, unique in the page.
        title: Heading, plain text.
        html: What stands below the heading.
        short: Name in the navigation; empty for the heading.
    """

    name: str
    title: str
    html: str
    short: str = ""


def page(
    kind: str, title: str, introduction: str, sections: Sequence[Section], footer: str
) -> str:
    """Returns a whole page.

    Args:
        kind: What the page is, above its title; plain text.
        title: Plain text.
        introduction: Below the title, HTML.
        sections: Parts of the page.
        footer: HTML.
    """
    links = "".join(
        f'<li><a href="#{part.name}">{safe(part.short or part.title)}</a></li>'
        for part in sections
    )
    parts = "\n".join(
        f'<section id="{part.name}">\n<h2>{safe(part.title)}</h2>\n{part.html}\n'
        "</section>"
        for part in sections
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{safe(kind)}: {safe(title)}</title>
<style>
{(_HERE / "page.css").read_text()}</style>
</head>
<body>
<header>
<p class="kind">{safe(kind)}</p>
<h1>{safe(title)}</h1>
{introduction}
</header>
<nav><ul>{links}<li></li></ul></nav>
<main>
{parts}
</main>
<footer>{footer}</footer>
<script>
{(_HERE / "page.js").read_text()}</script>
</body>
</html>
"""


def chart(drawing: Drawing, caption: str = "") -> str:
    """Returns a figure with its title above and a caption (HTML) below."""
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    return (
        f'<figure class="chart"><h3>{safe(drawing.title)}</h3>{drawing.svg()}{below}'
        "</figure>"
    )


def side_by_side(left: str, right: str) -> str:
    """Returns two pieces of HTML beside each other where there is room."""
    return f'<div class="grid"><div>{left}</div><div>{right}</div></div>'


def missing(reason: str) -> str:
    """Returns what stands in the place of a part that cannot be shown.

    Args:
        reason: Plain text.
    """
    return f'<p class="empty">{safe(reason)}</p>'
