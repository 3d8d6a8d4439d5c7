"""Proxy-Anchor: a learnt descriptor for each place, against those of a batch."""

from __future__ import annotations

from typing import Any

from keras import ops

from vpr_tf.losses.pairs import log_sum_exp


def proxy_anchor(
    descriptors: Any,
    labels: Any,
    proxies: Any,
    margin: float = 0.1,
    alpha: float = 32.0,
) -> Any:
    """Pulls the photos of a place to its proxy and pushes all others from it.

    Args:
        descriptors: `(batch, descriptor_dim)`, L2-normalised.
        labels: Place of each descriptor, integers `(batch,)` below `num_places`.
        proxies: `(num_places, descriptor_dim)`, L2-normalised.
        margin: Of the cosine (delta).
        alpha: Factor of the cosine.

    Returns:
        Float32 scalar: the mean over the proxies with photos in the batch, plus that
        over all proxies of what is pushed.

    Reference:
        Kim et al., "Proxy Anchor Loss for Deep Metric Learning", arXiv:2003.13911.
    """
    labels = ops.cast(labels, "int32")
    cosine = ops.matmul(
        ops.cast(proxies, "float32"), ops.transpose(ops.cast(descriptors, "float32"))
    )
    places = ops.arange(ops.shape(cosine)[0], dtype="int32")
    is_own = ops.equal(places[:, None], labels[None, :])
    pulled = log_sum_exp(-alpha * (cosine - margin), is_own, with_zero=True)
    pushed = log_sum_exp(
        alpha * (cosine + margin), ops.logical_not(is_own), with_zero=True
    )
    num_present = ops.sum(ops.cast(ops.any(is_own, axis=1), "float32"))
    return ops.sum(pulled) / ops.maximum(num_present, 1.0) + ops.mean(pushed)
