"""Moving statistics of batch norms under several replicas."""

from __future__ import annotations

import keras
import tensorflow as tf


def moving_statistics(model: keras.Model) -> list[keras.Variable]:
    """Returns the statistics that training updates."""
    return [
        variable
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        for variable in (layer.moving_mean, layer.moving_variance)
    ]


def average_over_replicas(
    strategy: tf.distribute.Strategy, variables: list[keras.Variable]
) -> None:
    """Sets the copies of each variable to their mean; all workers must call it."""

    @tf.function
    def average():
        def in_replica():
            context = tf.distribute.get_replica_context()
            values = [tf.convert_to_tensor(v.value) for v in variables]
            means = context.all_reduce(tf.distribute.ReduceOp.MEAN, values)
            for variable, mean in zip(variables, means, strict=True):
                variable.assign(mean)

        strategy.run(in_replica)

    average()
