import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.keras_testing import run_layer_test
from vpr_tf.layers import InterpolatedPositionEmbedding


def random_inputs(height, width, channels=3, tokens=2):
    rng = np.random.default_rng(0)
    shapes = ((2, height, width, channels), (2, tokens, channels))
    return [rng.standard_normal(shape).astype("float32") for shape in shapes]


def filled_layer(grid_size=5, channels=3, **kwargs):
    layer = InterpolatedPositionEmbedding(grid_size, **kwargs)
    layer.build([(None, None, None, channels), (None, None, channels)])
    rng = np.random.default_rng(1)
    layer.embeddings.assign(rng.standard_normal(layer.embeddings.shape))
    return layer


def test_layer_basics():
    run_layer_test(
        InterpolatedPositionEmbedding,
        {"grid_size": 4, "offset": 0.1, "antialias": False},
        input_data=random_inputs(3, 6),
        expected_output_shape=[(2, 3, 6, 3), (2, 2, 3)],
        expected_num_trainable_weights=1,
        expected_num_non_trainable_weights=0,
        run_training_check=False,  # its generator takes one input only
    )


@pytest.mark.parametrize("options", [{}, {"offset": 0.1}, {"antialias": True}], ids=str)
def test_learned_grid_is_added_as_it_is(options):
    layer = filled_layer(**options)
    patches, tokens = random_inputs(5, 5)
    embeddings = layer.embeddings.numpy()
    added_patches, added_tokens = layer([patches, tokens])
    expected = patches + embeddings[:, 1:].reshape(1, 5, 5, 3)
    np.testing.assert_allclose(added_patches, expected, atol=1e-6)
    np.testing.assert_array_equal(added_tokens[:, 0], tokens[:, 0] + embeddings[:, 0])
    np.testing.assert_array_equal(added_tokens[:, 1:], tokens[:, 1:])


@pytest.mark.parametrize(("height", "width"), [(23, 23), (16, 20)])
def test_a_channel_of_dinov2_positions_equals_official(official_values, height, width):
    layer = filled_layer(37, 1, offset=0.1)
    layer.embeddings.assign(official_values["position_embedding"])
    official = official_values[f"position_embedding_{height}x{width}"]
    ours = layer.interpolated(height, width).numpy().transpose(0, 3, 1, 2)
    atol = 1e-4 * np.abs(official).max()
    np.testing.assert_allclose(ours, official, rtol=0, atol=atol)


@pytest.mark.parametrize(("height", "width"), [(23, 23), (16, 20)])
def test_dinov2_positions_equal_official(golden_dir, reference, height, width):
    values = reference.reference_array("backbone.pos_embed", [1, 1370, 768])
    layer = filled_layer(37, 4, offset=0.1)
    layer.embeddings.assign(values[..., :4])
    golden = np.load(golden_dir / "network_MegaLoc_8448.npz")
    official = golden[f"position_embedding_first_4_channels_{height}x{width}"]
    ours = layer.interpolated(height, width).numpy().transpose(0, 3, 1, 2)
    atol = 1e-4 * np.abs(official).max()
    np.testing.assert_allclose(ours, official, rtol=0, atol=atol)


@pytest.mark.parametrize(("height", "width"), [(3, 9), (4, 4), (5, 8)])
def test_antialiased_positions_equal_pil(height, width):
    layer = filled_layer(5, 2, antialias=True)
    grid = layer.embeddings.numpy()[0, 1:].reshape(5, 5, 2)
    for channel in range(2):
        image = Image.fromarray(np.ascontiguousarray(grid[..., channel]))
        expected = image.resize((width, height), Image.Resampling.BICUBIC)
        received = layer.interpolated(height, width)[0, ..., channel]
        np.testing.assert_allclose(received, np.array(expected), atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"offset": 0.1}, {"antialias": True}], ids=str)
def test_sizes_known_at_run_time_only(tmp_path, options):
    layer = filled_layer(**options)
    inputs = [keras.Input((None, None, 3)), keras.Input((2, 3))]
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    model.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported"))
    for height, width in ((5, 5), (5, 7), (2, 3)):
        x = random_inputs(height, width)
        for received in (model(x), loaded(x), served.serve(x)):
            for ours, known in zip(received, layer(x), strict=True):
                np.testing.assert_allclose(ours, known, atol=1e-6)


def test_gradient_is_finite_under_mixed_float16():
    layer = filled_layer(offset=0.1, dtype="mixed_float16")
    inputs = [tf.constant(x, "float16") for x in random_inputs(3, 4)]
    with tf.GradientTape() as tape:
        patches, tokens = layer(inputs)
        total = tf.reduce_sum(patches) + tf.reduce_sum(tokens)
    assert patches.dtype == tokens.dtype == tf.float16
    gradient = tape.gradient(total, layer.embeddings.value).numpy()
    assert gradient.dtype == np.float32
    assert np.isfinite(gradient).all()
    # Each of the two images adds 1 to the class token and 12 to the grid.
    np.testing.assert_allclose(gradient[0, 0], 2)
    np.testing.assert_allclose(gradient[0, 1:].sum(axis=0), 24, rtol=1e-3)


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"`grid_size` must be 1 or more.*0"):
        InterpolatedPositionEmbedding(0)
    with pytest.raises(ValueError, match=r"`offset` must be 0.*0\.1"):
        InterpolatedPositionEmbedding(4, offset=0.1, antialias=True)
