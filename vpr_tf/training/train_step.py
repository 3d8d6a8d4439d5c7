"""One compiled training step of one group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from vpr_tf.training.gradient_cache import cached_gradients
from vpr_tf.training.objectives import (
    Losses,
    Objective,
    ReplicaBatch,
    losses_of,
    variables_of,
)

# (batches, stop_requested) of each replica -> values of `StepOutcome`; a batch is
# (images, targets).
StepFunction = Callable[[Any, tf.Tensor], tf.Tensor]


class StepOutcome(NamedTuple):
    """What a step reports, the same on every worker.

    Attributes:
        loss: Of the global batch: the weighted sum of the objectives.
        diverged: Above 0 when a gradient that no loss scale can mend is not finite.
        overflowed: Above 0 when float16 gradients overflowed; the encoder's update
            was skipped and the loss scale halved.
        stop_requested: Above 0 when any worker requested to stop.
        lacks_pairs: Above 0 when an objective had no pair to learn from.
        each: The loss of each objective, without its weight.
    """

    loss: float
    diverged: float
    overflowed: float
    stop_requested: float
    lacks_pairs: float
    each: tuple[float, ...]

    @classmethod
    def of(cls, values: np.ndarray) -> StepOutcome:
        """Reads what a `StepFunction` returned."""
        loss, diverged, overflowed, stop, lacks, *each = map(float, values)
        return cls(loss, diverged, overflowed, stop, lacks, tuple(each))


def create_train_step(
    strategy: tf.distribute.Strategy,
    encoder: keras.Model,
    objectives: Sequence[Sequence[Objective]],
    encoder_optimizer: keras.optimizers.Optimizer,
    head_optimizer: keras.optimizers.Optimizer | None,
    *,
    jit_compile: bool = False,
    gradient_cache_chunk: int | None = None,
) -> StepFunction:
    """Compiles the step of one group, or of several that train together.

    A step takes a batch of each group; their losses and gradients add up, as if each
    batch had gone through the encoder alone, before anything is applied.

    Gradients are of the loss of the global batch, summed over replicas before they are
    clipped, checked and applied, so that the number of replicas does not matter. With a
    `LossScaleOptimizer` only the gradient that enters the encoder is scaled: those of
    the objectives' own variables are float32 as they come, and overflow only when the
    loss itself does.

    Args:
        strategy: The strategy under which all variables were made.
        encoder: Images to descriptors.
        objectives: Of each group.
        encoder_optimizer: Built on the encoder's trainable variables.
        head_optimizer: Built on the objectives' variables; None if there are none.
        jit_compile: Compiles loss and gradients by XLA; sums over replicas and
            optimizers stay outside.
        gradient_cache_chunk: Images that are described at once, see
            `cached_gradients`; None for all.

    Returns:
        A function of distributed batches, one a group, each images and targets by
        their name, and of a scalar that is 1 when this process wants to stop; returns
        the values of `StepOutcome`.
    """
    encoder_variables = encoder.trainable_variables
    own_variables = [v for of_group in objectives for v in variables_of(of_group)]
    scales_loss = isinstance(encoder_optimizer, keras.optimizers.LossScaleOptimizer)
    functions = [
        _gradients(
            *(encoder, of_group, scales_loss),
            jit_compile=jit_compile,
            gradient_cache_chunk=gradient_cache_chunk,
        )
        for of_group in objectives
    ]

    def replica_step(batches, stop_requested):
        scale = encoder_optimizer.dynamic_scale.value if scales_loss else 1.0
        losses, gradients = _added_up(functions, batches, scale, len(encoder_variables))
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        of_encoder = gradients[: len(encoder_variables)]
        of_objectives = gradients[len(encoder_variables) :]
        if encoder_variables:
            encoder_optimizer.apply(of_encoder, encoder_variables)
        if head_optimizer is not None:
            head_optimizer.apply(of_objectives, own_variables)
        overflowed = _any_not_finite(of_encoder)
        diverged = _any_not_finite(of_objectives)
        if not scales_loss:
            diverged, overflowed = tf.maximum(diverged, overflowed), 0.0
        return _outcome(losses, diverged, overflowed, stop_requested)

    @tf.function
    def step(batches, stop_requested):
        outcomes = strategy.run(replica_step, args=(batches, stop_requested))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, outcomes, axis=None)

    return step


def _gradients(
    encoder: keras.Model,
    objectives: Sequence[Objective],
    scales_loss: bool,
    *,
    jit_compile: bool,
    gradient_cache_chunk: int | None,
) -> Callable[..., tuple[Losses, list[Any]]]:
    """Returns what computes losses and gradients of a batch of one group."""
    variables = encoder.trainable_variables + variables_of(objectives)

    def loss_and_gradients(images, targets, loss_scale):
        with tf.GradientTape() as tape:
            descriptors = encoder(images, training=True)
            if scales_loss:
                descriptors = _scale_gradient(descriptors, loss_scale)
            batch = ReplicaBatch.of(descriptors, targets, objectives)
            losses = losses_of(objectives, batch)
        return losses, tape.gradient(losses.total, [v.value for v in variables])

    function = loss_and_gradients
    if gradient_cache_chunk is not None:
        function = cached_gradients(encoder, objectives, gradient_cache_chunk)
    return tf.function(function, jit_compile=True) if jit_compile else function


def _added_up(
    functions: Sequence[Callable[..., tuple[Losses, list[Any]]]],
    batches: Sequence[tuple[Any, Any]],
    scale: Any,
    num_of_encoder: int,
) -> tuple[Losses, list[Any]]:
    """Adds up losses and the encoder's gradients; each batch has own heads."""
    (losses, gradients), *others = [
        function(*batch, scale)
        for function, batch in zip(functions, batches, strict=True)
    ]
    of_encoder, own = gradients[:num_of_encoder], gradients[num_of_encoder:]
    for more, found in others:
        losses = tf.nest.map_structure(tf.add, losses, more)
        of_encoder = list(map(tf.add, of_encoder, found[:num_of_encoder]))
        own = [*own, *found[num_of_encoder:]]
    return losses, [*of_encoder, *own]


def _outcome(losses: Losses, *states: Any) -> tf.Tensor:
    return tf.stack([losses.total, *states, losses.lacks_pairs, *losses.each])


@tf.custom_gradient
def _scale_gradient(x, factor):
    return tf.identity(x), lambda gradient: (gradient * factor, None)


def _any_not_finite(tensors: list[tf.Tensor]) -> tf.Tensor:
    """Returns 1.0 when any value is infinite or NaN, else 0.0."""
    finite = [tf.reduce_all(tf.math.is_finite(tensor)) for tensor in tensors]
    return 1.0 - tf.cast(tf.reduce_all(finite), tf.float32)
