"""The learning rate: its schedule over the steps, and reductions on a plateau."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras

from vpr_tf.config import (
    CosineScheduleConfig,
    PlateauScheduleConfig,
    ScheduleConfig,
    TrainConfig,
)
from vpr_tf.training.progress import TrainingProgress

MONITOR, VAL_LOSS = "val_recall@1", "val_loss"


class LearningRate:
    """Gives the optimizers the rate of each step.

    The schedule is that of what trains: the encoder, or, on descriptors that stay as
    they are, the heads. Other rates stay as they were made.

    Args:
        config: Training settings.
        encoder_optimizer: The encoder's.
        head_optimizers: One for each head.
        progress: Holds the product of the reductions on a plateau.
    """

    def __init__(
        self,
        config: TrainConfig,
        encoder_optimizer: keras.optimizers.Optimizer,
        head_optimizers: Sequence[keras.optimizers.Optimizer],
        progress: TrainingProgress,
    ) -> None:
        self._optimizers, settings = [encoder_optimizer], config.encoder_optimizer
        if config.input == "descriptors":
            self._optimizers, settings = list(head_optimizers), config.head_optimizer
        self._base, self._schedule = settings.learning_rate, config.schedule
        self._total_steps = config.epochs * config.iterations_per_epoch
        self._progress = progress
        self._current: float | None = None

    def set_for_step(self, step: int) -> None:
        """Sets the rate of the step that comes after this many."""
        rate = self._base * schedule_factor(self._schedule, step, self._total_steps)
        rate *= self._progress.learning_rate_factor
        # Reading the variable instead would wait for the device at every step.
        if rate != self._current:
            for optimizer in self._optimizers:
                optimizer.learning_rate = rate
            self._current = rate


def schedule_factor(config: ScheduleConfig, step: int, total_steps: int) -> float:
    """Returns what the base learning rate is multiplied by at a step.

    Warm-up rises linearly and reaches the base rate at step `warmup_steps`. Cosine
    then falls from 1 to `final_fraction` at the last step; the others stay at 1
    (`reduce_on_plateau` multiplies by a factor of its own between epochs).

    Args:
        config: The schedule.
        step: Steps done before this one, over the whole run.
        total_steps: Steps of the whole run.
    """
    if step < config.warmup_steps:
        return (step + 1) / (config.warmup_steps + 1)
    if not isinstance(config, CosineScheduleConfig):
        return 1.0
    decay_steps = max(1, total_steps - 1 - config.warmup_steps)
    done = min(1.0, (step - config.warmup_steps) / decay_steps)
    cosine = 0.5 * (1.0 + math.cos(math.pi * done))
    return config.final_fraction + (1.0 - config.final_fraction) * cosine


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
        if epoch - since > self._schedule.patience_epochs:
            progress.learning_rate_factor *= self._schedule.factor
            progress.last_reduction_epoch = epoch
