"""How alike the prototypes of neighbouring cells are, as figure 7a of Divide&Classify.

Reference:
    Trivigno et al., "Divide&Classify: Fine-Grained Classification for City-Wide Visual
    Geo-Localization", ICCV 2023, arXiv:2307.08417.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vpr_tf.classification import PlaceClassifier
from vpr_tf.classification.class_table import OWN_GROUP
from vpr_tf.classification.group_head import COSINE
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.report import COLOURS, Drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NUM_PAIRS = 500  # of the paper
_NUM_BINS = 30


@dataclass(frozen=True, eq=False)
class Similarities:
    """Cosines of prototypes of cells that are neighbours.

    Attributes:
        within: Of a cell and the nearest of its group.
        between: Of a cell and the nearest of another group.
        within_m: Median distance of the former, in metres.
        between_m: Of the latter.
    """

    within: np.ndarray
    between: np.ndarray
    within_m: float
    between_m: float


def prototype_similarities(
    heads: PlacePredictor, num_pairs: int = _NUM_PAIRS, seed: int = 0
) -> Similarities | None:
    """Compares each cell with its nearest of the same and of another group.

    Args:
        heads: A classifier.
        num_pairs: Of each kind, drawn if there are more.
        seed: Of the draw.

    Returns:
        None of heads whose prototypes are not of one space: with hidden layers, biases,
        one group, or places that several groups share.
    """
    if not isinstance(heads, PlaceClassifier):
        return None
    table = heads.table
    is_shared = all(head.kind == COSINE and not head.hidden for head in heads.heads)
    if not is_shared or table.combine != OWN_GROUP or table.num_groups < 2:
        return None
    group = table.members.argmax(axis=1)
    prototypes = np.empty((len(table), heads.descriptor_dim), np.float32)
    for places, head in zip(table.places_of_groups, heads.heads, strict=True):
        prototypes[places] = head.unit_kernel.T
    chosen = np.random.default_rng(seed).permutation(len(table))[:num_pairs]
    found: list[np.ndarray] = []
    metres: list[float] = []
    for same in (True, False):
        nearest, apart_m = _nearest(table.points, group, chosen, same=same)
        has_one = np.isfinite(apart_m)
        pairs = prototypes[chosen[has_one]] * prototypes[nearest[has_one]]
        found.append(pairs.sum(axis=1))
        metres.append(float(np.median(apart_m[has_one])))
    return Similarities(found[0], found[1], metres[0], metres[1])


def _nearest(
    points: np.ndarray, group: np.ndarray, rows: np.ndarray, *, same: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the nearest place of each row's group, or of all others, and how far."""
    apart = np.linalg.norm(points[rows, None] - points, axis=2)
    allowed = (group[rows, None] == group) == same
    allowed[np.arange(len(rows)), rows] = False
    apart = np.where(allowed, apart, np.inf)
    nearest = apart.argmin(axis=1)
    return nearest, apart[np.arange(len(rows)), nearest]


def prototype_drawing(name: str, label: str, found: Similarities) -> Drawing:
    """Draws both histograms."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        both = np.concatenate([found.within, found.between])
        edges = np.linspace(both.min(), both.max(), _NUM_BINS + 1).tolist()
        for text, colour, values, metres in (
            ("nearest of the same group", "good", found.within, found.within_m),
            ("nearest of another group", "bad", found.between, found.between_m),
        ):
            axes.hist(
                values,
                edges,
                alpha=0.4,
                color=COLOURS[colour],
                label=f"{text}, {metres:.0f} m: mean {values.mean():.2f}",
            )
        axes.set(xlabel="cosine of the prototypes of two cells", ylabel="pairs")
        axes.legend(loc="upper left", bbox_to_anchor=(0, 1.22))

    title = f"Prototypes of neighbouring cells: {label}"
    return Drawing(f"prototypes_{name}", title, draw, (4.6, 3.2))
