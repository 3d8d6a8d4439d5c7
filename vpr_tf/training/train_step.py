"""One compiled training step of one group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from vpr_tf.layers import TrainingHead

# (images, targets, stop_requested) of each replica -> values of `StepOutcome`.
StepFunction = Callable[[Any, Any, tf.Tensor], tf.Tensor]


class StepOutcome(NamedTuple):
    """What a step reports, the same on every worker.

    Attributes:
        loss: Mean over the global batch.
        diverged: Above 0 when a gradient that no loss scale can mend is not finite.
        overflowed: Above 0 when float16 gradients overflowed; the encoder's update
            was skipped and the loss scale halved.
        stop_requested: Above 0 when any worker requested to stop.
    """

    loss: float
    diverged: float
    overflowed: float
    stop_requested: float


def create_train_step(
    strategy: tf.distribute.Strategy,
    encoder: keras.Model,
    head: TrainingHead,
    encoder_optimizer: keras.optimizers.Optimizer,
    head_optimizer: keras.optimizers.Optimizer,
    *,
    batch_size: int,
    jit_compile: bool = False,
) -> StepFunction:
    """Compiles the step of one group.

    Gradients are of the mean over the global batch, summed over replicas before they
    are clipped, checked and applied, so that the number of replicas does not matter.
    With a `LossScaleOptimizer` only the gradient that enters the encoder is scaled:
    the head's are float32 as they come, and overflow only when the loss itself does.

    Args:
        strategy: The strategy under which all variables were made.
        encoder: Images to descriptors.
        head: The group's head, built.
        encoder_optimizer: Built on the encoder's trainable variables.
        head_optimizer: Built on the head's.
        batch_size: Global batch size.
        jit_compile: Compiles loss and gradients by XLA; sums over replicas and
            optimizers stay outside.

    Returns:
        A function of distributed images, the head's targets and a scalar that is 1 when
        this process wants to stop; returns the values of `StepOutcome`.
    """
    encoder_variables = encoder.trainable_variables
    variables = encoder_variables + head.trainable_variables
    scales_loss = isinstance(encoder_optimizer, keras.optimizers.LossScaleOptimizer)

    def loss_and_gradients(images, targets, loss_scale):
        with tf.GradientTape() as tape:
            descriptors = encoder(images, training=True)
            if scales_loss:
                descriptors = _scale_gradient(descriptors, loss_scale)
            losses = head.loss(descriptors, targets)
            loss = tf.reduce_sum(losses) / batch_size
        return loss, tape.gradient(loss, [v.value for v in variables])

    compute = tf.function(loss_and_gradients, jit_compile=True)

    def replica_step(images, targets, stop_requested):
        scale = encoder_optimizer.dynamic_scale.value if scales_loss else 1.0
        function = compute if jit_compile else loss_and_gradients
        loss, gradients = function(images, targets, scale)
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        of_encoder = gradients[: len(encoder_variables)]
        of_head = gradients[len(encoder_variables) :]
        if encoder_variables:
            encoder_optimizer.apply(of_encoder, encoder_variables)
        head_optimizer.apply(of_head, head.trainable_variables)
        overflowed = _any_not_finite(of_encoder)
        diverged = _any_not_finite(of_head)
        if not scales_loss:
            diverged, overflowed = tf.maximum(diverged, overflowed), 0.0
        return tf.stack([loss, diverged, overflowed, stop_requested])

    @tf.function
    def step(images, targets, stop_requested):
        outcomes = strategy.run(replica_step, args=(images, targets, stop_requested))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, outcomes, axis=None)

    return step


@tf.custom_gradient
def _scale_gradient(x, factor):
    return tf.identity(x), lambda gradient: (gradient * factor, None)


def _any_not_finite(tensors: list[tf.Tensor]) -> tf.Tensor:
    """Returns 1.0 when any value is infinite or NaN, else 0.0."""
    finite = [tf.reduce_all(tf.math.is_finite(tensor)) for tensor in tensors]
    return 1.0 - tf.cast(tf.reduce_all(finite), tf.float32)
