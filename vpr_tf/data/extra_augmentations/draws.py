"""Random numbers of one augmentation of one image."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow as tf

_SEQUENCE_STEP = 1 << 16


# One loop over the pixels each, of images whose shape is known.
compiled = functools.partial(tf.function, jit_compile=True, autograph=False)


def folded(seed: tf.Tensor, number: int) -> tf.Tensor:
    """Returns another seed for each number, int64 `(2,)`."""
    return tf.random.fold_in(seed, tf.constant(number, tf.int64), alg="philox")


class Draws:
    """Draws that depend on a seed and on their order alone.

    Args:
        seed: int64 `(2,)`.
    """

    def __init__(self, seed: tf.Tensor) -> None:
        self._seed, self._count = seed, 0

    def next_seed(self) -> tf.Tensor:
        """Returns a seed of its own for what is drawn next, int64 `(2,)`."""
        self._count += 1
        return folded(self._seed, self._count)

    def uniform(self, *shape: int, low: Any = 0.0, high: Any = 1.0) -> tf.Tensor:
        """Returns float32 numbers from `low` to `high`."""
        unit = tf.random.stateless_uniform(shape, self.next_seed(), alg="philox")
        return low + unit * (high - low)

    def index(self, count: int) -> tf.Tensor:
        """Returns a scalar int32 below `count`."""
        drawn = tf.cast(self.uniform(high=float(count)), tf.int32)
        return tf.minimum(drawn, count - 1)

    def noise(self, shape: tuple[int, int, int], *, normal: bool) -> tf.Tensor:
        """Returns noise of an image: a random piece of a long sequence, which is fast.

        Args:
            shape: Of the image.
            normal: Of mean 0 and deviation 1; else uniform from 0 to 1.
        """
        size = int(np.prod(shape))
        sequence = tf.constant(_sequence(size + _SEQUENCE_STEP, normal))
        first = self.index(_SEQUENCE_STEP)
        return tf.reshape(tf.slice(sequence, [first], [size]), shape)


@functools.lru_cache(maxsize=4)
def _sequence(size: int, normal: bool) -> np.ndarray:
    rng = np.random.default_rng(61)
    if normal:
        return rng.standard_normal(size, np.float32)
    return rng.random(size, np.float32)
