"""What is checked before a trainer is made: groups, batch, augmentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from vpr_tf.config import AugmentationConfig, ConfigError, TrainConfig
from vpr_tf.data.class_sampler import classes_with_photos
from vpr_tf.data.image_sources import EncodedSource
from vpr_tf.data.panoramas import FocalCrops
from vpr_tf.data.partition import Partition
from vpr_tf.data.prepared_dataset import SplitIndex
from vpr_tf.training.objectives import LossFunction, Objective

# Images to images, also a Keras layer.
Augment = Callable[..., Any]


def augmented(augment: Augment, images: tf.Tensor) -> tf.Tensor:
    """Returns a batch of images after a user's augmentation."""
    is_layer = isinstance(augment, keras.layers.Layer)
    changed = augment(images, training=True) if is_layer else augment(images)
    return tf.cast(tf.convert_to_tensor(changed), images.dtype)


def check_augment(augment: Augment, image_size: int) -> None:
    """Tries an augmentation on two grey images.

    Raises:
        ConfigError: It changes the shape.
    """
    images = tf.fill((2, image_size, image_size, 3), 0.5)
    shape = tuple(augmented(augment, images).shape)
    if shape != tuple(images.shape):
        raise ConfigError(
            "`augment` must keep the shape of a batch of images, "
            f"{tuple(images.shape)}. Received: {shape}"
        )


def check_groups(partition: Partition, groups_num: int) -> list[int]:
    """Returns the number of classes of each group that will be trained.

    Raises:
        ConfigError: There are fewer groups, or one has fewer than two classes.
    """
    together = partition.groups_per_step
    most = partition.num_groups // together
    if groups_num > most:
        of = "groups" if together == 1 else f"sets of {together} groups"
        raise ConfigError(
            f"`train.groups_num` must be between 1 and {most}, the "
            f"number of {of} of partition {partition.name!r}. Received: {groups_num}"
        )
    groups = range(groups_num * together)
    counts = [len(partition.classes_of_group(group)) for group in groups]
    for group_id, count in enumerate(counts):
        if count < 2:
            whole = group_id // together
            fewer = f"Set `train.groups_num` to {whole}, or make" * (whole > 0)
            raise ConfigError(
                f"Group {group_id} of partition {partition.name!r} has {count} "
                f"class(es); a group needs 2 or more. {fewer or 'Make'} a partition "
                "with more classes a group by `vpr data partition`: another `name` and "
                "a smaller `min_images_per_class`, `cell_size_m` or `cell_stride`."
            )
    return counts


def check_batch_size(batch_size: int, num_replicas: int) -> None:
    """Checks that every replica gets the same number of images.

    Raises:
        ConfigError: The batch cannot be split evenly.
    """
    if batch_size % num_replicas:
        raise ConfigError(
            "`train.batch_size` is global and must be a multiple of the number of "
            f"replicas, {num_replicas}. Received: {batch_size}"
        )


def check_chunks(config: TrainConfig, num_replicas: int) -> None:
    """Checks that every replica's images make whole chunks.

    Raises:
        ConfigError: They do not.
    """
    chunk = config.gradient_cache_chunk
    of_source = config.batch_size * config.views_per_photo
    counts = [of_source + config.target_photos_per_batch]
    # Without those of the target as long as none has a label.
    counts += [of_source] * (not config.reads_whole_target)
    for num_images in [count // num_replicas for count in counts]:
        if chunk is not None and num_images % chunk:
            raise ConfigError(
                "`train.gradient_cache_chunk` must divide the images of a replica, "
                f"{num_images}. Received: {chunk}"
            )


def check_photos_per_class(partition: Partition, config: TrainConfig) -> list[int]:
    """Returns how many classes of each trained group have too few photos.

    Raises:
        ConfigError: Those that have enough do not fill a batch.
    """
    photos_per_class = config.photos_per_class
    classes_per_batch = config.batch_size // photos_per_class
    left_out = []
    for group_id in range(config.groups_num * partition.groups_per_step):
        enough = len(classes_with_photos(partition, group_id, photos_per_class))
        left_out.append(len(partition.classes_of_group(group_id)) - enough)
        has_distinct = photos_per_class > 1 or config.sampling.name == "cliques"
        if has_distinct and enough < classes_per_batch:
            raise ConfigError(
                f"A batch of {config.batch_size} with `train.photos_per_class` "
                f"{photos_per_class} has {classes_per_batch} classes, and group "
                f"{group_id} of partition {partition.name!r} has {enough} with so many "
                "photos. Lower `train.batch_size` or `train.photos_per_class`."
            )
    return left_out


def check_panoramas(
    split: SplitIndex, partition: Partition, config: TrainConfig
) -> None:
    """Checks that panoramas are some, and are not described whole.

    Raises:
        DatasetError: A photo is no panorama.
        ConfigError: Whole panoramas would be described.
    """
    if not partition.cuts_panoramas:
        return
    for group_id in range(config.groups_num * partition.groups_per_step):
        FocalCrops(split, partition, group_id)
    reader = None
    if config.teacher is not None:
        reader = "`train.teacher`"
    elif config.input == "descriptors":
        reader = "`train.input: descriptors`"
    elif config.sampling.name == "cliques":
        reader = "`train.sampling.name: cliques`"
    elif config.pseudo_labels is not None:
        reader = "`train.objectives`: pseudo_labels"
    if reader is not None:
        raise ConfigError(
            f"{reader} describes the stored photos, and those of the partition "
            f"{partition.name!r} are panoramas, which are cut while training. Use a "
            "partition with `photos: crops`."
        )


def check_views(config: TrainConfig, augment: Augment | None) -> None:
    """Checks that two views of a photo differ.

    Raises:
        ConfigError: An objective needs two views, and nothing is drawn for them.
    """
    if config.views_per_photo == 1 or augment is not None:
        return
    if not draws(config.augmentation):
        names = [one.name for one in config.objective_configs if one.needs_two_views]
        raise ConfigError(
            f"`train.objectives` has {', '.join(names)}, over two views of a photo, "
            "and without augmentation these are equal. Set `train.augmentation`."
        )


def draws(config: AugmentationConfig) -> bool:
    """Whether an augmentation changes images."""
    jitter = (config.brightness, config.contrast, config.saturation, config.hue)
    return any(jitter) or bool(config.random_resized_crop or config.extra)


def check_target(
    config: TrainConfig, target: EncodedSource | None, num_replicas: int
) -> None:
    """Checks that there are photos of the domain to adapt to, for every replica.

    Raises:
        ConfigError: There are none, or they cannot be shared.
    """
    if target is None:
        return
    if not len(target):
        raise ConfigError(
            f"`train.target` must have photos. Received: {target.name}, of none"
        )
    num_photos = config.target_photos_per_batch
    if num_photos % num_replicas:
        raise ConfigError(
            "`train.target.photos_per_batch` must be a multiple of the number of "
            f"replicas, {num_replicas}. Received: {num_photos}"
        )


def check_has_objectives(
    config: TrainConfig, functions: Sequence[LossFunction] = ()
) -> None:
    """Checks that something is learnt of places.

    Raises:
        ConfigError: There is no objective, or none but those against a domain.
    """
    listed = config.objective_configs
    if listed and not functions and all(one.needs_target for one in listed):
        raise ConfigError(
            f"`train.objectives` has {listed[0].name} alone, by which descriptors lose "
            "what tells the domains and learn no places. Add {name: class_heads} or "
            "another objective."
        )
    if not listed and not functions:
        raise ConfigError(
            "`train.objectives` is empty. List one, such as {name: class_heads}, or "
            "pass functions of descriptors and labels as `objectives` from Python."
        )


def check_exchange(
    config: TrainConfig,
    strategy: tf.distribute.Strategy,
    objectives: Sequence[Objective],
) -> None:
    """Checks that replicas can give each other their descriptors.

    Raises:
        ConfigError: An objective needs it, and they cannot.
    """
    names = [one.name for one in objectives if one.needs_whole_batch]
    if strategy.num_replicas_in_sync == 1 or not names:
        return
    if config.jit_compile:
        raise ConfigError(
            "`train.jit_compile: true` cannot gather the descriptors of "
            f"{strategy.num_replicas_in_sync} replicas, which {', '.join(names)} needs."
            " Set it to false, or `train.strategy: one_device`."
        )
