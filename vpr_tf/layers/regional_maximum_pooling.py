"""Regional maximum activations (R-MAC)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from vpr_tf.layers._construction import check_feature_map
from vpr_tf.layers.l2_normalization import unit_vectors

_WANTED_OVERLAP = 0.4
# How many squares may lie along the longer side at level 1.
_COUNTS = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0)


@keras.saving.register_keras_serializable(package="vpr_tf")
class RegionalMaximumPooling2D(keras.layers.Layer):
    """Sums unit vectors of maxima over square regions, known as R-MAC.

    With the shorter side s, the regions of level l are squares of side
    `2 s // (l + 1)`, l along the shorter side and l + m along the longer, evenly
    spread from edge to edge. m is 0 for a square map; else 1 to 6, so that
    neighbours at level 1 overlap by as near to 40 % as can be. To these is added the
    maximum over the whole map. Regions follow the size of each batch, so that one
    model serves images of all sizes. Computes in float32 whatever the dtype policy,
    and returns the compute dtype.

    Args:
        levels: Number of levels, L.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, channels)`.

    Reference:
        Tolias et al., "Particular Object Retrieval with Integral Max-Pooling of CNN
        Activations" (R-MAC), arXiv:1511.05879, without its PCA of the regions.
    """

    def __init__(self, levels: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if levels < 1:
            raise ValueError(
                f"`levels` must be 1 or more, e.g. 3. Received: levels={levels}"
            )
        self.levels = levels

    def build(self, input_shape):
        check_feature_map("R-MAC", input_shape)

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        height, width = (
            ops.cast(ops.convert_to_tensor(side), "int32") for side in ops.shape(x)[1:3]
        )
        shorter = ops.minimum(height, width)
        extra = _extra_regions(shorter, ops.maximum(height, width))
        extra_rows = ops.where(height > width, extra, 0)
        extra_columns = ops.where(width > height, extra, 0)
        outputs = _unit(ops.max(x, axis=(1, 2)))
        for level in range(1, self.levels + 1):
            side = 2 * shorter // (level + 1)
            rows = _regions(height, side, level + extra_rows)
            columns = _regions(width, side, level + extra_columns)
            maxima = ops.max(ops.take(x, columns, axis=2), axis=3)
            maxima = ops.max(ops.take(maxima, rows, axis=1), axis=2)
            total = ops.sum(_unit(maxima), axis=(1, 2))
            # A map one location wide has no regions after level 1.
            outputs = outputs + ops.where(side > 0, total, 0.0)
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[3])

    def get_config(self):
        config = super().get_config()
        config.update({"levels": self.levels})
        return config


def _unit(x: Any) -> Any:
    return unit_vectors(x, epsilon=1e-6)


def _extra_regions(shorter: Any, longer: Any) -> Any:
    """Regions that the longer side has more than the shorter, if they differ."""
    shorter, longer = ops.cast(shorter, "float32"), ops.cast(longer, "float32")
    steps = (longer - shorter) / (ops.convert_to_tensor(_COUNTS, "float32") - 1)
    overlaps = (shorter**2 - shorter * steps) / shorter**2
    # Not argmin: that of Keras looks at bits, which no other format has.
    _, nearest = ops.top_k(-ops.abs(overlaps - _WANTED_OVERLAP), 1)
    return ops.cast(nearest[0], "int32") + 1


def _regions(length: Any, side: Any, count: Any) -> Any:
    """Returns the positions in each of `count` intervals, `(count, max(side, 1))`."""
    side = ops.maximum(side, 1)
    starts = ops.arange(count, dtype="int32") * (length - side)
    starts = starts // ops.maximum(count - 1, 1)
    return starts[:, None] + ops.arange(side, dtype="int32")[None]
