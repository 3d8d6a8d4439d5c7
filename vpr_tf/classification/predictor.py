"""What answers a place to a descriptor."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from vpr_tf.classification.predictions import PlacePredictions


class PlacePredictor(Protocol):
    """Heads of any kind: classes or regressions."""

    @property
    def descriptor_dim(self) -> int:
        """Length of the descriptors."""

    def predict(self, descriptors: np.ndarray, n: int) -> PlacePredictions:
        """Returns the n best places of each query, fewer where there are fewer."""
