"""Descriptors by the encoder that trains, as it is."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from vpr_tf.config import Preprocessing
from vpr_tf.data.image_batches import ImageBatches
from vpr_tf.data.image_sources import ImageSource
from vpr_tf.terminal_bar import TerminalBar

_IMAGES_AT_ONCE = 64


class EncoderCopy:
    """Describes photos by another encoder's weights, on one device, in float32.

    Args:
        build_encoder: Makes the same network; called at the first use.
        weights: Returns the weights of the encoder that trains; all workers call it.
        image_size: Images are squares of it.
    """

    def __init__(
        self,
        build_encoder: Callable[[], keras.Model],
        weights: Callable[[], list[np.ndarray]],
        image_size: int,
    ) -> None:
        self._build, self._weights = build_encoder, weights
        self._preprocessing = Preprocessing("square", image_size)
        self._encoder: keras.Model | None = None
        self._call: Callable[..., tf.Tensor] | None = None

    def __call__(self, source: ImageSource, rows: np.ndarray) -> np.ndarray:
        """Returns float32 `(num_photos, descriptor_dim)`, without augmentation.

        Args:
            source: Holds the photos.
            rows: Which of them, int64.
        """
        if self._encoder is None or self._call is None:
            self._encoder = self._build()
            self._call = tf.function(self._encoder, reduce_retracing=True)
        self._encoder.set_weights(self._weights())
        batches = ImageBatches(source, self._preprocessing, _IMAGES_AT_ONCE)
        found_rows, values = [], []
        with TerminalBar(
            total=len(rows),
            desc=f"describe {source.name}",
            unit=" images",
            leave=False,
            disable=None,
        ) as bar:
            for images, batch_rows in batches.iterate(rows):
                found_rows.append(batch_rows)
                values.append(self._call(images, training=False).numpy())
                bar.update(len(batch_rows))
        order = np.argsort(np.concatenate(found_rows))
        found = np.concatenate(values)[order]
        ranks = np.argsort(np.argsort(rows))
        return np.asarray(found[ranks], np.float32)
