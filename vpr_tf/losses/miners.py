"""Miners: which pairs of a batch are hard enough to learn from."""

from __future__ import annotations

from typing import Any

from keras import ops

from vpr_tf.losses.pairs import (
    Pairs,
    largest_where,
    similarities,
    smallest_where,
)


def multi_similarity_pairs(
    descriptors: Any, pairs: Pairs, epsilon: float = 0.1
) -> Pairs:
    """Keeps pairs that are hard beside the others of the same descriptor.

    A positive stays when it is less alike than the most similar negative plus
    `epsilon`, a negative when it is more alike than the least similar positive minus
    `epsilon`.

    Args:
        descriptors: `(batch, descriptor_dim)`, L2-normalised.
        pairs: Pairs to choose from.
        epsilon: Margin, of the cosine.

    Reference:
        Wang et al., "Multi-Similarity Loss with General Pair Weighting for Deep Metric
        Learning", CVPR 2019, arXiv:1904.06627.
    """
    cosine = ops.stop_gradient(similarities(descriptors))
    hardest_negative = largest_where(cosine, pairs.negative)[:, None]
    hardest_positive = smallest_where(cosine, pairs.positive)[:, None]
    return Pairs(
        ops.logical_and(pairs.positive, cosine - epsilon < hardest_negative),
        ops.logical_and(pairs.negative, cosine + epsilon > hardest_positive),
    )
