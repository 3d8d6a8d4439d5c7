"""Learned position embeddings of a square grid, interpolated to any other."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from vpr_tf.layers.resampling_matrices import (
    antialiased_matrix,
    cubic_kernel,
    cubic_matrix,
)


@keras.saving.register_keras_serializable(package="vpr_tf")
class InterpolatedPositionEmbedding(keras.layers.Layer):
    """Adds position embeddings to the patches of an image and to its class token.

    The embeddings are learned on a grid of `grid_size` x `grid_size` patches. On that
    grid they are added as they are; to another grid they are interpolated bicubically
    in float32, as PyTorch does. The variable `embeddings`, of shape
    `(1, 1 + grid_size ** 2, channels)`, holds that of the class token first, then the
    grid row by row.

    Args:
        grid_size: Patches in a row and in a column of the learned grid.
        offset: Patches that the scale of the interpolation adds to the new grid:
            `grid_size / (length + offset)`. DINOv2 without registers has 0.1.
        antialias: Interpolate with an antialiased kernel, as DINOv2 with registers
            does. `offset` must be 0.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        A list of the patches `(batch, height, width, channels)` and the tokens
        `(batch, num_tokens, channels)`, of which the first is the class token.

    Output shape:
        The same two.

    Reference:
        Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision",
        arXiv:2304.07193.
    """

    def __init__(
        self,
        grid_size: int,
        offset: float = 0.0,
        antialias: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if grid_size < 1:
            raise ValueError(
                f"`grid_size` must be 1 or more. Received: grid_size={grid_size}"
            )
        if antialias and offset:
            raise ValueError(
                "`offset` must be 0 when `antialias` is true. "
                f"Received: offset={offset}"
            )
        self.grid_size = grid_size
        self.offset = offset
        self.antialias = antialias

    def build(self, input_shape):
        channels = input_shape[0][-1]
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(1, 1 + self.grid_size**2, channels),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype="float32",
            autocast=False,
        )

    def call(self, inputs):
        patches, tokens = inputs
        height, width = ops.shape(patches)[1:3]
        positions = ops.cast(self.interpolated(height, width), patches.dtype)
        class_position = ops.cast(self.embeddings[:, :1], tokens.dtype)
        class_token = tokens[:, :1] + class_position
        return [
            patches + positions,
            ops.concatenate([class_token, tokens[:, 1:]], axis=1),
        ]

    def interpolated(self, height: Any, width: Any) -> Any:
        """Returns the embeddings of a grid.

        Args:
            height: Patches in a column; an int or a scalar tensor.
            width: Patches in a row.

        Returns:
            Shape `(1, height, width, channels)`, float32.
        """
        size = self.grid_size
        grid = ops.reshape(self.embeddings[0, 1:], (size, size, -1))
        rows, columns = (self._matrix(side, height, width) for side in (height, width))
        # Not einsum, whose conversion to ONNX is wrong where sizes are not known.
        grid = ops.matmul(rows, ops.transpose(grid, (1, 0, 2)))
        return ops.matmul(columns, ops.transpose(grid, (1, 0, 2)))[None]

    def _matrix(self, length: Any, height: Any, width: Any) -> Any:
        if self.antialias:
            return antialiased_matrix(length, self.grid_size, cubic_kernel)
        size = self.grid_size
        if isinstance(height, int) and isinstance(width, int):
            offset = 0.0 if height == width == size else self.offset
        else:
            # Without offset the matrix of the learned grid is exactly the identity.
            learned = ops.logical_and(ops.equal(height, size), ops.equal(width, size))
            offset = ops.where(learned, 0.0, self.offset)
        return cubic_matrix(length, size, offset)

    def compute_output_shape(self, input_shape):
        return [tuple(shape) for shape in input_shape]

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "grid_size": self.grid_size,
                "offset": self.offset,
                "antialias": self.antialias,
            }
        )
        return config
