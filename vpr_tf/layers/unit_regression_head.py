"""Regression of position and heading as three shares."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import keras
from keras import ops

from vpr_tf.layers.place_regression_head import PlaceRegressionHead

_FULL_TURN = 2 * math.pi


@keras.saving.register_keras_serializable(package="vpr_tf")
class UnitRegressionHead(PlaceRegressionHead):
    """East, north and heading in [0, 1], each behind a sigmoid.

    East and north are shares of the extent, from the western and southern edge of the
    map; the heading is a share of 360 degrees. Errors are plain differences of shares:
    headings of 359 and 1 degree are nearly 1 apart.

    Arguments, shapes and loss are those of `PlaceRegressionHead`.
    """

    outputs_per_place: ClassVar[int] = 3

    def to_places(self, outputs: Any) -> Any:
        shares = ops.sigmoid(outputs)
        heading = shares[:, 2:] * _FULL_TURN
        parts = [
            (shares[:, :2] - 0.5) * self.extent_m,
            ops.sin(heading),
            ops.cos(heading),
        ]
        return ops.concatenate(parts, axis=1)

    def differences(self, outputs: Any, places: Any) -> Any:
        heading = ops.arctan2(places[:, 2:3], places[:, 3:]) / _FULL_TURN
        expected = [
            places[:, :2] / self.extent_m + 0.5,
            ops.where(heading < 0, heading + 1.0, heading),
        ]
        return ops.sigmoid(outputs) - ops.concatenate(expected, axis=1)
