"""The loss of the heads on photos that they are not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpr_tf.classification.own_classes import own_classes
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.layers import TrainingHead
from vpr_tf.training.heads import HeadFactory

_PHOTOS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class ValLoss:
    """Mean loss over the photos of a split that lie in a trained class.

    A photo counts once for each group that has a class for it, by that group's head and
    with its margin: the loss of training, without augmentation.

    Attributes:
        heads: One for each trained group.
        rows: Of each group, the photos that count.
        targets: Of each group, what the head learns of these.
    """

    heads: Sequence[TrainingHead]
    rows: tuple[np.ndarray, ...]
    targets: tuple[np.ndarray, ...]

    @classmethod
    def of(
        cls, heads: Sequence[TrainingHead], factory: HeadFactory, split: SplitIndex
    ) -> ValLoss:
        """Finds the photos that count.

        Args:
            heads: One for each trained group, built.
            factory: What made them.
            split: The photos.
        """
        positions, headings = split.positions(), split.column("heading_deg")
        partition = factory.partition
        found = own_classes(partition, positions, headings)[:, : len(heads)]
        rows = tuple(np.flatnonzero(ids >= 0) for ids in found.T)
        targets = []
        for group, (head, of_group) in enumerate(zip(heads, rows, strict=True)):
            if head.target == "place":
                places = factory.frame.places(positions, headings)
                targets.append(places[of_group])
            else:
                first = partition.classes_of_group(group).start
                targets.append((found[of_group, group] - first).astype(np.int32))
        return cls(heads, rows, tuple(targets))

    @property
    def num_photos(self) -> int:
        """Photos that count, once for each group that has a class for them."""
        return sum(map(len, self.rows))

    def measure(self, descriptors: np.ndarray) -> float:
        """Returns the mean loss; NaN when no photo counts.

        Args:
            descriptors: Of all photos of the split, float32 `(num_photos, dim)`.
        """
        total = 0.0
        for head, rows, targets in zip(
            self.heads, self.rows, self.targets, strict=True
        ):
            for start in range(0, len(rows), _PHOTOS_AT_ONCE):
                part = slice(start, start + _PHOTOS_AT_ONCE)
                losses = head.loss(np.asarray(descriptors[rows[part]]), targets[part])
                total += float(np.sum(losses, dtype=np.float64))
        return total / self.num_photos if self.num_photos else float("nan")
