"""8-bit weights and activations by NNCF, from the fourth convolution to the last."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable
from typing import Any

from vpr_tf.extraction import EncoderError
from vpr_tf.extras import import_extra
from vpr_tf.models.hidden_messages import hidden_messages

_EXTRA = "int8"
_CONVOLUTIONS = ("Convolution", "GroupConvolution")
_VALUES = ("Constant", "Parameter", "Result")
# Below so many the last convolution is at the entry, as that which cuts patches.
_FEWEST_CONVOLUTIONS = 4
# The first ones see few channels of wide range: without them the cosine with float32
# was 0.99 instead of 0.96 (EfficientNetLite0, ImageNet weights, night photos).
_FIRST_CONVOLUTIONS = 3


def quantized(model: Any, images: Iterable[Any], num_images: int) -> Any:
    """Quantises an encoder, by the ranges of its activations on some images.

    What follows the last convolution (aggregation, projection, normalisation) stays in
    float32: it takes no time, and in 8 bits it cost 11 points of R@1 where the
    convolutions cost none.

    Args:
        model: Of OpenVINO, in float32.
        images: Float32 `(1, height, width, 3)` each; they may be read several times.
        num_images: How many there are.

    Returns:
        Another model.

    Raises:
        ImportError: The extra `int8` is not installed.
        EncoderError: The encoder is not made of convolutions.
    """
    left_out = names_left_in_float32(model)
    # NNCF reports each use to its makers, unless it takes the process for one of tests.
    os.environ.setdefault("NNCF_CI", "1")
    with hidden_messages(), contextlib.redirect_stdout(None):
        nncf = import_extra("nncf", _EXTRA)
        nncf.set_log_level(logging.ERROR)
        # CPUs without VNNI add products of 8 bits up in 16, silently cut: with weights
        # of 7 bits nothing is, wherever the file is taken.
        for_every_cpu = nncf.AdvancedQuantizationParameters(
            overflow_fix=nncf.OverflowFix.ENABLE
        )
        return nncf.quantize(
            model,
            nncf.Dataset(images),
            subset_size=num_images,
            ignored_scope=nncf.IgnoredScope(names=left_out, validate=False),
            advanced_parameters=for_every_cpu,
        )


def names_left_in_float32(model: Any) -> list[str]:
    """Returns the first convolutions, and what no convolution depends on.

    Raises:
        EncoderError: It has nearly no convolutions.
    """
    operations = model.get_ordered_ops()
    convolutions = [one for one in operations if one.get_type_name() in _CONVOLUTIONS]
    if len(convolutions) < _FEWEST_CONVOLUTIONS:
        raise EncoderError(
            "int8 quantises all up to the last convolution, so the encoder must be "
            f"made of convolutions. Received: {len(convolutions)} of them, as in a "
            "transformer. Pass --precision bfloat16."
        )
    needed = {one.get_friendly_name() for one in convolutions}
    for one in reversed(operations):
        if one.get_friendly_name() in needed:
            needed |= {
                value.get_node().get_friendly_name() for value in one.input_values()
            }
    first = [one.get_friendly_name() for one in convolutions[:_FIRST_CONVOLUTIONS]]
    return first + [
        one.get_friendly_name()
        for one in operations
        if one.get_friendly_name() not in needed and one.get_type_name() not in _VALUES
    ]
