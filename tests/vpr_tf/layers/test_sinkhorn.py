import numpy as np
import pytest
import tensorflow as tf

from vpr_tf.layers.sinkhorn import transport_to_clusters


def random_scores(batch=2, patches=12, clusters=4):
    rng = np.random.default_rng(0)
    return rng.normal(0, 3, (batch, patches, clusters)).astype("float32")


def sinkhorn(scores, dust_bin, iterations):
    """Scales the columns and rows of one image's matrix, in float64."""
    patches, clusters = scores.shape
    dust = np.full((patches, 1), dust_bin)
    plan = np.exp(np.hstack([scores, dust]).astype("float64"))
    mass = np.array([1.0] * clusters + [patches - clusters])
    for _ in range(iterations):
        plan *= mass / plan.sum(axis=0)
        plan /= plan.sum(axis=1, keepdims=True)
    return plan[:, :clusters]


@pytest.mark.parametrize("iterations", [1, 3, 20])
def test_values_equal_numpy(iterations):
    scores = random_scores()
    expected = [sinkhorn(image, 0.7, iterations) for image in scores]
    shares = transport_to_clusters(scores, 0.7, iterations)
    np.testing.assert_allclose(shares, expected, rtol=1e-4, atol=1e-7)


def test_every_cluster_receives_the_same_mass():
    shares = transport_to_clusters(random_scores(), 1.0, 200).numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-4)
    assert (shares.sum(axis=2) < 1).all()


def test_large_scores_do_not_overflow():
    scores = tf.constant(random_scores() * 1e4)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        total = tf.reduce_sum(transport_to_clusters(scores, 1.0, 3))
    assert np.isfinite(total)
    assert np.isfinite(tape.gradient(total, scores)).all()


def test_score_of_the_dust_bin_changes_nothing():
    low, high = (transport_to_clusters(random_scores(), dust, 1) for dust in (-3, 5))
    np.testing.assert_allclose(low, high, rtol=1e-4)
