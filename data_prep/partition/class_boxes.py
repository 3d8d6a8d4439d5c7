"""The table of classes that are no squares of UTM: boxes around their images."""

from __future__ import annotations

import numpy as np

from vpr_tf.data.partition import CLASS_DTYPE
from vpr_tf.geo import Positions


def boxes_of_classes(
    positions: Positions, rows: np.ndarray, counts: np.ndarray, group_id: int
) -> np.ndarray:
    """Describes the classes of one group; see `CLASS_DTYPE`.

    `cell_*_m` is the south-western corner of the box around the images of a class, in
    whole metres; the centre is their mean. Both are
    in the zone of most of the images. `group_east` tells groups apart, as there is
    nothing else to tell; there is one heading bin, 0.

    Args:
        positions: Of every row.
        rows: Those in a class, class after class.
        counts: Images of each class.
        group_id: The group.
    """
    starts = np.cumsum(counts) - counts
    classes = np.zeros(len(counts), CLASS_DTYPE)
    classes["group_id"] = classes["group_east"] = group_id
    classes["num_images"] = counts
    classes["utm_zone"] = zones = _most_frequent(positions.utm_zone[rows], counts)
    members = positions.take(rows).projected_to(np.repeat(zones, counts))
    for name, position_cm in (
        ("east", members.utm_east_cm),
        ("north", members.utm_north_cm),
    ):
        smallest = np.minimum.reduceat(position_cm, starts)
        classes[f"cell_{name}_m"] = smallest // 100
        # Means of offsets: sums of UTM norths in centimetres would need care.
        offsets = position_cm - np.repeat(smallest, counts)
        mean_cm = smallest + np.add.reduceat(offsets, starts) / counts
        classes[f"centre_{name}_m"] = mean_cm / 100
    return classes


def _most_frequent(zones: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns the most frequent zone of each class; the lowest of equals."""
    class_index = np.repeat(np.arange(len(counts)), counts)
    pairs, frequency = np.unique(
        np.stack([class_index, zones.astype(np.int64)], 1), axis=0, return_counts=True
    )
    order = np.lexsort((pairs[:, 1], -frequency, pairs[:, 0]))
    first = np.searchsorted(pairs[order, 0], np.arange(len(counts)))
    return pairs[order, 1][first]
