import keras
import numpy as np
import pytest
import tensorflow as tf

from vpr_tf import losses

LABELS = np.array([3, 1, 3, 1, 7, 3])
PAIR_LOSSES = (
    *("multi_similarity", "contrastive", "nt_xent", "sup_con", "circle", "fast_ap"),
    *("lifted_structure", "generalized_lifted_structure", "n_pairs"),
    *("triplet", "triplet_hard", "triplet_semi_hard"),
)


def unit_rows(num_rows, dim=5, seed=0):
    x = np.random.default_rng(seed).normal(size=(num_rows, dim))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype("float32")


def gradient_of(function, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = function(x)
    return float(loss), tape.gradient(loss, x).numpy()


def test_pairs_are_of_labels_and_never_with_oneself():
    pairs = losses.pairs_of(LABELS)
    same = LABELS[:, None] == LABELS
    np.testing.assert_array_equal(pairs.negative, ~same)
    np.testing.assert_array_equal(pairs.positive, same & ~np.eye(6, dtype=bool))


@pytest.mark.parametrize("name", PAIR_LOSSES)
@pytest.mark.parametrize(
    "labels", [LABELS, np.arange(6), np.zeros(6, int)], ids=["mixed", "alone", "one"]
)
@pytest.mark.parametrize("collapsed", [False, True])
def test_gradients_are_finite_without_pairs_and_between_equals(name, labels, collapsed):
    x = np.repeat(unit_rows(1), 6, axis=0) if collapsed else unit_rows(6)
    pairs = losses.pairs_of(labels)
    loss, gradient = gradient_of(lambda x: getattr(losses, name)(x, pairs), x)
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_order_of_the_batch_does_not_matter(name):
    # n-pairs takes the first photos of a place, so their order stays.
    x, order = unit_rows(6), np.array([4, 1, 3, 0, 2, 5])
    function = getattr(losses, name)
    loss = function(x, losses.pairs_of(LABELS))
    shuffled = function(x[order], losses.pairs_of(LABELS[order]))
    np.testing.assert_allclose(shuffled, loss, rtol=1e-5)


@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_halves_are_computed_in_float32(name):
    x, pairs = unit_rows(6).astype("float16"), losses.pairs_of(LABELS)
    function = getattr(losses, name)
    loss = function(tf.constant(x), pairs)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    np.testing.assert_allclose(loss, function(x.astype("float32"), pairs), rtol=1e-5)


def test_n_pairs_take_the_first_two_photos_of_a_place():
    x = unit_rows(6)
    anchors, positives = x[[0, 1]], x[[2, 3]]  # of the places 3 and 1
    logits = anchors @ positives.T / 0.5
    expected = np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diag(logits))
    loss = losses.n_pairs(x, losses.pairs_of(LABELS), temperature=0.5)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


@pytest.mark.parametrize("soft", [False, True])
def test_triplets_equal_loops(soft):
    x = unit_rows(6)
    distance = np.linalg.norm(x[:, None] - x, axis=2)
    violations = [
        distance[a, p] - distance[a, n]
        for a in range(6)
        for p in range(6)
        for n in range(6)
        if a != p and LABELS[a] == LABELS[p] and LABELS[a] != LABELS[n]
    ]
    if soft:
        expected = np.mean(np.log1p(np.exp(violations)))
    else:
        expected = np.mean([v + 0.3 for v in violations if v + 0.3 > 0])
    loss = losses.triplet(x, losses.pairs_of(LABELS), margin=0.3, soft=soft)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_hard_triplets_choose_as_pytorch(golden_dir):
    with np.load(golden_dir / "research" / "losses.npz") as file:
        x, labels = file["embeddings"], file["labels"]
        anchor, positive, negative = file["batch_hard/triplets"].T
    apart = np.linalg.norm(x[anchor] - x[positive], axis=1)
    near = np.linalg.norm(x[anchor] - x[negative], axis=1)
    expected = np.mean(np.maximum(apart - near + 0.2, 0))
    loss = losses.triplet_hard(x, losses.pairs_of(labels), margin=0.2)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_squared_contrastive_equals_that_of_its_pairs():
    x, pairs = unit_rows(6), losses.pairs_of(LABELS)
    distance = np.linalg.norm(x[:, None] - x, axis=2)
    of_pairs = losses.contrastive_of_distances(distance, pairs.positive, 1.2).numpy()
    expected = [
        np.mean([v for v in of_pairs[np.asarray(mask)] if v > 0]) for mask in pairs
    ]
    loss = losses.contrastive(x, pairs, negative_margin=1.2, squared=True)
    np.testing.assert_allclose(loss, sum(expected), rtol=1e-4)


def test_mined_pairs_of_well_separated_places_are_none():
    x = np.repeat(np.eye(3, dtype="float32"), 2, axis=0)
    pairs = losses.pairs_of(np.repeat(np.arange(3), 2))
    mined = losses.multi_similarity_pairs(x, pairs)
    assert not np.any(mined.positive)
    assert not np.any(mined.negative)
    assert float(losses.multi_similarity(x, mined)) == 0.0


def test_proxy_anchor_equals_numpy():
    x, proxies, labels = (
        unit_rows(6),
        unit_rows(4, seed=1),
        np.array([0, 1, 0, 1, 3, 0]),
    )
    cosine = proxies @ x.T
    own = np.arange(4)[:, None] == labels
    pulled = np.log1p((np.exp(-32 * (cosine - 0.1)) * own).sum(axis=1))
    pushed = np.log1p((np.exp(32 * (cosine + 0.1)) * ~own).sum(axis=1))
    expected = pulled[own.any(axis=1)].mean() + pushed.mean()
    loss = losses.proxy_anchor(x, labels, proxies)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_simclr_finds_the_other_view_among_all():
    first, second = unit_rows(4), unit_rows(4, seed=1)
    views = np.concatenate([first, second])
    logits = np.exp(views @ views.T / 0.2)
    np.fill_diagonal(logits, 0)
    other = np.roll(np.arange(8), 4)
    expected = -np.mean(np.log(logits[np.arange(8), other] / logits.sum(axis=1)))
    loss = losses.simclr(first, second, temperature=0.2)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_barlow_twins_equals_numpy():
    first, second = unit_rows(7), unit_rows(7, seed=1)
    one, other = ((v - v.mean(0)) / np.sqrt(v.var(0) + 1e-5) for v in (first, second))
    correlation = one.T @ other / 7
    squares = np.square(correlation - np.eye(5))
    diagonal = np.trace(squares)
    expected = diagonal + 0.005 * (squares.sum() - diagonal)
    np.testing.assert_allclose(losses.barlow_twins(first, second), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["vicreg", "barlow_twins", "simclr"])
def test_collapsed_views_have_finite_gradients(name):
    same = np.repeat(unit_rows(1), 4, axis=0)
    loss, gradient = gradient_of(lambda x: getattr(losses, name)(x, x), same)
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()
