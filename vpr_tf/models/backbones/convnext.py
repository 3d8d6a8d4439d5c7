"""ConvNeXt tiny, small, base and large, equal to torchvision's and Keras's.

Stages: 0 is the stem (4x4 patches), 1 to 4 are the stacks of blocks, each from 2 on
with the downsampling before it, 4 with the layer norm after it, which torchvision has
in its classifier. The feature map has 768 (tiny, small), 1024 (base) or 1536 (large)
channels and stride 32. Images are standardised with the ImageNet mean and standard
deviation. No residual branch is dropped in training (no stochastic depth).

The weights of `imagenet` are those of `keras.applications`; a torchvision `.pth` fits
too. The network is written out here because that of `keras.applications` has grouped
convolutions in place of depthwise ones, which TensorFlow does not run on a CPU without
XLA.

Reference:
    Liu et al., "A ConvNet for the 2020s", arXiv:2201.03545.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from vpr_tf.layers import LayerScale
from vpr_tf.models.backbones.backbone_spec import (
    BackboneSpec,
    ImageShape,
    split_into_stages,
)
from vpr_tf.models.backbones.keras_applications import imagenet_arrays
from vpr_tf.models.torch_weights.entries import (
    StateDictEntry,
    layer_entries,
    reshaped_entry,
)


class _Variant(NamedTuple):
    make_network: Callable[..., keras.Model]
    blocks: tuple[int, ...]
    filters: tuple[int, ...]


_VARIANTS = {
    "ConvNeXtTiny": _Variant(
        keras.applications.ConvNeXtTiny, (3, 3, 9, 3), (96, 192, 384, 768)
    ),
    "ConvNeXtSmall": _Variant(
        keras.applications.ConvNeXtSmall, (3, 3, 27, 3), (96, 192, 384, 768)
    ),
    "ConvNeXtBase": _Variant(
        keras.applications.ConvNeXtBase, (3, 3, 27, 3), (128, 256, 512, 1024)
    ),
    "ConvNeXtLarge": _Variant(
        keras.applications.ConvNeXtLarge, (3, 3, 27, 3), (192, 384, 768, 1536)
    ),
}
CONVNEXT_NAMES = tuple(_VARIANTS)


def convnext_spec(name: str) -> BackboneSpec:
    """Returns the description of one ConvNeXt by its name in the config."""
    variant = _VARIANTS[name]
    return BackboneSpec(
        name=name,
        build_stages=functools.partial(_build_stages, variant),
        num_stages=5,
        feature_channels=variant.filters[-1],
        output_stride=32,
        modules=tuple(_modules(variant)),
        entries_of=_entries,
        unused_keys=frozenset({"classifier.2.weight", "classifier.2.bias"}),
        imagenet_arrays=functools.partial(_imagenet_arrays, variant),
    )


def _build_stages(variant: _Variant, image_shape: ImageShape) -> list[keras.Model]:
    images = keras.Input(image_shape)
    x = _convolution(images, variant.filters[0], 4, "stem_conv")
    x = _layer_norm(x, "stem_layernorm")
    last_layers = ["stem_layernorm"]
    for stack, (blocks, filters) in enumerate(
        zip(variant.blocks, variant.filters, strict=True)
    ):
        if stack > 0:
            x = _layer_norm(x, f"downsampling_layernorm_{stack - 1}")
            x = _convolution(x, filters, 2, f"downsampling_conv_{stack - 1}")
        for block in range(blocks):
            x = _block(x, f"stage_{stack}_block_{block}")
        last_layers.append(f"stage_{stack}_block_{blocks - 1}_add")
    last_layers[-1] = "final_layernorm"
    x = _layer_norm(x, "final_layernorm")
    return split_into_stages(keras.Model(images, x), tuple(last_layers))


def _block(inputs: keras.KerasTensor, name: str) -> keras.KerasTensor:
    channels = inputs.shape[-1]
    x = layers.DepthwiseConv2D(
        7,
        padding="same",
        depthwise_initializer=_initializer(),
        name=f"{name}_depthwise_conv",
    )(inputs)
    x = _layer_norm(x, f"{name}_layernorm")
    x = _dense(x, 4 * channels, f"{name}_pointwise_conv_1")
    x = layers.Activation("gelu", name=f"{name}_gelu")(x)
    x = _dense(x, channels, f"{name}_pointwise_conv_2")
    x = LayerScale(1e-6, name=f"{name}_layer_scale")(x)
    return layers.Add(name=f"{name}_add")([inputs, x])


def _layer_norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.LayerNormalization(epsilon=1e-6, name=name)(x)


def _convolution(
    x: keras.KerasTensor, filters: int, patch: int, name: str
) -> keras.KerasTensor:
    initializer = _initializer()
    return layers.Conv2D(
        filters, patch, strides=patch, kernel_initializer=initializer, name=name
    )(x)


def _dense(x: keras.KerasTensor, units: int, name: str) -> keras.KerasTensor:
    return layers.Dense(units, kernel_initializer=_initializer(), name=name)(x)


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.TruncatedNormal(stddev=0.02)


def _modules(variant: _Variant) -> Iterator[tuple[str, str]]:
    yield "features.0.0", "stem_conv"
    yield "features.0.1", "stem_layernorm"
    for stack, blocks in enumerate(variant.blocks):
        if stack > 0:
            yield f"features.{2 * stack}.0", f"downsampling_layernorm_{stack - 1}"
            yield f"features.{2 * stack}.1", f"downsampling_conv_{stack - 1}"
        for block in range(blocks):
            module = f"features.{2 * stack + 1}.{block}"
            layer = f"stage_{stack}_block_{block}"
            yield module, f"{layer}_layer_scale"
            yield f"{module}.block.0", f"{layer}_depthwise_conv"
            yield f"{module}.block.2", f"{layer}_layernorm"
            yield f"{module}.block.3", f"{layer}_pointwise_conv_1"
            yield f"{module}.block.5", f"{layer}_pointwise_conv_2"
    yield "classifier.0", "final_layernorm"


def _entries(module: str, layer: keras.layers.Layer) -> Iterator[StateDictEntry]:
    if isinstance(layer, LayerScale):
        channels = layer.gamma.shape[0]
        key = f"{module}.layer_scale"
        yield reshaped_entry(key, layer.gamma, (channels, 1, 1))
    else:
        yield from layer_entries(module, layer)


def _imagenet_arrays(variant: _Variant) -> dict[str, np.ndarray]:
    """The weights of `keras.applications` under the names of the layers here."""
    return dict(
        _renamed(place, value)
        for place, value in imagenet_arrays(variant.make_network).items()
    )


def _renamed(place: str, value: np.ndarray) -> tuple[str, np.ndarray]:
    layer, variable = place.split("/")
    if layer.startswith("layer_normalization"):
        return f"final_layernorm/{variable}", value
    # convnext_tiny_stem_conv, ...
    layer = layer.split("_", 2)[2]
    if layer.endswith("layer_scale"):
        variable = "gamma"
    if layer.endswith("depthwise_conv") and variable == "kernel":
        value = value.transpose(0, 1, 3, 2)
    return f"{layer}/{variable}", value
