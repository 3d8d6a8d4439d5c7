"""Class-balanced, augmented batches of one group, without end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from typing import Any

import numpy as np
import tensorflow as tf

from vpr_tf.config import TrainConfig
from vpr_tf.data.augmentation import Augmentation
from vpr_tf.data.class_sampler import (
    ClassSampler,
    Sample,
    sampled_record_ids,
    sampler_of,
)
from vpr_tf.data.extra_augmentations.draws import folded
from vpr_tf.data.image_sources import EncodedSource
from vpr_tf.data.panoramas import FocalCrops
from vpr_tf.data.partition import Partition
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.data.record_reading import (
    RecordReader,
    damaged_records_named,
    pipeline_options,
)
from vpr_tf.data.target_photos import (
    TargetLabels,
    TargetPhotos,
    damaged_photos_named,
    draw_whole_photos,
)

_ENDLESS = 2**62
_NOISE_STREAM = 1 << 20  # beyond those of the augmentations of the same seed
_VALUES_IN_MEMORY = 1 << 28  # float32: 1 GiB


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
    cliques: np.ndarray | None = None,
    teacher: np.ndarray | None = None,
    target: EncodedSource | None = None,
    target_labels: TargetLabels | None = None,
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
        config: `batch_size` (global), `photos_per_class`, `image_size`,
            `augmentation` and the views that its objectives need.
        seed: Seed of the run.
        start_position: First position; earlier ones cost nothing.
        num_samples: Positions to read, None for no end.
        num_input_pipelines: Worker processes that share the global batch.
        input_pipeline_id: This one of them.
        num_replicas: Replicas in all workers together.
        targets: Place of each record of the split, one row a record; None where
            only its class is learnt. `config.position_noise_m` moves it at each
            position.
        descriptors: Descriptors of the split's records, which are read instead of
            the images.
        cliques: Those of the group, where classes are sampled by them; see
            `ClassSampler`.
        teacher: What a teacher says of the split's records, one row a record; None
            without one.
        target: With `config.target`, its photos.
        target_labels: Its photos that count as of the group's classes; None where
            none does as yet.

    Returns:
        Elements `(images, targets)`: float32 in [0, 1] of shape
        `(num_images, image_size, image_size, 3)`, and by `TrainingHead.target` what
        is learnt: int32 class indices, and rows of `targets` (`place`) and of
        `teacher` where given; instead of images, descriptors where given. There are
        `batch_size // num_replicas` images, or twice as many, the views of a photo
        side by side. Where an objective learns from the target, photos of it stand
        behind these, and `is_target` says so of each image. Where some of them have
        labels, these are `target_class_index`, -1 for those that have none, and
        `target_place`.

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
    sampler = sampler_of(partition, group_id, seed, config, cliques)
    crops = FocalCrops(split, partition, group_id) if partition.cuts_panoramas else None
    load = _image_loader(split, sampler, config, target, crops)
    if descriptors is not None:
        load = _row_loader(descriptors, sampler)
    load_teacher = None if teacher is None else _row_loader(teacher, sampler)
    learnt = None if targets is None else tf.constant(targets[sampler.record_ids])
    position = _positions(
        start_position, config.batch_size, num_input_pipelines, input_pipeline_id
    )

    def load_sample(index: tf.Tensor) -> tuple[Any, dict[str, Any]]:
        sample = sampler(position(index))
        learned = {"class_index": sample.class_index}
        if learnt is not None:
            learned["place"] = learnt[sample.row]
            if config.position_noise_m:
                learned["place"] += _place_noise(sample, config.position_noise_m)
        if load_teacher is not None:
            learned["teacher"] = load_teacher(sample)
        return load(sample), learned

    count = _ENDLESS if num_samples is None else num_samples // num_input_pipelines
    num_threads = os.cpu_count() or 1
    batches = (
        tf.data.Dataset.range(count)
        # More than the threads: images are made ahead while a batch is put together.
        .map(load_sample, num_parallel_calls=4 * num_threads)
        .batch(config.batch_size // num_replicas, drop_remainder=True)
    )
    if config.views_per_photo > 1:
        batches = batches.map(_views_side_by_side)
    num_targets = config.target_photos_per_batch
    are_read = config.reads_whole_target or (
        target_labels is not None and len(target_labels.rows)
    )
    if target is not None and num_targets and are_read:
        photos = TargetPhotos(
            *(target, config.augmentation, config.image_size, seed, group_id),
            target_labels,
            all_photos=config.reads_whole_target,
        )
        at = _positions(
            start_position // config.batch_size * num_targets,
            *(num_targets, num_input_pipelines, input_pipeline_id),
        )
        of_target = (
            tf.data.Dataset.range(_ENDLESS)
            .map(lambda index: photos(at(index)), num_parallel_calls=4 * num_threads)
            .batch(num_targets // num_replicas, drop_remainder=True)
        )
        batches = tf.data.Dataset.zip(batches, of_target).map(with_target)
    return batches.prefetch(2).with_options(pipeline_options(num_threads))


def _positions(
    start: int, batch_size: int, num_pipelines: int, pipeline_id: int
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns which position an input pipeline takes as its index-th."""
    share = batch_size // num_pipelines
    first = start + pipeline_id * share
    return lambda index: first + index // share * batch_size + index % share


def with_target(
    of_source: tuple[tf.Tensor, dict[str, tf.Tensor]],
    of_target: tuple[tf.Tensor, dict[str, tf.Tensor]],
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Puts photos of the target, and what is said of them, behind a batch."""
    (images, targets), (photos, labels) = of_source, of_target
    is_target = tf.concat([tf.zeros(len(images)), tf.ones(len(photos))], axis=0)
    said = {f"target_{name}": values for name, values in labels.items()}
    targets = {**targets, "is_target": is_target, **said}
    return tf.concat([images, photos], axis=0), targets


def _views_side_by_side(
    images: tf.Tensor, targets: dict[str, tf.Tensor]
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Makes a batch of photos with several views one of images."""
    num_photos, num_views, *shape = images.shape
    images = tf.reshape(images, (num_photos * num_views, *shape))
    return images, {n: tf.repeat(t, num_views, axis=0) for n, t in targets.items()}


def _image_loader(
    split: SplitIndex,
    sampler: ClassSampler,
    config: TrainConfig,
    target: EncodedSource | None,
    crops: FocalCrops | None = None,
) -> Callable[[Sample], tf.Tensor]:
    read = RecordReader(split, sampler.record_ids)
    augment = Augmentation(
        config.augmentation,
        config.image_size,
        _common_size(split, sampler.record_ids),
        draw_whole_photos(target, config.image_size) if target else None,
    )
    num_views = config.views_per_photo

    def load(sample: Sample) -> tf.Tensor:
        record, seed = read(sample.row), sample.augmentation_seed
        image: Any = record
        augmented: Callable[[Any, tf.Tensor], tf.Tensor] = augment
        if crops is not None:
            image, augmented = crops(record, sample.row), augment.of_pixels
        if num_views == 1:
            return augmented(image, seed)
        others = [tf.bitwise.bitwise_xor(seed, [view, 0]) for view in range(num_views)]
        return tf.stack([augmented(image, other) for other in others])

    return load


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


def _place_noise(sample: Sample, deviation_m: float) -> tf.Tensor:
    """Returns what is added to the place of a sample: to east and north alone."""
    seed = folded(sample.augmentation_seed, _NOISE_STREAM)
    drawn = tf.random.stateless_normal([2], seed, stddev=deviation_m, alg="philox")
    return tf.pad(drawn, [[0, 2]])


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


@contextlib.contextmanager
def damaged_samples_named(
    split: SplitIndex,
    partition: Partition,
    group_ids: Iterable[int],
    config: TrainConfig,
    seed: int,
    position: int,
    target: EncodedSource | None = None,
    cliques: Iterable[np.ndarray | None] = (),
) -> Iterator[None]:
    """Around taking a batch: turns the errors of its records into clear ones.

    Args:
        split: See `training_batches`.
        partition: Likewise.
        group_ids: The groups whose batches are taken.
        config: See `training_batches`.
        seed: Likewise.
        position: Where the batch starts.
        target: See `training_batches`.
        cliques: Of each of the groups; none where classes are not sampled by them.

    Raises:
        DatasetError: One of the records, or a photo of the target, is damaged.
    """
    sampled = (config, seed, position, config.batch_size)
    with contextlib.ExitStack() as stack:
        if target is not None:
            # Looked at last, since that takes all of them.
            stack.enter_context(damaged_photos_named(target))
        with damaged_records_named(
            split,
            lambda: np.concatenate(
                [
                    sampled_record_ids(partition, one, *sampled, of_group)
                    for one, of_group in zip_longest(group_ids, cliques)
                ]
            ),
        ):
            yield
