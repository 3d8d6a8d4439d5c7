"""Regression of the position in the plane and of the heading."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from vpr_tf.layers.place_regression_head import PlaceRegressionHead


@keras.saving.register_keras_serializable(package="vpr_tf")
class DirectRegressionHead(PlaceRegressionHead):
    """East and north in halves of the extent, sine and cosine of the heading.

    Arguments, shapes and loss are those of `PlaceRegressionHead`. Errors of the
    position are in halves of the extent too.
    """

    def to_places(self, outputs: Any) -> Any:
        heading = ops.arctan2(outputs[:, 2:3], outputs[:, 3:])
        parts = [
            outputs[:, :2] * (self.extent_m / 2),
            ops.sin(heading),
            ops.cos(heading),
        ]
        return ops.concatenate(parts, axis=1)

    def squared_errors(self, outputs: Any, places: Any) -> tuple[Any, Any]:
        apart = ops.square(outputs - self._expected(places))
        return ops.sum(apart[:, :2], axis=1), ops.sum(apart[:, 2:], axis=1)

    def absolute_errors(self, outputs: Any, places: Any) -> tuple[Any, Any]:
        apart = ops.abs(outputs - self._expected(places))
        return ops.sum(apart[:, :2], axis=1), ops.sum(apart[:, 2:], axis=1)

    def _expected(self, places: Any) -> Any:
        positions = places[:, :2] / (self.extent_m / 2)
        return ops.concatenate([positions, places[:, 2:]], axis=1)
