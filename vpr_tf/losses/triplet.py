"""Triplet losses: an anchor nearer to its positive than to its negative."""

from __future__ import annotations

from typing import Any

from keras import ops

from vpr_tf.losses.pairs import (
    Pairs,
    distances,
    largest_where,
    mean_where,
    smallest_where,
)


def triplet(
    descriptors: Any, pairs: Pairs, margin: float = 0.1, soft: bool = False
) -> Any:
    """Mean over all triplets that violate the margin.

    Takes memory for `batch**3` values.

    Args:
        descriptors: `(batch, descriptor_dim)`, L2-normalised.
        pairs: Pairs of the batch.
        margin: How much farther the negative must be; of the Euclidean distance.
        soft: log(1 + exp(violation)) instead of a margin, over all triplets.

    Reference:
        Schroff et al., "FaceNet: A Unified Embedding for Face Recognition and
        Clustering", arXiv:1503.03832.
    """
    distance = distances(descriptors)
    violation = distance[:, :, None] - distance[:, None, :]
    is_triplet = ops.logical_and(pairs.positive[:, :, None], pairs.negative[:, None, :])
    if soft:
        return mean_where(ops.softplus(violation), is_triplet)
    violation = violation + margin
    return mean_where(violation, ops.logical_and(is_triplet, violation > 0.0))


def triplet_hard(
    descriptors: Any, pairs: Pairs, margin: float = 0.1, soft: bool = False
) -> Any:
    """The farthest positive and the nearest negative of each anchor.

    Args:
        descriptors: `(batch, descriptor_dim)`, L2-normalised.
        pairs: Pairs of the batch.
        margin: How much farther the negative must be; of the Euclidean distance.
        soft: log(1 + exp(violation)) instead of a margin.

    Reference:
        Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification",
        arXiv:1703.07737.
    """
    distance = distances(descriptors)
    violation = largest_where(distance, pairs.positive)
    violation = violation - smallest_where(distance, pairs.negative)
    has_both = ops.logical_and(
        ops.any(pairs.positive, axis=1), ops.any(pairs.negative, axis=1)
    )
    violation = ops.where(has_both, violation, 0.0)
    losses = ops.softplus(violation) if soft else ops.relu(violation + margin)
    return mean_where(losses, has_both)


def triplet_semi_hard(descriptors: Any, pairs: Pairs, margin: float = 0.1) -> Any:
    """Each positive pair with the nearest negative that is farther than the positive.

    Where there is none, with the farthest negative. Takes memory for `batch**3` values.

    Args:
        descriptors: `(batch, descriptor_dim)`, L2-normalised.
        pairs: Pairs of the batch.
        margin: How much farther the negative must be; of the Euclidean distance.

    Reference:
        Schroff et al., "FaceNet: A Unified Embedding for Face Recognition and
        Clustering", arXiv:1503.03832.
    """
    distance = distances(descriptors)
    others = distance[:, None, :]
    is_farther = ops.logical_and(
        pairs.negative[:, None, :], others > distance[:, :, None]
    )
    farthest = largest_where(distance, pairs.negative)[:, None]
    chosen = ops.where(
        ops.any(is_farther, axis=2), smallest_where(others, is_farther), farthest
    )
    counted = ops.logical_and(
        pairs.positive, ops.any(pairs.negative, axis=1, keepdims=True)
    )
    return mean_where(ops.relu(margin + distance - chosen), counted)
