import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_testing import run_layer_test
from vpr_tf.layers import CosineMarginHead


def oracle_logits(x, w, class_index, scale=30.0, margin=0.4):
    norms = np.linalg.norm(x, axis=1, keepdims=True) * np.linalg.norm(w, axis=0)
    cosine = x @ w / np.maximum(norms, 1e-8)
    cosine[np.arange(len(x)), class_index] -= margin
    return scale * cosine


def random_problem(batch=6, dim=5, classes=7, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, dim)).astype("float32")
    return x, rng.integers(0, classes, batch)


def test_layer_basics():
    run_layer_test(
        CosineMarginHead,
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
    head = CosineMarginHead(4)
    head.build(official_values["cosface_x"].shape)
    head.class_centres.assign(official_values["cosface_w"].T)

    @tf.function(jit_compile=jit_compile)
    def compute(x, labels):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_mean(head.loss(x, labels))
        return loss, *tape.gradient(loss, [x, head.class_centres.value])

    labels = tf.constant(official_values["cosface_labels"])
    loss, dx, dw = compute(tf.constant(official_values["cosface_x"]), labels)
    np.testing.assert_allclose(
        head(official_values["cosface_x"], labels),
        official_values["cosface_logits"],
        atol=1e-5,
    )
    np.testing.assert_allclose(loss, official_values["cosface_loss"], rtol=1e-5)
    np.testing.assert_allclose(dx, official_values["cosface_dx"], atol=1e-5)
    np.testing.assert_allclose(dw.numpy().T, official_values["cosface_dw"], atol=1e-5)


def test_logits_equal_numpy():
    x, class_index = random_problem()
    head = CosineMarginHead(7, scale=20.0, margin=0.25)
    logits = head(x, class_index)
    expected = oracle_logits(
        x, head.class_centres.numpy(), class_index, scale=20.0, margin=0.25
    )
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_without_class_index_there_is_no_margin():
    x, class_index = random_problem()
    head = CosineMarginHead(7)
    difference = head(x) - head(x, class_index)
    expected = 30.0 * 0.4 * np.eye(7)[class_index]
    np.testing.assert_allclose(difference, expected, atol=1e-4)


def test_zero_descriptor_has_zero_cosine_and_finite_gradient():
    head = CosineMarginHead(3)
    x = tf.zeros((1, 4))
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = head.loss(x, [1])
    assert np.isfinite(tape.gradient(loss, x)).all()
    np.testing.assert_array_equal(head(x), np.zeros((1, 3)))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_stays_float32(policy):
    x, class_index = random_problem()
    head = CosineMarginHead(7, dtype=policy, seed=1)
    same_in_float32 = CosineMarginHead(7, seed=1)
    logits = head(x, class_index)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert keras.backend.standardize_dtype(head.class_centres.dtype) == "float32"
    np.testing.assert_array_equal(logits, same_in_float32(x, class_index))
    low = tf.cast(x, head.compute_dtype)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(head.loss(low, class_index))
    gradient = tape.gradient(loss, head.class_centres.value)
    assert gradient.dtype == tf.float32
    assert np.isfinite(gradient).all()


def test_same_seed_same_centres():
    first, second, other = (CosineMarginHead(5, seed=seed) for seed in (7, 7, 8))
    for head in (first, second, other):
        head.build((None, 16))
    np.testing.assert_array_equal(first.class_centres, second.class_centres)
    assert np.abs(first.class_centres - other.class_centres).max() > 0


def test_centres_have_xavier_bound():
    head = CosineMarginHead(200)
    head.build((None, 100))
    bound = np.sqrt(6 / 300)
    assert 0.95 * bound < np.abs(head.class_centres).max() <= bound


def test_save_and_load(tmp_path):
    x, _ = random_problem()
    inputs = keras.Input((5,))
    model = keras.Model(inputs, CosineMarginHead(7)(inputs))
    model.save(tmp_path / "head.keras")
    loaded = keras.saving.load_model(tmp_path / "head.keras")
    np.testing.assert_array_equal(model(x), loaded(x))


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"`num_classes` must be 1 or more.*=0"):
        CosineMarginHead(0)
    with pytest.raises(ValueError, match="`scale` must be positive"):
        CosineMarginHead(3, scale=0.0)
    with pytest.raises(ValueError, match=r"`margin` must be in \[0, 1\)"):
        CosineMarginHead(3, margin=1.0)
    with pytest.raises(ValueError, match=r"\(batch, descriptor_dim\)"):
        CosineMarginHead(3)(np.ones((2, 4, 4, 5), "float32"))


def test_arrays_hold_the_centres():
    head = CosineMarginHead(3, scale=20.0)
    head.build((None, 4))
    arrays = head.arrays()
    np.testing.assert_array_equal(arrays["kernel"], head.class_centres)
    assert arrays["scale"] == 20
    assert sorted(arrays) == ["kernel", "scale"]
