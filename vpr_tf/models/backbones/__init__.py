"""Registry of the backbones that `encoder.backbone` names."""

from __future__ import annotations

import functools
from collections.abc import Callable

from vpr_tf.models.backbones.backbone_spec import (
    ADAPTER,
    ADDED_LAYERS,
    INSERTED_TOKENS,
    UNCHANGED_TRANSFORMER,
    BackboneSpec,
    ImageShape,
    TransformerOptions,
)
from vpr_tf.models.backbones.convnext import CONVNEXT_NAMES, convnext_spec
from vpr_tf.models.backbones.dinov2 import DINOV2_NAMES, dinov2_spec
from vpr_tf.models.backbones.efficientnet import EFFICIENTNET_NAMES, efficientnet_spec
from vpr_tf.models.backbones.efficientnet_lite import (
    EFFICIENTNET_LITE_NAMES,
    efficientnet_lite_spec,
)
from vpr_tf.models.backbones.mobilenet_v3 import MOBILENET_V3_NAMES, mobilenet_v3_spec
from vpr_tf.models.backbones.resnet import resnet_spec
from vpr_tf.models.backbones.vgg16 import vgg16_spec
from vpr_tf.models.backbones.vision_transformer import VIT_NAMES, vit_spec

_SPECS: dict[str, Callable[[], BackboneSpec]] = {
    **{
        name: functools.partial(resnet_spec, name)
        for name in ("ResNet18", "ResNet50", "ResNet101", "ResNet152")
    },
    "VGG16": vgg16_spec,
    **{name: functools.partial(efficientnet_spec, name) for name in EFFICIENTNET_NAMES},
    **{
        name: functools.partial(efficientnet_lite_spec, name)
        for name in EFFICIENTNET_LITE_NAMES
    },
    **{name: functools.partial(mobilenet_v3_spec, name) for name in MOBILENET_V3_NAMES},
    **{name: functools.partial(convnext_spec, name) for name in CONVNEXT_NAMES},
    **{name: functools.partial(dinov2_spec, name) for name in DINOV2_NAMES},
    **{name: functools.partial(vit_spec, name) for name in VIT_NAMES},
}

BACKBONE_NAMES = tuple(_SPECS)


def backbone_spec(name: str) -> BackboneSpec:
    """Returns the description of a backbone.

    Raises:
        ValueError: The name is unknown; the message lists the known ones.
    """
    if name not in _SPECS:
        raise ValueError(
            f"`backbone` must be one of {', '.join(BACKBONE_NAMES)}. Received: {name!r}"
        )
    return _SPECS[name]()


__all__ = [
    "ADAPTER",
    "ADDED_LAYERS",
    "BACKBONE_NAMES",
    "INSERTED_TOKENS",
    "UNCHANGED_TRANSFORMER",
    "BackboneSpec",
    "ImageShape",
    "TransformerOptions",
    "backbone_spec",
]
