"""Heads that compute a place instead of choosing one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
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
from vpr_tf.classification.predictions import MISSING_PLACE, PlacePredictions
from vpr_tf.classification.saved_arrays import damaged, read_arrays, write_arrays
from vpr_tf.geo import MapFrame

KIND = "regression"
ENCODINGS = ("direct_regression", "hypersphere_regression")


@dataclass(frozen=True, eq=False)
class PlaceRegression:
    """A linear layer, perhaps behind hidden ones, whose outputs stand for a place.

    It gives one place a query; LR@N is the same for all N.

    Attributes:
        encoding: How outputs stand for places, one of `ENCODINGS`.
        kernel: Float32 `(dim, 4)`.
        bias: Float32 `(4,)`.
        hidden: Kernel and bias of each hidden layer.
        frame: The plane of the places.
        info: What is known of the training, JSON-ready.
    """

    encoding: str
    kernel: np.ndarray
    bias: np.ndarray
    hidden: Hidden
    frame: MapFrame
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise ClassificationError(
                f"A regression's encoding must be one of {', '.join(ENCODINGS)}. "
                f"Received: {self.encoding!r}"
            )

    @property
    def descriptor_dim(self) -> int:
        """Length of the descriptors."""
        return input_dim(self.kernel, self.hidden)

    def predict(self, descriptors: np.ndarray, n: int) -> PlacePredictions:
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
        rows = np.full((len(local), n), MISSING_PLACE, np.int64)
        rows[:, 0] = np.arange(len(local))
        heading_deg = np.degrees(np.arctan2(local[:, 2], local[:, 3])) % 360
        return PlacePredictions(
            self.frame.positions(local[:, :2]),
            rows,
            np.where(rows == MISSING_PLACE, -np.inf, 0.0).astype(np.float32),
            np.full(len(local), np.nan),
            heading_deg,
        )

    def _local(self, x: np.ndarray) -> np.ndarray:
        outputs = x @ self.kernel + self.bias
        if self.encoding == "direct_regression":
            outputs[:, :2] *= self.frame.extent_m / 2
            return outputs
        # Of a package that imports Keras.
        from vpr_tf.layers.hypersphere import hypersphere_to_place

        return np.asarray(hypersphere_to_place(outputs, self.frame.extent_m))


def save_regression(regression: PlaceRegression, folder: str | Path) -> None:
    """Writes the regression into an existing or new folder."""
    arrays = {"kernel": regression.kernel, "bias": regression.bias}
    content = {
        "kind": KIND,
        "encoding": regression.encoding,
        "frame": dataclasses.asdict(regression.frame),
        "info": regression.info,
    }
    write_arrays(Path(folder), arrays | hidden_arrays(regression.hidden), content)


def load_regression(folder: str | Path) -> PlaceRegression:
    """Reads what `save_regression` wrote.

    Raises:
        ClassificationError: A file is missing, damaged or of another kind.
    """
    folder = Path(folder)
    arrays, content = read_arrays(folder)
    try:
        return PlaceRegression(
            content["encoding"],
            arrays["kernel"],
            arrays["bias"],
            hidden_of_arrays(arrays),
            MapFrame(**content["frame"]),
            content["info"],
        )
    except (KeyError, TypeError) as error:
        raise damaged(folder, error) from error
