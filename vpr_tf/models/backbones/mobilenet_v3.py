"""MobileNetV3 small and large of `keras.applications`, up to the last convolution map.

Stages: each but stage 0 begins with a convolution of stride 2. Stage 0 is the stem (in
the large network with the first block), 1 to 4 are the blocks at a quarter, an eighth,
a sixteenth and a 32nd of the image's side, 4 with the top convolution. (The activation
after the small network's stem is in stage 1.) The feature map has 576 (small) or 960
(large) channels and stride 32. Images are scaled to [-1, 1].

The weights of `imagenet` are those of `keras.applications`, whose padding is that of
TensorFlow ("same"). torchvision pads symmetrically, so its weights would give other
features here and are not accepted.

Reference:
    Howard et al., "Searching for MobileNetV3", arXiv:1905.02244.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import keras

from vpr_tf.layers import with_fused_batch_norm
from vpr_tf.models.backbones.backbone_spec import (
    BackboneSpec,
    ImageShape,
    split_into_stages,
)
from vpr_tf.models.backbones.keras_applications import imagenet_arrays


class _Variant(NamedTuple):
    make_network: Callable[..., keras.Model]
    channels: int
    last_layers: tuple[str, ...]  # of stages 0 to 3


_VARIANTS = {
    "MobileNetV3Small": _Variant(
        keras.applications.MobileNetV3Small,
        576,
        (
            "conv_bn",
            "expanded_conv_project_bn",
            "expanded_conv_2_add",
            "expanded_conv_7_add",
        ),
    ),
    "MobileNetV3Large": _Variant(
        keras.applications.MobileNetV3Large,
        960,
        (
            "expanded_conv_add",
            "expanded_conv_2_add",
            "expanded_conv_5_add",
            "expanded_conv_11_add",
        ),
    ),
}
MOBILENET_V3_NAMES = tuple(_VARIANTS)


def mobilenet_v3_spec(name: str) -> BackboneSpec:
    """Returns the description of one MobileNetV3 by its name in the config."""
    variant = _VARIANTS[name]
    return BackboneSpec(
        name=name,
        build_stages=functools.partial(_build_stages, variant),
        num_stages=5,
        feature_channels=variant.channels,
        output_stride=32,
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        modules=(),
        imagenet_arrays=functools.partial(imagenet_arrays, variant.make_network),
    )


def _build_stages(variant: _Variant, image_shape: ImageShape) -> list[keras.Model]:
    network = variant.make_network(
        weights=None,
        include_top=False,
        include_preprocessing=False,
        input_shape=image_shape,
    )
    network = keras.models.clone_model(network, clone_function=_adapted)
    return split_into_stages(network, (*variant.last_layers, network.layers[-1].name))


def _adapted(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Copies a layer; batch norms are fused, and the padding holds at any size."""
    config = layer.get_config()
    # The padding of a side of unknown length is right for even ones only.
    if isinstance(layer, keras.layers.ZeroPadding2D):
        return keras.layers.Identity(name=layer.name, dtype=config["dtype"])
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return keras.layers.DepthwiseConv2D.from_config(config | {"padding": "same"})
    return with_fused_batch_norm(layer)
