"""Gradients of a batch that is too large to be described at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from vpr_tf.training.objectives import (
    Losses,
    Objective,
    ReplicaBatch,
    losses_of,
    variables_of,
)


def cached_gradients(
    encoder: keras.Model, objectives: Sequence[Objective], chunk_size: int
) -> Callable[..., tuple[Losses, list[tf.Tensor]]]:
    """Returns a function that describes a batch in chunks, twice.

    First all images are described and forgotten but for their descriptors, of which the
    loss and its gradient are computed; then each chunk is described again and takes its
    part of that gradient back to the weights. So the memory is that of a chunk, and the
    gradient that of the whole batch. What the encoder draws (dropout) is the same both
    times. Batch norms that learn from the batch see chunks, not the whole batch.

    Args:
        encoder: Images to descriptors.
        objectives: What is learnt.
        chunk_size: Images in a chunk; divides the images of a replica.

    Returns:
        A function of images, targets and loss scale that returns the losses and the
        gradients of the encoder's trainable variables, times the scale, and of the
        objectives' own.

    Reference:
        Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited
        Setup", arXiv:2101.06983.
    """
    variables = [variable.value for variable in encoder.trainable_variables]
    own_variables = [variable.value for variable in variables_of(objectives)]
    # Moving statistics and what random numbers come next.
    states = encoder.non_trainable_variables

    def compute(images, targets, loss_scale):
        chunks = tf.reshape(images, (-1, chunk_size, *images.shape[1:]))
        before = [tf.identity(state.value) for state in states]
        descriptors = _described(encoder, chunks)
        with tf.GradientTape() as tape:
            tape.watch(descriptors)
            batch = ReplicaBatch.of(descriptors, targets, objectives)
            losses = losses_of(objectives, batch)
        of_descriptors, of_own = tape.gradient(
            losses.total, (descriptors, own_variables)
        )
        for state, value in zip(states, before, strict=True):
            state.assign(value)
        scaled = of_descriptors * tf.cast(loss_scale, of_descriptors.dtype)
        scaled = tf.reshape(scaled, (-1, chunk_size, descriptors.shape[-1]))
        return losses, [*_taken_back(encoder, variables, chunks, scaled), *of_own]

    return compute


def _described(encoder: keras.Model, chunks: tf.Tensor) -> tf.Tensor:
    """Describes chunks one after the other."""

    def describe(index, found):
        return index + 1, found.write(index, encoder(chunks[index], training=True))

    array = tf.TensorArray(encoder.output.dtype, tf.shape(chunks)[0])
    _, found = _for_each(chunks, describe, array)
    descriptors = found.concat()
    return tf.ensure_shape(descriptors, (None, encoder.output_shape[-1]))


def _taken_back(
    encoder: keras.Model,
    variables: list[tf.Variable],
    chunks: tf.Tensor,
    of_descriptors: tf.Tensor,
) -> list[tf.Tensor]:
    """Adds up what the chunks' descriptors make of their gradients."""

    def take_back(index, sums):
        with tf.GradientTape() as tape:
            descriptors = encoder(chunks[index], training=True)
        found = tape.gradient(
            descriptors,
            variables,
            output_gradients=of_descriptors[index],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        return index + 1, [total + one for total, one in zip(sums, found, strict=True)]

    zeros = [tf.zeros(variable.shape, variable.dtype) for variable in variables]
    return _for_each(chunks, take_back, zeros)[1]


def _for_each(
    chunks: tf.Tensor, body: Callable[..., Any], start: Any
) -> tuple[tf.Tensor, Any]:
    """Runs a body for each chunk, never two at once."""
    count = tf.shape(chunks)[0]
    return tf.while_loop(
        lambda index, _: index < count,
        body,
        (tf.constant(0), start),
        parallel_iterations=1,
    )
