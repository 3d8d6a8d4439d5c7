"""Weights and images for official networks, from a seed: those of the shared folder.

The same rules as `golden/reference_weights.py` there, for networks without statistics
of batch norms; `test_make.py` compares the two.
"""

import zlib

import numpy as np


def stand_in_array(name: str, shape: list[int]) -> np.ndarray:
    """Returns the value of one entry of a state dict, by its name and shape."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    noise = rng.standard_normal(shape).astype(np.float32)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_var"):
        return 1.0 + 0.1 * np.abs(noise)
    if name.endswith(("running_mean", "bias")):
        return 0.3 * noise
    if name == "aggregation.1.p":
        return np.full(shape, 3.0, np.float32)
    if len(shape) >= 2:
        return noise * np.float32(np.sqrt(2.0 / np.prod(shape[1:])))
    return 1.0 + 0.1 * noise


def stand_in_state_dict(shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """Returns a state dict of these names and shapes."""
    return {name: stand_in_array(name, shape) for name, shape in shapes.items()}


def stand_in_images(height: int, width: int) -> np.ndarray:
    """Returns two images, uint8 of shape `(2, height, width, 3)`; sides of n * 16."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (2, height // 16, width // 16, 3))
    image = np.kron(coarse, np.ones((1, 16, 16, 1)))
    image += rng.normal(0.0, 12.0, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)
