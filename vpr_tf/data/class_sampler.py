"""Which photos a batch holds, by position.

The sample at a position is a pure function of (seed, group, position). Every pass over
a group visits each of its classes once, in an order of its own, and takes one image of
the class at random, or K different ones one after the other. Nothing is remembered
between positions, so sampling starts at any position, on any number of workers, with
the same samples.

Reference: CosPlace, https://arxiv.org/abs/2204.02287
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from vpr_tf.config import TrainConfig
from vpr_tf.data.partition import Partition

# Streams of random numbers drawn from one seed; each is independent of the others.
_NUM_STREAMS = 3
_SHUFFLE_ROUNDS = 16  # with 4, the default, orders are measurably uneven


class Sample(NamedTuple):
    """What is trained on at one position; scalar tensors but for the seed.

    Attributes:
        class_index: Class inside the group, int32.
        row: Position of the image among the group's images, int64; see
            `ClassSampler.record_ids`.
        augmentation_seed: int64 `(2,)`, for the stateless operations of this sample;
            of the first view, where it has two.
    """

    class_index: Any
    row: Any
    augmentation_seed: Any


class ClassSampler:
    """Maps positions to samples of one group.

    With K photos of a class, positions K * i and following are different photos of one
    class. A batch then holds distinct classes: a pass visits as many as fill whole
    batches, and leaves out another few each time. Classes with fewer than K photos are
    in no batch. With cliques, which are classes that come one after the other, so does
    a pass over these.

    Args:
        partition: Classes and groups over the train split.
        group_id: The group, below `partition.num_groups`.
        seed: Seed of the run.
        photos_per_class: K, see above.
        classes_per_batch: Classes in a batch; of no effect when K is 1 and there are
            no cliques.
        cliques: Indices of the classes of each clique, `(num_cliques, clique_size)`;
            classes in none are in no batch. None where every class stands alone.

    Attributes:
        record_ids: Images of the group in class order; `Sample.row` counts in it.

    Raises:
        ValueError: The partition has no such group, or too few classes have K photos.
    """

    def __init__(
        self,
        partition: Partition,
        group_id: int,
        seed: int,
        photos_per_class: int = 1,
        classes_per_batch: int = 1,
        cliques: np.ndarray | None = None,
    ) -> None:
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
        self._photos_per_class = photos_per_class
        sampled = classes_with_photos(partition, group_id, photos_per_class)
        together = sampled[:, None] if cliques is None else np.asarray(cliques)
        self._num_together = together.shape[1]
        self._pass_length = len(together)
        if photos_per_class > 1 or cliques is not None:
            self._pass_length -= len(together) % (
                classes_per_batch // self._num_together
            )
        if not self._pass_length:
            raise ValueError(
                f"A batch has {classes_per_batch} classes of {photos_per_class} "
                f"photos, and group {group_id} of partition {partition.name!r} has "
                f"{len(sampled)} with so many."
            )
        self._together = tf.constant(together, tf.int64)
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
        visit = position // self._photos_per_class
        drawn = shuffled_class(
            self._order_key,
            visit // self._num_together,
            len(self._together),
            self._pass_length,
        )
        class_index = self._together[drawn, visit % self._num_together]
        first = self._offsets[class_index]
        image = self._image(position, self._offsets[class_index + 1] - first)
        return Sample(
            tf.cast(class_index, tf.int32),
            first + image,
            tf.stack([self._augmentation_key, position]),
        )

    def _image(self, position: tf.Tensor, num_images: tf.Tensor) -> tf.Tensor:
        """Returns which of the images of its class a position takes."""
        if self._photos_per_class > 1:
            visit = position // self._photos_per_class
            number = position % self._photos_per_class
            return _shuffled([self._image_key, visit], number, num_images)
        return tf.random.stateless_uniform(
            [],
            tf.stack([self._image_key, position]),
            maxval=num_images,
            dtype=tf.int64,
            alg="philox",
        )

    def record_ids_at(self, first_position: int, count: int) -> np.ndarray:
        """Returns the records that `count` consecutive positions read."""
        positions = tf.data.Dataset.range(first_position, first_position + count)
        rows = positions.map(lambda position: self(position).row)
        return self.record_ids[np.fromiter(rows.as_numpy_iterator(), np.int64, count)]


def classes_with_photos(
    partition: Partition, group_id: int, photos_per_class: int
) -> np.ndarray:
    """Returns the classes of a group that have so many photos or more.

    Returns:
        Indices in the group, int64, ascending.
    """
    classes = partition.classes_of_group(group_id)
    offsets = partition.class_offsets[classes.start : classes.stop + 1]
    counts = np.diff(np.asarray(offsets, np.int64))
    return np.flatnonzero(counts >= photos_per_class).astype(np.int64)


def shuffled_class(
    key: int, position: tf.Tensor, num_classes: int, pass_length: int | None = None
) -> tf.Tensor:
    """Returns the class at a position of an endless series of shuffled passes.

    Args:
        key: int64; another key gives other orders.
        position: Scalar int64, 0 or more.
        num_classes: Classes in a group, 1 or more.
        pass_length: Classes in a pass; None for all.

    Returns:
        Scalar int64 below `num_classes`.
    """
    pass_length = pass_length or num_classes
    number = position // pass_length
    return _shuffled([key, number], position % pass_length, num_classes)


def _shuffled(seed: list[Any], index: tf.Tensor, count: Any) -> tf.Tensor:
    """Returns what stands at an index of 0 to count - 1 in a random order."""
    order_seed = tf.random.stateless_uniform(
        [3], tf.stack(seed), minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    # The public `index_shuffle` mixes its seed too little: of passes that differ by a
    # counter only, 256 orders are ever seen.
    return tf.raw_ops.RandomIndexShuffle(
        index=index,
        seed=order_seed,
        max_index=tf.cast(count, tf.int64) - 1,
        rounds=_SHUFFLE_ROUNDS,
    )


def sampler_of(
    partition: Partition,
    group_id: int,
    seed: int,
    config: TrainConfig,
    cliques: np.ndarray | None = None,
) -> ClassSampler:
    """Returns what draws the samples of a group."""
    photos_per_class = config.photos_per_class
    classes_per_batch = config.batch_size // photos_per_class
    return ClassSampler(
        partition, group_id, seed, photos_per_class, classes_per_batch, cliques
    )


def sampled_record_ids(
    partition: Partition,
    group_id: int,
    config: TrainConfig,
    seed: int,
    start_position: int,
    num_samples: int,
    cliques: np.ndarray | None = None,
) -> np.ndarray:
    """Returns the records that `training_batches` reads, in order."""
    sampler = sampler_of(partition, group_id, seed, config, cliques)
    return sampler.record_ids_at(start_position, num_samples)
