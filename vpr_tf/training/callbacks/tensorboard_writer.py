"""Scalars and pictures for TensorBoard."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from vpr_tf.training.progress import TrainingProgress

_LOSS_EVERY_STEPS = 10
# Logs of an epoch by the names that they have in TensorBoard.
_EPOCH_TAGS = {
    "loss": "epoch/loss",
    "learning_rate": "learning_rate/encoder",
    "head_learning_rate": "learning_rate/head",
    "gem_p": "encoder/gem_p",
    "images_per_s": "speed/images_per_s",
}


class TensorBoardWriter(keras.callbacks.Callback):
    """Writes event files; the step is the number of steps done.

    Args:
        folder: The run's `tensorboard/`.
        progress: Counters of the run.
    """

    def __init__(self, folder: Path, progress: TrainingProgress) -> None:
        super().__init__()
        self._progress = progress
        self._writer = tf.summary.create_file_writer(str(folder))

    def on_train_batch_end(self, batch, logs=None):
        if self._progress.step % _LOSS_EVERY_STEPS == 0:
            self._write_scalars({"step/loss": logs["loss"]})

    def on_epoch_end(self, epoch, logs=None):
        scalars = {
            tag: logs[name]
            for name, tag in _EPOCH_TAGS.items()
            if logs[name] is not None
        }
        scalars |= {
            name.replace("val_", "val/"): value
            for name, value in logs.items()
            if name.startswith("val_")
        }
        self._write_scalars(scalars)
        self._writer.flush()

    def on_train_end(self, logs=None):
        self._writer.close()

    def write_picture(self, name: str, picture: np.ndarray) -> None:
        """Writes one RGB picture, uint8 `(height, width, 3)`."""
        with self._writer.as_default(step=self._progress.step):
            tf.summary.image(name, picture[None])
        self._writer.flush()

    def _write_scalars(self, scalars: dict[str, float]) -> None:
        with self._writer.as_default(step=self._progress.step):
            for name, value in scalars.items():
                tf.summary.scalar(name, value)
