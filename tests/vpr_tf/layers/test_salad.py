import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.keras_testing import run_layer_test
from tests.vpr_tf.layers.test_sinkhorn import sinkhorn
from vpr_tf.layers import SALAD

SMALL = {
    "num_clusters": 5,
    "cluster_dim": 3,
    "token_dim": 4,
    "hidden_dim": 8,
    "dropout": 0.0,
    "sinkhorn_iterations": 3,
}


def random_inputs(height=3, width=4, channels=6, seed=0):
    rng = np.random.default_rng(seed)
    shapes = ((2, height, width, channels), (2, channels))
    return [rng.standard_normal(shape).astype("float32") for shape in shapes]


def make_layer(**kwargs):
    keras.utils.set_random_seed(0)
    return SALAD(**SMALL | kwargs)


def unit(x, axis=-1):
    return x / np.linalg.norm(x, axis=axis, keepdims=True)


def perceptron(layers, x):
    hidden, output = ([w.numpy() for w in layer.weights] for layer in layers)
    return np.maximum(x @ hidden[0] + hidden[1], 0) @ output[0] + output[1]


def aggregated(layer, features, class_token):
    """One image at a time, as the paper writes it."""
    descriptors = []
    for image, token in zip(features, class_token, strict=True):
        patches = image.reshape(-1, image.shape[-1])
        scores = perceptron(layer.score, patches)
        shares = sinkhorn(scores, float(layer.dust_bin), 3)
        sums = unit(perceptron(layer.cluster_features, patches).T @ shares, axis=0)
        parts = [sums.reshape(-1)]
        if layer.token != "none":
            source = token if layer.token == "class_token" else patches.mean(axis=0)
            parts.insert(0, unit(perceptron(layer.token_features, source)))
        descriptors.append(unit(np.concatenate(parts)))
    return np.array(descriptors)


def test_layer_basics():
    run_layer_test(
        SALAD,
        {**SMALL, "dropout": 0.25, "token": "class_token"},
        input_data=random_inputs(),
        expected_output_shape=(2, 19),
        expected_num_trainable_weights=13,
        expected_num_non_trainable_weights=0,
        expected_num_seed_generators=1,
        run_training_check=False,  # its generator takes one input only
    )


@pytest.mark.parametrize("token", ["class_token", "mean", "none"])
def test_values_equal_numpy(token):
    layer = make_layer(token=token)
    features, class_token = random_inputs()
    inputs = [features, class_token] if token == "class_token" else features
    layer(inputs)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, 0.5, w.shape) for w in layer.weights])
    output = layer(inputs)
    assert output.shape == (2, 15 if token == "none" else 19)
    expected = aggregated(layer, features, class_token)
    np.testing.assert_allclose(output, expected, atol=1e-5)


def test_dropout_in_training_only():
    layer = make_layer(dropout=0.5)
    inputs = random_inputs()
    still = layer(inputs, training=False)
    np.testing.assert_array_equal(still, layer(inputs, training=False))
    first, second = (layer(inputs, training=True).numpy() for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    # The token's perceptron drops nothing.
    ratio = first[:, :4] / still[:, :4]
    np.testing.assert_allclose(ratio, 1, rtol=1e-5)


def test_initial_weights_are_those_of_torch():
    layer = SALAD()
    layer.build([(None, None, None, 384), (None, 384)])
    assert float(layer.dust_bin) == 1.0
    for dense, inputs in zip(layer.score, (384, 512), strict=True):
        for weight in dense.weights:
            assert 0.9 * inputs**-0.5 < np.abs(weight).max() <= inputs**-0.5


def functional(layer, sides):
    inputs = [keras.Input((*sides, 6)), keras.Input((6,))]
    return keras.Model(inputs, layer(inputs))


def test_save_and_export(tmp_path):
    model = functional(make_layer(), (None, None))
    model.layers[-1].dust_bin.assign(-2.0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    model.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported"))
    for size in ((3, 4), (2, 3), (6, 6)):
        x = random_inputs(*size)
        np.testing.assert_array_equal(loaded(x), model(x))
        np.testing.assert_allclose(served.serve(x), model(x), atol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="more patches than clus"):
        served.serve(random_inputs(1, 5))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    layer = make_layer(dtype=policy)
    dtype = policy.removeprefix("mixed_")
    inputs = [tf.cast(x, dtype) for x in random_inputs()]
    inputs[0] *= np.array([1.0, 0.0])[:, None, None, None]  # an image without content
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = layer(inputs)
        total = tf.reduce_sum(tf.cast(output, "float32")[:, ::2])
    assert output.dtype == dtype
    weights = [w.value for w in layer.trainable_weights]
    gradients = tape.gradient(total, inputs + weights)
    assert all(np.isfinite(tf.cast(g, "float32")).all() for g in gradients)
    assert float(tf.reduce_max(tf.abs(gradients[0]))) > 0
    reference = make_layer()
    reference.build([x.shape for x in inputs])
    reference.set_weights(layer.get_weights())
    expected = reference([tf.cast(x, "float32") for x in inputs])
    np.testing.assert_allclose(tf.cast(output, "float32"), expected, atol=0.02)


# === Invalid arguments ===


@pytest.mark.parametrize("size", [(1, 5), (2, 2)])
def test_too_few_patches(size):
    message = rf"more patches than clusters.*5 clusters.*{size[0]} x {size[1]} patches"
    with pytest.raises(ValueError, match=message):
        make_layer()(random_inputs(*size))
    with pytest.raises(ValueError, match=message):
        functional(make_layer(), size)


def test_too_few_patches_known_at_run_time_only():
    model = functional(make_layer(), (None, None))
    signature = [tf.TensorSpec((None, None, None, 6)), tf.TensorSpec((None, 6))]
    compute = tf.function(lambda *x: model(list(x)), input_signature=signature)
    assert compute(*random_inputs(2, 3)).shape == (2, 19)
    with pytest.raises(tf.errors.InvalidArgumentError, match="beyond the 5 clusters"):
        compute(*random_inputs(1, 5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_clusters": 0}, "`num_clusters` must be 1 or more"),
        ({"dropout": 1.0}, r"`dropout` must be at least 0.*1\.0"),
        ({"token": "max"}, "`token` must be one of class_token, mean, none.*max"),
    ],
)
def test_invalid_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        SALAD(**options)


def test_features_must_be_maps():
    with pytest.raises(ValueError, match=r"\(batch, height, width, channels\)"):
        make_layer(token="none")(np.ones((2, 9, 6), "float32"))
