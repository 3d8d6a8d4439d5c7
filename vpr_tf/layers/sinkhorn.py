"""Entropic optimal transport by Sinkhorn's iterations, with a dust bin."""

from __future__ import annotations

from typing import Any

from keras import ops


def transport_to_clusters(scores: Any, dust_bin: Any, iterations: int) -> Any:
    """Assigns each patch to clusters, or to a dust bin that takes the rest.

    Of the mass of `num_patches`, every cluster takes 1 and the dust bin
    `num_patches - num_clusters`. In float32 and in logarithms.

    Args:
        scores: How well patches fit clusters, `(batch, num_patches, num_clusters)`,
            with more patches than clusters.
        dust_bin: Score of the dust bin for every patch, a scalar.
        iterations: Number of iterations, each of which scales the columns and then the
            rows.

    Returns:
        Shape of `scores`: shares of the patches, the dust bin's left out.

    Reference:
        Cuturi, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport",
        arXiv:1306.0895; Sarlin et al., "SuperGlue", arXiv:1911.11763.
    """
    scores = ops.cast(scores, "float32")
    batch, num_patches, num_clusters = ops.shape(scores)
    dust = ops.broadcast_to(ops.cast(dust_bin, "float32"), (batch, num_patches, 1))
    scores = ops.concatenate([scores, dust], axis=2)
    patches = ops.cast(num_patches, "float32")
    log_total = ops.log(patches + num_clusters)
    left_over = ops.log(patches - num_clusters)
    log_columns = ops.concatenate([ops.zeros((num_clusters,)), left_over[None]])
    log_columns = log_columns - log_total
    rows = ops.zeros((batch, num_patches, 1))
    for _ in range(iterations):
        columns = log_columns - ops.logsumexp(scores + rows, axis=1, keepdims=True)
        rows = -log_total - ops.logsumexp(scores + columns, axis=2, keepdims=True)
    shares = ops.exp(scores + columns + rows + log_total)
    return shares[:, :, :num_clusters]
