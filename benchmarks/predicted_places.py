"""Where methods think that queries were taken, as figures 3 and 7b of Divide&Classify.

Reference:
    Trivigno et al., "Divide&Classify: Fine-Grained Classification for City-Wide Visual
    Geo-Localization", ICCV 2023, arXiv:2307.08417.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.methods_measure import Method
from vpr_tf.evaluation import EvaluationResult
from vpr_tf.geo import Positions
from vpr_tf.report import COLOURS, Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NUM_SHOWN = 10
_NUM_BINS = 20


@dataclass(frozen=True, eq=False)
class MethodPlaces:
    """What a method predicts.

    Attributes:
        label: Its name.
        database_m: Where photos are known, metres east and north `(num_images, 2)`.
        true_m: Where the queries were taken, `(num_queries, 2)`.
        predicted_m: First predictions, best first, `(num_queries, n, 2)`; NaN where
            there are fewer.
        right: Whether the first one is right, bool `(num_queries,)`.
    """

    label: str
    database_m: np.ndarray
    true_m: np.ndarray
    predicted_m: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, label: str, method: Method, result: EvaluationResult) -> MethodPlaces:
        """Takes what an evaluation found."""
        dataset, names = method.opened.dataset, method.evaluation_set
        database = dataset.split(names.database).positions()
        places = database if result.places is None else result.places
        rows = result.predictions[:, :_NUM_SHOWN]
        predicted_m = _metres(places)[rows]
        predicted_m[rows < 0] = np.nan
        return cls(
            label,
            _metres(database),
            _metres(dataset.split(names.queries).positions()),
            predicted_m,
            np.asarray(result.hits[:, 0], bool),
        )


def chosen_queries(methods: Sequence[MethodPlaces], num_queries: int) -> list[int]:
    """Returns queries from those of which most methods are right to the fewest.

    Of queries with the same number the one in the middle of them stands for them.
    """
    num_right = np.sum([method.right for method in methods], axis=0)
    counts = np.unique(num_right)[::-1]
    wanted = np.linspace(0, len(counts) - 1, min(num_queries, len(counts)))
    groups = [np.flatnonzero(num_right == counts[round(i)]) for i in wanted]
    return [int(rows[len(rows) // 2]) for rows in groups]


def places_drawing(methods: Sequence[MethodPlaces], num_queries: int) -> Drawing:
    """Draws a map for each method and query."""
    rows = chosen_queries(methods, num_queries)

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(rows), len(methods), squeeze=False)
        for line, row in zip(grid, rows, strict=True):
            for axes, method in zip(line, methods, strict=True):
                _map(axes, method, row)
        for axes, method in zip(grid[0], methods, strict=True):
            axes.set_title(method.label, fontsize=8.5)
        handles, texts = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside lower center", ncols=3)

    size = (1.9 * len(methods) + 0.4, 2.0 * len(rows) + 0.7)
    return Drawing("predicted_places", "First 10 predictions", draw, size)


def _map(axes: Axes, method: MethodPlaces, row: int) -> None:
    origin = method.database_m.min(axis=0)
    axes.plot(
        *(method.database_m - origin).T,
        ".",
        color=COLOURS["muted"],
        alpha=0.4,
        ms=1.5,
        mew=0,
    )
    predicted = method.predicted_m[row] - origin
    # Those that coincide are the stronger colour.
    axes.plot(
        *predicted.T,
        "o",
        color=COLOURS["bad"],
        alpha=0.35,
        ms=7,
        mew=0,
        label="first 10 predictions",
    )
    axes.plot(
        *predicted[0], "o", color="none", markeredgecolor=COLOURS["ink"], ms=7.5, mew=1,
        label="the first of them",
    )  # fmt: skip
    axes.plot(
        *(method.true_m[row] - origin),
        "*",
        color="#009e73",
        markeredgecolor=COLOURS["paper"],
        ms=12,
        mew=0.8,
        label="taken here",
    )
    axes.set(xticks=[], yticks=[], aspect="equal")
    axes.grid(visible=False)
    state = "right" if method.right[row] else "wrong"
    axes.set_xlabel(state, color=COLOURS["good" if method.right[row] else "bad"])


def _metres(positions: Positions) -> np.ndarray:
    return np.asarray(positions.utm_cm / 100, np.float64)


def has_spread(result: EvaluationResult) -> bool:
    """Whether groups are apart; of heads that vote together none is known."""
    spread = result.spread_m
    return spread is not None and len(np.unique(spread[np.isfinite(spread)])) > 1


def spread_drawing(name: str, label: str, result: EvaluationResult) -> Drawing:
    """Draws how far the groups are apart, where the first answer is right and wrong."""
    spread = np.asarray(result.spread_m, np.float64)
    right = np.asarray(result.hits[:, 0], bool)
    known = (result.num_positives >= 0) & np.isfinite(spread)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        edges = np.linspace(0, np.nanmax(spread), _NUM_BINS + 1)
        for told, colour, rows in (
            ("right", "good", right & known),
            ("wrong", "bad", ~right & known),
        ):
            counts = np.histogram(spread[rows], edges)[0]
            text = f"{told}: none"
            if rows.any():
                text = f"{told}: median {np.median(spread[rows]):.0f} m, {rows.sum()}"
            axes.stairs(
                100 * counts / max(1, rows.sum()),
                edges,
                fill=True,
                alpha=0.35,
                color=COLOURS[colour],
                label=text,
            )
        axes.set(xlabel="m between the best cells of the groups", ylabel="% of these")
        axes.legend()

    title = f"How far the groups are apart: {label}"
    return Drawing(f"spread_{name}", title, draw, (4.6, 3.2))
