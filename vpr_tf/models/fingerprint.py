"""What tells two encoders apart."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

# Preprocessing is compared on its own; the others change no output.
_OF_NO_EFFECT = (
    *("dtype", "name", "train_from_stage", "bn_mode"),
    *("preprocessing", "adapted_to"),
)


def encoder_fingerprint(encoder: Any) -> str:
    """Returns a hash of the encoder's architecture and weights.

    Args:
        encoder: A Keras model, or an object with a `fingerprint` of its own.
    """
    own = getattr(encoder, "fingerprint", None)
    if own is not None:
        return str(own)
    try:
        config = encoder.get_config()
    except NotImplementedError:  # a model that is written as a class
        config = {"class": f"{type(encoder).__module__}.{type(encoder).__qualname__}"}
    for key in _OF_NO_EFFECT:
        config.pop(key, None)
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for weight in encoder.get_weights():
        array = np.ascontiguousarray(weight)
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
