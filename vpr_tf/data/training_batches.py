"""Class-balanced, augmented batches of one group, without end.

The sample at a position is a pure function of (seed, group, position). Every pass over
a group visits each of its classes once, in an order of its own, and takes one image of
the class at random. Nothing is remembered between positions, so sampling starts at any
position, on any number of workers, with the same samples.

Reference: CosPlace, https://arxiv.org/abs/2204.02287
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from vpr_tf.config import TrainConfig
from vpr_tf.data.augmentation import Augmentation
from vpr_tf.data.partition import Partition
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.data.record_reading import RecordReader, pipeline_options

# Streams of random numbers drawn from one seed; each is independent of the others.
_NUM_STREAMS = 3
_SHUFFLE_ROUNDS = 16  # with 4, the default, orders are measurably uneven
_ENDLESS = 2**62
_VALUES_IN_MEMORY = 1 << 28  # float32: 1 GiB


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


def training_batches(
    split: SplitIndex,
    partition: Partition,
    group_id: int,
    config: TrainConfig,
    seed: int,
    *,
    start_position: int = 0,
    num_samples: int | None = None,
    num_input_pipelines: int = 1,
    input_pipeline_id: int = 0,
    num_replicas: int = 1,
    targets: np.ndarray | None = None,
    descriptors: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Returns the batches of one group from a position on.

    Global batch b holds the sampler's positions `start_position + b * batch_size` and
    following; each input pipeline takes its consecutive part of it, as one batch for
    each of its replicas. A sample, its augmentation included, depends on (seed,
    group_id, position) alone.

    Args:
        split: Record index of the train split.
        partition: Classes and groups.
        group_id: Group to sample from.
        config: `batch_size` (global), `image_size` and `augmentation`.
        seed: Seed of the run.
        start_position: First position; earlier ones cost nothing.
        num_samples: Positions to read, None for no end.
        num_input_pipelines: Worker processes that share the global batch.
        input_pipeline_id: This one of them.
        num_replicas: Replicas in all workers together.
        targets: What is learnt of each record of the split, one row a record; None
            for its class index.
        descriptors: Descriptors of the split's records, which are read instead of
            the images.

    Returns:
        Elements `(images, targets)`: float32 in [0, 1] of shape
        `(batch_size // num_replicas, image_size, image_size, 3)`, and int32 class
        indices or rows of `targets`; instead of images, descriptors where given.

    Raises:
        ValueError: The batch cannot be shared evenly, or `num_samples` is no
            multiple of it, or the group does not exist.
    """
    _check_shares(
        config.batch_size,
        num_samples,
        num_input_pipelines,
        input_pipeline_id,
        num_replicas,
    )
    sampler = ClassSampler(partition, group_id, seed)
    load = _image_loader(split, sampler, config)
    if descriptors is not None:
        load = _row_loader(descriptors, sampler)
    learnt = None if targets is None else tf.constant(targets[sampler.record_ids])
    share = config.batch_size // num_input_pipelines
    offset = start_position + input_pipeline_id * share

    def load_sample(index: tf.Tensor) -> tuple[Any, Any]:
        sample = sampler(offset + index // share * config.batch_size + index % share)
        target = sample.class_index if learnt is None else learnt[sample.row]
        return load(sample), target

    count = _ENDLESS if num_samples is None else num_samples // num_input_pipelines
    num_threads = os.cpu_count() or 1
    return (
        tf.data.Dataset.range(count)
        # More than the threads: images are made ahead while a batch is put together.
        .map(load_sample, num_parallel_calls=4 * num_threads)
        .batch(config.batch_size // num_replicas, drop_remainder=True)
        .prefetch(2)
        .with_options(pipeline_options(num_threads))
    )


def _image_loader(
    split: SplitIndex, sampler: ClassSampler, config: TrainConfig
) -> Callable[[Sample], tf.Tensor]:
    read = RecordReader(split, sampler.record_ids)
    augment = Augmentation(
        config.augmentation,
        config.image_size,
        _common_size(split, sampler.record_ids),
    )
    return lambda sample: augment(read(sample.row), sample.augmentation_seed)


def _row_loader(
    descriptors: np.ndarray, sampler: ClassSampler
) -> Callable[[Sample], tf.Tensor]:
    """Reads rows of an array, through Python when it may not fit in the memory."""
    num_images, dim = len(sampler.record_ids), descriptors.shape[1]
    if num_images * dim <= _VALUES_IN_MEMORY:
        rows = np.asarray(descriptors[sampler.record_ids], np.float32)
        in_memory = tf.constant(rows)
        return lambda sample: in_memory[sample.row]

    def read(row: np.ndarray) -> np.ndarray:
        return np.asarray(descriptors[sampler.record_ids[row]], np.float32)

    def load(sample: Sample) -> tf.Tensor:
        vector = tf.numpy_function(read, [sample.row], tf.float32, stateful=False)
        return tf.ensure_shape(vector, [dim])

    return load


def sampled_record_ids(
    partition: Partition,
    group_id: int,
    seed: int,
    start_position: int,
    num_samples: int,
) -> np.ndarray:
    """Returns the records that `training_batches` reads, in order."""
    sampler = ClassSampler(partition, group_id, seed)
    return sampler.record_ids_at(start_position, num_samples)


def _common_size(split: SplitIndex, record_ids: np.ndarray) -> tuple[int, int] | None:
    """Returns the size of all these images, None when they differ or are turned."""
    heights = split.column("height")[record_ids]
    widths = split.column("width")[record_ids]
    turned = (split.column("exif_orientation")[record_ids] > 1).any()
    if turned or np.ptp(heights) or np.ptp(widths):
        return None
    return int(heights[0]), int(widths[0])


def _check_shares(
    batch_size: int,
    num_samples: int | None,
    num_input_pipelines: int,
    input_pipeline_id: int,
    num_replicas: int,
) -> None:
    if batch_size % num_replicas:
        raise ValueError(
            "`train.batch_size` must be divisible by the number of replicas. "
            f"Received: batch_size={batch_size}, num_replicas={num_replicas}"
        )
    if num_replicas % num_input_pipelines:
        raise ValueError(
            "`num_replicas` must be divisible by `num_input_pipelines`. Received: "
            f"num_replicas={num_replicas}, num_input_pipelines={num_input_pipelines}"
        )
    if not 0 <= input_pipeline_id < num_input_pipelines:
        raise ValueError(
            "`input_pipeline_id` must be below `num_input_pipelines`. Received: "
            f"{input_pipeline_id} of {num_input_pipelines}"
        )
    if num_samples is not None and num_samples % batch_size:
        raise ValueError(
            "`num_samples` must be a multiple of the global batch size. Received: "
            f"num_samples={num_samples}, batch_size={batch_size}"
        )
