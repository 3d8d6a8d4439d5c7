"""Optimizers that do more after each step of another one: Lookahead and SWA.

Each is a class made of the other's: what Keras, TensorFlow's checkpoints and
tf.distribute do with an optimizer they do with these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

# What the two are mixed into.
if TYPE_CHECKING:
    from keras.optimizers import Optimizer as _Stepping
else:
    _Stepping = object


class _Lookahead(_Stepping):
    """Slow weights, to which the others return every so many steps."""

    def __init__(
        self, *args: Any, sync_period: int, slow_step: float, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sync_period, self.slow_step = sync_period, slow_step

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._slow_weights = self.add_optimizer_variables(variables, "slow")

    def update_step(self, gradient, variable, learning_rate):
        slow = self._slow_weights[self._get_variable_index(variable)]
        # The weights may have been loaded after `build`.
        is_first = ops.equal(self.iterations, 0)
        self.assign(slow, ops.where(is_first, variable, slow))
        super().update_step(gradient, variable, learning_rate)
        is_due = ops.equal((self.iterations + 1) % self.sync_period, 0)
        met = slow + self.slow_step * (variable - slow)
        self.assign(slow, ops.where(is_due, met, slow))
        self.assign(variable, ops.where(is_due, met, variable))


class _WeightAverage(_Stepping):
    """The mean of the weights of some steps; the weights go their own way."""

    def __init__(
        self, *args: Any, start_step: int, period_steps: int, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.start_step, self.period_steps = start_step, period_steps

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.averages = self.add_optimizer_variables(variables, "average")

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate)
        average = self.averages[self._get_variable_index(variable)]
        since = self.iterations - self.start_step
        count = ops.cast(ops.maximum(since // self.period_steps, 0), variable.dtype)
        # Before the first step that counts the average is the weight itself.
        is_due = ops.logical_or(since < 0, ops.equal(since % self.period_steps, 0))
        share = ops.where(is_due, 1.0 / (count + 1.0), 0.0)
        self.assign_add(average, (variable - average) * share)


def with_lookahead(
    base: type[keras.optimizers.Optimizer],
) -> type[keras.optimizers.Optimizer]:
    """Returns a class of optimizers that step as another and then look back.

    Every `sync_period` steps slow weights go the share `slow_step` of the way to the
    weights, and the weights return to them.

    Args:
        base: Whose steps are done.

    Reference:
        Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", NeurIPS 2019,
        arXiv:1907.08610.
    """
    return type(f"Lookahead{base.__name__}", (_Lookahead, base), {})


def with_weight_average(
    base: type[keras.optimizers.Optimizer],
) -> type[keras.optimizers.Optimizer]:
    """Returns a class of optimizers with the mean of the weights as `averages`.

    The mean is over the weights after step `start_step + 1` and after every
    `period_steps` steps from there.

    Args:
        base: Whose steps are done.

    Reference:
        Izmailov et al., "Averaging Weights Leads to Wider Optima and Better
        Generalization" (SWA), UAI 2018, arXiv:1803.05407.
    """
    return type(f"Averaged{base.__name__}", (_WeightAverage, base), {})


def averaged_weights(
    optimizer: keras.optimizers.Optimizer,
) -> list[keras.Variable] | None:
    """Returns the averages of the weights it was built on; None where it has none.

    It has none before its first step, in which they are the weights themselves until
    averaging begins. Steps that float16 could not hold are none.

    Args:
        optimizer: Perhaps inside a `LossScaleOptimizer`.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    has_stepped = bool(ops.convert_to_numpy(inner.iterations) > 0)
    return getattr(inner, "averages", None) if has_stepped else None
