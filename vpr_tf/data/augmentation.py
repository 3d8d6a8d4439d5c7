"""From a record to an augmented training image: crop, resize and colour jitter.

Images are float32 in [0, 1], of shape `(height, width, 3)`; the values are those of
torchvision's transforms.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import tensorflow as tf

from vpr_tf.config import AugmentationConfig
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
_GREY_WEIGHTS = (0.2989, 0.587, 0.114)
_ORDERS = list(itertools.permutations(range(4)))
JITTER_DRAWS = 5  # uniform numbers that `jitter_parameters` takes


class Augmentation:
    """Random resized crop and colour jitter of one image.

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
    """

    def __init__(
        self,
        config: AugmentationConfig,
        image_size: int,
        stored_size: tuple[int, int] | None = None,
    ) -> None:
        self._config = config
        self._image_size = image_size
        self._stored_size = stored_size or (None, None)

    def __call__(self, record: EncodedImage, seed: tf.Tensor) -> tf.Tensor:
        """Augments one parsed record; every draw comes from `seed`, int64 `(2,)`.

        Returns:
            float32 in [0, 1] of shape `(image_size, image_size, 3)`.
        """
        uniform = tf.random.stateless_uniform(
            [CROP_DRAWS + JITTER_DRAWS], seed, alg="philox"
        )
        crop_draws, jitter_draws = uniform[:CROP_DRAWS], uniform[CROP_DRAWS:]
        if self._config.order == "crop_first":
            return self.jitter(self.cropped(record, crop_draws), jitter_draws)
        pixels = decode_image(record.image, record.exif_orientation)
        pixels = tf.ensure_shape(tf.cast(pixels, tf.float32), (*self._stored_size, 3))
        shape = tf.shape(pixels)
        window = self._window(shape[0], shape[1], crop_draws)
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


def adjust_brightness(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Multiplies all channels by `factor`."""
    return tf.minimum(image * factor, 1.0)


def adjust_contrast(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Blends with the mean grey level of the whole image."""
    shape = tf.shape(image)
    # Sums over rows first: whole rows of interleaved channels add up fastest, and
    # partial sums keep float32 accurate.
    rows = tf.reshape(image, [shape[0], shape[1] * 3])
    weights = tf.tile(tf.constant(_GREY_WEIGHTS), [shape[1]])
    pixels = tf.cast(shape[0] * shape[1], tf.float32)
    mean = tf.reduce_sum(tf.reduce_sum(rows, axis=0) * weights) / pixels
    return tf.clip_by_value(image * factor + (1.0 - factor) * mean, 0.0, 1.0)


def adjust_saturation(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Blends each pixel with its grey level."""
    red, green, blue = tf.split(image, 3, axis=-1)
    grey = sum(w * c for w, c in zip(_GREY_WEIGHTS, (red, green, blue), strict=True))
    return tf.clip_by_value(image * factor + (1.0 - factor) * grey, 0.0, 1.0)


def adjust_hue(image: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Turns the hue by `shift` turns, in [-0.5, 0.5], in HSV space.

    The way to HSV and back has a closed form: with the turned hue h in sixths of a
    turn, a channel is `value - chroma * clip(min(k, 4 - k), 0, 1)`, where
    `k = (n + h) mod 6` and n is 5, 3, 1 for red, green, blue.
    """
    red, green, blue = tf.split(image, 3, axis=-1)
    value = tf.maximum(tf.maximum(red, green), blue)
    chroma = value - tf.minimum(tf.minimum(red, green), blue)
    scale = 1.0 / tf.where(chroma > 0, chroma, 1.0)
    hue = tf.where(
        tf.equal(value, red),
        (green - blue) * scale,
        tf.where(
            tf.equal(value, green),
            2.0 + (blue - red) * scale,
            4.0 + (red - green) * scale,
        ),
    )
    k = tf.constant([5.0, 3.0, 1.0]) + (hue + 6.0 * shift)
    k -= 6.0 * tf.floor(k / 6.0)
    return value - chroma * tf.clip_by_value(tf.minimum(k, 4.0 - k), 0.0, 1.0)


def color_jitter(
    image: tf.Tensor, factors: tf.Tensor, order: tf.Tensor, *, scale: float = 1.0
) -> tf.Tensor:
    """Applies the four operations one after another.

    Brightness is no pass of its own: the operation after it, or the last one,
    multiplies as well. With a static shape each operation is one compiled loop.

    Args:
        image: float32 of shape `(height, width, 3)`.
        factors: float32 `(4,)` of brightness, contrast, saturation and hue.
        order: Permutation of 0 to 3, int32 `(4,)`.
        scale: Multiplier that brings `image` to [0, 1].
    """
    steps = _COMPILED_STEPS if image.shape.is_fully_defined() else _STEPS
    brightness_at = tf.argmin(order, output_type=tf.int32)
    others = tf.gather(order, tf.constant([1, 2, 3]) - _before(brightness_at))
    for step in range(3):
        before = tf.where(tf.equal(brightness_at, step), factors[0], 1.0)
        after = tf.where(tf.equal(brightness_at, 3), factors[0], 1.0)
        arguments = (
            image,
            factors[others[step]],
            before * scale if step == 0 else before,
            after if step == 2 else tf.constant(1.0),
        )
        image = tf.switch_case(
            others[step] - 1, [_bind(operation, arguments) for operation in steps]
        )
    return image


def jitter_parameters(
    config: AugmentationConfig, uniform: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Turns uniform numbers into the factors and the order of one image's jitter.

    Factors are uniform in [1 - strength, 1 + strength], never below 0, the hue shift
    in [-hue, hue]; all orders are equally likely.

    Args:
        config: Strengths of the jitter.
        uniform: float32 `(JITTER_DRAWS,)` in [0, 1).

    Returns:
        `factors` and `order` as `color_jitter` takes them.
    """
    strengths = [config.brightness, config.contrast, config.saturation]
    low = tf.constant([max(0.0, 1.0 - s) for s in strengths] + [-config.hue])
    high = tf.constant([1.0 + s for s in strengths] + [config.hue])
    order = tf.cast(uniform[4] * len(_ORDERS), tf.int32)
    return low + uniform[:4] * (high - low), tf.constant(_ORDERS)[order]


def _before(brightness_at: tf.Tensor) -> tf.Tensor:
    """Returns int32 `(3,)`: 1 where an operation precedes brightness, else 0."""
    return tf.cast(tf.range(3) < brightness_at, tf.int32)


def _bind(
    operation: Callable[..., tf.Tensor], arguments: tuple[tf.Tensor, ...]
) -> Callable[[], tf.Tensor]:
    return lambda: operation(*arguments)


def _step(adjust: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Callable:
    """Returns an operation with brightness before and after it."""

    def step(
        image: tf.Tensor, factor: tf.Tensor, before: tf.Tensor, after: tf.Tensor
    ) -> tf.Tensor:
        adjusted = adjust(adjust_brightness(image, before), factor)
        return adjust_brightness(adjusted, after)

    return step


_COMPILED_STEPS = [
    tf.function(_step(adjust), jit_compile=True, autograph=False)
    for adjust in (adjust_contrast, adjust_saturation, adjust_hue)
]
# Compiling for every size of image would take longer than it saves. Not compiled,
# TensorFlow's own kernel for hue is the faster one.
_STEPS = [
    _step(adjust)
    for adjust in (adjust_contrast, adjust_saturation, tf.image.adjust_hue)
]
