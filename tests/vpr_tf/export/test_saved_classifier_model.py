"""SavedModels of a tiny encoder with heads, in this process and in another."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vpr_tf.classification.tiny_classifier import random_classifier, street_table
from tests.vpr_tf.export.test_saved_model import FILES
from vpr_tf.classification import (
    calibrate_predictor,
    heads_folder,
    load_calibration,
    load_heads,
)
from vpr_tf.config import DatasetConfig, EvaluationConfig, ExperimentConfig
from vpr_tf.data.image_decoding import decode_image, resize_for_evaluation
from vpr_tf.export import export_classifier
from vpr_tf.extraction.saved_encoder import SavedEncoder
from vpr_tf.extraction.saved_model_check import check_saved_model
from vpr_tf.localization import FittedOn, LocalizationError, estimate_positions

CONFIG = ExperimentConfig(
    name="town",
    dataset=DatasetConfig(path="datasets/x"),
    evaluation=EvaluationConfig(
        method="classification", resize="square", image_size=16
    ),
)
SETTINGS = CONFIG.localization


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(3)
    images = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(images)
    described = keras.layers.Dense(6)(pooled)
    model = keras.Model(images, keras.layers.UnitNormalization()(described))
    model.descriptor_dim = 6
    return model


@pytest.fixture(scope="module")
def classifier():
    return random_classifier(street_table(40), 6)


@pytest.fixture(scope="module")
def calibration(classifier):
    rng = np.random.default_rng(1)
    descriptors = rng.normal(size=(60, 6)).astype(np.float32)
    # Half of the queries are where the heads say.
    predictions = classifier.predict(descriptors, 1)
    rows = np.where(np.arange(60) % 2, predictions.rows[:, 0], rng.integers(0, 40, 60))
    return calibrate_predictor(
        classifier,
        descriptors,
        classifier.table.positions.take(rows),
        SETTINGS,
        FittedOn("val of town", 25.0, "e"),
    )


@pytest.fixture(scope="module")
def version(encoder, classifier, calibration, tmp_path_factory):
    folder = tmp_path_factory.mktemp("savedmodels")
    return export_classifier(
        encoder, classifier, CONFIG, folder, calibration=calibration, num_places=4
    )


@pytest.fixture(scope="module")
def expected(encoder, classifier, calibration):
    """What NumPy answers to the files."""
    images = [
        resize_for_evaluation(decode_image(f), CONFIG.evaluation.preprocessing)
        for f in FILES
    ]
    descriptors = encoder(np.stack(images)).numpy()
    predictions = classifier.predict(descriptors, 20)
    settings = classifier.settings(20)
    return predictions, estimate_positions(
        predictions, settings, calibration=calibration
    )


def check(found, expected, num_queries):
    predictions, estimates = expected
    rows = predictions.rows[:num_queries, :4]
    places = predictions.places
    assert set(found) == {
        *("latitude", "longitude", "score"),
        *("confidence", "expected_error_m", "spread_m"),
    }
    np.testing.assert_array_equal(found["latitude"], places.latitude_deg[rows])
    np.testing.assert_array_equal(found["longitude"], places.longitude_deg[rows])
    scores = predictions.scores[:num_queries, :4]
    np.testing.assert_allclose(found["score"], scores, atol=1e-5)
    for name in ("confidence", "expected_error_m", "spread_m"):
        source = predictions if name == "spread_m" else estimates
        one = getattr(source, name)[:num_queries]
        np.testing.assert_allclose(found[name], one, rtol=1e-2)


def test_files_of_all_sizes_are_answered(version, expected):
    serve = tf.saved_model.load(str(version)).signatures["serving_default"]
    check(serve(image_bytes=tf.constant(FILES)), expected, len(FILES))


def test_saved_model_cli_gives_the_same(version, expected, tmp_path):
    np.save(tmp_path / "files.npy", np.array(FILES[:2]))
    script = Path(sys.executable).with_name("saved_model_cli")
    subprocess.run(
        [
            *(sys.executable, script, "run", "--dir", version),
            *("--tag_set", "serve", "--signature_def", "serving_default"),
            *("--inputs", f"image_bytes={tmp_path / 'files.npy'}"),
            *("--outdir", tmp_path / "out"),
        ],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    found = {path.stem: np.load(path) for path in (tmp_path / "out").iterdir()}
    check(found, expected, 2)


def test_unreadable_files_are_flagged_and_have_no_place(version, expected):
    serve = tf.saved_model.load(str(version)).signatures["flagged"]
    found = serve(image_bytes=tf.constant([*FILES[:2], b"no image"]))
    found = {name: value.numpy() for name, value in found.items()}
    assert found.pop("is_valid").tolist() == [True, True, False]
    for value in found.values():
        assert np.isnan(value[2]).all()
    check({name: value[:2] for name, value in found.items()}, expected, 2)


def test_float_images_give_places_and_descriptors(version, encoder, classifier):
    images = np.random.default_rng(0).random((2, 20, 30, 3), np.float32)
    signatures = tf.saved_model.load(str(version)).signatures
    described = signatures["descriptors"](images=tf.constant(images))["descriptors"]
    np.testing.assert_allclose(described, encoder(images), atol=1e-6)
    found = signatures["places"](images=tf.constant(images))
    rows = classifier.predict(encoder(images).numpy(), 4).rows
    latitude_deg = classifier.table.positions.latitude_deg
    np.testing.assert_array_equal(found["latitude"], latitude_deg[rows])


def test_export_may_be_loaded_again(version):
    check_saved_model(version)


def test_heads_and_calibration_travel_with_the_model(version, classifier, calibration):
    folder = heads_folder(version.parent)
    assert folder == version / "assets.extra" / "classifier"
    assert load_calibration(folder) == calibration
    descriptors = np.eye(6, dtype=np.float32)
    read = load_heads(version, CONFIG.classification)
    np.testing.assert_array_equal(
        read.predict(descriptors, 3).rows, classifier.predict(descriptors, 3).rows
    )
    assert SavedEncoder(version).config == CONFIG


def test_bytes_that_are_no_image_are_an_error(version):
    serve = tf.saved_model.load(str(version)).signatures["serving_default"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="image"):
        serve(image_bytes=tf.constant([FILES[0], b"not an image"]))


def test_nothing_is_published_when_the_calibration_does_not_fit(
    encoder, classifier, calibration, tmp_path
):
    with pytest.raises(LocalizationError, match=r"score=cosine\. Received: softmax"):
        export_classifier(
            encoder,
            classifier.with_score("softmax"),
            CONFIG,
            tmp_path,
            calibration=calibration,
        )
    assert not (tmp_path / "town").exists()
