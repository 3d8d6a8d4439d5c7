"""Loss and images/s while an epoch runs."""

from __future__ import annotations

import logging
import sys
import time

import keras
from tqdm import tqdm

from vpr_tf.config import TrainConfig

_LOG = logging.getLogger(__name__)
_LINES_PER_EPOCH = 5
_SECONDS_BETWEEN_LINES = 10.0


class ProgressBar(keras.callbacks.Callback):
    """A bar on a terminal, a few lines an epoch elsewhere.

    Args:
        config: Says how many epochs, steps and images there are.
    """

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self._epochs, self._steps = config.epochs, config.iterations_per_epoch
        self._batch_size = config.batch_size
        self._bar: tqdm | None = None

    def on_epoch_begin(self, epoch, logs=None):
        self._label = f"epoch {epoch + 1}/{self._epochs}"
        self._loss: float | None = None
        self._seen_steps, self._next_line_s = 0, _SECONDS_BETWEEN_LINES
        self._start_s = time.perf_counter()
        self._first_end_s: float | None = None
        if sys.stderr.isatty():
            self._bar = tqdm(
                total=self._steps * self._batch_size,
                desc=self._label,
                unit="image",
                dynamic_ncols=True,
                leave=False,
            )

    def on_train_batch_end(self, batch, logs=None):
        loss = logs["loss"]
        self._loss = loss if self._loss is None else 0.9 * self._loss + 0.1 * loss
        self._seen_steps += 1
        if self._first_end_s is None:
            self._first_end_s = time.perf_counter()
            if self._bar is not None:  # resumed within the epoch
                self._bar.n = self._bar.initial = batch * self._batch_size
        if self._bar is not None:
            self._bar.set_postfix_str(f"loss {self._loss:.3f}", refresh=False)
            self._bar.update(self._batch_size)
        elif self._line_is_due(batch):
            _LOG.info(
                "%s: step %d/%d, loss %.3f%s",
                *(self._label, batch + 1, self._steps, self._loss, self._speed()),
            )

    def close(self) -> None:
        """Removes the bar, so that something else may be printed."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _speed(self) -> str:
        """The first step, which compiles, does not count."""
        if self._first_end_s is None or self._seen_steps < 2:
            return ""
        images = (self._seen_steps - 1) * self._batch_size
        seconds = time.perf_counter() - self._first_end_s
        return f", {images / seconds:.1f} images/s"

    def _line_is_due(self, batch: int) -> bool:
        if (batch + 1) % max(1, self._steps // _LINES_PER_EPOCH):
            return False
        if time.perf_counter() - self._start_s < self._next_line_s:
            return False
        self._next_line_s += _SECONDS_BETWEEN_LINES
        return True
