"""Losses over two views of the same photos, which need no labels.

Both views are float descriptors `(num_photos, descriptor_dim)`, row by row of the same
photo; the result is a float32 scalar.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from vpr_tf.losses.pair_losses import nt_xent
from vpr_tf.losses.pairs import pairs_of_views

_LEAST_VARIANCE = 1e-4  # of VICReg
_LEAST_DEVIATION = 1e-5  # of Barlow Twins, as its batch norm adds to the variance


def vicreg(
    first: Any,
    second: Any,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> Any:
    """Equal views, dimensions of deviation 1 or more, and no correlation of these.

    Args:
        first: See the module; not normalised.
        second: See the module.
        invariance: Weight of the squared difference of the views (lambda).
        variance: Weight of deviations below 1 (mu).
        covariance: Weight of the squared covariances (nu).

    Reference:
        Bardes et al., "VICReg: Variance-Invariance-Covariance Regularization for
        Self-Supervised Learning", arXiv:2105.04906.
    """
    first, second = ops.cast(first, "float32"), ops.cast(second, "float32")
    total = invariance * ops.mean(ops.square(first - second))
    for view in (first, second):
        centred = view - ops.mean(view, axis=0)
        matrix = ops.matmul(ops.transpose(centred), centred)
        matrix = matrix / ops.maximum(_num_rows(view) - 1.0, 1.0)
        deviation = ops.sqrt(ops.diagonal(matrix) + _LEAST_VARIANCE)
        narrow = ops.mean(ops.relu(1.0 - deviation)) / 2.0
        total = total + variance * narrow
        total = total + covariance * _off_diagonal(matrix) / view.shape[-1]
    return total


def barlow_twins(first: Any, second: Any, redundancy: float = 0.005) -> Any:
    """Correlation 1 between the views of a dimension, 0 between dimensions.

    Args:
        first: See the module.
        second: See the module.
        redundancy: Weight of correlations between dimensions (lambda).

    Reference:
        Zbontar et al., "Barlow Twins: Self-Supervised Learning via Redundancy
        Reduction", arXiv:2103.03230.
    """
    first, second = (_standardized(view) for view in (first, second))
    correlation = ops.matmul(ops.transpose(first), second) / _num_rows(first)
    on_diagonal = ops.sum(ops.square(1.0 - ops.diagonal(correlation)))
    return on_diagonal + redundancy * _off_diagonal(correlation)


def simclr(first: Any, second: Any, temperature: float = 0.07) -> Any:
    """NT-Xent: each view finds the other among all views of other photos.

    Args:
        first: See the module; L2-normalised.
        second: See the module.
        temperature: Divides the similarities.

    Reference:
        Chen et al., "A Simple Framework for Contrastive Learning of Visual
        Representations", arXiv:2002.05709.
    """
    pairs = pairs_of_views(ops.shape(first)[0])
    return nt_xent(ops.concatenate([first, second], axis=0), pairs, temperature)


def _standardized(view: Any) -> Any:
    view = ops.cast(view, "float32")
    centred = view - ops.mean(view, axis=0)
    variance = ops.mean(ops.square(centred), axis=0)
    return centred * ops.rsqrt(variance + _LEAST_DEVIATION)


def _off_diagonal(matrix: Any) -> Any:
    """Returns the sum of squares beside the diagonal."""
    squares = ops.square(matrix)
    return ops.sum(squares) - ops.sum(ops.diagonal(squares))


def _num_rows(view: Any) -> Any:
    return ops.cast(ops.shape(view)[0], "float32")
