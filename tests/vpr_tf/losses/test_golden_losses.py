"""Values and gradients of pytorch-metric-learning 2.9 and TensorFlow Addons 0.23."""

import numpy as np
import pytest
import tensorflow as tf

from vpr_tf import losses
from vpr_tf.layers import L2Normalization


def of_labels(loss, **settings):
    def value(descriptors, golden):
        pairs = losses.pairs_of(golden["labels"])
        return getattr(losses, loss)(descriptors, pairs, **settings)

    return value


def normalized(loss, **settings):
    """There the loss normalises, which the gradient shows."""
    value = of_labels(loss, **settings)
    return lambda x, golden: value(L2Normalization(dtype="float32")(x), golden)


def mined(descriptors, golden):
    unit = L2Normalization(dtype="float32")(descriptors)
    pairs = losses.multi_similarity_pairs(unit, losses.pairs_of(golden["labels"]))
    return losses.multi_similarity(unit, pairs)


def vicreg(descriptors, golden):
    return losses.vicreg(descriptors, golden["second_view"])


OF_PYTORCH = {
    "multi_similarity_a1_b50_base0_dot": normalized("multi_similarity"),
    "multi_similarity_a2_b50_base0.5_cos": normalized(
        "multi_similarity", alpha=2.0, beta=50.0, base=0.5
    ),
    "multi_similarity_with_miner": mined,
    "circle_m0.4_g80": normalized("circle", margin=0.4, scale=80.0),
    "contrastive_pos0_neg1": normalized("contrastive"),
    "supcon_t0.07": normalized("sup_con", temperature=0.07),
    "ntxent_t0.07": normalized("nt_xent", temperature=0.07),
    "fastap_bins30": normalized("fast_ap", num_bins=30),
    "generalized_lifted_neg0_pos1": normalized(
        "generalized_lifted_structure", positive_margin=1.0, negative_margin=0.0
    ),
    "triplet_margin0.1_all": normalized("triplet", margin=0.1),
    "vicreg_25_25_1": vicreg,
}
OF_ADDONS = {
    "triplet_semihard_margin1": of_labels("triplet_semi_hard", margin=1.0),
    "triplet_hard_margin1": of_labels("triplet_hard", margin=1.0),
    "triplet_hard_soft": of_labels("triplet_hard", soft=True),
    "lifted_struct_margin1": of_labels("lifted_structure", margin=1.0),
}


def read(golden_dir, name):
    with np.load(golden_dir / "research" / f"{name}.npz") as file:
        return dict(file)


def check(function, x, expected_loss, expected_gradient):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = function(x)
    assert loss.dtype == tf.float32
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-5)
    largest = np.abs(expected_gradient).max()
    gradient = tape.gradient(loss, x)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=0, atol=2e-5 * largest)


@pytest.mark.parametrize("name", OF_PYTORCH)
def test_loss_and_gradient_equal_pytorch(golden_dir, name):
    golden = read(golden_dir, "losses")
    check(
        lambda x: OF_PYTORCH[name](x, golden),
        *(golden["embeddings"], golden[f"{name}/loss"], golden[f"{name}/gradient"]),
    )


@pytest.mark.parametrize("name", OF_ADDONS)
def test_loss_and_gradient_equal_tensorflow_addons(golden_dir, name):
    golden = read(golden_dir, "tensorflow_addons")
    check(
        lambda x: OF_ADDONS[name](x, golden),
        *(golden["embeddings"], golden[f"{name}/loss"], golden[f"{name}/gradient"]),
    )


def test_n_pairs_of_similarities_equal_tensorflow_addons(golden_dir):
    golden = read(golden_dir, "tensorflow_addons")
    labels = np.arange(6)
    check(
        lambda x: losses.n_pairs_of_similarities(x, labels),
        golden["npairs_similarity_matrix"],
        golden["npairs_on_similarity_matrix/loss"],
        golden["npairs_on_similarity_matrix/gradient"],
    )


def test_contrastive_of_distances_equals_tensorflow_addons(golden_dir):
    golden = read(golden_dir, "tensorflow_addons")
    check(
        lambda x: tf.reduce_sum(
            losses.contrastive_of_distances(x, golden["contrastive_same"])
        ),
        golden["contrastive_distance"],
        golden["contrastive_margin1/loss"],
        golden["contrastive_margin1/gradient"],
    )


def test_mined_pairs_equal_pytorch(golden_dir):
    golden = read(golden_dir, "losses")
    pairs = losses.multi_similarity_pairs(
        golden["embeddings"], losses.pairs_of(golden["labels"]), epsilon=0.1
    )
    for kind in ("positive", "negative"):
        expected = golden[f"ms_miner_eps0.1/{kind}_pairs"]
        found = np.argwhere(getattr(pairs, kind).numpy())
        assert sorted(map(tuple, found)) == sorted(map(tuple, expected))
