"""Photos of the domain to which an encoder is adapted, drawn without their labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from vpr_tf.config import AugmentationConfig, ConfigError, TargetConfig
from vpr_tf.data.augmentation import Augmentation
from vpr_tf.data.class_sampler import shuffled_class
from vpr_tf.data.prepared_dataset import DatasetError, PreparedDataset, SplitIndex
from vpr_tf.data.record_reading import RecordReader


class TargetPhotos:
    """Maps positions to augmented photos of a split; every pass visits each once.

    Crop and colour jitter are those of training; `extra` is left out.

    Args:
        split: The split.
        augmentation: Of training.
        image_size: Height and width of the images.
        seed: Seed of the run.
        group_id: The group that trains; another one sees them in another order.
    """

    def __init__(
        self,
        split: SplitIndex,
        augmentation: AugmentationConfig,
        image_size: int,
        seed: int,
        group_id: int,
    ) -> None:
        self._num_photos = len(split)
        self._read = RecordReader(split, np.arange(len(split)))
        self._augment = Augmentation(
            dataclasses.replace(augmentation, extra=[]), image_size
        )
        keys = tf.random.stateless_uniform(
            [2],
            # Of samples the second number is the group, which is never negative.
            tf.constant([seed, -1 - group_id], tf.int64),
            minval=None,
            maxval=None,
            dtype=tf.int64,
            alg="philox",
        )
        self._order_key, self._augmentation_key = keys.numpy()

    def __call__(self, position: tf.Tensor) -> tf.Tensor:
        """Returns the image at a scalar int64 position; runs inside a graph."""
        row = shuffled_class(self._order_key, position, self._num_photos)
        seed = tf.stack([self._augmentation_key, position])
        return self._augment(self._read(row), seed)


def target_split(
    target: TargetConfig | None, dataset: PreparedDataset
) -> SplitIndex | None:
    """Returns the split of the photos of `train.target`, if there is one.

    Raises:
        ConfigError: The dataset has no such split.
    """
    if target is None:
        return None
    try:
        return dataset.split(target.split)
    except DatasetError as error:
        raise ConfigError(f"`train.target.split`: {error}") from error


def draw_whole_photos(
    split: SplitIndex, image_size: int
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns what draws photos of a split, unchanged, or the middle of long ones.

    Args:
        split: The split.
        image_size: Height and width of the images.

    Returns:
        A function of a seed, int64 `(2,)`, for inside a graph.
    """
    num_photos, read = len(split), RecordReader(split, np.arange(len(split)))
    prepare = Augmentation(AugmentationConfig(0.0, 0.0, 0.0, 0.0, 0.0), image_size)

    def draw(seed: tf.Tensor) -> tf.Tensor:
        row = tf.random.stateless_uniform(
            [], seed, maxval=num_photos, dtype=tf.int64, alg="philox"
        )
        return prepare(read(row), seed)

    return draw
