"""What predicts cells from a descriptor."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from vpr_tf.localization import Candidates, CellSettings


class PlacePredictor(Protocol):
    """Heads of any kind: classes or regressions."""

    @property
    def descriptor_dim(self) -> int:
        """Length of the descriptors."""

    def predict(self, descriptors: np.ndarray, n: int) -> Candidates:
        """Returns the n best cells of each query, fewer where there are fewer."""

    def settings(self, num_predictions: int) -> CellSettings:
        """Returns what the features of so many cells depend on."""

    def to_stored(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Returns arrays by name, and JSON-ready values with the kind of the heads."""
