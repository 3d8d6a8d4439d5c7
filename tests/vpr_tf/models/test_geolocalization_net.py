import keras
import numpy as np
import pytest
import tensorflow as tf

from vpr_tf.models import GeoLocalizationNet

GEM = {"name": "gem", "p": 2.5}


def make_encoder(**kwargs):
    """Three of nine stages, which differ in nothing that is tested here."""
    keras.utils.set_random_seed(0)
    return GeoLocalizationNet("EfficientNetLite0", 16, last_stage=2, **kwargs)


def random_images(height=64, width=96, batch=2):
    rng = np.random.default_rng(0)
    return rng.random((batch, height, width, 3), "float32")


def stages_of_trainable_variables(model):
    return {
        number for number, stage in enumerate(model.stages) if stage.trainable_variables
    }


def moving_statistics(stage):
    return [
        variable.numpy() for variable in stage.variables if "moving" in variable.name
    ]


@pytest.fixture(scope="module")
def encoder():
    return make_encoder(
        aggregation={"name": "gem", "p": 2.5}, train_from_stage=1, bn_mode="torch"
    )


def test_descriptors_have_unit_length_at_any_size(encoder):
    for height, width in ((64, 96), (75, 33)):
        descriptors = encoder(random_images(height, width)).numpy()
        assert descriptors.shape == (2, 16)
        assert descriptors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, rtol=1e-5)


def test_attributes(encoder):
    assert encoder.backbone_name == "EfficientNetLite0"
    assert encoder.descriptor_dim == 16
    assert encoder.feature_channels == 24
    assert float(encoder.get_layer("aggregation").p) == 2.5
    assert len(encoder.stages) == 3
    shape = encoder.feature_extractor()(random_images()).shape
    assert shape == (2, 16, 24, encoder.feature_channels)


@pytest.mark.parametrize(
    ("backbone", "mean", "std"),
    [
        ("ResNet18", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("EfficientNetLite0", (127 / 255,) * 3, (128 / 255,) * 3),
    ],
)
def test_images_are_standardised_inside(backbone, mean, std):
    model = GeoLocalizationNet(backbone, 4)
    images = random_images()
    output = model.get_layer("standardize")(images)
    expected = (images - np.array(mean)) / np.array(std)
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-6)


def test_projection_starts_as_torch_linear():
    model = GeoLocalizationNet("ResNet18", 256)
    projection = model.get_layer("projection")
    limit = 512**-0.5
    for weight in (projection.kernel, projection.bias):
        values = weight.numpy()
        assert 0.95 * limit < np.abs(values).max() <= limit
        np.testing.assert_allclose(values.std(), limit / 3**0.5, rtol=0.1)


# === Freezing ===


@pytest.mark.parametrize(
    ("bn_mode", "train_from_stage", "trained"),
    [
        ("torch", None, range(3)),
        ("torch", 1, range(1, 3)),
        ("torch", 3, ()),
        ("keras", 1, range(1, 3)),
    ],
)
def test_only_wanted_variables_train(bn_mode, train_from_stage, trained):
    model = make_encoder(train_from_stage=train_from_stage, bn_mode=bn_mode)
    assert stages_of_trainable_variables(model) == set(trained)
    with tf.GradientTape(persistent=True) as tape:
        images = tf.constant(random_images())
        tape.watch(images)
        total = tf.reduce_sum(model(images, training=True)[:, 0])
    variables = [variable.value for variable in model.trainable_variables]
    assert all(gradient is not None for gradient in tape.gradient(total, variables))
    trainable_paths = {variable.path for variable in model.trainable_variables}
    for layer in ("aggregation", "projection"):
        assert {w.path for w in model.get_layer(layer).weights} <= trainable_paths
    # The gradient stops before the first frozen stage, not only at its variables.
    frozen = [variable.value for variable in model.stages[0].weights]
    reaches_input = tape.gradient(total, images) is not None
    assert reaches_input == (len(trained) == 3)
    if not reaches_input:
        assert all(gradient is None for gradient in tape.gradient(total, frozen))


@pytest.mark.parametrize(("bn_mode", "moves"), [("torch", True), ("keras", False)])
def test_statistics_of_frozen_batch_norms(bn_mode, moves):
    model = make_encoder(train_from_stage=1, bn_mode=bn_mode)
    before = [moving_statistics(stage) for stage in model.stages]
    model(random_images(), training=True)
    after = [moving_statistics(stage) for stage in model.stages]
    for number in range(3):
        changed = [
            not np.array_equal(a, b)
            for a, b in zip(before[number], after[number], strict=True)
        ]
        expected = moves or number >= 1
        assert changed == [expected] * len(changed)


def test_torch_mode_normalises_with_batch_statistics_in_training():
    images = random_images()
    torch_mode, keras_mode = (
        make_encoder(train_from_stage=3, bn_mode=bn_mode)
        for bn_mode in ("torch", "keras")
    )
    keras_mode.set_weights(torch_mode.get_weights())
    at_inference = keras_mode(images, training=False)
    np.testing.assert_array_equal(torch_mode(images, training=False), at_inference)
    np.testing.assert_array_equal(keras_mode(images, training=True), at_inference)
    difference = torch_mode(images, training=True) - at_inference
    assert np.abs(difference).max() > 1e-3


def test_training_changes_only_what_trains():
    model = make_encoder(train_from_stage=2, bn_mode="torch")
    before = {variable.path: variable.numpy() for variable in model.variables}
    model.compile(keras.optimizers.SGD(1.0), loss="mse")
    model.train_on_batch(random_images(), np.ones((2, 16), "float32"))
    changed = {
        variable.path
        for variable in model.variables
        if not np.array_equal(before[variable.path], variable.numpy())
    }
    trainable = {variable.path for variable in model.trainable_variables}
    statistics = {
        variable.path for variable in model.variables if "moving" in variable.path
    }
    assert changed == trainable | statistics


def test_freeze_stages_restores_what_trainable_forgot(encoder):
    expected = [variable.path for variable in encoder.trainable_variables]
    encoder.trainable = False
    encoder.trainable = True
    assert len(encoder.trainable_variables) > len(expected)
    encoder.freeze_stages()
    assert [variable.path for variable in encoder.trainable_variables] == expected


# === Saving ===


@pytest.mark.parametrize("bn_mode", ["torch", "keras"])
def test_save_and_load(tmp_path, bn_mode):
    model = make_encoder(
        aggregation={"name": "gem", "p": 2.5}, train_from_stage=1, bn_mode=bn_mode
    )
    model.get_layer("aggregation").p.assign(4.5)
    model(random_images(), training=True)
    model.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    assert isinstance(loaded, GeoLocalizationNet)
    assert loaded.get_config() == model.get_config()
    assert float(loaded.get_layer("aggregation").p) == 4.5
    np.testing.assert_array_equal(loaded(random_images()), model(random_images()))
    assert stages_of_trainable_variables(loaded) == {1, 2}
    before = moving_statistics(loaded.stages[0])
    loaded(random_images(), training=True)
    after = moving_statistics(loaded.stages[0])
    assert np.array_equal(before[0], after[0]) == (bn_mode == "keras")


def test_export_gives_the_same_descriptors(tmp_path, encoder):
    encoder.export(tmp_path / "encoder", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "encoder"))
    images = random_images(75, 33)
    np.testing.assert_allclose(served.serve(images), encoder(images), atol=1e-5)


# === Precision ===


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = make_encoder(train_from_stage=1, bn_mode="torch")
    finally:
        keras.config.set_dtype_policy("float32")
    float32_model = make_encoder(train_from_stage=1, bn_mode="torch")
    images = random_images()
    low, high = model.stages[-1].output, float32_model.stages[-1].output
    assert keras.backend.standardize_dtype(low.dtype) == policy.removeprefix("mixed_")
    assert keras.backend.standardize_dtype(high.dtype) == "float32"
    assert {variable.dtype for variable in model.variables} == {"float32"}
    model.set_weights(float32_model.get_weights())
    descriptors = model(images)
    assert descriptors.dtype == tf.float32
    np.testing.assert_allclose(descriptors, float32_model(images), atol=0.05)
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("backbone", ["EfficientNetLite0", "ResNet18"])
def test_gradient_is_finite_under_mixed_float16(backbone):
    model = GeoLocalizationNet(
        backbone, 16, train_from_stage=0, bn_mode="torch", dtype="mixed_float16"
    )
    # A black image leaves locations of the feature map without any activation.
    images = np.concatenate([random_images(batch=1), np.zeros((1, 64, 96, 3), "f4")])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(images, training=True)[:, 0])
    variables = [variable.value for variable in model.trainable_variables]
    for gradient in tape.gradient(loss, variables):
        assert np.isfinite(gradient).all()


def test_jit_compile_gives_the_same_descriptors(encoder):
    images = tf.constant(random_images())
    compiled = tf.function(lambda x: encoder(x, training=False), jit_compile=True)
    np.testing.assert_allclose(compiled(images), encoder(images), atol=1e-4)


# === Invalid arguments ===


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "ResNet19"}, r"one of ResNet18, .*EfficientNetLite0.*'ResNet19'"),
        ({"descriptor_dim": 0}, "`descriptor_dim` must be 1 or more"),
        ({"image_shape": (224, 224, 1)}, r"`image_shape` must be \(height, width, 3\)"),
        ({"train_from_stage": -1}, "`train_from_stage` must be 0"),
        ({"bn_mode": "pytorch"}, '`bn_mode` must be "torch" or "keras"'),
        ({"aggregation": {"name": "gem", "p": 0.0}}, "`p` must be positive"),
    ],
)
def test_invalid_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        GeoLocalizationNet(
            **{"backbone": "EfficientNetLite0", "descriptor_dim": 8, **arguments}
        )
