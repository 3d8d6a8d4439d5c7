"""From a record to an augmented training image: crop, resize, jitter, extras.

Images are float32 in [0, 1], of shape `(height, width, 3)`; the values are those of
torchvision's transforms.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from vpr_tf.config import AugmentationConfig
from vpr_tf.data.color_jitter import JITTER_DRAWS, color_jitter, jitter_parameters
from vpr_tf.data.extra_augmentations import ExtraAugmentations
from vpr_tf.data.image_decoding import (
    decode_crop,
    decode_image,
    make_upright,
    resize_antialiased,
    stored_window,
)
from vpr_tf.data.image_sizes import upright_size
from vpr_tf.data.records import EncodedImage

_GREY_LEVELS = 255.0
_TRIES = 10
CROP_DRAWS = 2 * _TRIES + 2  # uniform numbers that `crop_window` takes
_LOG_RATIO = math.log(4 / 3)  # aspects from 3/4 to 4/3


class Augmentation:
    """Random resized crop and colour jitter of one image, then what is extra.

    `jitter_first` is the official order: colour jitter of the whole image, then the
    crop and its resize. `crop_first` decodes only the crop, resizes it and jitters
    the result, which is faster. The random draws are the same; the values differ in
    that contrast blends with the mean of the crop instead of the whole image's, and
    in that clamping and hue act after the resize.

    Args:
        config: Strengths and order.
        image_size: Height and width of the result.
        stored_size: Height and width of all images, when they are equal and none is
            turned by EXIF; `jitter_first` is faster with it.
        draw_target: See `ExtraAugmentations`; its images are of `image_size`.
    """

    def __init__(
        self,
        config: AugmentationConfig,
        image_size: int,
        stored_size: tuple[int, int] | None = None,
        draw_target: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ) -> None:
        self._config = config
        self._image_size = image_size
        self._stored_size = stored_size or (None, None)
        self._extra = ExtraAugmentations(config.extra_augmentations, draw_target)

    def __call__(self, record: EncodedImage, seed: tf.Tensor) -> tf.Tensor:
        """Augments one parsed record; every draw comes from `seed`, int64 `(2,)`.

        Returns:
            float32 in [0, 1] of shape `(image_size, image_size, 3)`.
        """
        uniform = _draws(seed)
        return self._extra(self._cropped_and_jittered(record, uniform), seed)

    def of_pixels(self, pixels: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Augments an image that is decoded already, grey levels; see `__call__`."""
        uniform = _draws(seed)
        image = self._pixels_cropped_and_jittered(pixels, uniform)
        return self._extra(image, seed)

    def _cropped_and_jittered(
        self, record: EncodedImage, uniform: tf.Tensor
    ) -> tf.Tensor:
        crop_draws, jitter_draws = uniform[:CROP_DRAWS], uniform[CROP_DRAWS:]
        if self._config.order == "crop_first":
            return self.jitter(self.cropped(record, crop_draws), jitter_draws)
        pixels = decode_image(record.image, record.exif_orientation)
        pixels = tf.ensure_shape(pixels, (*self._stored_size, 3))
        return self._pixels_cropped_and_jittered(pixels, uniform)

    def _pixels_cropped_and_jittered(
        self, pixels: tf.Tensor, uniform: tf.Tensor
    ) -> tf.Tensor:
        crop_draws, jitter_draws = uniform[:CROP_DRAWS], uniform[CROP_DRAWS:]
        pixels = tf.cast(pixels, tf.float32)
        shape = tf.shape(pixels)
        window = self._window(shape[0], shape[1], crop_draws)
        if self._config.order == "crop_first":
            crop = tf.image.crop_to_bounding_box(pixels, *tf.unstack(window))
            return self.jitter(self._resize(crop), jitter_draws)
        image = self.jitter(pixels, jitter_draws)
        return self._resize(tf.image.crop_to_bounding_box(image, *tf.unstack(window)))

    def cropped(self, record: EncodedImage, crop_draws: tf.Tensor) -> tf.Tensor:
        """Decodes a random crop, upright and resized, as float32 grey levels."""
        orientation = tf.cast(record.exif_orientation, tf.int32)
        height, width = upright_size(
            tf.cast(record.height, tf.int32),
            tf.cast(record.width, tf.int32),
            orientation,
        )
        window = self._window(height, width, crop_draws)
        stored = stored_window(window, height, width, orientation)
        crop = make_upright(decode_crop(record.image, stored), orientation)
        return self._resize(crop)

    def jitter(self, grey_levels: tf.Tensor, jitter_draws: tf.Tensor) -> tf.Tensor:
        """Scales float32 grey levels to [0, 1] and jitters their colours."""
        config = self._config
        if not (
            config.brightness or config.contrast or config.saturation or config.hue
        ):
            return grey_levels / _GREY_LEVELS
        factors, order = jitter_parameters(config, jitter_draws)
        return color_jitter(grey_levels, factors, order, scale=1.0 / _GREY_LEVELS)

    def _window(
        self, height: tf.Tensor, width: tf.Tensor, crop_draws: tf.Tensor
    ) -> tf.Tensor:
        min_area = 1.0 - self._config.random_resized_crop
        return crop_window(height, width, min_area, crop_draws)

    def _resize(self, pixels: tf.Tensor) -> tf.Tensor:
        size = (self._image_size, self._image_size)
        return tf.ensure_shape(
            resize_antialiased(pixels, tf.constant(size)), (*size, 3)
        )


def _draws(seed: tf.Tensor) -> tf.Tensor:
    count = CROP_DRAWS + JITTER_DRAWS
    return tf.random.stateless_uniform([count], seed, alg="philox")


def crop_window(
    height: tf.Tensor, width: tf.Tensor, min_area: float, uniform: tf.Tensor
) -> tf.Tensor:
    """Turns uniform numbers into the window of a random resized crop.

    The area is uniform in [min_area, 1] of the image and the aspect log-uniform in
    [3/4, 4/3]. The first of ten draws that fits is taken; if none fits, the largest
    central window with an allowed aspect.

    Args:
        height: Scalar int32.
        width: Scalar int32.
        min_area: Smallest area as a fraction of the image's.
        uniform: float32 `(CROP_DRAWS,)` in [0, 1).

    Returns:
        int32 `(top, left, height, width)`, inside the image.
    """
    heights, widths = _tried_sizes(height, width, min_area, uniform[2:])
    fits = (heights > 0) & (heights <= height) & (widths > 0) & (widths <= width)
    first = tf.argmax(fits)
    free = tf.stack([height - heights[first], width - widths[first]])
    corner = tf.cast(uniform[:2] * tf.cast(free + 1, tf.float32), tf.int32)
    drawn = tf.concat(
        [tf.minimum(corner, free), [heights[first], widths[first]]], axis=0
    )
    return tf.where(tf.reduce_any(fits), drawn, _central_window(height, width))


def _tried_sizes(
    height: tf.Tensor, width: tf.Tensor, min_area: float, uniform: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns heights and widths of all tries, some of which may not fit."""
    image_area = tf.cast(height, tf.float32) * tf.cast(width, tf.float32)
    area = image_area * (min_area + (1.0 - min_area) * uniform[:_TRIES])
    ratio = tf.exp(_LOG_RATIO * (2.0 * uniform[_TRIES:] - 1.0))
    return (
        tf.cast(tf.round(tf.sqrt(area / ratio)), tf.int32),
        tf.cast(tf.round(tf.sqrt(area * ratio)), tf.int32),
    )


def _central_window(height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns the largest central window with an aspect in [3/4, 4/3]."""

    def at_most(side: tf.Tensor) -> tf.Tensor:
        longest = tf.round(tf.cast(side, tf.float32) * (4.0 / 3.0))
        return tf.maximum(tf.cast(longest, tf.int32), 1)

    window_height = tf.minimum(height, at_most(width))
    window_width = tf.minimum(width, at_most(height))
    return tf.stack(
        [
            (height - window_height) // 2,
            (width - window_width) // 2,
            window_height,
            window_width,
        ]
    )
