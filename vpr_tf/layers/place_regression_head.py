"""What heads that regress a place share."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from keras import ops

from vpr_tf.layers.training_head import LinearHead

_LOSS_KINDS = ("l2", "l1", "learned_weight")


class PlaceRegressionHead(LinearHead):
    """A linear layer whose outputs stand for a position and a heading.

    A subclass says how, by `to_places` and `differences`. The loss of an example is
    the sum of both squared errors (`l2`) or absolute ones (`l1`), or, with learned
    log-variances s (`learned_weight`), of `exp(-s) * squared_error + s` for both. An
    unknown heading adds nothing.

    Args:
        extent_m: Length of the map's sides.
        loss_kind: `l2`, `l1` or `learned_weight`.
        **kwargs: Keyword arguments of `TrainingHead`.

    Call arguments:
        descriptors: Shape `(batch, descriptor_dim)`.
        decode: Whether to return places, else the outputs that stand for them.

    Output shape:
        `(batch, 4)`, float32: metres east and north of the middle of the map, sine
        and cosine of the heading, of unit length.

    Reference:
        Kendall and Cipolla, "Geometric Loss Functions for Camera Pose Regression with
        Deep Learning" (learned weights), arXiv:1704.00390.
    """

    target: ClassVar[str] = "place"
    outputs_per_place: ClassVar[int] = 4
    # Outputs of the order of 1 for descriptors of unit length: with smaller ones SiLU
    # is nearly linear, and a regression learns next to nothing.
    first_kernel_deviation: ClassVar[float | None] = 1.0

    def __init__(self, extent_m: float, loss_kind: str = "l2", **kwargs: Any) -> None:
        super().__init__(self.outputs_per_place, **kwargs)
        if not extent_m > 0:
            raise ValueError(
                "`extent_m` must be positive, the length of the map's sides. "
                f"Received: extent_m={extent_m}"
            )
        if loss_kind not in _LOSS_KINDS:
            raise ValueError(
                f"`loss_kind` must be one of {_LOSS_KINDS}. "
                f"Received: loss_kind={loss_kind!r}"
            )
        self.extent_m = float(extent_m)
        self.loss_kind = loss_kind

    def build_head(self, descriptor_dim: int) -> None:
        super().build_head(descriptor_dim)
        if self.loss_kind == "learned_weight":
            self.log_variances = self.add_float32_weight("log_variances", (2,), "zeros")

    def to_places(self, outputs: Any) -> Any:
        """Returns the places of outputs."""
        raise NotImplementedError

    def differences(self, outputs: Any, places: Any) -> Any:
        """Returns how far outputs are from right: two numbers, then the heading's."""
        raise NotImplementedError

    def squared_errors(self, outputs: Any, places: Any) -> tuple[Any, Any]:
        """Returns the squared errors of position and heading, each `(batch,)`."""
        return _summed(ops.square(self.differences(outputs, places)))

    def absolute_errors(self, outputs: Any, places: Any) -> tuple[Any, Any]:
        """Returns the absolute errors of position and heading, each `(batch,)`."""
        return _summed(ops.abs(self.differences(outputs, places)))

    def call(self, descriptors, decode=True):
        outputs = super().call(descriptors)
        return self.to_places(outputs) if decode else outputs

    def loss(self, descriptors, places):
        places = ops.cast(places, "float32")
        outputs = self(descriptors, decode=False)
        is_l1 = self.loss_kind == "l1"
        errors = self.absolute_errors if is_l1 else self.squared_errors
        position, heading = errors(outputs, places)
        known = ops.cast(ops.any(places[:, 2:] != 0, axis=1), "float32")
        if self.loss_kind != "learned_weight":
            return position + known * heading
        of_position, of_heading = self.log_variances[0], self.log_variances[1]
        heading = ops.exp(-of_heading) * heading + of_heading
        return ops.exp(-of_position) * position + of_position + known * heading

    def arrays(self) -> dict[str, np.ndarray]:
        """Adds `extent_m`, a scalar."""
        return super().arrays() | {"extent_m": np.asarray(self.extent_m, "float32")}

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 4)

    def get_config(self):
        config = super().get_config()
        config.update({"extent_m": self.extent_m, "loss_kind": self.loss_kind})
        return config


def _summed(errors: Any) -> tuple[Any, Any]:
    return ops.sum(errors[:, :2], axis=1), ops.sum(errors[:, 2:], axis=1)
