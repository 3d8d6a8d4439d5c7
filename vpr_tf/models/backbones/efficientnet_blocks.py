"""The parts that all EfficientNets are made of.

The networks are written out here because keras-hub's `EfficientNetBackbone`, with the
same values, takes 1.6 times as long for a training step on a CPU and three times as
long to build, and some of its layers take the dtype policy of the moment of a call.
Layers are called as in keras-hub, so that its presets fit by name.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import keras
from keras import layers

from vpr_tf.layers import FusedBatchNormalization
from vpr_tf.models.backbones.backbone_spec import ImageShape


class Stack(NamedTuple):
    """Inverted residual blocks of one width.

    Attributes:
        repeats: Number of blocks.
        filters: Output channels.
        kernel_size: Of the depthwise convolutions.
        strides: Of the first block; the others have 1.
        expansion: Factor of the channels inside a block.
    """

    repeats: int
    filters: int
    kernel_size: int
    strides: int
    expansion: int


# EfficientNet-B0 and Lite0, of which the others are multiples.
BASE_STACKS = (
    Stack(1, 16, 3, 1, 1),
    Stack(2, 24, 3, 2, 6),
    Stack(2, 40, 5, 2, 6),
    Stack(3, 80, 3, 2, 6),
    Stack(3, 112, 5, 1, 6),
    Stack(4, 192, 5, 2, 6),
    Stack(1, 320, 3, 1, 6),
)


@dataclass(frozen=True)
class EfficientNetPlan:
    """All that tells one EfficientNet from another.

    Attributes:
        stem_filters: Channels of the stem.
        stacks: The stacks of blocks.
        top_filters: Channels of the top convolution.
        activation: Keras name of the activation.
        squeeze_and_excite: Whether blocks weigh their channels.
        symmetric_padding: Whether convolutions of stride 2 pad both sides alike, as
            torch; else as TensorFlow ("same").
        bn_epsilon: Added to the batch norms' variance.
        bn_momentum: Share of the old moving statistics that an update keeps.
        last_drop_rate: Rate at which the residual branch of a block after the last
            would be dropped in training; it grows linearly from 0 at the first.
    """

    stem_filters: int
    stacks: tuple[Stack, ...]
    top_filters: int
    activation: str
    squeeze_and_excite: bool
    symmetric_padding: bool
    bn_epsilon: float
    bn_momentum: float
    last_drop_rate: float

    def blocks(self) -> Iterator[tuple[int, int, str]]:
        """Yields stack number (from 1), repeat (from 0) and name of each block."""
        for number, stack in enumerate(self.stacks, 1):
            for repeat in range(stack.repeats):
                yield number, repeat, f"block{number}{chr(ord('a') + repeat)}_"


def scaled_stacks(
    width: float, depth: float, scale_end_repeats: bool = True
) -> tuple[Stack, ...]:
    """Returns the stacks of a larger network (compound scaling).

    Args:
        width: Factor of the channels.
        depth: Factor of the number of blocks, which is rounded up.
        scale_end_repeats: Whether the first and the last stack get more blocks as well.
    """
    ends = () if scale_end_repeats else (BASE_STACKS[0], BASE_STACKS[-1])
    return tuple(
        stack._replace(
            repeats=math.ceil(stack.repeats * (1.0 if stack in ends else depth)),
            filters=scaled_filters(stack.filters, width),
        )
        for stack in BASE_STACKS
    )


def scaled_filters(filters: int, width: float) -> int:
    """The nearest multiple of 8 that is not below nine tenths of the product."""
    scaled = filters * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * scaled else rounded + 8


def build_stages(
    plan: EfficientNetPlan, image_shape: ImageShape
) -> Iterator[keras.Model]:
    """Builds stem, stacks and top convolution as one stage each."""
    builder = _Builder(plan)
    start = keras.Input(image_shape)
    x = builder.convolution(start, plan.stem_filters, 3, "stem_conv", strides=2)
    x = builder.batch_norm(x, "stem_bn", "stem_activation")
    yield keras.Model(start, x, name="stage0")
    num_blocks = sum(stack.repeats for stack in plan.stacks)
    blocks = enumerate(plan.blocks())
    for number, of_stack in itertools.groupby(blocks, lambda block: block[1][0]):
        start = x = _input_like(x)
        for index, (_, repeat, name) in of_stack:
            drop_rate = plan.last_drop_rate * index / num_blocks
            x = builder.block(x, plan.stacks[number - 1], repeat, drop_rate, name)
        yield keras.Model(start, x, name=f"stage{number}")
    start = _input_like(x)
    x = builder.convolution(start, plan.top_filters, 1, "top_conv")
    x = builder.batch_norm(x, "top_bn", "top_activation")
    yield keras.Model(start, x, name=f"stage{len(plan.stacks) + 1}")


def _input_like(tensor: keras.KerasTensor) -> keras.KerasTensor:
    return keras.Input(tensor.shape[1:], dtype=tensor.dtype)


class _Builder:
    def __init__(self, plan: EfficientNetPlan) -> None:
        self._plan = plan

    def block(
        self,
        inputs: keras.KerasTensor,
        stack: Stack,
        repeat: int,
        drop_rate: float,
        name: str,
    ) -> keras.KerasTensor:
        """An inverted residual block."""
        channels = inputs.shape[-1]
        x = inputs
        if stack.expansion != 1:
            x = self.convolution(x, channels * stack.expansion, 1, f"{name}expand_conv")
            x = self.batch_norm(x, f"{name}expand_bn", f"{name}expand_activation")
        strides = 1 if repeat else stack.strides
        x, padding = self._padded(x, stack.kernel_size, strides, f"{name}dwconv_pad")
        x = layers.DepthwiseConv2D(
            stack.kernel_size,
            strides=strides,
            padding=padding,
            use_bias=False,
            depthwise_initializer=_initializer(),
            name=f"{name}dwconv",
        )(x)
        x = self.batch_norm(x, f"{name}dwconv_bn", f"{name}dwconv_activation")
        if self._plan.squeeze_and_excite:
            x = self._weigh_channels(x, max(1, channels // 4), name)
        x = self.convolution(x, stack.filters, 1, f"{name}project")
        x = self.batch_norm(x, f"{name}project_bn")
        if repeat == 0:
            return x
        if drop_rate:
            one_choice_per_image = (None, 1, 1, 1)
            x = layers.Dropout(drop_rate, one_choice_per_image, name=f"{name}drop")(x)
        return layers.Add(name=f"{name}add")([inputs, x])

    def convolution(
        self,
        x: keras.KerasTensor,
        filters: int,
        kernel_size: int,
        name: str,
        strides: int = 1,
    ) -> keras.KerasTensor:
        x, padding = self._padded(x, kernel_size, strides, f"{name}_pad")
        return layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            padding=padding,
            use_bias=False,
            kernel_initializer=_initializer(),
            name=name,
        )(x)

    def batch_norm(
        self, x: keras.KerasTensor, name: str, activation: str | None = None
    ) -> keras.KerasTensor:
        plan = self._plan
        x = FusedBatchNormalization(
            momentum=plan.bn_momentum, epsilon=plan.bn_epsilon, name=name
        )(x)
        if activation is None:
            return x
        return layers.Activation(plan.activation, name=activation)(x)

    def _padded(
        self, x: keras.KerasTensor, kernel_size: int, strides: int, name: str
    ) -> tuple[keras.KerasTensor, str]:
        """Pads where the convolution itself cannot; returns what is left to it."""
        if strides == 1 or not self._plan.symmetric_padding:
            return x, "same"
        return layers.ZeroPadding2D(kernel_size // 2, name=name)(x), "valid"

    def _weigh_channels(
        self, x: keras.KerasTensor, squeezed: int, name: str
    ) -> keras.KerasTensor:
        """Squeeze and excitation (arXiv:1709.01507)."""
        weights = layers.GlobalAveragePooling2D(
            keepdims=True, name=f"{name}se_squeeze"
        )(x)
        for channels, activation, part in (
            (squeezed, self._plan.activation, "se_reduce"),
            (x.shape[-1], "sigmoid", "se_expand"),
        ):
            weights = layers.Conv2D(
                channels,
                1,
                activation=activation,
                kernel_initializer=_initializer(),
                name=f"{name}{part}",
            )(weights)
        return layers.Multiply(name=f"{name}se_excite")([x, weights])


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.VarianceScaling(
        2.0, mode="fan_out", distribution="truncated_normal"
    )
