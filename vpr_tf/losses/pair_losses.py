"""Losses over the pairs of a batch.

All take float descriptors `(batch, descriptor_dim)` of unit length and `Pairs`, and
return a float32 scalar. A descriptor without a partner of a kind adds nothing for it.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from vpr_tf.losses.pairs import (
    Pairs,
    distances,
    log_sum_exp,
    mean_where,
    similarities,
    squared_distances,
)


def multi_similarity(
    descriptors: Any,
    pairs: Pairs,
    alpha: float = 1.0,
    beta: float = 50.0,
    base: float = 0.0,
) -> Any:
    """Weighs positives and negatives by how hard they are beside the others.

    Args:
        descriptors: See the module.
        pairs: See the module; usually of `multi_similarity_pairs`.
        alpha: Sharpness for positives.
        beta: Sharpness for negatives.
        base: Similarity from which a pair counts (lambda).

    Reference:
        Wang et al., "Multi-Similarity Loss with General Pair Weighting for Deep Metric
        Learning", CVPR 2019, arXiv:1904.06627.
    """
    excess = similarities(descriptors) - base
    positive = log_sum_exp(-alpha * excess, pairs.positive, with_zero=True) / alpha
    negative = log_sum_exp(beta * excess, pairs.negative, with_zero=True) / beta
    return ops.mean(positive + negative)


def contrastive(
    descriptors: Any,
    pairs: Pairs,
    positive_margin: float = 0.0,
    negative_margin: float = 1.0,
    squared: bool = False,
) -> Any:
    """Pulls positives to one distance and pushes negatives beyond another.

    The mean over the positives that are too far plus that over the negatives that are
    too near.

    Args:
        descriptors: See the module.
        pairs: See the module.
        positive_margin: Distance at which a positive is near enough.
        negative_margin: Distance at which a negative is far enough.
        squared: Whether violations are squared, as in the paper.

    Reference:
        Hadsell et al., "Dimensionality Reduction by Learning an Invariant Mapping",
        CVPR 2006.
    """
    distance = distances(descriptors)
    total = 0.0
    for violation, mask in (
        (distance - positive_margin, pairs.positive),
        (negative_margin - distance, pairs.negative),
    ):
        values = ops.square(ops.relu(violation)) if squared else ops.relu(violation)
        total = total + mean_where(values, ops.logical_and(mask, violation > 0.0))
    return total


def contrastive_of_distances(
    distance: Any, is_positive: Any, margin: float = 1.0
) -> Any:
    """Returns the contrastive loss of each given pair.

    Args:
        distance: Of the two descriptors of a pair, `(num_pairs,)`.
        is_positive: 1 for pairs of one place, else 0, `(num_pairs,)`.
        margin: Distance at which a negative is far enough.

    Returns:
        Float32 `(num_pairs,)`.
    """
    distance = ops.cast(distance, "float32")
    is_positive = ops.cast(is_positive, "float32")
    too_near = ops.square(ops.relu(margin - distance))
    return is_positive * ops.square(distance) + (1.0 - is_positive) * too_near


def nt_xent(descriptors: Any, pairs: Pairs, temperature: float = 0.07) -> Any:
    """Cross-entropy of each positive against the negatives of its descriptor.

    Args:
        descriptors: See the module.
        pairs: See the module.
        temperature: Divides the similarities.

    Reference:
        Chen et al., "A Simple Framework for Contrastive Learning of Visual
        Representations" (SimCLR), arXiv:2002.05709.
    """
    logits = similarities(descriptors) / temperature
    negatives = log_sum_exp(logits, pairs.negative)[:, None]
    counted = ops.logical_and(
        pairs.positive, ops.any(pairs.negative, axis=1, keepdims=True)
    )
    return mean_where(ops.softplus(negatives - logits), counted)


def sup_con(descriptors: Any, pairs: Pairs, temperature: float = 0.07) -> Any:
    """Cross-entropy in which all positives of a descriptor share the label.

    Args:
        descriptors: See the module.
        pairs: See the module.
        temperature: Divides the similarities.

    Reference:
        Khosla et al., "Supervised Contrastive Learning", arXiv:2004.11362.
    """
    logits = similarities(descriptors) / temperature
    everyone = ops.logical_or(pairs.positive, pairs.negative)
    log_probability = logits - log_sum_exp(logits, everyone)[:, None]
    positive = ops.cast(pairs.positive, "float32")
    total = ops.sum(positive * log_probability, axis=1)
    losses = -total / ops.maximum(ops.sum(positive, axis=1), 1.0)
    return mean_where(losses, losses > 0.0)


def circle(
    descriptors: Any, pairs: Pairs, margin: float = 0.4, scale: float = 80.0
) -> Any:
    """Weighs each similarity by its own distance to where it should be.

    Args:
        descriptors: See the module.
        pairs: See the module.
        margin: How far similarities may be from 1 and 0 (m).
        scale: Factor of the similarities (gamma).

    Reference:
        Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity
        Optimization", arXiv:2002.10857.
    """
    cosine = similarities(descriptors)
    fixed = ops.stop_gradient(cosine)
    positive = -scale * ops.relu(1.0 + margin - fixed) * (cosine - (1.0 - margin))
    negative = scale * ops.relu(fixed + margin) * (cosine - margin)
    losses = ops.softplus(
        log_sum_exp(positive, pairs.positive) + log_sum_exp(negative, pairs.negative)
    )
    has_both = ops.logical_and(
        ops.any(pairs.positive, axis=1), ops.any(pairs.negative, axis=1)
    )
    return mean_where(losses, ops.logical_and(has_both, losses > 0.0))


def fast_ap(descriptors: Any, pairs: Pairs, num_bins: int = 10) -> Any:
    """One minus the average precision of the batch, over a soft histogram.

    Args:
        descriptors: See the module.
        pairs: See the module.
        num_bins: Bins of the squared distance, from 0 to 4.

    Reference:
        Cakir et al., "Deep Metric Learning to Rank", CVPR 2019.
    """
    width = 4.0 / num_bins
    edges = ops.linspace(0.0, 4.0, num_bins + 1)
    offset = ops.abs(squared_distances(descriptors)[:, :, None] - edges) / width
    pulse = ops.relu(1.0 - offset)
    positive, negative = (
        ops.sum(ops.where(mask[:, :, None], pulse, 0.0), axis=1) for mask in pairs
    )
    found = ops.cumsum(positive, axis=1)
    ranked = ops.cumsum(positive + negative, axis=1)
    counts = ops.logical_and(positive * found > 0.0, ranked > 0.0)
    precision = positive * found / ops.where(counts, ranked, 1.0)
    total = ops.sum(ops.where(counts, precision, 0.0), axis=1)
    num_positives = ops.sum(ops.cast(pairs.positive, "float32"), axis=1)
    losses = 1.0 - total / ops.maximum(num_positives, 1.0)
    return mean_where(losses, num_positives > 0.0)


def lifted_structure(descriptors: Any, pairs: Pairs, margin: float = 1.0) -> Any:
    """Each positive pair against all negatives of both its descriptors.

    Args:
        descriptors: See the module.
        pairs: See the module.
        margin: Distance at which a negative is far enough.

    Reference:
        Song et al., "Deep Metric Learning via Lifted Structured Feature Embedding",
        arXiv:1511.06452.
    """
    distance = distances(descriptors)
    negatives = log_sum_exp(margin - distance, pairs.negative)
    has_any = ops.any(pairs.negative, axis=1)
    negatives = ops.where(has_any, negatives, -1e30)
    of_both = ops.logaddexp(negatives[:, None], negatives[None, :])
    violation = ops.relu(of_both + distance)
    return 0.5 * mean_where(ops.square(violation), pairs.positive)


def generalized_lifted_structure(
    descriptors: Any,
    pairs: Pairs,
    positive_margin: float = 0.0,
    negative_margin: float = 1.0,
) -> Any:
    """All positives of a descriptor against all its negatives.

    Args:
        descriptors: See the module.
        pairs: See the module.
        positive_margin: Subtracted from the distance of positives.
        negative_margin: Distance at which a negative is far enough.

    Reference:
        Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification",
        arXiv:1703.07737.
    """
    distance = distances(descriptors)
    far = log_sum_exp(distance - positive_margin, pairs.positive)
    near = log_sum_exp(negative_margin - distance, pairs.negative)
    return ops.mean(ops.relu(far + near))


def n_pairs(descriptors: Any, pairs: Pairs, temperature: float = 1.0) -> Any:
    """The first photo of each place against the second photos of all places.

    Args:
        descriptors: See the module.
        pairs: See the module.
        temperature: Divides the similarities; 1 in the paper.

    Reference:
        Sohn, "Improved Deep Metric Learning with Multi-class N-pair Loss Objective",
        NeurIPS 2016.
    """
    logits = similarities(descriptors) / temperature
    positive = ops.cast(pairs.positive, "int32")
    has_earlier = ops.any(ops.tril(positive) > 0, axis=1)
    is_first = ops.logical_and(
        ops.any(pairs.positive, axis=1), ops.logical_not(has_earlier)
    )
    second = ops.argmax(positive, axis=1)
    own = ops.logical_and(
        ops.one_hot(second, ops.shape(logits)[0], dtype="bool"), is_first[:, None]
    )
    seconds = ops.logical_and(ops.any(own, axis=0)[None, :], is_first[:, None])
    of_own = ops.sum(ops.where(own, logits, 0.0), axis=1)
    return mean_where(log_sum_exp(logits, seconds) - of_own, is_first)


def n_pairs_of_similarities(similarity: Any, labels: Any) -> Any:
    """Cross-entropy of given similarities, equal labels sharing the target.

    Args:
        similarity: Of anchors to positives, `(batch, batch)`.
        labels: Integers `(batch,)`.
    """
    labels = ops.convert_to_tensor(labels)
    is_same = ops.cast(ops.equal(labels[:, None], labels[None, :]), "float32")
    target = is_same / ops.sum(is_same, axis=1, keepdims=True)
    similarity = ops.cast(similarity, "float32")
    return ops.mean(ops.categorical_crossentropy(target, similarity, from_logits=True))
