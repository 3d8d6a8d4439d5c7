import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vpr_tf.models.file_server import file_server
from tests.vpr_tf.models.released_stand_in import (
    NAME,
    cosplace_bytes,
    random_encoder,
    released_at,
)
from tests.vpr_tf.models.torch_weights.legacy_pth_files import fake_torch
from vpr_tf.config import (
    BuildConfig,
    DatasetConfig,
    EncoderConfig,
    EvaluationConfig,
    ExperimentConfig,
    Preprocessing,
    save_config,
)
from vpr_tf.evaluation.evaluation import results_folder
from vpr_tf.extraction import EncoderError, load_extractor
from vpr_tf.extraction.model_source import find_model, find_saved_model
from vpr_tf.extraction.saved_encoder import SavedEncoder
from vpr_tf.models import GeoLocalizationNet, encoder_fingerprint
from vpr_tf.stored_files import StoredFile

IMAGES = np.random.default_rng(0).random((2, 48, 48, 3), np.float32)


@pytest.fixture
def config(tmp_path):
    return ExperimentConfig(
        name="small",
        runs_dir=str(tmp_path / "runs"),
        dataset=DatasetConfig(path="datasets/x"),
        build=BuildConfig(train="train"),
        encoder=EncoderConfig(
            "EfficientNetLite0", descriptor_dim=8, last_stage=0, weights="none"
        ),
        evaluation=EvaluationConfig(resize="square", image_size=48),
    )


@pytest.fixture
def pooling_model(config):
    """Exports an encoder that is quick to make; returns the folder of its name."""
    from vpr_tf.export import export_encoder

    def export(folder, offset=0.0, **evaluation):
        images = keras.Input((None, None, 3))
        pooled = keras.layers.GlobalAveragePooling2D()(images)
        outputs = keras.layers.Dense(
            3,
            kernel_initializer="identity",
            bias_initializer=keras.initializers.Constant(offset),
        )(pooled)
        model = keras.Model(images, outputs)
        model.descriptor_dim = 3
        changed = dataclasses.replace(config.evaluation, **evaluation)
        exported = dataclasses.replace(config, evaluation=changed)
        return export_encoder(model, exported, folder)

    return export


def test_without_model_training_starts_from_the_same_weights(config):
    first = load_extractor(config, None)
    second = load_extractor(config, None)
    np.testing.assert_array_equal(first.encoder(IMAGES), second.encoder(IMAGES))
    other = load_extractor(dataclasses.replace(config, seed=1), None)
    assert np.abs(other.encoder(IMAGES) - first.encoder(IMAGES)).max() > 1e-3
    assert first.preprocessing == config.evaluation.preprocessing
    assert "initial weights (none)" in first.description


def test_run_folder_gives_its_best_weights_and_its_own_network(config, tmp_path):
    trained = load_extractor(config, None).encoder
    trained.set_weights([weight + 0.01 for weight in trained.get_weights()])
    run = tmp_path / "run"
    (run / "best").mkdir(parents=True)
    trained.save_weights(run / "best" / "encoder.weights.h5")
    save_config(config, run / "config.yaml")
    other = dataclasses.replace(
        config,
        encoder=dataclasses.replace(config.encoder, descriptor_dim=99),
        evaluation=EvaluationConfig(resize="native"),
    )
    loaded = load_extractor(other, run)
    np.testing.assert_array_equal(loaded.encoder(IMAGES), trained(IMAGES))
    assert loaded.preprocessing == Preprocessing(image_size=48)
    assert "not as it was trained; resize: native instead of square" in (
        loaded.description
    )
    assert results_folder(other, run) == run / "report"


def test_best_weights_that_were_damaged_are_refused(config, tmp_path):
    run = tmp_path / "run"
    (run / "best").mkdir(parents=True)
    save_config(config, run / "config.yaml")
    weights = run / "best" / "encoder.weights.h5"
    load_extractor(config, None).encoder.save_weights(weights)
    stored = dataclasses.asdict(StoredFile.from_path(weights))
    info = run / "best" / "best.json"
    info.write_text(json.dumps({"epoch": 0, "weights": stored}))
    load_extractor(model=run)
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(EncoderError, match=r"weights\.h5 is damaged: it has another"):
        load_extractor(model=run)
    info.write_text('{"weights": 3}')
    with pytest.raises(EncoderError, match=r"best\.json is damaged"):
        load_extractor(model=run)


def test_a_run_brings_the_preparation_of_its_images(config, tmp_path):
    run = tmp_path / "run"
    (run / "best").mkdir(parents=True)
    encoder = load_extractor(config, None).encoder
    encoder.save_weights(run / "best" / "encoder.weights.h5")
    save_config(config, run / "config.yaml")
    silent = dataclasses.replace(config, evaluation=EvaluationConfig())
    loaded = load_extractor(silent, run)
    assert loaded.preprocessing == config.evaluation.preprocessing
    assert "instead of" not in loaded.description
    partly = EvaluationConfig(image_size=64, batch_size=3)
    loaded = load_extractor(partly, run)
    assert loaded.preprocessing == Preprocessing("square", 64)
    assert "image_size: 64 instead of 48" in loaded.description
    assert load_extractor(model=run).preprocessing == config.evaluation.preprocessing


def test_saved_model_gives_its_newest_version_and_its_own_preparation(
    config, pooling_model, tmp_path
):
    for version in range(1, 11):
        folder = tmp_path / "models" / "small" / str(version)
        if version < 9:
            folder.mkdir(parents=True)
    pooling_model(tmp_path / "models", offset=0.5)  # version 9
    pooling_model(tmp_path / "models", offset=2.0, image_size=32)  # version 10
    loaded = load_extractor(config, tmp_path / "models" / "small")
    np.testing.assert_allclose(
        loaded.encoder(tf.constant(IMAGES)), IMAGES.mean(axis=(1, 2)) + 2, rtol=1e-5
    )
    assert loaded.encoder.descriptor_dim == 3
    assert loaded.preprocessing.image_size == 32
    assert "image_size: 32 instead of 48" in loaded.description
    ninth = load_extractor(config, tmp_path / "models" / "small" / "9")
    assert ninth.preprocessing == config.evaluation.preprocessing
    assert "instead of" not in ninth.description
    folder = results_folder(config, tmp_path / "models" / "small")
    assert folder == tmp_path / "runs" / "small" / "evaluation_small_10"
    assert loaded.fingerprint != ninth.fingerprint


def test_folder_without_a_model_is_named(config, tmp_path):
    (tmp_path / "7").mkdir()
    assert find_saved_model(tmp_path) is None
    with pytest.raises(EncoderError, match=r"is no model: it holds neither config"):
        load_extractor(config, tmp_path)
    with pytest.raises(EncoderError, match=r"is no model"):
        load_extractor(config, tmp_path / "missing")


def test_run_without_best_weights_is_named(config, tmp_path):
    save_config(config, tmp_path / "config.yaml")
    with pytest.raises(EncoderError, match="has no best model yet"):
        load_extractor(config, tmp_path)
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "encoder.weights.h5").write_bytes(b"no weights")
    with pytest.raises(EncoderError, match="Cannot load the model"):
        load_extractor(config, tmp_path)


def test_saved_model_of_another_program_is_refused(config, pooling_model, tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "m"))
    with pytest.raises(EncoderError, match=r"has no assets.extra/config.yaml"):
        load_extractor(config, tmp_path / "m")
    folder = pooling_model(tmp_path)
    with pytest.raises(ValueError, match="does not train"):
        SavedEncoder(folder)(IMAGES, training=True)


def test_missing_weights_of_the_config_are_named(config):
    strange = dataclasses.replace(config, encoder=EncoderConfig(weights="a.h5"))
    with pytest.raises(EncoderError, match=r"the encoder of the config.*'a\.h5'"):
        load_extractor(strange, None)


def test_keras_file_gives_its_own_network(config, tmp_path):
    encoder = GeoLocalizationNet("EfficientNetLite0", 5, last_stage=0)
    encoder.save(tmp_path / "mine.keras")
    loaded = load_extractor(config, tmp_path / "mine.keras")
    np.testing.assert_array_equal(loaded.encoder(IMAGES), encoder(IMAGES))
    assert loaded.preprocessing == config.evaluation.preprocessing
    folder = results_folder(config, tmp_path / "mine.keras")
    assert folder == tmp_path / "runs" / "small" / "evaluation_mine"
    assert "EfficientNetLite0" in loaded.description


def test_keras_file_brings_the_preparation_of_its_images(config, tmp_path):
    arguments = {"last_stage": 0, "preprocessing": {"resize": "square"}}
    encoder = GeoLocalizationNet("EfficientNetLite0", 5, **arguments)
    plain = GeoLocalizationNet("EfficientNetLite0", 5, last_stage=0)
    plain.set_weights(encoder.get_weights())
    assert encoder_fingerprint(encoder) == encoder_fingerprint(plain)
    encoder.save(tmp_path / "mine.keras")
    plain.save(tmp_path / "plain.keras")
    assert find_model(tmp_path / "mine.keras").says_preprocessing
    assert not find_model(tmp_path / "plain.keras").says_preprocessing
    silent = dataclasses.replace(config, evaluation=EvaluationConfig())
    loaded = load_extractor(silent, tmp_path / "mine.keras")
    assert loaded.preprocessing == Preprocessing("square", 512)
    loaded = load_extractor(silent, tmp_path / "plain.keras")
    assert loaded.preprocessing == Preprocessing()


def test_keras_file_of_one_image_size_says_so(config, tmp_path):
    arguments = {"last_stage": 0, "image_shape": (48, 48, 3)}
    encoder = GeoLocalizationNet("EfficientNetLite0", 5, **arguments)
    encoder.save(tmp_path / "fixed.keras")
    assert load_extractor(config, tmp_path / "fixed.keras").encoder.descriptor_dim == 5
    for changes in ({"image_size": 64}, {"resize": "shorter_side"}):
        evaluation = dataclasses.replace(config.evaluation, **changes)
        message = "takes images of 48x48 only.*evaluation.image_size=48"
        with pytest.raises(EncoderError, match=message):
            load_extractor(
                dataclasses.replace(config, evaluation=evaluation),
                tmp_path / "fixed.keras",
            )


def test_keras_file_of_another_model_is_refused(config, tmp_path):
    images = keras.Input((None, None, 3))
    model = keras.Model(images, keras.layers.GlobalAveragePooling2D()(images))
    model.save(tmp_path / "other.keras")
    with pytest.raises(EncoderError, match="must hold a GeoLocalizationNet"):
        load_extractor(config, tmp_path / "other.keras")
    (tmp_path / "broken.keras").write_bytes(b"no zip")
    with pytest.raises(EncoderError, match="Cannot load the model"):
        load_extractor(config, tmp_path / "broken.keras")


def test_released_encoder_is_known_by_its_name(config, tmp_path, monkeypatch):
    monkeypatch.setenv("VPR_TF_CACHE", str(tmp_path / "cache"))
    original = random_encoder()
    with file_server() as server, monkeypatch.context() as patched:
        fake_torch(patched)
        server.files["/weights.pth"] = cosplace_bytes(original)
        released_at(monkeypatch, f"{server.url}/weights.pth")
        loaded = load_extractor(config, NAME)
        np.testing.assert_array_equal(loaded.encoder(IMAGES), original(IMAGES))
        assert NAME in loaded.description
        assert results_folder(config, NAME).name == f"evaluation_{NAME}"
    released_at(monkeypatch, "http://127.0.0.1:9/weights.pth")
    monkeypatch.setenv("VPR_TF_CACHE", str(tmp_path / "empty_cache"))
    with pytest.raises(EncoderError, match=r"could not be downloaded.*convert"):
        load_extractor(config, NAME)
