"""EfficientNet-B0 to B7, equal to torchvision's.

Stages: 0 is the stem, 1 to 7 are the stacks of blocks, 8 is the top convolution, as
the children of torchvision's `features`. CosPlace trains from stage 5. The feature map
has stride 32 and 1280 channels (B0, B1), 1408 (B2), 1536 (B3), 1792 (B4), 2048 (B5),
2304 (B6) or 2560 (B7). Images are standardised with the ImageNet mean and standard
deviation.

Batch norms have epsilon 1e-5 and momentum 0.9 (torch's 0.1), in B5 to B7 1e-3 and 0.99.
In training whole residual branches are dropped, each image by itself (stochastic
depth), at rates that grow from 0 to 0.2 with the depth. The choices come from the seed
generators of the `Dropout` layers, which follow `keras.utils.set_random_seed`; under
several replicas the n-th images of all replicas share them.

The weights of `imagenet` are the keras-hub presets of B0 to B4, trained with timm: the
same networks as torchvision's with other values. B5 to B7 have no preset that equals
them; a torchvision `.pth` fits all.

Reference:
    Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
    Networks", arXiv:1905.11946; Huang et al., "Deep Networks with Stochastic Depth",
    arXiv:1603.09382.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

from vpr_tf.models.backbones.backbone_spec import BackboneSpec
from vpr_tf.models.backbones.efficientnet_blocks import (
    BASE_STACKS,
    EfficientNetPlan,
    build_stages,
    scaled_filters,
    scaled_stacks,
)


class _Variant(NamedTuple):
    width: float
    depth: float
    bn_epsilon: float
    bn_momentum: float
    imagenet_preset: str | None


_VARIANTS = {
    "EfficientNet_B0": _Variant(1.0, 1.0, 1e-5, 0.9, "efficientnet_b0_ra_imagenet"),
    "EfficientNet_B1": _Variant(1.0, 1.1, 1e-5, 0.9, "efficientnet_b1_ft_imagenet"),
    "EfficientNet_B2": _Variant(1.1, 1.2, 1e-5, 0.9, "efficientnet_b2_ra_imagenet"),
    "EfficientNet_B3": _Variant(1.2, 1.4, 1e-5, 0.9, "efficientnet_b3_ra2_imagenet"),
    "EfficientNet_B4": _Variant(1.4, 1.8, 1e-5, 0.9, "efficientnet_b4_ra2_imagenet"),
    "EfficientNet_B5": _Variant(1.6, 2.2, 1e-3, 0.99, None),
    "EfficientNet_B6": _Variant(1.8, 2.6, 1e-3, 0.99, None),
    "EfficientNet_B7": _Variant(2.0, 3.1, 1e-3, 0.99, None),
}
EFFICIENTNET_NAMES = tuple(_VARIANTS)


def efficientnet_spec(name: str) -> BackboneSpec:
    """Returns the description of one EfficientNet by its name in the config."""
    plan = _plan(_VARIANTS[name])
    return BackboneSpec(
        name=name,
        build_stages=functools.partial(build_stages, plan),
        num_stages=9,
        feature_channels=plan.top_filters,
        output_stride=32,
        modules=tuple(_modules(plan)),
        renames={"cosplace": _cosplace_name, "divide_and_classify": _without_features},
        unused_keys=frozenset({"classifier.1.weight", "classifier.1.bias"}),
        imagenet_preset=_VARIANTS[name].imagenet_preset,
        preset_facts={
            "include_stem_padding": True,
            "stem_conv_padding": "valid",
            "stackwise_block_types": ["v1"] * len(BASE_STACKS),
            "batch_norm_epsilon": plan.bn_epsilon,
        },
    )


def _plan(variant: _Variant) -> EfficientNetPlan:
    stacks = scaled_stacks(variant.width, variant.depth)
    return EfficientNetPlan(
        stem_filters=scaled_filters(32, variant.width),
        stacks=stacks,
        top_filters=4 * stacks[-1].filters,
        activation="silu",
        squeeze_and_excite=True,
        symmetric_padding=True,
        bn_epsilon=variant.bn_epsilon,
        bn_momentum=variant.bn_momentum,
        last_drop_rate=0.2,
    )


def _modules(plan: EfficientNetPlan) -> Iterator[tuple[str, str]]:
    yield "features.0.0", "stem_conv"
    yield "features.0.1", "stem_bn"
    for number, repeat, name in plan.blocks():
        block = f"features.{number}.{repeat}.block"
        child = 0
        if plan.stacks[number - 1].expansion != 1:
            yield f"{block}.0.0", f"{name}expand_conv"
            yield f"{block}.0.1", f"{name}expand_bn"
            child = 1
        yield f"{block}.{child}.0", f"{name}dwconv"
        yield f"{block}.{child}.1", f"{name}dwconv_bn"
        yield f"{block}.{child + 1}.fc1", f"{name}se_reduce"
        yield f"{block}.{child + 1}.fc2", f"{name}se_expand"
        yield f"{block}.{child + 2}.0", f"{name}project"
        yield f"{block}.{child + 2}.1", f"{name}project_bn"
    yield "features.8.0", "top_conv"
    yield "features.8.1", "top_bn"


def _cosplace_name(module: str) -> str:
    return "0." + _without_features(module)


def _without_features(module: str) -> str:
    return module.removeprefix("features.")
