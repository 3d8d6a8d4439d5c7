"""One style for all figures of a report: SVG inside the page, PNG for papers."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpr_tf.drawing import plain_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart with any colour vision (Okabe and Ito, 2008), and by lightness in grey.
COLOURS = {
    "paper": "#fefefe",
    "ink": "#1d2329",
    "muted": "#5c6670",
    "rule": "#dfe4e9",
    "good": "#0072b2",
    "bad": "#d55e00",
    "other": "#8a6fae",
    "tint": "#c6ddec",
}
# Of runs side by side, likewise; more runs take them again.
RUN_COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7"),
    *("#56b4e9", "#e69f00", "#1d2329", "#8a6fae"),
)
DASHES = (0, (3, 3))
SEQUENCE = ("#08436b", "#2376b5", "#5fa2cf", "#93b9d2", "#a9bdcc")
_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 10.0,
    "axes.labelsize": 8.5,
    "axes.labelcolor": COLOURS["muted"],
    "axes.edgecolor": COLOURS["rule"],
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.unicode_minus": True,
    "grid.color": COLOURS["rule"],
    "grid.linewidth": 0.6,
    "text.color": COLOURS["ink"],
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.labelcolor": COLOURS["muted"],
    "ytick.labelcolor": COLOURS["muted"],
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "svg.fonttype": "none",
    "savefig.facecolor": COLOURS["paper"],
}


@dataclass(frozen=True)
class Drawing:
    """A figure before it has a file format.

    Attributes:
        name: File name without ending; unique in a report.
        title: What is shown, with its unit.
        draw: Draws into an empty figure.
        size: Width and height in inches.
    """

    name: str
    title: str
    draw: Callable[[Figure], None]
    size: tuple[float, float] = (4.9, 3.2)

    def svg(self) -> str:
        """Returns an `<svg>` element for an HTML page; colours follow the page's.

        The title is an `aria-label`: the page prints it above.
        """
        file = io.BytesIO()
        # No date, and ids that depend on the name alone: same figure, same bytes.
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        settings = {"svg.hashsalt": self.name, "savefig.facecolor": "none"}
        self._save(file, settings, format="svg", metadata=nothing)
        return _for_page(file.getvalue().decode(), self.title)

    def write_png(self, folder: str | Path) -> Path:
        """Writes `<name>.png`, with its title, for papers and slides."""
        path = Path(folder) / f"{self.name}.png"
        self._save(path, {}, title=self.title, dpi=200, metadata={"Software": None})
        return path

    def _save(
        self,
        file: Path | io.BytesIO,
        settings: dict[str, Any],
        *,
        title: str | None = None,
        **options: Any,
    ) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        with plain_text({**_STYLE, **settings}):
            figure = Figure(self.size, layout="constrained")
            FigureCanvasAgg(figure)
            self.draw(figure)
            if title:
                size = _STYLE["axes.titlesize"]
                figure.suptitle(title, x=0.01, ha="left", weight="bold", size=size)
            figure.savefig(file, **options)


def write_figures(drawings: Sequence[Drawing], folder: Path) -> None:
    """Writes each drawing as PNG; those of a former call are removed.

    Args:
        drawings: Figures of distinct names.
        folder: Existing or new folder of such files alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for former in folder.glob("*.png"):
        former.unlink()
    for drawing in drawings:
        drawing.write_png(folder)


def label_lines(axes: Axes, labels: list[tuple[float, float, str]]) -> None:
    """Names lines at their right ends, moved apart where they would overlap.

    Args:
        axes: Axes whose limits are final.
        labels: x and y of the end of each line, and its name.
    """
    height_pt = axes.get_window_extent().height * 72 / axes.figure.dpi
    low, high = axes.get_ylim()
    step = (high - low) * 9.5 / max(height_pt, 1.0)
    ordered = sorted(labels, key=lambda label: label[1])
    heights = [y for _, y, _ in ordered]
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + step)
    for i, limit in enumerate(range(len(heights), 0, -1)):
        heights[i] = min(heights[i], high - (limit - 1) * step)
    for (x, _, text), y in zip(ordered, heights, strict=True):
        axes.annotate(
            text,
            (x, y),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=COLOURS["muted"],
            fontsize=8,
            annotation_clip=False,
        )


def _for_page(svg: str, title: str) -> str:
    from html import escape

    view_box = re.search(r'viewBox="[^"]*"', svg)
    opening = f'<svg {view_box[0] if view_box else ""} role="img"'
    opening += f' aria-label="{escape(title)}">'
    for pattern, replacement in (
        (r".*<svg[^>]*>", ""),
        (r"<metadata>.*?</metadata>", ""),
        (r"<style.*?</style>", ""),  # would hold for the whole page
        (r'<g id="[^"]*"', "<g"),  # the same in every figure
        (r"xlink:href", "href"),
        (r"font-family: [^;]*; ", ""),
        (r' transform="rotate\(-0 [^"]*"', ""),
        (r"\b(\d+\.\d\d)\d+", r"\1"),
        (r"\s*\n\s*", "\n"),
    ):
        svg = re.sub(pattern, replacement, svg, flags=re.DOTALL)
    for name, colour in page_colours().items():
        svg = svg.replace(colour, f"var(--{name},{colour})")
    return opening + svg


def page_colours() -> dict[str, str]:
    """Returns the colours that the page defines for light and dark, by variable."""
    lines = {f"line{number}": colour for number, colour in enumerate(SEQUENCE)}
    return {**COLOURS, **lines}
