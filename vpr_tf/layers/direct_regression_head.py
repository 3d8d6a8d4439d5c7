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

    def differences(self, outputs: Any, places: Any) -> Any:
        positions = places[:, :2] / (self.extent_m / 2)
        return outputs - ops.concatenate([positions, places[:, 2:]], axis=1)
