import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_testing import check_saving, run_layer_test
from vpr_tf.layers import AngularMarginHead


def random_problem(batch=6, dim=5, classes=7, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, dim)).astype("float32")
    return x, rng.integers(0, classes, batch)


def oracle_logits(x, w, class_index, scale, margin, easy_margin=True):
    """By the angle itself, in float64."""
    x, w = x.astype("float64"), w.astype("float64")
    cosine = x @ w / (np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(w, axis=0))
    own = (np.arange(len(x)), class_index)
    wider = np.cos(np.arccos(cosine[own]) + margin)
    has_margin = (cosine[own] > 0) | (not easy_margin)
    cosine[own] = np.where(has_margin, wider, cosine[own])
    return scale * cosine


def test_layer_basics():
    run_layer_test(
        AngularMarginHead,
        {"num_classes": 4, "scale": 10.0, "margin": 0.1, "seed": 3},
        input_shape=(2, 5),
        expected_output_shape=(2, 4),
        expected_output_dtype="float32",
        expected_num_trainable_weights=1,
        # Logits stay float32 under mixed precision, which that check forbids.
        run_mixed_precision_check=False,
    )


@pytest.mark.parametrize("jit_compile", [False, True])
def test_values_and_gradients_equal_official(official_values, jit_compile):
    head = AngularMarginHead(4)
    x = official_values["cosface_x"]
    head.build(x.shape)
    head.class_centres.assign(official_values["cosface_w"].T)

    @tf.function(jit_compile=jit_compile)
    def compute(x, labels):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_mean(head.loss(x, labels))
        return loss, *tape.gradient(loss, [x, head.class_centres.value])

    labels = tf.constant(official_values["cosface_labels"])
    loss, dx, dw = compute(tf.constant(x), labels)
    np.testing.assert_allclose(
        head(x, labels), official_values["arcface_logits"], atol=1e-4
    )
    np.testing.assert_allclose(loss, official_values["arcface_loss"], rtol=1e-5)
    np.testing.assert_allclose(dx, official_values["arcface_dx"], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        dw.numpy().T, official_values["arcface_dw"], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("easy_margin", [True, False])
def test_logits_equal_numpy(easy_margin):
    x, class_index = random_problem(batch=40)
    head = AngularMarginHead(7, scale=20.0, margin=0.25, easy_margin=easy_margin)
    logits = head(x, class_index)
    expected = oracle_logits(
        x, head.class_centres.numpy(), class_index, 20.0, 0.25, easy_margin
    )
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_without_the_easy_margin_it_is_at_every_angle():
    x, class_index = random_problem(batch=40)
    head = AngularMarginHead(7, easy_margin=False)
    without, own = head(x).numpy(), np.eye(7, dtype=bool)[class_index]
    with_margin = head(x, class_index).numpy()
    np.testing.assert_array_equal(with_margin < without, own)
    assert (without[own] < 0).any()
    same = AngularMarginHead.from_config(head.get_config())
    assert same.easy_margin is False


def test_margin_is_only_where_the_cosine_is_positive():
    x, class_index = random_problem(batch=40)
    head = AngularMarginHead(7)
    without, own = head(x).numpy(), np.eye(7, dtype=bool)[class_index]
    smaller = head(x, class_index).numpy() < without
    np.testing.assert_array_equal(smaller, own & (without > 0))
    assert 0 < smaller.sum() < 40


@pytest.mark.parametrize("sign", [1, -1])
def test_gradient_at_a_class_centre_is_finite(sign):
    centres = np.eye(3, dtype="float32")
    head = AngularMarginHead(3)
    head.build((None, 3))
    head.class_centres.assign(centres)
    x = tf.constant(sign * centres)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(head.loss(x, [0, 1, 2]))
    for gradient in tape.gradient(loss, [x, head.class_centres.value]):
        assert np.isfinite(gradient).all()
    cosine = np.cos(0.2) if sign > 0 else -1
    np.testing.assert_allclose(
        np.diag(head(x, np.arange(3))), 100 * np.full(3, cosine), rtol=1e-5
    )


def test_mixed_precision_stays_float32():
    x, class_index = random_problem()
    head = AngularMarginHead(7, dtype="mixed_float16", seed=1, hidden_layers=1)
    same_in_float32 = AngularMarginHead(7, seed=1, hidden_layers=1)
    loss = head.loss(x, class_index)
    assert {keras.backend.standardize_dtype(v.dtype) for v in head.variables} == {
        "float32"
    }
    assert loss.dtype == tf.float32
    np.testing.assert_array_equal(loss, same_in_float32.loss(x, class_index))


def test_save_and_load(tmp_path):
    check_saving(AngularMarginHead(7), random_problem()[0], tmp_path)


def test_arrays_give_the_logits():
    x, _ = random_problem()
    head = AngularMarginHead(7, seed=2)
    logits = head(x)
    arrays = head.arrays()
    assert sorted(arrays) == ["kernel", "scale"]
    centres = arrays["kernel"] / np.linalg.norm(arrays["kernel"], axis=0)
    cosine = x / np.linalg.norm(x, axis=1, keepdims=True) @ centres
    np.testing.assert_allclose(arrays["scale"] * cosine, logits, rtol=1e-4, atol=1e-4)


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"`num_classes` must be 1 or more.*=0"):
        AngularMarginHead(0)
    with pytest.raises(ValueError, match="`scale` must be positive"):
        AngularMarginHead(3, scale=-1.0)
    with pytest.raises(ValueError, match=r"`margin` must be in \[0, 1\).*=1.5"):
        AngularMarginHead(3, margin=1.5)
