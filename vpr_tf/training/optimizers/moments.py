"""What the optimizers of the Adam family have in common."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_LEAST_LENGTH = 5.0


class MomentOptimizer(keras.optimizers.Optimizer):
    """Running means of the gradient and of something like its square.

    Subclasses say by `update_step` how a weight moves.

    Args:
        learning_rate: Rate.
        beta_1: Decay of the mean of the gradient.
        beta_2: Decay of the second mean.
        epsilon: Added to what the step is divided by.
        **kwargs: Of `keras.optimizers.Optimizer`.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        for name, beta in (("beta_1", beta_1), ("beta_2", beta_2)):
            if not 0 <= beta < 1:
                raise ValueError(f"`{name}` must be in [0, 1). Received: {beta}")
        if not epsilon >= 0:
            raise ValueError(f"`epsilon` must be 0 or more. Received: {epsilon}")
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    # The second mean before the first step.
    first_velocity = 0.0

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._momentums = self.add_optimizer_variables(variables, "momentum")
        start = keras.initializers.Constant(self.first_velocity)
        self._velocities = self.add_optimizer_variables(variables, "velocity", start)

    def moments(self, variable: Any) -> tuple[Any, Any]:
        """Returns the two means of a weight."""
        index = self._get_variable_index(variable)
        return self._momentums[index], self._velocities[index]

    def step_number(self, dtype: str) -> Any:
        """Returns the number of the step that is being done, from 1."""
        return ops.cast(self.iterations + 1, dtype)

    def corrections(self, step: Any) -> tuple[Any, Any]:
        """Returns the shares of both means that do not come from their start at 0."""
        return 1.0 - ops.power(self.beta_1, step), 1.0 - ops.power(self.beta_2, step)

    def get_config(self):
        names = ("beta_1", "beta_2", "epsilon")
        return super().get_config() | {name: getattr(self, name) for name in names}


def decay(optimizer: Any, mean: Any, value: Any, beta: float) -> None:
    """Moves a running mean towards a value by a share of `1 - beta`."""
    optimizer.assign_add(mean, (value - mean) * (1.0 - beta))


def rectification(step: Any, beta_2: float) -> tuple[Any, Any]:
    """Returns whether the second mean says enough to divide by, and the step's factor.

    It does once it is as good as the mean of five squares.

    Reference:
        Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond",
        arXiv:1908.03265.
    """
    longest = 2.0 / (1.0 - beta_2) - 1.0
    power = ops.power(beta_2, step)
    length = longest - 2.0 * step * power / (1.0 - power)
    safe = ops.maximum(length, 4.5)
    ratio = (safe - 4.0) / (longest - 4.0) * (safe - 2.0) / (longest - 2.0)
    return length >= _LEAST_LENGTH, ops.sqrt(ratio * longest / safe)
