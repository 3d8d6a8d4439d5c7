"""Class-balanced sampling as a pure function of (seed, group, position).

Every pass over a group visits each of its classes once, in an order of its own, and
takes one image of the class at random. Nothing is remembered between positions, so
sampling starts at any position, on any number of workers, with the same samples.

Reference: CosPlace, https://arxiv.org/abs/2204.02287
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from vpr_tf.data.prepared_dataset import Partition

# Streams of random numbers drawn from one seed; each is independent of the others.
_NUM_STREAMS = 3
_SHUFFLE_ROUNDS = 16  # with 4, the default, orders are measurably uneven


class Sample(NamedTuple):
    """What is trained on at one position; scalar tensors but for the seed.

    Attributes:
        class_index: Class inside the group, int32.
        row: Position of the image among the group's images, int64; see
            `ClassSampler.record_ids`.
        augmentation_seed: int64 `(2,)`, for the stateless operations of this sample.
    """

    class_index: Any
    row: Any
    augmentation_seed: Any


class ClassSampler:
    """Maps positions to samples of one group.

    Args:
        partition: Classes and groups over the train split.
        group_id: The group, below `partition.num_groups`.
        seed: Seed of the run.

    Attributes:
        record_ids: Images of the group in class order; `Sample.row` counts in it.

    Raises:
        ValueError: The partition has no such group.
    """

    def __init__(self, partition: Partition, group_id: int, seed: int) -> None:
        if not 0 <= group_id < partition.num_groups:
            raise ValueError(
                f"`group_id` must be below the {partition.num_groups} groups of "
                f"partition {partition.name!r}. Received: group_id={group_id}. "
                "Lower `train.groups_num`."
            )
        classes = partition.classes_of_group(group_id)
        offsets = np.asarray(
            partition.class_offsets[classes.start : classes.stop + 1], np.int64
        )
        self.num_classes = len(classes)
        self.record_ids = np.asarray(partition.record_ids[offsets[0] : offsets[-1]])
        self._offsets = tf.constant(offsets - offsets[0])
        keys = tf.random.stateless_uniform(
            [_NUM_STREAMS],
            tf.constant([seed, group_id], tf.int64),
            minval=None,
            maxval=None,
            dtype=tf.int64,
            alg="philox",
        )
        self._order_key, self._image_key, self._augmentation_key = keys.numpy()

    def __call__(self, position: tf.Tensor) -> Sample:
        """Returns the sample at a scalar int64 position; runs inside a graph."""
        class_index = shuffled_class(self._order_key, position, self.num_classes)
        first = self._offsets[class_index]
        image = tf.random.stateless_uniform(
            [],
            tf.stack([self._image_key, position]),
            maxval=self._offsets[class_index + 1] - first,
            dtype=tf.int64,
            alg="philox",
        )
        return Sample(
            tf.cast(class_index, tf.int32),
            first + image,
            tf.stack([self._augmentation_key, position]),
        )

    def record_ids_at(self, first_position: int, count: int) -> np.ndarray:
        """Returns the records that `count` consecutive positions read."""
        positions = tf.data.Dataset.range(first_position, first_position + count)
        rows = positions.map(lambda position: self(position).row)
        return self.record_ids[np.fromiter(rows.as_numpy_iterator(), np.int64, count)]


def shuffled_class(key: int, position: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Returns the class at a position of an endless series of shuffled passes.

    Args:
        key: int64; another key gives other orders.
        position: Scalar int64, 0 or more.
        num_classes: Classes in a pass, 1 or more.

    Returns:
        Scalar int64 below `num_classes`.
    """
    pass_seed = tf.random.stateless_uniform(
        [3],
        tf.stack([key, position // num_classes]),
        minval=None,
        maxval=None,
        dtype=tf.uint32,
        alg="philox",
    )
    # The public `index_shuffle` mixes its seed too little: of passes that differ by a
    # counter only, 256 orders are ever seen.
    return tf.raw_ops.RandomIndexShuffle(
        index=position % num_classes,
        seed=pass_seed,
        max_index=tf.constant(num_classes - 1, tf.int64),
        rounds=_SHUFFLE_ROUNDS,
    )
