"""Latitude and longitude on an equal-area map."""

from __future__ import annotations

import math

import keras
from keras import ops

# Of the polynomial of the projection.
_A1, _A2, _A3, _A4 = 1.340264, -0.081106, 0.000893, 0.003796
_DEGREES = 180.0


@keras.saving.register_keras_serializable(package="vpr_tf")
class EqualEarthProjection(keras.layers.Layer):
    """Projects degrees to a plane on which equal areas are equal.

    A longitude of 180 degrees at the equator comes to 1.

    Input shape:
        `(batch, 2)`: latitude in [-90, 90] and longitude in [-180, 180], in degrees.

    Output shape:
        `(batch, 2)`: to the east and to the north.

    Reference:
        Savric, Patterson and Jenny, "The Equal Earth map projection", 2018; as scaled
        in Vivanco Cepeda et al., "GeoCLIP", arXiv:2309.16020.
    """

    # The equator is 2 sqrt(3) pi / (3 A1) long; GeoCLIP rounds the factor.
    _SCALE = 66.50336 / _DEGREES

    def call(self, inputs):
        radians = inputs * (math.pi / _DEGREES)
        latitude, longitude = radians[:, 0], radians[:, 1]
        theta = ops.arcsin(math.sqrt(3) / 2 * ops.sin(latitude))
        square = theta * theta
        sixth = square * square * square
        slope = 3 * (
            9 * _A4 * sixth * square + 7 * _A3 * sixth + 3 * _A2 * square + _A1
        )
        east = 2 * math.sqrt(3) * longitude * ops.cos(theta) / slope
        north = theta * (_A4 * sixth * square + _A3 * sixth + _A2 * square + _A1)
        return ops.stack([east, north], axis=1) * self._SCALE

    def compute_output_shape(self, input_shape):
        return input_shape
