"""Heads that compute a place instead of choosing one."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vpr_tf.classification.errors import ClassificationError
from vpr_tf.classification.hidden_layers import (
    Hidden,
    embedded,
    hidden_arrays,
    hidden_of_arrays,
    input_dim,
)
from vpr_tf.classification.stored_arrays import StoredArrays
from vpr_tf.geo import MapFrame
from vpr_tf.localization import Candidates, CellSettings
from vpr_tf.search import MISSING_ID
from vpr_tf.stored_values import from_stored

# And the number of outputs of each.
ENCODINGS = {"direct_regression": 4, "unit_regression": 3, "hypersphere_regression": 4}
_ANGLES_DEG = (-45.0, 45.0)  # of heads that were stored without theirs


@dataclass(frozen=True)
class _Stored:
    """What is stored besides the arrays."""

    encoding: str
    frame: MapFrame
    info: dict[str, Any]
    angles_deg: tuple[float, ...] = _ANGLES_DEG


@dataclass(frozen=True, eq=False)
class PlaceRegression:
    """A linear layer, perhaps behind hidden ones, whose outputs stand for a place.

    It gives one place a query; LR@N is the same for all N.

    Attributes:
        encoding: How outputs stand for places, one of `ENCODINGS`.
        kernel: Float32 `(dim, num_outputs)`.
        bias: Float32 `(num_outputs,)`.
        hidden: Kernel and bias of each hidden layer.
        frame: The plane of the places.
        info: What is known of the training, JSON-ready.
        angles_deg: Of the map's edges on the hypersphere; see `place_to_hypersphere`.
    """

    encoding: str
    kernel: np.ndarray
    bias: np.ndarray
    hidden: Hidden
    frame: MapFrame
    info: dict[str, Any] = field(default_factory=dict)
    angles_deg: tuple[float, float] = _ANGLES_DEG

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise ClassificationError(
                f"A regression's encoding must be one of {', '.join(ENCODINGS)}. "
                f"Received: {self.encoding!r}"
            )
        angles = self.angles_deg
        if not (len(angles) == 2 and -90 < angles[0] < angles[1] < 90):
            raise ClassificationError(
                "Angles of a hypersphere must be two between -90 and 90, ascending. "
                f"Received: {angles}"
            )

    @property
    def descriptor_dim(self) -> int:
        """Length of the descriptors."""
        return input_dim(self.kernel, self.hidden)

    def predict(self, descriptors: np.ndarray, n: int) -> Candidates:
        """Returns the place of each query in the first of n columns.

        Raises:
            ClassificationError: The descriptors have another length.
        """
        if descriptors.ndim != 2 or descriptors.shape[1] != self.descriptor_dim:
            raise ClassificationError(
                "`descriptors` must have the shape (num_queries, "
                f"{self.descriptor_dim}). Received: {descriptors.shape}"
            )
        local = self._local(embedded(descriptors, self.hidden))
        rows = np.full((len(local), n), MISSING_ID, np.int64)
        rows[:, 0] = np.arange(len(local))
        places = self.frame.positions(local[:, :2])
        return Candidates.from_cells(
            places,
            rows,
            np.where(rows == MISSING_ID, -np.inf, 0.0).astype(np.float32),
            heading_deg=np.degrees(np.arctan2(local[:, 2], local[:, 3])) % 360,
        )

    def settings(self, num_predictions: int) -> CellSettings:
        """See `PlacePredictor.settings`."""
        return CellSettings("", num_predictions, log_scores=False)

    def to_stored(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """See `PlacePredictor.to_stored`."""
        arrays = {"kernel": self.kernel, "bias": self.bias}
        content = {
            "kind": "regression",
            "encoding": self.encoding,
            "frame": dataclasses.asdict(self.frame),
            "info": self.info,
            "angles_deg": list(self.angles_deg),
        }
        return arrays | hidden_arrays(self.hidden), content

    @classmethod
    def from_stored(
        cls, arrays: dict[str, np.ndarray], content: dict[str, Any]
    ) -> PlaceRegression:
        """Makes what `to_stored` described.

        Raises:
            ClassificationError: Arrays are missing, damaged or contradict each other.
            StoredValueError: A field is missing or of another type.
        """
        stored = from_stored(_Stored, content, more=True)
        hidden, found = hidden_of_arrays(arrays), StoredArrays(arrays)
        inputs = len(hidden[-1][1]) if hidden else None
        # Of an encoding that there is not, any: it is refused below.
        outputs = ENCODINGS.get(stored.encoding)
        kernel = found.take("kernel", "f", (inputs, outputs))
        bias = found.take("bias", "f", (outputs,))
        return cls(
            stored.encoding,
            kernel,
            bias,
            hidden,
            stored.frame,
            stored.info,
            typing.cast(tuple[float, float], stored.angles_deg),
        )

    def _local(self, x: np.ndarray) -> np.ndarray:
        outputs = x @ self.kernel + self.bias
        if self.encoding == "direct_regression":
            outputs[:, :2] *= self.frame.extent_m / 2
            return outputs
        if self.encoding == "unit_regression":
            shares = (1 + np.tanh(outputs / 2)) / 2  # the sigmoid, without overflow
            heading = 2 * np.pi * shares[:, 2]
            positions = (shares[:, :2] - 0.5) * self.frame.extent_m
            return np.column_stack([positions, np.sin(heading), np.cos(heading)])
        # Of a package that imports Keras.
        from vpr_tf.layers import hypersphere_to_place

        extent_m = self.frame.extent_m
        return np.asarray(hypersphere_to_place(outputs, extent_m, np, self.angles_deg))
