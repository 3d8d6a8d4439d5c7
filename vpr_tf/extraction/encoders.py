"""What evaluation needs of an encoder, and how it tells two apart."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Protocol

import numpy as np


class Encoder(Protocol):
    """A Keras model or a loaded SavedModel."""

    descriptor_dim: int

    def __call__(self, images: Any, training: bool = False) -> Any:
        """Maps `(batch, height, width, 3)` in [0, 1] to unit descriptors."""


def encoder_fingerprint(encoder: Any) -> str:
    """Returns a hash of the encoder's architecture and weights.

    Args:
        encoder: A Keras model, or an object with a `fingerprint` of its own.
    """
    own = getattr(encoder, "fingerprint", None)
    if own is not None:
        return str(own)
    config = encoder.get_config()
    # Precision is compared on its own; what trains and the name change no output.
    for key in ("dtype", "name", "train_from_stage", "bn_mode"):
        config.pop(key, None)
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for weight in encoder.get_weights():
        array = np.ascontiguousarray(weight)
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
