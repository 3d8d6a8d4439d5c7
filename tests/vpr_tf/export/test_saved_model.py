import base64
import io
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from vpr_tf.config import (
    BuildConfig,
    DatasetConfig,
    EncoderConfig,
    EvaluationConfig,
    ExperimentConfig,
    load_config,
)
from vpr_tf.data.image_decoding import decode_image, resize_for_evaluation
from vpr_tf.export import export_encoder
from vpr_tf.extraction.model_source import EXPORTED_CONFIG
from vpr_tf.extraction.saved_model_check import check_saved_model, faults_of
from vpr_tf.models import build_encoder, in_precision

ENCODER = EncoderConfig(
    "EfficientNetLite0", descriptor_dim=16, last_stage=0, weights="none"
)
RESIZES = {
    "native": EvaluationConfig(resize="native"),
    "shorter_side": EvaluationConfig(resize="shorter_side", image_size=48),
    "square": EvaluationConfig(resize="square", image_size=64),
}


def encode(height, width, file_format, mode="RGB", seed=0):
    """Draws blobs, which survive a resize better than noise does."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    file = io.BytesIO()
    image = Image.fromarray(small).resize((width, height)).convert(mode)
    image.save(file, file_format)
    return file.getvalue()


FILES = [
    encode(64, 80, "JPEG", seed=1),
    encode(96, 56, "PNG", seed=2),
    encode(50, 50, "JPEG", "L", seed=3),
    encode(70, 60, "PNG", "RGBA", seed=4),
]


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(1)
    return build_encoder(ENCODER)


@pytest.fixture(scope="module")
def pooling():
    """An encoder that is exported in a moment."""
    images = keras.Input((None, None, 3))
    model = keras.Model(images, keras.layers.GlobalAveragePooling2D()(images))
    model.descriptor_dim = 3
    return model


@pytest.fixture(scope="module")
def encoders(encoder, pooling):
    """The network in a batch and image by image; the resize does not depend on it."""
    return {"native": pooling, "shorter_side": encoder, "square": encoder}


@pytest.fixture(scope="module")
def exported(encoders, tmp_path_factory):
    """Folder of a version by resize mode."""
    folder = tmp_path_factory.mktemp("savedmodels")
    return {
        resize: export_encoder(encoders[resize], experiment(resize), folder)
        for resize in RESIZES
    }


def experiment(resize):
    return ExperimentConfig(
        name=resize,
        dataset=DatasetConfig(path="datasets/x"),
        build=BuildConfig(train="train"),
        encoder=ENCODER,
        evaluation=RESIZES[resize],
    )


def expected_of(encoder, resize, files):
    images = [resize_for_evaluation(decode_image(f), RESIZES[resize]) for f in files]
    return np.concatenate([encoder(image[tf.newaxis]) for image in images])


@pytest.mark.parametrize("resize", RESIZES)
def test_files_of_all_sizes_give_the_descriptors_of_evaluation(
    encoders, exported, resize
):
    expected = expected_of(encoders[resize], resize, FILES)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3  # images can be told apart
    serve = tf.saved_model.load(str(exported[resize])).signatures["serving_default"]
    served = serve(image_bytes=tf.constant(FILES))["descriptors"]
    np.testing.assert_allclose(served, expected, atol=1e-5)


def test_float_images_are_described_as_they_are(encoder, exported):
    images = np.random.default_rng(0).random((2, 40, 72, 3), np.float32)
    model = tf.saved_model.load(str(exported["square"]))
    described = model.signatures["descriptors"](images=tf.constant(images))
    np.testing.assert_allclose(described["descriptors"], encoder(images), atol=1e-5)


@pytest.mark.parametrize("resize", RESIZES)
def test_export_may_be_loaded_again(exported, resize):
    check_saved_model(exported[resize])


def test_saved_model_cli_gives_the_descriptors_of_keras(encoder, exported, tmp_path):
    expected = expected_of(encoder, "square", FILES[:2])
    np.save(tmp_path / "files.npy", np.array(FILES[:2]))
    script = Path(sys.executable).with_name("saved_model_cli")
    subprocess.run(
        [
            *(sys.executable, script, "run", "--dir", exported["square"]),
            *("--tag_set", "serve", "--signature_def", "serving_default"),
            *("--inputs", f"image_bytes={tmp_path / 'files.npy'}"),
            *("--outdir", tmp_path / "out"),
        ],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    served = np.load(tmp_path / "out" / "descriptors.npy")
    np.testing.assert_allclose(served, expected, atol=1e-5)


def test_rest_request_reaches_the_signature(encoder, exported):
    """Follows TF Serving's rules: an object with the key b64 is a binary string."""
    instances = [{"b64": base64.b64encode(file).decode()} for file in FILES[:2]]
    request = json.loads(json.dumps({"instances": instances}))
    serve = tf.saved_model.load(str(exported["square"])).signatures["serving_default"]
    # Instances without names are allowed where there is one input.
    (name,) = serve.structured_input_signature[1]
    values = [base64.b64decode(instance["b64"]) for instance in request["instances"]]
    served = serve(**{name: tf.constant(values)})
    assert list(served) == ["descriptors"]
    expected = expected_of(encoder, "square", FILES[:2])
    np.testing.assert_allclose(served["descriptors"], expected, atol=1e-5)


def test_versions_are_counted_and_config_is_kept(pooling, tmp_path):
    config = experiment("square")
    (tmp_path / "square" / "7").mkdir(parents=True)
    (tmp_path / "square" / "notes").mkdir()
    folder = export_encoder(pooling, config, tmp_path)
    assert folder == tmp_path / "square" / "8"
    assert load_config(folder / EXPORTED_CONFIG) == config
    names = sorted(path.name for path in (tmp_path / "square").iterdir())
    assert names == ["7", "8", "notes"]


def test_network_trained_in_mixed_precision_is_served_in_float32(encoder, tmp_path):
    mixed = in_precision(encoder, "mixed_bfloat16")
    folder = export_encoder(mixed, experiment("square"), tmp_path)
    serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
    served = serve(image_bytes=tf.constant(FILES))["descriptors"]
    expected = expected_of(encoder, "square", FILES)
    np.testing.assert_allclose(served, expected, atol=1e-5)


def test_custom_operation_is_named_and_nothing_is_published(
    pooling, tmp_path, monkeypatch
):
    from vpr_tf.export import saved_model

    found = ["the operation Scann>Search"]
    monkeypatch.setattr(saved_model, "faults_of", lambda _: found)
    with pytest.raises(saved_model.ExportError, match="operation Scann>Search"):
        export_encoder(pooling, experiment("square"), tmp_path)
    assert list((tmp_path / "square").iterdir()) == []


def test_custom_operations_are_found(tmp_path):
    scann_ops = pytest.importorskip("scann.scann_ops.py.scann_ops")
    rows = np.eye(4, dtype=np.float32)
    searcher = scann_ops.builder(rows, 2, "squared_l2").score_brute_force().build()
    module = tf.Module()
    module.state = searcher.serialize_to_module()
    options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
    tf.saved_model.save(module, str(tmp_path / "m"), options=options)
    assert "the operation Scann>TensorsToScann" in faults_of(tmp_path / "m")


def test_folder_that_cannot_be_written_is_named(pooling, tmp_path):
    from vpr_tf.export.saved_model import ExportError

    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match=r"a model in .*file/square"):
        export_encoder(pooling, experiment("square"), tmp_path / "file")
