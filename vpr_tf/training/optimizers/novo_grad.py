"""NovoGrad: momentum of gradients, each divided by the size of its layer's."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from vpr_tf.training.optimizers.moments import MomentOptimizer, decay


@keras.saving.register_keras_serializable("vpr_tf")
class NovoGrad(MomentOptimizer):
    """One second mean for each weight tensor, of its gradient's squared norm.

    Args:
        beta_2: 0.999; the paper's is 0.98.
        others: see `MomentOptimizer`.

    Reference:
        Ginsburg et al., "Stochastic Gradient Methods with Layer-wise Adaptive
        Moments for Training of Deep Networks", arXiv:1905.11286.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def build(self, variables):
        if self.built:
            return
        keras.optimizers.Optimizer.build(self, variables)
        self._momentums = self.add_optimizer_variables(variables, "momentum")
        self._velocities = [
            self.add_variable((), dtype=variable.dtype, name=f"{variable.name}_norm")
            for variable in variables
        ]

    def update_step(self, gradient, variable, learning_rate):
        dtype = variable.dtype
        rate, gradient = ops.cast(learning_rate, dtype), ops.cast(gradient, dtype)
        momentum, square = self.moments(variable)
        norm = ops.sum(ops.square(gradient))
        is_first = ops.equal(self.step_number(dtype), 1)
        decay(self, square, norm, ops.where(is_first, 0.0, self.beta_2))
        scaled = gradient / (ops.sqrt(square) + self.epsilon)
        self.assign(momentum, self.beta_1 * momentum + scaled)
        self.assign_sub(variable, rate * momentum)
