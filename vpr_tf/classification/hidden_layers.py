"""Hidden layers in front of a head, as arrays."""

from __future__ import annotations

import numpy as np

from vpr_tf.classification.stored_arrays import StoredArrays

Hidden = tuple[tuple[np.ndarray, np.ndarray], ...]
_LARGEST_EXPONENT = 80.0  # of float32 it is 88


def embedded(descriptors: np.ndarray, hidden: Hidden) -> np.ndarray:
    """Applies kernel, bias and SiLU of each layer; float32 `(num_queries, dim)`."""
    for kernel, bias in hidden:
        x = descriptors @ kernel + bias
        exponent = np.clip(-x, -_LARGEST_EXPONENT, _LARGEST_EXPONENT)
        descriptors = x / (1 + np.exp(exponent))
    return np.asarray(descriptors, np.float32)


def input_dim(kernel: np.ndarray, hidden: Hidden) -> int:
    """Returns the length of the descriptors of a layer behind hidden ones."""
    return int((hidden[0][0] if hidden else kernel).shape[0])


def hidden_arrays(hidden: Hidden) -> dict[str, np.ndarray]:
    """Names the arrays of the layers: `hidden_0_kernel`, `hidden_0_bias`, ..."""
    arrays: dict[str, np.ndarray] = {}
    for layer, (kernel, bias) in enumerate(hidden):
        arrays |= {f"hidden_{layer}_kernel": kernel, f"hidden_{layer}_bias": bias}
    return arrays


def hidden_of_arrays(arrays: dict[str, np.ndarray]) -> Hidden:
    """Takes the layers out of arrays that may hold others too.

    Raises:
        ClassificationError: They do not fit one on the other.
    """
    stored = StoredArrays(arrays)
    layers: list[tuple[np.ndarray, np.ndarray]] = []
    width = None
    while f"hidden_{len(layers)}_kernel" in arrays:
        name = f"hidden_{len(layers)}"
        kernel = stored.take(f"{name}_kernel", "f", (width, None))
        width = kernel.shape[1]
        layers.append((kernel, stored.take(f"{name}_bias", "f", (width,))))
    return tuple(layers)
