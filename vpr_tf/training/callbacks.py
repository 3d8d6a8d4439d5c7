"""Keras callbacks of a training run.

They see the encoder as `self.model` and these logs: after each step `loss`, and of
several objectives `loss_NAME` of each, without its weight; after each epoch `epoch`
(from 0), `group`, `loss`, `learning_rate`, `head_learning_rate` if there are heads,
`gem_p` of an encoder that pools by it, `images_per_s` of two or more steps,
`steps_without_pairs` of those in which an objective had no pair to learn from and, when
the epoch was validated, `val_recall@N` and, of heads that are kept or whose loss a
schedule watches, `val_loss`. All are numbers, as Keras's own callbacks expect.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from vpr_tf.config import PlateauScheduleConfig, TrainConfig
from vpr_tf.disk_errors import with_path
from vpr_tf.terminal_bar import TerminalBar
from vpr_tf.training.checkpoints import CheckpointStore
from vpr_tf.training.progress import TrainingProgress
from vpr_tf.training.pseudo_labels import RIGHT, TAKEN
from vpr_tf.training.run_records import LossesFile, MetricsFile

_LOG = logging.getLogger(__name__)
MONITOR, VAL_LOSS = "val_recall@1", "val_loss"
STEPS_WITHOUT_PAIRS = "steps_without_pairs"
_LINES_PER_EPOCH = 5
_SECONDS_BETWEEN_LINES = 10.0
_LOSS_EVERY_STEPS = 10
# Logs of an epoch by the names that they have in TensorBoard.
_EPOCH_TAGS = {
    "loss": "epoch/loss",
    "learning_rate": "learning_rate/encoder",
    "head_learning_rate": "learning_rate/head",
    "gem_p": "encoder/gem_p",
    "images_per_s": "speed/images_per_s",
    STEPS_WITHOUT_PAIRS: "epoch/steps_without_pairs",
    TAKEN: "target/photos_with_label",
    RIGHT: "target/labels_right",
}


class CheckpointSaver(keras.callbacks.Callback):
    """Saves within an epoch, and when its last step is done.

    It must come after callbacks that write what belongs to the steps so far.

    Args:
        store: Where to save.
        progress: Counters of the run.
        config: The interval, and the steps of an epoch: its last step is saved
            before validation, which may take longer than the epoch.
    """

    def __init__(
        self, store: CheckpointStore, progress: TrainingProgress, config: TrainConfig
    ) -> None:
        super().__init__()
        self._store, self._progress = store, progress
        self._intervals = (config.checkpoint_every_steps, config.iterations_per_epoch)

    def is_due(self, step: int) -> bool:
        """Whether the state after this many steps of the run is saved."""
        return any(step % interval == 0 for interval in self._intervals)

    def on_train_batch_end(self, batch, logs=None):
        if self.is_due(self._progress.step):
            self._store.save()


class MetricsWriter(keras.callbacks.Callback):
    """Keeps the files of a run complete up to every checkpoint.

    Args:
        losses: One line a step.
        metrics: One record an epoch.
        progress: Counters of the run.
        groups_num: Groups that the run trains in turn.
    """

    def __init__(
        self,
        losses: LossesFile,
        metrics: MetricsFile,
        progress: TrainingProgress,
        groups_num: int,
    ) -> None:
        super().__init__()
        self._losses, self._metrics = losses, metrics
        self._progress, self._groups_num = progress, groups_num

    def on_train_batch_end(self, batch, logs=None):
        progress = self._progress
        group_id = progress.epoch % self._groups_num
        self._losses.append(progress.step, progress.epoch, group_id, logs["loss"])
        self._losses.flush()
        progress.losses_crc32c = self._losses.crc32c

    def on_epoch_end(self, epoch, logs=None):
        self._metrics.set_epoch(
            {
                "epoch": epoch,
                "group": int(logs["group"]),
                "step": self._progress.step,
                "mean_loss": logs["loss"],
                "learning_rate": logs["learning_rate"],
                "head_learning_rate": logs.get("head_learning_rate"),
                "gem_p": logs.get("gem_p"),
                "images_per_s": logs.get("images_per_s"),
                STEPS_WITHOUT_PAIRS: logs.get(STEPS_WITHOUT_PAIRS, 0),
                **{name: logs[name] for name in (TAKEN, RIGHT) if name in logs},
                "val_loss": logs.get(VAL_LOSS),
                "val_recalls": val_recalls(logs),
                "best_epoch": self._progress.best_epoch,
            }
        )

    def on_train_end(self, logs=None):
        self._losses.close()


def val_recalls(logs: Mapping[str, float]) -> dict[str, float]:
    """Returns the recalls on val of an epoch's logs by N, as text, in order."""
    prefix = "val_recall@"
    of_logs = [name for name in logs if name.startswith(prefix)]
    numbers = sorted(int(name.removeprefix(prefix)) for name in of_logs)
    return {str(n): logs[f"{prefix}{n}"] for n in numbers}


class EarlyStopping(keras.callbacks.Callback):
    """Ends the run when R@1 on val stops rising.

    Unlike Keras's callback of this name, it remembers all in `TrainingProgress`, so
    that a resumed run decides the same, and epochs without validation are no plateau.

    Args:
        progress: Holds the best epoch.
        patience_epochs: Epochs without a better R@1.
    """

    def __init__(self, progress: TrainingProgress, patience_epochs: int) -> None:
        super().__init__()
        self._progress, self._patience = progress, patience_epochs

    def on_epoch_end(self, epoch, logs=None):
        if MONITOR not in (logs or {}):
            return
        if epoch - (self._progress.best_epoch or 0) >= self._patience:
            self._progress.stopped_early = True


class ReduceOnPlateau(keras.callbacks.Callback):
    """Multiplies the learning rate by a factor when val stops getting better.

    What it remembers is in `TrainingProgress`, so that a resumed run decides the same;
    epochs without validation are no plateau.

    Args:
        progress: Holds the best epochs and the product of the reductions.
        schedule: What is watched, the factor, and the epochs that are borne.
    """

    def __init__(
        self, progress: TrainingProgress, schedule: PlateauScheduleConfig
    ) -> None:
        super().__init__()
        self._progress, self._schedule = progress, schedule

    def on_epoch_end(self, epoch, logs=None):
        watches_loss = self._schedule.monitor == "val_loss"
        value = (logs or {}).get(VAL_LOSS if watches_loss else MONITOR)
        if value is None:
            return
        progress = self._progress
        if watches_loss:
            progress.record_val_loss(epoch, value)
        best = progress.best_val_loss_epoch if watches_loss else progress.best_epoch
        since = max(best or 0, progress.last_reduction_epoch or 0)
        most = self._schedule.patience_epochs - (not self._schedule.bears_all)
        if epoch - since > max(0, most):
            progress.learning_rate_factor *= self._schedule.factor
            progress.last_reduction_epoch = epoch


def decision_callbacks(
    config: TrainConfig, progress: TrainingProgress
) -> list[keras.callbacks.Callback]:
    """Makes the callbacks that act on val, the same on every worker."""
    callbacks: list[keras.callbacks.Callback] = []
    schedule = config.schedule
    if isinstance(schedule, PlateauScheduleConfig):
        callbacks.append(ReduceOnPlateau(progress, schedule))
    if config.early_stopping_patience is not None:
        callbacks.append(EarlyStopping(progress, config.early_stopping_patience))
    return callbacks


class ProgressBar(keras.callbacks.Callback):
    """A bar on a terminal, a few lines an epoch elsewhere.

    Args:
        config: Says how many epochs, steps and images there are.
    """

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self._epochs, self._steps = config.epochs, config.iterations_per_epoch
        self._batch_size = config.batch_size * config.views_per_photo
        self._bar: TerminalBar | None = None

    def on_epoch_begin(self, epoch, logs=None):
        self._label = f"epoch {epoch + 1}/{self._epochs}"
        self._loss: float | None = None
        self._seen_steps, self._next_line_s = 0, _SECONDS_BETWEEN_LINES
        self._start_s = time.perf_counter()
        self._first_end_s: float | None = None
        if sys.stderr.isatty():
            self._bar = TerminalBar(
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


class TensorBoardWriter(keras.callbacks.Callback):
    """Writes event files; the step is the number of steps done.

    Args:
        folder: The run's `tensorboard/`.
        progress: Counters of the run.
    """

    def __init__(self, folder: Path, progress: TrainingProgress) -> None:
        super().__init__()
        self._progress = progress
        self._folder = folder
        with with_path(folder):
            self._writer = tf.summary.create_file_writer(str(folder))

    def on_train_batch_end(self, batch, logs=None):
        if self._progress.step % _LOSS_EVERY_STEPS == 0:
            losses = {n: value for n, value in logs.items() if n.startswith("loss")}
            self._write_scalars({f"step/{n}": value for n, value in losses.items()})

    def on_epoch_end(self, epoch, logs=None):
        scalars = {tag: logs[name] for name, tag in _EPOCH_TAGS.items() if name in logs}
        scalars |= {
            name.replace("val_", "val/"): value
            for name, value in logs.items()
            if name.startswith("val_")
        }
        self._write_scalars(scalars)
        with with_path(self._folder):
            self._writer.flush()

    def on_train_end(self, logs=None):
        with with_path(self._folder):
            self._writer.close()

    def write_picture(self, name: str, picture: np.ndarray) -> None:
        """Writes one RGB picture, uint8 `(height, width, 3)`."""
        with with_path(self._folder):
            with self._writer.as_default(step=self._progress.step):
                tf.summary.image(name, picture[None])
            self._writer.flush()

    def _write_scalars(self, scalars: dict[str, float]) -> None:
        with (
            with_path(self._folder),
            self._writer.as_default(step=self._progress.step),
        ):
            for name, value in scalars.items():
                tf.summary.scalar(name, value)
