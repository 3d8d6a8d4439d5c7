"""Which descriptors of a batch belong together, and how alike they are."""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops

_LOWEST = -1e30  # exp of it is 0 in float32; -inf would give NaN gradients


class Pairs(NamedTuple):
    """Pairs of a batch; row i holds the partners of descriptor i.

    Attributes:
        positive: Pairs of one place, bool `(batch, batch)`; nobody with itself.
        negative: Pairs of different places, bool `(batch, batch)`.
    """

    positive: Any
    negative: Any


def pairs_of(labels: Any) -> Pairs:
    """Returns all pairs of a batch.

    Args:
        labels: Integers `(batch,)`, equal for photos of one place.
    """
    labels = ops.convert_to_tensor(labels)
    is_same = ops.equal(labels[:, None], labels[None, :])
    is_other = ops.logical_not(ops.eye(ops.shape(labels)[0], dtype="bool"))
    return Pairs(ops.logical_and(is_same, is_other), ops.logical_not(is_same))


def pairs_of_views(num_photos: Any) -> Pairs:
    """Returns the pairs of a batch that holds first views, then second views.

    Args:
        num_photos: Photos, each of which has two views.
    """
    photos = ops.arange(num_photos)
    return pairs_of(ops.concatenate([photos, photos], axis=0))


def similarities(descriptors: Any) -> Any:
    """Returns all dot products, float32 `(batch, batch)`."""
    descriptors = ops.cast(descriptors, "float32")
    return ops.matmul(descriptors, ops.transpose(descriptors))


def squared_distances(descriptors: Any) -> Any:
    """Returns all squared Euclidean distances, float32 `(batch, batch)`."""
    descriptors = ops.cast(descriptors, "float32")
    squares = ops.sum(ops.square(descriptors), axis=1)
    products = similarities(descriptors)
    return ops.maximum(squares[:, None] + squares[None, :] - 2.0 * products, 0.0)


def distances(descriptors: Any) -> Any:
    """Returns all Euclidean distances; the gradient between equals is zero."""
    squares = squared_distances(descriptors)
    is_apart = squares > 0.0
    # The square root has no finite gradient at 0.
    roots = ops.sqrt(ops.where(is_apart, squares, 1.0))
    return ops.where(is_apart, roots, 0.0)


def log_sum_exp(values: Any, mask: Any, *, with_zero: bool = False) -> Any:
    """Returns the logarithm of the sum of exponentials along rows.

    Args:
        values: Float32 `(rows, columns)`.
        mask: What counts, bool of the same shape.
        with_zero: Whether a zero counts too: log(1 + sum).

    Returns:
        Float32 `(rows,)`; 0 where nothing counts.
    """
    kept = ops.where(mask, values, _LOWEST)
    if with_zero:
        kept = ops.concatenate([kept, ops.zeros_like(kept[:, :1])], axis=1)
    return ops.where(ops.any(mask, axis=1), ops.logsumexp(kept, axis=1), 0.0)


def mean_where(values: Any, mask: Any) -> Any:
    """Returns the mean of what counts; 0 when nothing does."""
    counted = ops.cast(mask, "float32")
    total = ops.sum(ops.where(mask, values, 0.0))
    return total / ops.maximum(ops.sum(counted), 1.0)


def largest_where(values: Any, mask: Any) -> Any:
    """Returns the largest of each row that counts, very small where none does."""
    return ops.max(ops.where(mask, values, _LOWEST), axis=-1)


def smallest_where(values: Any, mask: Any) -> Any:
    """Returns the smallest of each row that counts, very large where none does."""
    return -largest_where(-values, mask)
