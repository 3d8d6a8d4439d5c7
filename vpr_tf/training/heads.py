"""From the config to the heads of a run, and from trained heads to a classifier."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpr_tf.classification import ClassTable, GroupHead, PlaceClassifier
from vpr_tf.classification.group_head import COSINE, LINEAR, MIXTURE
from vpr_tf.classification.hidden_layers import hidden_of_arrays
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.classification.regression import PlaceRegression
from vpr_tf.config import (
    AngularMarginHeadConfig,
    ConfigError,
    ExperimentConfig,
    HeadConfig,
    HypersphereHeadConfig,
    MarginHeadConfig,
    PlaceHeadConfig,
    RegressionHeadConfig,
    SoftLabelHeadConfig,
)
from vpr_tf.data.partition import Partition
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.geo import MapFrame, Positions
from vpr_tf.layers import (
    AngularMarginHead,
    CosineMarginHead,
    CrossEntropyHead,
    DirectRegressionHead,
    HypersphereRegressionHead,
    MarginHead,
    MixtureOfVonMisesFisherHead,
    PlaceRegressionHead,
    SoftLabelHead,
    TrainingHead,
    UnitRegressionHead,
)

_MARGIN_HEADS = {"cosine_margin": CosineMarginHead, "angular_margin": AngularMarginHead}
_REGRESSION_HEADS = {
    "direct_regression": DirectRegressionHead,
    "unit_regression": UnitRegressionHead,
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
        if not isinstance(config, PlaceHeadConfig):
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
        if isinstance(config, MarginHeadConfig):
            easy = {}
            if isinstance(config, AngularMarginHeadConfig):
                easy["easy_margin"] = config.easy_margin
            return _MARGIN_HEADS[name](
                len(classes), config.scale, config.margin, hidden_layers=hidden, **easy
            )
        if name == "cross_entropy":
            return CrossEntropyHead(len(classes), hidden_layers=hidden)
        if isinstance(config, RegressionHeadConfig):
            more: dict[str, Any] = {"hidden_layers": hidden}
            if isinstance(config, HypersphereHeadConfig):
                more["angles_deg"] = tuple(config.angles_deg)
            extent_m, loss = self.frame.extent_m, config.regression_loss
            return _REGRESSION_HEADS[name](extent_m, loss, **more)
        centres = self.frame.local_m(self._centres(classes))
        if name == "von_mises_fisher":
            return MixtureOfVonMisesFisherHead(
                centres, self._deviation_m(classes), hidden_layers=hidden
            )
        spread = isinstance(config, SoftLabelHeadConfig) and config.spread_headings
        return self._soft_label_head(classes, centres, spread)

    def _soft_label_head(
        self, classes: range, centres: np.ndarray, spread_headings: bool
    ) -> SoftLabelHead:
        parameters = self.partition.parameters
        if not self.partition.is_grid:
            raise ConfigError(
                "`train.head.name: soft_labels` needs the cells of a grid. Received: "
                f"the partition {self.partition.name!r} of {parameters['method']}"
            )
        headings = size = None
        if self.partition.has_headings:
            size = float(parameters["heading_bin_deg"])
            table = self.partition.classes[classes.start : classes.stop]
            headings = table["heading_bin_deg"] + size / 2
            if (table["heading_bin_deg"] >= 360).any():
                raise ConfigError(
                    "`train.head.name: soft_labels` learns headings, where 360 degrees "
                    "are 0. Received: a partition with `heading_360: own_bin`, "
                    f"{self.partition.name!r}. Use one with `heading_360: zero`."
                )
        return SoftLabelHead(
            centres,
            float(parameters["cell_size_m"]),
            headings,
            size,
            spread_headings,
            hidden_layers=self.config.hidden_layers,
        )

    def _centres(self, classes: range) -> Positions:
        table = self.partition.classes[classes.start : classes.stop]
        return Positions.from_utm(
            table["centre_east_m"], table["centre_north_m"], table["utm_zone"]
        )

    def _deviation_m(self, classes: range) -> float:
        """How far images are from the centre of their class, at the start."""
        if self.partition.is_grid:
            return float(self.partition.parameters["cell_size_m"])
        centres = self._centres(classes)
        local = self.frame.local_m(centres)
        area = np.prod(np.ptp(local, axis=0)) / max(1, len(local))
        return float(max(2.0, np.sqrt(area)))


def classifier_from_heads(
    heads: Sequence[TrainingHead],
    factory: HeadFactory,
    table: ClassTable,
    config: ExperimentConfig,
) -> PlacePredictor:
    """Returns what the heads, as they are now, say of places.

    Args:
        heads: One for each trained group.
        factory: What made them.
        table: Classes of the trained groups.
        config: The experiment.
    """
    info = {
        "name": config.name,
        "head": config.train.head.name,
        "backbone": config.encoder.backbone,
        "partition": dict(factory.partition.parameters),
    }
    first = heads[0]
    if isinstance(first, PlaceRegressionHead):
        return _regression(first, config.train.head.name, factory.frame, info)
    if isinstance(first, MixtureOfVonMisesFisherHead):
        table = _around_components(table, first, factory.frame)
    groups = tuple(_group_head(head) for head in heads)
    score = config.classification.score or groups[0].trained_score
    return PlaceClassifier(table, groups, score, info)


def _regression(
    head: PlaceRegressionHead, name: str, frame: MapFrame, info: dict[str, Any]
) -> PlaceRegression:
    arrays = head.arrays()
    hidden = hidden_of_arrays(arrays)
    more = {}
    if isinstance(head, HypersphereRegressionHead):
        more["angles_deg"] = head.angles_deg
    kernel, bias = arrays["kernel"], arrays["bias"]
    return PlaceRegression(name, kernel, bias, hidden, frame, info, **more)


def _around_components(
    table: ClassTable, head: MixtureOfVonMisesFisherHead, frame: MapFrame
) -> ClassTable:
    """Moves the places to where the components are now."""
    means_m = head.arrays()["component_means_m"]
    return dataclasses.replace(table, positions=frame.positions(means_m))


def _group_head(head: TrainingHead) -> GroupHead:
    arrays = head.arrays()
    kind, density = LINEAR, None
    if isinstance(head, MarginHead):
        kind = COSINE
    elif isinstance(head, MixtureOfVonMisesFisherHead):
        kind = MIXTURE
        density = _densities(
            arrays["component_means_m"], arrays["component_deviations_m"]
        )
    return GroupHead(
        kind,
        arrays["kernel"],
        arrays.get("bias"),
        float(arrays.get("scale", 1.0)),
        hidden_of_arrays(arrays),
        density,
    )


def _densities(means_m: np.ndarray, deviations_m: np.ndarray) -> np.ndarray:
    """Returns the density of each component at the mean of each.

    Args:
        means_m: `(num_components, 2)`.
        deviations_m: `(num_components,)`.

    Returns:
        Float32 `(num_components, num_components)`, in 1 / m^2, a component a row.
    """
    difference = means_m[:, None].astype(np.float64) - means_m[None]
    variance = np.square(deviations_m.astype(np.float64))[:, None]
    squares = np.square(difference).sum(axis=2)
    density = np.exp(-squares / (2 * variance)) / (2 * np.pi * variance)
    return density.astype(np.float32)
