"""Yogi: Adam whose second mean grows and shrinks slowly."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from vpr_tf.training.optimizers.moments import MomentOptimizer, decay


@keras.saving.register_keras_serializable("vpr_tf")
class Yogi(MomentOptimizer):
    """Adam whose second mean moves by the square of the gradient alone.

    Args: see `MomentOptimizer`.

    Reference:
        Zaheer et al., "Adaptive Methods for Nonconvex Optimization", NeurIPS 2018.
    """

    first_velocity = 1e-6

    def __init__(
        self,
        learning_rate: float = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def update_step(self, gradient, variable, learning_rate):
        dtype = variable.dtype
        rate, gradient = ops.cast(learning_rate, dtype), ops.cast(gradient, dtype)
        mean, square = self.moments(variable)
        of_mean, of_square = self.corrections(self.step_number(dtype))
        decay(self, mean, gradient, self.beta_1)
        new = ops.square(gradient)
        change = (1.0 - self.beta_2) * ops.sign(square - new) * new
        self.assign_sub(square, change)
        step = rate * ops.sqrt(of_square) / of_mean
        self.assign_sub(variable, step * mean / (ops.sqrt(square) + self.epsilon))
