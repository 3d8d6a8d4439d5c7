import keras
import numpy as np
import pytest
import tensorflow as tf

from vpr_tf.models import GeoLocalizationNet
from vpr_tf.models.aggregations import (
    AGGREGATION_NAMES,
    aggregation_spec,
    check_aggregation_fits,
    parse_aggregation,
)
from vpr_tf.models.backbones import backbone_spec

# Cut after stage 0: quick to make, and images of 8x12 pixels give maps of 4x6x32.
SMALL_OPTIONS = {
    "gem": {"p": 2.5},
    "average": {},
    "max": {},
    "rmac": {"levels": 2},
    "netvlad": {"num_clusters": 2},
    "mixvpr": {"out_channels": 4, "out_rows": 2, "mix_depth": 1},
    "attention": {"num_heads": 4},
    "supervlad": {"num_clusters": 2},
    "boq": {"out_channels": 64, "out_rows": 2, "num_queries": 3},
    "optimal_transport": {
        **{"num_clusters": 2, "cluster_dim": 3, "token_dim": 4, "hidden_dim": 5},
        "token": "mean",
    },
}
LENGTHS = {
    "netvlad": 2 * 32,
    "mixvpr": 8,
    "boq": 128,
    "supervlad": 64,
    "optimal_transport": 4 + 2 * 3,
}
NORMALIZED = {"gem", "average", "max", "rmac"}


def random_images(height=8, width=12, batch=2):
    rng = np.random.default_rng(0)
    return rng.random((batch, height, width, 3), "float32")


def make_encoder(name, **arguments):
    keras.utils.set_random_seed(0)
    return GeoLocalizationNet(
        "EfficientNetLite0",
        **{
            "descriptor_dim": None,
            "last_stage": 0,
            "aggregation": {"name": name, **SMALL_OPTIONS[name]},
            "image_shape": (8, 12, 3) if name == "mixvpr" else (None, None, 3),
            **arguments,
        },
    )


def test_every_aggregation_is_tested():
    assert set(AGGREGATION_NAMES) == {
        *SMALL_OPTIONS,
        "class_token",
        "aggregation_tokens",
    }


@pytest.mark.parametrize("name", SMALL_OPTIONS)
def test_encoder_of_every_aggregation_that_fits(name, tmp_path):
    encoder = make_encoder(name)
    images = random_images()
    descriptors = encoder(images)
    length = LENGTHS.get(name, 32)
    assert descriptors.shape == (2, length)
    assert encoder.descriptor_dim == length
    assert descriptors.dtype == tf.float32
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, rtol=1e-5)
    has_step = any(layer.name == "normalize_features" for layer in encoder.layers)
    assert has_step == (name in NORMALIZED)
    # === Config and file ===
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    assert isinstance(loaded, GeoLocalizationNet)
    assert loaded.get_config() == encoder.get_config()
    np.testing.assert_array_equal(loaded(images), descriptors)
    # === Export ===
    encoder.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported"))
    sizes = [(8, 12)] if name == "mixvpr" else [(8, 12), (12, 8), (33, 15)]
    for height, width in sizes:
        x = random_images(height, width)
        np.testing.assert_allclose(served.serve(x), encoder(x), atol=1e-5)


@pytest.mark.parametrize("name", ["rmac", "netvlad", "mixvpr", "attention", "boq"])
def test_gradients_are_finite_under_mixed_float16(name):
    encoder = make_encoder(
        name, descriptor_dim=4, train_from_stage=0, dtype="mixed_float16"
    )
    # A black image leaves locations of the feature map without any activation.
    images = np.concatenate([random_images(batch=1), np.zeros((1, 8, 12, 3), "f4")])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(images, training=True)[:, 0])
    variables = [variable.value for variable in encoder.trainable_variables]
    trained = {variable.path for variable in encoder.trainable_variables}
    assert {w.path for w in encoder.get_layer("aggregation").weights} <= trained
    for gradient in tape.gradient(loss, variables):
        assert np.isfinite(gradient).all()


def test_normalisation_of_features_is_an_option():
    images = random_images()
    with_step, without = (
        make_encoder("max", aggregation={"name": "max", "normalize_features": choice})
        for choice in (True, False)
    )
    without.set_weights(with_step.get_weights())
    features = with_step.feature_extractor()(images).numpy()
    expected = features.max(axis=(1, 2))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(without(images), expected, atol=1e-5)
    assert np.abs(with_step(images) - expected).max() > 1e-4
    assert without.get_config()["aggregation"]["normalize_features"] is False


def test_class_token_is_the_aggregation():
    spec = aggregation_spec("class_token")
    tokens = np.arange(6.0, dtype="float32").reshape(2, 3)
    np.testing.assert_array_equal(spec.layer()(tokens), tokens)


# === What does not fit ===


def test_class_token_needs_a_transformer():
    message = "class_token needs a class token, and EfficientNetLite0 is a conv"
    with pytest.raises(ValueError, match=message):
        GeoLocalizationNet("EfficientNetLite0", 8, aggregation="class_token")


@pytest.mark.parametrize("image_shape", [(None, None, 3), (64, None, 3)])
def test_mixvpr_needs_images_of_one_size(image_shape):
    message = r"mixvpr belong to the locations.*`encoder.image_size`.*None"
    with pytest.raises(ValueError, match=message):
        GeoLocalizationNet(
            "EfficientNetLite0", 8, aggregation="mixvpr", image_shape=image_shape
        )
    check_aggregation_fits("mixvpr", backbone_spec("ResNet18"), (64, 64, 3))


@pytest.mark.parametrize(
    ("aggregation", "message"),
    [
        ("gme", r"one of gem, average, max, rmac, .*class_token.*Received: 'gme'"),
        ({"name": "netvlad", "clusters": 3}, r"no option clusters. Known: num_cl"),
        ({"name": "max", "p": 3.0}, "no option p. Known: normalize_features"),
        ({"p": 3.0}, "must be a name or a mapping with a `name`"),
        (3, "must be a name or a mapping with a `name`.*Received: 3"),
        (None, "must be a name or a mapping with a `name`.*Received: None"),
        ({"name": 3}, "must be a name or a mapping with a `name`"),
        ({"name": "gem", "p": "three"}, "`p` .*gem must be a number.*'three'"),
        ({"name": "rmac", "levels": 2.5}, "`levels` .*must be a whole number.*2.5"),
        ({"name": "rmac", "levels": 0}, "`levels` must be 1 or more"),
        ({"name": "gem", "normalize_features": "no"}, "must be true or false.*'no'"),
        ({"name": "class_token", "normalize_features": True}, "takes tokens"),
    ],
)
def test_wrong_aggregations_are_named(aggregation, message):
    with pytest.raises(ValueError, match=message):
        GeoLocalizationNet("EfficientNetLite0", 8, aggregation=aggregation)


def test_parts_of_the_config():
    config = {"name": "gem", "p": 4, "normalize_features": False}
    assert parse_aggregation(config) == ("gem", {"p": 4}, False)
    assert parse_aggregation("netvlad") == ("netvlad", {}, False)
    assert parse_aggregation("rmac") == ("rmac", {}, True)
    assert config == {"name": "gem", "p": 4, "normalize_features": False}
