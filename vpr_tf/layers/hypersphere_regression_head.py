"""Regression of position and heading as one point of the unit hypersphere."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from vpr_tf.layers.hypersphere import hypersphere_to_place, place_to_hypersphere
from vpr_tf.layers.l2_normalization import unit_vectors
from vpr_tf.layers.place_regression_head import PlaceRegressionHead


@keras.saving.register_keras_serializable(package="vpr_tf")
class HypersphereRegressionHead(PlaceRegressionHead):
    """Outputs of unit length, read as in `vpr_tf.layers.hypersphere`.

    Arguments, shapes and loss are those of `PlaceRegressionHead`. The errors are the
    parts of the squared chord between two points: across the circles of headings, and
    along them.
    """

    def to_places(self, outputs: Any) -> Any:
        return hypersphere_to_place(outputs, self.extent_m, xp=ops)

    def squared_errors(self, outputs: Any, places: Any) -> tuple[Any, Any]:
        points = unit_vectors(outputs)
        expected = place_to_hypersphere(places, self.extent_m, xp=ops)
        radius = _root(ops.sum(ops.square(points[:, 2:]), axis=1))
        expected_radius = _root(1.0 - ops.sum(ops.square(expected[:, :2]), axis=1))
        position = ops.sum(ops.square(points[:, :2] - expected[:, :2]), axis=1)
        position += ops.square(radius - expected_radius)
        # 2 r r' (1 - cos(h - h')), of which the points hold the products.
        products = ops.sum(points[:, 2:] * expected[:, 2:], axis=1)
        return position, 2.0 * (radius * expected_radius - products)


def _root(square: Any) -> Any:
    # The square root of zero has no finite gradient.
    return ops.sqrt(ops.maximum(square, 1e-12))
