"""VGG16 up to its last convolution, without the ReLU and the pooling after it.

Stages: 0 to 4 are the five blocks of convolutions; the pooling between two blocks
begins the later one. CosPlace trains stage 4 (conv5_1 to conv5_3). The feature map has
512 channels and stride 16; its values have either sign, as CosPlace cuts the network
before the last ReLU. Images are standardised with the ImageNet mean and standard
deviation. Equal to torchvision's network; the weights of `imagenet` are the keras-hub
preset.

Reference:
    Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
    Recognition", arXiv:1409.1556.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
from keras import layers

from vpr_tf.models.backbones.backbone_spec import (
    BackboneSpec,
    ImageShape,
    split_into_stages,
)

_REPEATS = (2, 2, 3, 3, 3)
_FILTERS = (64, 128, 256, 512, 512)
_CLASSIFIER_CHILDREN = (0, 3, 6)


def vgg16_spec() -> BackboneSpec:
    """Returns the description of VGG16."""
    return BackboneSpec(
        name="VGG16",
        build_stages=_build_stages,
        num_stages=5,
        feature_channels=512,
        output_stride=16,
        modules=tuple(_modules()),
        renames={"cosplace": lambda module: module.removeprefix("features.")},
        unused_keys=frozenset(
            f"classifier.{child}.{kind}"
            for child in _CLASSIFIER_CHILDREN
            for kind in ("weight", "bias")
        ),
        imagenet_preset="vgg_16_imagenet",
    )


def _build_stages(image_shape: ImageShape) -> list[keras.Model]:
    images = keras.Input(image_shape)
    x = images
    for block, (repeats, filters) in enumerate(zip(_REPEATS, _FILTERS, strict=True), 1):
        if block > 1:
            x = layers.MaxPooling2D(name=f"block{block - 1}_pool")(x)
        for number in range(1, repeats + 1):
            is_last = block == len(_REPEATS) and number == repeats
            x = layers.Conv2D(
                filters,
                3,
                padding="same",
                activation=None if is_last else "relu",
                kernel_initializer="he_normal",
                name=f"block{block}_conv{number}",
            )(x)
    last_layers = tuple(f"block{b}_conv{count}" for b, count in enumerate(_REPEATS, 1))
    return split_into_stages(keras.Model(images, x), last_layers)


def _modules() -> Iterator[tuple[str, str]]:
    child = 0
    for block, repeats in enumerate(_REPEATS, 1):
        for number in range(1, repeats + 1):
            yield f"features.{child}", f"block{block}_conv{number}"
            child += 2  # the convolution and its ReLU
        child += 1  # pooling
