"""RectifiedAdam: Adam whose first steps do not divide by what is not known yet."""

from __future__ import annotations

import keras
from keras import ops

from vpr_tf.training.optimizers.moments import MomentOptimizer, decay, rectification


@keras.saving.register_keras_serializable("vpr_tf")
class RectifiedAdam(MomentOptimizer):
    """Adam with a warm-up of its own.

    Args: see `MomentOptimizer`.

    Reference:
        Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond",
        arXiv:1908.03265.

    Example:
        >>> from vpr_tf.training.optimizers import RectifiedAdam
        >>> RectifiedAdam(learning_rate=0.01).beta_2
        0.999
    """

    def update_step(self, gradient, variable, learning_rate):
        dtype = variable.dtype
        rate, gradient = ops.cast(learning_rate, dtype), ops.cast(gradient, dtype)
        mean, square = self.moments(variable)
        step = self.step_number(dtype)
        of_mean, of_square = self.corrections(step)
        decay(self, mean, gradient, self.beta_1)
        decay(self, square, ops.square(gradient), self.beta_2)
        is_known, factor = rectification(step, self.beta_2)
        root = ops.sqrt(square / of_square) + self.epsilon
        divided = ops.where(is_known, factor / root, 1.0)
        self.assign_sub(variable, rate * divided * mean / of_mean)
