"""ASGD: gradient descent whose weights are averaged for validation."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("vpr_tf")
class ASGD(keras.optimizers.Optimizer):
    """Averaged stochastic gradient descent, as PyTorch's `ASGD`.

    The rate falls as `1 / (1 + lambd * learning_rate * step) ** alpha`, every weight
    is pulled to 0 by `lambd`, and `averages` are the means of the weights of all steps
    after the first `t0`.

    Args:
        learning_rate: Rate of the first step.
        lambd: Pull towards 0, and how fast the rate falls.
        alpha: Power by which the rate falls.
        t0: Steps before averaging begins.
        **kwargs: Of `keras.optimizers.Optimizer`.

    Reference:
        Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging",
        SIAM Journal on Control and Optimization, 1992.
    """

    def __init__(
        self,
        learning_rate: float = 0.01,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.lambd, self.alpha, self.t0 = lambd, alpha, t0

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.averages = self.add_optimizer_variables(variables, "average")

    def update_step(self, gradient, variable, learning_rate):
        dtype = variable.dtype
        rate, gradient = ops.cast(learning_rate, dtype), ops.cast(gradient, dtype)
        step = ops.cast(self.iterations, dtype)
        rate = rate / ops.power(1.0 + self.lambd * rate * step, self.alpha)
        self.assign_sub(variable, rate * (self.lambd * variable + gradient))
        average = self.averages[self._get_variable_index(variable)]
        share = 1.0 / ops.maximum(1.0, step - self.t0)
        self.assign_add(average, (variable - average) * share)

    def get_config(self):
        names = ("lambd", "alpha", "t0")
        return super().get_config() | {name: getattr(self, name) for name in names}
