"""Products with a database on an accelerator, by TensorFlow."""

from __future__ import annotations

import sys

import numpy as np


def accelerator() -> str | None:
    """Returns the device to search on, if a program that uses TensorFlow sees one.

    TensorFlow is not imported for it: a program that did not import it has none.
    """
    tf = sys.modules.get("tensorflow")
    if tf is None or not tf.config.list_logical_devices("GPU"):
        return None
    return "/GPU:0"


def best_scores(
    device: str, queries: np.ndarray, rows: np.ndarray, halves: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of the largest products less half norms, largest first.

    Args:
        device: Where to compute.
        queries: Float32 `(num_queries, dim)`.
        rows: Float32 `(num_rows, dim)`.
        halves: Half of the rows' squared norms.
        count: Rows wanted of each query, at most `num_rows`.

    Returns:
        Scores, float32, and rows, int64, `(num_queries, count)`.
    """
    import tensorflow as tf

    precision = tf.config.experimental
    # TensorFloat-32 rounds more than exact search allows for.
    had_fast = precision.tensor_float_32_execution_enabled()
    precision.enable_tensor_float_32_execution(False)
    try:
        with tf.device(device):
            products = tf.linalg.matmul(queries, rows, transpose_b=True)
            best = tf.math.top_k(products - halves, count)
            return best.values.numpy(), best.indices.numpy().astype(np.int64)
    finally:
        precision.enable_tensor_float_32_execution(had_fast)
