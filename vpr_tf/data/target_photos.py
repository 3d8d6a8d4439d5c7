"""Photos of the domain to which an encoder is adapted, drawn without their labels."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from vpr_tf.config import AugmentationConfig
from vpr_tf.data.augmentation import Augmentation
from vpr_tf.data.class_sampler import shuffled_class
from vpr_tf.data.image_sources import EncodedSource
from vpr_tf.data.prepared_dataset import DatasetError
from vpr_tf.search import MISSING_ID


class TargetLabels(NamedTuple):
    """Photos of a target that count as photos of a group's classes.

    Attributes:
        rows: Of the target, int64 `(num_photos,)`, without repetition.
        class_index: Of each, int32, in the group.
        place: Of each, float32 `(num_photos, 4)`, as `training_batches` has them; None
            where only classes are learnt.
    """

    rows: np.ndarray
    class_index: np.ndarray
    place: np.ndarray | None = None


class TargetPhotos:
    """Maps positions to augmented photos of a target; every pass visits each once.

    Crop and colour jitter are those of training; `extra` is left out.

    Args:
        photos: The photos.
        augmentation: Of training.
        image_size: Height and width of the images.
        seed: Seed of the run.
        group_id: The group that trains; another one sees them in another order.
        labels: Classes of some of the photos; None where none has one.
        all_photos: Whether photos without a label are drawn as well.
    """

    def __init__(
        self,
        photos: EncodedSource,
        augmentation: AugmentationConfig,
        image_size: int,
        seed: int,
        group_id: int,
        labels: TargetLabels | None = None,
        *,
        all_photos: bool = True,
    ) -> None:
        rows, labels = _labelled_rows(len(photos), labels, all_photos)
        self._num_photos = len(rows)
        self._labels: dict[str, tf.Tensor] = {}
        if labels is not None:
            learnt = {"class_index": labels.class_index, "place": labels.place}
            self._labels = {
                name: tf.constant(values)
                for name, values in learnt.items()
                if values is not None
            }
        self._read = photos.encoded_loader(rows)
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

    def __call__(self, position: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns the image at a scalar int64 position; runs inside a graph.

        Returns:
            The image, and where photos have labels its own by the names of
            `TargetLabels`: a `class_index` of -1 if it has none.
        """
        row = shuffled_class(self._order_key, position, self._num_photos)
        seed = tf.stack([self._augmentation_key, position])
        image = self._augment(self._read(row), seed)
        return image, {name: values[row] for name, values in self._labels.items()}


def _labelled_rows(
    num_photos: int, labels: TargetLabels | None, all_photos: bool
) -> tuple[np.ndarray, TargetLabels | None]:
    """Returns the rows to draw from, and the labels of these."""
    if labels is None:
        return np.arange(num_photos), None
    if not all_photos:
        return labels.rows, labels
    rows = np.arange(num_photos)
    classes = np.full(num_photos, MISSING_ID, np.int32)
    classes[labels.rows] = labels.class_index
    place = None
    if labels.place is not None:
        place = np.zeros((num_photos, labels.place.shape[1]), np.float32)
        place[labels.rows] = labels.place
    return rows, TargetLabels(rows, classes, place)


def draw_whole_photos(
    photos: EncodedSource, image_size: int
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns what draws photos of a target, unchanged, or the middle of long ones.

    Args:
        photos: The photos.
        image_size: Height and width of the images.

    Returns:
        A function of a seed, int64 `(2,)`, for inside a graph.
    """
    num_photos = len(photos)
    read = photos.encoded_loader(np.arange(num_photos))
    prepare = Augmentation(AugmentationConfig(0.0, 0.0, 0.0, 0.0, 0.0), image_size)

    def draw(seed: tf.Tensor) -> tf.Tensor:
        row = tf.random.stateless_uniform(
            [], seed, maxval=num_photos, dtype=tf.int64, alg="philox"
        )
        return prepare(read(row), seed)

    return draw


@contextlib.contextmanager
def damaged_photos_named(photos: EncodedSource) -> Iterator[None]:
    """Around the reading of a target: turns the error of a photo into a clear one.

    Raises:
        DatasetError: A photo is damaged.
    """
    try:
        yield
    except tf.errors.OpError:
        damaged = photos.first_damaged(range(len(photos)))
        if damaged is None:
            raise  # not the fault of a photo
        if isinstance(damaged.error, DatasetError):
            raise damaged.error from None
        key = photos.keys[damaged.row].decode()
        raise DatasetError(
            f"A photo of the target, {photos.name}, cannot be read: {key!a}: "
            f"{damaged.error}. Mend or remove it."
        ) from None
