"""Moving statistics of batch norms under several replicas."""

from __future__ import annotations

import keras
import tensorflow as tf


class StatisticsAverager:
    """Averages the batch norms' moving statistics over replicas, in place.

    Each replica updates its own from its share of the batch. The update is linear, so
    averaging now and then equals averaging at every step.

    Args:
        model: A model made under the strategy.
        strategy: The strategy.
    """

    def __init__(self, model: keras.Model, strategy: tf.distribute.Strategy) -> None:
        variables = [
            variable
            for layer in model._flatten_layers()
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
            for variable in (layer.moving_mean, layer.moving_variance)
        ]
        self._is_needed = strategy.num_replicas_in_sync > 1 and bool(variables)

        def average_in_replica():
            context = tf.distribute.get_replica_context()
            # A bare variable has no device to reduce to under several workers.
            values = [tf.identity(variable.value) for variable in variables]
            means = context.all_reduce(tf.distribute.ReduceOp.MEAN, values)
            for variable, mean in zip(variables, means, strict=True):
                variable.assign(mean)

        self._average = tf.function(lambda: strategy.run(average_in_replica))

    def __call__(self) -> None:
        """Averages; all workers must call it together."""
        if self._is_needed:
            self._average()
