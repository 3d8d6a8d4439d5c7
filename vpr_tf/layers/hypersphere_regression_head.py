"""Regression of position and heading as one point of the unit hypersphere."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from vpr_tf.layers.hypersphere import (
    ANGLES_DEG,
    hypersphere_to_place,
    place_to_hypersphere,
)
from vpr_tf.layers.l2_normalization import unit_vectors
from vpr_tf.layers.place_regression_head import PlaceRegressionHead


@keras.saving.register_keras_serializable(package="vpr_tf")
class HypersphereRegressionHead(PlaceRegressionHead):
    """Outputs of unit length, read as in `vpr_tf.layers.hypersphere`.

    Other arguments, shapes and loss are those of `PlaceRegressionHead`. The squared
    errors are the parts of the squared chord between two points: across the circles of
    headings, and along them. The absolute ones are of the coordinates: the first two,
    and the last two.

    Args:
        extent_m: Length of the map's sides.
        loss_kind: See `PlaceRegressionHead`.
        angles_deg: See `vpr_tf.layers.hypersphere`.
        **kwargs: Keyword arguments of `TrainingHead`.
    """

    def __init__(
        self,
        extent_m: float,
        loss_kind: str = "l2",
        angles_deg: tuple[float, float] = ANGLES_DEG,
        **kwargs: Any,
    ) -> None:
        super().__init__(extent_m, loss_kind, **kwargs)
        low, high = angles_deg
        if not -90 < low < high < 90:
            raise ValueError(
                "`angles_deg` must be two angles between -90 and 90, ascending. "
                f"Received: angles_deg={angles_deg}"
            )
        self.angles_deg = (float(low), float(high))

    def to_places(self, outputs: Any) -> Any:
        return hypersphere_to_place(outputs, self.extent_m, ops, self.angles_deg)

    def differences(self, outputs: Any, places: Any) -> Any:
        return unit_vectors(outputs) - self._points(places)

    def squared_errors(self, outputs: Any, places: Any) -> tuple[Any, Any]:
        points = unit_vectors(outputs)
        expected = self._points(places)
        radius = _root(ops.sum(ops.square(points[:, 2:]), axis=1))
        expected_radius = _root(1.0 - ops.sum(ops.square(expected[:, :2]), axis=1))
        position = ops.sum(ops.square(points[:, :2] - expected[:, :2]), axis=1)
        position += ops.square(radius - expected_radius)
        # 2 r r' (1 - cos(h - h')), of which the points hold the products.
        products = ops.sum(points[:, 2:] * expected[:, 2:], axis=1)
        return position, 2.0 * (radius * expected_radius - products)

    def _points(self, places: Any) -> Any:
        return place_to_hypersphere(places, self.extent_m, ops, self.angles_deg)

    def get_config(self):
        config = super().get_config()
        config["angles_deg"] = list(self.angles_deg)
        return config


def _root(square: Any) -> Any:
    # The square root of zero has no finite gradient.
    return ops.sqrt(ops.maximum(square, 1e-12))
