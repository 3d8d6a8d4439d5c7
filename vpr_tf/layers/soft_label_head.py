"""Cross-entropy with labels spread over the cells around a position."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy.typing as npt
from keras import ops

from vpr_tf.layers.neighbouring_classes import NeighbouringClasses
from vpr_tf.layers.training_head import LinearHead


@keras.saving.register_keras_serializable(package="vpr_tf")
class SoftLabelHead(LinearHead):
    """Linear layer with bias; a label is shared among a cell and its neighbours.

    The share of a class is the inverse distance of the position to its cell's centre,
    see `NeighbouringClasses`. An example without a class near it adds no loss.

    Args:
        class_centres: Centres of the classes' cells in metres east and north of the
            middle of the map, `(num_classes, 2)`, on a grid.
        cell_size_m: Length of the cells' sides.
        class_headings_deg: Middle of each class's heading bin, `(num_classes,)`; None
            when classes have no heading.
        heading_size_deg: Width of the heading bins; None without headings.
        spread_headings: Whether a label is shared among heading bins as well, by the
            inverse angle to their middle; otherwise it stays in the own bin.
        **kwargs: Keyword arguments of `TrainingHead`.

    Output shape:
        `(batch, num_classes)`, float32.
    """

    target: ClassVar[str] = "place"

    def __init__(
        self,
        class_centres: npt.ArrayLike,
        cell_size_m: float,
        class_headings_deg: npt.ArrayLike | None = None,
        heading_size_deg: float | None = None,
        spread_headings: bool = False,
        **kwargs: Any,
    ) -> None:
        neighbours = NeighbouringClasses(
            class_centres,
            cell_size_m,
            class_headings_deg,
            heading_size_deg,
            spread_headings,
        )
        super().__init__(neighbours.num_classes, **kwargs)
        self._neighbours = neighbours

    def loss(self, descriptors, places):
        logits = self(descriptors)
        classes, shares = self._neighbours(ops.cast(places, "float32"))
        expected = ops.take_along_axis(logits, classes, axis=1)
        expected = ops.sum(shares * expected, axis=1)
        return ops.sum(shares, axis=1) * ops.logsumexp(logits, axis=1) - expected

    def get_config(self):
        return super().get_config() | self._neighbours.get_config()
