"""The stretch of a street whose photos are compared, and what is drawn of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.extraction import load_extractor
from vpr_tf.geo import heading_differences_deg
from vpr_tf.photos import PhotoTable
from vpr_tf.report import (
    RUN_COLOURS,
    Drawing,
    Smoothness,
    json_ready,
    measure_smoothness,
)
from vpr_tf.tables import Column, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HALF_WIDTH_M = 6.0  # of a street's photos to the side of a straight line
_TURN_DEG = 22.5  # from the heading of the stretch; crops are 45 degrees apart
_NUM_ANCHORS = 300


@dataclass(frozen=True, eq=False)
class Stretch:
    """Photos along a straight line that look about the same way.

    Attributes:
        rows: Of the table, in their order along the line.
        metres: From the first, ascending.
        heading_deg: Where they look.
    """

    rows: np.ndarray
    metres: np.ndarray
    heading_deg: float


@dataclass(frozen=True, eq=False)
class Described:
    """An encoder and its descriptors.

    Attributes:
        name: For people.
        descriptors: Of all photos, `(num_photos, dim)`.
    """

    name: str
    descriptors: np.ndarray


def straight_stretch(photos: PhotoTable, num_photos: int, seed: int = 0) -> Stretch:
    """Finds so many photos on the shortest straight line, along or across the heading.

    Args:
        photos: Their positions and headings.
        num_photos: How many.
        seed: Of the photos around which lines are tried.

    Raises:
        ValueError: No line of 200 m or less has so many.
    """
    known = np.flatnonzero(photos.positions.known & (photos.heading_deg >= 0))
    generator = np.random.default_rng(seed)
    best: Stretch | None = None
    for anchor in generator.permutation(known)[:_NUM_ANCHORS]:
        found = _along(photos, known, anchor, num_photos)
        if found and (best is None or found.metres[-1] < best.metres[-1]):
            best = found
    if best is None or best.metres[-1] > 200:
        raise ValueError(
            f"No straight line of 200 m has {num_photos} photos that look the same "
            "way. Choose fewer by --photos, or another --set."
        )
    return best


def _along(
    photos: PhotoTable, known: np.ndarray, anchor: int, num_photos: int
) -> Stretch | None:
    """Returns the shortest stretch through a photo, or None."""
    heading_deg = float(photos.heading_deg[anchor])
    turns = heading_differences_deg(photos.heading_deg[known], heading_deg)
    rows = known[turns <= _TURN_DEG]
    utm_cm = photos.positions.utm_cm
    offsets = (utm_cm[rows] - utm_cm[anchor]) / 100
    best = None
    for axis_deg in (heading_deg, heading_deg + 90):
        axis = np.array([np.sin(np.radians(axis_deg)), np.cos(np.radians(axis_deg))])
        along = offsets @ axis
        across = offsets[:, 0] * axis[1] - offsets[:, 1] * axis[0]
        inside = np.flatnonzero(np.abs(across) <= _HALF_WIDTH_M)
        if len(inside) < num_photos:
            continue
        order = inside[np.argsort(along[inside], kind="stable")]
        spans = along[order[num_photos - 1 :]] - along[order[: -num_photos + 1]]
        first = int(spans.argmin())
        chosen = order[first : first + num_photos]
        if best is None or spans[first] < best.metres[-1]:
            metres = along[chosen] - along[chosen[0]]
            best = Stretch(rows[chosen], metres, heading_deg)
    return best


def describe(
    config: ExperimentConfig, model: str | None, split: SplitIndex
) -> Described:
    """Describes all photos of a split by an encoder."""
    extractor = load_extractor(config, model)
    descriptors = extractor.extract_records(split, np.arange(len(split)))
    name = model or f"{config.encoder.backbone}, before training"
    parts = Path(name).parts
    return Described(parts[-2] if len(parts) > 1 else name, descriptors)


def write_study(
    folder: Path,
    described: Sequence[Described],
    photos: PhotoTable,
    stretch: Stretch,
    num_pairs: int,
    config: ExperimentConfig,
) -> str:
    """Writes smoothness.png and smoothness.json, and returns a table."""
    folder.mkdir(parents=True, exist_ok=True)
    near_m = config.evaluation.positive_dist_threshold_m
    told = [
        measure_smoothness(
            one.descriptors, photos, near_m=near_m, num_pairs=num_pairs, seed=0
        )
        for one in described
    ]
    measured = [of_one for of_one in told if of_one is not None]
    if len(measured) < len(described):
        raise ValueError("No two photos of known position lie within 200 m.")
    smoothness_drawing(described, measured, stretch).write_png(folder)
    content = {
        "stretch": dataclasses.asdict(stretch),
        "models": [
            {"name": one.name, **dataclasses.asdict(of_one)}
            for one, of_one in zip(described, measured, strict=True)
        ],
    }
    (folder / "smoothness.json").write_text(
        json.dumps(json_ready(content), indent=2) + "\n"
    )
    columns = [Column("encoder", "text"), Column("along the stretch", digits=2)]
    columns += [Column("with distance", digits=2), Column("with turning", digits=2)]
    rows: list[list[Any]] = [
        [
            one.name,
            stretch_correlation(one.descriptors, stretch),
            of_one.spearman_distance,
            of_one.spearman_heading,
        ]
        for one, of_one in zip(described, measured, strict=True)
    ]
    return Table("", columns, rows).to_markdown()


def cosines(descriptors: np.ndarray, stretch: Stretch) -> np.ndarray:
    """Returns the cosines of all pairs of a stretch, in its order."""
    rows = np.asarray(descriptors[stretch.rows], np.float64)
    return rows @ rows.T


def stretch_correlation(descriptors: np.ndarray, stretch: Stretch) -> float:
    """Returns Spearman's correlation of cosine and metres of all pairs of a stretch."""
    from scipy.stats import spearmanr

    first, second = np.triu_indices(len(stretch.rows), 1)
    metres = stretch.metres[second] - stretch.metres[first]
    return float(spearmanr(cosines(descriptors, stretch)[first, second], metres)[0])


def smoothness_drawing(
    described: Sequence[Described], measured: Sequence[Smoothness], stretch: Stretch
) -> Drawing:
    """Draws the matrices side by side, and both curves below."""
    matrices = [cosines(one.descriptors, stretch) for one in described]
    low = min(float(matrix.min()) for matrix in matrices)

    def draw(figure: Figure) -> None:
        grid = figure.add_gridspec(2, len(described), height_ratios=[1.25, 1])
        all_axes = [figure.add_subplot(grid[0, i]) for i in range(len(described))]
        for axes, one, matrix in zip(all_axes, described, matrices, strict=True):
            image = axes.imshow(matrix, vmin=low, vmax=1, cmap="viridis")
            axes.set_title(one.name, fontsize=8.5)
            axes.set_xlabel(f"{len(matrix)} photos along {stretch.metres[-1]:.0f} m")
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
        figure.colorbar(image, ax=all_axes, label="cosine", shrink=0.85)
        below = grid[1, :].subgridspec(1, 2)
        for column, (field, label) in enumerate(
            (("by_distance", "m apart"), ("by_heading", "degrees turned, near by"))
        ):
            axes = figure.add_subplot(below[0, column])
            for i, (one, of_one) in enumerate(zip(described, measured, strict=True)):
                bins = [b for b in getattr(of_one, field) if b.num_pairs]
                middles = [(b.low + b.high) / 2 for b in bins]
                colour = RUN_COLOURS[i % len(RUN_COLOURS)]
                axes.plot(middles, [b.median for b in bins], ".-", color=colour,
                          label=one.name)  # fmt: skip
                axes.fill_between(
                    middles,
                    [b.p25 for b in bins],
                    [b.p75 for b in bins],
                    color=colour,
                    alpha=0.15,
                    lw=0,
                )
            axes.set(xlabel=label, ylabel="cosine, quartiles" if not column else "")
        handles, names = axes.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(names))

    size = (max(5.4, 2.9 * len(described)), 5.4)
    return Drawing("smoothness", "How smoothly descriptors change", draw, size)
