"""The learning rate that the optimizers are given at each step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras

from vpr_tf.config import (
    CosineScheduleConfig,
    CyclicalScheduleConfig,
    PolynomialScheduleConfig,
    ScheduleConfig,
    TrainConfig,
)
from vpr_tf.training.progress import TrainingProgress


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

    Warm-up rises linearly and reaches the base rate at step `warmup_steps`; then the
    schedule begins. Cosine and polynomial fall from 1 to `final_fraction` at the last
    step, cyclical begins at its lowest rate; the others stay at 1
    (`reduce_on_plateau` multiplies by a factor of its own between epochs).

    Args:
        config: The schedule.
        step: Steps done before this one, over the whole run.
        total_steps: Steps of the whole run.
    """
    since = step - config.warmup_steps
    if since < 0:
        return (step + 1) / (config.warmup_steps + 1)
    if isinstance(config, CyclicalScheduleConfig):
        return _cyclical(config, since)
    if not isinstance(config, CosineScheduleConfig):
        return 1.0
    done = min(1.0, since / max(1, total_steps - 1 - config.warmup_steps))
    if isinstance(config, PolynomialScheduleConfig):
        left = (1.0 - done) ** config.power
    else:
        left = 0.5 * (1.0 + math.cos(math.pi * done))
    return config.final_fraction + (1.0 - config.final_fraction) * left


def _cyclical(config: CyclicalScheduleConfig, step: int) -> float:
    """Reference: Smith, "Cyclical Learning Rates", WACV 2017, arXiv:1506.01186."""
    cycle, within = divmod(step, 2 * config.half_cycle_steps)
    height = 1.0 - abs(within / config.half_cycle_steps - 1.0)
    height *= config.cycle_factor**cycle
    return config.lowest_fraction + (1.0 - config.lowest_fraction) * height
