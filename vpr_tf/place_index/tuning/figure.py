"""A figure of recall over speed."""

from __future__ import annotations

from pathlib import Path

from vpr_tf.drawing import plain_text
from vpr_tf.place_index.tuning.measurement import Measurement

_COLOURS = {"exact": "#444444", "scann": "#0b6aa2", "milvus": "#c4501b"}
CHOSEN_COLOUR = "#1b7a3d"
_TICKS = (0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
# The share that is missed is drawn on a logarithmic scale, which this share ends, so
# that 100 % has a place.
_LEAST_MISSED = 2e-3


@plain_text()
def draw_tuning(
    measurements: list[Measurement],
    chosen: Measurement,
    path: Path,
    *,
    recall_at: int,
    min_recall: float,
    title: str,
) -> None:
    """Draws recall against exact search over queries/s.

    Args:
        measurements: All settings.
        chosen: Which of them is marked.
        path: PNG to write.
        recall_at: Of which N.
        min_recall: Drawn as a line.
        title: Above the figure.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, LogFormatter, NullLocator

    def place(one: Measurement) -> tuple[float, float]:
        return one.queries_per_s, _height(one.recalls[recall_at])

    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log")
    for kind in dict.fromkeys(one.kind for one in measurements):
        places = [place(one) for one in measurements if one.kind == kind]
        colour = _COLOURS.get(kind, "#7a3b8f")
        axes.scatter(*zip(*places, strict=True), color=colour, label=kind, alpha=0.8)
    wanted = f"wanted: {min_recall:.1%}"
    axes.axhline(_height(min_recall), color="#a01c3f", linestyle="--", label=wanted)
    axes.scatter(
        *place(chosen),
        s=190,
        facecolors="none",
        edgecolors=CHOSEN_COLOUR,
        linewidths=2.2,
        label=f"chosen: {chosen.name}, {chosen.queries_per_s:,.0f}/s, p50 "
        f"{chosen.p50_ms:.2g} ms",
    )
    axes.yaxis.set_major_locator(FixedLocator([_height(recall) for recall in _TICKS]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda y, _: f"{1 - y + _LEAST_MISSED:.1%}")
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(LogFormatter())
    axes.xaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False))
    found = "nearest photo" if recall_at == 1 else f"{recall_at} nearest photos"
    axes.set_ylabel(f"share of the true {found} that is found")
    axes.set_xlabel("queries per second, in batches (faster to the right)")
    axes.set_title(title, fontsize=10, loc="left")
    axes.grid(True, color="#e2e2e2", linewidth=0.7)
    figure.legend(loc="outside lower center", ncols=5, fontsize=9, frameon=False)
    figure.savefig(path, dpi=130, format="png")


def _height(recall: float) -> float:
    return 1 - recall + _LEAST_MISSED
