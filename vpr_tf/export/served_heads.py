"""One head of a classifier, in a graph."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from vpr_tf.classification import GroupHead
from vpr_tf.classification.group_head import COSINE

_SMALLEST_NORM = 1e-12


class ServedHead(tf.Module):
    """Scores the classes of a group as `GroupHead.scores` does.

    The arrays are variables: those of a large map would not fit into a graph.

    Args:
        head: The head.
        score: `raw`, `cosine` or `softmax`.
    """

    def __init__(self, head: GroupHead, score: str) -> None:
        super().__init__(name="served_head")
        self._hidden = [
            (fixed(kernel), fixed(np.asarray(bias))) for kernel, bias in head.hidden
        ]
        self._of_mixture = head.density is not None
        self._cosine = not self._of_mixture and (
            score == "cosine" or (score == "softmax" and head.kind == COSINE)
        )
        self._softmax = self._of_mixture or score == "softmax"
        self._scale = float(head.scale) if self._cosine and self._softmax else 1.0
        self._kernel = fixed(head.unit_kernel if self._cosine else head.kernel)
        self._bias = None
        if head.bias is not None and not self._cosine:
            self._bias = fixed(head.bias)
        self._density = None if head.density is None else fixed(head.density)

    def scores(self, descriptors: tf.Tensor) -> tf.Tensor:
        """Returns the score of every class, float32 `(batch, num_classes)`."""
        x = descriptors
        for kernel, bias in self._hidden:
            x = tf.nn.silu(tf.matmul(x, kernel) + bias)
        if self._cosine:
            x /= tf.maximum(tf.norm(x, axis=1, keepdims=True), _SMALLEST_NORM)
        scores = tf.matmul(x, self._kernel)
        if self._bias is not None:
            scores += self._bias
        if self._softmax:
            scores = tf.nn.softmax(self._scale * scores)
        if self._density is not None:
            scores = tf.matmul(scores, self._density)
        return scores


def fixed(values: np.ndarray) -> tf.Variable:
    """Returns an array as a variable that is not trained."""
    return tf.Variable(np.ascontiguousarray(values), trainable=False)
