"""The network of XFeat: a small convolutional network for local features."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import tensorflow as tf

from vpr_tf.models.torch_weights.entries import (
    StateDictEntry,
    layer_entries,
    same_entry,
)

# Sides of an image must be a multiple: the coarsest map is so many times smaller.
STRIDE = 32
CELL = 8  # pixels a side of a cell of the maps
DIM = 64
_EPSILON = 1e-5
# By block: channels, size of the kernel and stride of each convolution.
_BLOCKS = {
    "block1": ((4, 3, 1), (8, 3, 2), (8, 3, 1), (24, 3, 2)),
    "block2": ((24, 3, 1), (24, 3, 1)),
    "block3": ((64, 3, 2), (64, 3, 1), (64, 1, 1)),
    "block4": ((64, 3, 2), (64, 3, 1), (64, 3, 1)),
    "block5": ((128, 3, 2), (128, 3, 1), (128, 3, 1), (64, 1, 1)),
    "block_fusion": ((64, 3, 1), (64, 3, 1)),
    "heatmap_head": ((64, 1, 1), (64, 1, 1)),
    "keypoint_head": ((64, 1, 1), (64, 1, 1), (64, 1, 1)),
}
# The plain convolutions at the end of blocks, with their channels.
_LAST = {"block_fusion": DIM, "heatmap_head": 1, "keypoint_head": CELL * CELL + 1}


class NormalizedConvolution(keras.layers.Layer):
    """A convolution, a batch norm without scale and offset, and a ReLU.

    Args:
        channels: Of the output.
        kernel_size: Pixels a side; the borders are padded with half of it.
        stride: Of the convolution.
        **kwargs: Keyword arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, input_channels)`.

    Output shape:
        `(batch, height / stride, width / stride, channels)`, rounded up.
    """

    def __init__(
        self, channels: int, kernel_size: int, stride: int, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.pad = keras.layers.ZeroPadding2D(kernel_size // 2)
        self.convolution = keras.layers.Conv2D(
            channels, kernel_size, stride, use_bias=False
        )
        self.norm = keras.layers.BatchNormalization(
            center=False, scale=False, epsilon=_EPSILON
        )

    def build(self, input_shape):
        """Makes the weights."""
        self.convolution.build((None, None, None, input_shape[-1]))
        self.norm.build((None, None, None, self.convolution.filters))

    def call(self, inputs):
        """Computes the layer; the norm has fixed statistics."""
        features = self.convolution(self.pad(inputs))
        return keras.ops.relu(self.norm(features, training=False))


class XFeat(keras.Model):
    """Maps of local features of images whose sides are multiples of 32.

    Its weights are made at once, random; released ones are loaded by
    `xfeat_weights.load_xfeat`.

    Input shape:
        RGB or grey in any linear range, `(batch, height, width, channels)`.

    Output shape:
        Features, logits of key points and reliability,
        `(batch, height / 8, width / 8, channels)` with 64, 65 and 1 channels.

    Reference:
        Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching",
        CVPR 2024, arXiv:2404.19174.
    """

    def __init__(self) -> None:
        super().__init__(name="xfeat")
        self.skip1 = keras.layers.Conv2D(24, 1, name="skip1")
        self.blocks = {
            name: keras.Sequential(
                [NormalizedConvolution(*one) for one in block], name=name
            )
            for name, block in _BLOCKS.items()
        }
        self.last = {
            name: keras.layers.Conv2D(channels, 1, name=f"{name}_last")
            for name, channels in _LAST.items()
        }
        self.build((None, None, None, 1))
        self(tf.zeros((1, STRIDE, STRIDE, 1)))

    def build(self, input_shape):
        """Weights are made by the first call, in the constructor."""
        self.built = True

    def call(self, images):
        """Computes the three maps."""
        grey = tf.reduce_mean(tf.cast(images, tf.float32), axis=-1, keepdims=True)
        mean, variance = tf.nn.moments(grey, axes=[1, 2], keepdims=True)
        grey = (grey - mean) * tf.math.rsqrt(variance + _EPSILON)
        pooled = tf.nn.avg_pool2d(grey, 4, 4, "VALID")
        x2 = self.blocks["block2"](self.blocks["block1"](grey) + self.skip1(pooled))
        x3 = self.blocks["block3"](x2)
        x4 = self.blocks["block4"](x3)
        x5 = self.blocks["block5"](x4)
        size = tf.shape(x3)[1:3]
        fused = x3 + tf.image.resize(x4, size) + tf.image.resize(x5, size)
        features = self._head("block_fusion", fused)
        reliability = tf.sigmoid(self._head("heatmap_head", features))
        cells = tf.nn.space_to_depth(grey, CELL)
        return features, self._head("keypoint_head", cells), reliability

    def _head(self, name: str, inputs: tf.Tensor) -> tf.Tensor:
        return self.last[name](self.blocks[name](inputs))

    def torch_entries(self) -> Iterator[StateDictEntry]:
        """Yields where each array of the released state dict goes."""
        yield from layer_entries("skip1.1", self.skip1)
        for name, block in self.blocks.items():
            for number, layer in enumerate(block.layers):
                module = f"{name}.{number}.layer"
                yield from layer_entries(f"{module}.0", layer.convolution)
                norm = layer.norm
                yield same_entry(f"{module}.1.running_mean", norm.moving_mean)
                yield same_entry(f"{module}.1.running_var", norm.moving_variance)
            if name in self.last:
                module = f"{name}.{len(block.layers)}"
                yield from layer_entries(module, self.last[name])
