"""The heads of a run as what answers places."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from vpr_tf.classification import ClassTable, GroupHead, PlaceClassifier
from vpr_tf.classification.group_head import COSINE, LINEAR, MIXTURE
from vpr_tf.classification.hidden_layers import hidden_of_arrays
from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.classification.regression import PlaceRegression
from vpr_tf.config import ExperimentConfig
from vpr_tf.data.prepared_dataset import Partition, SplitIndex
from vpr_tf.geo import MapFrame
from vpr_tf.layers import MixtureOfVonMisesFisherHead
from vpr_tf.layers.margin_head import MarginHead
from vpr_tf.layers.place_regression_head import PlaceRegressionHead
from vpr_tf.layers.training_head import TrainingHead
from vpr_tf.training.group_trainer import GroupTrainer


class HeadKeeper:
    """Turns trained heads into a predictor.

    Args:
        config: The experiment.
        partition: Classes and groups.
        split: The train split.
    """

    def __init__(
        self, config: ExperimentConfig, partition: Partition, split: SplitIndex
    ) -> None:
        self._score, self._head_name = (
            config.classification.score,
            config.train.head.name,
        )
        self._info = {
            "name": config.name,
            "head": config.train.head.name,
            "backbone": config.encoder.backbone,
            "partition": dict(partition.parameters),
        }
        self._table = ClassTable.from_partition(
            partition, split, config.train.groups_num
        )

    def predictor(self, trainer: GroupTrainer) -> PlacePredictor:
        """Returns what the heads answer now; all workers must call it together."""
        factory, first = trainer.head_factory, trainer.heads[0]
        if isinstance(first, PlaceRegressionHead):
            return _regression(first, self._head_name, factory.frame, self._info)
        table = self._table
        if isinstance(first, MixtureOfVonMisesFisherHead):
            table = _around_components(table, first, factory.frame)
        heads = tuple(_group_head(head) for head in trainer.heads)
        return PlaceClassifier(table, heads, self._score, self._info)


def _regression(
    head: PlaceRegressionHead, name: str, frame: MapFrame, info: dict[str, Any]
) -> PlaceRegression:
    arrays = head.arrays()
    hidden = hidden_of_arrays(arrays)
    return PlaceRegression(name, arrays["kernel"], arrays["bias"], hidden, frame, info)


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
        density = densities(
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


def densities(means_m: np.ndarray, deviations_m: np.ndarray) -> np.ndarray:
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
