"""Images to a size that a transformer's patches tile."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from vpr_tf.layers.resampling_matrices import antialiased_matrix, triangle_kernel


@keras.saving.register_keras_serializable(package="vpr_tf")
class ResizeToPatchMultiples(keras.layers.Layer):
    """Resizes images whose sides are not multiples of the patch size.

    Each side becomes the nearest multiple (of two that are as near, the one of an even
    number of patches), one patch at least, by bilinear interpolation with antialiasing.
    Images whose sides are multiples pass unchanged.

    Args:
        patch_size: Side of a patch in pixels.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, new_height, new_width, channels)`.
    """

    def __init__(self, patch_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if patch_size < 1:
            raise ValueError(
                f"`patch_size` must be 1 or more. Received: patch_size={patch_size}"
            )
        self.patch_size = patch_size
        self._build_at_init()

    def call(self, inputs):
        sides = ops.shape(inputs)[1:3]
        new_sides = tuple(self._nearest_multiple(side) for side in sides)
        if all(isinstance(side, int) for side in sides):
            return inputs if sides == new_sides else _resize(inputs, sides, new_sides)
        # Of images of any size there is no branch, which other formats lack. Products
        # with the identity would round: GPUs may take 10 bits of the images.
        is_same = ops.logical_and(*map(ops.equal, sides, new_sides))
        resized = _resize(inputs, sides, new_sides)
        return ops.where(is_same, _cut_or_repeated(inputs, sides, new_sides), resized)

    def _nearest_multiple(self, side: Any) -> Any:
        if isinstance(side, int):
            return max(round(side / self.patch_size), 1) * self.patch_size
        count = ops.round(ops.cast(side, "float32") / self.patch_size)
        return ops.cast(ops.maximum(count, 1.0), "int32") * self.patch_size

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        sides = [side and self._nearest_multiple(side) for side in sides]
        return (batch, *sides, channels)

    def get_config(self):
        return super().get_config() | {"patch_size": self.patch_size}


def _resize(images: Any, sides: tuple[Any, ...], new_sides: tuple[Any, ...]) -> Any:
    rows, columns = (
        antialiased_matrix(new, old, triangle_kernel)
        for old, new in zip(sides, new_sides, strict=True)
    )
    # Not einsum, whose conversion to ONNX is wrong where sizes are not known.
    x = ops.transpose(ops.cast(images, "float32"), (0, 3, 1, 2))
    x = ops.matmul(rows, ops.matmul(x, ops.transpose(columns)))
    return ops.cast(ops.transpose(x, (0, 2, 3, 1)), images.dtype)


def _cut_or_repeated(
    images: Any, sides: tuple[Any, ...], new_sides: tuple[Any, ...]
) -> Any:
    """Returns images in another size without interpolation: of the same, themselves."""
    for axis, (old, new) in enumerate(zip(sides, new_sides, strict=True), start=1):
        images = ops.take(images, ops.minimum(ops.arange(new), old - 1), axis=axis)
    return images
