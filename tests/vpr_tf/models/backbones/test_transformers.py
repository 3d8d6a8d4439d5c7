import json

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tests.vpr_tf.models.backbones.tiny_transformers import (
    HEADS,
    TINY_SPECS,
    build,
    numpy_transformer,
    register_tiny_specs,
)
from vpr_tf.models import GeoLocalizationNet, load_weights
from vpr_tf.models.backbones import backbone_spec
from vpr_tf.models.backbones.dinov2 import DINOV2_NAMES
from vpr_tf.models.backbones.vision_transformer import VIT_NAMES
from vpr_tf.models.torch_weights.state_dict import (
    BARE_BACKBONE,
    BOQ_OF_DINOV2,
    MEGALOC,
    MODEL_AND_AGGREGATOR,
    encoder_entries,
    load_torch_state_dict,
    to_torch_state_dict,
)

TINY = tuple(TINY_SPECS)
SALAD = {"name": "optimal_transport", "num_clusters": 3, "cluster_dim": 2,
         "token_dim": 4, "hidden_dim": 8}  # fmt: skip


@pytest.fixture(autouse=True)
def _tiny_specs(monkeypatch):
    register_tiny_specs(monkeypatch)


def random_images(height=56, width=64, batch=2):
    rng = np.random.default_rng(0)
    return rng.random((batch, height, width, 3), "float32")


def make_encoder(name="TinyDINOv2", aggregation="class_token", **kwargs):
    keras.utils.set_random_seed(0)
    return GeoLocalizationNet(name, 4, aggregation=aggregation, **kwargs)


def random_state_dict(model, layout=BARE_BACKBONE):
    rng = np.random.default_rng(3)
    return {
        entry.key: rng.normal(0, 0.3, entry.torch_shape).astype("float32")
        for entry in encoder_entries(model, layout)
    }


# === Stages ===


@pytest.mark.parametrize(
    ("name", "grid", "tokens"),
    [("TinyDINOv2", (4, 5), 1), ("TinyDINOv2_reg4", (4, 5), 5), ("TinyViT", (4, 4), 1)],
)
def test_every_stage_gives_patches_and_tokens(name, grid, tokens):
    # A width of 64 is nearest to 5 patches of 14 pixels, and is 4 patches of 16.
    x = random_images(56, 64)
    stages = TINY_SPECS[name].build_stages((None, None, 3))
    assert [stage.name for stage in stages] == ["stage0", "stage1", "stage2"]
    assert len(stages) == TINY_SPECS[name].num_stages
    for stage in stages:
        x = stage(x)
        assert [tuple(part.shape) for part in x] == [(2, *grid, 8), (2, tokens, 8)]
    # The last stage ends with the norm.
    values = np.concatenate([part.numpy().reshape(-1, 8) for part in x])
    np.testing.assert_allclose(values.mean(axis=1), 0, atol=1e-5)


@pytest.mark.parametrize("name", TINY)
def test_values_equal_numpy_with_the_weights_of_torch(name):
    model = make_encoder(name)
    weights = random_state_dict(model)
    unused = {"mask_token": 8} if "DINO" in name else {"head.bias": 1000}
    extra = {key: np.zeros(size, "float32") for key, size in unused.items()}
    load_torch_state_dict(model, weights | extra)
    spec = TINY_SPECS[name]
    side = 4 * spec.output_stride
    images = random_images(side, side)
    standardised = (images - np.array(spec.mean)) / np.array(spec.std)
    positions = model.stages[0].get_layer("position_embedding").interpolated(4, 4)
    expected = numpy_transformer(weights, standardised, positions.numpy())
    for ours, known in zip(model.feature_extractor()(images), expected, strict=True):
        np.testing.assert_allclose(ours, known, atol=1e-4)


@pytest.mark.parametrize("name", ["TinyDINOv2", "TinyViT"])
def test_fixed_and_open_sizes_agree(name):
    open_sizes = build(name)
    compiled = tf.function(
        open_sizes,
        input_signature=[tf.TensorSpec((None, None, None, 3))],
        jit_compile=name == "TinyDINOv2",
    )
    for size in ((56, 64), (70, 33)):
        x = random_images(*size)
        fixed = build(name, (*size, 3))
        fixed.set_weights(open_sizes.get_weights())
        for received in (open_sizes(x), compiled(x)):
            for ours, known in zip(received, fixed(x), strict=True):
                np.testing.assert_allclose(ours, known, atol=1e-5)


# === Encoders ===


@pytest.mark.parametrize(
    ("first_stage", "trained"), [(0, {0, 1, 2}), (2, {2}), (3, set())]
)
def test_only_wanted_blocks_train(first_stage, trained):
    model = make_encoder("TinyDINOv2_reg4", SALAD, train_from_stage=first_stage)
    stages = {i for i, stage in enumerate(model.stages) if stage.trainable_variables}
    assert stages == trained
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model(random_images(), training=True)[:, 0])
    gradients = tape.gradient(total, [v.value for v in model.trainable_variables])
    assert all(gradient is not None for gradient in gradients)


@pytest.mark.parametrize("name", ["TinyDINOv2_reg4", "TinyViT"])
def test_gradients_are_finite_under_mixed_float16(name):
    model = make_encoder(name, SALAD, dtype="mixed_float16")
    assert keras.backend.standardize_dtype(model.stages[-1].output[0].dtype) == (
        "float16"
    )
    with tf.GradientTape() as tape:
        descriptors = model(random_images(), training=True)
        total = tf.reduce_sum(descriptors[:, 0])
    assert descriptors.dtype == tf.float32
    gradients = tape.gradient(total, [v.value for v in model.trainable_variables])
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    float32_model = make_encoder(name, SALAD)
    float32_model.set_weights(model.get_weights())
    images = random_images()
    np.testing.assert_allclose(model(images), float32_model(images), atol=0.01)


def test_save_and_export(tmp_path):
    model = make_encoder("TinyDINOv2_reg4", SALAD, train_from_stage=2)
    load_torch_state_dict(model, random_state_dict(model))
    model.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    assert loaded.get_config() == model.get_config()
    assert len(loaded.trainable_variables) == len(model.trainable_variables)
    model.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported"))
    for size in ((56, 64), (70, 33)):
        x = random_images(*size)
        np.testing.assert_array_equal(loaded(x), model(x))
        np.testing.assert_allclose(served.serve(x), model(x), atol=1e-5)


def test_optimal_transport_without_a_class_token():
    with pytest.raises(ValueError, match="needs a class token, and ResNet18"):
        make_encoder("ResNet18", SALAD)
    model = make_encoder("ResNet18", {**SALAD, "token": "mean"})
    assert model(random_images(64, 64)).shape == (2, 4)
    assert model.count_params() > 11e6
    with pytest.raises(ValueError, match="more patches than clusters"):
        make_encoder("ResNet18", {**SALAD, "token": "none"}, image_shape=(32, 96, 3))


# === Weights ===


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("layout", [MEGALOC, MODEL_AND_AGGREGATOR])
def test_conversion_to_torch_is_the_inverse(name, layout):
    descriptor_dim = 4 if layout is MEGALOC else None
    model = GeoLocalizationNet(name, descriptor_dim, aggregation=SALAD)
    state_dict = random_state_dict(model, layout)
    load_torch_state_dict(model, state_dict)
    for entry in encoder_entries(model, layout):
        values = [variable.numpy() for variable in entry.variables]
        np.testing.assert_array_equal(entry.to_torch(values), state_dict[entry.key])
    # Every weight has one key.
    assert sum(v.size for v in state_dict.values()) == model.count_params()


def test_bag_of_queries_takes_patches_before_the_final_norm(tmp_path):
    boq = {"name": "boq", "out_channels": 64, "out_rows": 2, "num_queries": 3}
    model = GeoLocalizationNet("TinyDINOv2", None, aggregation=boq)
    backbone = random_state_dict(make_encoder()) | {"mask_token": np.zeros(8, "f4")}
    load_torch_state_dict(model, backbone)
    state_dict = backbone | {"norm.weight": np.ones(8), "norm.bias": np.zeros(8)}
    images = random_images(56, 56)
    standardised = model.get_layer("standardize")(images)
    positions = model.stages[0].get_layer("position_embedding").interpolated(4, 4)
    normed, _ = numpy_transformer(state_dict, standardised.numpy(), positions.numpy())
    patches = model.feature_extractor()(images)[0].numpy()
    # The norm, which the official network does not apply, would change the patches.
    scaled = (patches - patches.mean(-1, keepdims=True)) / np.sqrt(
        patches.var(-1, keepdims=True) + 1e-6
    )
    np.testing.assert_allclose(scaled, normed, atol=1e-4)
    assert np.abs(patches - normed).max() > 0.1
    # === Official names ===
    official = to_torch_state_dict(model, BOQ_OF_DINOV2)
    unused = {"backbone.dino.mask_token", *(f"backbone.dino.norm.{part}" for part in
              ("weight", "bias"))}  # fmt: skip
    entries = {entry.key for entry in encoder_entries(model, BOQ_OF_DINOV2)}
    assert official.keys() == entries | unused
    copy = GeoLocalizationNet("TinyDINOv2", None, aggregation=boq)
    load_torch_state_dict(copy, official)
    np.testing.assert_array_equal(copy(images), model(images))
    # === Preset ===
    tiny_preset("TinyDINOv2", tmp_path / "preset")
    load_weights(copy, f"preset:{tmp_path / 'preset'}")


def tiny_preset(name, folder):
    """Saves keras-hub's own network, and gives it and the side of its images."""
    keras.utils.set_random_seed(1)
    if name == "TinyViT":
        network = keras_hub.models.ViTBackbone((224, 224, 3), 16, 2, HEADS, 8, 32)
    else:
        registers = 4 if name.endswith("_reg4") else 0
        side = 224 if registers else 518
        network = keras_hub.models.DINOV2Backbone(
            14, 2, 8, HEADS, 32, num_register_tokens=registers,
            image_shape=(side, side, 3), position_embedding_shape=(518, 518, 3),
            antialias_in_interpolation=registers > 0,
        )  # fmt: skip
    rng = np.random.default_rng(4)
    network.set_weights([rng.normal(0, 0.3, w.shape) for w in network.get_weights()])
    network.save_to_preset(str(folder))
    return keras_hub.models.Backbone.from_preset(str(folder))


@pytest.mark.parametrize("name", TINY)
def test_preset_gives_the_features_of_its_network(tmp_path, name):
    network = tiny_preset(name, tmp_path / "preset")
    model = make_encoder(name)
    load_weights(model, f"preset:{tmp_path / 'preset'}")
    side = network.image_shape[0]
    images = random_images(side, side, batch=1)
    standardised = model.get_layer("standardize")(images)
    inputs = standardised if name == "TinyViT" else {"images": standardised}
    expected = network(inputs).numpy()
    patches, tokens = model.feature_extractor()(images)
    sequence = np.concatenate([tokens, np.reshape(patches, (1, -1, 8))], axis=1)
    np.testing.assert_allclose(sequence, expected, atol=1e-4)


def test_preset_of_another_network_lists_the_differences(tmp_path):
    tiny_preset("TinyDINOv2_reg4", tmp_path / "preset")
    with pytest.raises(ValueError, match="register_tokens/tokens: not part of"):
        load_weights(make_encoder(), f"preset:{tmp_path / 'preset'}")


@pytest.mark.parametrize("name", [*DINOV2_NAMES, *VIT_NAMES])
def test_presets_and_channels_are_those_of_keras_hub(name):
    spec = backbone_spec(name)
    assert spec.has_class_token
    if spec.imagenet_preset is None:
        assert name == "ViT_S16"
        return
    preset = keras_hub.models.Backbone.presets[spec.imagenet_preset]
    # 12 C^2 in a block make nearly all of the parameters.
    in_blocks = 12 * spec.feature_channels**2 * (spec.num_stages - 1)
    assert 0.93 < in_blocks / preset["metadata"]["params"] < 1


def test_salad_has_8448_dimensions(golden_dir):
    shapes = json.loads((golden_dir / "state_dict_shapes.json").read_text())
    official = shapes["MegaLoc_8448"]
    model = GeoLocalizationNet("DINOv2_B14", None, aggregation="optimal_transport")
    assert model.descriptor_dim == 8448
    entries = {e.key: e.torch_shape for e in encoder_entries(model, MEGALOC)}
    different = {key for key in entries if tuple(official[key]) != entries[key]}
    # MegaLoc's clusters have 256 channels, and a linear layer follows.
    assert different == {
        f"aggregator.agg.cluster_features.3.{part}" for part in ("weight", "bias")
    }
    assert set(official) - set(entries) == {
        f"aggregator.linear.{part}" for part in ("weight", "bias")
    }
