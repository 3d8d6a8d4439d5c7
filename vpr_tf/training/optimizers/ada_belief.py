"""AdaBelief: steps are small where gradients are not as they were expected to be."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from vpr_tf.training.optimizers.moments import MomentOptimizer, decay, rectification


@keras.saving.register_keras_serializable("vpr_tf")
class AdaBelief(MomentOptimizer):
    """Adam whose second mean is of the gradient's distance from its mean.

    Args:
        rectify: Whether the first steps are those of `RectifiedAdam`.
        others: see `MomentOptimizer`.

    Reference:
        Zhuang et al., "AdaBelief Optimizer", NeurIPS 2020, arXiv:2010.07468.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-14,
        rectify: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.rectify = rectify

    def update_step(self, gradient, variable, learning_rate):
        dtype = variable.dtype
        rate, gradient = ops.cast(learning_rate, dtype), ops.cast(gradient, dtype)
        mean, surprise = self.moments(variable)
        step = self.step_number(dtype)
        of_mean, of_surprise = self.corrections(step)
        decay(self, mean, gradient, self.beta_1)
        decay(self, surprise, ops.square(gradient - mean), self.beta_2)
        self.assign_add(surprise, ops.full_like(surprise, self.epsilon))
        divided = 1.0 / (ops.sqrt(surprise / of_surprise) + self.epsilon)
        if self.rectify:
            is_known, factor = rectification(step, self.beta_2)
            divided = ops.where(is_known, factor * divided, 1.0)
        self.assign_sub(variable, rate * divided * mean / of_mean)

    def get_config(self):
        return super().get_config() | {"rectify": self.rectify}
