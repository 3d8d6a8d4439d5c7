"""Night and haze, by the rules by which the miniature city is drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from vpr_tf.config.augmentations import Haze, Night
from vpr_tf.data.extra_augmentations.draws import Draws, compiled
from vpr_tf.light_and_air import (
    GLOW_AT_DUSK,
    LAMPLIGHT,
    LAMPLIGHT_LEVEL,
    LIGHTS,
    STREET_VIEW_FIELD_OF_VIEW_DEG,
    STREET_VIEW_HEIGHT_M,
    STREET_VIEW_LIGHT,
    STREET_VIEW_PITCH_DEG,
    clear_share,
)

_SUN_SHARE = 0.5
_NUM_WINDOWS = 12
_WINDOW_SIDES = (0.015, 0.06)  # of the image
_WINDOW_ROWS = (0.1, 0.65)  # where windows are
# An empty street between two walls, to the next crossing; a sky above them would end
# somewhere else than in the photo.
_HALF_WIDTH_M, _END_M = 8.5, 60.0


def night(config: Night, image: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Relights from day to dusk, lights some windows, adds the noise of a sensor."""
    dusk, day = LIGHTS["dusk"].at(_SUN_SHARE), STREET_VIEW_LIGHT.at(_SUN_SHARE)
    gains = tf.constant(dusk / day, tf.float32)
    exposure = draws.uniform(low=config.min_exposure)
    glow = draws.uniform(low=GLOW_AT_DUSK[0], high=GLOW_AT_DUSK[1])
    light = tf.constant(LAMPLIGHT) * (LAMPLIGHT_LEVEL / 255.0) * glow
    deviation = draws.uniform(high=config.noise)
    return relit(
        image,
        gains * exposure,
        _windows(image, draws)[..., None] * light,
        draws.noise(tuple(image.shape), normal=True) * deviation,
    )


@compiled
def relit(image: tf.Tensor, gains: Any, glow: Any, noise: Any) -> tf.Tensor:
    """Multiplies by gains of the channels, adds light and noise, and clips."""
    return tf.clip_by_value(image * gains + glow + noise, 0.0, 1.0)


def _windows(image: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Returns `(height, width)`: 1 where a window is lit."""
    low, high = _WINDOW_SIDES
    sides = draws.uniform(2, _NUM_WINDOWS, low=low, high=high)
    places = draws.uniform(2, _NUM_WINDOWS)
    top = _WINDOW_ROWS[0] + places[0] * (_WINDOW_ROWS[1] - _WINDOW_ROWS[0])

    def within(size: int, first: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        steps = (tf.range(size, dtype=tf.float32) + 0.5)[:, None] / float(size)
        return tf.cast((steps >= first) & (steps < first + length), tf.float32)

    rows = within(image.shape[0], top, 1.5 * sides[0])
    columns = within(image.shape[1], places[1], sides[1])
    return tf.minimum(tf.matmul(rows, columns, transpose_b=True), 1.0)


def haze(config: Haze, image: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Puts the haze of the city's fog before an empty street of the usual width."""
    length_m = draws.uniform(low=config.min_length_m, high=config.max_length_m)
    heading = draws.uniform(high=2.0 * math.pi)
    colour = tf.constant(LIGHTS["fog"].horizon) / 255.0
    return hazed(image, length_m, heading, colour)


@compiled
def hazed(image: tf.Tensor, length_m: Any, heading: Any, colour: Any) -> tf.Tensor:
    """Blends with the colour of the haze by the distance of what is seen.

    Args:
        image: float32 `(height, width, 3)` of static shape.
        length_m: Distance after which 63 % of the light is haze.
        heading: Of the camera against the street, radians.
        colour: Of the haze, `(3,)`.
    """
    distance_m = street_distances(image.shape[0], image.shape[1], heading)
    clear = clear_share(distance_m, length_m, tf.exp)[..., None]
    return tf.clip_by_value(image * clear + colour * (1.0 - clear), 0.0, 1.0)


def street_distances(height: int, width: int, heading: Any) -> tf.Tensor:
    """Returns metres to the walls and the road of an empty street, per pixel.

    The camera is that of the city's street-view car; the walls have no upper end.

    Args:
        height: Of the image.
        width: Of the image.
        heading: Of the camera against the street, radians.
    """
    half = math.tan(math.radians(STREET_VIEW_FIELD_OF_VIEW_DEG) / 2)
    across = ((np.arange(width) + 0.5) / width * 2 - 1) * half
    up = (1 - (np.arange(height) + 0.5) / height * 2) * half * height / width
    slope = np.tan(np.arctan(up) + math.radians(STREET_VIEW_PITCH_DEG))
    azimuth = tf.constant(np.arctan(across), tf.float32) + heading
    wall_m = _HALF_WIDTH_M / tf.maximum(tf.abs(tf.sin(azimuth)), _HALF_WIDTH_M / _END_M)
    road_m = STREET_VIEW_HEIGHT_M / np.maximum(-slope, STREET_VIEW_HEIGHT_M / _END_M)
    return tf.minimum(wall_m, tf.constant(road_m, tf.float32)[:, None])
