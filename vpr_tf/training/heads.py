"""From the config and the classes to the heads of a run, and what they learn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpr_tf.config import ConfigError, HeadConfig
from vpr_tf.data.prepared_dataset import Partition, SplitIndex
from vpr_tf.geo import MapFrame, Positions
from vpr_tf.layers import (
    AngularMarginHead,
    CosineMarginHead,
    CrossEntropyHead,
    DirectRegressionHead,
    HypersphereRegressionHead,
    MixtureOfVonMisesFisherHead,
    SoftLabelHead,
)
from vpr_tf.layers.training_head import TrainingHead

_MARGIN_HEADS = {"cosine_margin": CosineMarginHead, "angular_margin": AngularMarginHead}
_REGRESSION_HEADS = {
    "direct_regression": DirectRegressionHead,
    "hypersphere_regression": HypersphereRegressionHead,
}


@dataclass(frozen=True, eq=False)
class HeadFactory:
    """Makes the heads of the groups.

    Attributes:
        config: `train.head`.
        partition: Classes and groups.
        plane: The plane around all train images; None for heads that learn the class
            index, since millions of positions would be read for nothing.
        targets: What each train image is for heads that learn places, float32
            `(num_images, 4)`; None for heads that learn the class index.
    """

    config: HeadConfig
    partition: Partition
    plane: MapFrame | None
    targets: np.ndarray | None

    @classmethod
    def of(
        cls, config: HeadConfig, partition: Partition, split: SplitIndex
    ) -> HeadFactory:
        """Reads what the heads need to know of the images."""
        if config.name in (*_MARGIN_HEADS, "cross_entropy"):
            return cls(config, partition, None, None)
        positions = split.positions()
        plane = MapFrame.around(positions)
        targets = plane.places(positions, split.column("heading_deg"))
        return cls(config, partition, plane, targets)

    @property
    def frame(self) -> MapFrame:
        """The plane of heads that learn places.

        Raises:
            ValueError: The heads learn classes.
        """
        if self.plane is None:
            raise ValueError(f"The head {self.config.name} has no plane of places.")
        return self.plane

    def create(self, group_id: int) -> TrainingHead:
        """Makes the head of one group, not built yet.

        Raises:
            ConfigError: The partition does not give what the head needs.
        """
        config, name = self.config, self.config.name
        classes = self.partition.classes_of_group(group_id)
        hidden = config.hidden_layers
        if name in _MARGIN_HEADS:
            return _MARGIN_HEADS[name](
                len(classes), config.scale, config.margin, hidden_layers=hidden
            )
        if name == "cross_entropy":
            return CrossEntropyHead(len(classes), hidden_layers=hidden)
        if name in _REGRESSION_HEADS:
            return _REGRESSION_HEADS[name](
                self.frame.extent_m, config.regression_loss, hidden_layers=hidden
            )
        centres = self.frame.local_m(self._centres(classes))
        if name == "von_mises_fisher":
            return MixtureOfVonMisesFisherHead(
                centres, self._deviation_m(classes), hidden_layers=hidden
            )
        return self._soft_label_head(classes, centres)

    def _soft_label_head(self, classes: range, centres: np.ndarray) -> SoftLabelHead:
        parameters = self.partition.parameters
        if self.partition.regions is not None:
            raise ConfigError(
                "`train.head.name: soft_labels` needs the cells of a grid. Received: "
                f"the partition {self.partition.name!r} of S2 cells"
            )
        headings = size = None
        if self.partition.has_headings:
            size = float(parameters["heading_bin_deg"])
            table = self.partition.classes[classes.start : classes.stop]
            headings = table["heading_bin_deg"] + size / 2
        return SoftLabelHead(
            centres,
            float(parameters["cell_size_m"]),
            headings,
            size,
            hidden_layers=self.config.hidden_layers,
        )

    def _centres(self, classes: range) -> Positions:
        table = self.partition.classes[classes.start : classes.stop]
        return Positions.from_utm(
            table["centre_east_m"], table["centre_north_m"], table["utm_zone"]
        )

    def _deviation_m(self, classes: range) -> float:
        """How far images are from the centre of their class, at the start."""
        if self.partition.regions is None:
            return float(self.partition.parameters["cell_size_m"])
        centres = self._centres(classes)
        local = self.frame.local_m(centres)
        area = np.prod(np.ptp(local, axis=0)) / max(1, len(local))
        return float(max(2.0, np.sqrt(area)))
