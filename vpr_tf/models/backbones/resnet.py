"""ResNet18, 50, 101 and 152, equal to torchvision's (stride in the 3x3 convolution).

Stages: 0 is the stem (convolution, batch norm, pooling), 1 to 4 are layer1 to layer4.
CosPlace trains from stage 3. Images are standardised with the ImageNet mean and
standard deviation. Batch-norm momentum 0.9 is torch's 0.1.

Reference:
    He et al., "Deep Residual Learning for Image Recognition", arXiv:1512.03385.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import keras
from keras_hub.models import ResNetBackbone

from vpr_tf.layers import with_fused_batch_norm
from vpr_tf.models.backbones.backbone_spec import (
    BackboneSpec,
    ImageShape,
    split_into_stages,
)

_BLOCKS = {
    "ResNet18": (2, 2, 2, 2),
    "ResNet50": (3, 4, 6, 3),
    "ResNet101": (3, 4, 23, 3),
    "ResNet152": (3, 8, 36, 3),
}
_IMAGENET_PRESETS = {
    "ResNet18": "resnet_18_imagenet",
    "ResNet50": "resnet_50_imagenet",
    "ResNet101": "resnet_101_imagenet",
    "ResNet152": "resnet_152_imagenet",
}
# conv1, bn1, (relu, maxpool), layer1, ... are children 0, 1, ... of CosPlace's
# Sequential.
_COSPLACE_CHILDREN = {
    "conv1": "0",
    "bn1": "1",
    "layer1": "4",
    "layer2": "5",
    "layer3": "6",
    "layer4": "7",
}


def resnet_spec(name: str) -> BackboneSpec:
    """Returns the description of one ResNet by its name in the config."""
    blocks = _BLOCKS[name]
    bottleneck = name != "ResNet18"
    return BackboneSpec(
        name=name,
        build_stages=functools.partial(_build_stages, blocks, bottleneck),
        num_stages=5,
        feature_channels=2048 if bottleneck else 512,
        output_stride=32,
        modules=tuple(_modules(blocks, bottleneck)),
        renames={"cosplace": _cosplace_name, "boq": _cosplace_name},
        unused_keys=frozenset({"fc.weight", "fc.bias"}),
        imagenet_preset=_IMAGENET_PRESETS[name],
    )


def _build_stages(
    blocks: tuple[int, ...], bottleneck: bool, image_shape: ImageShape
) -> list[keras.Model]:
    network = ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=list(blocks),
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="bottleneck_block" if bottleneck else "basic_block",
        image_shape=image_shape,
    )
    network = keras.models.clone_model(network, clone_function=with_fused_batch_norm)
    last_layers = (
        "pool1_pool",
        *(f"stack{stack}_block{count - 1}_out" for stack, count in enumerate(blocks)),
    )
    return split_into_stages(network, last_layers)


def _modules(blocks: tuple[int, ...], bottleneck: bool) -> Iterator[tuple[str, str]]:
    yield "conv1", "conv1_conv"
    yield "bn1", "conv1_bn"
    for stack, count in enumerate(blocks):
        for block in range(count):
            module = f"layer{stack + 1}.{block}"
            layer = f"stack{stack}_block{block}"
            for conv in range(1, 4 if bottleneck else 3):
                yield f"{module}.conv{conv}", f"{layer}_{conv}_conv"
                yield f"{module}.bn{conv}", f"{layer}_{conv}_bn"
            if block == 0 and (bottleneck or stack > 0):
                yield f"{module}.downsample.0", f"{layer}_0_conv"
                yield f"{module}.downsample.1", f"{layer}_0_bn"


def _cosplace_name(module: str) -> str:
    child, dot, rest = module.partition(".")
    return _COSPLACE_CHILDREN[child] + dot + rest
