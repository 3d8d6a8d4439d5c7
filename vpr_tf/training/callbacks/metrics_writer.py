"""Writes losses.csv and metrics.json."""

from __future__ import annotations

import keras

from vpr_tf.training.metrics_log import LossesFile, MetricsFile
from vpr_tf.training.progress import TrainingProgress


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

    def on_epoch_end(self, epoch, logs=None):
        recalls = {
            name.removeprefix("val_recall@"): value
            for name, value in logs.items()
            if name.startswith("val_recall@")
        }
        self._metrics.set_epoch(
            {
                "epoch": epoch,
                "group": int(logs["group"]),
                "step": self._progress.step,
                "mean_loss": logs["loss"],
                "learning_rate": logs["learning_rate"],
                "head_learning_rate": logs["head_learning_rate"],
                "gem_p": logs["gem_p"],
                "images_per_s": logs["images_per_s"],
                "val_recalls": dict(sorted(recalls.items(), key=_as_number)),
                "best_epoch": self._progress.best_epoch,
            }
        )

    def on_train_end(self, logs=None):
        self._losses.close()


def _as_number(item: tuple[str, float]) -> int:
    return int(item[0])
