"""Optimizers of `keras.optimizers`, and the learning rate that they are given."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import keras

from vpr_tf.config import (
    ConfigError,
    CosineScheduleConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)
from vpr_tf.training.progress import TrainingProgress

# Keras's default of 1e-7 differs from the papers' 1e-8.
_ADAM_EPSILON = 1e-8
# Averaged weights would have to replace the encoder's at validation, and accumulated
# gradients of one group would be applied to another.
_UNSUPPORTED_ARGUMENTS = (
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "gradient_accumulation_steps",
    "loss_scale_factor",
)


def create_optimizer(
    config: OptimizerConfig, field_name: str
) -> keras.optimizers.Optimizer:
    """Makes the optimizer that a config describes.

    Optimizers of the Adam family get `epsilon=1e-8` unless it is given. Gradients
    must be summed over replicas before they are applied (see `train_step`).

    Args:
        config: Class name, learning rate and further arguments.
        field_name: Where the config comes from, for messages, e.g.
            `train.encoder_optimizer`.

    Raises:
        ConfigError: One of the arguments is unknown or impossible.
    """
    optimizer_class = getattr(keras.optimizers, config.name)
    known = list(inspect.signature(optimizer_class).parameters)
    arguments: dict[str, Any] = dict(config.arguments)
    _check_arguments(arguments, known, field_name)
    if "beta_2" in known:
        arguments.setdefault("epsilon", _ADAM_EPSILON)
    try:
        optimizer = optimizer_class(learning_rate=config.learning_rate, **arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"`{field_name}.arguments`: {error}") from error
    if config.l2:
        optimizer = _with_l2(optimizer, config.l2)
    return _sum_gradients_outside(optimizer)


def _with_l2(
    optimizer: keras.optimizers.Optimizer, l2: float
) -> keras.optimizers.Optimizer:
    """Adds `l2` times the weights to their gradients, after these were clipped.

    Keras's `weight_decay` shrinks the weights beside the step, so that Adam does not
    divide it by the gradient's size.
    """
    update_step = optimizer.update_step

    def with_l2(gradient: Any, variable: Any, learning_rate: Any) -> Any:
        weights = keras.ops.cast(variable, gradient.dtype)
        return update_step(gradient + l2 * weights, variable, learning_rate)

    optimizer.update_step = with_l2
    return optimizer


def _check_arguments(
    arguments: dict[str, Any], known: list[str], field_name: str
) -> None:
    if "learning_rate" in arguments:
        raise ConfigError(
            f"The learning rate is `{field_name}.learning_rate`, not one of "
            f"`{field_name}.arguments`."
        )
    allowed = [
        name
        for name in known
        if name not in ("learning_rate", "kwargs", "name", *_UNSUPPORTED_ARGUMENTS)
    ]
    unknown = [name for name in arguments if name not in allowed]
    if unknown:
        raise ConfigError(
            f"`{field_name}.arguments` may hold {', '.join(allowed)}. "
            f"Received: {', '.join(map(repr, unknown))}"
        )


def _sum_gradients_outside(
    optimizer: keras.optimizers.Optimizer,
) -> keras.optimizers.Optimizer:
    """Stops `apply` from summing gradients over replicas a second time.

    Keras clips gradients, and looks for non-finite ones, before it sums them over
    the replicas, so that the outcome would depend on their number. The training
    step sums first and Keras has no argument for that.
    """
    if not hasattr(optimizer, "_all_reduce_sum_gradients"):
        raise RuntimeError(
            "This version of Keras sums gradients elsewhere. Use keras 3.15 as "
            "requirements.txt says."
        )
    optimizer._all_reduce_sum_gradients = lambda grads_and_vars: grads_and_vars
    return optimizer


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
