"""Statistics of batch norms, measured on images of another domain."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf


def batch_norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Returns the batch norms of a model, those inside of layers too."""
    return [
        layer
        # Private, but `Model.layers` does not list the layers inside of layers.
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


@dataclass
class _Sums:
    """Sums over images of the means and of the mean squares of a batch norm's input."""

    means: np.ndarray | float = 0.0
    squares: np.ndarray | float = 0.0

    def add(self, layer: keras.layers.BatchNormalization, num_images: int) -> None:
        """Adds what a batch norm says of a batch."""
        mean = layer.moving_mean.numpy().astype(np.float64)
        variance = layer.moving_variance.numpy().astype(np.float64)
        self.means = self.means + num_images * mean
        self.squares = self.squares + num_images * (variance + mean**2)


def set_statistics(
    model: keras.Model, batches: Iterable[tf.Tensor], share: float = 1.0
) -> int:
    """Sets the statistics of all batch norms to those of images; no weight changes.

    Each batch goes through the model as in training, normalised by itself, and mean and
    variance are of all images together.

    Args:
        model: Images to descriptors.
        batches: Images `(batch, height, width, 3)`, each batch of several.
        share: Of the new statistics; the rest is of the old ones (alpha-BN).

    Returns:
        The number of images.

    Raises:
        ValueError: The model has no batch norm, or there is no image.

    Reference:
        Li et al., "Revisiting Batch Normalization For Practical Domain Adaptation"
        (AdaBN), arXiv:1603.04779; You et al., "Test-time Batch Statistics Calibration
        for Covariate Shift", arXiv:2110.04065.
    """
    norms = batch_norms(model)
    if not norms:
        raise ValueError(
            "Only the statistics of batch norms can be set to those of a target. "
            "Received an encoder without any, as transformers are"
        )
    before = [(n.moving_mean.numpy(), n.moving_variance.numpy()) for n in norms]
    sums, num_images = [_Sums() for _ in norms], 0
    with _measuring(model, norms):
        forward = tf.function(
            lambda images: model(images, training=True), reduce_retracing=True
        )
        for images in batches:
            forward(images)
            for layer, its_sums in zip(norms, sums, strict=True):
                its_sums.add(layer, len(images))
            num_images += len(images)
    if not num_images:
        raise ValueError("Statistics need images. Received: none")
    for layer, (old_mean, old_variance), found in zip(norms, before, sums, strict=True):
        mean = found.means / num_images
        variance = found.squares / num_images - mean**2
        layer.moving_mean.assign(share * mean + (1 - share) * old_mean)
        layer.moving_variance.assign(share * variance + (1 - share) * old_variance)
    return num_images


@contextlib.contextmanager
def _measuring(
    model: keras.Model, norms: list[keras.layers.BatchNormalization]
) -> Iterator[None]:
    """Lets moving statistics be those of the last batch, and drops nothing out."""
    # Private for the same reason as above.
    dropouts = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.Dropout)
    ]
    kept = [(n.trainable, n.momentum) for n in norms], [d.rate for d in dropouts]
    for norm in norms:
        norm.trainable, norm.momentum = True, 0.0
    for dropout in dropouts:
        dropout.rate = 0.0
    try:
        yield
    finally:
        for norm, (trainable, momentum) in zip(norms, kept[0], strict=True):
            norm.trainable, norm.momentum = trainable, momentum
        for dropout, rate in zip(dropouts, kept[1], strict=True):
            dropout.rate = rate
