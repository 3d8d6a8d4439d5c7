"""Everything that the chief writes while a run goes on."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from vpr_tf.classification.predictor import PlacePredictor
from vpr_tf.config import ExperimentConfig, PlateauScheduleConfig, TrainConfig
from vpr_tf.evaluation import EvaluationResult, prediction_picture
from vpr_tf.training.callbacks import (
    EarlyStopping,
    MetricsWriter,
    ProgressBar,
    TensorBoardWriter,
    val_recalls,
)
from vpr_tf.training.checkpoints import save_best
from vpr_tf.training.group_trainer import GroupTrainer
from vpr_tf.training.learning_rate import ReduceOnPlateau
from vpr_tf.training.progress import TrainingProgress
from vpr_tf.training.run_folder import LossesFile, MetricsFile, RunFolder
from vpr_tf.training.validation import Validator

_QUERIES_IN_PICTURE = 6
_PREDICTIONS_IN_PICTURE = 4


class RunWriters:
    """Losses, metrics, TensorBoard, progress bar and best model of one run.

    Args:
        config: The experiment.
        trainer: Its trainer, already at the step where the run goes on.
        run: Where to write.
        facts: What the run trains on, for metrics.json.

    Attributes:
        callbacks: Keras callbacks that write as the run goes on.
        run: The run's folder.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        trainer: GroupTrainer,
        run: RunFolder,
        facts: dict[str, Any],
    ) -> None:
        self.run = run
        self._progress = trainer.progress
        self._tensorboard = TensorBoardWriter(run.tensorboard, trainer.progress)
        self._bar = ProgressBar(config.train)
        metrics = MetricsFile(run.metrics_file)
        metrics.drop_epochs(trainer.progress.epoch)
        metrics.set_run(facts)
        losses = LossesFile(run.losses_file, trainer.progress.step)
        self.callbacks: list[keras.callbacks.Callback] = [
            MetricsWriter(losses, metrics, trainer.progress, config.train.groups_num),
            self._tensorboard,
            self._bar,
        ]
        if trainer.progress.step == 0 and config.train.input == "images":
            images = trainer.first_images()
            self._tensorboard.write_picture("train/augmented", image_grid(images))

    def close_bar(self) -> None:
        """Makes room for messages."""
        self._bar.close()

    def write_predictions(self, validator: Validator, result: EvaluationResult) -> None:
        """Draws queries of val with their first predictions; places have no picture."""
        if result.method == "classification":
            return
        picture = prediction_picture(
            validator.dataset,
            validator.evaluation_set,
            result,
            max_queries=_QUERIES_IN_PICTURE,
            num_predictions=_PREDICTIONS_IN_PICTURE,
        )
        self._tensorboard.write_picture("val/predictions", picture)

    def write_best(
        self,
        encoder: keras.Model,
        metrics: dict[str, float],
        predictor: PlacePredictor | None,
    ) -> None:
        """Keeps the encoder, and the heads that localize, as the best so far."""
        info = {
            "epoch": self._progress.epoch,
            "step": self._progress.step,
            "val_recalls": val_recalls(metrics),
        }
        save_best(self.run.best, encoder, info, predictor)


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


def image_grid(
    images: np.ndarray, columns: int = 8, max_images: int = 32
) -> np.ndarray:
    """Places images side by side.

    Args:
        images: Floats in [0, 1], `(num_images, height, width, 3)`.
        columns: Images in a row.
        max_images: The rest is left out.

    Returns:
        RGB uint8; missing images of the last row are white.
    """
    images = np.rint(np.clip(images[:max_images], 0, 1) * 255).astype(np.uint8)
    columns = min(columns, len(images))
    missing = -len(images) % columns
    images = np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0)), constant_values=255)
    rows, (height, width) = len(images) // columns, images.shape[1:3]
    grid = images.reshape(rows, columns, height, width, 3).swapaxes(1, 2)
    return grid.reshape(rows * height, columns * width, 3)
